"""LSTMBlockCell of TensorFlow 1's contrib, and BasicLSTMCell, one unit after the other as its kernel's documentation.

Blocks of the weights: i, ci, f, o. cs = ci .* i + cs_prev .* f, clipped; o reads the clipped cs; h = co .* o.
"""

import numpy as np

ACTIVATIONS = {
    "tanh": np.tanh,
    "relu": lambda v: np.maximum(v, 0),
    "softsign": lambda v: v / (1 + np.abs(v)),
    "sigmoid": lambda v: 1 / (1 + np.exp(-v)),
}


def shapes(input, units, use_peephole=False, **_):
    """Weight name -> shape, in the order of the spec."""
    weights = {"kernel": (input, 4 * units), "recurrent_kernel": (units, 4 * units), "bias": (4 * units,)}
    diagonals = dict.fromkeys(("w_i_diag", "w_f_diag", "w_o_diag"), (units,))
    return weights | (diagonals if use_peephole else {})


def step(params, state, x, forget_bias=1.0, use_peephole=False, cell_clip=None, activation="tanh"):
    """One step. x (batch, input), state (c, h) -> h (batch, units), (c, h)."""
    cs_prev, h_prev = state
    sigmoid, squash = ACTIVATIONS["sigmoid"], ACTIVATIONS[activation]
    xh = np.concatenate([x, h_prev], axis=1)
    w = np.concatenate([params["kernel"], params["recurrent_kernel"]])
    units = cs_prev.shape[1]
    cs, h = np.empty_like(cs_prev), np.empty_like(cs_prev)
    for u in range(units):
        icfo = [xh @ w[:, k * units + u] + params["bias"][k * units + u] for k in range(4)]
        wci, wcf, wco = (params[f"w_{g}_diag"][u] if use_peephole else 0 for g in "ifo")
        i = sigmoid(cs_prev[:, u] * wci + icfo[0])
        f = sigmoid(cs_prev[:, u] * wcf + icfo[2] + forget_bias)
        new = squash(icfo[1]) * i + cs_prev[:, u] * f
        if cell_clip is not None:
            new = np.clip(new, -cell_clip, cell_clip)
        cs[:, u] = new
        h[:, u] = squash(new) * sigmoid(new * wco + icfo[3])
    return h, (cs, h)
