"""UGRNN of Collins, Sohl-Dickstein & Sussillo 2017 (arXiv:1611.09913), with contrib's forget_bias.

c_t = s(W_ch h + W_cx x + b_c);  g_t = sigma(W_gh h + W_gx x + b_g);  h_t = g_t * h + (1 - g_t) * c_t
Blocks of the fused weights: g, c. A sample is a column.
"""

import numpy as np

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


def shapes(input, units, **_):
    """Weight name -> shape, in the order of the spec."""
    return {"kernel": (input, 2 * units), "recurrent_kernel": (units, 2 * units), "bias": (2 * units,)}


def step(params, state, x, activation="tanh", forget_bias=1.0):
    """One step. x (batch, input), state (h,) -> h (batch, units), (h,)."""
    s, sigma = ACTIVATIONS[activation], ACTIVATIONS["sigmoid"]
    h_prev, x = state[0].T, x.T
    W_gx, W_cx = np.hsplit(params["kernel"], 2)
    W_gh, W_ch = np.hsplit(params["recurrent_kernel"], 2)
    b_g, b_c = (b[:, None] for b in np.hsplit(params["bias"], 2))

    c = s(W_ch.T @ h_prev + W_cx.T @ x + b_c)
    g = sigma(W_gh.T @ h_prev + W_gx.T @ x + b_g + forget_bias)
    h = g * h_prev + (1 - g) * c
    return h.T, (h.T,)
