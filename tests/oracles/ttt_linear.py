"""TTT-Linear of Sun et al. 2024 (arXiv:2407.04620), section 2, a mini-batch of one token: the inner loss's gradient by
the state is taken by complex steps, so that nothing of it is written out. Head by head, sample by sample.
"""

import numpy as np

SIZES = [{"input": 3, "units": 16, "batch": 4}, {"input": 5, "units": 20, "batch": 3}]
TRIED = {"heads": (None, 2), "base_rate": (1.0, 0.3), "epsilon": (1e-6, 0.3)}
TINY = 1e-40


def shapes(input, units, heads=4, **_):
    """Weight name -> shape, in the order of the spec."""
    row = (heads, units // heads)
    weights = dict.fromkeys(("W_q", "W_k", "W_v"), (input, units)) | {"W_rate": (input, heads), "b_rate": (heads,)}
    return weights | {"W0": (*row, units // heads), "c0": row, "gain": row, "shift": row}


def step(params, state, x, heads=4, base_rate=1.0, epsilon=1e-6):
    """One step. x (batch, input), state (W, c) -> y (batch, units), (W, c)."""
    W, c = (each.copy() for each in state)
    y = []
    for b, row in enumerate(x):
        q, k, v = (np.split(row @ params[name], heads) for name in ("W_q", "W_k", "W_v"))
        eta = base_rate / (1 + np.exp(-(row @ params["W_rate"] + params["b_rate"])))
        out = []
        for h in range(heads):
            gain, shift = params["gain"][h], params["shift"][h]

            def f(z, W, c, gain=gain, shift=shift):
                u = z @ W + c
                d = u - u.mean()
                return z + d / np.sqrt((d * d).mean() + epsilon) * gain + shift

            def loss(W, c, k=k[h], v=v[h], f=f):
                error = f(k, W, c) - v
                return (error * error).sum() / 2

            by_W, by_c = np.zeros_like(W[b, h]), np.zeros_like(c[b, h])
            for place in np.ndindex(by_W.shape):
                moved = W[b, h].astype(complex)
                moved[place] += 1j * TINY
                by_W[place] = loss(moved, c[b, h]).imag / TINY
            for place in np.ndindex(by_c.shape):
                moved = c[b, h].astype(complex)
                moved[place] += 1j * TINY
                by_c[place] = loss(W[b, h], moved).imag / TINY
            W[b, h], c[b, h] = W[b, h] - eta[h] * by_W, c[b, h] - eta[h] * by_c
            out.append(f(q[h], W[b, h], c[b, h]))
        y.append(np.concatenate(out))
    return np.array(y), (W, c)
