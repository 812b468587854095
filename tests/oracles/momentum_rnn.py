"""MomentumRNN of Nguyen et al. 2020 (arXiv:2006.06919): v_t = mu v_t-1 + s W x_t;  h_t = sigma(U h_t-1 + v_t + b).

A sample is a column.
"""

import numpy as np

ACTIVATIONS = {
    "linear": lambda v: v,
    "tanh": np.tanh,
    "sigmoid": lambda v: 1 / (1 + np.exp(-v)),
    "relu": lambda v: np.maximum(v, 0),
    "softsign": lambda v: v / (1 + np.abs(v)),
}

TRIED = {"mu": (0.6, 0.1), "epsilon": (0.6, 1.5)}


def shapes(input, units, **_):
    """Weight name -> shape, in the order of the spec."""
    return {"kernel": (input, units), "recurrent_kernel": (units, units), "bias": (units,)}


def step(params, state, x, mu=0.6, epsilon=0.6, activation="tanh"):
    """One step. x (batch, input), state (h, v) -> h (batch, units), (h, v)."""
    v = mu * state[1].T + epsilon * params["kernel"].T @ x.T
    h = ACTIVATIONS[activation](params["recurrent_kernel"].T @ state[0].T + v + params["bias"][:, None])
    return h.T, (h.T, v.T)
