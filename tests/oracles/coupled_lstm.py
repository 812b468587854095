"""CIFG of Greff et al. 2017 (arXiv:1503.04069): their vanilla LSTM, with the forget gate replaced by f = 1 - i.

Their names: z block input, y block output, p peepholes. A sample is a column. Blocks of the fused weights: i, z, o.
"""

import numpy as np


def sigmoid(v):
    return 1 / (1 + np.exp(-v))


def shapes(input, units, use_peepholes=True):
    """Weight name -> shape, in the order of the spec."""
    weights = {"kernel": (input, 3 * units), "recurrent_kernel": (units, 3 * units), "bias": (3 * units,)}
    return weights | ({"p_i": (units,), "p_o": (units,)} if use_peepholes else {})


def step(params, state, x, use_peepholes=True):
    """One step. x (batch, input), state (h, c) -> h (batch, units), (h, c)."""
    y_prev, c_prev, x = state[0].T, state[1].T, x.T
    n = len(y_prev)
    W_i, W_z, W_o = params["kernel"].T.reshape(3, n, -1)
    R_i, R_z, R_o = params["recurrent_kernel"].T.reshape(3, n, n)
    b_i, b_z, b_o = params["bias"].reshape(3, n, 1)
    p_i, p_o = (params[name][:, None] if use_peepholes else np.zeros((n, 1)) for name in ("p_i", "p_o"))

    z = np.tanh(W_z @ x + R_z @ y_prev + b_z)
    i = sigmoid(W_i @ x + R_i @ y_prev + p_i * c_prev + b_i)
    f = 1 - i
    c = z * i + c_prev * f
    o = sigmoid(W_o @ x + R_o @ y_prev + p_o * c + b_o)
    y = np.tanh(c) * o
    return y.T, (y.T, c.T)
