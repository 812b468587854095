"""Tensors over time, against NumPy: of known and unknown sizes, empty ones, and their derivatives."""

import numpy as np
import pytest
import tensorflow as tf

from cellgen.runtime import arrays

RNG = np.random.default_rng(0)


def unknown(function, *values):
    """What a function gives where a graph knows neither of the first two sizes of its arguments."""
    specs = [tf.TensorSpec([None, None, *np.shape(value)[2:]], np.asarray(value).dtype) for value in values]
    return tf.function(function, input_signature=specs, autograph=False)(*map(tf.constant, values))


@pytest.fixture(params=[(4, 6, 3), (4, 6), (1, 6, 3), (0, 6, 2), (4, 6, 0), (2, 6, 2, 3)], ids=str)
def values(request):
    """(batch, time, ...), six steps."""
    return RNG.normal(size=request.param)


# --- chunks ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("index, size", [(0, 2), (1, 3), (0, 6), (5, 1)])
def test_a_chunk(values, index, size):
    wanted = np.swapaxes(values[:, index * size : (index + 1) * size], 0, 1)
    np.testing.assert_array_equal(arrays.chunk(tf.constant(values), index, size), wanted)
    np.testing.assert_array_equal(arrays.part_of(tf.constant(np.swapaxes(values, 0, 1)), index, size), wanted)
    sizes = tf.constant([index, size])
    np.testing.assert_array_equal(unknown(lambda v: arrays.chunk(v, sizes[0], sizes[1]), values), wanted)
    last = unknown(lambda v: arrays.part_of(v, sizes[0], sizes[1]), np.swapaxes(values, 0, 1))
    np.testing.assert_array_equal(last, wanted)


def test_what_is_known_of_a_chunk_stays_known():
    def shapes(v):
        size = tf.shape(v)[1]
        found = [arrays.chunk(v, 0, 2), arrays.chunk(v, 0, size), arrays.part_of(v, 0, 2), arrays.part_of(v, 0, size)]
        found += [arrays.spread(v[:, :1], 2), arrays.spread(v[:, :1], size)]
        shapes.found = [tuple(each.shape) for each in found]
        return 0

    tf.function(shapes, input_signature=[tf.TensorSpec([4, None, 3])], autograph=False)(tf.zeros([4, 6, 3]))
    assert shapes.found == [(2, 4, 3), (None, 4, 3), (2, None, 3), (None, None, 3), (2, 4, 3), (None, 4, 3)]


@pytest.mark.parametrize("size", [1, 3])
def test_spread(values, size):
    wanted = np.repeat(np.swapaxes(values[:, :1], 0, 1), size, 0)
    np.testing.assert_array_equal(arrays.spread(tf.constant(values[:, :1]), size), wanted)
    number = tf.constant(size)
    np.testing.assert_array_equal(unknown(lambda v: arrays.spread(v, number), values[:, :1]), wanted)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("more", [0, 1, 4])
def test_filled(values, axis, more):
    wanted = np.concatenate([values, *[np.take(values, [-1], axis)] * more], axis) if values.shape[axis] else None
    wanted = np.zeros([more, *values.shape[1:]]) if wanted is None else wanted
    time = values.shape[axis] + more
    np.testing.assert_array_equal(arrays.filled(tf.constant(values), time, axis), wanted)
    number = tf.constant(time)
    np.testing.assert_array_equal(unknown(lambda v: arrays.filled(v, number, axis), values), wanted)


def test_what_is_full_is_left_alone():
    values = tf.zeros([2, 3, 1])
    assert arrays.filled(values, 3, 1) is values


def test_nothing_is_filled_with_zeros():
    np.testing.assert_array_equal(arrays.filled(tf.zeros([2, 0, 3]), 2, 1), np.zeros([2, 2, 3]))
    np.testing.assert_array_equal(arrays.filled(tf.zeros([2, 0, 1], tf.bool), 1, 1), np.zeros([2, 1, 1], bool))


def test_the_derivative_of_filling():
    """The last step stands there four times."""
    x = tf.constant(RNG.normal(size=(2, 3, 1)))
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = arrays.filled(x, 6, 1)
    np.testing.assert_array_equal(tape.gradient(y, x)[0, :, 0], [1, 1, 4])


@pytest.mark.parametrize("length", [0, 1, 2, 4])
def test_steps_that_did_not_run(length):
    values = RNG.normal(size=(4, 2, 3))
    wanted = values.copy()
    wanted[length:] = values[max(0, length - 1)]
    number = tf.constant(length)
    np.testing.assert_array_equal(unknown(lambda v: arrays.finite(v, number), values), wanted)
    np.testing.assert_array_equal(arrays.finite(tf.constant(values), number), wanted)
    if length == 4:
        full = tf.constant(values)
        assert arrays.finite(full, length) is full


# --- arrays ---------------------------------------------------------------------------------------------------------


def test_an_array_is_read_more_than_once(values):
    array = arrays.array(tf.constant(values))
    for index in (0, 0) if len(values) else ():
        np.testing.assert_array_equal(array.read(index), values[index])
    assert array.element_shape == values.shape[1:]
    if len(values):
        np.testing.assert_array_equal(unknown(lambda v: arrays.array(v).read(0), values), values[0])


def test_room_for_steps():
    value = tf.constant([[1.0, 2.0]])
    room = arrays.room(value, 3, 1)
    for index in range(3):
        room = room.write(index, index * value)
    np.testing.assert_array_equal(room.stack(), [[[0, 0]], [[1, 2]], [[2, 4]]])


def test_room_of_unknown_size_that_nothing_is_written_to():
    def stacked(value):
        assert value.shape.as_list() == [None, None, 2]
        return arrays.room(value, 3, 4, 5).stack()

    np.testing.assert_array_equal(unknown(stacked, np.ones([4, 5, 2])), np.zeros([3, 4, 5, 2]))


def test_room_for_chunks():
    value = tf.zeros([4, 3], tf.float64)
    assert arrays.steps_of(value, 5) == tf.TensorSpec([5, 4, 3], tf.float64)
    assert arrays.steps_of(value, tf.constant(5)) == tf.TensorSpec([None, 4, 3], tf.float64)


@pytest.mark.parametrize("time", [6, 5, 1, 0])
def test_chunks_are_joined(time):
    values = RNG.normal(size=(3, 2, 4, 1))
    room = arrays.array(tf.constant(values))
    np.testing.assert_array_equal(arrays.joined(room, time), values.reshape(6, 4, 1)[:time])


def test_flat(values):
    wanted = values.reshape(values.shape[0] * values.shape[1], *values.shape[2:])
    np.testing.assert_array_equal(arrays.flat(tf.ones([1, 2, 3])), np.ones([2, 3]))
    if wanted.size:
        np.testing.assert_array_equal(unknown(arrays.flat, values), wanted)


def test_of_one_batch():
    found = []

    def shapes(one, other, third):
        arrays.of_one_batch(one, other, third)
        found.append([tuple(each.shape) for each in (one, other, third)])
        return 0

    specs = [tf.TensorSpec(shape) for shape in ([None, 6, 2], [4, 3], [None, None])]
    tf.function(shapes, input_signature=specs, autograph=False).get_concrete_function()
    specs[1] = tf.TensorSpec([None, 3])
    tf.function(shapes, input_signature=specs, autograph=False).get_concrete_function()
    assert found == [[(4, 6, 2), (4, 3), (4, None)], [(None, 6, 2), (None, 3), (None, None)]]


# --- a loop ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [0, 5, 6])
@pytest.mark.parametrize("unroll", [1, 2, 9])
def test_a_loop_of_some_steps_at_once(length, unroll):
    """1 * 2 + 0, then * 2 + 1 and so on, at most six times; and so much of it is traced at once."""
    traced = []

    def step(t, value):
        traced.append(t)
        return t + 1, 2 * value + tf.cast(t, tf.float64)

    def run(start, length, size=6):
        loop = arrays.repeated(lambda t, count: t + count <= length, step, (0, start), size, unroll)
        return loop[1]

    wanted = 1.0
    for t in range(length):
        wanted = 2 * wanted + t
    start = tf.constant(1.0, tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(start)
        came = tf.function(run, autograph=False)(start, tf.constant(length))
    assert float(came) == wanted and float(tape.gradient(came, start)) == 2**length
    assert len(traced) == min(unroll, 6) + (unroll > 1)
    size = tf.constant(6)
    assert float(tf.function(lambda: run(start, length, size), autograph=False)()) == wanted


# --- what masked steps need -----------------------------------------------------------------------------------------


def test_where():
    on, a, b = RNG.random((4, 1)) < 0.5, RNG.normal(size=(4, 3)), RNG.normal(size=(4, 3))
    np.testing.assert_array_equal(arrays.where(on, tf.constant(a), tf.constant(b)), np.where(on, a, b))
    a, b = RNG.normal(size=(4, 3, 2)), RNG.normal(size=(4, 3, 2))
    wanted = np.where(on[:, None], a, b)
    np.testing.assert_array_equal(arrays.where(tf.constant(on), tf.constant(a), tf.constant(b)), wanted)
    run = tf.function(
        arrays.where,
        input_signature=[tf.TensorSpec([None, 1], tf.bool), *[tf.TensorSpec([None, 3, 2], tf.float64)] * 2],
    )
    np.testing.assert_array_equal(run(tf.constant(on), tf.constant(a), tf.constant(b)), wanted)


def test_a_step_that_counts_stands_in_for_those_that_do_not():
    values = RNG.normal(size=(3, 4, 2))
    values[0, 0] = np.nan  # which no one reads
    mask = np.array([[0, 1, 0, 1], [1, 0, 0, 0], [0, 0, 0, 0]], bool)[..., None]
    wanted = [values[0, 1], values[1, 0], np.ones(2)]
    np.testing.assert_array_equal(arrays.stand_in(tf.constant(values), tf.constant(mask)), wanted)
    np.testing.assert_array_equal(unknown(arrays.stand_in, values, mask), wanted)
    values = tf.constant(values)
    with tf.GradientTape() as tape:
        tape.watch(values)
        found = arrays.stand_in(values, mask)
    assert tape.gradient(found, values) is None


def test_of_which_samples_anything_is_asked():
    one, other = np.zeros((4, 3)), np.zeros((4, 2, 2))
    one[1, 2], other[2, 0, 1], other[3] = 1e-300, -1, np.nan
    wanted = [[False], [True], [True], [True]]
    np.testing.assert_array_equal(arrays.asked_of(tf.constant(one), tf.constant(other)), wanted)
    np.testing.assert_array_equal(arrays.asked_of(tf.constant(one)), [[False], [True], [False], [False]])


@pytest.mark.parametrize("instead", [0, 1])
def test_what_is_no_number(instead):
    values = np.array([[1, np.nan], [np.inf, -np.inf], [np.nan, 2]])
    asked = np.array([[True], [False], [False]])
    came = arrays.sound(asked, tf.constant(values), instead)
    np.testing.assert_array_equal(came, [[1, np.nan], [instead, instead], [instead, 2]])
