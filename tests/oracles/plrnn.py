"""Piecewise-linear RNN of Durstewitz 2017 (eq. 1, without noise): h_t = A h_t-1 + W relu(h_t-1) + C x_t + b.

A is diagonal; W is what the mask leaves of a matrix. A sample is a column.
"""

import numpy as np


def shapes(input, units):
    """Weight name -> shape, in the order of the spec: what is not trained stands last."""
    trained = {"A": (units,), "W": (units, units), "C": (input, units), "b": (units,)}
    return trained | {"off_diagonal": (units, units)}


def step(params, state, x):
    """One step. x (batch, input), state (h,) -> h (batch, units), (h,)."""
    h = state[0].T
    W = (params["off_diagonal"] * params["W"]).T
    h = np.diag(params["A"]) @ h + W @ np.maximum(h, 0) + params["C"].T @ x.T + params["b"][:, None]
    return h.T, (h.T,)
