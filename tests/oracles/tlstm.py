"""Strongly typed LSTM of Balduzzi & Ghifary 2016 (arXiv:1602.02218). A sample is a column. Blocks: z, f, o.

z_t = V_z x_t-1 + W_z x_t + b_z;  f_t = sigma(V_f x_t-1 + W_f x_t + b_f);  o_t = tau(V_o x_t-1 + W_o x_t + b_o)
c_t = f_t * c_t-1 + (1 - f_t) * z_t;  h_t = c_t * o_t
"""

import numpy as np

ACTIVATIONS = {
    "linear": lambda v: v,
    "tanh": np.tanh,
    "sigmoid": lambda v: 1 / (1 + np.exp(-v)),
    "hard_sigmoid": lambda v: np.clip(v / 6 + 0.5, 0, 1),
    "relu": lambda v: np.maximum(v, 0),
    "softplus": lambda v: np.logaddexp(v, 0),
    "softsign": lambda v: v / (1 + np.abs(v)),
}


def sigma(v):
    return 1 / (1 + np.exp(-v))


def shapes(input, units, **_):
    """Weight name -> shape, in the order of the spec."""
    matrices = {"W": (input, 3 * units), "V": (input, 3 * units)}
    return matrices | dict.fromkeys(("b_z", "b_f", "b_o"), (units,))


def step(params, state, x, activation="tanh"):
    """One step. x (batch, input), state (c, x_last) -> h (batch, units), (c, x)."""
    c, x_last, x = state[0].T, state[1].T, x.T
    n = len(c)

    def typed(block, name):
        W, V = (params[each][:, block * n : (block + 1) * n].T for each in "WV")
        return V @ x_last + W @ x + params[name][:, None]

    z, f, o = typed(0, "b_z"), sigma(typed(1, "b_f")), ACTIVATIONS[activation](typed(2, "b_o"))
    c = f * c + (1 - f) * z
    return (c * o).T, (c.T, x.T)
