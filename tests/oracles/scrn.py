"""SCRN of Mikolov et al. 2014 (arXiv:1412.7753), section 3, without the softmax over y. A sample is a column.

s_t = (1 - alpha) B x_t + alpha s_t-1;  h_t = sigma(P s_t + A x_t + R h_t-1);  y_t = f(U h_t + V s_t)
"""

import numpy as np


def sigmoid(v):
    return 1 / (1 + np.exp(-v))


def shapes(input, units, context=40, width=None, **_):
    """Weight name -> shape, in the order of the spec."""
    width = units if width is None else width
    return {
        "A": (input, units),
        "B": (input, context),
        "P": (context, units),
        "R": (units, units),
        "U": (units, width),
        "V": (context, width),
    }


def step(params, state, x, alpha=0.95, context=40, width=None):
    """One step. x (batch, input), state (s, h) -> y (batch, width), (s, h). The weights give the sizes."""
    A, B, P, R, U, V = (params[name].T for name in "ABPRUV")
    s_prev, h_prev, x = state[0].T, state[1].T, x.T
    s = (1 - alpha) * B @ x + alpha * np.eye(len(s_prev)) @ s_prev
    h = sigmoid(P @ s + A @ x + R @ h_prev)
    y = U @ h + V @ s
    return y.T, (s.T, h.T)
