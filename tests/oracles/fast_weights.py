"""Fast weights of Ba et al. 2016 (arXiv:1610.06258), one inner step.

A(t) = lambda A(t-1) + eta h(t) h(t)^T;  h_0(t+1) = f(W h(t) + C x(t))
h_1(t+1) = f(LN[W h(t) + C x(t) + A(t) h_0(t+1)]). A sample by itself; A is symmetric. A bias is added to the sum.
"""

import numpy as np

ACTIVATIONS = {
    "relu": lambda v: np.maximum(v, 0),
    "tanh": np.tanh,
    "linear": lambda v: v,
    "sigmoid": lambda v: 1 / (1 + np.exp(-v)),
}
TRIED = {"decay": (0.95, 0.2), "rate": (0.5, 1.0)}


def shapes(input, units, use_norm=True, **_):
    found = {"C": (input, units), "W": (units, units), "b": (units,)}
    return found | ({"ln/scale": (units,), "ln/shift": (units,)} if use_norm else {})


def step(params, state, x, activation="relu", use_norm=True, decay=0.95, rate=0.5, epsilon=1e-5):
    """One step. x (batch, input), state (h, A) -> h (batch, units), (h, A (batch, units, units))."""
    f, hidden, fast = ACTIVATIONS[activation], [], []
    for h, A, x_t in zip(*state, x):
        A = decay * A + rate * h[:, None] * h[None, :]
        slow = params["W"].T @ h + params["C"].T @ x_t + params["b"]
        a = slow + A.T @ f(slow)  # a state that is given need not be symmetric
        if use_norm:
            a = (a - a.mean()) / np.sqrt(((a - a.mean()) ** 2).mean() + epsilon)
            a = a * params["ln/scale"] + params["ln/shift"]
        hidden.append(f(a))
        fast.append(A)
    return np.array(hidden), (np.array(hidden), np.array(fast))
