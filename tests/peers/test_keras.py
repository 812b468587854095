"""Keras's own cells, seen with 3.15. As layers, with gradients and all options: `tests/contract`, `tests/convert`."""

import numpy as np
import pytest

from tests.peers.ours import BATCH, INPUT, STEPS, UNITS, draw, instance, near, run, sequence

pytestmark = pytest.mark.full

PLACES = (4, 5, 3)
FLAT = {  # spec -> the layer, what it is given, names of states in their order
    "lstm": ("LSTM", {}, ("h", "c")),
    "gru": ("GRU", {}, ("h",)),
    "gru_reset_before": ("GRU", {"reset_after": False}, ("h",)),
    "simple_rnn": ("SimpleRNN", {}, ("h",)),
    "irnn": ("SimpleRNN", {"activation": "relu"}, ("h",)),
}
PICTURES = {  # spec -> the layer, the picture's axes
    "conv_lstm_1d": ("ConvLSTM1D", ("rows",)),
    "conv_lstm": ("ConvLSTM2D", ("rows", "columns")),
    "conv_lstm_3d": ("ConvLSTM3D", ("depth", "rows", "columns")),
}
BOTH = {"return_sequences": True, "return_state": True, "dtype": "float64"}


def same(layer, ours, x, order):
    weights, rng = draw(ours), np.random.default_rng(2)
    layer.build(x.shape)
    layer.set_weights([weights[weight.name] for weight in layer.weights])
    assert len(layer.weights) == len(weights)
    shapes = {state.name: ours.settings.shape(state.shape) for state in ours.cell.states}
    initial = {name: rng.normal(size=(BATCH, *shapes[name])) for name in order}
    wanted, *last = layer(x, initial_state=[initial[name] for name in order])
    output, states = run(ours, weights, x, ours.State(**initial))
    near(output, wanted)
    named = dict(zip(ours.State._fields, states))
    for name, each in zip(order, last, strict=True):
        near(named[name][:, -1], each)


@pytest.mark.parametrize("spec", FLAT)
def test_the_same(spec):
    keras = pytest.importorskip("keras")
    name, given, order = FLAT[spec]
    same(getattr(keras.layers, name)(UNITS, **given, **BOTH), instance(spec), sequence(), order)


@pytest.mark.parametrize("spec", PICTURES)
def test_pictures(spec):
    """Without the peepholes, which are not there."""
    keras = pytest.importorskip("keras")
    name, axes = PICTURES[spec]
    places = PLACES[: len(axes)]
    ours = instance(spec, use_peepholes=False, filters=2, channels=INPUT, **dict(zip(axes, places)))
    layer = getattr(keras.layers, name)(2, 3, padding="same", **BOTH)
    same(layer, ours, np.random.default_rng(1).normal(size=(BATCH, STEPS, *places, INPUT)), ("h", "c"))
