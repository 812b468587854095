"""SRU of Lei, Zhang, Wang, Dai & Artzi 2018 (arXiv:1709.02755v5), eq. 1-4, a unit at a time, as its authors' loop:
c = u0 + (c' - u0) f and h = s + (g(c) - s) r. Columns of the fused weights: u0, f, r, s.
"""

import numpy as np

ACTIVATIONS = {"linear": lambda v: v, "tanh": np.tanh, "softsign": lambda v: v / (1 + np.abs(v))}


def shapes(input, units):
    """Weight name -> shape, in the order of the spec."""
    return {"kernel": (input, 4 * units), "v": (2 * units,), "bias": (2 * units,)}


def step(params, state, x, activation="linear"):
    """One step. x (batch, input), state (c,) -> h (batch, units), (c,)."""
    g, c_prev = ACTIVATIONS[activation], state[0]
    u = np.reshape(x @ params["kernel"], (len(x), 4, -1))
    v, b = params["v"].reshape(2, -1), params["bias"].reshape(2, -1)
    f = 1 / (1 + np.exp(-(u[:, 1] + v[0] * c_prev + b[0])))
    r = 1 / (1 + np.exp(-(u[:, 2] + v[1] * c_prev + b[1])))
    c = u[:, 0] + (c_prev - u[:, 0]) * f
    h = u[:, 3] + (g(c) - u[:, 3]) * r
    return h, (c,)
