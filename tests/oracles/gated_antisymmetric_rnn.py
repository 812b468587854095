"""Gated AntisymmetricRNN of Chang, Chen, Haber & Chi 2019 (arXiv:1902.09689). A sample is a column.

z_t = sigma((W - W^T - gamma I) h_t-1 + V_z x_t + b_z)
h_t = h_t-1 + epsilon z_t * tanh((W - W^T - gamma I) h_t-1 + V_h x_t + b_h)
"""

import numpy as np

TRIED = {"epsilon": (0.01, 0.5), "gamma": (0.01, 0.7)}


def sigma(v):
    return 1 / (1 + np.exp(-v))


def shapes(input, units, **_):
    """Weight name -> shape, in the order of the spec."""
    candidate = {"V": (input, units), "W": (units, units), "b": (units,)}
    return candidate | {"V_z": (input, units), "b_z": (units,)}


def step(params, state, x, epsilon=0.01, gamma=0.01):
    """One step. x (batch, input), state (h,) -> h (batch, units), (h,)."""
    h, x, W = state[0].T, x.T, params["W"].T
    Mh = (W - W.T - gamma * np.eye(len(W))) @ h
    z = sigma(Mh + params["V_z"].T @ x + params["b_z"][:, None])
    h = h + epsilon * z * np.tanh(Mh + params["V"].T @ x + params["b"][:, None])
    return h.T, (h.T,)
