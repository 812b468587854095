"""Layer-normalised recurrent network of Ba, Kiros & Hinton 2016 (arXiv:1607.06450), eq. 4, one sample at a time:

h_t = f(g / sigma_t * (a_t - mu_t) + b), a_t = W_hh h + W_xh x. Ones stand for the gain that is given as `ln/scale`.
"""

import numpy as np

ACTIVATIONS = {
    "tanh": np.tanh,
    "relu": lambda v: np.maximum(v, 0),
    "softsign": lambda v: v / (1 + np.abs(v)),
}


def shapes(input, units, use_bias=True, **_):
    """Weight name -> shape, in the order of the spec."""
    weights = {"kernel": (input, units), "recurrent_kernel": (units, units)}
    return weights | ({"bias": (units,)} if use_bias else {}) | {"ln/scale": (units,)}


def step(params, state, x, activation="tanh", use_bias=True, epsilon=1e-5):
    """One step. x (batch, input), state (h,) -> h (batch, units), (h,)."""
    outputs = []
    for h, sample in zip(state[0], x, strict=True):
        a = params["recurrent_kernel"].T @ h + params["kernel"].T @ sample
        H = len(a)
        mu = sum(a) / H
        sigma = (sum((a - mu) ** 2) / H + epsilon) ** 0.5
        b = params["bias"] if use_bias else np.zeros(H)
        outputs.append(ACTIVATIONS[activation](params["ln/scale"] / sigma * (a - mu) + b))
    h = np.array(outputs)
    return h, (h,)
