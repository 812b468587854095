"""torch's own cells, seen with 2.13. With gradients, and as layers: `tests/contract/test_other_suites.py`."""

import numpy as np
import pytest

from tests.peers.ours import BATCH, INPUT, UNITS, instance, near, run, sequence

pytestmark = pytest.mark.full
torch = pytest.importorskip("torch")


def blocks(array, *order):
    """Theirs, as ours stand."""
    parts = np.split(array, len(order))
    return np.concatenate([parts[part] for part in order]).T


def added(w, *order):
    """kernel, recurrent_kernel, and a bias for both of theirs."""
    kernel, recurrent = (blocks(w[f"weight_{name}"], *order) for name in ("ih", "hh"))
    return {"kernel": kernel, "recurrent_kernel": recurrent, "bias": blocks(w["bias_ih"] + w["bias_hh"], *order)}


def gru(w):
    """Theirs r, z, n; ours z, r, h, and a bias inside the reset."""
    biases = np.stack([blocks(w[f"bias_{name}"], 1, 0, 2) for name in ("ih", "hh")])
    return added(w, 1, 0, 2) | {"bias": biases}


CELLS = {  # spec -> their cell, ours of their weights, states in their order
    "lstm": (torch.nn.LSTMCell, lambda w: added(w, 0, 1, 2, 3), ("h", "c")),
    "lstm_chrono": (torch.nn.LSTMCell, lambda w: added(w, 0, 1, 2, 3), ("h", "c")),
    "gru": (torch.nn.GRUCell, gru, ("h",)),
    "simple_rnn": (torch.nn.RNNCell, lambda w: added(w, 0), ("h",)),
    "irnn": (lambda *sizes: torch.nn.RNNCell(*sizes, nonlinearity="relu"), lambda w: added(w, 0), ("h",)),
}


@pytest.mark.parametrize("spec", CELLS)
def test_the_same(spec):
    make, ours_of, order = CELLS[spec]
    theirs, ours, rng, x = make(INPUT, UNITS).double(), instance(spec), np.random.default_rng(0), sequence()
    with torch.no_grad():
        for weight in theirs.parameters():
            weight.copy_(torch.tensor(rng.normal(scale=0.6, size=tuple(weight.shape))))
    initial, outputs = {name: rng.normal(size=(BATCH, UNITS)) for name in order}, []
    state = tuple(torch.tensor(initial[name]) for name in order)
    with torch.no_grad():
        for t in range(x.shape[1]):
            came = theirs(torch.tensor(x[:, t]), state if len(state) > 1 else state[0])
            state = came if isinstance(came, tuple) else (came,)
            outputs.append(state[0].numpy())
    weights = ours_of({name: array.numpy() for name, array in theirs.state_dict().items()})
    output, states = run(ours, weights, x, ours.State(**initial))
    near(output, np.stack(outputs, 1))
    named = dict(zip(ours.State._fields, states))
    for name, last in zip(order, state, strict=True):
        near(named[name][:, -1], last.numpy())
