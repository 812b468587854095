"""Layer-normalised LSTM of Ba, Kiros & Hinton 2016 (arXiv:1607.06450), eq. 20-22, but that the cell which is carried
is the normalised one, as in TensorFlow Addons. One sample at a time; blocks of the weights: i, f, c, o.
"""

import numpy as np

SILENT = ("unit_forget_bias",)  # an initial value

ACTIVATIONS = {
    "tanh": np.tanh,
    "sigmoid": lambda v: 1 / (1 + np.exp(-v)),
    "relu": lambda v: np.maximum(v, 0),
    "softsign": lambda v: v / (1 + np.abs(v)),
}
NORMS = (("kernel_norm", 4), ("recurrent_norm", 4), ("state_norm", 1))


def shapes(input, units, use_bias=True, **_):
    """Weight name -> shape, in the order of the spec: the matrices, the bias, then each norm's scale and shift."""
    weights = {"kernel": (input, 4 * units), "recurrent_kernel": (units, 4 * units)}
    weights |= {"bias": (4 * units,)} if use_bias else {}
    return weights | {f"{norm}/{part}": (k * units,) for norm, k in NORMS for part in ("scale", "shift")}


def step(
    params,
    state,
    x,
    activation="tanh",
    recurrent_activation="sigmoid",
    use_bias=True,
    unit_forget_bias=True,
    epsilon=1e-3,
):
    """One step. x (batch, input), state (h, c) -> h (batch, units), (h, c)."""
    squash, gate = ACTIVATIONS[activation], ACTIVATIONS[recurrent_activation]

    def LN(v, norm):
        v = v - np.sum(v) / len(v)
        return params[f"{norm}/scale"] * v / np.sqrt(v @ v / len(v) + epsilon) + params[f"{norm}/shift"]

    hs, cs = [], []
    for h, c, sample in zip(*state, x, strict=True):
        a = LN(params["recurrent_kernel"].T @ h, "recurrent_norm") + LN(params["kernel"].T @ sample, "kernel_norm")
        i, f, g, o = np.split(a + params["bias"] if use_bias else a, 4)
        cs.append(LN(gate(f) * c + gate(i) * squash(g), "state_norm"))
        hs.append(gate(o) * squash(cs[-1]))
    h, c = np.array(hs), np.array(cs)
    return h, (h, c)
