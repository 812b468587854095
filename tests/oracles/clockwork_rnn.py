"""Clockwork RNN of Koutnik, Greff, Gomez & Schmidhuber 2014 (arXiv:1402.3511), group by group.

Group i takes f(W_H h_t-1 + W_I x_t + b) in the steps t with t mod T_i = 0, W_H being block-upper-triangular, and keeps
its state in the others; T_i is the base to the power of i.
"""

import numpy as np

SIZES = [{"input": 3, "units": 8, "batch": 4}, {"input": 5, "units": 12, "batch": 3}]
TRIED = {"groups": (None, 2), "base": (2.0, 1.0)}
ACTIVATIONS = {
    "linear": lambda v: v,
    "tanh": np.tanh,
    "sigmoid": lambda v: 1 / (1 + np.exp(-v)),
    "relu": lambda v: np.maximum(v, 0),
    "softsign": lambda v: v / (1 + np.abs(v)),
}


def shapes(input, units, **_):
    """Weight name -> shape, in the order of the spec."""
    return {"kernel": (input, units), "recurrent_kernel": (units, units), "bias": (units,)}


def step(params, state, x, base=2.0, activation="tanh", groups=4):
    """One step. x of x (batch, input) and n (batch, 1), state (h,) -> h (batch, units), (h,)."""
    (h_prev,), (x, t) = state, x
    new, width = h_prev.copy(), h_prev.shape[1] // groups
    for group in range(groups):
        own, seen = slice(group * width, (group + 1) * width), slice(group * width, None)
        net = h_prev[:, seen] @ params["recurrent_kernel"][seen, own] + x @ params["kernel"][:, own]
        due = t % base**group < 0.5
        new[:, own] = np.where(due, ACTIVATIONS[activation](net + params["bias"][own]), h_prev[:, own])
    return new, (new,)
