"""sLSTM of Beck et al. 2024 (arXiv:2405.04517), eq. 8-14, in plain exponentials, which the stabilised states of
appendix A.2 are brought back to by exp(m). Head by head; blocks of a head's weights: i, f, z, o.
"""

import numpy as np

SIZES = [{"input": 3, "units": 8, "batch": 4}, {"input": 5, "units": 12, "batch": 3}]
TRIED = {"heads": (None, 2)}


def shapes(input, units, heads=4, **_):
    """Weight name -> shape, in the order of the spec."""
    size = units // heads
    return {"W": (input, 4 * units), "R": (heads, size, 4, size), "b": (4 * units,)}


def step(params, state, x, heads=4, forget="sigmoid"):
    """One step. x (batch, input), state (h, c, n, m) -> h (batch, units), (h, c, n, m)."""
    parts = []
    for head, (h, c, n, m) in enumerate(zip(*(np.split(each, heads, axis=1) for each in state))):
        W, b = np.split(params["W"], heads, axis=1)[head], np.split(params["b"], heads)[head]
        blocks = zip(np.split(W, 4, axis=1), np.split(b, 4), np.moveaxis(params["R"][head], 1, 0))
        i, f, z, o = (x @ w + h @ r + bias for w, bias, r in blocks)
        forgotten = np.exp(f) if forget == "exp" else 1 / (1 + np.exp(-f))
        written = forgotten * np.exp(m) * c + np.exp(i) * np.tanh(z)
        counted = forgotten * np.exp(m) * n + np.exp(i)
        m = np.maximum(np.log(forgotten) + m, i)
        h = written / counted / (1 + np.exp(-o))
        parts.append((h, written / np.exp(m), counted / np.exp(m), m))
    h, c, n, m = (np.hstack(each) for each in zip(*parts))
    return h, (h, c, n, m)
