"""Light GRU of Ravanelli, Brakel, Omologo & Bengio 2018 (arXiv:1803.10225), without its batch norm. Blocks: z, h.

z_t = sigma(W_z x + U_z h + b_z);  h~_t = ReLU(W_h x + U_h h + b_h);  h_t = z_t * h + (1 - z_t) * h~_t
A sample is a column.
"""

import numpy as np

ACTIVATIONS = {
    "linear": lambda v: v,
    "tanh": np.tanh,
    "sigmoid": lambda v: 1 / (1 + np.exp(-v)),
    "relu": lambda v: np.maximum(v, 0),
    "softplus": lambda v: np.logaddexp(v, 0),
    "softsign": lambda v: v / (1 + np.abs(v)),
}


def shapes(input, units, **_):
    """Weight name -> shape, in the order of the spec."""
    return {"kernel": (input, 2 * units), "recurrent_kernel": (units, 2 * units), "bias": (2 * units,)}


def step(params, state, x, activation="relu"):
    """One step. x (batch, input), state (h,) -> h (batch, units), (h,)."""
    h, x = state[0].T, x.T
    W_z, W_h = (W.T for W in np.hsplit(params["kernel"], 2))
    U_z, U_h = (U.T for U in np.hsplit(params["recurrent_kernel"], 2))
    b_z, b_h = (b[:, None] for b in np.hsplit(params["bias"], 2))
    z = 1 / (1 + np.exp(-(W_z @ x + U_z @ h + b_z)))
    candidate = ACTIVATIONS[activation](W_h @ x + U_h @ h + b_h)
    h = z * h + (1 - z) * candidate
    return h.T, (h.T,)
