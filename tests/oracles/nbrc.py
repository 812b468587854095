"""Recurrently neuromodulated BRC of Vecoven, Ernst & Drion 2021 (arXiv:2006.05252), with its code's biases.

a_t = 1 + tanh(U_a x_t + W_a h_t-1);  c_t = sigma(U_c x_t + W_c h_t-1)
h_t = c_t * h_t-1 + (1 - c_t) * tanh(U x_t + a_t * h_t-1).  A sample is a column.
"""

import numpy as np


def sigma(v):
    return 1 / (1 + np.exp(-v))


def shapes(input, units):
    """Weight name -> shape, in the order of the spec."""
    inputs = dict.fromkeys(("U_c", "U_a", "U"), (input, units))
    biases = dict.fromkeys(("b_a", "b_c"), (units,))
    return inputs | biases | dict.fromkeys(("W_c", "W_a"), (units, units))


def step(params, state, x):
    """One step. x (batch, input), state (h,) -> h (batch, units), (h,)."""
    h, x = state[0].T, x.T
    b_a, b_c = params["b_a"][:, None], params["b_c"][:, None]
    a = 1 + np.tanh(params["U_a"].T @ x + params["W_a"].T @ h + b_a)
    c = sigma(params["U_c"].T @ x + params["W_c"].T @ h + b_c)
    h = c * h + (1 - c) * np.tanh(params["U"].T @ x + a * h)
    return h.T, (h.T,)
