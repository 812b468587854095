"""UnICORNN of Rusch & Mishra 2021 (arXiv:2103.05487), oscillator by oscillator.

z_n = z_n-1 - dt sigma^(c) (sigma(w y_n-1 + V u_n + b) + alpha y_n-1);  y_n = y_n-1 + dt sigma^(c) z_n
"""

import numpy as np

TRIED = {"dt": (0.1, 0.6), "alpha": (1.0, 3.0)}


def sigma(v):
    return 1 / (1 + np.exp(-v))


def shapes(input, units, **_):
    """Weight name -> shape, in the order of the spec."""
    vectors = {"b": (units,), "c": (units,)}
    return {"w": (units,), "V": (input, units)} | vectors


def step(params, state, x, dt=0.1, alpha=1.0):
    """One step. x (batch, input), state (y, z) -> y (batch, units), (y, z)."""
    ys, zs = [], []
    for w, V, b, c, y, z in zip(*(params[name].T for name in "wVbc"), state[0].T, state[1].T, strict=True):
        z = z - dt * sigma(c) * (np.tanh(w * y + x @ V + b) + alpha * y)
        zs.append(z)
        ys.append(y + dt * sigma(c) * z)
    y, z = np.stack(ys, axis=1), np.stack(zs, axis=1)
    return y, (y, z)
