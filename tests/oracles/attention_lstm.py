"""AttentionCellWrapper of TensorFlow 1's contrib around BasicLSTMCell, a sample at a time, with a list for its memory:
the scores are those of Bahdanau, Cho & Bengio 2014 (arXiv:1409.0473), v . tanh(W m + U (c, h) + b).
"""

import numpy as np

TRIED = {"length": (None, 3), "attention": (None, 4), "vector": (None, 2)}


def sigma(v):
    return 1 / (1 + np.exp(-v))


def shapes(input, units, attention=None, vector=None, **_):
    """Weight name -> shape, in the order of the spec."""
    attention = attention or units
    vector = vector or attention
    weights = {"W_in": (input, input), "R_in": (attention, input), "b_in": (input,)}
    weights |= {"kernel": (input, 4 * units), "recurrent_kernel": (units, 4 * units), "bias": (4 * units,)}
    weights |= {"W_m": (attention, vector), "W_c": (units, vector), "W_h": (units, vector), "b_s": (vector,)}
    weights |= {"v": (vector,), "W_out": (units, attention), "R_out": (attention, attention), "b_out": (attention,)}
    return weights


def step(params, state, x, forget_bias=1.0):
    """One step. x (batch, input), state (c, h, read, m) -> y (batch, attention), (c, h, read, m)."""
    samples = [sample(params, *each, forget_bias) for each in zip(*state, x, strict=True)]
    y, *state = (np.array(each) for each in zip(*samples))
    return y, tuple(state)


def sample(p, c, h, read, memory, x, forget_bias):
    joined = np.concatenate([x, read]) @ np.concatenate([p["W_in"], p["R_in"]]) + p["b_in"]
    net = np.concatenate([joined, h]) @ np.concatenate([p["kernel"], p["recurrent_kernel"]]) + p["bias"]
    i, j, f, o = np.split(net, 4)
    c = c * sigma(f + forget_bias) + sigma(i) * np.tanh(j)
    h = np.tanh(c) * sigma(o)
    query = np.concatenate([c, h]) @ np.concatenate([p["W_c"], p["W_h"]]) + p["b_s"]
    scores = np.array([p["v"] @ np.tanh(p["W_m"].T @ m + query) for m in memory])
    weights = np.exp(scores) / np.exp(scores).sum()
    read = sum(weight * m for weight, m in zip(weights, memory))
    y = np.concatenate([h, read]) @ np.concatenate([p["W_out"], p["R_out"]]) + p["b_out"]
    return y, c, h, read, [*memory[1:], y]
