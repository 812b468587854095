"""ON-LSTM of Shen et al. 2019 (arXiv:1810.09536), unit by unit: unit k has the master gates of its chunk.

Blocks of the fused weights: the master input and master forget gate, then o, c (the candidate), i, f.
"""

import numpy as np

SIZES = [{"input": 3, "units": 4, "batch": 5}, {"input": 5, "units": 6, "batch": 3}]
TRIED = {"levels": (None, 2, "units")}


def sigma(v):
    return 1 / (1 + np.exp(-v))


def cumax(v):
    e = np.exp(v - v.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    return np.stack([p[:, : k + 1].sum(axis=1) for k in range(p.shape[1])], axis=1)


def shapes(input, units, levels=None, **_):
    """Weight name -> shape, in the order of the spec."""
    wide = 2 * (levels or units) + 4 * units
    return {"W": (input, wide), "U": (units, wide), "b": (wide,)}


def step(params, state, x, levels=None):
    """One step. x (batch, input), state (h, c) -> h (batch, units), (h, c)."""
    h_prev, c_prev = state
    n = c_prev.shape[1]
    levels = levels or n
    net = x @ params["W"] + h_prev @ params["U"] + params["b"]
    master, rest = np.split(net, [2 * levels], axis=1)
    i_master, f_master = 1 - cumax(master[:, :levels]), cumax(master[:, levels:])
    h, c = np.empty_like(h_prev), np.empty_like(c_prev)
    for k in range(n):
        o, c_new, i, f = (rest[:, gate * n + k] for gate in range(4))
        f_tilde, i_tilde = f_master[:, k // (n // levels)], i_master[:, k // (n // levels)]
        omega = f_tilde * i_tilde
        f_hat = sigma(f) * omega + (f_tilde - omega)
        i_hat = sigma(i) * omega + (i_tilde - omega)
        c[:, k] = f_hat * c_prev[:, k] + i_hat * np.tanh(c_new)
        h[:, k] = sigma(o) * np.tanh(c[:, k])
    return h, (h, c)
