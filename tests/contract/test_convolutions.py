"""Cells on pictures: the twins of Keras's ConvLSTM layers, and what a state as large as its input asks of a layer."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.checkout import CHECKOUT
from tests.generated import MASK, build, close, committed, gradients

BATCH, STEPS, CHANNELS, FILTERS = 4, 6, 3, 2
PICTURE = (4, 5, 3)  # as many of these as there are axes
BOTH = {"return_sequences": True, "return_state": True}
TWINS = {
    1: (committed("conv_lstm_1d").ConvLSTM1D, keras.layers.ConvLSTM1D),
    2: (committed("conv_lstm").ConvLSTM, keras.layers.ConvLSTM2D),
    3: (committed("conv_lstm_3d").ConvLSTM3D, keras.layers.ConvLSTM3D),
}
OPTIONS = {
    "defaults": {},
    "names": {"activation": "softsign", "recurrent_activation": "hard_sigmoid", "use_bias": False},
    "five": {"kernel_size": 5, "unit_forget_bias": False},
    "even": {"kernel_size": 2},
}
each_rank = pytest.mark.parametrize("rank", TWINS)


def pair(rank, options="defaults", dtype="float64", **arguments):
    """Our layer and Keras's, built, with Keras's random weights moved to ours as they are."""
    Ours, Theirs = TWINS[rank]
    given = {"kernel_size": 3, **OPTIONS[options], **arguments}
    ours = Ours(FILTERS, use_peepholes=False, dtype=dtype, **given)
    theirs = Theirs(FILTERS, padding="same", dtype=dtype, **given)
    for layer in (ours, theirs):
        layer.build((BATCH, STEPS, *PICTURE[:rank], CHANNELS))
    rng = np.random.default_rng(rank)
    theirs.set_weights([rng.normal(scale=0.3, size=w.shape) for w in theirs.get_weights()])
    ours.set_weights(theirs.get_weights())
    return ours, theirs


def film(rank, seed=0):
    return np.random.default_rng(seed).normal(size=(BATCH, STEPS, *PICTURE[:rank], CHANNELS))


def states(rank, seed=1):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(BATCH, *PICTURE[:rank], FILTERS)) for _ in range(2)]


@each_rank
@pytest.mark.parametrize("use_bias", [True, False])
def test_weights_have_keras_names_order_and_shapes(rank, use_bias):
    ours, theirs = pair(rank, use_bias=use_bias)
    named = [[(w.path.rsplit("/", 1)[1], w.shape, w.trainable) for w in layer.weights] for layer in (ours, theirs)]
    assert named[0] == named[1]


EVERY_DAY = [(rank, "defaults", True) for rank in TWINS]
OTHERS = [
    (rank, options, masked)
    for rank in TWINS
    for options in OPTIONS
    for masked in (False, True)
    if (rank, options, masked) not in EVERY_DAY
]


@pytest.mark.parametrize(
    ("rank", "options", "masked"), [*EVERY_DAY, *(pytest.param(*each, marks=pytest.mark.full) for each in OTHERS)]
)
def test_values_and_gradients(rank, options, masked):
    x, mask = film(rank), {"mask": MASK} if masked else {}
    ours, theirs = pair(rank, options, **BOTH)
    close(*(gradients(layer, x, states(rank), **mask) for layer in (ours, theirs)))


@pytest.mark.full
@each_rank
def test_values_and_gradients_backwards(rank):
    ours, theirs = pair(rank, **BOTH, go_backwards=True)
    close(*(gradients(layer, film(rank), states(rank), mask=MASK) for layer in (ours, theirs)))


@pytest.mark.parametrize("jit_compile", [False, True])
def test_values_and_gradients_in_float32(jit_compile):
    ours, theirs = pair(2, dtype="float32", **BOTH)
    ours.jit_compile = jit_compile
    x, start = film(2).astype("float32"), [value.astype("float32") for value in states(2)]
    close(*(gradients(layer, x, start) for layer in (ours, theirs)), bound=1e-4)


@pytest.mark.full
@each_rank
def test_what_is_returned(rank):
    for outputs in (False, True):
        for state in (False, True):
            ours, theirs = pair(rank, return_sequences=outputs, return_state=state)
            came, wanted = (layer(film(rank), initial_state=states(rank), mask=MASK) for layer in (ours, theirs))
            close(came, wanted)


def test_stateful():
    ours, theirs = pair(2, stateful=True, **BOTH)
    x = film(2)
    first = theirs(x, mask=MASK)
    close(ours(x, mask=MASK), first)
    second = theirs(x)
    close(ours(x), second)
    assert not np.allclose(first[0], second[0])
    ours.reset_state()
    close(ours(x, mask=MASK), first)


@pytest.mark.full
def test_bidirectional():
    x = film(2)
    ours, theirs = (keras.layers.Bidirectional(layer, dtype="float64") for layer in pair(2, **BOTH))
    for layer in (ours, theirs):
        layer.build(x.shape)
    rng = np.random.default_rng(5)
    theirs.set_weights([rng.normal(scale=0.3, size=w.shape) for w in theirs.get_weights()])
    ours.set_weights(theirs.get_weights())
    close(gradients(ours, x, mask=MASK), gradients(theirs, x, mask=MASK))


@pytest.mark.parametrize("stem", ["conv_lstm", "conv_gru"])
@pytest.mark.parametrize("policy", [pytest.param("float32", marks=pytest.mark.full), "mixed_bfloat16"])
def test_a_model_is_trained_saved_and_loaded(stem, policy, tmp_path):
    """Two layers, one on top of the other, whose weights for each place have the size of the picture."""
    Layer = next(each for each in vars(committed(stem)).values() if hasattr(each, "cell_class"))
    sequence = keras.Input((None, 4, 5, CHANNELS))
    layers = [Layer(FILTERS, return_sequences=True, dtype=policy), Layer(3, dtype=policy)]
    picture = layers[1](layers[0](sequence))
    assert picture.shape == (None, 4, 5, 3)
    model = keras.Model(sequence, keras.layers.GlobalAveragePooling2D()(picture))
    model.compile("adam", "mse")
    x, y = film(2).astype("float32"), np.ones((BATCH, 3), "float32")
    before = model.get_weights()
    losses = model.fit(x, y, epochs=3, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    assert all(np.any(old != new) for old, new in zip(before, model.get_weights(), strict=True))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    close(loaded(x), model(x), bound=1e-6)
    assert model(film(2)[:, :2].astype("float32")).shape == (BATCH, 3)


def test_a_state_of_a_picture_is_known_when_the_cell_is_built():
    cell = committed("conv_lstm").ConvLSTMCell(FILTERS)
    with pytest.raises(ValueError, match="build the cell before it is asked for one"):
        cell.get_initial_state(batch_size=BATCH)
    cell.build((None, 4, 5, CHANNELS))
    assert [tuple(value.shape) for value in cell.get_initial_state(batch_size=BATCH)] == [(BATCH, 4, 5, FILTERS)] * 2
    with pytest.raises(ValueError, match="known sizes"):
        committed("conv_lstm").ConvLSTM(FILTERS)(tf.keras.Input((None, None, 5, CHANNELS)))


def test_a_gru_of_pictures_stands_for_no_layer_of_keras():
    assert committed("conv_gru").ConvGRUCell.keywords == {}


@pytest.mark.full
def test_strides_and_dilation_in_the_ways_of_running(tmp_path):
    """What the generated tests of a spec with both say of it."""
    build(CHECKOUT / "tests" / "specs" / "pictures.yaml", tmp_path)
    assert pytest.main(["-q", "-p", "no:cacheprovider", str(tmp_path)]) == 0
