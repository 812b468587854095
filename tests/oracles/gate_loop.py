"""GateLoop of Katsch 2023 (arXiv:2311.01927), section 3, in complex numbers, head by head and sample by sample:
S = a S' + k^T v with a = sigmoid(.) exp(i theta), y = Re(q S).
"""

import numpy as np

SIZES = [{"input": 3, "units": 8, "batch": 4}, {"input": 5, "units": 12, "batch": 3}]
TRIED = {"heads": (None, 2)}


def shapes(input, units, heads=4):
    """Weight name -> shape, in the order of the spec."""
    return dict.fromkeys(("W_q", "W_k", "W_v", "W_size", "W_phase"), (input, units))


def step(params, state, x, heads=4):
    """One step. x (batch, input), state (S, S_im) -> y (batch, units), (S, S_im)."""
    S, y = state[0] + 1j * state[1], []
    for b, row in enumerate(x):
        q, k, v, size, phase = (np.split(row @ weight, heads) for weight in params.values())
        for h in range(heads):
            a = np.exp(1j * phase[h]) / (1 + np.exp(-size[h]))
            S[b, h] = np.diag(a) @ S[b, h] + np.outer(k[h], v[h])
        y.append(np.concatenate([(q[h] @ S[b, h]).real for h in range(heads)]))
    return np.array(y), (S.real, S.imag)
