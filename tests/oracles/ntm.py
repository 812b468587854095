"""Neural Turing machine of Graves, Wayne & Danihelka 2014 (arXiv:1410.5401), eq. 1-9, one sample and head at a time.

The memory has its slots in columns. It is read before it is written; the controller is an LSTM, blocks: i, f, g, o.
"""

import numpy as np

TRIED = {"slots": (None, 5), "width": (None, 4), "outputs": (None, 3)}


def sigma(v):
    return 1 / (1 + np.exp(-v))


def softplus(v):
    return np.logaddexp(v, 0)


def softmax(v):
    v = np.exp(v - v.max())
    return v / v.sum()


def shapes(input, units, slots=128, width=20, outputs=None):
    """Weight name -> shape, in the order of the spec."""
    outputs = outputs or units
    weights = {"kernel": input, "read_kernel": width, "recurrent_kernel": units}
    weights = {name: (rows, 4 * units) for name, rows in weights.items()} | {"bias": (4 * units,)}
    for name, columns in (("k", 2 * width), ("beta", 2), ("g", 2), ("s", 6), ("gamma", 2), ("e", width), ("a", width)):
        weights |= {f"W_{name}": (units, columns), f"b_{name}": (columns,)}
    return weights | {"V_h": (units, outputs), "V_r": (width, outputs), "b_y": (outputs,)}


def step(params, state, x, slots=128, width=20, outputs=None):
    """One step. x (batch, input), state (h, c, r, w, M) -> y (batch, outputs), (h, c, r, w, M)."""
    outputs, states = [], []
    for x_t, h, c, r, w_prev, M in zip(x, *state, strict=True):
        gates = x_t @ params["kernel"] + r @ params["read_kernel"] + h @ params["recurrent_kernel"] + params["bias"]
        i, f, g, o = np.split(gates, 4)
        c = sigma(f) * c + sigma(i) * np.tanh(g)
        h = sigma(o) * np.tanh(c)

        def emitted(name, h=h):
            return h @ params[f"W_{name}"] + params[f"b_{name}"]

        w = []
        for head in (0, 1):
            k = np.tanh(emitted("k").reshape(2, width)[head])
            beta, g, gamma = softplus(emitted("beta")[head]), sigma(emitted("g")[head]), emitted("gamma")[head]
            sizes = np.sqrt(np.maximum(k @ k, 1e-12) * np.maximum([slot @ slot for slot in M.T], 1e-12))
            w_c = softmax(beta * np.array([k @ slot for slot in M.T]) / sizes)
            w_g = g * w_c + (1 - g) * w_prev[head]
            s = softmax(emitted("s").reshape(2, 3)[head])
            n = len(w_g)
            w_s = [sum(w_g[(place - move) % n] * s[move + 1] for move in (-1, 0, 1)) for place in range(n)]
            sharp = np.maximum(w_s, 1e-16) ** (1 + softplus(gamma))
            w.append(sharp / sharp.sum())
        r = M @ w[0]
        M = M * (1 - np.outer(sigma(emitted("e")), w[1])) + np.outer(np.tanh(emitted("a")), w[1])
        outputs.append(h @ params["V_h"] + r @ params["V_r"] + params["b_y"])
        states.append((h, c, r, np.array(w), M))
    return np.array(outputs), tuple(np.array(each) for each in zip(*states, strict=True))
