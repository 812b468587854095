"""GRU with the reset after the matmul: Cho et al. 2014 (arXiv:1406.1078v1), with cuDNN's biases. A sample is a column.

cuDNN writes i_t = sigma(W_i x + R_i h + b_Wi + b_Ri), r alike, h' = tanh(W_h x + r * (R_h h + b_Rh) + b_Wh),
h_t = (1 - i_t) * h' + i_t * h. Blocks of the fused weights, as in Keras: update (z), reset (r), candidate (h).
"""

import numpy as np

ACTIVATIONS = {
    "linear": lambda v: v,
    "tanh": np.tanh,
    "sigmoid": lambda v: 1 / (1 + np.exp(-v)),
    "hard_sigmoid": lambda v: np.clip(v / 6 + 0.5, 0, 1),
    "relu": lambda v: np.maximum(v, 0),
    "elu": lambda v: np.where(v > 0, v, np.expm1(np.minimum(v, 0))),
    "softplus": lambda v: np.logaddexp(v, 0),
    "softsign": lambda v: v / (1 + np.abs(v)),
}


def shapes(input, units, use_bias=True, **_):
    """Weight name -> shape, in the order of the spec."""
    weights = {"kernel": (input, 3 * units), "recurrent_kernel": (units, 3 * units), "bias": (2, 3 * units)}
    return {name: shape for name, shape in weights.items() if use_bias or name != "bias"}


def step(params, state, x, activation="tanh", recurrent_activation="sigmoid", use_bias=True):
    """One step. x (batch, input), state (h,) -> h (batch, units), (h,)."""
    squash, gate = ACTIVATIONS[activation], ACTIVATIONS[recurrent_activation]
    h, x = state[0].T, x.T
    n = len(h)
    W_z, W_r, W_h = (params["kernel"][:, k * n : (k + 1) * n].T for k in range(3))
    R_z, R_r, R_h = (params["recurrent_kernel"][:, k * n : (k + 1) * n].T for k in range(3))
    b_W, b_R = params["bias"] if use_bias else np.zeros((2, 3 * n))
    b_Wz, b_Wr, b_Wh = b_W.reshape(3, n, 1)
    b_Rz, b_Rr, b_Rh = b_R.reshape(3, n, 1)

    update = gate(W_z @ x + R_z @ h + b_Wz + b_Rz)
    reset = gate(W_r @ x + R_r @ h + b_Wr + b_Rr)
    candidate = squash(W_h @ x + reset * (R_h @ h + b_Rh) + b_Wh)
    new = update * h + (1 - update) * candidate
    return new.T, (new.T,)
