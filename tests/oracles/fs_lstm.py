"""FS-LSTM-2 of Mujika, Meier & Steger 2017 (arXiv:1705.08639): F_1, S and F_2 are LSTM cells. A sample is a column.

h_F1 = F_1(h_F2 of the last step, x_t);  h_S = S(h_S, h_F1);  h_F2 = F_2(h_F1, h_S);  blocks: i, j, f, o
"""

import numpy as np

TRIED = {"slow": (None, 4)}


def sigma(v):
    return 1 / (1 + np.exp(-v))


def shapes(input, units, slow=None, **_):
    """Weight name -> shape, in the order of the spec."""
    slow = slow or units
    cells = {"1": (input, units), "s": (units, slow), "2": (slow, units)}
    return {
        f"{name}_{cell}": shape
        for cell, (width, n) in cells.items()
        for name, shape in (("W", (width, 4 * n)), ("U", (n, 4 * n)), ("b", (4 * n,)))
    }


def step(params, state, x, forget_bias=1.0, slow=None):
    """One step. x (batch, input), state (h, c, h_s, c_s) -> h (batch, units), (h, c, h_s, c_s)."""

    def LSTM(cell, read, h, c):
        W, U, b = (params[f"{name}_{cell}"].T for name in "WUb")
        i, j, f, o = np.split(W @ read + U @ h + b[:, None], 4)
        c = sigma(f + forget_bias) * c + sigma(i) * np.tanh(j)
        return sigma(o) * np.tanh(c), c

    h, c, h_s, c_s = (each.T for each in state)
    h, c = LSTM("1", x.T, h, c)
    h_s, c_s = LSTM("s", h, h_s, c_s)
    h, c = LSTM("2", h_s, h, c)
    return h.T, (h.T, c.T, h_s.T, c_s.T)
