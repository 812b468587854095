"""Continuous-time RNN, tau dh/dt = -h + f(W h + U x + b), by one Euler step of alpha = dt/tau. A sample is a column."""

import numpy as np

ACTIVATIONS = {
    "linear": lambda v: v,
    "tanh": np.tanh,
    "sigmoid": lambda v: 1 / (1 + np.exp(-v)),
    "relu": lambda v: np.maximum(v, 0),
    "softsign": lambda v: v / (1 + np.abs(v)),
}

TRIED = {"alpha": (0.1, 0.7)}


def shapes(input, units, **_):
    """Weight name -> shape, in the order of the spec."""
    return {"kernel": (input, units), "recurrent_kernel": (units, units), "bias": (units,)}


def step(params, state, x, alpha=0.1, activation="tanh"):
    """One step. x (batch, input), state (h,) -> h (batch, units), (h,)."""
    h = state[0].T
    net = params["recurrent_kernel"].T @ h + params["kernel"].T @ x.T + params["bias"][:, None]
    h = h + alpha * (-h + ACTIVATIONS[activation](net))
    return h.T, (h.T,)
