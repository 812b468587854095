"""MUT3 of Jozefowicz, Zaremba & Sutskever 2015, whose steps go from h_t to h_t+1. A sample is a column.

z = sigm(W_xz x_t + W_hz tanh(h_t) + b_z);  r = sigm(W_xr x_t + W_hr h_t + b_r)
h_t+1 = tanh(W_hh (r * h_t) + W_xh x_t + b_h) * z + h_t * (1 - z)
Blocks of the fused weights: z, r, h.
"""

import numpy as np


def sigm(v):
    return 1 / (1 + np.exp(-v))


def shapes(input, units):
    """Weight name -> shape, in the order of the spec."""
    return {"kernel": (input, 3 * units), "recurrent_kernel": (units, 3 * units), "bias": (3 * units,)}


def step(params, state, x):
    """One step. x (batch, input), state (h,) -> h (batch, units), (h,)."""
    h, x = state[0].T, x.T
    W_xz, W_xr, W_xh = (W.T for W in np.hsplit(params["kernel"], 3))
    W_hz, W_hr, W_hh = (W.T for W in np.hsplit(params["recurrent_kernel"], 3))
    b_z, b_r, b_h = (b[:, None] for b in np.hsplit(params["bias"], 3))
    z = sigm(W_xz @ x + W_hz @ np.tanh(h) + b_z)
    r = sigm(W_xr @ x + W_hr @ h + b_r)
    h = np.tanh(W_hh @ (r * h) + W_xh @ x + b_h) * z + h * (1 - z)
    return h.T, (h.T,)
