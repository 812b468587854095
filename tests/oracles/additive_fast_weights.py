"""The sum rule of Schlag, Irie & Schmidhuber 2021 (arXiv:2102.11174), section 3, without a map of keys and queries:
W = W' + v k^T, y = W q, with W (value, key), head by head and sample by sample.
"""

import numpy as np

SIZES = [{"input": 3, "units": 8, "batch": 4}, {"input": 5, "units": 12, "batch": 3}]
TRIED = {"heads": (None, 2)}


def shapes(input, units, heads=4):
    """Weight name -> shape, in the order of the spec."""
    return dict.fromkeys(("W_q", "W_k", "W_v"), (input, units))


def step(params, state, x, heads=4):
    """One step. x (batch, input), state (S,) -> y (batch, units), (S,)."""
    (S,) = state
    new, y = np.empty_like(S), []
    for b, row in enumerate(x):
        q, k, v = (np.split(params[name].T @ row, heads) for name in ("W_q", "W_k", "W_v"))
        W = [S[b, h].T + np.outer(v[h], k[h]) for h in range(heads)]
        new[b] = [each.T for each in W]
        y.append(np.concatenate([W[h] @ q[h] for h in range(heads)]))
    return np.array(y), (new,)
