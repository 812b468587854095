"""Closed-form continuous-time cell of Hasani et al. 2022 (arXiv:2106.13898), as ncps names its weights.

s = 1.7159 tanh(0.666 (W [x, h] + b));  gate: h = tanh(ff1) * (1 - t) + tanh(ff2) * t with t = sigma(-t_a dt + t_b)
no_gate: h = tanh(ff1) + tanh(ff2) * t;  pure: h = -A exp(-dt (|w_tau| + |ff1|)) ff1 + A.  A sample is a column.
"""

import numpy as np

TRIED = {"backbone": (None, 7)}


def sigma(v):
    return 1 / (1 + np.exp(-v))


def shapes(input, units, mode="gate", backbone=128):
    """Weight name -> shape, in the order of the spec."""
    weights = {"W_x": (input, backbone), "W_h": (units, backbone), "b": (backbone,)}
    weights |= {"W_1": (backbone, units), "b_1": (units,)}
    if mode == "pure":
        return weights | {"w_tau": (units,), "A": (units,)}
    return weights | {
        f"{name}_{head}": shape for head in "2ab" for name, shape in (("W", (backbone, units)), ("b", (units,)))
    }


def step(params, state, x, mode="gate", backbone=128):
    """One step. x of x (batch, input) and elapsed (batch, 1), state (h,) -> h (batch, units), (h,)."""
    x, dt = x[0].T, x[1].T
    net = np.vstack([params["W_x"], params["W_h"]]).T @ np.vstack([x, state[0].T]) + params["b"][:, None]
    s = 1.7159 * np.tanh(0.666 * net)

    def head(name):
        return params[f"W_{name}"].T @ s + params[f"b_{name}"][:, None]

    if mode == "pure":
        A, w_tau = params["A"][:, None], params["w_tau"][:, None]
        h = -A * np.exp(-dt * (np.abs(w_tau) + np.abs(head("1")))) * head("1") + A
    else:
        t = sigma(-head("a") * dt + head("b"))
        h = np.tanh(head("1")) * (1 if mode == "no_gate" else 1 - t) + np.tanh(head("2")) * t
    return h.T, (h.T,)
