"""Functions of tensors that say what their derivative is, of any order and for every tape."""

import re

import numpy as np
import pytest
import tensorflow as tf

from cellgen.runtime.custom_gradient import derivative, hidden, known, refuse_vectorised, vectorised

X = tf.constant([0.5, -1.0, 2.0], tf.float64)
ALONG = tf.constant([1.0, 0.3, -0.7], tf.float64)


def cube(x):
    """x ** 3, of which no tape sees the inside: its first two derivatives say what their own are."""

    def slope(x, d):
        return known(hidden(3 * d * x**2), curvature, (x, d))

    def curvature(tensors, e):
        x, d = tensors
        return 6 * d * e * x, 3 * e * x**2

    return known(hidden(x**3), slope, x)


def test_what_is_said_to_be_the_derivative_is_it():
    with tf.GradientTape() as tape:
        tape.watch(X)
        y = known({"a": hidden(X**2)}, lambda x, d: 7 * d["a"], X)["a"]
    np.testing.assert_array_equal(y, X**2)
    np.testing.assert_array_equal(tape.gradient(y, X), [7, 7, 7])


def test_results_and_tensors_of_any_structure():
    y = tf.constant([3.0, 4.0, 5.0], tf.float64)

    def slopes(given, d_results):
        (d_sum, [d_product]), x, [y] = d_results, given["x"], given["more"]
        return {"x": d_sum + d_product * y, "more": [d_sum + d_product * x]}

    with tf.GradientTape() as tape:
        tape.watch([X, y])
        total, [product] = known(hidden((X + y, [X * y])), slopes, {"x": X, "more": [y]})
        loss = tf.reduce_sum(2 * total + product)
    np.testing.assert_array_equal(total, X + y)
    np.testing.assert_array_equal(product, X * y)
    d_x, d_y = tape.gradient(loss, [X, y])
    np.testing.assert_array_equal(d_x, 2 + y)
    np.testing.assert_array_equal(d_y, 2 + X)


# --- every kind of tape ---------------------------------------------------------------------------------------------


def by_tape(x):
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            y = cube(x)
        first = inner.gradient(y, x)
    return first, outer.gradient(first, x, output_gradients=ALONG)


def by_symbols(x):
    y = cube(x)
    first = tf.gradients(y, x)[0]
    return first, tf.gradients(first, x, ALONG)[0]


def forwards(x):
    """Forward mode, alone and over a tape."""
    with tf.autodiff.ForwardAccumulator(x, ALONG) as pushed:
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = cube(x)
        slope = tape.gradient(y, x)
    return pushed.jvp(y) / ALONG, pushed.jvp(slope)


@pytest.mark.parametrize("tape", [by_tape, tf.function(by_tape), tf.function(by_symbols), forwards])
def test_first_and_second_derivatives(tape):
    first, second = tape(X)
    np.testing.assert_allclose(first, 3 * X**2, rtol=1e-12)
    np.testing.assert_allclose(second, 6 * X * ALONG, rtol=1e-12)


@pytest.mark.parametrize("run", [lambda x: hidden({"a": [x], "b": 3}), tf.function(lambda x: hidden({"a": [x]}))])
def test_tapes_do_not_see_what_is_hidden(run):
    with tf.GradientTape() as tape:
        tape.watch(X)
        found = run(X)["a"][0]
    np.testing.assert_array_equal(found, X)
    assert tape.gradient(found, X) is None
    assert hidden({"b": 3, "c": None}) == {"b": 3, "c": None}


def test_the_derivative_of_a_derivative():
    """Of results by sources and cotangents alike; of what a result does not read, zeros."""

    def slopes(given, tensors, power):
        (x, unread), d = tensors
        return given * d * power * x ** (power - 1), 0 * d

    assert derivative(slopes) is derivative(slopes)
    e = tf.constant([1.0, 2.0, 3.0], tf.float64)
    (d_x, d_unread), d_d = tf.function(
        lambda: derivative(slopes)(2.0, (((X, X + 1), ALONG), (e, e)), power=3), autograph=False
    )()
    np.testing.assert_allclose(d_x, 2 * 6 * ALONG * X * e, rtol=1e-12)
    np.testing.assert_array_equal(d_unread, np.zeros(3))
    np.testing.assert_allclose(d_d, 2 * 3 * X**2 * e, rtol=1e-12)


# --- tf.vectorized_map ----------------------------------------------------------------------------------------------

SENTENCE = (
    "tf.vectorized_map cannot convert the scan's loops: use tf.map_fn, tape.jacobian(...,"
    " experimental_use_pfor=False), or a layer with unroll=True.\n"
)


def test_only_what_is_traced_for_a_vectorised_map_is_vectorised():
    found = []

    def tell(x):
        found.append(vectorised())
        return x

    def in_a_loop(x):
        return tf.while_loop(lambda i, _: i < 1, lambda i, x: (i + 1, tell(x)), (0, x))[1]

    tell(X), tf.function(tell)(X), tf.map_fn(tell, X), in_a_loop(X)
    assert len(found) >= 4 and not any(found)
    found.clear()
    tf.vectorized_map(tell, X)
    tf.vectorized_map(in_a_loop, X)
    assert len(found) >= 2 and all(found)


def test_what_cannot_be_vectorised_says_so():
    refuse_vectorised()

    def refused(x):
        refuse_vectorised()
        return x

    with pytest.raises(NotImplementedError, match=re.escape(SENTENCE)):
        tf.vectorized_map(refused, X)
