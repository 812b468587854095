"""STAR of Turkoglu, D'Aronco, Wegner & Schindler 2021 (arXiv:1911.11033). A sample is a column.

z_t = tanh(W_z x_t + b_z);  k_t = sigma(W_x x_t + W_h h_t-1 + b_k);  h_t = tanh((1 - k_t) * h_t-1 + k_t * z_t)
Blocks of kernel and bias: z, k.
"""

import numpy as np


def sigma(v):
    return 1 / (1 + np.exp(-v))


def shapes(input, units):
    """Weight name -> shape, in the order of the spec."""
    return {"kernel": (input, 2 * units), "recurrent_kernel": (units, units), "bias": (2 * units,)}


def step(params, state, x):
    """One step. x (batch, input), state (h,) -> h (batch, units), (h,)."""
    h, x = state[0].T, x.T
    W_z, W_x = (W.T for W in np.hsplit(params["kernel"], 2))
    b_z, b_k = (b[:, None] for b in np.hsplit(params["bias"], 2))
    k = sigma(W_x @ x + params["recurrent_kernel"].T @ h + b_k)
    h = np.tanh((1 - k) * h + k * np.tanh(W_z @ x + b_z))
    return h.T, (h.T,)
