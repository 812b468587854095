"""Light recurrent unit of Ye et al. 2024 (Electronics 13(16), 3204), section 3.2. A sample is a column.

h~_t = tanh(W_h x_t);  f_t = sigma(W_f x_t + U_f h_t-1 + b_f);  h_t = (1 - f_t) * h_t-1 + f_t * h~_t
Blocks of W: h, f.
"""

import numpy as np


def shapes(input, units):
    """Weight name -> shape, in the order of the spec."""
    return {"W": (input, 2 * units), "U": (units, units), "b": (units,)}


def step(params, state, x):
    """One step. x (batch, input), state (h,) -> h (batch, units), (h,)."""
    h, x = state[0].T, x.T
    W_h, W_f = (W.T for W in np.hsplit(params["W"], 2))
    f = 1 / (1 + np.exp(-(W_f @ x + params["U"].T @ h + params["b"][:, None])))
    h = (1 - f) * h + f * np.tanh(W_h @ x)
    return h.T, (h.T,)
