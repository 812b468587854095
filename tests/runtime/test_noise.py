"""What training draws, and where it can be read."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from cellgen.runtime import noise


def seed():
    return tf.constant([1, 2])


def test_drawing_is_what_keras_looks_for():
    asked = next(each for each in noise.Drawing.__mro__ if each.__name__.startswith("DropoutRNNCell"))
    assert issubclass(keras.layers.LSTMCell, asked) and issubclass(keras.layers.GRUCell, asked)
    assert noise.KERAS_2 == (not hasattr(tf.keras, "random"))


@pytest.mark.parametrize("rate", [None, 0, 0.0])
def test_without_a_rate_nothing_is_drawn(rate):
    def never():
        raise AssertionError("a seed was asked for")

    assert noise.keep(rate, [2, 3], never, "float32") is None
    assert noise.zone(rate, [2, 3], never, "float32") is None


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_what_dropout_keeps(dtype):
    drawn = tf.random.stateless_uniform([40, 50], seed(), alg="philox").numpy()
    kept = noise.keep(0.25, [40, 50], seed, dtype)
    assert kept.dtype == dtype
    np.testing.assert_array_equal(kept, ((drawn >= 0.25) * np.asarray(1 / 0.75, dtype)).astype(dtype))
    assert abs(np.mean(kept.numpy().astype("float64")) - 1) < 0.05


def test_dropout_of_everything():
    np.testing.assert_array_equal(noise.keep(1, [4, 5], seed, "float32"), np.zeros([4, 5]))


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_what_zoneout_holds(dtype):
    drawn = tf.random.stateless_uniform([40, 50], seed(), alg="philox").numpy()
    held = noise.zone(0.25, [40, 50], seed, dtype)
    assert held.dtype == dtype
    np.testing.assert_array_equal(held, (drawn < 0.25).astype(dtype))
    np.testing.assert_array_equal(noise.zone(1, [4, 5], seed, dtype), np.ones([4, 5]))


def test_nothing_of_an_empty_batch():
    assert noise.keep(0.5, [0, 3], seed, "float32").shape == (0, 3)
    assert noise.zone(0.5, [0, 3], seed, "float32").shape == (0, 3)


def test_where_a_tensor_can_be_read():
    eager, found = tf.ones([2]), {}

    @tf.function(autograph=False)
    def outer(x):
        found["a number"], found["eager"], found["here"] = map(noise.in_reach, (1.5, eager, x))
        held = x + 1

        def body(i, y):
            found["around"] = noise.in_reach(held)
            found.setdefault("within", y)
            return i + 1, y + held

        tf.while_loop(lambda i, _: i < 2, body, (0, x))
        found["after"] = noise.in_reach(found["within"])
        return held

    outer(eager)
    assert found.pop("within") is not None and found.pop("after") is False
    assert found == {"a number": True, "eager": True, "here": True, "around": True}
