"""Gate variants of the GRU of Dey & Salem 2017 (arXiv:1701.05923), z keeping the old state. A sample is a column.

GRU1: z, r = sigma(U h_t-1 + b);  GRU2: sigma(U h_t-1);  GRU3: sigma(b).  Blocks of the gates' weights: z, r.
h~_t = g(W_h x_t + U_h (r * h_t-1) + b_h);  h_t = z * h_t-1 + (1 - z) * h~_t
"""

import numpy as np

ACTIVATIONS = {
    "linear": lambda v: v,
    "tanh": np.tanh,
    "sigmoid": lambda v: 1 / (1 + np.exp(-v)),
    "relu": lambda v: np.maximum(v, 0),
    "softsign": lambda v: v / (1 + np.abs(v)),
}


def sigma(v):
    return 1 / (1 + np.exp(-v))


def shapes(input, units, variant="GRU1", **_):
    """Weight name -> shape, in the order of the spec."""
    gates = {"gate_kernel": (units, 2 * units), "gate_bias": (2 * units,)}
    absent = {"GRU1": "", "GRU2": "gate_bias", "GRU3": "gate_kernel"}[variant]
    candidate = {"W_h": (input, units), "U_h": (units, units), "b_h": (units,)}
    return {name: shape for name, shape in gates.items() if name != absent} | candidate


def step(params, state, x, variant="GRU1", activation="tanh"):
    """One step. x (batch, input), state (h,) -> h (batch, units), (h,)."""
    h = state[0].T
    n = len(h)
    net = np.zeros((2 * n, h.shape[1]))
    if variant in ("GRU1", "GRU2"):
        net += params["gate_kernel"].T @ h
    if variant in ("GRU1", "GRU3"):
        net += params["gate_bias"][:, None]
    z, r = sigma(net[:n]), sigma(net[n:])
    candidate = params["W_h"].T @ x.T + params["U_h"].T @ (r * h) + params["b_h"][:, None]
    h = z * h + (1 - z) * ACTIVATIONS[activation](candidate)
    return h.T, (h.T,)
