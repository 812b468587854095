"""GRU with attention of Zhou et al. 2019 (arXiv:1809.03672). A sample is a column.

u' = a u in AUGRU, a in AGRU; AIGRU reads a i. Blocks of the weights: u, r, h, without u in AGRU.
"""

import numpy as np


def sigma(v):
    return 1 / (1 + np.exp(-v))


def shapes(input, units, variant="AUGRU"):
    """Weight name -> shape, in the order of the spec."""
    wide = (2 if variant == "AGRU" else 3) * units
    return {"W": (input, wide), "U": (units, wide), "b": (wide,)}


def step(params, state, inputs, variant="AUGRU"):
    """One step. inputs x (batch, input) and a (batch, 1), state (h,) -> h (batch, units), (h,)."""
    (h,), i, a = (each.T for each in state), inputs[0].T, inputs[1].T
    i = a * i if variant == "AIGRU" else i
    blocks = 2 if variant == "AGRU" else 3
    W, U, b = (np.split(params[name].T, blocks) for name in "WUb")
    r = sigma(W[-2] @ i + b[-2][:, None] + U[-2] @ h)
    h_tilde = np.tanh(W[-1] @ i + r * (U[-1] @ h) + b[-1][:, None])
    u = a * np.ones_like(h)
    if variant != "AGRU":
        own = sigma(W[0] @ i + b[0][:, None] + U[0] @ h)
        u = own if variant == "AIGRU" else u * own
    h = (1 - u) * h + u * h_tilde
    return h.T, (h.T,)
