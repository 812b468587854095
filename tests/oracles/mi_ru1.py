"""Minion gated recurrent unit 1 of Zyarah & Kudithipudi 2026 (Neurocomputing 673, 132847). A sample is a column.

r_t = sigma(W_r x_t + b_r + U_r h_t-1);  h~_t = tanh(W_h x_t + b_h + U_h (r_t * h_t-1))
h_t = lambda h_t-1 + (1 - lambda) h~_t
"""

import numpy as np

TRIED = {"update_coefficient": (0.5, 0.2)}


def sigma(v):
    return 1 / (1 + np.exp(-v))


def shapes(input, units, **_):
    """Weight name -> shape, in the order of the spec."""
    one = (input, units), (units, units), (units,)
    return dict(zip(("W_r", "U_r", "b_r", "W_h", "U_h", "b_h"), one + one, strict=True))


def step(params, state, x, update_coefficient=0.5):
    """One step. x (batch, input), state (h,) -> h (batch, units), (h,)."""
    W_r, U_r, b_r, W_h, U_h, b_h = (np.atleast_2d(each).T for each in params.values())
    h, x = state[0].T, x.T
    r = sigma(W_r @ x + b_r + U_r @ h)
    candidate = np.tanh(W_h @ x + b_h + U_h @ (r * h))
    h = update_coefficient * h + (1 - update_coefficient) * candidate
    return h.T, (h.T,)
