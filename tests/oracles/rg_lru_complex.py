"""CG-LRU of De et al. 2024 (Griffin, arXiv:2402.19427), eq. 1 to 4 and appendix B, in complex numbers.

r = sigma(W_a x + b_a), i = sigma(W_x x + b_x);  a = sigma(Lambda) e^(i theta);  a_t = a^(c r)
h_t = a_t h_{t-1} + sqrt(1 - |a_t|^2) (i * (x_1 + i x_2));  y = (Re h, Im h). The power is that of the principal branch.
"""

import numpy as np

TRIED = {"power": (8.0, 0.7)}


def shapes(input, units, **_):
    return {
        "W_a": (2 * units, units), "b_a": (units,), "W_x": (2 * units, units), "b_x": (units,),
        "Lambda": (units,), "theta": (units,),
    }  # fmt: skip


def step(params, state, x, power=8.0):
    """One step. x (batch, 2 units), state (real, imaginary) -> y (batch, 2 units), the same."""
    P, units = params, x.shape[1] // 2
    h = state[0] + 1j * state[1]
    r, i = (1 / (1 + np.exp(-(x @ P[f"W_{g}"] + P[f"b_{g}"]))) for g in "ax")
    log_a = -np.log1p(np.exp(-P["Lambda"])) + 1j * P["theta"]
    a = np.exp(power * r * log_a)
    h = a * h + np.sqrt(1 - np.abs(a) ** 2) * i * (x[:, :units] + 1j * x[:, units:])
    return np.concatenate([h.real, h.imag], -1), (h.real, h.imag)
