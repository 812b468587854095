"""Minimal gated unit with the reset after the matmul, as flax.linen's MGUCell prints it. A sample is a column.

f = sigma(W_if x + b_if + W_hf h);  n = tanh(W_in x + b_in + f * (W_hn h + b_hn));  h' = (1 - f) * n + f * h
Blocks of the fused weights: f, h.
"""

import numpy as np

ACTIVATIONS = {
    "linear": lambda v: v,
    "tanh": np.tanh,
    "sigmoid": lambda v: 1 / (1 + np.exp(-v)),
    "hard_sigmoid": lambda v: np.clip(v / 6 + 0.5, 0, 1),
    "relu": lambda v: np.maximum(v, 0),
    "softsign": lambda v: v / (1 + np.abs(v)),
}


def shapes(input, units, **_):
    """Weight name -> shape, in the order of the spec."""
    return {
        "kernel": (input, 2 * units),
        "recurrent_kernel": (units, 2 * units),
        "bias": (2 * units,),
        "recurrent_bias": (units,),
    }


def step(params, state, x, activation="tanh", recurrent_activation="sigmoid"):
    """One step. x (batch, input), state (h,) -> h (batch, units), (h,)."""
    h, x = state[0].T, x.T
    W_if, W_in = (W.T for W in np.hsplit(params["kernel"], 2))
    W_hf, W_hn = (W.T for W in np.hsplit(params["recurrent_kernel"], 2))
    b_if, b_in = (b[:, None] for b in np.hsplit(params["bias"], 2))
    f = ACTIVATIONS[recurrent_activation](W_if @ x + b_if + W_hf @ h)
    n = ACTIVATIONS[activation](W_in @ x + b_in + f * (W_hn @ h + params["recurrent_bias"][:, None]))
    h = (1 - f) * n + f * h
    return h.T, (h.T,)
