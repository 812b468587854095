"""FGR of Greff et al. 2017 (arXiv:1503.04069): nine matrices from the three gates to the three gates, one at a time.

A sample is a column. Blocks of the fused weights: z, i, f, o.
"""

import numpy as np


def sigma(v):
    return 1 / (1 + np.exp(-v))


def shapes(input, units):
    """Weight name -> shape, in the order of the spec."""
    weights = {"W": (input, 4 * units), "R": (units, 4 * units), "b": (4 * units,)}
    weights |= dict.fromkeys(("R_i", "R_f", "R_o"), (units, 3 * units))
    return weights | dict.fromkeys(("p_i", "p_f", "p_o"), (units,))


def step(params, state, x):
    """One step. x (batch, input), state (y, c, i, f, o) -> y (batch, units), (y, c, i, f, o)."""
    y_prev, c_prev, *gates = (each.T for each in state)
    before = dict(zip("ifo", gates))
    n = len(y_prev)
    net = dict(zip("zifo", np.split(params["W"].T @ x.T + params["R"].T @ y_prev + params["b"][:, None], 4)))

    def gate(name, c):
        total = net[name] + params[f"p_{name}"][:, None] * c
        for source in "ifo":
            block = "ifo".index(name) * n
            R = params[f"R_{source}"][:, block : block + n].T
            total = total + R @ before[source]
        return sigma(total)

    i, f = gate("i", c_prev), gate("f", c_prev)
    c = np.tanh(net["z"]) * i + c_prev * f
    o = gate("o", c)
    y = np.tanh(c) * o
    return y.T, tuple(each.T for each in (y, c, i, f, o))
