"""The generated twins of Keras's layers and of TensorFlow 1's LSTMCell: the same weights, values and gradients."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.keras.layers.legacy_rnn.rnn_cell_impl import LSTMCell as LSTMCellOfTensorFlow1

from cellgen.ir.ops import ACTIVATIONS
from tests.generated import BATCH, MASK, STEPS, WIDTH, close, committed, gradients, sequences

UNITS = 5
BOTH = {"return_sequences": True, "return_state": True}

TWINS = {
    "simple_rnn": (committed("simple_rnn").SimpleRNN, keras.layers.SimpleRNN, {}),
    "lstm": (committed("lstm").LSTM, keras.layers.LSTM, {}),
    "gru": (committed("gru").GRU, keras.layers.GRU, {"reset_after": True}),
    "gru_reset_before": (committed("gru_reset_before").GRUResetBefore, keras.layers.GRU, {"reset_after": False}),
}
OPTIONS = {
    "defaults": {},
    "names": {"activation": "softsign", "recurrent_activation": "hard_sigmoid", "use_bias": False},
    "functions": {"activation": keras.activations.relu, "recurrent_activation": keras.activations.softplus},
    "none": {"activation": None, "recurrent_activation": None},
}
each_twin = pytest.mark.parametrize("stem", TWINS)


def given(stem, options):
    """The options that a layer has: SimpleRNN has no gates."""
    gated = stem != "simple_rnn"
    return {name: value for name, value in options.items() if gated or name != "recurrent_activation"}


def pair(stem, rng, options=None, unroll=False, **arguments):
    """Our layer and Keras's, built, with Keras's random weights moved to ours as they are.

    Keras's is never unrolled: its unrolled loop zeroes the outputs at the wrong steps when it goes backwards.
    """
    ours, theirs, only = TWINS[stem]
    options = given(stem, options or {})
    ours = ours(UNITS, **options, unroll=unroll, dtype="float64", **arguments)
    theirs = theirs(UNITS, **options, **only, dtype="float64", **arguments)
    for layer in (ours, theirs):
        layer.build((BATCH, STEPS, WIDTH))
    theirs.set_weights([rng.normal(scale=0.2, size=w.shape) for w in theirs.get_weights()])
    ours.set_weights(theirs.get_weights())
    return ours, theirs


def inputs(rng, layer):
    return sequences(), [rng.normal(size=(BATCH, size)) for size in tf.nest.flatten(layer.cell.state_size)]


@each_twin
@pytest.mark.parametrize("use_bias", [True, False])
def test_weights_have_keras_names_order_and_shapes(stem, use_bias):
    ours, theirs = pair(stem, np.random.default_rng(0), {"use_bias": use_bias})
    named = [[(w.path.rsplit("/", 1)[1], w.shape, w.trainable) for w in layer.weights] for layer in (ours, theirs)]
    assert named[0] == named[1] and len(named[0]) == 2 + use_bias


def same(stem, options, masked, **arguments):
    rng = np.random.default_rng(1)
    ours, theirs = pair(stem, rng, OPTIONS[options], **BOTH, **arguments)
    x, state = inputs(rng, ours)
    mask = MASK if masked else None
    close(gradients(ours, x, state, mask=mask), gradients(theirs, x, state, mask=mask))
    close(ours(x, mask=mask), theirs(x, mask=mask))


@pytest.mark.parametrize(
    ("stem", "options"),
    [
        *((stem, options) for stem in TWINS for options in ("defaults", "names")),
        *((stem, options) for stem in ("simple_rnn", "gru") for options in ("functions", "none")),
    ],
)
def test_values_and_gradients(stem, options):
    same(stem, options, masked=True)


@pytest.mark.parametrize(("stem", "masked"), [("lstm", False), *((stem, True) for stem in TWINS)])
def test_values_and_gradients_backwards(stem, masked):
    same(stem, "defaults", masked, go_backwards=True)


@pytest.mark.parametrize("stem", ["lstm", "gru"])
def test_values_and_gradients_with_zeros_for_masked_outputs(stem):
    same(stem, "defaults", masked=True, zero_output_for_mask=True)


@pytest.mark.full
@each_twin
@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("go_backwards", [False, True])
@pytest.mark.parametrize("zero_output_for_mask", [False, True])
@pytest.mark.parametrize("unroll", [False, True])
def test_values_and_gradients_of_all_together(stem, options, masked, go_backwards, zero_output_for_mask, unroll):
    arguments = {"go_backwards": go_backwards, "zero_output_for_mask": zero_output_for_mask, "unroll": unroll}
    same(stem, options, masked, **arguments)


@each_twin
def test_what_is_returned(stem):
    rng = np.random.default_rng(2)
    for outputs in (False, True):
        for state in (False, True):
            ours, theirs = pair(stem, rng, return_sequences=outputs, return_state=state)
            x, start = inputs(rng, ours)
            came, wanted = (layer(x, initial_state=start, mask=MASK) for layer in (ours, theirs))
            close(came, wanted)
            assert isinstance(came, tuple | list) == isinstance(wanted, tuple | list)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_is_keras_own(name):
    """As a name and as Keras's function, far from zero too."""
    rng, generated = np.random.default_rng(3), committed("lstm")
    x = tf.constant(np.concatenate([rng.normal(size=50) * 4, [-40.0, 0.0, 40.0]]))
    values = []
    for function in (generated.recurrent.ACTIVATIONS[name], keras.activations.get(name)):
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = function(x)
        values.append([value, tape.gradient(value, x)])
    close(*values, bound=1e-13)
    for given in (name, keras.activations.get(name)):
        assert generated.LSTM(2, activation=given).get_config()["activation"] == name


@each_twin
def test_stateful(stem):
    rng = np.random.default_rng(4)
    ours, theirs = pair(stem, rng, stateful=True, **BOTH)
    x, _ = inputs(rng, ours)
    first = theirs(x, mask=MASK)
    close(ours(x, mask=MASK), first)
    second = theirs(x)
    close(ours(x), second)
    assert not np.allclose(first[0], second[0])
    for layer in (ours, theirs):
        layer.reset_state()
    close(ours(x, mask=MASK), first)


@each_twin
@pytest.mark.parametrize("merge", ["concat", *(pytest.param(merge, marks=pytest.mark.full) for merge in ("sum", None))])
def test_bidirectional(stem, merge):
    rng = np.random.default_rng(5)
    x = sequences()
    ours, theirs = (
        keras.layers.Bidirectional(layer, merge_mode=merge, dtype="float64") for layer in pair(stem, rng, **BOTH)
    )
    for layer in (ours, theirs):
        layer.build(x.shape)
    theirs.set_weights([rng.normal(scale=0.2, size=w.shape) for w in theirs.get_weights()])
    ours.set_weights(theirs.get_weights())
    close(gradients(ours, x, mask=MASK), gradients(theirs, x, mask=MASK))
    state = [
        rng.normal(size=(BATCH, UNITS)) for _ in range(2 * len(tf.nest.flatten(ours.forward_layer.cell.state_size)))
    ]
    close(gradients(ours, x, state), gradients(theirs, x, state))


@pytest.mark.parametrize("stem", ["lstm", "peephole_lstm"])
@pytest.mark.parametrize("unit_forget_bias", [True, False])
@pytest.mark.parametrize("bias_initializer", ["zeros", keras.initializers.Constant(-0.3)], ids=["zeros", "constant"])
def test_the_initial_bias_is_keras_own(stem, unit_forget_bias, bias_initializer):
    arguments = {"unit_forget_bias": unit_forget_bias, "bias_initializer": bias_initializer}
    name = {"lstm": "LSTM", "peephole_lstm": "PeepholeLSTM"}[stem]
    layers = getattr(committed(stem), name)(UNITS, **arguments), keras.layers.LSTM(UNITS, **arguments)
    for layer in layers:
        layer.build((None, None, WIDTH))
    ours, theirs = (layer.cell.bias.numpy() for layer in layers)
    np.testing.assert_array_equal(ours, theirs)
    assert np.all(ours[UNITS : 2 * UNITS] == 1) == unit_forget_bias


def test_a_random_bias_is_drawn_once_for_all_gates():
    """An initializer gives the same numbers at each call: drawn by gate, all gates would start alike."""
    layer = committed("lstm").LSTM(UNITS, bias_initializer=keras.initializers.RandomNormal(seed=7))
    layer.build((None, None, WIDTH))
    i, f, g, o = np.split(layer.cell.bias.numpy(), 4)
    assert np.all(f == 1) and len(np.unique([i, g, o])) == 3 * UNITS


@each_twin
def test_seeded_initializers_give_keras_weights(stem):
    ours, theirs, only = TWINS[stem]
    arguments = {
        "kernel_initializer": keras.initializers.HeNormal(seed=1),
        "recurrent_initializer": keras.initializers.Orthogonal(seed=2),
    }
    theirs = theirs(UNITS, **arguments, **only)
    arguments["recurrent_kernel_initializer"] = arguments.pop("recurrent_initializer")  # named as the weight is
    ours = ours(UNITS, **arguments)
    for layer in (ours, theirs):
        layer.build((None, None, WIDTH))
    for came, wanted in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_array_equal(came, wanted)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_initial_values_in_half_precision_are_those_of_float32(dtype):
    """Orthogonal ones too: TensorFlow has no QR decomposition in bfloat16, so Keras's own layer cannot be built."""
    layers = [
        committed("lstm").LSTM(UNITS, recurrent_initializer=keras.initializers.Orthogonal(seed=2), dtype=each)
        for each in (dtype, "float32")
    ]
    for layer in layers:
        layer.build((None, None, WIDTH))
    came, wanted = (layer.cell.recurrent_kernel.value for layer in layers)
    assert came.dtype == dtype
    np.testing.assert_array_equal(tf.cast(came, tf.float32), tf.cast(tf.cast(wanted, dtype), tf.float32))
    assert np.any(layers[0](sequences().astype("float32")))


@each_twin
def test_the_arguments_of_keras_layers(stem):
    """Accepted where they mean the same, and told again; else one sentence says what to use."""
    ours, theirs, only = TWINS[stem]
    arguments = {
        "recurrent_initializer": keras.initializers.Orthogonal(seed=2),
        "recurrent_regularizer": "l2",
        "recurrent_constraint": keras.constraints.MaxNorm(1.0),
        "kernel_initializer": keras.initializers.GlorotUniform(seed=1),
        "bias_regularizer": "l1",
        "activation": tf.nn.relu,
        "use_bias": True,
        "dropout": 0.0,
        "recurrent_dropout": 0,
        "seed": 7,
        **only,
    }
    if stem != "simple_rnn":
        arguments |= {"recurrent_activation": tf.nn.sigmoid, "use_cudnn": "auto", "implementation": 2}
    layers = ours(UNITS, **arguments), theirs(UNITS, **arguments)
    x = sequences().astype("float32")
    close(layers[0](x), layers[1](x), 1e-5)
    close(layers[0].losses, layers[1].losses, 1e-5)
    names = ("units", "use_bias", "activation", "kernel_initializer", "recurrent_regularizer", "bias_constraint")
    for name in (*names, *given(stem, {"recurrent_activation": 0})):
        came, wanted = (getattr(layer, name) for layer in layers)
        came, wanted = (value.get_config() if hasattr(value, "get_config") else value for value in (came, wanted))
        assert came == wanted or name.endswith("activation") and came.__name__ == wanted.__name__, name
    assert type(layers[0]).from_config(layers[0].get_config())(x).shape == layers[0](x).shape
    assert ours(UNITS, activation=tf.nn.tanh).get_config()["activation"] == "tanh"
    with pytest.raises(AttributeError, match=f"'{ours.__name__}' object has no attribute 'unit'"):
        assert layers[0].unit


def test_what_keras_layers_mean_otherwise():
    gru, before = committed("gru").GRU, committed("gru_reset_before").GRUResetBefore
    before(3, reset_after=False)
    for bad, sentence in (
        (
            (gru, {"dropout": 0.5}),
            r"`dropout` must be 0, for it drops nothing. A spec says `dropout\(x, rate, per=sequence",
        ),
        (
            (gru, {"recurrent_dropout": 0.5}),
            r"`recurrent_dropout` must be 0, .* `dropout\(h\[t-1\], rate, per=sequence",
        ),
        ((gru, {"reset_after": False}), "`reset_after` must be True here. The other is in the spec `gru_reset_before`"),
        ((before, {"reset_after": True}), "`reset_after` must be False here. The other is in the spec `gru`"),
        ((before, {"use_cudnn": True}), "`use_cudnn` must be 'auto' or False: it does not run on cuDNN"),
    ):
        with pytest.raises(ValueError, match=sentence):
            bad[0](3, **bad[1])
    assert committed("gru_stack").GRUStack([3, 4], recurrent_initializer="zeros", dropout=0).units == (3, 4)


# --- TensorFlow 1 ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lengths", [None, [3, 6, 0, 1]], ids=["whole", "lengths"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"forget_bias": 0.0, "activation": "relu"},
        {"use_peepholes": True, "forget_bias": -0.5},
        {"proj": 4},
        {"cell_clip": 0.2, "use_peepholes": True},
        {"use_peepholes": True, "cell_clip": 0.3, "proj": 4, "proj_clip": 0.1, "activation": "softsign"},
    ],
    ids=lambda options: ",".join(options) or "defaults",
)
def test_lstmp_is_the_lstm_cell_of_tensorflow_1(options, lengths):
    rng, proj = np.random.default_rng(6), options.get("proj")
    ours = committed("lstmp").LSTMPCell(UNITS, dtype="float64", **options)
    others = {{"proj": "num_proj"}.get(name, name): value for name, value in options.items()}
    others["activation"] = getattr(tf.nn, options["activation"]) if "activation" in options else None
    theirs = LSTMCellOfTensorFlow1(UNITS, dtype=tf.float64, **others)
    for cell in (ours, theirs):
        cell.build(tf.TensorShape([BATCH, WIDTH]))
    ours.set_weights([rng.normal(scale=0.6, size=w.shape) for w in ours.weights])
    weights = as_tensorflow_1_has_them({name: w.numpy() for name, w in named(ours).items()})
    assert weights.keys() == named(theirs).keys()
    for name, variable in named(theirs).items():
        variable.assign(weights[name])
    x = sequences()
    start = [rng.normal(size=(BATCH, size)) for size in (UNITS, proj or UNITS)]

    def run(cell):
        given, state = tf.constant(x), type(cell.zero_state(BATCH, tf.float64))(*map(tf.constant, start))
        with tf.GradientTape() as tape:
            tape.watch([given, state])
            y, (c, h) = tf.compat.v1.nn.dynamic_rnn(cell, given, initial_state=state, sequence_length=lengths)
            loss = tf.reduce_sum(tf.sin(3 * y)) + tf.reduce_sum(tf.sin(c)) + tf.reduce_sum(tf.sin(2 * h))
        *slopes, by_name = tape.gradient(loss, [given, *state, named(cell)])
        return [y, c, h, *slopes], by_name

    came, slopes = run(ours)
    close((came, as_tensorflow_1_has_them(slopes)), run(theirs), 1e-12)
    zero = ours.zero_state(BATCH, tf.float64)
    assert zero._fields == ("c", "h") and [v.shape for v in zero] == [v.shape for v in start]


def named(cell):
    """The weights by their names without the cell's own."""
    return {getattr(w, "path", w.name).split("/", 1)[1].removesuffix(":0"): w for w in cell.trainable_weights}


def as_tensorflow_1_has_them(ours):
    """One kernel for the input and the state; the projection's in a scope."""
    theirs = {{"projection_kernel": "projection/kernel"}.get(name, name): value for name, value in ours.items()}
    theirs["kernel"] = tf.concat([theirs["kernel"], theirs.pop("recurrent_kernel")], 0)
    return theirs
