"""G-LSTM of Kuchaiev & Ginsburg 2017 (arXiv:1703.10722): an LSTM for each group, then the groups side by side.

Blocks of a group's weights: i, j, f, o.
"""

import numpy as np

SIZES = [{"input": 6, "units": 4, "batch": 5}, {"input": 4, "units": 6, "batch": 3}]
TRIED = {"groups": (1, 2)}


def sigma(v):
    return 1 / (1 + np.exp(-v))


def shapes(input, units, groups=1, **_):
    """Weight name -> shape, in the order of the spec."""
    part, key = input // groups, units // groups
    return {"kernel": (groups, part, 4 * key), "recurrent_kernel": (groups, key, 4 * key), "bias": (groups, 4 * key)}


def step(params, state, x, forget_bias=1.0, groups=1):
    """One step. x (batch, input), state (c, h) -> h (batch, units), (c, h)."""
    cs, hs = [], []
    for group, (c, h, part) in enumerate(zip(*(np.split(each, groups, axis=1) for each in (*state, x)), strict=True)):
        net = part @ params["kernel"][group] + h @ params["recurrent_kernel"][group] + params["bias"][group]
        i, j, f, o = np.split(net, 4, axis=1)
        cs.append(c * sigma(f + forget_bias) + sigma(i) * np.tanh(j))
        hs.append(np.tanh(cs[-1]) * sigma(o))
    c, h = np.concatenate(cs, axis=1), np.concatenate(hs, axis=1)
    return h, (c, h)
