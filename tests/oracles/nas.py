"""The cell found by Zoph & Le 2017 (arXiv:1611.01578): a tree over eight leaves, each joining W x and U h.

The tree as a table, as the controller writes one: a leaf or node is (how its two inputs are joined, the activation).
The state is (c, h); the bias stands on the side of h.
"""

import numpy as np


def sigmoid(v):
    return 1 / (1 + np.exp(-v))


def relu(v):
    return np.maximum(v, 0)


LEAVES = (
    (np.add, sigmoid),
    (np.add, relu),
    (np.add, sigmoid),
    (np.multiply, relu),
    (np.add, np.tanh),
    (np.add, sigmoid),
    (np.add, np.tanh),
    (np.add, sigmoid),
)
NODES = ((np.multiply, np.tanh), (np.add, np.tanh), (np.multiply, np.tanh), (np.add, sigmoid))


def shapes(input, units, proj=None, use_bias=False):
    """Weight name -> shape, in the order of the spec."""
    weights = {"recurrent_kernel": (units if proj is None else proj, 8 * units), "kernel": (input, 8 * units)}
    weights |= {"bias": (8 * units,)} if use_bias else {}
    return weights | ({} if proj is None else {"projection_weights": (units, proj)})


def step(params, state, x, use_bias=False, proj=None):
    """One step. x (batch, input), state (c, h) -> h (batch, proj), (c, h). A projection if its weight is there."""
    c_prev, h_prev = state
    n = c_prev.shape[1]
    leaves = []
    for k, (join, squash) in enumerate(LEAVES):
        W, U = (params[name][:, k * n : (k + 1) * n] for name in ("kernel", "recurrent_kernel"))
        from_h = h_prev @ U + (params["bias"][k * n : (k + 1) * n] if use_bias else 0)
        leaves.append(squash(join(x @ W, from_h)))
    nodes = [squash(join(leaves[2 * k], leaves[2 * k + 1])) for k, (join, squash) in enumerate(NODES)]
    left = np.tanh(nodes[0] + c_prev) * nodes[1]  # the memory enters at the first node and leaves here
    right = np.tanh(nodes[2] + nodes[3])
    h = np.tanh(left * right)
    if "projection_weights" in params:
        h = h @ params["projection_weights"]
    return h, (left, h)
