"""Leaky echo state network: h_t = (1 - a) h_t-1 + a f(W x_t + U h_t-1 + b). A sample is a column."""

import numpy as np

SILENT = ("density", "spectral_radius")  # initial values
TRIED = {"leak": (1.0, 0.3), "density": (0.1, 0.5), "spectral_radius": (0.9, 1.2)}
ACTIVATIONS = {
    "linear": lambda v: v,
    "tanh": np.tanh,
    "sigmoid": lambda v: 1 / (1 + np.exp(-v)),
    "relu": lambda v: np.maximum(v, 0),
    "softsign": lambda v: v / (1 + np.abs(v)),
}


def shapes(input, units, **_):
    """Weight name -> shape, in the order of the spec."""
    return {"kernel": (input, units), "recurrent_kernel": (units, units), "bias": (units,)}


def step(params, state, x, leak=1.0, density=0.1, spectral_radius=0.9, activation="tanh"):
    """One step. x (batch, input), state (h,) -> h (batch, units), (h,)."""
    h = state[0].T
    net = params["kernel"].T @ x.T + params["recurrent_kernel"].T @ h + params["bias"][:, None]
    h = h + leak * (ACTIVATIONS[activation](net) - h)
    return h.T, (h.T,)
