"""Residual LSTM of Kim, El-Khamy & Lee 2017 (arXiv:1701.03360). A sample is a column.

Blocks of the fused weights: i, f, c (the candidate), o.
"""

import numpy as np

SILENT = ("unit_forget_bias",)  # an initial value


def sigma(v):
    return 1 / (1 + np.exp(-v))


def shapes(input, units, **_):
    """Weight name -> shape, in the order of the spec."""
    weights = {"kernel": (input, 4 * units), "recurrent_kernel": (units, 4 * units), "bias": (4 * units,)}
    weights |= dict.fromkeys(("p_i", "p_f", "p_o"), (units,))
    return weights | {"W_p": (units, units), "W_h": (input, units)}


def step(params, state, x, unit_forget_bias=True):
    """One step. x (batch, input), state (h, c) -> h (batch, units), (h, c)."""
    h_prev, c_prev, x = state[0].T, state[1].T, x.T
    W_xi, W_xf, W_xc, W_xo = np.split(params["kernel"].T, 4)
    W_hi, W_hf, W_hc, W_ho = np.split(params["recurrent_kernel"].T, 4)
    b_i, b_f, b_c, b_o = np.split(params["bias"][:, None], 4)
    W_ci, W_cf, W_co = (np.diag(params[name]) for name in ("p_i", "p_f", "p_o"))

    i = sigma(W_xi @ x + W_hi @ h_prev + W_ci @ c_prev + b_i)
    f = sigma(W_xf @ x + W_hf @ h_prev + W_cf @ c_prev + b_f)
    d = i * np.tanh(W_xc @ x + W_hc @ h_prev + b_c)
    c = d + f * c_prev
    o = sigma(W_xo @ x + W_ho @ h_prev + W_co @ c + b_o)
    r = np.tanh(c)
    m = params["W_p"].T @ r
    h = o * (m + params["W_h"].T @ x)
    return h.T, (h.T, c.T)
