"""MinimalRNN of Chen 2017 (arXiv:1711.06788), section 3. A sample is a column.

z_t = tanh(W_x x_t + b_z);  u_t = sigma(U_h h_t-1 + U_z z_t + b_u);  h_t = u_t * h_t-1 + (1 - u_t) * z_t
"""

import numpy as np


def shapes(input, units):
    """Weight name -> shape, in the order of the spec."""
    return {"W_x": (input, units), "b_z": (units,), "U_h": (units, units), "U_z": (units, units), "b_u": (units,)}


def step(params, state, x):
    """One step. x (batch, input), state (h,) -> h (batch, units), (h,)."""
    h = state[0].T
    z = np.tanh(params["W_x"].T @ x.T + params["b_z"][:, None])
    u = 1 / (1 + np.exp(-(params["U_h"].T @ h + params["U_z"].T @ z + params["b_u"][:, None])))
    h = u * h + (1 - u) * z
    return h.T, (h.T,)
