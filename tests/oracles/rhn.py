"""RHN of Zilly et al. 2017 (arXiv:1607.03474), eq. 6 to 9.

s_0 = s of the last step; for l = 1..L:
h_l = tanh(W_H x I{l=1} + R_Hl s_{l-1} + b_Hl), t_l, c_l = sigma(...); s_l = h_l * t_l + s_{l-1} * c_l
coupled: c_l = 1 - t_l. A sample is a column.
"""

import numpy as np

L = 5


def shapes(input, units, coupled=True):
    gates = "HT" if coupled else "HTC"
    found = {f"W_{g}": (input, units) for g in gates}
    found |= {f"R_{g}": (L, units, units) for g in gates}
    return found | {f"b_{g}": (L, units) for g in gates}


def step(params, state, x, coupled=True):
    """One step. x (batch, input), state (s,) -> s (batch, units), (s,)."""
    s = state[0].T

    def layer(g, k):
        a = params[f"R_{g}"][k].T @ s + params[f"b_{g}"][k][:, None]
        return a + params[f"W_{g}"].T @ x.T if k == 0 else a

    for k in range(L):
        h, t = np.tanh(layer("H", k)), 1 / (1 + np.exp(-layer("T", k)))
        c = 1 - t if coupled else 1 / (1 + np.exp(-layer("C", k)))
        s = h * t + s * c
    return s.T, (s.T,)
