"""+RNN of Collins, Sohl-Dickstein & Sussillo 2017 (arXiv:1611.09913), with contrib's forget bias. A sample is a column.

y_in = s1(W_y [x, h] + b_y);  h_in = s2(W_h [x, h] + b_h);  g_y, g_h = sigma(W [x, h] + b)
y = g_y * x + (1 - g_y) * y_in;  h = g_h * h + (1 - g_h) * h_in;  blocks of the fused weights: g_h, h, g_y, y
"""

import numpy as np

ACTIVATIONS = {
    "linear": lambda v: v,
    "tanh": np.tanh,
    "relu": lambda v: np.maximum(v, 0),
    "softplus": lambda v: np.logaddexp(v, 0),
    "softsign": lambda v: v / (1 + np.abs(v)),
}


def sigma(v):
    return 1 / (1 + np.exp(-v))


def shapes(input, units, **_):
    """Weight name -> shape, in the order of the spec."""
    return {"kernel": (units, 4 * units), "recurrent_kernel": (units, 4 * units), "bias": (4 * units,)}


def step(params, state, x, forget_bias=1.0, y_activation="relu"):
    """One step. x (batch, units), state (h,) -> y (batch, units), (h,)."""
    h, x = state[0].T, x.T
    W = np.vstack([params["kernel"], params["recurrent_kernel"]]).T
    g_h, h_in, g_y, y_in = np.split(W @ np.vstack([x, h]) + params["bias"][:, None], 4)
    g_h, g_y = sigma(g_h + forget_bias), sigma(g_y + forget_bias)
    y = g_y * x + (1 - g_y) * ACTIVATIONS[y_activation](y_in)
    h = g_h * h + (1 - g_h) * np.tanh(h_in)
    return y.T, (h.T,)
