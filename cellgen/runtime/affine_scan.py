"""All values of an affine recurrence, s[t] = A[t] s[t-1] + b[t], by an associative scan over time.

Several states are one recurrence of small blocks, lane by lane: `slopes[i][j]` is how s_i depends on s_j. Values have
time in front.
"""

from collections.abc import Callable, Sequence

import tensorflow as tf

keras = tf.keras

Values = list  # of each state
Slopes = list  # rows of these


def sound_product(a, b):
    """A product of which a zero makes a zero, whatever the other is: what was cut off may be no number."""
    return tf.where((a == 0) | (b == 0), tf.zeros_like(b), a * b)


def affine(slopes: Slopes, terms: Values, start: Values, product: Callable = tf.multiply, pairs=False) -> Values:
    """Every s[t] from s[-1], `start` -> for each state (steps, ...).

    pairs: where the number of steps is known, pairs of them are joined, then pairs of pairs, which makes a graph of
    2 log2(T) operations one after the other, for XLA. Else about sqrt(T) blocks of as many steps run side by side, and
    are joined then: 2 sqrt(T).
    """
    known = terms[0].shape[0] is not None
    steps = (_by_pairs if pairs and known else _in_blocks)(slopes, terms, product)
    return _applied(steps, [value[None] for value in start], product)


def _applied(steps, values: Values, product: Callable) -> Values:
    """What steps make of states."""
    slopes, terms = steps
    return [
        _total([product(slope, value) for slope, value in zip(row, values)]) + term for row, term in zip(slopes, terms)
    ]


def _joined(later, earlier, product: Callable):
    """Two steps as one."""
    columns = list(zip(*earlier[0]))
    both = [[_total([product(a, b) for a, b in zip(row, column)]) for column in columns] for row in later[0]]
    return both, _applied(later, earlier[1], product)


def _total(values: Sequence):
    total, *rest = values
    for value in rest:
        total += value
    return total


def _each(function: Callable, *steps):
    """Of the slopes and terms of steps, by position."""
    slopes = [[function(*each) for each in zip(*rows)] for rows in zip(*(slopes for slopes, _ in steps))]
    return slopes, [function(*each) for each in zip(*(terms for _, terms in steps))]


def _by_pairs(slopes: Slopes, terms: Values, product: Callable):
    """For each step, all up to it as one."""
    steps, time = (slopes, terms), terms[0].shape[0]
    if time < 2:
        return steps
    first, second = _each(lambda value: value[0 : time - 1 : 2], steps), _each(lambda value: value[1::2], steps)
    odd = _by_pairs(*_joined(second, first, product), product)  # up to steps 1, 3, 5, ...
    even = _each(lambda value: value[:1], steps)
    if time > 2:
        rest = _joined(
            _each(lambda value: value[2::2], steps), _each(lambda value: value[: (time - 1) // 2], odd), product
        )
        even = _each(lambda one, other: tf.concat([one, other], 0), even, rest)
    return _each(_interleaved, even, odd)


def _interleaved(even, odd):
    """even[0], odd[0], even[1], ..."""
    count, missing = even.shape[0] + odd.shape[0], even.shape[0] - odd.shape[0]
    odd = tf.concat([odd, tf.zeros_like(even[:missing])], 0) if missing else odd
    pairs = tf.stack([even, odd], 1)
    return tf.reshape(pairs, [-1, *keras.ops.shape(even)[1:]])[:count]


def _in_blocks(slopes: Slopes, terms: Values, product: Callable):
    """As `_by_pairs`, for a number of steps that is not known."""
    steps, time = (slopes, terms), tf.shape(terms[0])[0]
    width = tf.maximum(1, tf.cast(tf.math.ceil(tf.sqrt(tf.cast(time, tf.float32))), tf.int32))
    count = (time + width - 1) // width

    def cut(value, more):
        """(steps, ...) -> (width, blocks, ...)."""
        shape = keras.ops.shape(value)[1:]
        filled = tf.concat([value, tf.fill([count * width - time, *shape], tf.cast(more, value.dtype))], 0)
        return tf.transpose(tf.reshape(filled, [count, width, *shape]), [1, 0, *range(2, 1 + len(value.shape))])

    rows = [[cut(value, row == column) for column, value in enumerate(values)] for row, values in enumerate(slopes)]
    blocks = rows, [cut(value, 0) for value in terms]

    def through(parts, count, like):
        """Each step of an array of steps joined to those before it."""
        rooms = _each(lambda value: _room_for(value, count), like)

        def step(t, before, rooms):
            here = _joined(_each(lambda each: each.read(t), parts), before, product)
            here = _each(_shaped, here, like)
            return t + 1, here, _each(lambda each, value: each.write(t, value), rooms, here)

        loop = tf.constant(0), like, rooms
        return tf.while_loop(lambda t, *_: t < count, step, loop)[-1]

    def nothing(like):
        ones = [
            [tf.fill(tf.shape(value), tf.cast(row == column, value.dtype)) for column, value in enumerate(values)]
            for row, values in enumerate(like[0])
        ]
        return ones, [tf.zeros_like(value) for value in like[1]]

    first = _each(lambda value: value[0], blocks)
    parts = _each(_array_once, blocks)
    inside = _each(lambda each: each.stack(), through(parts, width, nothing(first)))  # (width, blocks, ...)
    lasts = _each(lambda value: value[-1], inside)  # of each block, all of it as one
    one = _each(lambda value: value[0], lasts)
    ends = _each(lambda each: each.stack(), through(_each(_array_once, lasts), count, nothing(one)))
    starts = _each(lambda value, first: tf.concat([first[None], value[:-1]], 0)[None], ends, nothing(one))
    whole = _joined(inside, starts, product)

    def together(value, like):
        found = tf.reshape(tf.transpose(value, [1, 0, *range(2, len(value.shape))]), [-1, *keras.ops.shape(like)[1:]])
        return found[:time]

    return _each(together, whole, steps)


def _array_once(values):
    array = tf.TensorArray(values.dtype, size=tf.shape(values)[0], element_shape=values.shape[1:])
    return array.unstack(values)


def _room_for(value, count):
    return tf.TensorArray(value.dtype, size=count, element_shape=value.shape)


def _shaped(value, like):
    value.set_shape(like.shape)
    return value
