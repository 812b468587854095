"""Shuffling RNN of Rotman & Wolf 2021 (arXiv:2007.07324), section 3. A sample is a column.

h_t = phi(P h_t-1 + beta(x_t)), P the cyclic permutation;  beta(x) = f(x) * sigma(W_s x + b_s), f of one relu layer
"""

import numpy as np

TRIED = {"hidden": (None, 4)}
ACTIVATIONS = {
    "linear": lambda v: v,
    "tanh": np.tanh,
    "sigmoid": lambda v: 1 / (1 + np.exp(-v)),
    "relu": lambda v: np.maximum(v, 0),
    "softsign": lambda v: v / (1 + np.abs(v)),
}


def shapes(input, units, hidden=None, **_):
    """Weight name -> shape, in the order of the spec."""
    hidden = hidden or units
    network = {"W_1": (input, hidden), "b_1": (hidden,), "W_2": (hidden, units), "b_2": (units,)}
    return network | {"W_s": (input, units), "b_s": (units,)}


def step(params, state, x, activation="relu", hidden=None):
    """One step. x (batch, input), state (h,) -> h (batch, units), (h,)."""
    h, x = state[0].T, x.T
    n = len(h)
    P = np.eye(n)[(np.arange(n) - 1) % n]  # (P h)_i = h_i-1
    f = params["W_2"].T @ np.maximum(params["W_1"].T @ x + params["b_1"][:, None], 0) + params["b_2"][:, None]
    s = 1 / (1 + np.exp(-(params["W_s"].T @ x + params["b_s"][:, None])))
    h = ACTIVATIONS[activation](P @ h + f * s)
    return h.T, (h.T,)
