"""LTC of Hasani et al. 2021 (arXiv:2006.04439), its fused solver with six steps, as in the authors' code.

For each neuron j, synapse by synapse: dv/dt = (sum of currents) / cm; a fused step solves for v_j the implicit form
in which the conductances are those of the old potentials:
v_j <- (cm_j/dt v_j + gl_j vl_j + sum_i w_ij s(sigma_ij (v_i - mu_ij)) E_ij + the same of inputs) / (... without E)
"""

import numpy as np

STEPS = 6


def shapes(input, units, **_):
    found = dict.fromkeys(("gleak", "vleak", "cm"), (units,))
    found |= dict.fromkeys(("sigma", "mu", "w", "erev"), (units, units))
    found |= {f"sensory_{name}": (input, units) for name in ("sigma", "mu", "w", "erev")}
    return found | {"input_w": (input,), "input_b": (input,), "output_w": (units,), "output_b": (units,)}


def step(params, state, inputs):
    """One step. x (batch, input), elapsed (batch, 1), state (v,) -> y (batch, units), (v,)."""
    x, elapsed = inputs
    P = params | {name: np.log1p(np.exp(params[name])) for name in ("gleak", "cm", "w", "sensory_w")}
    x = P["input_w"] * x + P["input_b"]
    v = np.array(state[0])
    for row in range(len(v)):
        dt = elapsed[row, 0] / STEPS
        if dt <= 0:  # no time has gone by
            continue
        for _ in range(STEPS):
            new = np.empty_like(v[row])
            for j in range(len(new)):
                top = P["cm"][j] / dt * v[row, j] + P["gleak"][j] * P["vleak"][j]
                below = P["cm"][j] / dt + P["gleak"][j]
                for pre, kind in ((v[row], ""), (x[row], "sensory_")):
                    for i, each in enumerate(pre):
                        a = P[kind + "w"][i, j] / (1 + np.exp(-P[kind + "sigma"][i, j] * (each - P[kind + "mu"][i, j])))
                        top, below = top + a * P[kind + "erev"][i, j], below + a
                new[j] = top / below
            v[row] = new
    return P["output_w"] * v + P["output_b"], (v,)
