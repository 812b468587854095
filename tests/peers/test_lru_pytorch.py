"""lru-pytorch's LRU, seen with 0.1.3 and torch 2.13: its D is a matrix where the paper's is a number a feature."""

import numpy as np
import pytest

from tests.peers.ours import INPUT, UNITS, apart, draw, instance, near, run, sequence

pytestmark = pytest.mark.full
torch = pytest.importorskip("torch")
pytest.importorskip("LRU_pytorch")


def pair():
    from LRU_pytorch import LRU

    ours = instance("lru")
    weights, theirs = draw(ours), LRU(INPUT, INPUT, UNITS)
    with torch.no_grad():
        for name in ("nu_log", "theta_log", "gamma_log"):
            getattr(theirs, name).copy_(torch.tensor(weights[name]))
        for name in "BC":
            getattr(theirs, name).copy_(torch.tensor((weights[f"{name}_re"] + 1j * weights[f"{name}_im"]).T))
        theirs.D.copy_(torch.tensor(np.diag(weights["D"])))
    return theirs, ours, weights, sequence()


def test_lru():
    theirs, ours, weights, x = pair()
    with torch.no_grad():
        near(run(ours, weights, x)[0], theirs(torch.tensor(x, dtype=torch.float32)).numpy(), "float32")


def test_a_state_is_taken_by_the_first_sample_alone():
    """The others start from zero there."""
    theirs, ours, weights, x = pair()
    h = np.random.default_rng(2).normal(size=(2, UNITS))
    with torch.no_grad():
        wanted = theirs(torch.tensor(x, dtype=torch.float32), torch.tensor(h[0] + 1j * h[1], dtype=torch.complex64))
    output, _ = run(ours, weights, x, ours.State(*(np.broadcast_to(each, (len(x), UNITS)) for each in h)))
    near(output[:1], wanted[:1].numpy(), "float32")
    apart(output[1:], wanted[1:].numpy())
    near(run(ours, weights, x)[0][1:], wanted[1:].numpy(), "float32")
