"""Lipschitz RNN of Erichson et al. 2021 (arXiv:2006.12070), by one forward Euler step. A sample is a column.

A = (1 - beta_A)(M_A + M_A^T) + beta_A (M_A - M_A^T) - gamma_A I, W alike of M_W
h_t = h_t-1 + epsilon A h_t-1 + epsilon tanh(W h_t-1 + U x_t + b)
"""

import numpy as np

TRIED = {
    "epsilon": (0.03, 0.5),
    "beta_A": (0.75, 0.2),
    "beta_W": (0.75, 0.2),
    "gamma_A": (0.001, 0.4),
    "gamma_W": (0.001, 0.4),
}


def shapes(input, units, **_):
    """Weight name -> shape, in the order of the spec."""
    return {"U": (input, units), "M_A": (units, units), "M_W": (units, units), "b": (units,)}


def step(params, state, x, epsilon=0.03, beta_A=0.75, beta_W=0.75, gamma_A=0.001, gamma_W=0.001):
    """One step. x (batch, input), state (h,) -> h (batch, units), (h,)."""
    h = state[0].T

    def matrix(M, beta, gamma):
        return (1 - beta) * (M + M.T) + beta * (M - M.T) - gamma * np.eye(len(M))

    A, W = matrix(params["M_A"], beta_A, gamma_A), matrix(params["M_W"], beta_W, gamma_W)
    h = h + epsilon * A @ h + epsilon * np.tanh(W @ h + params["U"].T @ x.T + params["b"][:, None])
    return h.T, (h.T,)
