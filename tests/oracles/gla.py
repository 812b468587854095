"""Gated linear attention of Yang et al. 2023 (arXiv:2312.06635), section 4.4, head by head and sample by sample:
S = Diag(alpha) S' + k^T v, o = q S, alpha = sigmoid(x W1 W2 + b)^(1 / temperature).
"""

import numpy as np

SIZES = [{"input": 3, "units": 8, "batch": 4}, {"input": 5, "units": 12, "batch": 3}]
TRIED = {"heads": (None, 2), "rank": (None, 3), "temperature": (16.0, 2.0)}


def shapes(input, units, heads=4, rank=16, **_):
    """Weight name -> shape, in the order of the spec."""
    square = dict.fromkeys(("W_q", "W_k", "W_v"), (input, units))
    return square | {"W_a1": (input, rank), "W_a2": (rank, units), "b_a": (units,)}


def step(params, state, x, heads=4, temperature=16.0):
    """One step. x (batch, input), state (S,) -> y (batch, units), (S,)."""
    S, y = state[0].copy(), []
    for b, row in enumerate(x):
        q, k, v = (np.split(row @ params[name], heads) for name in ("W_q", "W_k", "W_v"))
        logits = row @ (params["W_a1"] @ params["W_a2"]) + params["b_a"]
        alpha = np.split((1 / (1 + np.exp(-logits))) ** (1 / temperature), heads)
        for h in range(heads):
            S[b, h] = np.diag(alpha[h]) @ S[b, h] + k[h][:, None] * v[h]
        y.append(np.concatenate([q[h] @ S[b, h] for h in range(heads)]))
    return np.array(y), (S,)
