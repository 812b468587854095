"""Mogrifier LSTM of Melis, Kocisky & Blunsom 2020 (arXiv:1909.01792), five rounds. A sample is a column.

x^i = 2 sigma(Q^i h^(i-1)) x^(i-2) for odd i, h^i = 2 sigma(R^i x^(i-1)) h^(i-2) for even i. Blocks: i, f, j, o.
"""

import numpy as np

SILENT = ("unit_forget_bias",)  # an initial value


def sigma(v):
    return 1 / (1 + np.exp(-v))


def shapes(input, units, **_):
    """Weight name -> shape, in the order of the spec."""
    rounds = {"Q": (2, units, input), "R": (2, input, units), "Q_last": (units, input)}
    lstm = {"kernel": (input, 4 * units), "recurrent_kernel": (units, 4 * units), "bias": (4 * units,)}
    return rounds | lstm


def step(params, state, x, unit_forget_bias=True):
    """One step. x (batch, input), state (h, c) -> h (batch, units), (h, c)."""
    h, c, x = state[0].T, state[1].T, x.T
    Q = {1: params["Q"][0], 3: params["Q"][1], 5: params["Q_last"]}
    R = {2: params["R"][0], 4: params["R"][1]}
    for i in range(1, 6):
        if i % 2:
            x = 2 * sigma(Q[i].T @ h) * x
        else:
            h = 2 * sigma(R[i].T @ x) * h
    net = params["kernel"].T @ x + params["recurrent_kernel"].T @ h + params["bias"][:, None]
    i, f, j, o = np.split(net, 4)
    c = sigma(f) * c + sigma(i) * np.tanh(j)
    h = sigma(o) * np.tanh(c)
    return h.T, (h.T, c.T)
