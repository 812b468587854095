"""Tensors over time: chunks of steps in front, arrays to read and write in a loop, and what masked steps need."""

import functools

import tensorflow as tf

keras = tf.keras


def chunk(values, index, size):
    """(batch, time, ...) -> the steps of a chunk in front."""
    rank = len(values.shape)
    part = tf.slice(values, [0, index * size, *[0] * (rank - 2)], [keras.ops.shape(values)[0], size, *values.shape[2:]])
    part.set_shape([values.shape[0], None if tf.is_tensor(size) else size, *values.shape[2:]])
    return tf.transpose(part, [1, 0, *range(2, rank)])


def part_of(values, index, size):
    """(time, ...) -> the steps of a chunk."""
    part = tf.slice(values, [index * size, *[0] * (len(values.shape) - 1)], [size, *keras.ops.shape(values)[1:]])
    part.set_shape([None if tf.is_tensor(size) else size, *values.shape[1:]])
    return part


def spread(values, size):
    """(batch, 1, ...) -> (size, batch, ...), the same for each step."""
    first = tf.transpose(values, [1, 0, *range(2, len(values.shape))])
    spread = tf.broadcast_to(first, [size, *keras.ops.shape(first)[1:]])
    spread.set_shape([None if tf.is_tensor(size) else size, *first.shape[1:]])
    return spread


def filled(values, time, axis):
    """With the last step again and again, up to a length: nothing comes of those, but they are no worse than it."""
    shape = keras.ops.shape(values)
    missing, none = time - shape[axis], 1 - tf.minimum(1, shape[axis])
    if not tf.is_tensor(missing) and missing == 0:
        return values
    last = values[:, -1:] if axis else values[-1:]
    last = tf.concat([last, tf.zeros([*shape[:axis], none, *shape[axis + 1 :]], values.dtype)], axis)
    return tf.concat([values, tf.broadcast_to(last, [*shape[:axis], missing, *shape[axis + 1 :]])], axis)


def finite(values, length):
    """The steps that did not run as the last one that did, so that a derivative of zero is zero there too."""
    size = keras.ops.shape(values)[0]
    if not tf.is_tensor(length) and length == size:
        return values
    rows = tf.maximum(0, tf.minimum(tf.range(size), length - 1))
    return tf.cond(length < size, lambda: tf.gather(values, rows), lambda: values)


def array(values):
    """(steps, ...) -> an array to read more than once."""
    array = tf.TensorArray(
        values.dtype, size=tf.shape(values)[0], element_shape=values.shape[1:], clear_after_read=False
    )
    return array.unstack(values)


def room(value, count, *sizes):
    """An array for `count` values like this one, whose first sizes are these."""
    room = tf.TensorArray(value.dtype, size=count, element_shape=value.shape, clear_after_read=False)
    if None in value.shape:  # what nothing is written to must know its shape
        room = room.write(0, tf.zeros([*sizes, *value.shape[len(sizes) :]], value.dtype))
    return room


def steps_of(value, size):
    """What a chunk holds of a value of one step, as dtype and shape."""
    return tf.TensorSpec([None if tf.is_tensor(size) else size, *value.shape], value.dtype)


def joined(room, time):
    """Chunks of steps -> (time, ...)."""
    chunks = room.stack()
    return tf.reshape(chunks, [-1, *keras.ops.shape(chunks)[2:]])[:time]


def flat(values):
    """(steps, batch, ...) -> (steps * batch, ...)."""
    return tf.reshape(values, [-1, *values.shape[2:]])


def of_one_batch(*values):
    """What is known of the batch of one value holds for all; a trace that serves other batches may have lost it."""
    known = [value.shape[0] for value in values if value.shape[0] is not None]
    for value in values:
        value.set_shape([known[0] if known else None, *value.shape[1:]])


def repeated(goes_on, step, loop, size, unroll):
    """A loop of at most `size` steps, `unroll` of them at once while so many are left, then one by one."""
    for count in dict.fromkeys((min(unroll, size) if isinstance(size, int) else unroll, 1)):

        def steps(*loop, count=count):
            for _ in range(count):
                loop = step(*loop)
            return loop

        loop = tf.while_loop(lambda t, *_, count=count: goes_on(t, count), steps, loop, maximum_iterations=size)
    return loop


def where(on, a, b):
    """`a` where `on` (..., 1), else `b`, which may have more axes."""
    if len(a.shape) > len(on.shape):
        on = tf.reshape(on, [*keras.ops.shape(on), *[1] * (len(a.shape) - len(on.shape))])
    return tf.where(on, a, b)


def stand_in(values, mask):
    """(batch, time, ...) -> of each sample a step that counts, or ones: (batch, ...)."""
    found = tf.gather(values, tf.argmax(tf.cast(tf.squeeze(mask, -1), tf.int32), 1), axis=1, batch_dims=1)
    return tf.stop_gradient(where(tf.reduce_any(mask, 1), found, tf.ones([], values.dtype)))


def asked_of(*cotangents):
    """Of each sample, whether anything is derived by it: (batch, 1)."""
    found = [tf.reduce_any(values != 0, [*range(1, len(values.shape))]) for values in cotangents]
    return tf.expand_dims(functools.reduce(tf.logical_or, found), -1)


def sound(asked, values, instead=0):
    """What is no number, of samples of which nothing is asked, is `instead`: a product with 0 would let it through."""
    instead = tf.constant(instead, values.dtype)
    return where(asked, values, tf.where(tf.math.is_finite(values), values, instead))
