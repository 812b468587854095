"""minLSTM of Feng, Tung, Ahmed, Bengio & Hajimirsadeghi 2024 (arXiv:2410.01201): section 3.2, or with `positive` the
log-space form of appendix B, whose gates are logs: log f' = -softplus(diff), log i' = -softplus(-diff) with
diff = softplus(-f) - softplus(-i), f and i before the sigmoid. Columns of the fused weights: f, i, h.
"""

import numpy as np


def shapes(input, units, positive=False):
    """Weight name -> shape, in the order of the spec."""
    return {"kernel": (input, 3 * units), "bias": (3 * units,)}


def softplus(v):
    return np.logaddexp(v, 0)


def step(params, state, x, positive=False):
    """One step. x (batch, input), state (h,) -> h (batch, units), (h,)."""
    k_f, k_i, k_h = np.split(x @ params["kernel"] + params["bias"], 3, axis=1)
    if not positive:
        f, i = 1 / (1 + np.exp(-k_f)), 1 / (1 + np.exp(-k_i))
        h = (f * state[0] + i * k_h) / (f + i)
    else:
        diff = softplus(-k_f) - softplus(-k_i)
        log_g = np.where(k_h >= 0, np.log(np.maximum(k_h, 0) + 0.5), -softplus(-k_h))
        h = np.exp(-softplus(diff)) * state[0] + np.exp(-softplus(-diff) + log_g)
    return h, (h,)
