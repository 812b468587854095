"""DeltaNet of Yang et al. 2024 (arXiv:2406.06484), section 2.2: S = S' (I - beta k k^T) + beta v k^T and o = S q with S
(value, key), head by head and sample by sample; keys and queries silu, then of length one; values silu.
"""

import numpy as np

SIZES = [{"input": 3, "units": 8, "batch": 4}, {"input": 5, "units": 12, "batch": 3}]
TRIED = {"heads": (None, 2), "epsilon": (1e-6, 0.3)}


def shapes(input, units, heads=4, **_):
    """Weight name -> shape, in the order of the spec."""
    return dict.fromkeys(("W_q", "W_k", "W_v"), (input, units)) | {"W_b": (input, heads)}


def silu(x):
    return x / (1 + np.exp(-x))


def step(params, state, x, heads=4, negative_eigenvalues=False, epsilon=1e-6):
    """One step. x (batch, input), state (S,) -> y (batch, units), (S,)."""
    S, y = state[0].copy(), []
    for b, row in enumerate(x):
        q, k, v = (np.split(silu(row @ params[name]), heads) for name in ("W_q", "W_k", "W_v"))
        beta = (2 if negative_eigenvalues else 1) / (1 + np.exp(-row @ params["W_b"]))
        out = []
        for h in range(heads):
            query, key = (each[h] / np.sqrt(each[h] @ each[h] + epsilon) for each in (q, k))
            new = S[b, h].T @ (np.eye(len(key)) - beta[h] * np.outer(key, key)) + beta[h] * np.outer(v[h], key)
            S[b, h] = new.T
            out.append(new @ query)
        y.append(np.concatenate(out))
    return np.array(y), (S,)
