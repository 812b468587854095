"""What is traced and compiled, and how few times: functions shared by layers, lengths filled up to the next bucket."""

import weakref

import tensorflow as tf

_TRACES = weakref.WeakValueDictionary()  # layers of the same widths share theirs, as long as one of them is there
TRACES_OF = weakref.WeakKeyDictionary()  # what a layer holds on to


def bucket(time):
    """The next of 16, 24, 32, 48, 64, ...: at most half as long again."""
    if tf.is_tensor(time):
        exponent = tf.math.ceil(tf.math.log(tf.cast(time, tf.float32) - 0.5) / tf.math.log(2.0))
        power = tf.maximum(16, tf.cast(tf.pow(2.0, exponent), tf.int32))
    else:
        power = max(16, 1 << (max(1, time) - 1).bit_length())
    less = power // 4 * 3
    if tf.is_tensor(time):
        return tf.where((time <= less) & (power > 16), less, power)
    return less if time <= less and power > 16 else power


def traced(traces, key, function, **options):
    """A function of TensorFlow's, for weights and values of some widths and any batch and time."""
    if key not in traces:
        made = tf.function(function, autograph=False, reduce_retracing=True, **options)
        traces[key] = _TRACES.setdefault(key, made)
    return traces[key]


def widths(given):
    """What is known of the shapes of all that a scan takes, but for batch and time."""
    xs, _, state, _, arguments = given
    shapes = [*(values.shape[2:] for values in xs.values()), *(value.shape[1:] for value in state)]
    shapes += (value.shape for value in arguments.values() if tf.is_tensor(value))
    return tuple(map(tuple, shapes))
