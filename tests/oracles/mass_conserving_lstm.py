"""MC-LSTM of Hoedt et al. 2021 (arXiv:2101.05186), one sample at a time:

m_tot = R c + i x, c = (1 - o) * m_tot, h = o * m_tot; each row of R and of i sums to 1 over where mass goes.
"""

import numpy as np


def sigma(v):
    return 1 / (1 + np.exp(-v))


TRIED = {"aux": (None, 2)}


def softmax(v):
    e = np.exp(v - v.max())
    return e / e.sum()


def shapes(input, units, aux=None):
    """Weight name -> shape, in the order of the spec."""
    weights = {}
    for gate, shape in (("i", (input, units)), ("r", (units, units)), ("o", (units,))):
        wide = int(np.prod(shape))
        weights |= {f"W_{gate}": (aux, wide)} if aux else {}
        weights |= {f"U_{gate}": (units, wide), f"b_{gate}": shape}
    return weights


def step(params, state, inputs, aux=None):
    """One step. inputs x (batch, input) and a (batch, aux) or None, state (c,) -> h (batch, units), (c,)."""
    xs, auxiliary = inputs
    batch = len(xs)
    found = [sample(params, state[0][k], xs[k], None if auxiliary is None else auxiliary[k]) for k in range(batch)]
    h, c = (np.array(each) for each in zip(*found))
    return h, (c,)


def sample(params, c, x, a):
    n, total = len(c), c.sum()
    share = c / total if total > 0 else c

    def net(gate, shape):
        own = params[f"U_{gate}"].T @ share + (0 if a is None else params[f"W_{gate}"].T @ a)
        return own.reshape(shape) + params[f"b_{gate}"]

    spread = np.array([softmax(row) for row in net("i", (len(x), n))])
    R = np.array([softmax(row) for row in net("r", (n, n))])
    o = sigma(net("o", (n,)))
    m_tot = R.T @ c + spread.T @ x
    return o * m_tot, (1 - o) * m_tot
