"""Multiplicative LSTM of Krause et al. 2016 (arXiv:1609.07959), section 3. A sample is a column.

m = (W_mx x) * (W_mh h_prev) stands where an LSTM reads h_prev, and the paper's LSTM squashes behind the output gate.
Blocks of the fused weights: i, f, h (the paper's h-hat), o.
"""

import numpy as np


def sigma(v):
    return 1 / (1 + np.exp(-v))


def shapes(input, units, use_bias=True, **_):
    """Weight name -> shape, in the order of the spec."""
    weights = {"W_mx": (input, units), "W_mh": (units, units), "kernel": (input, 4 * units), "W_m": (units, 4 * units)}
    return weights | ({"bias": (4 * units,)} if use_bias else {})


def step(params, state, x, output_gate="inside", use_bias=True):
    """One step. x (batch, input), state (h, c) -> h (batch, units), (h, c)."""
    h_prev, c_prev, x = state[0].T, state[1].T, x.T
    n = len(h_prev)
    W_ix, W_fx, W_hx, W_ox = params["kernel"].T.reshape(4, n, -1)
    W_im, W_fm, W_hm, W_om = params["W_m"].T.reshape(4, n, n)
    b_i, b_f, b_h, b_o = (params["bias"] if use_bias else np.zeros(4 * n)).reshape(4, n, 1)
    m = (params["W_mx"].T @ x) * (params["W_mh"].T @ h_prev)
    h_hat = W_hx @ x + W_hm @ m + b_h
    i = sigma(W_ix @ x + W_im @ m + b_i)
    o = sigma(W_ox @ x + W_om @ m + b_o)
    f = sigma(W_fx @ x + W_fm @ m + b_f)
    c = f * c_prev + i * np.tanh(h_hat)
    h = {"inside": lambda: np.tanh(c * o), "outside": lambda: np.tanh(c) * o}[output_gate]()
    return h.T, (h.T, c.T)
