"""GRU-D of Che et al. 2018 (arXiv:1606.01865), one sample at a time. Blocks of the fused weights: z, r, h.

gamma = exp(-max(0, W delta + b)); x is the observed, or gamma_x * the last observed + (1 - gamma_x) * the mean.
"""

import numpy as np


def sigma(v):
    return 1 / (1 + np.exp(-v))


def shapes(input, units):
    """Weight name -> shape, in the order of the spec."""
    decays = {"W_gamma_x": (input,), "b_gamma_x": (input,), "W_gamma_h": (input, units), "b_gamma_h": (units,)}
    gates = {"W": (input, 3 * units), "U": (units, 3 * units), "V": (input, 3 * units), "b": (3 * units,)}
    return decays | gates | {"x_mean": (input,)}


def step(params, state, inputs):
    """One step. inputs x, m, delta (batch, input), state (h, x_last) -> h (batch, units), (h, x_last)."""
    W, U, V, b = (np.split(params[name].T, 3) for name in ("W", "U", "V", "b"))
    hs, lasts = [], []
    for h, last, x, m, delta in zip(*state, *inputs, strict=True):
        gamma_x = np.exp(-np.maximum(0, np.diag(params["W_gamma_x"]) @ delta + params["b_gamma_x"]))
        gamma_h = np.exp(-np.maximum(0, params["W_gamma_h"].T @ delta + params["b_gamma_h"]))
        x_hat = m * x + (1 - m) * (gamma_x * last + (1 - gamma_x) * params["x_mean"])
        h = gamma_h * h
        z, r = (sigma(W[k] @ x_hat + U[k] @ h + V[k] @ m + b[k]) for k in (0, 1))
        h_tilde = np.tanh(W[2] @ x_hat + U[2] @ (r * h) + V[2] @ m + b[2])
        hs.append((1 - z) * h + z * h_tilde)
        lasts.append([new if seen else old for new, seen, old in zip(x, m, last)])
    h = np.array(hs)
    return h, (h, np.array(lasts))
