"""LSTM with dropout, recurrent dropout (Gal & Ghahramani 2016, one mask for all gates), weight dropout (Merity et al.
2017), dropout of the candidate (Semeniuta et al. 2016) and zoneout (Krueger et al. 2016), one matrix a gate.

A sample is a column. Blocks of the fused weights: i, f, c, o. `drawn` holds, in training, what multiplies each (already
scaled by 1 / (1 - p)), and for zoneout 1 where the old state stays; without it, everything is at its expected value.
"""

import numpy as np

from tests.oracles.lstm import ACTIVATIONS, shapes

__all__ = ["shapes", "step"]

SILENT = ("unit_forget_bias",)  # an initial value


def step(
    params,
    state,
    x,
    activation="tanh",
    recurrent_activation="sigmoid",
    use_bias=True,
    unit_forget_bias=True,
    dropout=0.0,
    recurrent_dropout=0.0,
    weight_dropout=0.0,
    candidate_dropout=0.0,
    zoneout_h=0.0,
    zoneout_c=0.0,
    drawn=None,
):
    """One step. x (batch, input), state (h, c) -> h (batch, units), (h, c)."""
    squash, gate = ACTIVATIONS[activation], ACTIVATIONS[recurrent_activation]
    y_prev, s_prev = state[0].T, state[1].T
    n = len(y_prev)
    if drawn is None:
        mask_x = mask_h = mask_w = mask_g = 1.0
        d_h, d_c = zoneout_h, zoneout_c
    else:
        mask_x, mask_h, mask_g, d_c, d_h = (
            drawn[name].T for name in ("_keep_x", "_keep_h_prev", "_keep_g", "_zone_c", "_zone_h")
        )
        mask_w = drawn["_keep_recurrent_kernel"]
    inputs, recurrent = x.T * mask_x, y_prev * mask_h
    kernel, recurrent_kernel = params["kernel"], params["recurrent_kernel"] * mask_w

    def net(block):
        own = slice(block * n, (block + 1) * n)
        b = params["bias"][own, None] if use_bias else np.zeros((n, 1))
        return np.matmul(kernel[:, own].T, inputs) + np.matmul(recurrent_kernel[:, own].T, recurrent) + b

    written = squash(net(2)) * mask_g
    s_new = gate(net(1)) * s_prev + gate(net(0)) * written
    y_new = gate(net(3)) * squash(s_new)
    s = d_c * s_prev + (1 - d_c) * s_new
    y = d_h * y_prev + (1 - d_h) * y_new
    return y.T, (y.T, s.T)
