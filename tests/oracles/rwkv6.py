"""The time mixing of RWKV-6, Finch (Peng et al. 2024, arXiv:2404.05892), head by head, sample by sample."""

import numpy as np

SIZES = [{"input": 3, "units": 8, "batch": 4}, {"input": 5, "units": 12, "batch": 3}]
TRIED = {"heads": (None, 2), "rank": (None, 2), "decay_rank": (None, 3)}


def shapes(input, units, heads=4, rank=32, decay_rank=64, **_):
    """Weight name -> shape, in the order of the spec."""
    shift = {"mu_x": (input,), "mu": (5, input), "A": (input, 5 * rank), "B": (5, rank, input)}
    square = dict.fromkeys(("W_r", "W_k", "W_v", "W_g"), (input, units))
    decay = {"w0": (units,), "A_w": (input, decay_rank), "B_w": (decay_rank, units), "u": (heads, units // heads)}
    return shift | square | decay | dict.fromkeys(("ln/scale", "ln/shift"), (heads, units // heads))


def step(params, state, x, heads=4, epsilon=1e-5):
    """One step. x (batch, input), state (S, x_last) -> y (batch, units), (S, x_last)."""
    S, x_last, y = state[0].copy(), state[1], []
    for b, row in enumerate(x):

        def lerp(mu, row=row, last=x_last[b]):
            return row + (last - row) * mu

        low = np.split(np.tanh(lerp(params["mu_x"]) @ params["A"]), 5)
        w, k, v, r, g = (lerp(mu + each @ B) for mu, each, B in zip(params["mu"], low, params["B"]))
        d = np.split(params["w0"] + np.tanh(w @ params["A_w"]) @ params["B_w"], heads)
        r, k, v, g = (np.split(each @ params[f"W_{n}"], heads) for n, each in zip("rkvg", (r, k, v, g)))
        out = []
        for h in range(heads):
            kv = np.outer(k[h], v[h])
            o = r[h] @ (S[b, h] + params["u"][h][:, None] * kv)
            S[b, h] = np.exp(-np.exp(d[h]))[:, None] * S[b, h] + kv
            normed = (o - o.mean()) / np.sqrt(o.var() + epsilon) * params["ln/scale"][h] + params["ln/shift"][h]
            out.append(g[h] / (1 + np.exp(-g[h])) * normed)
        y.append(np.concatenate(out))
    return np.array(y), (S, x)
