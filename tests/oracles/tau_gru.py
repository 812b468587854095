"""tau-GRU of Erichson, Lim & Mahoney (arXiv:2212.00228). A sample is a column. Blocks: u, z, g, a.

u_n = tanh(W_1 h_n + U_1 x_n);  z_n = tanh(W_2 h_n-d + U_2 x_n);  g_n, a_n = sigma(W h_n + U x_n), with biases
h_n+1 = (1 - g_n) * h_n + g_n * (u_n + a_n * z_n)
"""

import numpy as np

TRIED = {"delay": (None, 3)}


def sigma(v):
    return 1 / (1 + np.exp(-v))


def shapes(input, units, delay=10):
    """Weight name -> shape, in the order of the spec."""
    return {"U": (input, 4 * units), "W": (units, 4 * units), "b": (4 * units,)}


def step(params, state, x, delay=10):
    """One step. x (batch, input), state (h, past) -> h (batch, units), (h, past)."""
    h, past = state
    queue = [*past.transpose(1, 2, 0)]
    h, delayed = h.T, queue.pop()

    def net(block, seen):
        U, W, b = (np.split(params[name], 4, axis=-1)[block] for name in "UWb")
        return W.T @ seen + U.T @ x.T + b[:, None]

    u, z = np.tanh(net(0, h)), np.tanh(net(1, delayed))
    g, a = sigma(net(2, h)), sigma(net(3, h))
    new = (1 - g) * h + g * (u + a * z)
    return new.T, (new.T, np.stack([h, *queue]).transpose(2, 0, 1))
