"""LSTM with one layer norm a gate, as used in Ha, Dai & Le 2017 (arXiv:1609.09106).

Each gate's total input is normalised by itself, then the cell state where it is read. Blocks of the fused weights:
i, g, f, o; a row of the norm's scale and shift is a gate.
"""

import numpy as np


def sigmoid(v):
    return 1 / (1 + np.exp(-v))


def normalised(v, gain, shift, epsilon):
    """Over the units of each sample; v (batch, units)."""
    return gain * (v - np.mean(v, 1, keepdims=True)) / np.sqrt(np.var(v, 1, keepdims=True) + epsilon) + shift


def shapes(input, units, use_bias=False, **_):
    """Weight name -> shape, in the order of the spec: the weights, then each norm's scale and shift."""
    weights = {"kernel": (input, 4 * units), "recurrent_kernel": (units, 4 * units)}
    weights |= {"bias": (4 * units,)} if use_bias else {}
    weights |= {"ln_z/scale": (4, units), "ln_z/shift": (4, units)}
    return weights | {"ln_c/scale": (units,), "ln_c/shift": (units,)}


def step(params, state, x, forget_bias=1.0, use_bias=False, epsilon=1e-3):
    """One step. x (batch, input), state (h, c) -> h (batch, units), (h, c)."""
    h_prev, c_prev = state
    n = h_prev.shape[1]
    both = np.hstack([x, h_prev])
    weights = np.vstack([params["kernel"], params["recurrent_kernel"]])

    def gate(k):
        total = both @ weights[:, k * n : (k + 1) * n]
        if use_bias:
            total = total + params["bias"][k * n : (k + 1) * n]
        return normalised(total, params["ln_z/scale"][k], params["ln_z/shift"][k], epsilon)

    i = sigmoid(gate(0))
    g = np.tanh(gate(1))
    f = sigmoid(gate(2) + forget_bias)
    o = sigmoid(gate(3))
    c = f * c_prev + i * g
    h = o * np.tanh(normalised(c, params["ln_c/scale"], params["ln_c/shift"], epsilon))
    return h, (h, c)
