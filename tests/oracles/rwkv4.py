"""The time mixing of RWKV-4 (Peng et al. 2023, arXiv:2305.13048), appendix D: what is read is the weighted mean of
eq. 14, in plain sums, which the divided ones are brought back to by exp(p). A sample is a row.
"""

import numpy as np


def shapes(input, units):
    """Weight name -> shape, in the order of the spec."""
    weights = dict.fromkeys(("mu_r", "mu_k", "mu_v"), (input,)) | dict.fromkeys(("W_r", "W_k", "W_v"), (input, units))
    return weights | {"w": (units,), "u": (units,)}


def step(params, state, x):
    """One step. x (batch, input), state (a, b, p, x_last) -> y (batch, units), (a, b, p, x_last)."""
    a, b, p, x_last = state
    r, k, v = ((params[f"mu_{n}"] * (x - x_last) + x_last) @ params[f"W_{n}"] for n in "rkv")
    total, weight = np.exp(p) * a, np.exp(p) * b
    present = np.exp(params["u"] + k)
    wkv = (total + present * v) / (weight + present)
    decay = np.exp(-np.exp(params["w"]))
    total, weight = decay * total + np.exp(k) * v, decay * weight + np.exp(k)
    p = np.maximum(p - np.exp(params["w"]), k)
    return wkv / (1 + np.exp(-r)), (total / np.exp(p), weight / np.exp(p), p, x)
