"""Wrong arguments are told on every path: in eager mode by an exception with what came and what is wanted, in a graph
by an assertion that reads the same.
"""

import re
import time

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.generated import BATCH, MASK, STEPS, WIDTH, close, one_subject, sequences, subject, two_subjects

# --- what a call is given -------------------------------------------------------------------------------------------

ROWS = tf.TensorSpec([None, None, WIDTH], tf.float64)
WRONG = {  # arguments by name, and the sentence
    "a short mask": ({"mask": MASK[:, :4]}, "`mask` must be of shape (batch, time), (4, 6) here. Received: (4, 4)"),
    "a mask of others": ({"mask": MASK[:1]}, "`mask` must be of shape (batch, time), (4, 6) here. Received: (1, 6)"),
    "a long one": (
        {"lengths": [2, 99, 1, 0]},
        "`lengths` must be from 0 to 6, the number of steps. Received: 0 to 99",
    ),
    "a negative one": (
        {"lengths": [2, -1, 1, 0]},
        "`lengths` must be from 0 to 6, the number of steps. Received: -1 to 2",
    ),
    "too few lengths": ({"lengths": [2]}, "`lengths` must be of shape (batch,), (4,) here. Received: (1,)"),
    "one state": ({"initial_state": 1}, "`initial_state` must be of 4 samples. Received: (1, {})"),
}


def arguments(subject, wrong):
    """What a call is given, and the sentence that it is refused with."""
    given, sentence = WRONG[wrong]
    if "initial_state" in given:
        given = {"initial_state": [s[:1] for s in subject.state()]}
        sentence = sentence.format(subject.state()[0].shape[1])
    return {name: tf.nest.map_structure(tf.constant, value) for name, value in given.items()}, sentence


@pytest.mark.parametrize("path", ["eager", "graph", "compiled"])
@pytest.mark.parametrize("wrong", WRONG)
@one_subject
def test_what_does_not_fit_is_told_on_every_path(subject, wrong, path):
    """Neither stretched, nor broadcast, nor cut off. XLA has no assertions: there, all that is known is checked."""
    layer, x = subject.layer(jit_compile=path == "compiled"), tf.constant(sequences())
    given, sentence = arguments(subject, wrong)
    call = tf.function(layer, autograph=False) if path == "graph" else layer
    late = path == "graph" and "number of steps" in sentence
    with pytest.raises(tf.errors.InvalidArgumentError if late else ValueError, match=re.escape(sentence)):
        call(x, **given)


ALIKE = [  # of one signature
    ("a short mask", "a mask of others"),
    ("a long one", "a negative one"),
    ("too few lengths",),
    ("one state",),
]


@pytest.mark.parametrize("alike", ALIKE, ids=", ".join)
@one_subject
def test_nothing_of_a_graph_runs_before_its_assertions(subject, alike, monkeypatch):
    """In a graph that knows no size before it runs. What is asserted is taken for true where the graph is optimised: an
    operation that runs first fails otherwise.
    """
    at_once = tf.debugging.Assert

    def late(fits, data):
        waited = tf.py_function(lambda fits: time.sleep(0.3) or fits, [fits], tf.bool)
        return at_once(waited, data)

    monkeypatch.setattr(tf.debugging, "Assert", late)
    wrongs = [arguments(subject, wrong) for wrong in alike]
    given, _ = wrongs[0]
    specs = tf.nest.map_structure(lambda v: tf.TensorSpec([None] * len(v.shape), v.dtype), given)
    if "initial_state" in given:
        specs["initial_state"] = [tf.TensorSpec([None, v.shape[1]], v.dtype) for v in given["initial_state"]]
    layer = subject.layer()
    run = tf.function(lambda x, given: layer(x, **given), input_signature=[ROWS, specs], autograph=False)
    for given, sentence in wrongs:
        with pytest.raises(tf.errors.InvalidArgumentError, match=re.escape(sentence)):
            run(tf.constant(sequences()), given)


def test_lengths_are_integers():
    layer, x = subject("simple_rnn").layer(jit_compile=False), sequences()
    for bad in ([3.5, 1, 1, 1], np.ones(4)):
        with pytest.raises(ValueError, match="`lengths` must be integers. Received: 'float"):
            layer(x, lengths=bad)
    for good in (np.array([3, 0, 6, 2], "uint8"), tf.constant([3, 0, 6, 2], tf.int64)):
        close(layer(x, lengths=good), layer(x, lengths=[3, 0, 6, 2]))
    long = np.zeros([1, 300, WIDTH])
    close(layer(long, lengths=np.array([127], "int8")), layer(long, lengths=[127]))


# --- what a constructor is given ------------------------------------------------------------------------------------


@two_subjects
def test_sizes_and_numbers_are_numpys_too_but_no_truths(subject):
    """Kept as Python's, so that a config is the same however they came."""
    given = {"units": 5, "unroll": 2, **subject.arguments}
    as_numpy = {
        name: np.int64(value) if type(value) is int else np.float32(value) if type(value) is float else value
        for name, value in given.items()
    }
    as_numpy = {name: [*map(np.int32, value)] if isinstance(value, list) else value for name, value in as_numpy.items()}
    layer, other = subject.made(**given, name="one"), subject.made(**as_numpy, name="one")
    for name, value in layer.get_config().items():
        assert type(other.get_config()[name]) is type(value), name
    assert other.get_config()["unroll"] == 2 and other(sequences().astype("float32")).shape[0] == BATCH
    for name, value in as_numpy.items():
        if not isinstance(value, bool | str) and name != "unroll":
            with pytest.raises(ValueError, match=f"`{name}` must be a .*. Received: True"):
                subject.made(**{**given, name: [True] if isinstance(value, list) else True})
            with pytest.raises(ValueError, match=f"`{name}` must be a .*. Received: .*nan"):
                subject.made(**{**given, name: [np.nan] if isinstance(value, list) else np.nan})


def test_rates_and_seeds():
    Layer = subject("regularised_lstm").Layer
    for bad in (True, np.nan, 1.5, -0.1, "0.5"):
        with pytest.raises(ValueError, match="`dropout` must be a number from 0.0 to 1.0. Received: "):
            Layer(3, dropout=bad)
    assert Layer(3, dropout=np.float32(0.5)).get_config()["dropout"] == 0.5
    assert type(Layer(3, seed=np.int64(7)).get_config()["seed"]) is int
    with pytest.raises(ValueError, match="`seed` must be an integer, or None. Received: 0.5"):
        Layer(3, seed=0.5)


def test_an_epsilon_is_above_0():
    Layer = subject("layer_norm_lstm").Layer
    for bad in (0, -1e-5, 0.0, True, "small", np.nan):
        with pytest.raises(ValueError, match="`epsilon` must be a number above 0. Received: "):
            Layer(3, epsilon=bad)
    assert Layer(3, epsilon=1).get_config()["epsilon"] == 1.0


def test_integers_are_not_cast():
    """Keras casts them without a word; here they are most likely words for an Embedding."""
    layer, x = subject("lstm").layer(), np.ones([BATCH, STEPS, WIDTH], "int64")
    for call in (layer, tf.function(layer), keras.Sequential([keras.Input((None, WIDTH), dtype="int64"), layer])):
        with pytest.raises(ValueError, match=r"`tf.cast\(x, 'float32'\)` gives \(an Embedding takes integers\)"):
            call(x)
