"""The neural memory of Titans (Behrouz, Zhong & Mirrokni 2024, arXiv:2501.00663), eq. 8-15, with a linear memory, head
by head and sample by sample; M is (value, key), and the loss's gradient by it 2 (M k - v) k^T.
"""

import numpy as np

SIZES = [{"input": 3, "units": 8, "batch": 4}, {"input": 5, "units": 12, "batch": 3}]
TRIED = {"heads": (None, 2), "epsilon": (1e-6, 0.3)}


def shapes(input, units, heads=4, **_):
    """Weight name -> shape, in the order of the spec."""
    square = dict.fromkeys(("W_q", "W_k", "W_v"), (input, units))
    return square | {"W_rate": (input, 3 * heads), "b_rate": (3 * heads,)}


def silu(x):
    return x / (1 + np.exp(-x))


def step(params, state, x, heads=4, epsilon=1e-6):
    """One step. x (batch, input), state (M, S) -> y (batch, units), (M, S)."""
    M, S = (each.swapaxes(2, 3).copy() for each in state)
    y = []
    for b, row in enumerate(x):
        q, k, v = (np.split(silu(row @ params[name]), heads) for name in ("W_q", "W_k", "W_v"))
        alpha, eta, theta = np.split(1 / (1 + np.exp(-(row @ params["W_rate"] + params["b_rate"]))), 3)
        out = []
        for h in range(heads):
            query, key = (each[h] / np.sqrt(each[h] @ each[h] + epsilon) for each in (q, k))
            surprise = 2 * np.outer(M[b, h] @ key - v[h], key)
            S[b, h] = eta[h] * S[b, h] - theta[h] * surprise
            M[b, h] = (1 - alpha[h]) * M[b, h] + S[b, h]
            out.append(M[b, h] @ query)
        y.append(np.concatenate(out))
    return np.array(y), (M.swapaxes(2, 3), S.swapaxes(2, 3))
