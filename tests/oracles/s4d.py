"""S4D of Gu et al. 2022 (arXiv:2206.11893), discretised by zero-order hold, B = 1, in complex numbers.

A = -exp(log_A_re) + i A_im;  x_k = exp(dt A) x_{k-1} + (exp(dt A) - 1) / A u_k;  y_k = 2 Re(C x_k) + D u_k
"""

import numpy as np

TRIED = {"order": (None, 5), "dt_min": (0.001, 0.01), "dt_max": (0.1, 0.2)}
SILENT = ("dt_min", "dt_max")  # of the initial weights


def shapes(input, units, order=32, **_):
    found = {"log_dt": (units,)} | dict.fromkeys(("log_A_re", "A_im", "C_re", "C_im"), (units, order))
    return found | {"D": (units,)}


def step(params, state, u, order=32, dt_min=0.001, dt_max=0.1):
    """One step. u (batch, units), state (real, imaginary) -> y (batch, units), the same."""
    x, y = state[0] + 1j * state[1], np.empty_like(u)
    for feature in range(u.shape[1]):
        A = -np.exp(params["log_A_re"][feature]) + 1j * params["A_im"][feature]
        step_of = np.exp(np.exp(params["log_dt"][feature]) * A)
        x[:, feature] = step_of * x[:, feature] + (step_of - 1) / A * u[:, feature, None]
        C = params["C_re"][feature] + 1j * params["C_im"][feature]
        y[:, feature] = 2 * (x[:, feature] @ C).real + params["D"][feature] * u[:, feature]
    return y, (x.real, x.imag)
