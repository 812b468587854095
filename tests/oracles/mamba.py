"""The selective state space of Gu & Dao 2023 (arXiv:2312.00752), algorithm 2, channel by channel, discretised as in the
authors' code: A by zero-order hold, B by Euler.
"""

import numpy as np

SIZES = [{"input": 5, "units": 5, "batch": 4}, {"input": 3, "units": 3, "batch": 7}]
TRIED = {"order": (None, 4), "rank": (None, 2)}


def shapes(input, units, order=16, rank=1):
    """Weight name -> shape, in the order of the spec."""
    weights = {"W_dt": (units, rank), "V_dt": (rank, units), "b_dt": (units,)}
    return weights | {"W_B": (units, order), "W_C": (units, order), "A_log": (units, order), "D": (units,)}


def step(params, state, x):
    """One step. x (batch, units), state (h,) -> y (batch, units), (h,)."""
    h, y = state[0].copy(), np.empty_like(x)
    dt = np.logaddexp(x @ (params["W_dt"] @ params["V_dt"]) + params["b_dt"], 0)
    for b, row in enumerate(x):
        B, C = params["W_B"].T @ row, params["W_C"].T @ row
        for d, u in enumerate(row):
            A = np.diag(-np.exp(params["A_log"][d]))
            h[b, d] = np.diag(np.exp(dt[b, d] * np.diag(A))) @ h[b, d] + dt[b, d] * B * u
            y[b, d] = C @ h[b, d] + params["D"][d] * u
    return y, (h,)
