"""Generated layers with `parallel`: as the loop gives, whatever else they are told; and what they refuse."""

from itertools import product

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.generated import committed, layer_class

EVERY = {"return_sequences": True, "return_state": True, "return_all_states": True}
CELLS = {"mingru": "scan", "indrnn": "newton", "para_lstm": "newton", "qrnn": "scan"}


def layers(stem, dtype="float64", width=3, scale=0.4, **arguments):
    """Two layers with the same random weights: one runs the loop, the other solves for all steps at once."""
    Layer = layer_class(committed(stem))
    given = {"units": 5, "dtype": dtype, **EVERY, **arguments}
    loop, solved = Layer(**given, parallel=False), Layer(**given, parallel=CELLS[stem], return_solved=True)
    rng = np.random.default_rng(1)
    for layer in (loop, solved):
        layer.build((2, 4, width) if not arguments.get("time_major") else (4, 2, width))
    weights = [rng.normal(scale=scale, size=weight.shape) for weight in loop.weights]
    loop.set_weights(weights), solved.set_weights(weights)
    return loop, solved


def both(loop, solved, x, **how):
    """What each gives and the gradients of a loss on it, and how it was solved."""
    found = []
    for layer in (loop, solved):
        with tf.GradientTape() as tape:
            tape.watch(x)
            values = tf.nest.flatten(layer(x, **how))
            report = [values.pop(), values.pop()][::-1] if layer.return_solved else []
            loss = tf.add_n([tf.reduce_mean(tf.sin(3 * value)) for value in values])
        found.append([*values, *tape.gradient(loss, [x, *layer.trainable_weights])])
    return *found, report


def close(came, wanted, bound):
    for one, other in zip(came, wanted, strict=True):
        scale = 1 + np.abs(np.asarray(other)).max()
        np.testing.assert_allclose(np.asarray(one) / scale, np.asarray(other) / scale, atol=bound, rtol=0)


EVERYDAY = ("mingru", "float32", 1000), ("indrnn", "float64", 2), ("mingru", "float64", 1)


@pytest.mark.parametrize(
    ("stem", "dtype", "steps"),
    [
        pytest.param(*case, marks=() if case in EVERYDAY else pytest.mark.full)
        for case in product(CELLS, ("float64", "float32"), (1, 2, 1000, 10_000))
    ],
)
def test_it_is_the_loop(stem, dtype, steps):
    loop, solved = layers(stem, dtype)
    x = tf.constant(np.random.default_rng(0).normal(size=(2, steps, 3)), dtype)
    mask = tf.constant(np.random.default_rng(1).random((2, steps)) < 0.7)
    wanted, came, (newton, looped) = both(loop, solved, x, mask=mask)
    close(came, wanted, {"float64": 1e-11, "float32": 1e-4}[dtype])
    assert looped == 0 and (newton > 0) == (CELLS[stem] == "newton")


@pytest.mark.parametrize(
    "arguments",
    [
        {"go_backwards": True},
        {"time_major": True},
        {"memory": "low"},
        pytest.param({"jit_compile": True}, marks=pytest.mark.full),
    ],
    ids=str,
)
def test_with_other_arguments(arguments):
    loop, solved = layers("para_lstm", **arguments)
    shape = (9, 2, 3) if "time_major" in arguments else (2, 9, 3)
    wanted, came, _ = both(loop, solved, tf.constant(np.random.default_rng(0).normal(size=shape)))
    close(came, wanted, 1e-11)


def test_ragged_sequences_and_lengths():
    loop, solved = layers("mingru")
    x = tf.constant(np.random.default_rng(0).normal(size=(2, 9, 3)))
    wanted, came, _ = both(loop, solved, x, lengths=[9, 4])
    close(came, wanted, 1e-12)
    ragged = tf.RaggedTensor.from_tensor(x, lengths=[9, 4])
    close([solved(ragged)[0].flat_values], [loop(ragged)[0].flat_values], 1e-12)


def test_a_stateful_layer_goes_on():
    Layer = layer_class(committed("indrnn"))
    x = tf.constant(np.random.default_rng(0).normal(size=(2, 12, 3)))
    whole, parts = (Layer(5, dtype="float64", parallel="newton", stateful=stateful) for stateful in (False, True))
    wanted = whole(x)
    parts.build(x.shape)
    parts.set_weights(whole.get_weights())
    for start in (0, 6):
        came = parts(x[:, start : start + 6])
    close([came], [wanted], 1e-12)


def test_a_model_trains_and_is_loaded_with_it(tmp_path):
    Layer, rng = layer_class(committed("mingru")), np.random.default_rng(0)
    x, y = rng.normal(size=(16, 30, 3)).astype("float32"), rng.normal(size=(16, 4)).astype("float32")
    inputs = keras.Input((None, 3))
    model = keras.Model(inputs, Layer(4, parallel="scan")(inputs))
    model.compile("adam", "mse")
    first = model.evaluate(x, y, verbose=0)
    model.fit(x, y, epochs=5, verbose=0)
    assert model.evaluate(x, y, verbose=0) < first
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.layers[-1].parallel == "scan"
    close([loaded(x)], [model(x)], 1e-6)


def test_how_it_was_solved_comes_last():
    Layer = layer_class(committed("indrnn"))
    layer = Layer(5, parallel="newton", newton_steps=1, return_solved=True, activation="tanh")
    x = 3 * tf.random.stateless_normal([2, 50, 3], [1, 2])
    layer.build(x.shape)
    layer.set_weights([2 * np.ones(weight.shape) for weight in layer.weights])
    output, solved = layer(x)
    assert solved.newton == 1 and 0 < solved.looped < 50
    close([output], [loop_of(layer, x)], 1e-5)
    assert Layer(5, return_solved=True, parallel=False)(x)[1] == (0, 0)


def loop_of(layer, x):
    """What a layer with the same weights gives by the loop."""
    other = type(layer).from_config({**layer.get_config(), "parallel": False, "return_solved": False})
    other.build(x.shape)
    other.set_weights(layer.get_weights())
    return other(x)


@pytest.mark.parametrize(
    ("stem", "arguments", "told"),
    [
        ("lstm", {"parallel": "scan"}, '`parallel` must be "auto" or False: `cellgen check` says what of LSTM stands'),
        ("gru_stack", {"parallel": "newton", "units": [4]}, '`parallel` must be "auto" or False'),
        ("indrnn", {"parallel": "scan"}, '`parallel` must be "newton", "auto" or False: the states of IndRNN are not'),
        ("mingru", {"parallel": True}, '`parallel` must be "auto", "scan", "newton" or False. Received: True'),
        ("mingru", {"newton_steps": 0}, "`newton_steps` must be a positive integer. Received: 0"),
        ("mingru", {"newton_tolerance": -1}, "`newton_tolerance` must be a positive number or None. Received: -1"),
    ],
    ids=str,
)
def test_what_does_not_fit(stem, arguments, told):
    with pytest.raises(ValueError, match=told.replace("(", r"\(")):
        layer_class(committed(stem))(**{"units": 4, **arguments})
