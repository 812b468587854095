"""GRU-RCN of Ballas et al. 2015, section 3.1, as a sum over the offsets of a kernel: of each, the picture shifted.

Blocks of the fused kernels: z, r, and that of the candidate.
"""

import numpy as np

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


def shapes(filters, rows, columns, channels, kernel_size=3, use_bias=False):
    """Weight name -> shape, in the order of the spec."""
    around = (kernel_size, kernel_size)
    weights = {"kernel": (*around, channels, 3 * filters), "recurrent_kernel": (*around, filters, 3 * filters)}
    return weights | ({"bias": (3 * filters,)} if use_bias else {})


def shifted(pictures, down, right):
    """What stands so far below and to the right of each place; zeros beyond the border."""
    out = np.zeros_like(pictures)
    for row in range(pictures.shape[1]):
        for column in range(pictures.shape[2]):
            there = row + down, column + right
            if 0 <= there[0] < pictures.shape[1] and 0 <= there[1] < pictures.shape[2]:
                out[:, row, column] = pictures[:, there[0], there[1]]
    return out


def convolved(kernel, pictures):
    half = len(kernel) // 2
    offsets = [(down, right) for down in range(-half, half + 1) for right in range(-half, half + 1)]
    return sum(shifted(pictures, *each) @ kernel[each[0] + half, each[1] + half] for each in offsets)


def step(params, state, x, activation="tanh", recurrent_activation="sigmoid", use_bias=False):
    """One step. x (batch, rows, columns, channels), state (h,) -> h (batch, rows, columns, filters), (h,)."""
    squash, gate = ACTIVATIONS[activation], ACTIVATIONS[recurrent_activation]
    (h,) = state
    n = h.shape[-1]
    (W_z, W_r, W), (U_z, U_r, U) = (
        [params[name][..., block * n : (block + 1) * n] for block in range(3)]
        for name in ("kernel", "recurrent_kernel")
    )
    b_z, b_r, b = np.split(params["bias"], 3) if use_bias else (0, 0, 0)
    z = gate(convolved(W_z, x) + convolved(U_z, h) + b_z)
    r = gate(convolved(W_r, x) + convolved(U_r, h) + b_r)
    candidate = squash(convolved(W, x) + convolved(U, r * h) + b)
    h = (1 - z) * h + z * candidate
    return h, (h,)
