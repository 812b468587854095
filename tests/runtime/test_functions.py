"""Activations and the other functions that equations name: values by NumPy, derivatives by differences."""

import math
import re

import keras
import numpy as np
import pytest
import tensorflow as tf

from cellgen.runtime import functions
from cellgen.runtime.activations import ACTIVATIONS, activation

X = np.array([-4.2, -3.5, -1.7, -0.6, -0.1, 0.2, 0.7, 1.6, 3.4, 6.5])  # no kink near any


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softplus(x):
    return np.log1p(np.exp(x))


erf = np.vectorize(math.erf)
VALUES = {
    "linear": lambda x: x,
    "sigmoid": sigmoid,
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.2 * x),
    "elu": lambda x: np.where(x > 0, x, np.expm1(x)),
    "selu": lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(x)),
    "softplus": softplus,
    "softsign": lambda x: x / (1 + abs(x)),
    "silu": lambda x: x * sigmoid(x),
    "gelu": lambda x: x * (1 + erf(x / math.sqrt(2))) / 2,
    "mish": lambda x: x * np.tanh(softplus(x)),
    "exponential": np.exp,
    "log_sigmoid": lambda x: np.log(sigmoid(x)),
    "hard_sigmoid": lambda x: np.clip(x + 3, 0, 6) / 6,
    "hard_silu": lambda x: x * np.clip(x + 3, 0, 6) / 6,
    "hard_tanh": lambda x: np.clip(x, -1, 1),
}


def test_every_activation_is_there():
    assert VALUES.keys() == ACTIVATIONS.keys()


@pytest.mark.parametrize("name", VALUES)
def test_activations(name):
    """TensorFlow's leaky_relu and gelu have a number in float32."""
    found, x, value = ACTIVATIONS[name], tf.constant(X), VALUES[name]
    y = found(x)
    np.testing.assert_allclose(y, value(X), rtol=1e-7, atol=1e-9)
    slope = (value(X + 1e-6) - value(X - 1e-6)) / 2e-6
    came = found.gradient(tf.constant(3.0, tf.float64), x if found.reads_x else None, y)
    np.testing.assert_allclose(came * np.ones(len(X)), 3 * slope, rtol=1e-6, atol=1e-8)


def test_names_of_activations():
    for value in ("tanh", keras.activations.tanh, tf.nn.tanh, ACTIVATIONS["tanh"]):
        assert activation("activation", value) is ACTIVATIONS["tanh"]
    for value in (None, "linear", keras.activations.linear):
        assert activation("activation", value, "linear", "tanh") is ACTIVATIONS["linear"]


@pytest.mark.parametrize("value", ["sigmoid", 3, keras.activations.sigmoid])
def test_activations_of_no_name(value):
    sentence = f"`activation` must be one of linear, tanh. Received: {value!r}"
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        activation("activation", value, "linear", "tanh")


def test_another_function_of_this_name():
    def relu(x):
        return x

    with pytest.raises(ValueError, match="`activation` must be one of linear, relu. Received: <function"):
        activation("activation", relu, "linear", "relu")


# --- functions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["leaky_relu", "softsign", "gelu", "mish", "hard_silu"])
def test_functions_of_one_value(name):
    np.testing.assert_allclose(getattr(functions, name)(tf.constant(X)), VALUES[name](X), rtol=1e-12)


def test_heaviside_and_straight_through():
    np.testing.assert_array_equal(functions.heaviside(tf.constant([-1.0, 0.0, 0.5])), [0, 0, 1])
    x = tf.constant(X)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = functions.straight_through(functions.heaviside(x), tf.sigmoid(x))
    np.testing.assert_allclose(y, X > 0, atol=1e-12)
    np.testing.assert_allclose(tape.gradient(y, x), sigmoid(X) * (1 - sigmoid(X)))


def layer_norm(x, over, epsilon):
    return (x - x.mean(over, keepdims=True)) / np.sqrt(x.var(over, keepdims=True) + epsilon)


def rms_norm(x, over, epsilon):
    return x / np.sqrt((x**2).mean(over, keepdims=True) + epsilon)


@pytest.mark.parametrize("kind", ["layer_norm", "rms_norm"])
@pytest.mark.parametrize("axes", [1, 2])
def test_norms(kind, axes):
    rng, over, wanted = np.random.default_rng(0), (-1,) if axes == 1 else (-2, -1), globals()[kind]
    x, d = rng.normal(size=(3, 2, 5)), tf.constant(rng.normal(size=(3, 2, 5)))
    norm, parts, back = (getattr(functions, kind + end) for end in ("", "_parts", "_back"))
    np.testing.assert_allclose(norm(tf.constant(x), axes, 1e-3), wanted(x, over, 1e-3), rtol=1e-12)
    given = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(given)
        hat, scale = parts(given, axes, 1e-3)
    np.testing.assert_allclose(back(d, hat, scale, axes), tape.gradient(hat, given, d), rtol=1e-10, atol=1e-12)
    hat, scale = parts(tf.constant(x, tf.float16), axes, 1e-3)
    assert (hat.dtype, scale.dtype) == (tf.float16, tf.float32)
    assert back(tf.cast(d, tf.float16), hat, scale, axes).dtype == tf.float16


def test_through_a_softmax():
    rng = np.random.default_rng(0)
    x, d = tf.constant(rng.normal(size=(3, 4))), tf.constant(rng.normal(size=(3, 4)))
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.nn.softmax(x, 0)
    np.testing.assert_allclose(functions.softmax_back(d, y, 0), tape.gradient(y, x, d), rtol=1e-10)


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
def test_straight_through_is_the_first_whatever_the_second_is(dtype):
    """A difference added to what was taken off would round: a spike of 1 would be 0 or 2 beside 3e7."""
    hard, soft = tf.constant([1, 0, 1], dtype), tf.constant([3.3e7, -3.3e8, 0.3], dtype)
    with tf.GradientTape() as tape:
        tape.watch([hard, soft])
        came = functions.straight_through(hard, soft)
    assert (came == hard).numpy().all()
    by_hard, by_soft = tape.gradient(came, [hard, soft])
    assert by_hard is None and (by_soft == 1).numpy().all()
