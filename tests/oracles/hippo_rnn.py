"""HiPPO-RNN of Gu et al. 2020 (arXiv:2008.07669), HiPPO-LegS by Euler's rule. A sample is a column. Blocks: g, h.

c_k = (1 + A/k) c_k-1 + (1/k) B f_k, k counting from 1;  f = W_f h + b_f;  h moves by a gate of [x, c, h] of before
"""

import numpy as np

TRIED = {"order": (None, 6)}


def shapes(input, units, order=32):
    """Weight name -> shape, in the order of the spec."""
    rows = {"kernel": input, "memory_kernel": order, "recurrent_kernel": units}
    rnn = {name: (width, 2 * units) for name, width in rows.items()} | {"bias": (2 * units,)}
    return rnn | {"W_f": (units, 1), "b_f": (1,), "A": (order, order), "B": (order,)}


def step(params, state, x, order=32):
    """One step. x of x (batch, input) and n (batch, 1), state (h, c) -> h (batch, units), (h, c)."""
    h, c, (x, n) = state[0].T, state[1].T, (each.T for each in x)
    W = np.vstack([params["kernel"], params["memory_kernel"], params["recurrent_kernel"]]).T
    gate, candidate = np.split(W @ np.vstack([x, c, h]) + params["bias"][:, None], 2)
    gate = 1 / (1 + np.exp(-gate))
    h = (1 - gate) * h + gate * np.tanh(candidate)
    f = params["W_f"].T @ h + params["b_f"][:, None]
    k = np.maximum(n, 0) + 1
    c = c + params["A"] @ c / k + params["B"][:, None] * f / k
    return h.T, (h.T, c.T)
