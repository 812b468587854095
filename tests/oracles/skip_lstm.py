"""Skip RNN of Campos et al. 2018 (arXiv:1708.06834) over an LSTM, as its authors' code: a sample at a time, with `if`.

u_t = round(w_t); s_t is the cell's or the old state; w_t+1 = d_t where it was updated, else w_t + min(d_t, 1 - w_t).
"""

import numpy as np


def sigma(v):
    return 1 / (1 + np.exp(-v))


def shapes(input, units, **_):
    """Weight name -> shape, in the order of the spec."""
    weights = {"kernel": (input, 4 * units), "recurrent_kernel": (units, 4 * units), "bias": (4 * units,)}
    return weights | {"W_p": (units, 1), "b_p": (1,)}


def step(params, state, x, forget_bias=1.0):
    """One step. x (batch, input), state (c, h, w) -> h (batch, units), (c, h, w)."""
    W = np.concatenate([params["kernel"], params["recurrent_kernel"]]).T
    samples = []
    for c, h, w, sample in zip(*state, x, strict=True):
        update = w[0] > 0.5
        if update:
            i, j, f, o = np.split(W @ np.concatenate([sample, h]) + params["bias"], 4)
            c = c * sigma(f + forget_bias) + sigma(i) * np.tanh(j)
            h = np.tanh(c) * sigma(o)
        d = sigma(params["W_p"].T @ c + params["b_p"])
        samples.append((c, h, d if update else w + np.minimum(d, 1 - w)))
    c, h, w = (np.array(each) for each in zip(*samples))
    return h, (c, h, w)
