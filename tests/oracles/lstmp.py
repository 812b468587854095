"""LSTMP of Sak et al. 2014 (arXiv:1402.1128), with what TensorFlow 1's LSTMCell adds: forget_bias and two clips.

Their names: m cell output, r recurrent projection. A sample is a column. TensorFlow's cell input j is a block of its
own: blocks of the fused weights are i, j, f, o. The state is (c, r).
"""

import numpy as np

ACTIVATIONS = {
    "linear": lambda v: v,
    "tanh": np.tanh,
    "sigmoid": lambda v: 1 / (1 + np.exp(-v)),
    "hard_sigmoid": lambda v: np.clip(v / 6 + 0.5, 0, 1),
    "relu": lambda v: np.maximum(v, 0),
    "elu": lambda v: np.where(v > 0, v, np.expm1(np.minimum(v, 0))),
    "softplus": lambda v: np.logaddexp(v, 0),
    "softsign": lambda v: v / (1 + np.abs(v)),
}


def shapes(input, units, proj=None, use_peepholes=False, **_):
    """Weight name -> shape, in the order of the spec."""
    r = units if proj is None else proj
    weights = {"kernel": (input, 4 * units), "recurrent_kernel": (r, 4 * units), "bias": (4 * units,)}
    if use_peepholes:
        weights |= {"w_f_diag": (units,), "w_i_diag": (units,), "w_o_diag": (units,)}
    if proj is not None:
        weights |= {"projection_kernel": (units, proj)}
    return weights


def step(
    params,
    state,
    x,
    use_peepholes=False,
    forget_bias=1.0,
    cell_clip=None,
    proj_clip=None,
    activation="tanh",
    proj=None,
):
    """One step. x (batch, input), state (c, r) -> r (batch, proj), (c, r). A projection if its weight is there."""
    g = h = ACTIVATIONS[activation]
    sigma = ACTIVATIONS["sigmoid"]
    c_prev, r_prev, x = state[0].T, state[1].T, x.T
    n = len(c_prev)
    W_ix, W_cx, W_fx, W_ox = (params["kernel"][:, k : k + n].T for k in range(0, 4 * n, n))
    W_ir, W_cr, W_fr, W_or = (params["recurrent_kernel"][:, k : k + n].T for k in range(0, 4 * n, n))
    b_i, b_c, b_f, b_o = (params["bias"][k : k + n, None] for k in range(0, 4 * n, n))
    none = np.zeros((n, n))
    W_ic = np.diag(params["w_i_diag"]) if use_peepholes else none
    W_fc = np.diag(params["w_f_diag"]) if use_peepholes else none
    W_oc = np.diag(params["w_o_diag"]) if use_peepholes else none

    i = sigma(W_ix @ x + W_ir @ r_prev + W_ic @ c_prev + b_i)
    f = sigma(W_fx @ x + W_fr @ r_prev + W_fc @ c_prev + b_f + forget_bias)
    c = f * c_prev + i * g(W_cx @ x + W_cr @ r_prev + b_c)
    if cell_clip is not None:
        c = np.maximum(-cell_clip, np.minimum(cell_clip, c))
    o = sigma(W_ox @ x + W_or @ r_prev + W_oc @ c + b_o)
    m = o * h(c)
    if "projection_kernel" in params:
        r = params["projection_kernel"].T @ m
        if proj_clip is not None:
            r = np.maximum(-proj_clip, np.minimum(proj_clip, r))
    else:
        r = m
    return r.T, (c.T, r.T)
