"""Recurrent neurons with an adapting threshold of Bellec et al. 2018 (arXiv:1803.09574), eq. 1-3, dt = R = 1, a delay
of one step. A sample is a column.

V <- alpha V + (1 - alpha) I - B z;  b <- rho b + (1 - rho) z;  B = b0 + beta b;  a spike where V > B
"""

import numpy as np

SILENT = ("gamma",)
TRIED = {
    "alpha": (0.951229, 0.4),
    "rho": (0.995012, 0.3),
    "threshold": (0.03, 0.4),
    "beta": (1.6, 0.2),
    "gamma": (0.3, 1.0),
}


def shapes(input, units):
    """Weight name -> shape, in the order of the spec."""
    return {"W_in": (input, units), "W_rec": (units, units)}


def step(params, state, x, alpha=0.951229, rho=0.995012, threshold=0.03, beta=1.6, gamma=0.3):
    """One step. x (batch, input), state (v, z, b) -> z (batch, units), (v, z, b)."""
    V, z, b = (each.T for each in state)
    current = params["W_in"].T @ x.T + params["W_rec"].T @ z
    b = b + (1 - rho) * (z - b)
    B = threshold + beta * b
    V = V + (1 - alpha) * (current - V) - np.where(z > 0.5, B, 0)
    z = (V > B).astype(float)
    return z.T, (V.T, z.T, b.T)
