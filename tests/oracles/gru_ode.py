"""GRU-ODE of De Brouwer et al. 2019 (arXiv:1905.12374), dh/dt = (1 - z) * (n - h), by one Euler step.

r, z = sigma(W x + U h + b);  n = tanh(W_h x + U_h (r * h) + b_h);  blocks: z, r, h.  A sample is a column.
"""

import numpy as np


def sigma(v):
    return 1 / (1 + np.exp(-v))


def shapes(input, units):
    """Weight name -> shape, in the order of the spec."""
    return {"kernel": (input, 3 * units), "recurrent_kernel": (units, 3 * units), "bias": (3 * units,)}


def step(params, state, x):
    """One step. x of x (batch, input) and elapsed (batch, 1), state (h,) -> h (batch, units), (h,)."""
    h, (x, dt) = state[0].T, (each.T for each in x)
    W_z, W_r, W_h = (W.T for W in np.hsplit(params["kernel"], 3))
    U_z, U_r, U_h = (U.T for U in np.hsplit(params["recurrent_kernel"], 3))
    b_z, b_r, b_h = (b[:, None] for b in np.hsplit(params["bias"], 3))
    z = sigma(W_z @ x + U_z @ h + b_z)
    r = sigma(W_r @ x + U_r @ h + b_r)
    n = np.tanh(W_h @ x + U_h @ (r * h) + b_h)
    h = h + dt * ((1 - z) * (n - h))
    return h.T, (h.T,)
