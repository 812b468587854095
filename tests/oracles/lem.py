"""Long expressive memory of Rusch, Mishra, Erichson & Mahoney 2022 (arXiv:2110.04744), eq. 3. A sample is a column.

Dt_n = dt sigma^(W_1 y_n-1 + V_1 u_n + b_1);  bar Dt_n = dt sigma^(W_2 y_n-1 + V_2 u_n + b_2)
z_n = (1 - Dt_n) * z_n-1 + Dt_n * sigma(W_z y_n-1 + V_z u_n + b_z)
y_n = (1 - bar Dt_n) * y_n-1 + bar Dt_n * sigma(W_y z_n + V_y u_n + b_y)
Blocks of V and b: 2, 1, y, z; of W: 2, 1, z.
"""

import numpy as np

TRIED = {"dt": (1.0, 0.3)}


def sigma(v):
    return 1 / (1 + np.exp(-v))


def shapes(input, units, **_):
    """Weight name -> shape, in the order of the spec."""
    recurrent = {"W": (units, 3 * units), "W_y": (units, units)}
    return {"V": (input, 4 * units), "b": (4 * units,)} | recurrent


def step(params, state, x, dt=1.0):
    """One step. x (batch, input), state (y, z) -> y (batch, units), (y, z)."""
    y, z, u = state[0].T, state[1].T, x.T
    V_2, V_1, V_y, V_z = (V.T for V in np.hsplit(params["V"], 4))
    b_2, b_1, b_y, b_z = (b[:, None] for b in np.hsplit(params["b"], 4))
    W_2, W_1, W_z = (W.T for W in np.hsplit(params["W"], 3))
    Dt = dt * sigma(W_1 @ y + V_1 @ u + b_1)
    Dt_bar = dt * sigma(W_2 @ y + V_2 @ u + b_2)
    z = (1 - Dt) * z + Dt * np.tanh(W_z @ y + V_z @ u + b_z)
    y = (1 - Dt_bar) * y + Dt_bar * np.tanh(params["W_y"].T @ z + V_y @ u + b_y)
    return y.T, (y.T, z.T)
