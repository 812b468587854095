"""Simple gated recurrent network of Zu & Wei 2020 (doi:10.1049/gtd2.12056). A sample is a column.

f_t = sigma(W x_t + U h_t-1 + b);  i_t = 1 - f_t;  h_t = tanh(i_t * W x_t + f_t * h_t-1)
"""

import numpy as np


def sigma(v):
    return 1 / (1 + np.exp(-v))


def shapes(input, units):
    """Weight name -> shape, in the order of the spec."""
    return {"kernel": (input, units), "recurrent_kernel": (units, units), "bias": (units,)}


def step(params, state, x):
    """One step. x (batch, input), state (h,) -> h (batch, units), (h,)."""
    h = state[0].T
    from_x = params["kernel"].T @ x.T
    f = sigma(from_x + params["recurrent_kernel"].T @ h + params["bias"][:, None])
    h = np.tanh((1 - f) * from_x + f * h)
    return h.T, (h.T,)
