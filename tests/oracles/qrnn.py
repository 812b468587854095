"""QRNN of Bradbury, Merity, Xiong & Socher 2016 (arXiv:1611.01576), eq. 1-5: a convolution over a window of two steps,
one matrix for both (the earlier step on top), then f-, fo- or ifo-pooling.
"""

import numpy as np


def shapes(input, units, pooling="fo", use_bias=True):
    """Weight name -> shape, in the order of the spec."""
    width = {"f": 2, "fo": 3, "ifo": 4}[pooling] * units
    weights = {"W": (input, width), "V": (input, width), "bias": (width,)}
    return {name: shape for name, shape in weights.items() if use_bias or name != "bias"}


def step(params, state, x, pooling="fo", use_bias=True):
    """One step. x (batch, input), state (c, x_last) -> h (batch, units), (c, x_last)."""
    c_prev, x_last = state
    window, filters = np.hstack([x_last, x]), np.vstack([params["V"], params["W"]])
    masked = np.einsum("bi,iu->bu", window, filters) + (params["bias"] if use_bias else 0)
    parts = dict(
        zip({"f": "zf", "fo": "zfo", "ifo": "zfoi"}[pooling], np.split(masked, filters.shape[1] // c_prev.shape[1], 1))
    )
    sigma = {name: 1 / (1 + np.exp(-part)) for name, part in parts.items() if name != "z"}
    z = np.tanh(parts["z"])
    if pooling == "ifo":
        c = sigma["f"] * c_prev + sigma["i"] * z
    else:
        c = z + sigma["f"] * (c_prev - z)
    return (c if pooling == "f" else sigma["o"] * c), (c, x)
