"""Recurrent weighted average of Ostmeyer & Cowell 2017 (arXiv:1703.01253), in sums that are not rescaled:

n = n + z * exp(a), d = d + exp(a), h = tanh(n / d). The state holds n and d divided by exp(a_max).
"""

import numpy as np


def shapes(input, units):
    """Weight name -> shape, in the order of the spec."""
    square = {"W": (input, 2 * units), "U": (units, 2 * units)}
    return {"h_0": (units,), "W_u": (input, units), "b_u": (units,)} | square | {"b_g": (units,)}


def step(params, state, x):
    """One step. x (batch, input), state (h, n, d, a_max) -> h (batch, units), (h, n, d, a_max)."""
    h, n, d, a_max = state
    W_g, W_a = np.split(np.concatenate([params["W"], params["U"]]), 2, axis=1)
    xh = np.concatenate([x, h], axis=1)
    z = (x @ params["W_u"] + params["b_u"]) * np.tanh(xh @ W_g + params["b_g"])
    a = xh @ W_a
    whole_n = n * np.exp(a_max) + z * np.exp(a)
    whole_d = d * np.exp(a_max) + np.exp(a)
    h = np.tanh(whole_n / whole_d)
    a_max = np.where(a > a_max, a, a_max)
    return h, (h, whole_n / np.exp(a_max), whole_d / np.exp(a_max), a_max)
