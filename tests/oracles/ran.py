"""Recurrent additive network of Lee, Levy & Zettlemoyer 2017 (arXiv:1705.07393), eq. 1. A sample is a column.

c~_t = W_cx x_t;  i_t = sigma(W_ih h_t-1 + W_ix x_t + b_i);  f_t = sigma(W_fh h_t-1 + W_fx x_t + b_f)
c_t = i_t * c~_t + f_t * c_t-1;  h_t = g(c_t).  Blocks of the fused weights: i, f.
"""

import numpy as np

ACTIVATIONS = {
    "linear": lambda v: v,
    "tanh": np.tanh,
    "sigmoid": lambda v: 1 / (1 + np.exp(-v)),
    "hard_sigmoid": lambda v: np.clip(v / 6 + 0.5, 0, 1),
    "relu": lambda v: np.maximum(v, 0),
    "softplus": lambda v: np.logaddexp(v, 0),
    "softsign": lambda v: v / (1 + np.abs(v)),
}


def sigma(v):
    return 1 / (1 + np.exp(-v))


def shapes(input, units, **_):
    """Weight name -> shape, in the order of the spec."""
    return {
        "W_cx": (input, units),
        "kernel": (input, 2 * units),
        "recurrent_kernel": (units, 2 * units),
        "bias": (2 * units,),
    }


def step(params, state, x, activation="tanh"):
    """One step. x (batch, input), state (h, c) -> h (batch, units), (h, c)."""
    h, c, x = state[0].T, state[1].T, x.T
    W_ix, W_fx = (W.T for W in np.hsplit(params["kernel"], 2))
    W_ih, W_fh = (W.T for W in np.hsplit(params["recurrent_kernel"], 2))
    b_i, b_f = (b[:, None] for b in np.hsplit(params["bias"], 2))
    i = sigma(W_ih @ h + W_ix @ x + b_i)
    f = sigma(W_fh @ h + W_fx @ x + b_f)
    c = i * (params["W_cx"].T @ x) + f * c
    h = ACTIVATIONS[activation](c)
    return h.T, (h.T, c.T)
