"""ncps's liquid cells, seen with 1.0.1, torch 2.13 and Keras 3.15."""

import importlib

import numpy as np
import pytest

from tests.peers.ours import BATCH, INPUT, UNITS, apart, draw, instance, near, run, sequence

pytestmark = pytest.mark.full
torch = pytest.importorskip("torch")
ncps = pytest.importorskip("ncps.torch")

BACKBONE = 7


def elapsed(seed=5):
    return np.random.default_rng(seed).uniform(0.2, 2.0, size=(BATCH, sequence().shape[1], 1))


def steps(cell, x, times, state):
    """Their outputs and states."""
    state, outputs, states = torch.tensor(state), [], []
    with torch.no_grad():
        for t in range(x.shape[1]):
            output, state = cell(torch.tensor(x[:, t]), state, torch.tensor(times[:, t]))
            outputs.append(output.numpy())
            states.append(state.numpy())
    return np.stack(outputs, 1), np.stack(states, 1)


def put(cell, arrays) -> None:
    known = dict(cell.named_parameters())
    with torch.no_grad():
        for name, array in arrays.items():
            known[name].copy_(torch.tensor(array).reshape(known[name].shape))


# --- LTC ------------------------------------------------------------------------------------------------------------


def ltc_weights(ours):
    """As they start, near what neurons have; conductances before their softplus."""
    rng = np.random.default_rng(0)
    return draw(ours) | {
        name: rng.uniform(low, high, size=ours.weights[name])
        for name, low, high in (("sigma", 3, 8), ("mu", 0.3, 0.8), ("sensory_sigma", 3, 8), ("sensory_mu", 0.3, 0.8))
    }


def test_ltc():
    """With implicit_param_constraints and every synapse; their epsilon, which keeps a divisor from 0, is 0."""
    wiring = importlib.import_module("ncps.wirings").FullyConnected(UNITS)
    theirs = ncps.LTCCell(wiring, INPUT, epsilon=0.0, implicit_param_constraints=True).double()
    ours = instance("ltc")
    weights, x, times = ltc_weights(ours), sequence(), elapsed()
    put(theirs, weights)
    v = np.random.default_rng(1).normal(size=(BATCH, UNITS))
    wanted, states = steps(theirs, x, times, v)
    output, (state,) = run(ours, weights, {"x": x, "elapsed": times}, ours.State(v))
    near(output, wanted)
    near(state, states)


def test_ltc_with_their_epsilon():
    wiring = importlib.import_module("ncps.wirings").FullyConnected(UNITS)
    theirs = ncps.LTCCell(wiring, INPUT, implicit_param_constraints=True).double()
    ours = instance("ltc")
    weights, x, times = ltc_weights(ours), sequence(), elapsed()
    put(theirs, weights)
    v = np.random.default_rng(1).normal(size=(BATCH, UNITS))
    (wanted, _), (output, _) = steps(theirs, x, times, v), run(ours, weights, {"x": x, "elapsed": times}, ours.State(v))
    assert 1e-10 < np.abs(output - wanted).max() < 1e-6


# --- CfC ------------------------------------------------------------------------------------------------------------


def cfc(mode, sign=-1):
    """Their cell and ours, with one set of weights; theirs has the time's weights with this sign."""
    theirs = ncps.CfCCell(INPUT, UNITS, mode={"gate": "default"}.get(mode, mode), backbone_units=BACKBONE).double()
    ours = instance("cfc", mode=mode, backbone=BACKBONE)
    weights = draw(ours)
    arrays = {
        "backbone.0.weight": np.concatenate([weights["W_x"], weights["W_h"]]).T,
        "backbone.0.bias": weights["b"],
        "ff1.weight": weights["W_1"].T,
        "ff1.bias": weights["b_1"],
    }
    if mode == "pure":
        arrays |= {"w_tau": weights["w_tau"], "A": weights["A"]}
    else:
        arrays |= {
            "ff2.weight": weights["W_2"].T,
            "ff2.bias": weights["b_2"],
            "time_a.weight": sign * weights["W_a"].T,
            "time_a.bias": sign * weights["b_a"],
            "time_b.weight": weights["W_b"].T,
            "time_b.bias": weights["b_b"],
        }
    put(theirs, arrays)
    return theirs, ours, weights


def outputs_of(theirs, ours, weights):
    x, times = sequence(), elapsed()
    h = np.random.default_rng(1).normal(size=(BATCH, UNITS))
    return run(ours, weights, {"x": x, "elapsed": times}, ours.State(h))[0], steps(theirs, x, times, h)[0]


@pytest.mark.parametrize("mode", ["gate", "no_gate", "pure"])
def test_cfc(mode):
    """But for the sign of what multiplies the time."""
    near(*outputs_of(*cfc(mode)))


@pytest.mark.parametrize("mode", ["gate", "no_gate"])
def test_cfc_has_the_other_sign_of_time(mode):
    """The paper's gate is sigmoid(-f t + ...); that of ncps.torch sigmoid(t_a t + t_b)."""
    apart(*outputs_of(*cfc(mode, sign=1)))


def sigmoid(v):
    return 1 / (1 + np.exp(-v))


def without_tanh(w, mode, x, times, h):
    """The cell of ncps.keras in numpy: heads that are not squashed."""
    found = []
    for t in range(x.shape[1]):
        s = 1.7159 * np.tanh(0.666 * (x[:, t] @ w["W_x"] + h @ w["W_h"] + w["b"]))
        one, two, a, b = (s @ w[f"W_{name}"] + w[f"b_{name}"] for name in "12ab")
        gate = sigmoid(b - times[:, t] * a)
        h = one + gate * two if mode == "no_gate" else one * (1 - gate) + gate * two
        found.append(h)
    return np.stack(found, 1)


@pytest.mark.parametrize("mode", ["gate", "no_gate", "pure"])
def test_cfc_of_keras(mode):
    """It has the paper's sign, and its heads no tanh; `pure` is the same. The elapsed time stands beside the input."""
    keras = pytest.importorskip("keras")
    Cell = pytest.importorskip("ncps.keras").CfCCell
    _, ours, w = cfc(mode)
    x, times, h = sequence(), elapsed(), np.random.default_rng(1).normal(size=(BATCH, UNITS))
    names = {"W_1": "ff1_weight", "b_1": "ff1_bias", "W_2": "ff2_weight", "b_2": "ff2_bias", "w_tau": "w_tau", "A": "A"}
    names |= {"W_a": "time_a/kernel", "b_a": "time_a/bias", "W_b": "time_b/kernel", "b_b": "time_b/bias"}
    arrays = {names[name]: array for name, array in w.items() if name in names}
    arrays |= {"backbone0/kernel": np.concatenate([w["W_x"], w["W_h"]]), "backbone0/bias": w["b"]}
    known = keras.config.floatx()
    keras.config.set_floatx("float64")  # no other way to say it to the layers inside
    try:
        cell = Cell(UNITS, mode={"gate": "default"}.get(mode, mode), backbone_units=BACKBONE)
        cell.build((BATCH, INPUT))
        for weight in cell.weights:
            (array,) = (array for name, array in arrays.items() if weight.path.endswith(f"/{name}"))
            weight.assign(array.reshape(weight.shape))
        state, outputs = [keras.ops.convert_to_tensor(h)], []
        for t in range(x.shape[1]):
            output, state = cell((x[:, t], times[:, t]), state)
            outputs.append(np.asarray(output))
    finally:
        keras.config.set_floatx(known)
    got, _ = run(ours, w, {"x": x, "elapsed": times}, ours.State(h))
    wanted = np.stack(outputs, 1)
    if mode == "pure":
        near(wanted, got)
    else:
        near(wanted, without_tanh(w, mode, x, times, h))
        apart(wanted, got)
