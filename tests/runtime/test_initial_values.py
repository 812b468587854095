"""What a formula of an initial value asks for, beside the interpreter's numpy."""

import numpy as np
import pytest
import tensorflow as tf

from cellgen.interpret.initial_values import SYSTEMS, _discrete
from cellgen.runtime import New
from cellgen.runtime.initial_values import by_formula, in_parts

SIZE = 6


def new(*shape, dtype="float64"):
    return New(shape, dtype)


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_linear_system_is_that_of_the_interpreter(name):
    a, b = SYSTEMS[name](SIZE)
    np.testing.assert_allclose(getattr(new(SIZE, SIZE), name)(), a)
    np.testing.assert_allclose(getattr(new(SIZE), name)(), b)
    for how in ("zoh", "bilinear"):
        moved, fed = _discrete(how, a, b, 0.3)
        np.testing.assert_allclose(getattr(new(SIZE, SIZE), how)(name, 0.3), moved, atol=1e-12)
        np.testing.assert_allclose(getattr(new(SIZE), how)(name, 0.3), fed, atol=1e-12)


def test_what_is_drawn_is_within_its_bounds():
    tf.keras.utils.set_random_seed(0)
    low = np.asarray(new(200, 3).uniform(2.0, 5.0))
    assert low.min() >= 2 and low.max() <= 5 and low.std() == pytest.approx(3 / 12**0.5, rel=0.1)
    assert np.std(new(2000).normal(0.3)) == pytest.approx(0.3, rel=0.1)
    assert set(np.unique(new(200).bernoulli(0.25))) == {0, 1}
    assert np.mean(new(4000).bernoulli(0.25)) == pytest.approx(0.25, abs=0.03)
    square = np.asarray(new(5, 5).orthogonal(2.0))
    np.testing.assert_allclose(square @ square.T, 4 * np.eye(5), atol=1e-12)
    np.testing.assert_array_equal(new(3, 3).identity(2.0), 2 * np.eye(3))
    np.testing.assert_array_equal(new(3).initializer("ones"), np.ones(3))


def test_a_spectral_radius_is_that_and_zeros_stay():
    value = np.random.default_rng(0).normal(size=(8, 8))
    scaled = np.asarray(new(8, 8).spectral_radius(tf.constant(value), 0.7))
    assert np.abs(np.linalg.eigvals(scaled)).max() == pytest.approx(0.7)
    np.testing.assert_allclose(scaled / value, scaled[0, 0] / value[0, 0])
    np.testing.assert_array_equal(new(2, 2).spectral_radius(tf.zeros([2, 2], tf.float64), 0.7), np.zeros((2, 2)))


def test_what_another_weight_started_from_is_read_whole_or_in_parts():
    other = tf.Variable(np.arange(12.0).reshape(2, 6))
    np.testing.assert_array_equal(new(2, 6).value(other), np.arange(12.0).reshape(2, 6))
    np.testing.assert_array_equal(new(2, 2).value(other, part=1, of=3), [[2, 3], [8, 9]])
    np.testing.assert_array_equal(new(1, 6).value(other, part=1, of=2, axis=0), [[6, 7, 8, 9, 10, 11]])


def test_a_formula_is_spread_over_its_weight():
    rows = by_formula(lambda new: new.range(3)[:, None])([3, 2], dtype="float32")
    np.testing.assert_array_equal(rows, [[0, 0], [1, 1], [2, 2]])
    np.testing.assert_array_equal(by_formula(lambda new: 0.5)([2], dtype="float64"), [0.5, 0.5])


def test_parts_read_each_other_in_any_order_and_start_by_a_formula():
    parts = [lambda new: -new.part(1), lambda new: new.range(2) + 1, None, "ones"]
    came = in_parts(None, parts, -1, lambda new: 7.0)([8], dtype="float64")
    np.testing.assert_array_equal(came, [-1, -2, 1, 2, 7, 7, 1, 1])
    came = in_parts(tf.keras.initializers.Constant(3.0), parts, -1, lambda new: 7.0)([8], dtype="float64")
    np.testing.assert_array_equal(came, [-1, -2, 1, 2, 3, 3, 1, 1])
