"""AntisymmetricRNN of Chang, Chen, Haber & Chi 2019 (arXiv:1902.09689). A sample is a column.

h_t = h_t-1 + epsilon tanh((W - W^T - gamma I) h_t-1 + V x_t + b)
"""

import numpy as np

TRIED = {"epsilon": (0.01, 0.5), "gamma": (0.01, 0.7)}


def shapes(input, units, **_):
    """Weight name -> shape, in the order of the spec."""
    return {"V": (input, units), "W": (units, units), "b": (units,)}


def step(params, state, x, epsilon=0.01, gamma=0.01):
    """One step. x (batch, input), state (h,) -> h (batch, units), (h,)."""
    h, W = state[0].T, params["W"].T
    M = W - W.T - gamma * np.eye(len(W))
    h = h + epsilon * np.tanh(M @ h + params["V"].T @ x.T + params["b"][:, None])
    return h.T, (h.T,)
