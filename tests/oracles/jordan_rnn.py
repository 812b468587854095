"""Jordan's network (1986), without traces: h_t = f(W x_t + U y_t-1 + b);  y_t = g(V h_t + c). A sample is a column."""

import numpy as np

ACTIVATIONS = {
    "linear": lambda v: v,
    "tanh": np.tanh,
    "sigmoid": lambda v: 1 / (1 + np.exp(-v)),
    "relu": lambda v: np.maximum(v, 0),
    "softsign": lambda v: v / (1 + np.abs(v)),
}


def shapes(input, units, width=None, **_):
    """Weight name -> shape, in the order of the spec."""
    width = width or units
    hidden = {"kernel": (input, units), "recurrent_kernel": (width, units), "bias": (units,)}
    return hidden | {"output_kernel": (units, width), "output_bias": (width,)}


def step(params, state, x, activation="sigmoid", output_activation="sigmoid"):
    """One step. x (batch, input), state (y,) -> y (batch, width), (y,)."""
    hidden = params["kernel"].T @ x.T + params["recurrent_kernel"].T @ state[0].T + params["bias"][:, None]
    h = ACTIVATIONS[activation](hidden)
    y = ACTIVATIONS[output_activation](params["output_kernel"].T @ h + params["output_bias"][:, None])
    return y.T, (y.T,)
