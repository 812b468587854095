"""LSTM, of which Tallec & Ollivier 2018 (arXiv:1804.11188), say how its biases start. A sample is a row.

Blocks of the fused weights: i, f, g, o.
"""

import numpy as np

SILENT = ("t_max",)  # an initial value
TRIED = {"t_max": (100.0,)}

ACTIVATIONS = {
    "tanh": np.tanh,
    "sigmoid": lambda v: 1 / (1 + np.exp(-v)),
    "relu": lambda v: np.maximum(v, 0),
    "softsign": lambda v: v / (1 + np.abs(v)),
}


def shapes(input, units, use_bias=True, **_):
    """Weight name -> shape, in the order of the spec."""
    weights = {"kernel": (input, 4 * units), "recurrent_kernel": (units, 4 * units)}
    return weights | ({"bias": (4 * units,)} if use_bias else {})


def step(params, state, x, activation="tanh", recurrent_activation="sigmoid", use_bias=True, t_max=100.0):
    """One step. x (batch, input), state (h, c) -> h (batch, units), (h, c)."""
    h, c = state
    squash, gate = ACTIVATIONS[activation], ACTIVATIONS[recurrent_activation]
    joint = np.hstack([x, h]) @ np.vstack([params["kernel"], params["recurrent_kernel"]])
    i, f, g, o = np.hsplit(joint + params["bias"] if use_bias else joint, 4)
    c = gate(f) * c + gate(i) * squash(g)
    h = gate(o) * squash(c)
    return h, (h, c)
