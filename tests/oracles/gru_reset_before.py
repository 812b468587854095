"""GRU of Cho et al. 2014 (arXiv:1406.1078v3), eq. 5-8, with a bias in each sum: one unit j, one sample.

Blocks of the fused weights, as in Keras: update (z), reset (r), candidate (h).
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


def shapes(input, units, use_bias=True, **_):
    """Weight name -> shape, in the order of the spec."""
    weights = {"kernel": (input, 3 * units), "recurrent_kernel": (units, 3 * units), "bias": (3 * units,)}
    return {name: shape for name, shape in weights.items() if use_bias or name != "bias"}


def step(params, state, x, activation="tanh", recurrent_activation="sigmoid", use_bias=True):
    """One step. x (batch, input), state (h,) -> h (batch, units), (h,)."""
    phi, sigma = ACTIVATIONS[activation], ACTIVATIONS[recurrent_activation]
    (h,) = state
    batch, n = h.shape
    new = np.empty((batch, n))
    for k in range(batch):

        def total(block, j, remembered, k=k):
            column = block * n + j
            W_x, U_h = params["kernel"][:, column] @ x[k], params["recurrent_kernel"][:, column] @ remembered
            return W_x + U_h + (params["bias"][column] if use_bias else 0.0)

        r = np.array([sigma(total(1, j, h[k])) for j in range(n)])  # (5)
        z = np.array([sigma(total(0, j, h[k])) for j in range(n)])  # (6)
        for j in range(n):
            h_tilde = phi(total(2, j, r * h[k]))  # (8)
            new[k, j] = z[j] * h[k, j] + (1 - z[j]) * h_tilde  # (7)
    return new, (new,)
