"""LRU of Orvieto et al. 2023 (arXiv:2303.06349), eq. 3 to 5 and appendix A, in complex numbers.

x_k = Lambda x_{k-1} + exp(gamma_log) (B u_k);  y_k = Re(C x_k) + D u_k;  Lambda = exp(-exp(nu_log) + i exp(theta_log))
"""

import numpy as np

SILENT = ("r_min", "r_max", "max_phase")  # of the initial weights
TRIED = {"r_min": (0.0, 0.4), "r_max": (1.0, 0.9), "max_phase": (6.283185307179586, 1.0)}


def shapes(input, units):
    found = dict.fromkeys(("nu_log", "theta_log", "gamma_log"), (units,))
    found |= {"B_re": (input, units), "B_im": (input, units), "C_re": (units, input), "C_im": (units, input)}
    return found | {"D": (input,)}


def step(params, state, u, r_min=0.0, r_max=1.0, max_phase=6.283185307179586):
    """One step. u (batch, input), state (real, imaginary) -> y (batch, input), the same."""
    x = state[0] + 1j * state[1]
    B, C = (params[f"{name}_re"] + 1j * params[f"{name}_im"] for name in "BC")
    Lambda = np.exp(-np.exp(params["nu_log"]) + 1j * np.exp(params["theta_log"]))
    x = np.array([Lambda * each + np.exp(params["gamma_log"]) * (B.T @ row) for each, row in zip(x, u)])
    y = (x @ C).real + params["D"] * u
    return y, (x.real, x.imag)
