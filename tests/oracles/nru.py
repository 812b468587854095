"""Non-saturating recurrent unit of Chandar et al. 2019 (arXiv:1902.06704), one sample and one head at a time.

h_t = ReLU(W_x x_t + W_h h_t-1 + W_m m_t-1 + b);  m_t = m_t-1 + (1/k) sum_i (alpha_i v_i - beta_i w_i)
Strengths and directions read [h_t, m_t-1]; v and w are outer products, cut into k rows, each over its 5-norm.
"""

import numpy as np

TRIED = {"heads": (None, 2), "rows": (None, 3), "columns": (None, 5)}


def shapes(input, units, heads=4, rows=4, columns=16):
    """Weight name -> shape, in the order of the spec."""
    memory = rows * columns
    weights = {"W_x": (input, units), "W_h": (units, units), "W_m": (memory, units), "b_h": (units,)}
    for name, width in (("a", heads), ("p", heads * rows), ("q", columns)):
        capital = name.upper()
        weights |= {f"{capital}_h": (units, 2 * width), f"{capital}_m": (memory, 2 * width), f"b_{name}": (2 * width,)}
    return weights


def step(params, state, x, heads=4, rows=4, columns=16):
    """One step. x (batch, input), state (h, m) -> h (batch, units), (h, m)."""
    hs, ms = [], []
    for x_t, h, m in zip(x, *state, strict=True):
        h = np.maximum(x_t @ params["W_x"] + h @ params["W_h"] + m @ params["W_m"] + params["b_h"], 0)
        strengths, left, right = (
            np.split(h @ params[f"{name.upper()}_h"] + m @ params[f"{name.upper()}_m"] + params[f"b_{name}"], 2)
            for name in "apq"
        )
        new = m.copy()
        for side, sign in ((0, 1), (1, -1)):
            directions = np.outer(left[side], right[side]).reshape(heads, rows * columns)
            for strength, direction in zip(strengths[side], directions, strict=True):
                new += sign * strength * direction / max(np.linalg.norm(direction, 5), 1e-6) / heads
        hs.append(h)
        ms.append(new)
    return np.array(hs), (np.array(hs), np.array(ms))
