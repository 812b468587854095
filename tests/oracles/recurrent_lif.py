"""Leaky integrate-and-fire neurons with recurrent spikes (Eshraghian et al. 2023, arXiv:2109.12894), as
snnTorch's RLeaky: U[t] = beta U[t-1] + I[t] + V S[t-1] - R[t] threshold; reset to zero leaves nothing of U[t].
"""

import numpy as np

SILENT = ("surrogate", "slope")
TRIED = {"threshold": (1.0, 0.3, -0.2), "beta": (0.9, 0.4, 0.0), "slope": (2.0, 25.0)}


def shapes(input, units, use_bias=True):
    """Weight name -> shape, in the order of the spec."""
    weights = {"kernel": (input, units), "bias": (units,), "recurrent_kernel": (units, units)}
    return {name: shape for name, shape in weights.items() if use_bias or name != "bias"}


def step(params, state, x, beta=0.9, threshold=1.0, reset="subtract", surrogate="arctan", slope=2.0, use_bias=True):
    """One step. x (batch, input), state (v, z) -> z (batch, units), (v, z)."""
    v_prev, spikes = (each.T for each in state)
    mem = beta * v_prev + params["kernel"].T @ x.T + params["recurrent_kernel"].T @ spikes
    if use_bias:
        mem = mem + params["bias"][:, None]
    over = v_prev > threshold
    if reset == "subtract":
        mem[over] -= threshold
    elif reset == "zero":
        mem[over] = 0
    z = np.heaviside(mem - threshold, 0)
    return z.T, (mem.T, z.T)
