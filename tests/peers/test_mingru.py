"""minGRU-pytorch's minGRU and minLSTM, which are the positive forms, seen with 0.2.1 and torch 2.13."""

import importlib

import numpy as np
import pytest

from tests.peers.ours import BATCH, UNITS, apart, draw, instance, near, run, sequence

pytestmark = pytest.mark.full
torch = pytest.importorskip("torch")
pytest.importorskip("minGRU_pytorch")


def build(name: str, kernel):
    cell = getattr(importlib.import_module(f"minGRU_pytorch.{name}"), name)(UNITS).double()
    (weight,) = cell.parameters()
    with torch.no_grad():
        weight.copy_(torch.tensor(kernel.T))
    return cell


def columns(kernel, *order):
    """Ours in their order."""
    parts = np.split(kernel, len(order), 1)
    return np.concatenate([parts[part] for part in order], 1)


CELLS = {  # spec -> their class, our columns in their order, options
    "log_min_gru": ("minGRU", (1, 0), {}),
    "min_lstm": ("minLSTM", (2, 0, 1), {"positive": True}),
}


def pair(spec):
    name, order, given = CELLS[spec]
    ours = instance(spec, UNITS, **given)
    weights = draw(ours)
    weights["bias"] = np.zeros_like(weights["bias"])  # theirs has none
    return build(name, columns(weights["kernel"], *order)), ours, weights, sequence(UNITS)


@pytest.mark.parametrize("spec", CELLS)
def test_all_steps_at_once(spec):
    """In log space there."""
    theirs, ours, weights, x = pair(spec)
    with torch.no_grad():
        wanted = theirs(torch.tensor(x)).numpy()
    near(run(ours, weights, x)[0], wanted)


@pytest.mark.parametrize("spec", CELLS)
def test_step_by_step(spec):
    """From a state that is given."""
    theirs, ours, weights, x = pair(spec)
    h = np.abs(np.random.default_rng(2).normal(size=(BATCH, UNITS)))
    state, found = torch.tensor(h[:, None]), []
    with torch.no_grad():
        for t in range(x.shape[1]):
            output, state = theirs(torch.tensor(x[:, t : t + 1]), state, return_next_prev_hidden=True)
            found.append(output[:, 0].numpy())
    near(run(ours, weights, x, ours.State(h))[0], np.stack(found, 1))


def test_a_state_that_is_given_to_all_steps_at_once():
    """minGRU takes it as it is; minLSTM the g of it, as the paper, and so it does not as it steps."""
    h = np.abs(np.random.default_rng(2).normal(size=(BATCH, UNITS)))
    for spec in CELLS:
        theirs, ours, weights, x = pair(spec)
        with torch.no_grad():
            wanted = theirs(torch.tensor(x), torch.tensor(h[:, None])).numpy()
        if spec == "min_lstm":
            apart(run(ours, weights, x, ours.State(h))[0], wanted)
        near(run(ours, weights, x, ours.State(h + 0.5 if spec == "min_lstm" else h))[0], wanted)
