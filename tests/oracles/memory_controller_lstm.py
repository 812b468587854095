"""Memory controller LSTM of Ben-Ari & Shwartz-Ziv 2017: the gates read v, the output is h. A sample is a column.

Blocks of the fused weights: f, i, o, m, n.
"""

import numpy as np


def sigma(a):
    return 1 / (1 + np.exp(-a))


def shapes(input, units, **_):
    """Weight name -> shape, in the order of the spec."""
    return {"kernel": (input, 5 * units), "recurrent_kernel": (units, 5 * units), "bias": (5 * units,)}


def step(params, state, x):
    """One step. x (batch, input), state (v, c) -> h (batch, units), (v, c)."""
    v_prev, c_prev, x = state[0].T, state[1].T, x.T
    n = len(v_prev)
    W_x = dict(zip("fiomn", params["kernel"].T.reshape(5, n, -1)))
    W_v = dict(zip("fiomn", params["recurrent_kernel"].T.reshape(5, n, n)))
    b = dict(zip("fiomn", params["bias"].reshape(5, n, 1)))
    net = {gate: W_v[gate] @ v_prev + W_x[gate] @ x + b[gate] for gate in "fiomn"}
    c = sigma(net["f"]) * c_prev + sigma(net["i"]) * np.tanh(net["n"])
    h = sigma(net["o"]) * np.tanh(c)
    v = sigma(net["m"]) * np.tanh(c)
    return h.T, (v.T, c.T)
