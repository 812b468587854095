"""xlstm, of the authors, seen with 2.0.6 and torch 2.13: the plain step of its mLSTM and its `vanilla` sLSTM."""

import numpy as np
import pytest

from tests.peers.ours import BATCH, UNITS, apart, draw, instance, near, run, sequence

pytestmark = pytest.mark.full
torch = pytest.importorskip("torch")
pytest.importorskip("xlstm")

HEADS = 2
KEY = UNITS // HEADS


def sigmoid(v):
    return 1 / (1 + np.exp(-v))


def by_head(array):
    return array.reshape(*array.shape[:-1], HEADS, -1)


@pytest.mark.parametrize("initial", [False, True])
def test_slstm(initial):
    vanilla = pytest.importorskip("xlstm.blocks.slstm.src.vanilla")
    ours = instance("slstm", heads=HEADS)
    weights, x, rng = draw(ours), sequence(), np.random.default_rng(2)
    W, b = (weights[name].reshape(-1, HEADS, 4, KEY).swapaxes(1, 2).reshape(-1, 4 * UNITS) for name in ("W", "b"))
    R = weights["R"].reshape(HEADS, KEY, 4 * KEY).swapaxes(1, 2)
    start = [np.zeros((BATCH, UNITS)) for _ in range(4)]
    if initial:
        start = [rng.normal(size=(BATCH, UNITS)) for _ in range(4)]
        start[2] = np.abs(start[2])
    step = vanilla.slstm_pointwise_function_registry["slstm"]
    tensors = (torch.tensor(each) for each in ((x @ W).swapaxes(0, 1), np.stack(start), R, b[0]))
    states, _, _ = vanilla.slstm_forward(*tensors, step)
    output, came = run(ours, weights, x, ours.State(*start) if initial else None)
    near(output, states[0, 1:].transpose(0, 1).numpy())
    for state, wanted in zip(came, states, strict=True):
        near(state, wanted[1:].transpose(0, 1).numpy())


def mlstm(epsilon):
    """Both outputs. Theirs is given query, key, value and the gates' sums, and divides the key by sqrt(key)."""
    backends = pytest.importorskip("xlstm.blocks.mlstm.backends")
    ours = instance("mlstm", heads=HEADS)
    w, x, rng = draw(ours), sequence(), np.random.default_rng(2)
    C, n, m = (
        rng.normal(size=(BATCH, HEADS, KEY, KEY)),
        rng.normal(size=(BATCH, HEADS, KEY)),
        rng.normal(size=(3, HEADS)),
    )
    q, k, v = (by_head(x @ w[f"W_{name}"] + w[f"b_{name}"]) for name in "qkv")
    i, f = (x @ w[f"w_{name}"] + w[f"b_{name}"] for name in "if")
    state, found = [torch.tensor(each) for each in (C, n[..., None], m[..., None, None])], []
    for t in range(x.shape[1]):
        given = [torch.tensor(each[:, t, :, None]) for each in (q, k * KEY**0.5, v)]
        gates = [torch.tensor(each[:, t, :, None, None]) for each in (i, f)]
        h, state = backends.recurrent_step_stabilized_simple(*state, *given, *gates, eps=epsilon)
        found.append(h.reshape(BATCH, UNITS).numpy())
    output, states = run(ours, w, x, ours.State(C=C, n=n, m=m))
    near(states[0][:, -1], state[0].numpy())
    near(states[1][:, -1], state[1][..., 0].numpy())
    near(states[2][:, -1], state[2][..., 0, 0].numpy())
    return output, sigmoid(x @ w["W_o"] + w["b_o"]) * np.stack(found, 1)


def test_mlstm():
    near(*mlstm(epsilon=0.0))


def test_mlstm_adds_to_the_divisor():
    """Theirs has 1e-6 there; with more it is seen."""
    output, wanted = mlstm(epsilon=1e-6)
    assert 1e-10 < np.abs(output - wanted).max() < 1e-3
    apart(*mlstm(epsilon=0.1))
