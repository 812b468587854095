"""minGRU of Feng, Tung, Ahmed, Bengio & Hajimirsadeghi 2024 (arXiv:2410.01201), section 3.1.

z_t = sigma(Linear(x_t));  h~_t = Linear(x_t);  h_t = (1 - z_t) * h_{t-1} + z_t * h~_t
Blocks of the fused weights: z, h. A sample is a column.
"""

import numpy as np


def shapes(input, units):
    """Weight name -> shape, in the order of the spec."""
    return {"kernel": (input, 2 * units), "bias": (2 * units,)}


def step(params, state, x):
    """One step. x (batch, input), state (h,) -> h (batch, units), (h,)."""
    W_z, W_h = np.hsplit(params["kernel"], 2)
    b_z, b_h = (b[:, None] for b in np.hsplit(params["bias"], 2))
    z = 1 / (1 + np.exp(-(W_z.T @ x.T + b_z)))
    candidate = W_h.T @ x.T + b_h
    h = (1 - z) * state[0].T + z * candidate
    return h.T, (h.T,)
