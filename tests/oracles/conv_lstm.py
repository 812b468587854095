"""ConvLSTM of Shi et al. 2015, eq. 3: place by place, from the patch of the picture around it, one kernel a gate.

Blocks of the fused kernels, as in Keras: i, f, c (the cell input), o. Pictures of any number of axes.
"""

from itertools import product

import numpy as np

SILENT = ("unit_forget_bias",)  # an initial value
SIZES = [
    {"filters": 3, "rows": 4, "columns": 5, "channels": 2, "batch": 2},
    {"filters": 2, "rows": 5, "columns": 3, "channels": 3, "batch": 3},
]
TRIED = {"kernel_size": (3, 5)}
ACTIVATIONS = {
    "tanh": np.tanh,
    "sigmoid": lambda v: 1 / (1 + np.exp(-v)),
    "hard_sigmoid": lambda v: np.clip(v / 6 + 0.5, 0, 1),
    "softsign": lambda v: v / (1 + np.abs(v)),
}


def shapes(filters, channels, kernel_size=3, use_bias=True, use_peepholes=True, **picture):
    """Weight name -> shape, in the order of the spec."""
    around, whole = (kernel_size,) * len(picture), tuple(picture[name] for name in AXES if name in picture)
    weights = {"kernel": (*around, channels, 4 * filters), "recurrent_kernel": (*around, filters, 4 * filters)}
    weights |= {"bias": (4 * filters,)} if use_bias else {}
    return weights | ({f"p_{gate}": (*whole, filters) for gate in "ifo"} if use_peepholes else {})


AXES = ("depth", "rows", "columns")


def convolved(pictures, kernel):
    """The kernel at every place of the pictures, (batch, ..., channels), with zeros around them."""
    sizes, axes = pictures.shape[1:-1], range(1, kernel.ndim - 1)
    padded = np.pad(pictures, [(0, 0), *((size // 2, size // 2) for size in kernel.shape[:-2]), (0, 0)])
    out = np.empty((*pictures.shape[:-1], kernel.shape[-1]))
    for place in product(*map(range, sizes)):
        patch = padded[(slice(None), *(slice(at, at + size) for at, size in zip(place, kernel.shape)))]
        out[(slice(None), *place)] = np.tensordot(patch, kernel, ([*axes, len(axes) + 1], [*range(len(axes) + 1)]))
    return out


def step(
    params,
    state,
    x,
    activation="tanh",
    recurrent_activation="sigmoid",
    use_bias=True,
    unit_forget_bias=True,
    use_peepholes=True,
):
    """One step. x (batch, ..., channels), state (H, C) -> H (batch, ..., filters), (H, C)."""
    squash, gate = ACTIVATIONS[activation], ACTIVATIONS[recurrent_activation]
    H, C = state
    n = H.shape[-1]

    def net(block):
        own = slice(block * n, (block + 1) * n)
        W_x, W_h = params["kernel"][..., own], params["recurrent_kernel"][..., own]
        return convolved(x, W_x) + convolved(H, W_h) + (params["bias"][own] if use_bias else 0)

    def peep(name, cell):
        return params[f"p_{name}"] * cell if use_peepholes else 0

    i = gate(net(0) + peep("i", C))
    f = gate(net(1) + peep("f", C))
    C = f * C + i * squash(net(2))
    o = gate(net(3) + peep("o", C))
    H = o * squash(C)
    return H, (H, C)
