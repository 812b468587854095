"""Skip RNN of Campos et al. 2018 (arXiv:1708.06834) over a GRU, a sample at a time, with `if`: see skip_lstm.

Blocks of the fused weights: z (keeps), r, h.
"""

import numpy as np


def sigma(v):
    return 1 / (1 + np.exp(-v))


def shapes(input, units, **_):
    """Weight name -> shape, in the order of the spec."""
    weights = {"kernel": (input, 3 * units), "recurrent_kernel": (units, 3 * units), "bias": (3 * units,)}
    return weights | {"W_p": (units, 1), "b_p": (1,)}


def step(params, state, x):
    """One step. x (batch, input), state (h, w) -> h (batch, units), (h, w)."""
    W_z, W_r, W_h = np.split(params["kernel"].T, 3)
    U_z, U_r, U_h = np.split(params["recurrent_kernel"].T, 3)
    b_z, b_r, b_h = np.split(params["bias"], 3)
    samples = []
    for h, w, sample in zip(*state, x, strict=True):
        update = w[0] > 0.5
        if update:
            keep = sigma(W_z @ sample + U_z @ h + b_z)
            reset = sigma(W_r @ sample + U_r @ h + b_r)
            h = keep * h + (1 - keep) * np.tanh(W_h @ sample + U_h @ (reset * h) + b_h)
        d = sigma(params["W_p"].T @ h + params["b_p"])
        samples.append((h, d if update else w + np.minimum(d, 1 - w)))
    h, w = (np.array(each) for each in zip(*samples))
    return h, (h, w)
