"""The time mixing of RWKV-7, Goose (Peng et al. 2025, arXiv:2503.14456), section 4.1, a first layer's, head by head and
sample by sample, with the state as a matrix (value, key): S = S' (diag(w) - kappa^T (a * kappa)) + v^T k.
"""

import numpy as np

SIZES = [{"input": 3, "units": 8, "batch": 4}, {"input": 5, "units": 12, "batch": 3}]
TRIED = {
    "heads": (None, 2),
    "decay_rank": (None, 3),
    "rate_rank": (None, 2),
    "gate_rank": (None, 4),
    "epsilon": (6.4e-4, 0.3),
    "key_epsilon": (1e-12, 0.2),
}


def shapes(input, units, heads=4, decay_rank=64, rate_rank=64, gate_rank=128, **_):
    """Weight name -> shape, in the order of the spec."""
    weights = {"mu": (6, input)} | dict.fromkeys(("W_r", "W_k", "W_v"), (input, units))
    weights |= {"w0": (units,), "A_w": (input, decay_rank), "B_w": (decay_rank, units)}
    weights |= {"a0": (units,), "A_a": (input, rate_rank), "B_a": (rate_rank, units)}
    weights |= {"A_g": (input, gate_rank), "B_g": (gate_rank, units)}
    return weights | dict.fromkeys(("xi", "eta", "rho", "ln/scale", "ln/shift"), (heads, units // heads))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def step(params, state, x, heads=4, epsilon=6.4e-4, key_epsilon=1e-12):
    """One step. x (batch, input), state (S, x_last) -> y (batch, units), (S, x_last)."""
    p, S, x_last, y = params, state[0].copy(), state[1], []
    for b, row in enumerate(x):
        x_r, x_w, x_k, x_v, x_a, x_g = (mu * x_last[b] + (1 - mu) * row for mu in p["mu"])
        w = np.exp(-np.exp(-0.5) * sigmoid(np.tanh(x_w @ p["A_w"]) @ p["B_w"] + p["w0"]))
        a, g = sigmoid(p["a0"] + x_a @ p["A_a"] @ p["B_a"]), sigmoid(x_g @ p["A_g"]) @ p["B_g"]
        vectors = (x_r @ p["W_r"], x_k @ p["W_k"], x_v @ p["W_v"], w, a, g)
        out = []
        for h, (r, k, v, w, a, g) in enumerate(zip(*(np.split(each, heads) for each in vectors))):
            kappa = k * p["xi"][h]
            kappa = kappa / np.sqrt((kappa**2).sum() + key_epsilon)
            k = k + k * (a - 1) * p["eta"][h]
            new = S[b, h].T @ (np.diag(w) - np.outer(kappa, a * kappa)) + np.outer(v, k)
            S[b, h] = new.T
            o = new @ r
            o = (o - o.mean()) / np.sqrt(o.var() + epsilon) * p["ln/scale"][h] + p["ln/shift"][h]
            out.append(g * (o + (r * p["rho"][h] * k).sum() * v))
        y.append(np.concatenate(out))
    return np.array(y), (S, x)
