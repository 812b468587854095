"""SRU of Lei, Zhang & Artzi 2017 (arXiv:1709.02755v1), eq. 3-7, with a projection for the way around, a unit at a time.

x~ = W x;  f = sigma(W_f x + b_f);  r = sigma(W_r x + b_r);  c = f c' + (1 - f) x~;  h = r g(c) + (1 - r) (W_s x)
Columns of the fused weights: x~, f, r, s.
"""

import numpy as np

ACTIVATIONS = {"tanh": np.tanh, "linear": lambda v: v, "softsign": lambda v: v / (1 + np.abs(v))}


def shapes(input, units):
    """Weight name -> shape, in the order of the spec."""
    return {"kernel": (input, 4 * units), "bias": (2 * units,)}


def step(params, state, x, activation="tanh"):
    """One step. x (batch, input), state (c,) -> h (batch, units), (c,)."""
    g, c_prev = ACTIVATIONS[activation], state[0]
    c, h = np.empty_like(c_prev), np.empty_like(c_prev)
    n = c.shape[1]
    for unit in range(n):
        tilde, forget, reset, around = (x @ params["kernel"][:, block * n + unit] for block in range(4))
        f = 1 / (1 + np.exp(-(forget + params["bias"][unit])))
        r = 1 / (1 + np.exp(-(reset + params["bias"][n + unit])))
        c[:, unit] = f * c_prev[:, unit] + (1 - f) * tilde
        h[:, unit] = r * g(c[:, unit]) + (1 - r) * around
    return h, (c,)
