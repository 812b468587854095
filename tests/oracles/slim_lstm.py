"""LSTM1 to LSTM5 of Akandeh & Salem 2017 (arXiv:1707.04619): what their three gates read. A sample is a column.

1: U h + b; 2: U h; 3: b; 4: u * h; 5: u * h + b. Blocks of the gates' weights: i, f, o.
"""

import numpy as np

GATES = {
    "LSTM1": ("U_gates", "b_gates"),
    "LSTM2": ("U_gates",),
    "LSTM3": ("b_gates",),
    "LSTM4": ("u_gates",),
    "LSTM5": ("u_gates", "b_gates"),
}


def sigma(v):
    return 1 / (1 + np.exp(-v))


def shapes(input, units, variant="LSTM1"):
    """Weight name -> shape, in the order of the spec."""
    gates = {"U_gates": (units, 3 * units), "u_gates": (3, units), "b_gates": (3 * units,)}
    candidate = {"W": (input, units), "U": (units, units), "b": (units,)}
    return candidate | {name: shape for name, shape in gates.items() if name in GATES[variant]}


def step(params, state, x, variant="LSTM1"):
    """One step. x (batch, input), state (h, c) -> h (batch, units), (h, c)."""
    h_prev, c_prev, x = state[0].T, state[1].T, x.T
    n = len(h_prev)

    def gate(block):
        net = np.zeros_like(h_prev)
        for name in GATES[variant]:
            own = np.split(params[name].T if name == "U_gates" else params[name].reshape(3 * n), 3)[block]
            net += {"U": lambda U: U @ h_prev, "u": lambda u: u[:, None] * h_prev, "b": lambda b: b[:, None]}[name[0]](
                own
            )
        return sigma(net)

    c_tilde = np.tanh(params["W"].T @ x + params["U"].T @ h_prev + params["b"][:, None])
    c = gate(1) * c_prev + gate(0) * c_tilde
    h = gate(2) * np.tanh(c)
    return h.T, (h.T, c.T)
