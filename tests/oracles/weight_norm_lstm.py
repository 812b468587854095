"""The LSTM of Sak et al. 2014 (arXiv:1402.1128) with the weights of Salimans & Kingma 2016 (arXiv:1602.07868), eq. 2:
w = g v / ||v||, a column at a time. A sample is a column; blocks of the fused weights: i, j, f, o.
"""

import numpy as np

ACTIVATIONS = {
    "tanh": np.tanh,
    "sigmoid": lambda v: 1 / (1 + np.exp(-v)),
    "relu": lambda v: np.maximum(v, 0),
    "softsign": lambda v: v / (1 + np.abs(v)),
}


def shapes(input, units, use_peepholes=False, norm=True, proj=None, **_):
    """Weight name -> shape, in the order of the spec."""
    out = units if proj is None else proj
    weights = {"kernel": (input, 4 * units), "recurrent_kernel": (out, 4 * units), "bias": (4 * units,)}
    weights |= dict.fromkeys(("w_f_diag", "w_i_diag", "w_o_diag"), (units,)) if use_peepholes else {}
    weights |= {} if proj is None else {"projection_kernel": (units, proj)}
    weights |= {"g_x": (4 * units,), "g_h": (4 * units,)} if norm else {}
    return weights | ({"g_proj": (proj,)} if norm and proj is not None else {})


def step(
    params,
    state,
    x,
    use_peepholes=False,
    forget_bias=1.0,
    cell_clip=None,
    proj_clip=None,
    activation="tanh",
    norm=True,
    proj=None,
):
    """One step. x (batch, input), state (c, h) -> h (batch, proj), (c, h)."""
    squash, sigma = ACTIVATIONS[activation], ACTIVATIONS["sigmoid"]
    c_prev, h_prev, x = state[0].T, state[1].T, x.T
    n = len(c_prev)

    def rows(weight, g):
        if not norm:
            return params[weight].T
        return np.array([params[g][k] * v / np.linalg.norm(v) for k, v in enumerate(params[weight].T)])

    net = rows("kernel", "g_x") @ x + rows("recurrent_kernel", "g_h") @ h_prev + params["bias"][:, None]
    i, j, f, o = net.reshape(4, n, -1)
    p_i, p_f, p_o = (params[f"w_{gate}_diag"][:, None] if use_peepholes else np.zeros((n, 1)) for gate in "ifo")
    c = sigma(f + forget_bias + p_f * c_prev) * c_prev + sigma(i + p_i * c_prev) * squash(j)
    if cell_clip is not None:
        c = np.clip(c, -cell_clip, cell_clip)
    h = sigma(o + p_o * c) * squash(c)
    if proj is not None:
        h = rows("projection_kernel", "g_proj") @ h
        if proj_clip is not None:
            h = np.clip(h, -proj_clip, proj_clip)
    return h.T, (c.T, h.T)
