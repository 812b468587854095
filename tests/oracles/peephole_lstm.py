"""LSTM with peepholes, Graves 2013 (arXiv:1308.0850), eq. 7-11: the matrices from cell to gates are diagonal.

A sample is a column. Blocks of the fused weights: i, f, c (the candidate), o.
"""

import numpy as np

SILENT = ("unit_forget_bias",)  # an initial value

ACTIVATIONS = {
    "linear": lambda v: v,
    "tanh": np.tanh,
    "sigmoid": lambda v: 1 / (1 + np.exp(-v)),
    "hard_sigmoid": lambda v: np.clip(v / 6 + 0.5, 0, 1),
    "relu": lambda v: np.maximum(v, 0),
    "elu": lambda v: np.where(v > 0, v, np.expm1(np.minimum(v, 0))),
    "softplus": lambda v: np.logaddexp(v, 0),
    "softsign": lambda v: v / (1 + np.abs(v)),
}


def shapes(input, units, use_bias=True, **_):
    """Weight name -> shape, in the order of the spec."""
    weights = {"kernel": (input, 4 * units), "recurrent_kernel": (units, 4 * units), "bias": (4 * units,)}
    weights |= {"p_i": (units,), "p_f": (units,), "p_o": (units,)}
    return {name: shape for name, shape in weights.items() if use_bias or name != "bias"}


def step(params, state, x, activation="tanh", recurrent_activation="sigmoid", use_bias=True, unit_forget_bias=True):
    """One step. x (batch, input), state (h, c) -> h (batch, units), (h, c). unit_forget_bias is the initial bias's."""
    tanh, sigma = ACTIVATIONS[activation], ACTIVATIONS[recurrent_activation]
    h_prev, c_prev, x = state[0].T, state[1].T, x.T
    n = len(h_prev)
    W_xi, W_xf, W_xc, W_xo = np.split(params["kernel"].T, 4)
    W_hi, W_hf, W_hc, W_ho = np.split(params["recurrent_kernel"].T, 4)
    b_i, b_f, b_c, b_o = np.split(params["bias"] if use_bias else np.zeros(4 * n), 4)
    W_ci, W_cf, W_co = (np.diag(params[name]) for name in ("p_i", "p_f", "p_o"))

    i = sigma(W_xi @ x + W_hi @ h_prev + W_ci @ c_prev + b_i[:, None])  # (7)
    f = sigma(W_xf @ x + W_hf @ h_prev + W_cf @ c_prev + b_f[:, None])  # (8)
    c = f * c_prev + i * tanh(W_xc @ x + W_hc @ h_prev + b_c[:, None])  # (9)
    o = sigma(W_xo @ x + W_ho @ h_prev + W_co @ c + b_o[:, None])  # (10)
    h = o * tanh(c)  # (11)
    return h.T, (h.T, c.T)
