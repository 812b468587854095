"""GRU with both projections normalised, as haste prints it: vx = LN(W x) + b, vh = LN(R h) + b_r. A sample is a column.

z, r = sigma(vx + vh);  g = tanh(vx + r * vh);  h = z * h + (1 - z) * g.  Blocks of the fused weights: z, r, h.
"""

import numpy as np


def sigma(v):
    return 1 / (1 + np.exp(-v))


def shapes(input, units, **_):
    """Weight name -> shape, in the order of the spec."""
    weights = {"kernel": (input, 3 * units), "recurrent_kernel": (units, 3 * units)}
    return weights | dict.fromkeys(("bias", "recurrent_bias", "ln_x/scale", "ln_h/scale"), (3 * units,))


def step(params, state, x, epsilon=1e-5):
    """One step. x (batch, input), state (h,) -> h (batch, units), (h,)."""

    def LN(v, gamma):
        """Of a sample's column."""
        mean = v.mean(axis=0)
        return (v - mean) / np.sqrt(((v - mean) ** 2).mean(axis=0) + epsilon) * gamma[:, None]

    h = state[0].T
    v_x = LN(params["kernel"].T @ x.T, params["ln_x/scale"]) + params["bias"][:, None]
    v_h = LN(params["recurrent_kernel"].T @ h, params["ln_h/scale"]) + params["recurrent_bias"][:, None]
    (x_z, x_r, x_g), (h_z, h_r, h_g) = np.split(v_x, 3), np.split(v_h, 3)
    z = sigma(x_z + h_z)
    g = np.tanh(x_g + sigma(x_r + h_r) * h_g)
    h = z * h + (1 - z) * g
    return h.T, (h.T,)
