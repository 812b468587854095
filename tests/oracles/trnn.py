"""Strongly typed RNN of Balduzzi & Ghifary 2016 (arXiv:1602.02218). A sample is a column.

z_t = W x_t;  f_t = sigma(V x_t + b);  h_t = f_t * h_t-1 + (1 - f_t) * z_t
"""

import numpy as np


def sigma(v):
    return 1 / (1 + np.exp(-v))


def shapes(input, units):
    """Weight name -> shape, in the order of the spec."""
    return {"W": (input, units), "V": (input, units), "b": (units,)}


def step(params, state, x):
    """One step. x (batch, input), state (h,) -> h (batch, units), (h,)."""
    f = sigma(params["V"].T @ x.T + params["b"][:, None])
    h = f * state[0].T + (1 - f) * (params["W"].T @ x.T)
    return h.T, (h.T,)
