"""Neurons with an alpha function as their response (Eshraghian et al. 2023, arXiv:2109.12894), as
snnTorch's Alpha: two currents, alpha E + in and beta I - in, whose sum times tau is the membrane potential; a reset
clears all three.
"""

import numpy as np

SILENT = ("surrogate", "slope")
TRIED = {"threshold": (1.0, 0.3, -0.2), "alpha": (0.9, 0.6), "beta": (0.5, 0.3), "slope": (2.0, 25.0)}


def shapes(input, units, use_bias=True):
    """Weight name -> shape, in the order of the spec."""
    weights = {"kernel": (input, units), "bias": (units,)}
    return {name: shape for name, shape in weights.items() if use_bias or name != "bias"}


def step(
    params, state, x, beta=0.5, threshold=1.0, reset="zero", surrogate="arctan", slope=2.0, use_bias=True, alpha=0.9
):
    """One step. x (batch, input), state (v, excitation, inhibition) -> z (batch, units), the state."""
    v_prev, excitation, inhibition = (each.T for each in state)
    jump = params["kernel"].T @ x.T + (params["bias"][:, None] if use_bias else 0)
    tau = np.log(beta) / np.log(beta / alpha)  # log(alpha) / (log(beta) - log(alpha)) + 1
    excitation, inhibition = alpha * excitation + jump, beta * inhibition - jump
    if reset == "zero":
        excitation[v_prev > threshold] = inhibition[v_prev > threshold] = 0
    mem = tau * (excitation + inhibition)
    return np.heaviside(mem - threshold, 0).T, (mem.T, excitation.T, inhibition.T)
