"""Causal linear attention of Katharopoulos et al. 2020 (arXiv:2006.16236), eq. 16-20, head by head, sample by sample,
with phi(x) = elu(x) + 1.
"""

import numpy as np

SIZES = [{"input": 3, "units": 8, "batch": 4}, {"input": 5, "units": 12, "batch": 3}]
TRIED = {"heads": (None, 2)}


def shapes(input, units, heads=4):
    """Weight name -> shape, in the order of the spec."""
    return dict.fromkeys(("W_q", "W_k", "W_v"), (input, units))


def phi(x):
    return np.where(x > 0, x + 1, np.exp(np.minimum(x, 0)))


def step(params, state, x, heads=4):
    """One step. x (batch, input), state (S, n) -> y (batch, units), (S, n)."""
    S, n = (each.copy() for each in state)
    y = []
    for b, row in enumerate(x):
        q, k, v = (np.split(params[name].T @ row, heads) for name in ("W_q", "W_k", "W_v"))
        for h in range(heads):
            S[b, h] += phi(k[h])[:, None] @ v[h][None, :]
            n[b, h] += phi(k[h])
        y.append(np.concatenate([S[b, h].T @ phi(q[h]) / (phi(q[h]) @ n[b, h]) for h in range(heads)]))
    return np.array(y), (S, n)
