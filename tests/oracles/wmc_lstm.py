"""LSTM with working memory connections, Landi et al. 2021 (arXiv:2109.00020). A sample is a column.

Blocks of the fused weights: i, f, g, o.
"""

import numpy as np

SILENT = ("unit_forget_bias",)  # an initial value


def sigma(v):
    return 1 / (1 + np.exp(-v))


def shapes(input, units, **_):
    """Weight name -> shape, in the order of the spec."""
    weights = {"kernel": (input, 4 * units), "recurrent_kernel": (units, 4 * units), "bias": (4 * units,)}
    return weights | dict.fromkeys(("W_ic", "W_fc", "W_oc"), (units, units))


def step(params, state, x, unit_forget_bias=True):
    """One step. x (batch, input), state (h, c) -> h (batch, units), (h, c)."""
    h_prev, c_prev, x = state[0].T, state[1].T, x.T
    W = np.concatenate([params["kernel"], params["recurrent_kernel"], params["bias"][None]]).T
    rows = np.vsplit(W @ np.concatenate([x, h_prev, np.ones((1, x.shape[1]))]), 4)
    i = sigma(rows[0] + np.tanh(params["W_ic"].T @ c_prev))
    f = sigma(rows[1] + np.tanh(params["W_fc"].T @ c_prev))
    c = f * c_prev + i * np.tanh(rows[2])
    o = sigma(rows[3] + np.tanh(params["W_oc"].T @ c))
    h = o * np.tanh(c)
    return h.T, (h.T, c.T)
