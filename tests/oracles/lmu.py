"""Legendre memory unit of Voelker, Kajic & Eliasmith 2019, eq. 5-7. A sample is a column.

u_t = e_x . x_t + e_h . h_t-1 + e_m . m_t-1;  m_t = A m_t-1 + B u_t;  h_t = f(W_x x_t + W_h h_t-1 + W_m m_t)
"""

import numpy as np

SILENT = ("theta",)  # of initial values
TRIED = {"order": (None, 6), "theta": (1000.0, 20.0)}
ACTIVATIONS = {
    "linear": lambda v: v,
    "tanh": np.tanh,
    "softsign": lambda v: v / (1 + np.abs(v)),
}


def shapes(input, units, order=32, **_):
    """Weight name -> shape, in the order of the spec."""
    widths = {"x": input, "h": units, "m": order}
    encoders = {f"e_{name}": (width, 1) for name, width in widths.items()}
    kernels = {f"W_{name}": (width, units) for name, width in widths.items()}
    return encoders | kernels | {"A": (order, order), "B": (order,)}


def step(params, state, x, theta=1000.0, activation="tanh", order=32):
    """One step. x (batch, input), state (h, m) -> h (batch, units), (h, m)."""
    h, m, x = state[0].T, state[1].T, x.T
    u = sum(params[f"e_{name}"].T @ each for name, each in (("x", x), ("h", h), ("m", m)))
    m = params["A"] @ m + np.outer(params["B"], u)
    net = sum(params[f"W_{name}"].T @ each for name, each in (("x", x), ("h", h), ("m", m)))
    h = ACTIVATIONS[activation](net)
    return h.T, (h.T, m.T)
