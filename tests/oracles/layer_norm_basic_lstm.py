"""LayerNormBasicLSTMCell of TensorFlow 1's contrib, at rest, with a loop over its four norms: input, transform, forget,
output. Of Ba, Kiros & Hinton 2016 (arXiv:1607.06450) it keeps the norm of each gate; the carried cell is normalised.
"""

import numpy as np

TRIED = {"epsilon": (1e-12, 0.3)}

ACTIVATIONS = {
    "tanh": np.tanh,
    "sigmoid": lambda v: 1 / (1 + np.exp(-v)),
    "relu": lambda v: np.maximum(v, 0),
    "softsign": lambda v: v / (1 + np.abs(v)),
}


def shapes(input, units, layer_norm=True, **_):
    """Weight name -> shape, in the order of the spec; a bias instead of the norms without them."""
    weights = {"kernel": (input, 4 * units), "recurrent_kernel": (units, 4 * units)}
    norms = {"ln_z/scale": (4, units), "ln_z/shift": (4, units), "ln_c/scale": (units,), "ln_c/shift": (units,)}
    return weights | (norms if layer_norm else {"bias": (4 * units,)})


def step(params, state, x, forget_bias=1.0, layer_norm=True, activation="tanh", candidate_dropout=0.0, epsilon=1e-12):
    """One step. x (batch, input), state (c, h) -> h (batch, units), (c, h). Nothing is dropped at rest."""
    c, h = state
    n = c.shape[1]
    args = np.concatenate([x, h], axis=1)
    weights = np.concatenate([params["kernel"], params["recurrent_kernel"]])

    def norm(value, gain, shift):
        mean = value.mean(axis=1, keepdims=True)
        return gain * (value - mean) / np.sqrt(value.var(axis=1, keepdims=True) + epsilon) + shift

    gates = []
    for k in range(4):
        own = slice(k * n, (k + 1) * n)
        gate = args @ weights[:, own]
        if layer_norm:
            gates.append(norm(gate, params["ln_z/scale"][k], params["ln_z/shift"][k]))
        else:
            gates.append(gate + params["bias"][own])
    i, j, f, o = gates
    sigmoid, squash = ACTIVATIONS["sigmoid"], ACTIVATIONS[activation]
    c = c * sigmoid(f + forget_bias) + sigmoid(i) * squash(j)
    if layer_norm:
        c = norm(c, params["ln_c/scale"], params["ln_c/shift"])
    h = squash(c) * sigmoid(o)
    return h, (c, h)
