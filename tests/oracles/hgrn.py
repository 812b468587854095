"""The recurrence of HGRN (Qin, Yang & Zhong 2023, arXiv:2311.04823, section 3.2) in real numbers, with the log of the
forget gate as flash-linear-attention has it: log f = logaddexp(log bound, log(1 - bound) + log sigmoid). Columns c, f.
"""

import numpy as np

TRIED = {"lower_bound": (0.0, 0.4, 0.9)}


def shapes(input, units):
    """Weight name -> shape, in the order of the spec."""
    return {"kernel": (input, 2 * units), "bias": (2 * units,)}


def step(params, state, x, lower_bound=0.0):
    """One step. x (batch, input), state (h,) -> h (batch, units), (h,)."""
    c, f = np.split(x @ params["kernel"] + params["bias"], 2, axis=1)
    log_f = -np.logaddexp(-f, 0)
    if lower_bound:
        log_f = np.logaddexp(np.log(lower_bound), np.log1p(-lower_bound) + log_f)
    swiglu = c / (1 + np.exp(-c)) * -np.expm1(log_f)
    h = np.exp(log_f) * state[0] + swiglu
    return h, (h,)
