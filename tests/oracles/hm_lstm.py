"""One layer of HM-LSTM, Chung, Ahn & Bengio 2016 (arXiv:1609.01704), eq. 2-9, one sample at a time, by cases.

x is (h_below, z_below, h_above), h_above None in the last layer. The state is (c, h, z). Blocks of the slab: f, i, o,
g of `units` columns each, then one column for z, which a layer without a boundary detector lacks.
"""

import numpy as np

SILENT = "combine", "boundary", "slope"  # gradients


def sigmoid(v):
    return 1 / (1 + np.exp(-v))


def shapes(input, units, upper=None, detector=True, **_):
    """Weight name -> shape, in the order of the spec; `input` and `upper` are the widths below and above."""
    slab = 4 * units + 1 if detector else 4 * units
    weights = {"W": (input, slab), "U": (units, slab)}
    return weights | ({} if upper is None else {"V": (upper, slab)}) | {"b": (slab,)}


def step(
    params,
    state,
    x,
    detector=True,
    combine="blend",
    z_on_copy="recompute",
    boundary="hard",
    slope=1.0,
):
    """One step. h_below (batch, lower), z_below (batch, 1) -> h (batch, units), (c, h, z).

    combine and the slope change gradients only: the values are those of the case that applies.
    """
    h_below, z_below, h_above = x
    batch, n = state[0].shape
    z_below = np.broadcast_to(1.0 if z_below is None else z_below, (batch, 1))
    cs, hs, zs = [], [], []
    for k in range(batch):
        c_prev, h_prev, z_prev = (value[k] for value in state)
        recurrent = params["U"].T @ h_prev  # (5)
        top_down = 0.0 if h_above is None else z_prev * (params["V"].T @ h_above[k])  # (6)
        bottom_up = z_below[k] * (params["W"].T @ h_below[k])  # (7)
        s = recurrent + top_down + bottom_up + params["b"]  # (4)
        f, i, o, g = sigmoid(s[:n]), sigmoid(s[n : 2 * n]), sigmoid(s[2 * n : 3 * n]), np.tanh(s[3 * n : 4 * n])

        copied = z_prev[0] == 0 and z_below[k, 0] == 0
        if z_prev[0] == 1:
            c = i * g  # FLUSH
        elif copied:
            c = c_prev  # COPY
        else:
            c = f * c_prev + i * g  # UPDATE
        h = h_prev if copied else o * np.tanh(c)  # (3)

        if not detector:
            z = np.zeros(1)
        elif copied and z_on_copy == "hold":
            z = z_prev
        else:
            a_s = slope * s[4 * n :]
            z_tilde = np.maximum(0, np.minimum(1, (a_s + 1) / 2)) if boundary == "hard" else sigmoid(a_s)
            z = (z_tilde > 0.5).astype(float)  # (8)
        cs.append(c)
        hs.append(h)
        zs.append(z)
    c, h, z = np.array(cs), np.array(hs), np.array(zs)
    return h, (c, h, z)
