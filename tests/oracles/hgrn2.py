"""HGRN2 of Qin et al. 2024 (arXiv:2404.07904), section 3, head by head and sample by sample:
H = Diag(f) H' + (1 - f) (x) i, y = o H.
"""

import numpy as np

SIZES = [{"input": 3, "units": 8, "batch": 4}, {"input": 5, "units": 12, "batch": 3}]
TRIED = {"heads": (None, 2), "lower_bound": (0.0, 0.4)}


def shapes(input, units, heads=4, **_):
    """Weight name -> shape, in the order of the spec."""
    return dict.fromkeys(("W_o", "W_f", "W_i"), (input, units))


def step(params, state, x, heads=4, lower_bound=0.0):
    """One step. x (batch, input), state (S,) -> y (batch, units), (S,)."""
    H, y = state[0].copy(), []
    for b, row in enumerate(x):
        o, f, i = (np.split(row @ params[name], heads) for name in ("W_o", "W_f", "W_i"))
        out = []
        for h in range(heads):
            forget = 1 - (1 - lower_bound) / (1 + np.exp(f[h]))
            H[b, h] = np.diag(forget) @ H[b, h] + np.outer(1 - forget, i[h])
            out.append((o[h] / (1 + np.exp(-o[h]))) @ H[b, h])
        y.append(np.concatenate(out))
    return np.array(y), (H,)
