"""Minimal gated unit of Zhou et al. 2016 (arXiv:1603.09420), whose matrices act on the pair [h, x].

f_t = sigma(W_f [h, x] + b_f);  h~ = tanh(W_h [f_t * h, x] + b_h);  h_t = (1 - f_t) * h + f_t * h~
Blocks of the fused weights: f, h. A sample is a column.
"""

import numpy as np


def sigmoid(v):
    return 1 / (1 + np.exp(-v))


def shapes(input, units):
    """Weight name -> shape, in the order of the spec."""
    return {"kernel": (input, 2 * units), "recurrent_kernel": (units, 2 * units), "bias": (2 * units,)}


def step(params, state, x):
    """One step. x (batch, input), state (h,) -> h (batch, units), (h,)."""
    h_prev, x = state[0].T, x.T
    n = len(h_prev)
    W = np.vstack([params["recurrent_kernel"], params["kernel"]]).T
    W_f, W_h = W[:n], W[n:]
    b_f, b_h = params["bias"][:n, None], params["bias"][n:, None]

    f = sigmoid(W_f @ np.vstack([h_prev, x]) + b_f)
    h_tilde = np.tanh(W_h @ np.vstack([f * h_prev, x]) + b_h)
    h = (1 - f) * h_prev + f * h_tilde
    return h.T, (h.T,)
