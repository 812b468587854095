"""The vanilla LSTM of Greff et al. 2017 (arXiv:1503.04069) and seven of its variants. A sample is a column.

A gate that a variant does not have is 1, and has no columns in W, R and b; the others stand in the order z, i, f, o.
"""

import numpy as np

MISSING = {"NIG": "i", "NFG": "f", "CIFG": "f", "NOG": "o"}


def sigma(v):
    return 1 / (1 + np.exp(-v))


def shapes(input, units, variant="V"):
    """Weight name -> shape, in the order of the spec."""
    missing = MISSING.get(variant, "")
    wide = (4 - len(missing)) * units
    peepholes = [gate for gate in "ifo" if gate != missing and variant != "NP"]
    return {"W": (input, wide), "R": (units, wide), "b": (wide,)} | {f"p_{gate}": (units,) for gate in peepholes}


def step(params, state, x, variant="V"):
    """One step. x (batch, input), state (y, c) -> y (batch, units), (y, c)."""
    y_prev, c_prev, x = state[0].T, state[1].T, x.T
    n = len(y_prev)
    there = [gate for gate in "zifo" if gate != MISSING.get(variant)]
    net = params["W"].T @ x + params["R"].T @ y_prev + params["b"][:, None]
    net = {gate: net[k * n : (k + 1) * n] for k, gate in enumerate(there)}

    def gate(name, c):
        if name not in there:
            return np.ones((n, x.shape[1]))
        return sigma(net[name] + (params[f"p_{name}"][:, None] * c if variant != "NP" else 0))

    g = h = np.tanh
    if variant == "NIAF":
        g = np.positive
    if variant == "NOAF":
        h = np.positive
    z = g(net["z"])
    i = gate("i", c_prev)
    f = 1 - i if variant == "CIFG" else gate("f", c_prev)
    c = z * i + c_prev * f
    y = h(c) * gate("o", c)
    return y.T, (y.T, c.T)
