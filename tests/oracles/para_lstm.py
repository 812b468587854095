"""ParaLSTM of Danieli et al. 2025 (arXiv:2510.21450), section 3: an LSTM with coupled gates and peepholes whose
recurrent and peephole matrices are diagonal, written as matrices. Blocks of the weights: f, o, c. A sample is a column.
"""

import numpy as np


def shapes(input, units):
    """Weight name -> shape, in the order of the spec."""
    return {"A": (3 * units,), "B": (input, 3 * units), "C": (2 * units,), "b": (3 * units,)}


def step(params, state, x):
    """One step. x (batch, input), state (c, h) -> h (batch, units), (c, h)."""
    A_f, A_o, A_c = (np.diag(a) for a in np.split(params["A"], 3))
    B_f, B_o, B_c = (B.T for B in np.hsplit(params["B"], 3))
    C_f, C_o = (np.diag(c) for c in np.split(params["C"], 2))
    b_f, b_o, b_c = params["b"].reshape(3, -1, 1)
    c_prev, h_prev, x = state[0].T, state[1].T, x.T
    f = 1 / (1 + np.exp(-(A_f @ h_prev + B_f @ x + C_f @ c_prev + b_f)))
    c = f * c_prev + (1 - f) * np.tanh(A_c @ h_prev + B_c @ x + b_c)
    o = 1 / (1 + np.exp(-(A_o @ h_prev + B_o @ x + C_o @ c + b_o)))
    h = o * np.tanh(c)
    return h.T, (c.T, h.T)
