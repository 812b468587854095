"""Deep simple gated unit of Gao & Glowacka 2016 (arXiv:1604.02910), section 3.2. A sample is a column.

x_g = W_xh x_t + b_g;  z_g = sigma_1(W_zxh (x_g * h_t-1));  z_out = sigma_2(W_go (z_g * h_t-1))
z_t = sigma_3(W_xz x_t + b_z + W_hz h_t-1);  h_t = (1 - z_t) * h_t-1 + z_t * z_out
"""

import numpy as np

NAMES = ("W_xh", "W_zxh", "W_xz", "W_hz", "b_g", "b_z")

ACTIVATIONS = {
    "tanh": np.tanh,
    "sigmoid": lambda v: 1 / (1 + np.exp(-v)),
    "hard_sigmoid": lambda v: np.clip(v / 6 + 0.5, 0, 1),
    "softplus": lambda v: np.logaddexp(v, 0),
    "softsign": lambda v: v / (1 + np.abs(v)),
}


def shapes(input, units, **_):
    """Weight name -> shape, in the order of the spec."""
    from_x, from_h, bias = (input, units), (units, units), (units,)
    return dict(zip(NAMES, (from_x, from_h, from_x, from_h, bias, bias), strict=True)) | {"W_go": (units, units)}


def step(params, state, x, activation="tanh", output_activation="sigmoid", recurrent_activation="hard_sigmoid"):
    """One step. x (batch, input), state (h,) -> h (batch, units), (h,)."""
    W_xh, W_zxh, W_xz, W_hz, b_g, b_z = (np.atleast_2d(params[name]).T for name in NAMES)
    h, x = state[0].T, x.T
    x_g = W_xh @ x + b_g
    z_g = ACTIVATIONS[activation](W_zxh @ (x_g * h))
    z_out = ACTIVATIONS[output_activation](params["W_go"].T @ (z_g * h))
    z = ACTIVATIONS[recurrent_activation](W_xz @ x + b_z + W_hz @ h)
    h = (1 - z) * h + z * z_out
    return h.T, (h.T,)
