"""Delta-RNN of Ororbia, Mikolov & Reitter 2017 (arXiv:1703.08864), section 3. A sample is a column.

d1 = alpha * V h_t-1 * W x_t;  d2 = beta_1 * V h_t-1 + beta_2 * W x_t;  z_t = phi(d1 + d2 + b)
r_t = sigma(W x_t + b_r);  h_t = phi((1 - r_t) * z_t + r_t * h_t-1)
"""

import numpy as np

ACTIVATIONS = {
    "linear": lambda v: v,
    "tanh": np.tanh,
    "sigmoid": lambda v: 1 / (1 + np.exp(-v)),
    "relu": lambda v: np.maximum(v, 0),
    "softsign": lambda v: v / (1 + np.abs(v)),
}


def sigma(v):
    return 1 / (1 + np.exp(-v))


def shapes(input, units, **_):
    """Weight name -> shape, in the order of the spec."""
    matrices = {"W": (input, units), "V": (units, units)}
    return matrices | dict.fromkeys(("alpha", "beta_1", "beta_2", "b", "b_r"), (units,))


def step(params, state, x, activation="tanh"):
    """One step. x (batch, input), state (h,) -> h (batch, units), (h,)."""
    alpha, beta_1, beta_2, b, b_r = (params[name][:, None] for name in ("alpha", "beta_1", "beta_2", "b", "b_r"))
    h, phi = state[0].T, ACTIVATIONS[activation]
    Wx, Vh = params["W"].T @ x.T, params["V"].T @ h
    z = phi(alpha * Vh * Wx + beta_1 * Vh + beta_2 * Wx + b)
    r = sigma(Wx + b_r)
    h = phi((1 - r) * z + r * h)
    return h.T, (h.T,)
