"""Chaos-free network of Laurent & von Brecht 2016 (arXiv:1612.06212), section 2. A sample is a column.

h_t = theta_t * tanh(h_t-1) + eta_t * tanh(W x_t)
theta_t = sigma(U_theta h_t-1 + V_theta x_t + b_theta);  eta_t = sigma(U_eta h_t-1 + V_eta x_t + b_eta)
Blocks of U, V and b: theta, eta.
"""

import numpy as np


def shapes(input, units):
    """Weight name -> shape, in the order of the spec."""
    return {"W": (input, units), "V": (input, 2 * units), "U": (units, 2 * units), "b": (2 * units,)}


def step(params, state, x):
    """One step. x (batch, input), state (h,) -> h (batch, units), (h,)."""
    h, x = state[0].T, x.T

    def gate(block):
        U, V, b = (np.split(params[name], 2, axis=-1)[block] for name in "UVb")
        return 1 / (1 + np.exp(-(U.T @ h + V.T @ x + b[:, None])))

    h = gate(0) * np.tanh(h) + gate(1) * np.tanh(params["W"].T @ x)
    return h.T, (h.T,)
