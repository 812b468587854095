"""RG-LRU of De et al. 2024 (arXiv:2402.19427), eq. 1-4, the decay as sigmoid(-L)^(c r), with whole block-diagonal
matrices, and the resets of RecurrentGemma's code. A sample is a column.
"""

import numpy as np

SIZES = [{"input": 8, "units": 8, "batch": 4}, {"input": 12, "units": 12, "batch": 3}]
TRIED = {"heads": (None, 2), "power": (8.0, 0.7)}


def shapes(input, units, heads=4, **_):
    """Weight name -> shape, in the order of the spec."""
    block, row = (heads, units // heads, units // heads), (heads, units // heads)
    return {"L": (units,), "W_x": block, "b_x": row, "W_a": block, "b_a": row}


def step(params, state, inputs, heads=4, power=8.0):
    """One step. x (batch, units), reset (batch, 1) or None, state (h,) -> h (batch, units), (h,)."""
    x, reset = inputs[0].T, 0 if inputs[1] is None else inputs[1].T
    units = len(x)

    def gate(name):
        W, size = np.zeros((units, units)), units // heads
        for head in range(heads):
            own = slice(head * size, (head + 1) * size)
            W[own, own] = params[f"W_{name}"][head].T
        return 1 / (1 + np.exp(-(W @ x + params[f"b_{name}"].reshape(-1, 1))))

    decay = 1 / (1 + np.exp(params["L"][:, None]))
    a = decay ** (power * gate("a"))
    scaled = np.where(reset, 1, np.sqrt(1 - a**2)) * gate("x") * x
    h = np.where(reset, 0, a * state[0].T) + scaled
    return h.T, (h.T,)
