"""Layer-normalised LSTM of Ba, Kiros & Hinton 2016 (arXiv:1607.06450), eq. 20-22, one sample at a time.

(20) (f, i, o, g) = LN(W_h h; alpha_1, beta_1) + LN(W_x x; alpha_2, beta_2) + b, b being part of the betas here
(21) c_t = sigma(f) * c + sigma(i) * tanh(g)
(22) h_t = sigma(o) * tanh(LN(c_t; alpha_3, beta_3))
"""

import numpy as np


def sigmoid(v):
    return 1 / (1 + np.exp(-v))


def shapes(input, units, **_):
    """Weight name -> shape, in the order of the spec: the matrices, then each norm's scale and shift."""
    weights = {"x_w": (input, 4 * units), "h_w": (units, 4 * units)}
    for norm, width in (("ln_x", 4 * units), ("ln_h", 4 * units), ("ln_c", units)):
        weights |= {f"{norm}/scale": (width,), f"{norm}/shift": (width,)}
    return weights


def step(params, state, x, epsilon=1e-5):
    """One step. x (batch, input), state (h, c) -> h (batch, units), (h, c)."""

    def LN(z, norm):
        mu = sum(z) / len(z)
        sigma = np.sqrt(sum((z - mu) ** 2) / len(z) + epsilon)
        return (z - mu) / sigma * params[f"{norm}/scale"] + params[f"{norm}/shift"]

    W_h, W_x = params["h_w"].T, params["x_w"].T
    hs, cs = [], []
    for h, c, x_t in zip(*state, x, strict=True):
        n = len(c)
        fiog = LN(W_h @ h, "ln_h") + LN(W_x @ x_t, "ln_x")
        f, i, o, g = fiog[:n], fiog[n : 2 * n], fiog[2 * n : 3 * n], fiog[3 * n :]
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(LN(c, "ln_c"))
        hs.append(h)
        cs.append(c)
    h, c = np.array(hs), np.array(cs)
    return h, (h, c)
