"""The state space of Mamba-2 (Dao & Gu 2024, arXiv:2405.21060), as the one-step form of its authors' code, head by head
and sample by sample: S = exp(dt A) S' + dt x B^T, y = S C + D x.
"""

import numpy as np

SIZES = [{"input": 3, "units": 8, "batch": 4}, {"input": 5, "units": 12, "batch": 3}]
TRIED = {"heads": (None, 2), "order": (None, 3)}


def shapes(input, units, heads=4, order=128):
    """Weight name -> shape, in the order of the spec."""
    weights = {"W_x": (input, units), "W_B": (input, order), "W_C": (input, order), "W_dt": (input, heads)}
    return weights | dict.fromkeys(("dt_bias", "A_log", "D"), (heads,))


def silu(x):
    return x / (1 + np.exp(-x))


def step(params, state, x, heads=4):
    """One step. x (batch, input), state (S,) -> y (batch, units), (S,)."""
    S, y = state[0].copy(), []
    for b, row in enumerate(x):
        v, B, C = (silu(row @ params[name]) for name in ("W_x", "W_B", "W_C"))
        dt = np.log1p(np.exp(row @ params["W_dt"] + params["dt_bias"]))
        read = []
        for h, value in enumerate(np.split(v, heads)):
            S[b, h] = np.exp(dt[h] * -np.exp(params["A_log"][h])) * S[b, h] + np.outer(dt[h] * value, B)
            read.append(S[b, h] @ C + params["D"][h] * value)
        y.append(np.concatenate(read))
    return np.array(y), (S,)
