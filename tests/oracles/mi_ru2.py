"""Minion gated recurrent unit 2 of Zyarah & Kudithipudi 2026 (Neurocomputing 673, 132847). A sample is a column.

h~_t = tanh(W_h x_t + b_h + U_h (theta h_t-1));  h_t = lambda h_t-1 + (1 - lambda) h~_t
"""

import numpy as np

TRIED = {"update_coefficient": (0.5, 0.2), "reset_coefficient": (0.5, 0.9)}


def shapes(input, units, **_):
    """Weight name -> shape, in the order of the spec."""
    return {"W_h": (input, units), "U_h": (units, units), "b_h": (units,)}


def step(params, state, x, update_coefficient=0.5, reset_coefficient=0.5):
    """One step. x (batch, input), state (h,) -> h (batch, units), (h,)."""
    W_h, U_h, b_h = (np.atleast_2d(each).T for each in params.values())
    h = state[0].T
    candidate = np.tanh(W_h @ x.T + b_h + reset_coefficient * (U_h @ h))
    h = update_coefficient * h + (1 - update_coefficient) * candidate
    return h.T, (h.T,)
