"""ATR of Zhang, Xiong, Su, Lin & Zhang 2018 (arXiv:1810.12546), section 3. A sample is a column.

p_t = W x_t + b;  q_t = U h_t-1;  i_t = sigma(p_t + q_t);  f_t = sigma(p_t - q_t);  h_t = i_t * p_t + f_t * h_t-1
"""

import numpy as np


def sigma(v):
    return 1 / (1 + np.exp(-v))


def shapes(input, units, use_bias=True):
    """Weight name -> shape, in the order of the spec."""
    weights = {"kernel": (input, units), "recurrent_kernel": (units, units)}
    return weights | ({"bias": (units,)} if use_bias else {})


def step(params, state, x, use_bias=True):
    """One step. x (batch, input), state (h,) -> h (batch, units), (h,)."""
    h = state[0].T
    p = params["kernel"].T @ x.T
    if use_bias:
        p += params["bias"][:, None]
    q = params["recurrent_kernel"].T @ h
    h = sigma(p + q) * p + sigma(p - q) * h
    return h.T, (h.T,)
