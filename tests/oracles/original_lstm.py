"""LSTM of Hochreiter & Schmidhuber 1997, one memory cell a block: no forget gate. A sample is a column.

y_in = f(net_in), y_out = f(net_out), s = s_prev + y_in g(net_c), y = y_out h(s), with the paper's f, g (3) and h (4):
f(v) = 1 / (1 + exp(-v)), h(v) = 2 / (1 + exp(-v)) - 1, g(v) = 4 / (1 + exp(-v)) - 2. Blocks of the weights: in, c, out.
"""

import numpy as np


def f(v):
    return 1 / (1 + np.exp(-v))


def shapes(input, units, **_):
    """Weight name -> shape, in the order of the spec."""
    return {"kernel": (input, 3 * units), "recurrent_kernel": (units, 3 * units), "bias": (3 * units,)}


def step(params, state, x, squash="logistic"):
    """One step. x (batch, input), state (h, c) -> h (batch, units), (h, c)."""
    y_prev, s_prev, x = state[0].T, state[1].T, x.T
    n = len(y_prev)
    W, U, b = params["kernel"].T, params["recurrent_kernel"].T, params["bias"][:, None]
    net_in, net_c, net_out = (W[k : k + n] @ x + U[k : k + n] @ y_prev + b[k : k + n] for k in (0, n, 2 * n))
    g = {"logistic": lambda v: 4 / (1 + np.exp(-v)) - 2, "tanh": np.tanh}[squash]
    h = {"logistic": lambda v: 2 / (1 + np.exp(-v)) - 1, "tanh": np.tanh}[squash]
    s = s_prev + f(net_in) * g(net_c)
    y = f(net_out) * h(s)
    return y.T, (y.T, s.T)
