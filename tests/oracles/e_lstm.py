"""eLSTM of Irie et al. 2023 (arXiv:2305.19044), one unit after the other: only the output gate couples them.

F, Z and O are the blocks of `kernel`, on x.
"""

import numpy as np


def sigma(v):
    return 1 / (1 + np.exp(-v))


def shapes(input, units, **_):
    """Weight name -> shape, in the order of the spec."""
    return {
        "kernel": (input, 3 * units),
        "w_f": (units,),
        "w_z": (units,),
        "W_o": (units, units),
        "bias": (3 * units,),
    }


def step(params, state, x):
    """One step. x (batch, input), state (c,) -> h (batch, units), (c,)."""
    (c_prev,) = state
    n = c_prev.shape[1]
    c = np.empty_like(c_prev)
    for k in range(n):
        F, Z = params["kernel"][:, k], params["kernel"][:, n + k]
        f = sigma(x @ F + params["bias"][k] + params["w_f"][k] * c_prev[:, k])
        z = np.tanh(x @ Z + params["bias"][n + k] + params["w_z"][k] * c_prev[:, k])
        c[:, k] = f * c_prev[:, k] + (1 - f) * z
    O, W = params["kernel"][:, 2 * n :].T, params["W_o"].T  # noqa: E741 - the paper's name
    o = sigma((O @ x.T + W @ c.T).T + params["bias"][2 * n :])
    return o * c, (c,)
