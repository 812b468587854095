"""minGRU of Feng, Tung, Ahmed, Bengio & Hajimirsadeghi 2024 (arXiv:2410.01201) in the log-space form of appendix B:
log(1 - z) = -softplus(k), log z = -softplus(-k), log g(x) = log(relu(x) + 0.5) where x >= 0, else -softplus(-x).
Columns of the fused weights: z, h.
"""

import numpy as np


def shapes(input, units):
    """Weight name -> shape, in the order of the spec."""
    return {"kernel": (input, 2 * units), "bias": (2 * units,)}


def step(params, state, x):
    """One step. x (batch, input), state (h,) -> h (batch, units), (h,)."""
    k, v = np.split(x @ params["kernel"] + params["bias"], 2, axis=1)
    log_g = np.where(v >= 0, np.log(np.maximum(v, 0) + 0.5), -np.logaddexp(-v, 0))
    h = np.exp(-np.logaddexp(k, 0)) * state[0] + np.exp(-np.logaddexp(-k, 0) + log_g)
    return h, (h,)
