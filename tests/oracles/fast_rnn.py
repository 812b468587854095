"""FastRNN of Kusupati et al. 2018 (arXiv:1901.02358), section 3. A sample is a column.

h~_t = sigma(W x_t + U h_t-1 + b);  h_t = alpha h~_t + beta h_t-1, alpha and beta being sigmoids of what is learned
"""

import numpy as np

ACTIVATIONS = {
    "linear": lambda v: v,
    "tanh": np.tanh,
    "sigmoid": lambda v: 1 / (1 + np.exp(-v)),
    "hard_sigmoid": lambda v: np.clip(v / 6 + 0.5, 0, 1),
    "relu": lambda v: np.maximum(v, 0),
    "softplus": lambda v: np.logaddexp(v, 0),
    "softsign": lambda v: v / (1 + np.abs(v)),
}


def sigma(v):
    return 1 / (1 + np.exp(-v))


def shapes(input, units, **_):
    """Weight name -> shape, in the order of the spec."""
    return {"W": (input, units), "U": (units, units), "b": (units,), "alpha": (1,), "beta": (1,)}


def step(params, state, x, activation="tanh"):
    """One step. x (batch, input), state (h,) -> h (batch, units), (h,)."""
    h = state[0].T
    candidate = ACTIVATIONS[activation](params["W"].T @ x.T + params["U"].T @ h + params["b"][:, None])
    h = sigma(params["alpha"].item()) * candidate + sigma(params["beta"].item()) * h
    return h.T, (h.T,)
