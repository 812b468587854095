"""MomentumLSTM of Nguyen et al. 2020 (arXiv:2006.06919): v_t = mu v_t-1 + s W x_t, gates of U h_t-1 + v_t + b, an LSTM.

A sample is a column. Blocks of the fused weights and of v: i, f, g, o.
"""

import numpy as np

TRIED = {"mu": (0.6, 0.1), "epsilon": (0.6, 1.5)}


def sigma(v):
    return 1 / (1 + np.exp(-v))


def shapes(input, units, **_):
    """Weight name -> shape, in the order of the spec."""
    return {"kernel": (input, 4 * units), "recurrent_kernel": (units, 4 * units), "bias": (4 * units,)}


def step(params, state, x, mu=0.6, epsilon=0.6):
    """One step. x (batch, input), state (h, c, v) -> h (batch, units), (h, c, v)."""
    h, c, v = (each.T for each in state)
    v = mu * v + epsilon * params["kernel"].T @ x.T
    i, f, g, o = np.split(v + params["recurrent_kernel"].T @ h + params["bias"][:, None], 4)
    c = sigma(f) * c + sigma(i) * np.tanh(g)
    h = sigma(o) * np.tanh(c)
    return h.T, (h.T, c.T, v.T)
