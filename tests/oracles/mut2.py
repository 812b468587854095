"""MUT2 of Jozefowicz, Zaremba & Sutskever 2015, whose steps go from h_t to h_t+1. A sample is a column.

z = sigm(W_xz x_t + W_hz h_t + b_z);  r = sigm(x_t + W_hr h_t + b_r)
h_t+1 = tanh(W_hh (r * h_t) + W_xh x_t + b_h) * z + h_t * (1 - z)
"""

import numpy as np


def sigm(v):
    return 1 / (1 + np.exp(-v))


def shapes(input, units):
    """Weight name -> shape, in the order of the spec."""
    matrices = dict.fromkeys(("W_xz", "W_xh", "W_hz", "W_hr", "W_hh"), (units, units))
    return matrices | dict.fromkeys(("b_z", "b_r", "b_h"), (units,))


def step(params, state, x):
    """One step. x (batch, units), state (h,) -> h (batch, units), (h,)."""
    W_xz, W_xh, W_hz, W_hr, W_hh, b_z, b_r, b_h = (np.atleast_2d(each).T for each in params.values())
    h, x = state[0].T, x.T
    z = sigm(W_xz @ x + W_hz @ h + b_z)
    r = sigm(x + W_hr @ h + b_r)
    h = np.tanh(W_hh @ (r * h) + W_xh @ x + b_h) * z + h * (1 - z)
    return h.T, (h.T,)
