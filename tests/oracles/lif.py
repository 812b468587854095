"""Leaky integrate-and-fire neurons (Eshraghian et al. 2023, arXiv:2109.12894), neuron by neuron:
U[t] = beta U[t-1] + I[t] - R[t] threshold, where R[t] = 1 if U[t-1] was above the threshold; S[t] = U[t] > threshold.
Reset to zero takes U[t-1] away before the decay. What the surrogate is changes gradients alone.
"""

import numpy as np

SILENT = ("surrogate", "slope")
TRIED = {"threshold": (1.0, 0.3, -0.2), "beta": (0.9, 0.4, 0.0), "slope": (2.0, 25.0)}


def shapes(input, units, use_bias=True):
    """Weight name -> shape, in the order of the spec."""
    weights = {"kernel": (input, units), "bias": (units,)}
    return {name: shape for name, shape in weights.items() if use_bias or name != "bias"}


def step(params, state, x, beta=0.9, threshold=1.0, reset="subtract", surrogate="arctan", slope=2.0, use_bias=True):
    """One step. x (batch, input), state (v,) -> z (batch, units), (v,)."""
    current = x @ params["kernel"] + (params["bias"] if use_bias else 0)
    v = np.empty_like(state[0])
    for place, before in np.ndenumerate(state[0]):
        if before > threshold and reset == "zero":
            v[place] = current[place]
        else:
            v[place] = beta * before + current[place] - (threshold if before > threshold and reset == "subtract" else 0)
    return (v > threshold).astype(float), (v,)
