"""Nested LSTM of Moniz & Krueger 2017 (arXiv:1801.10308), as one LSTM inside the other. A sample is a column.

Blocks of the fused weights of both: i, f, c (the candidate), o.
"""

import numpy as np

SILENT = ("unit_forget_bias",)  # an initial value


def sigma(v):
    return 1 / (1 + np.exp(-v))


def shapes(input, units, **_):
    """Weight name -> shape, in the order of the spec."""
    outer = {"kernel": (input, 4 * units), "recurrent_kernel": (units, 4 * units), "bias": (4 * units,)}
    inner = {"kernel": (units, 4 * units), "recurrent_kernel": (units, 4 * units), "bias": (4 * units,)}
    return outer | {f"inner_{name}": shape for name, shape in inner.items()}


def step(params, state, x, unit_forget_bias=True):
    """One step. x (batch, input), state (h, c, c_inner) -> h (batch, units), (h, c, c_inner)."""
    h, c, c_inner = (each.T for each in state)

    def gates(which, x, h):
        W, U, b = (params[which + name].T for name in ("kernel", "recurrent_kernel", "bias"))
        i, f, candidate, o = np.split(W @ x + U @ h + b[:, None], 4)
        return sigma(i), sigma(f), np.tanh(candidate), sigma(o)

    i, f, candidate, o = gates("", x.T, h)
    i_inner, f_inner, candidate_inner, o_inner = gates("inner_", i * candidate, f * c)
    c_inner = f_inner * c_inner + i_inner * candidate_inner
    c = o_inner * np.tanh(c_inner)
    h = o * np.tanh(c)
    return h.T, (h.T, c.T, c_inner.T)
