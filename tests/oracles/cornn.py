"""coRNN of Rusch & Mishra 2021 (arXiv:2010.00951), eq. 3 with the damping at n - 1. A sample is a column.

y_n = y_n-1 + dt z_n
z_n = z_n-1 + dt sigma(W y_n-1 + W_z z_n-1 + V u_n + b) - dt gamma y_n-1 - dt epsilon z_n-1
"""

import numpy as np

TRIED = {"dt": (0.042, 0.3), "gamma": (2.7, 0.5), "epsilon": (4.7, 0.5)}


def shapes(input, units, **_):
    """Weight name -> shape, in the order of the spec."""
    return {"W": (units, units), "W_z": (units, units), "V": (input, units), "b": (units,)}


def step(params, state, x, dt=0.042, gamma=2.7, epsilon=4.7):
    """One step. x (batch, input), state (y, z) -> y (batch, units), (y, z)."""
    y, z = state[0].T, state[1].T
    joint = np.vstack([params["W"], params["W_z"], params["V"]]).T
    net = joint @ np.vstack([y, z, x.T]) + params["b"][:, None]
    z = z + dt * np.tanh(net) - dt * gamma * y - dt * epsilon * z
    y = y + dt * z
    return y.T, (y.T, z.T)
