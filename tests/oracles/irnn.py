"""IRNN of Le, Jaitly & Hinton 2015 (arXiv:1504.00941): h_t = ReLU(W x_t + V h_t-1 + b), V starting as the identity.

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


def shapes(input, units, use_bias=True, **_):
    """Weight name -> shape, in the order of the spec."""
    weights = {"kernel": (input, units), "recurrent_kernel": (units, units)}
    return weights | ({"bias": (units,)} if use_bias else {})


def step(params, state, x, activation="relu", use_bias=True):
    """One step. x (batch, input), state (h,) -> h (batch, units), (h,)."""
    net = np.vstack([params["kernel"], params["recurrent_kernel"]]).T @ np.vstack([x.T, state[0].T])
    h = ACTIVATIONS[activation](net + params["bias"][:, None] if use_bias else net)
    return h.T, (h.T,)
