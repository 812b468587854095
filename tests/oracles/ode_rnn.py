"""ODE-RNN of Rubanova, Chen & Duvenaud 2019 (arXiv:1907.03907), algorithm 1: h' = ODESolve(f, h, dt); h = GRU(h', x).

The solver is one Euler step, f(h) = F_2 tanh(F_1 h + b_1) + b_2, and the GRU that of `tests/oracles/gru.py`.
"""

import numpy as np

from tests.oracles import gru

ACTIVATIONS = gru.ACTIVATIONS
TRIED = {"hidden": (None, 4)}


def shapes(input, units, use_bias=True, hidden=None, **_):
    """Weight name -> shape, in the order of the spec."""
    hidden = units if hidden is None else hidden
    drift = {"F_1": (units, hidden), "b_1": (hidden,), "F_2": (hidden, units), "b_2": (units,)}
    return gru.shapes(input, units, use_bias) | drift


def step(params, state, x, activation="tanh", recurrent_activation="sigmoid", use_bias=True):
    """One step. x of x (batch, input) and elapsed (batch, 1), state (h,) -> h (batch, units), (h,)."""
    x, dt = x
    F_1, b_1, F_2, b_2 = (params[name] for name in ("F_1", "b_1", "F_2", "b_2"))
    h = state[0] + dt * (np.tanh(state[0] @ F_1 + b_1) @ F_2 + b_2)
    return gru.step(params, (h,), x, activation, recurrent_activation, use_bias)
