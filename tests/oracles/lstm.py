"""LSTM of Hochreiter & Schmidhuber 1997 with the forget gate of Gers et al. 2000, one matrix a gate.

A sample is a column. Blocks of the fused weights, as in Keras: i, f, c (the cell input), o.
"""

import numpy as np

SILENT = ("unit_forget_bias",)  # an initial value

ACTIVATIONS = {
    "linear": lambda v: v,
    "tanh": np.tanh,
    "sigmoid": lambda v: 1 / (1 + np.exp(-v)),
    "hard_sigmoid": lambda v: np.clip(v / 6 + 0.5, 0, 1),
    "relu": lambda v: np.maximum(v, 0),
    "elu": lambda v: np.where(v > 0, v, np.expm1(np.minimum(v, 0))),
    "softplus": lambda v: np.logaddexp(v, 0),
    "softsign": lambda v: v / (1 + np.abs(v)),
}


def shapes(input, units, use_bias=True, **_):
    """Weight name -> shape, in the order of the spec."""
    weights = {"kernel": (input, 4 * units), "recurrent_kernel": (units, 4 * units), "bias": (4 * units,)}
    return {name: shape for name, shape in weights.items() if use_bias or name != "bias"}


def step(params, state, x, activation="tanh", recurrent_activation="sigmoid", use_bias=True, unit_forget_bias=True):
    """One step. x (batch, input), state (h, c) -> h (batch, units), (h, c). unit_forget_bias is the initial bias's."""
    squash, gate = ACTIVATIONS[activation], ACTIVATIONS[recurrent_activation]
    y_prev, s_prev, x = state[0].T, state[1].T, x.T
    n = len(y_prev)

    def net(block):
        own = slice(block * n, (block + 1) * n)
        W, U = params["kernel"][:, own].T, params["recurrent_kernel"][:, own].T
        b = params["bias"][own, None] if use_bias else np.zeros((n, 1))
        return np.matmul(W, x) + np.matmul(U, y_prev) + b

    y_in = gate(net(0))
    y_phi = gate(net(1))
    y_out = gate(net(3))
    s = y_phi * s_prev + y_in * squash(net(2))
    y = y_out * squash(s)
    return y.T, (y.T, s.T)
