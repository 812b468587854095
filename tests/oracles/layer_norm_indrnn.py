"""IndRNN as haste normalises its input: h = tanh(LN(W x; gamma) + b + u * h). A sample is a column."""

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


def shapes(input, units, **_):
    """Weight name -> shape, in the order of the spec."""
    vectors = {"recurrent_kernel": (units,), "bias": (units,), "ln_x/scale": (units,)}
    return {"kernel": (input, units)} | vectors


def step(params, state, x, activation="tanh", epsilon=1e-5):
    """One step. x (batch, input), state (h,) -> h (batch, units), (h,)."""

    def LN(v, gamma):
        """Of a sample's column."""
        mean = v.mean(axis=0)
        return (v - mean) / np.sqrt(((v - mean) ** 2).mean(axis=0) + epsilon) * gamma[:, None]

    from_x = LN(params["kernel"].T @ x.T, params["ln_x/scale"]) + params["bias"][:, None]
    h = ACTIVATIONS[activation](from_x + np.diag(params["recurrent_kernel"]) @ state[0].T)
    return h.T, (h.T,)
