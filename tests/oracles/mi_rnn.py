"""Multiplicative integration of Wu et al. 2016 (arXiv:1606.06630) in a simple recurrent network, a unit at a time.

(2) phi(W x * U z + b); (4) phi(alpha * W x * U z + beta1 * U z + beta2 * W x + b)
"""

import numpy as np

ACTIVATIONS = {
    "tanh": np.tanh,
    "relu": lambda v: np.maximum(v, 0),
    "softsign": lambda v: v / (1 + np.abs(v)),
}


def shapes(input, units, form="general", **_):
    """Weight name -> shape, in the order of the spec."""
    scales = dict.fromkeys(("alpha", "beta1", "beta2"), (units,)) if form == "general" else {}
    return {"W": (input, units), "U": (units, units)} | scales | {"b": (units,)}


def step(params, state, x, form="general", activation="tanh"):
    """One step. x (batch, input), state (h,) -> h (batch, units), (h,)."""
    (z,) = state
    h = np.empty_like(z)
    for k in range(z.shape[1]):
        Wx = x @ params["W"][:, k]
        Uz = z @ params["U"][:, k]
        if form == "simple":
            net = Wx * Uz + params["b"][k]
        else:
            net = (params["alpha"][k] * Wx + params["beta1"][k]) * Uz + params["beta2"][k] * Wx + params["b"][k]
        h[:, k] = ACTIVATIONS[activation](net)
    return h, (h,)
