"""Retention of Sun et al. 2023 (arXiv:2307.08621, section 2.1), complex numbers, S = gamma exp(i theta) S' + conj(k) v
and y = Re(q S), head by head, sample by sample; the first half of a head's key lanes is real, the other imaginary.
"""

import numpy as np

SIZES = [{"input": 3, "units": 16, "batch": 4}, {"input": 5, "units": 24, "batch": 3}]
TRIED = {"heads": (None, 2)}


def shapes(input, units, heads=4):
    """Weight name -> shape, in the order of the spec."""
    constants = {"gamma": (heads,), "theta": (units // heads // 2,)}
    return dict.fromkeys(("W_q", "W_k", "W_v"), (input, units)) | constants


def step(params, state, x, heads=4):
    """One step. x (batch, input), state (S, S_im) -> y (batch, units), (S, S_im)."""
    S, y = state[0] + 1j * state[1], []
    for b, row in enumerate(x):
        q, k, v = (np.split(row @ params[name], heads) for name in ("W_q", "W_k", "W_v"))
        read = []
        for h in range(heads):
            half = len(v[h]) // 2
            query, key = (each[h][:half] + 1j * each[h][half:] for each in (q, k))
            faded = params["gamma"][h] * np.diag(np.exp(1j * params["theta"])) @ S[b, h]
            S[b, h] = faded + np.outer(key.conj(), v[h])
            read.append((query @ S[b, h]).real)
        y.append(np.concatenate(read))
    return np.array(y), (S.real, S.imag)
