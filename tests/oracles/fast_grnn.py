"""FastGRNN of Kusupati et al. 2018 (arXiv:1901.02358), section 3, low-rank or not. A sample is a column.

z_t = sigma(W x_t + U h_t-1 + b_z);  h~_t = tanh(W x_t + U h_t-1 + b_h)
h_t = (zeta (1 - z_t) + nu) * h~_t + z_t * h_t-1, zeta and nu being sigmoids of what is learned; W = W1 W2, U = U1 U2
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

TRIED = {"w_rank": (None, 2), "u_rank": (None, 3)}


def sigma(v):
    return 1 / (1 + np.exp(-v))


def shapes(input, units, w_rank=None, u_rank=None, **_):
    """Weight name -> shape, in the order of the spec."""
    weights = {"W1": (input, w_rank), "W2": (w_rank, units)} if w_rank else {"W": (input, units)}
    weights |= {"U1": (units, u_rank), "U2": (u_rank, units)} if u_rank else {"U": (units, units)}
    return weights | {"b_z": (units,), "b_h": (units,), "zeta": (1,), "nu": (1,)}


def step(params, state, x, activation="tanh", recurrent_activation="sigmoid"):
    """One step. x (batch, input), state (h,) -> h (batch, units), (h,)."""
    h = state[0].T
    W, U = (params[name] if name in params else params[f"{name}1"] @ params[f"{name}2"] for name in "WU")
    net = W.T @ x.T + U.T @ h
    z = ACTIVATIONS[recurrent_activation](net + params["b_z"][:, None])
    candidate = ACTIVATIONS[activation](net + params["b_h"][:, None])
    zeta, nu = sigma(params["zeta"].item()), sigma(params["nu"].item())
    h = (zeta * (1 - z) + nu) * candidate + z * h
    return h.T, (h.T,)
