"""GRU of independent units, unit by unit, with biases; blocks of kernel and bias: z, r, h.

r_j = sigma([W_r x]_j + u_r,j h_j), z_j alike;  h~_j = phi([W x]_j + u_j r_j h_j);  h_j = z_j h_j + (1 - z_j) h~_j
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
    vectors = dict.fromkeys(("u_z", "u_r", "u_h"), (units,))
    return {"kernel": (input, 3 * units)} | vectors | {"bias": (3 * units,)}


def step(params, state, x, activation="tanh"):
    """One step. x (batch, input), state (h,) -> h (batch, units), (h,)."""
    new = []
    for j, h_j in enumerate(state[0].T):
        n = len(params["u_z"])
        from_x = [x @ params["kernel"][:, j + block * n] + params["bias"][j + block * n] for block in range(3)]
        z_j = sigma(from_x[0] + params["u_z"][j] * h_j)
        r_j = sigma(from_x[1] + params["u_r"][j] * h_j)
        candidate = ACTIVATIONS[activation](from_x[2] + params["u_h"][j] * r_j * h_j)
        new.append(z_j * h_j + (1 - z_j) * candidate)
    h = np.stack(new, axis=1)
    return h, (h,)
