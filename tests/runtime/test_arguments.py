"""Arguments: what is taken, what is refused, and in which words."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf

from cellgen.runtime import arguments, initial_values

UNKNOWN = tf.TensorSpec([None, None, 3])


def refused(sentence, error=ValueError):
    """Raises just this sentence."""
    return pytest.raises(error, match=f"^{re.escape(sentence)}$")


def test_require():
    arguments.require(True, "units", "a positive integer", -1)
    with refused("`units` must be a positive integer. Received: -1"):
        arguments.require(False, "units", "a positive integer", -1)
    with refused("`name` must be short. Received: 'long'"):
        arguments.require(False, "name", "short", "long")


@pytest.mark.parametrize(
    "value, whole, size, number",
    [
        (3, True, True, True),
        (np.int64(3), True, True, True),
        (0, True, False, True),
        (-1, True, False, True),
        (0.5, False, False, True),
        (np.float32(0.5), False, False, True),
        (float("inf"), False, False, True),
        (float("nan"), False, False, False),
        (True, False, False, False),
        ("3", False, False, False),
        (None, False, False, False),
    ],
)
def test_kinds_of_numbers(value, whole, size, number):
    found = arguments.is_whole(value), arguments.is_size(value), arguments.is_number(value)
    assert tuple(map(bool, found)) == (whole, size, number)


# --- sizes ----------------------------------------------------------------------------------------------------------

SIZED = "of shape (batch, time), ({}, {}) here"


def test_sizes_that_fit():
    value = np.ones((4, 6))
    assert arguments.of_sizes("mask", value, (4, 6), SIZED) is value
    assert arguments.of_sizes("mask", value, (None, 6), SIZED) is value
    assert arguments.of_sizes("state", np.ones((4, 2, 2)), (4,), "of {} samples") is not None


@pytest.mark.parametrize(
    "shape, sizes, wanted, sentence",
    [
        ((4, 5), (4, 6), SIZED, "`mask` must be of shape (batch, time), (4, 6) here. Received: (4, 5)"),
        ((4,), (4, 6), SIZED, "`mask` must be of shape (batch, time), (4, 6) here. Received: (4,)"),
        ((), (4,), "of {} samples", "`mask` must be of 4 samples. Received: ()"),
        ((3, 2), (4,), "of {} samples", "`mask` must be of 4 samples. Received: (3, 2)"),
    ],
)
def test_sizes_that_do_not_fit(shape, sizes, wanted, sentence):
    with refused(sentence):
        arguments.of_sizes("mask", tf.ones(shape), sizes, wanted)

    def traced():
        return arguments.of_sizes("mask", tf.ones(shape), sizes, wanted)

    with refused(sentence):
        tf.function(traced, autograph=False)()


def test_sizes_that_a_graph_knows_when_it_runs():
    def of_as_many(value, other):
        return arguments.of_sizes("mask", value, keras.ops.shape(other)[:2], SIZED)

    run = tf.function(of_as_many, input_signature=[UNKNOWN, UNKNOWN], autograph=False)
    np.testing.assert_array_equal(run(tf.ones([4, 6, 3]), tf.zeros([4, 6, 3])), np.ones([4, 6, 3]))
    sentence = "`mask` must be of shape (batch, time), (4, 6) here. Received: (4, 5, 3)"
    with pytest.raises(tf.errors.InvalidArgumentError, match=re.escape(sentence)):
        run(tf.ones([4, 5, 3]), tf.zeros([4, 6, 3]))


def test_a_size_that_is_known_is_told_though_others_are_not():
    def of_two(value):
        return arguments.of_sizes("mask", value, (2, tf.shape(value)[1], 9), "({}, {}, {})")

    with refused("`mask` must be (2, None, 9). Received: (None, None, 3)"):
        tf.function(of_two, input_signature=[UNKNOWN], autograph=False)(tf.ones([2, 2, 3]))


def test_if_fits():
    value = tf.constant([1.0, 2.0])
    assert arguments.if_fits(True, value, "never") is value
    assert arguments.if_fits(tf.constant(True), value, "never") is value
    with refused("from 0 to 6. Received: 9"):
        arguments.if_fits(tf.constant(False), value, "from 0 to {}. Received: {}", 6, tf.constant(9))

    @tf.function(autograph=False)
    def positive(value):
        return arguments.if_fits(tf.reduce_all(value > 0), value, "above {}", tf.reduce_min(value))

    np.testing.assert_array_equal(positive(value), value)
    with pytest.raises(tf.errors.InvalidArgumentError, match="above -1"):
        positive(-value + 1)


def test_all_that_fit_are_waited_for():
    values = tf.constant([1.0]), None, [tf.constant([2.0])]
    assert arguments.once_all_fit(*values) is not None and arguments.once_all_fit(*values)[0] is values[0]

    @tf.function(autograph=False)
    def run(one, other):
        one = arguments.if_fits(tf.reduce_all(one > 0), one, "wrong")
        return arguments.once_all_fit(one, None, [other])[2][0]  # what does not read `one`

    np.testing.assert_array_equal(run(tf.ones([1]), tf.constant([3.0])), [3])
    with pytest.raises(tf.errors.InvalidArgumentError, match="wrong"):
        run(-tf.ones([1]), tf.constant([3.0]))


# --- what a call is given -------------------------------------------------------------------------------------------


def test_lengths_become_a_tensor():
    assert arguments.with_lengths({"mask": 1}) == {"mask": 1}
    assert arguments.with_lengths({"lengths": None}) == {"lengths": None}
    found = arguments.with_lengths({"mask": 1, "lengths": np.array([2, 3])})
    assert found["mask"] == 1 and found["lengths"].dtype == tf.int64
    symbol = keras.Input([], dtype="int32")
    assert arguments.with_lengths({"lengths": symbol})["lengths"] is symbol


def test_axes_are_swapped():
    values = np.random.default_rng(0).normal(size=(2, 3, 4, 5))
    np.testing.assert_array_equal(arguments.swapped(values), values.transpose(1, 0, 2, 3))
    np.testing.assert_array_equal(arguments.swapped(values[..., 0, 0]), values[..., 0, 0].T)
    assert arguments.swapped(np.zeros((0, 3, 4))).shape == (3, 0, 4)
    assert arguments.swapped(None) is None
    assert arguments.batch_first((None, 3, 4, 5)) == (3, None, 4, 5)


def test_ragged_sequences_are_filled_with_zeros():
    ragged = tf.RaggedTensor.from_row_lengths(np.arange(6.0).reshape(3, 2), [1, 2, 0])
    wanted = [[[0, 1], [0, 0]], [[2, 3], [4, 5]], [[0, 0], [0, 0]]]
    np.testing.assert_array_equal(arguments.dense(ragged), wanted)
    values = tf.ones([2, 2])
    assert arguments.dense(values) is values
    twice = tf.ragged.constant([[[1.0], [2.0, 3.0]]])
    with refused("`sequences` must be ragged in time alone. Received: TensorShape([1, None, None])"):
        arguments.dense(twice)


def test_one_mask():
    mask = tf.ones([2, 2], tf.bool)
    assert arguments.one_mask(mask) is mask and arguments.one_mask(None) is None
    for many in ([None, mask], (mask, None), {"x": None, "y": mask}):
        assert arguments.one_mask(many) is mask
    assert arguments.one_mask([None, None]) is None


def test_given_state():
    assert arguments.given_state([1], None) == [1] and arguments.given_state(None, [2]) == [2]
    with refused("`states` must be given. Received: None"):
        arguments.given_state(None, None)


# --- initializers ---------------------------------------------------------------------------------------------------


def test_drawn_in_float32_and_rounded():
    drawn = initial_values.in_float32(keras.initializers.Orthogonal(seed=1))([3, 3], dtype="float16")
    assert drawn.dtype == tf.float16
    wanted = np.asarray(keras.initializers.Orthogonal(seed=1)([3, 3], dtype="float32")).astype("float16")
    np.testing.assert_array_equal(drawn, wanted)


@pytest.mark.parametrize("axis", [0, 1])
def test_initializers_of_parts(axis):
    whole = keras.initializers.RandomNormal(seed=1)
    drawn = np.array(whole([4, 4], dtype="float64"))
    part = (slice(2, 4), slice(None)) if axis == 0 else (slice(None), slice(2, 4))
    drawn[part] = 1
    found = initial_values.in_parts(keras.initializers.RandomNormal(seed=1), [None, "ones"], axis)(
        [4, 4], dtype="float64"
    )
    np.testing.assert_array_equal(found, drawn)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_a_stack_of_weights_is_drawn_slice_by_slice(axis):
    shape = [4, 4]
    shape.insert(axis % 3, 3)
    for seed in (None, 1):
        own = keras.initializers.Orthogonal(seed=seed)
        drawn = np.moveaxis(initial_values.in_slices(own, axis)(shape, dtype="float64").numpy(), axis, 0)
        for each, other in ((0, 1), (0, 2), (1, 2)):
            np.testing.assert_allclose(drawn[each].T @ drawn[each], np.eye(4), atol=1e-6)
            assert np.abs(drawn[each] - drawn[other]).max() > 0.1
    same = np.moveaxis(
        initial_values.in_slices(keras.initializers.Identity(), axis)(shape, dtype="float64").numpy(), axis, 0
    )
    assert np.array_equal(same, [np.eye(4)] * 3)


# --- names ----------------------------------------------------------------------------------------------------------

PORTS = ["x", "context", "gain"]


@pytest.mark.parametrize(
    "given, wanted",
    [
        (1.5, {"x": 1.5}),
        ((2, None, 3), {"x": (2, None, 3)}),  # a shape
        (["a"], {"x": "a"}),
        (("a", "b"), {"x": "a", "context": "b"}),
        (["a", None, "b"], {"x": "a", "gain": "b"}),
        ({"gain": "b", "x": "a"}, {"x": "a", "gain": "b"}),
    ],
)
def test_inputs_by_port(given, wanted):
    found = arguments.by_port(given, PORTS)
    assert found == wanted and list(found) == [name for name in PORTS if name in wanted]


@pytest.mark.parametrize(
    "given, sentence",
    [
        (["a", "b", "c", "d"], "`inputs` must be at most x, context, gain. Received: 4"),
        ({"x": "a", "y": "b"}, "`inputs` must be among x, context, gain, and x one of them. Received: ['x', 'y']"),
        ({"gain": "b"}, "`inputs` must be among x, context, gain, and x one of them. Received: ['gain']"),
    ],
)
def test_inputs_of_no_port(given, sentence):
    with refused(sentence):
        arguments.by_port(given, PORTS)


# --- arguments of constructors --------------------------------------------------------------------------------------


def test_what_is_kept_of_an_argument():
    assert arguments.size("units", np.int64(3)) == 3 and type(arguments.size("units", np.int64(3))) is int
    assert arguments.size_or("`units`", "proj", None) is None and arguments.size_or("`units`", "proj", 2) == 2
    assert arguments.sizes("units", [3, np.int64(2)]) == (3, 2)
    assert arguments.flag("use_bias", False) is False and arguments.word("mode", "b", "a", "b") == "b"
    assert arguments.number("rate", 1) == 1.0 and type(arguments.number("rate", 1)) is float
    assert arguments.number_or_none("clip", None, positive=True) is None
    assert arguments.number_or_none("clip", 2, positive=True) == 2
    assert arguments.whole_or_none("seed", None) is None and arguments.whole_or_none("seed", np.int32(-1)) == -1


@pytest.mark.parametrize(
    "call, sentence",
    [
        (lambda: arguments.size("units", 0), "`units` must be a positive integer. Received: 0"),
        (
            lambda: arguments.size_or("units", "proj", 0),
            "`proj` must be a positive integer, or None for units. Received: 0",
        ),
        (lambda: arguments.sizes("units", 3), "`units` must be a list of positive integers, one a layer. Received: 3"),
        (
            lambda: arguments.sizes("units", []),
            "`units` must be a list of positive integers, one a layer. Received: []",
        ),
        (lambda: arguments.flag("use_bias", 1), "`use_bias` must be True or False. Received: 1"),
        (lambda: arguments.word("mode", "c", "a", "b"), "`mode` must be one of a, b. Received: 'c'"),
        (lambda: arguments.number("rate", True), "`rate` must be a number. Received: True"),
        (lambda: arguments.number("rate", 2, low=0, high=1), "`rate` must be a number from 0 to 1. Received: 2"),
        (lambda: arguments.number("rate", -1, low=0), "`rate` must be a number from 0 on. Received: -1"),
        (lambda: arguments.number("rate", 2, high=1), "`rate` must be a number up to 1. Received: 2"),
        (lambda: arguments.number("clip", 0, positive=True), "`clip` must be a number above 0. Received: 0"),
        (
            lambda: arguments.number_or_none("clip", 0, positive=True),
            "`clip` must be a number above 0, or None. Received: 0",
        ),
        (lambda: arguments.whole_or_none("seed", 0.5), "`seed` must be an integer, or None. Received: 0.5"),
    ],
)
def test_what_is_refused_as_an_argument(call, sentence):
    with refused(sentence):
        call()
