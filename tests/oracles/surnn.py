"""Selective-update RNN of Yin et al. 2026 (arXiv:2603.02226), unit by unit, around a simple RNN f.

a_i = b_i + sum_k alpha_ik sin(omega_k t + phi_ik);  g_i = H(a_i);  h_i = h_i + g_i (f_i(h, x) - h_i)
"""

import numpy as np

ACTIVATIONS = {
    "linear": lambda v: v,
    "tanh": np.tanh,
    "sigmoid": lambda v: 1 / (1 + np.exp(-v)),
    "relu": lambda v: np.maximum(v, 0),
    "softsign": lambda v: v / (1 + np.abs(v)),
}

TRIED = {"harmonics": (None, 3)}


def shapes(input, units, harmonics=1, **_):
    """Weight name -> shape, in the order of the spec."""
    rnn = {"kernel": (input, units), "recurrent_kernel": (units, units), "bias": (units,)}
    sines = {"alpha": (units, harmonics), "omega": (harmonics,), "phi": (units, harmonics)}
    return rnn | {"b": (units,)} | sines


def step(params, state, x, activation="tanh"):
    """One step. x of x (batch, input) and n (batch, 1), state (h,) -> h (batch, units), (h,)."""
    (h_prev,), (x, t) = state, x
    new = h_prev.copy()
    for i, (b, alphas, phis) in enumerate(zip(params["b"], params["alpha"], params["phi"], strict=True)):
        a = b + sum(
            alpha * np.sin(omega * t[:, 0] + phi)
            for alpha, omega, phi in zip(alphas, params["omega"], phis, strict=True)
        )
        net = x @ params["kernel"][:, i] + h_prev @ params["recurrent_kernel"][:, i] + params["bias"][i]
        new[:, i] = np.where(a > 0, ACTIVATIONS[activation](net), h_prev[:, i])
    return new, (new,)
