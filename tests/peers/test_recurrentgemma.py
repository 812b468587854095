"""RecurrentGemma's RG-LRU in torch, of the authors, seen with 1.0.1 and torch 2.13; its package also wants JAX."""

import numpy as np
import pytest

from tests.peers.ours import BATCH, STEPS, UNITS, apart, draw, instance, near, run, sequence

pytestmark = pytest.mark.full
torch = pytest.importorskip("torch")
layers = pytest.importorskip("recurrentgemma.torch.layers")

HEADS = 2


def both(first: int):
    """Outputs from an initial state, positions from this one on; a row starts anew where its position is 0."""
    ours = instance("rg_lru", heads=HEADS)
    w, x, h = draw(ours), sequence(UNITS), np.random.default_rng(2).normal(size=(BATCH, UNITS))
    theirs = layers.RGLRU(UNITS, HEADS)
    with torch.no_grad():
        theirs.a_param.copy_(torch.tensor(w["L"]))
        for gate, name in ((theirs.input_gate, "x"), (theirs.a_gate, "a")):
            gate.w.copy_(torch.tensor(w[f"W_{name}"]))
            gate.b.copy_(torch.tensor(w[f"b_{name}"]))
        position = np.tile(np.arange(first, first + STEPS), (BATCH, 1))
        position[1, 3:] = [0, 1]
        given = (torch.tensor(each, dtype=torch.float32) for each in (x, h))
        wanted, _ = theirs(next(given), torch.tensor(position), next(given))
    reset = np.zeros((BATCH, STEPS, 1))
    reset[1, 3] = 1
    return run(ours, w, {"x": x, "reset": reset}, ours.State(h))[0], wanted.numpy()


def test_rg_lru():
    near(*both(first=1), "float32")


def test_the_first_step_of_all_starts_anew():
    """Positions from 0: the state that is given is not read."""
    apart(*both(first=0))
