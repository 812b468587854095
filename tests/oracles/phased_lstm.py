"""Phased LSTM of Neil, Pfeiffer & Liu 2016 (arXiv:1610.09513), each sample and unit with `if`.

Blocks of the fused weights: i, f, c (the candidate), o.
"""

import numpy as np

TRIED = {"r_on": (0.05, 0.6), "leak": (0.001, 0.4)}


def sigma(v):
    return 1 / (1 + np.exp(-v))


def shapes(input, units, use_peepholes=True, **_):
    """Weight name -> shape, in the order of the spec."""
    weights = {"kernel": (input, 4 * units), "recurrent_kernel": (units, 4 * units), "bias": (4 * units,)}
    weights |= dict.fromkeys(("p_i", "p_f", "p_o"), (units,)) if use_peepholes else {}
    return weights | {"log_tau": (units,), "s": (units,)}


def openness(t, tau, s, r_on, leak):
    phi = ((t - s) % tau) / tau
    if phi < r_on / 2:
        return 2 * phi / r_on
    if phi < r_on:
        return 2 - 2 * phi / r_on
    return leak * phi


def step(params, state, inputs, r_on=0.05, leak=0.001, use_peepholes=True):
    """One step. inputs x (batch, input) and time (batch, 1), state (h, c) -> h (batch, units), (h, c)."""
    (h, c), (x, time) = state, inputs
    n = c.shape[1]
    net = x @ params["kernel"] + h @ params["recurrent_kernel"] + params["bias"]
    W_ci, W_cf, W_co = (params[f"p_{gate}"] if use_peepholes else np.zeros(n) for gate in "ifo")
    i, f = sigma(net[:, :n] + W_ci * c), sigma(net[:, n : 2 * n] + W_cf * c)
    c_tilde = f * c + i * np.tanh(net[:, 2 * n : 3 * n])
    o = sigma(net[:, 3 * n :] + W_co * c_tilde)
    h_tilde = o * np.tanh(c_tilde)
    rhythms = [*zip(np.exp(params["log_tau"]), params["s"])]
    k = np.array([[openness(t, tau, s, r_on, leak) for tau, s in rhythms] for t in time[:, 0]])
    h, c = k * h_tilde + (1 - k) * h, k * c_tilde + (1 - k) * c
    return h, (h, c)
