"""ODE-LSTM of Lechner & Hasani 2020 (arXiv:2006.04418), algorithm 1: (h', c) = LSTM(x, h, c); h = ODESolve(f, h', dt).

The solver is three Euler steps, f(h) = F_2 tanh(F_1 h + b_1) + b_2, and the LSTM that of `tests/oracles/lstm.py`.
"""

import numpy as np

from tests.oracles import lstm

ACTIVATIONS = lstm.ACTIVATIONS

SILENT = ("unit_forget_bias",)
TRIED = {"hidden": (None, 4)}


def shapes(input, units, use_bias=True, hidden=None, **_):
    """Weight name -> shape, in the order of the spec."""
    hidden = hidden or units
    drift = {"F_1": (units, hidden), "b_1": (hidden,), "F_2": (hidden, units), "b_2": (units,)}
    return lstm.shapes(input, units, use_bias=use_bias) | drift


def step(params, state, x, activation="tanh", recurrent_activation="sigmoid", use_bias=True, unit_forget_bias=True):
    """One step. x of x (batch, input) and elapsed (batch, 1), state (h, c) -> h (batch, units), (h, c)."""
    x, dt = x
    F_1, b_1, F_2, b_2 = (params[name] for name in ("F_1", "b_1", "F_2", "b_2"))
    h, (_, c) = lstm.step(
        params,
        state,
        x,
        activation=activation,
        recurrent_activation=recurrent_activation,
        use_bias=use_bias,
        unit_forget_bias=unit_forget_bias,
    )
    for _ in range(3):
        h = h + (np.tanh(h @ F_1 + b_1) @ F_2 + b_2) * dt / 3
    return h, (h, c)
