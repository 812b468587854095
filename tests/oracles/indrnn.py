"""IndRNN of Li et al. 2018 (arXiv:1803.04831), neuron by neuron: h_n,t = sigma(w_n x_t + u_n h_n,t-1 + b_n)."""

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


def shapes(input, units, **_):
    """Weight name -> shape, in the order of the spec."""
    return {"kernel": (input, units), "recurrent_kernel": (units,), "bias": (units,)}


def step(params, state, x, activation="relu"):
    """One step. x (batch, input), state (h,) -> h (batch, units), (h,)."""
    (h_prev,) = state
    neurons = [
        x @ w_n + u_n * h_prev[:, n] + b_n
        for n, (w_n, u_n, b_n) in enumerate(
            zip(params["kernel"].T, params["recurrent_kernel"], params["bias"], strict=True)
        )
    ]
    h = ACTIVATIONS[activation](np.stack(neurons, axis=1))
    return h, (h,)
