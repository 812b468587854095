"""T-LSTM of Baytas et al. 2017 (KDD), with the discount of its code. A sample is a column.

C_S = tanh(W_d C + b_d); C_S_hat = C_S * g(elapsed); C_T = C - C_S; C* = C_T + C_S_hat; then an LSTM on C*.
"""

import numpy as np


def sigma(v):
    return 1 / (1 + np.exp(-v))


def shapes(input, units):
    """Weight name -> shape, in the order of the spec."""
    lstm = {"kernel": (input, 4 * units), "recurrent_kernel": (units, 4 * units), "bias": (4 * units,)}
    return lstm | {"W_d": (units, units), "b_d": (units,)}


def step(params, state, inputs):
    """One step. inputs x (batch, input) and elapsed (batch, 1), state (h, c) -> h (batch, units), (h, c)."""
    h, c, x, elapsed = state[0].T, state[1].T, inputs[0].T, inputs[1].T
    c_short = np.tanh(params["W_d"].T @ c + params["b_d"][:, None])
    c_short_hat = c_short / np.log(np.e + np.where(elapsed > 0, elapsed, 0))
    c_long = c - c_short
    c_star = c_long + c_short_hat
    i, f, c_tilde, o = np.split(params["kernel"].T @ x + params["recurrent_kernel"].T @ h + params["bias"][:, None], 4)
    c = sigma(f) * c_star + sigma(i) * np.tanh(c_tilde)
    h = sigma(o) * np.tanh(c)
    return h.T, (h.T, c.T)
