"""JANET of van der Westhuizen & Lasenby 2018 (arXiv:1804.04849). A sample is a column.

s = U_f h + W_f x + b_f; c = sigma(s) * c_prev + (1 - sigma(s - beta)) * tanh(U_c h + W_c x + b_c); h = c
"""

import numpy as np

SILENT = ("t_max",)  # an initial value
TRIED = {"beta": (1.0, 0.0, 2.5), "t_max": (100.0,)}


def sigma(v):
    return 1 / (1 + np.exp(-v))


def shapes(input, units, **_):
    """Weight name -> shape, in the order of the spec."""
    return {"kernel": (input, 2 * units), "recurrent_kernel": (units, 2 * units), "bias": (2 * units,)}


def step(params, state, x, beta=1.0, t_max=100.0):
    """One step. x (batch, input), state (h,) -> h (batch, units), (h,)."""
    h_prev, x = state[0].T, x.T
    W_f, W_c = np.split(params["kernel"].T, 2)
    U_f, U_c = np.split(params["recurrent_kernel"].T, 2)
    b_f, b_c = np.split(params["bias"][:, None], 2)
    s = U_f @ h_prev + W_f @ x + b_f
    c_tilde = np.tanh(U_c @ h_prev + W_c @ x + b_c)
    c = sigma(s) * h_prev + (1 - sigma(s - beta)) * c_tilde
    return c.T, (c.T,)
