"""The recurrent cell of Liu, Simonyan & Yang 2019 (arXiv:1806.09055), their genotype DARTS_V2, node by node.

s_0 = h + sigma(c) * (tanh(g) - h) of [x, h] W_0
s_i = s_p + sigma(c) * (f_i(g) - s_p) of s_p W_i, p being its predecessor
h is the mean of s_1 to s_8.  Halves of each matrix: c, g.
"""

import numpy as np


def sigma(v):
    return 1 / (1 + np.exp(-v))


def relu(v):
    return np.maximum(v, 0)


def identity(v):
    return v


GENOTYPE = ((sigma, 0), (relu, 1), (relu, 1), (identity, 1), (np.tanh, 2), (sigma, 5), (np.tanh, 3), (relu, 5))


def shapes(input, units):
    """Weight name -> shape, in the order of the spec."""
    first = {"W_x": (input, 2 * units), "W_h": (units, 2 * units)}
    return first | {f"W_{node}": (units, 2 * units) for node in range(1, 9)}


def step(params, state, x):
    """One step. x (batch, input), state (h,) -> h (batch, units), (h,)."""
    (h,) = state

    def node(before, net, f):
        c, g = np.hsplit(net, 2)
        return before + sigma(c) * (f(g) - before)

    nodes = [node(h, np.hstack([x, h]) @ np.vstack([params["W_x"], params["W_h"]]), np.tanh)]
    for number, (f, predecessor) in enumerate(GENOTYPE, 1):
        before = nodes[predecessor]
        nodes.append(node(before, before @ params[f"W_{number}"], f))
    h = np.mean(nodes[1:], axis=0)
    return h, (h,)
