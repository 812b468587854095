"""GRU (reset after the matmul) with dropout of input and recurrent matmul (Gal & Ghahramani 2016, one mask for all
gates) and zoneout (Krueger et al. 2016). A sample is a column; blocks of the fused weights: z, r, h.

`drawn` holds, in training, the scaled masks and for zoneout 1 where the old state stays; without it, everything is at
its expected value.
"""

import numpy as np

from tests.oracles.gru import ACTIVATIONS, shapes

__all__ = ["shapes", "step"]


def step(
    params,
    state,
    x,
    activation="tanh",
    recurrent_activation="sigmoid",
    use_bias=True,
    dropout=0.0,
    recurrent_dropout=0.0,
    zoneout=0.0,
    drawn=None,
):
    """One step. x (batch, input), state (h,) -> h (batch, units), (h,)."""
    squash, gate = ACTIVATIONS[activation], ACTIVATIONS[recurrent_activation]
    h = state[0].T
    n = len(h)
    if drawn is None:
        mask_x, mask_h, stays = 1.0, 1.0, zoneout
    else:
        mask_x, mask_h, stays = drawn["_keep_x"].T, drawn["_keep_h_prev"].T, drawn["_zone_h"].T
    b_W, b_R = params["bias"] if use_bias else np.zeros((2, 3 * n))

    def nets(block):
        own = slice(block * n, (block + 1) * n)
        from_x = params["kernel"][:, own].T @ (x.T * mask_x) + b_W[own, None]
        return from_x, params["recurrent_kernel"][:, own].T @ (h * mask_h) + b_R[own, None]

    update, reset = gate(sum(nets(0))), gate(sum(nets(1)))
    from_x, from_h = nets(2)
    new = update * h + (1 - update) * squash(from_x + reset * from_h)
    new = stays * h + (1 - stays) * new
    return new.T, (new.T,)
