"""Leaky integrate-and-fire neurons with a synaptic current (Eshraghian et al. 2023, arXiv:2109.12894), as
snnTorch's Synaptic: I[t] = alpha I[t-1] + in[t]; U[t] = beta U[t-1] + I[t] - R[t] threshold; reset to zero: U[t] = 0.
"""

import numpy as np

SILENT = ("surrogate", "slope")
TRIED = {"threshold": (1.0, 0.3), "alpha": (0.9, 0.4, 0.0), "beta": (0.9, 0.4, 0.0), "slope": (2.0, 25.0)}


def shapes(input, units, use_bias=True):
    """Weight name -> shape, in the order of the spec."""
    weights = {"kernel": (input, units), "bias": (units,)}
    return {name: shape for name, shape in weights.items() if use_bias or name != "bias"}


def step(
    params, state, x, beta=0.9, threshold=1.0, reset="subtract", surrogate="arctan", slope=2.0, use_bias=True, alpha=0.9
):
    """One step. x (batch, input), state (v, current) -> z (batch, units), (v, current)."""
    v_prev, current = (each.T for each in state)
    current = alpha * current + params["kernel"].T @ x.T + (params["bias"][:, None] if use_bias else 0)
    over = v_prev > threshold
    mem = beta * v_prev + current
    mem = {"subtract": mem - threshold * over, "zero": np.where(over, 0, mem), "none": mem}[reset]
    return np.heaviside(mem - threshold, 0).T, (mem.T, current.T)
