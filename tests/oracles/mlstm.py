"""mLSTM of Beck et al. 2024 (arXiv:2405.04517), eq. 19-27, in plain exponentials, which the stabilised states of the
appendix are brought back to by exp(m). C is (value, key); head by head and sample by sample.
"""

import numpy as np

SIZES = [{"input": 3, "units": 8, "batch": 4}, {"input": 5, "units": 12, "batch": 3}]
TRIED = {"heads": (None, 2)}


def shapes(input, units, heads=4, **_):
    """Weight name -> shape, in the order of the spec."""
    weights = dict.fromkeys(("W_q", "W_k", "W_v"), (input, units)) | dict.fromkeys(("w_i", "w_f"), (input, heads))
    biases = dict.fromkeys(("b_q", "b_k", "b_v"), (units,)) | dict.fromkeys(("b_i", "b_f"), (heads,))
    return weights | {"W_o": (input, units)} | biases | {"b_o": (units,)}


def step(params, state, x, heads=4, forget="sigmoid"):
    """One step. x (batch, input), state (C, n, m) -> h (batch, units), (C, n, m)."""
    C, n, m = (each.copy() for each in state)
    p, output = params, []
    for b, row in enumerate(x):
        q, k, v = (np.split(p[f"W_{each}"].T @ row + p[f"b_{each}"], heads) for each in "qkv")
        i = np.exp(p["w_i"].T @ row + p["b_i"])
        f = p["w_f"].T @ row + p["b_f"]
        f = np.exp(f) if forget == "exp" else 1 / (1 + np.exp(-f))
        read = []
        for h in range(heads):
            scale = np.exp(m[b, h])
            memory = f[h] * scale * C[b, h].T + i[h] * np.outer(v[h], k[h])
            keys = f[h] * scale * n[b, h] + i[h] * k[h]
            read.append(memory @ q[h] / max(abs(keys @ q[h]), 1))
            m[b, h] = max(np.log(f[h]) + m[b, h], np.log(i[h]))
            C[b, h], n[b, h] = memory.T / np.exp(m[b, h]), keys / np.exp(m[b, h])
        output.append(np.concatenate(read) / (1 + np.exp(-(p["W_o"].T @ row + p["b_o"]))))
    return np.array(output), (C, n, m)
