"""MI-LSTM of Wu et al. 2016 (arXiv:1606.06630), eq. 4 in each gate of an LSTM. A sample is a column.

Blocks of the fused weights: i, f, z (the candidate), o.
"""

import numpy as np


def sigma(v):
    return 1 / (1 + np.exp(-v))


def shapes(input, units, **_):
    """Weight name -> shape, in the order of the spec."""
    weights = {"kernel": (input, 4 * units), "recurrent_kernel": (units, 4 * units)}
    return weights | dict.fromkeys(("alpha", "beta1", "beta2", "bias"), (4 * units,))


def step(params, state, x):
    """One step. x (batch, input), state (h, c) -> h (batch, units), (h, c)."""
    h_prev, c_prev, x = state[0].T, state[1].T, x.T
    n = len(h_prev)

    def integrated(block):
        own = slice(block * n, (block + 1) * n)
        W, U = params["kernel"][:, own].T, params["recurrent_kernel"][:, own].T
        alpha, beta1, beta2, b = (params[name][own, None] for name in ("alpha", "beta1", "beta2", "bias"))
        return alpha * (W @ x) * (U @ h_prev) + beta1 * (U @ h_prev) + beta2 * (W @ x) + b

    i, f, z, o = sigma(integrated(0)), sigma(integrated(1)), np.tanh(integrated(2)), sigma(integrated(3))
    c = f * c_prev + i * z
    h = o * np.tanh(c)
    return h.T, (h.T, c.T)
