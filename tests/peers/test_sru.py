"""sru, of the authors, seen with 2.6.0 and torch 2.13: `v1` is our sru, without it sru_v2."""

import numpy as np
import pytest

from tests.peers.ours import BATCH, INPUT, UNITS, draw, instance, near, run, sequence

pytestmark = [pytest.mark.full, pytest.mark.filterwarnings("ignore")]
torch = pytest.importorskip("torch")
sru = pytest.importorskip("sru")


@pytest.mark.parametrize("activation", ["linear", "tanh"])
@pytest.mark.parametrize("spec", ["sru", "sru_v2"])
def test_the_same(spec, activation):
    """Where input and units differ, it has the fourth matrix. A unit's columns stand side by side there."""
    ours = instance(spec, activation=activation)
    weights, x = draw(ours), sequence()
    c = np.random.default_rng(2).normal(size=(BATCH, UNITS))
    theirs = sru.SRUCell(INPUT, UNITS, use_tanh=activation == "tanh", v1=spec == "sru", rescale=False).double()
    with torch.no_grad():
        theirs.weight.copy_(torch.tensor(weights["kernel"].reshape(INPUT, 4, UNITS).swapaxes(1, 2).reshape(INPUT, -1)))
        theirs.bias.copy_(torch.tensor(weights["bias"]))
        if spec == "sru_v2":
            theirs.weight_c.copy_(torch.tensor(weights["v"]))
    h, last = theirs(torch.tensor(x.swapaxes(0, 1)), torch.tensor(c))  # with gradients: else it runs its extension
    output, (state,) = run(ours, weights, x, ours.State(c))
    near(output, h.detach().transpose(0, 1).numpy())
    near(state[:, -1], last.detach().numpy())
