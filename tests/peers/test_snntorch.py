"""snnTorch's neurons, seen with 1.0.0 and torch 2.13: what comes in there is `x @ kernel + bias` here.

A spike is 1 above the threshold, and the reset follows one step after it (their `reset_delay`). Their spikes are
float32, and so is the threshold: one that float32 has.
"""

import numpy as np
import pytest

from tests.peers.ours import BATCH, UNITS, apart, draw, instance, near, run, sequence

pytestmark = pytest.mark.full
torch = pytest.importorskip("torch")
snntorch = pytest.importorskip("snntorch")

THRESHOLD = 0.625
LEAK, BOTH = {"beta": 0.7}, {"beta": 0.7, "alpha": 0.85}
NEURONS = {  # spec -> their class, its rates, ours in the order of their states
    "lif": ("Leaky", LEAK, ("v",)),
    "recurrent_lif": ("RLeaky", LEAK, ("z", "v")),
    "synaptic": ("Synaptic", BOTH, ("current", "v")),
    "alpha_neuron": ("Alpha", BOTH, ("excitation", "inhibition", "v")),
}
CASES = [(spec, reset) for spec in NEURONS for reset in ("subtract", "zero", "none")]
CASES.remove(("alpha_neuron", "subtract"))  # ours has none; theirs is the last test


def build(spec: str, reset: str):
    name, rates, _ = NEURONS[spec]
    given = {rate: torch.tensor(value, dtype=torch.float64) for rate, value in rates.items()}
    if name == "RLeaky":
        given["linear_features"] = UNITS
    return getattr(snntorch, name)(**given, threshold=THRESHOLD, reset_mechanism=reset).double()


def start(spec: str) -> dict[str, np.ndarray]:
    """Random initial states of ours; spikes are 0 and 1."""
    rng = np.random.default_rng(3)
    states = {name: rng.normal(size=(BATCH, UNITS)) for name in NEURONS[spec][2]}
    return states | ({"z": (states["z"] > 0).astype(float)} if "z" in states else {})


def steps(neurons, current, state):
    """Their spikes and states, each (batch, time, units)."""
    spikes, states, state = [], [], [torch.tensor(each) for each in state]
    with torch.no_grad():
        for t in range(current.shape[1]):
            spike, *state = neurons(torch.tensor(current[:, t]), *state)
            if hasattr(neurons, "recurrent"):  # whose spikes are a state
                state = [spike.double(), *state]
            spikes.append(spike.numpy())
            states.append([each.numpy().copy() for each in state])
    return np.stack(spikes, 1), [np.stack(each, 1) for each in zip(*states)]


@pytest.mark.parametrize(("spec", "reset"), CASES)
def test_the_same(spec, reset):
    theirs, ours = build(spec, reset), instance(spec, threshold=THRESHOLD, reset=reset, **NEURONS[spec][1])
    weights, initial, x = draw(ours, scale=0.8), start(spec), sequence()
    if spec == "recurrent_lif":
        with torch.no_grad():
            theirs.recurrent.weight.copy_(torch.tensor(weights["recurrent_kernel"].T))
            theirs.recurrent.bias.zero_()  # a second bias
    current = x @ weights["kernel"] + weights["bias"]
    wanted, states = steps(theirs, current, [initial[name] for name in NEURONS[spec][2]])
    spikes, came = run(ours, weights, x, ours.State(**initial))
    assert 0 < wanted.mean() < 1
    assert np.array_equal(spikes, wanted)
    named = dict(zip(ours.State._fields, came))
    assert set(named) == set(NEURONS[spec][2])
    for name, state in zip(NEURONS[spec][2], states, strict=True):
        near(named[name], state)


def test_what_reset_by_subtraction_is_of_alpha():
    """It takes the threshold from the excitation, clears the inhibition, and adds the old inhibition to v there."""
    theirs, rates = build("alpha_neuron", "subtract"), NEURONS["alpha_neuron"][1]
    initial, current = start("alpha_neuron"), sequence(UNITS)
    alpha, beta = rates["alpha"], rates["beta"]
    tau = np.log(alpha) / (np.log(beta) - np.log(alpha)) + 1
    excitation, inhibition, v = initial.values()
    found = []
    for t in range(current.shape[1]):
        fired, old = v > THRESHOLD, inhibition
        excitation, inhibition = alpha * excitation + current[:, t], beta * inhibition - current[:, t]
        v = tau * (excitation + inhibition) + fired * old
        excitation, inhibition = excitation - fired * THRESHOLD, np.where(fired, 0, inhibition)
        found.append((excitation, inhibition, v))
    _, states = steps(theirs, current, list(initial.values()))
    for state, each in zip(states, zip(*found), strict=True):
        near(state, np.stack(each, 1))
    reset = build("alpha_neuron", "zero")
    apart(steps(reset, current, list(initial.values()))[1][2], states[2])
