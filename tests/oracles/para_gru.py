"""ParaGRU of Danieli et al. 2025 (arXiv:2510.21450), section 3: a GRU whose recurrent matrices are diagonal, written as
matrices. Blocks of the weights: z, r, h. A sample is a column.
"""

import numpy as np


def shapes(input, units):
    """Weight name -> shape, in the order of the spec."""
    return {"A": (3 * units,), "B": (input, 3 * units), "b": (3 * units,)}


def sigmoid(v):
    return 1 / (1 + np.exp(-v))


def step(params, state, x):
    """One step. x (batch, input), state (h,) -> h (batch, units), (h,)."""
    A_z, A_r, A_h = (np.diag(a) for a in np.split(params["A"], 3))
    B_z, B_r, B_h = (B.T for B in np.hsplit(params["B"], 3))
    b_z, b_r, b_h = params["b"].reshape(3, -1, 1)
    h_prev, x = state[0].T, x.T
    z = sigmoid(A_z @ h_prev + B_z @ x + b_z)
    r = sigmoid(A_r @ h_prev + B_r @ x + b_r)
    h_new = np.tanh(A_h @ (h_prev * r) + B_h @ x + b_h)
    h = h_prev + z * (h_new - h_prev)
    return h.T, (h.T,)
