"""Elman 1990: every hidden unit is a squashed weighted sum of the inputs, the context units and a bias."""

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
    weights = {"kernel": (input, units), "recurrent_kernel": (units, units), "bias": (units,)}
    return {name: shape for name, shape in weights.items() if use_bias or name != "bias"}


def step(params, state, x, activation="tanh", use_bias=True):
    """One step. x (batch, input), state (h,) -> h (batch, units), (h,)."""
    (context,) = state
    batch, units = context.shape
    hidden = np.empty((batch, units))
    for sample in range(batch):
        for unit in range(units):
            net = np.dot(params["kernel"][:, unit], x[sample])
            net += np.dot(params["recurrent_kernel"][:, unit], context[sample])
            hidden[sample, unit] = net + params["bias"][unit] if use_bias else net
    hidden = ACTIVATIONS[activation](hidden)
    return hidden, (hidden,)
