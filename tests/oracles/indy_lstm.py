"""IndyLSTM of Gonnet & Deselaers 2019 (arXiv:1903.08023), unit by unit, with contrib's forget bias.

gate_k = act([W_k x]_j + u_k,j h_j + b_k,j) for k in i, j, f, o; the memory and the output are an LSTM's
"""

import numpy as np

ACTIVATIONS = {
    "linear": lambda v: v,
    "tanh": np.tanh,
    "sigmoid": lambda v: 1 / (1 + np.exp(-v)),
    "hard_sigmoid": lambda v: np.clip(v / 6 + 0.5, 0, 1),
    "relu": lambda v: np.maximum(v, 0),
    "softplus": lambda v: np.logaddexp(v, 0),
    "softsign": lambda v: v / (1 + np.abs(v)),
}


def sigma(v):
    return 1 / (1 + np.exp(-v))


def shapes(input, units, **_):
    """Weight name -> shape, in the order of the spec."""
    return {"kernel": (input, 4 * units), "u": (4, units), "bias": (4 * units,)}


def step(params, state, x, forget_bias=1.0, activation="tanh"):
    """One step. x (batch, input), state (c, h) -> h (batch, units), (c, h)."""
    squash = ACTIVATIONS[activation]
    cs, hs = [], []
    for unit, (c, h) in enumerate(zip(state[0].T, state[1].T, strict=True)):
        W = params["kernel"].reshape(x.shape[1], 4, -1)[:, :, unit]
        i, j, f, o = (x @ W).T + params["u"][:, unit, None] * h + params["bias"].reshape(4, -1)[:, unit, None]
        c = sigma(f + forget_bias) * c + sigma(i) * squash(j)
        cs.append(c)
        hs.append(sigma(o) * squash(c))
    c, h = np.stack(cs, axis=1), np.stack(hs, axis=1)
    return h, (c, h)
