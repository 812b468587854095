"""Residual recurrent unit of Zakovskis et al. 2021 (arXiv:2108.00527), as its code normalises. A sample is a column.

j = ReLU(norm(W_j [x, h] + b_j));  c = W_c j + b_c;  h = sigma(10 S) * h + Z * c;  o = W_o j + b_o
"""

import numpy as np

TRIED = {"middle": (None, 9)}


def sigma(v):
    return 1 / (1 + np.exp(-v))


def shapes(input, units, middle=256, width=None, **_):
    """Weight name -> shape, in the order of the spec."""
    width = width or units
    hidden = {"W_x": (input, middle), "W_h": (units, middle), "b_j": (middle,), "S": (units,)}
    heads = {"W_c": (middle, units), "b_c": (units,), "W_o": (middle, width), "b_o": (width,)}
    return hidden | heads | {"Z": (units,), "h_0": (units,)}


def step(params, state, x, epsilon=1e-6):
    """One step. x (batch, input), state (h,) -> o (batch, width), (h,)."""
    h = state[0].T
    net = np.vstack([params["W_x"], params["W_h"]]).T @ np.vstack([x.T, h]) + params["b_j"][:, None]
    j = np.maximum(net / np.sqrt(np.mean(net**2, axis=0) + epsilon), 0)
    c = params["W_c"].T @ j + params["b_c"][:, None]
    h = sigma(10 * params["S"][:, None]) * h + params["Z"][:, None] * c
    o = params["W_o"].T @ j + params["b_o"][:, None]
    return o.T, (h.T,)
