"""The time mixing of RWKV-5, Eagle (Peng et al. 2024, arXiv:2404.05892), head by head and sample by sample."""

import numpy as np

SIZES = [{"input": 3, "units": 8, "batch": 4}, {"input": 5, "units": 12, "batch": 3}]
TRIED = {"heads": (None, 2)}


def shapes(input, units, heads=4, **_):
    """Weight name -> shape, in the order of the spec."""
    square = dict.fromkeys(("W_r", "W_k", "W_v", "W_g"), (input, units))
    lanes = dict.fromkeys(("w", "u"), (heads, units // heads))
    return {"mu": (4, input)} | square | lanes | dict.fromkeys(("ln/scale", "ln/shift"), (heads, units // heads))


def step(params, state, x, heads=4, epsilon=1e-5):
    """One step. x (batch, input), state (S, x_last) -> y (batch, units), (S, x_last)."""
    S, x_last, y = state[0].copy(), state[1], []
    for b, row in enumerate(x):
        mixed = [mu * x_last[b] + (1 - mu) * row for mu in params["mu"]]
        r, k, v, g = (np.split(each @ params[f"W_{n}"], heads) for n, each in zip("rkvg", mixed))
        out = []
        for h in range(heads):
            wkv = S[b, h] + np.diag(params["u"][h]) @ np.outer(k[h], v[h])
            S[b, h] = np.diag(np.exp(-np.exp(params["w"][h]))) @ S[b, h] + np.outer(k[h], v[h])
            o = r[h] @ wkv
            normed = (o - o.mean()) / np.sqrt(o.var() + epsilon) * params["ln/scale"][h] + params["ln/shift"][h]
            out.append(g[h] / (1 + np.exp(-g[h])) * normed)
        y.append(np.concatenate(out))
    return np.array(y), (S, x)
