"""Numpy's functions against values and formulas of their own; finite differences against derivatives by hand."""

import math

import numpy as np
import pytest

from cellgen import interpret
from cellgen.interpret.arithmetic import KINKS, NUMPY
from cellgen.ir import ops

E = math.e
X = np.array([-7.5, -3.0, -2.2, -1.0, -0.3, 0.0, 0.4, 1.0, 2.5, 3.0, 6.0, 8.1])


def test_table_is_total():
    assert NUMPY.keys() == ops.OPS.keys()
    assert interpret.NUMPY is NUMPY
    assert KINKS.keys() < ops.OPS.keys()


# (operation, arguments, value), the value worked out by hand or printed in a table
KNOWN = [
    ("add", (2, 3), 5),
    ("sub", (2, 3), -1),
    ("mul", (2, 3), 6),
    ("div", (3, 2), 1.5),
    ("neg", (2,), -2),
    ("pow", (2, 10), 1024),
    ("pow", (2, -0.5), 1 / math.sqrt(2)),
    ("pow", (-3, 2), 9),
    ("less", (1, 2), 1),
    ("less", (2, 2), 0),
    ("less_equal", (2, 2), 1),
    ("less_equal", (3, 2), 0),
    ("greater", (2, 1), 1),
    ("greater", (2, 2), 0),
    ("greater_equal", (2, 2), 1),
    ("greater_equal", (1, 2), 0),
    ("linear", (-1.5,), -1.5),
    ("sigmoid", (0,), 0.5),
    ("sigmoid", (math.log(3),), 0.75),
    ("sigmoid", (-800,), 0),
    ("sigmoid", (800,), 1),
    ("tanh", (0.5 * math.log(3),), 0.5),
    ("relu", (-2,), 0),
    ("relu", (2,), 2),
    ("relu6", (-2,), 0),
    ("relu6", (5,), 5),
    ("relu6", (7,), 6),
    ("leaky_relu", (-2,), -0.4),
    ("leaky_relu", (2,), 2),
    ("elu", (-1,), 1 / E - 1),
    ("elu", (2,), 2),
    ("elu", (800,), 800),
    ("selu", (2,), 2.101401974710961),
    ("selu", (-1,), 1.7580993408473766 * (1 / E - 1)),
    ("softplus", (0,), math.log(2)),
    ("softplus", (800,), 800),
    ("softplus", (-800,), 0),
    ("softsign", (3,), 0.75),
    ("softsign", (-1,), -0.5),
    ("silu", (math.log(3),), 0.75 * math.log(3)),
    ("gelu", (1,), 0.8413447460685429),
    ("gelu", (-2,), -0.04550026389635842),
    ("gelu", (0,), 0),
    ("mish", (0,), 0),
    ("mish", (math.log(math.exp(0.5 * math.log(3)) - 1),), 0.5 * math.log(math.sqrt(3) - 1)),
    ("exponential", (1,), E),
    ("exp", (-1,), 1 / E),
    ("log_sigmoid", (math.log(3),), math.log(0.75)),
    ("log_sigmoid", (-800,), -800),
    ("hard_sigmoid", (-3,), 0),
    ("hard_sigmoid", (0,), 0.5),
    ("hard_sigmoid", (1.5,), 0.75),
    ("hard_sigmoid", (4,), 1),
    ("hard_silu", (1.5,), 1.125),
    ("hard_silu", (-4,), 0),
    ("hard_silu", (5,), 5),
    ("hard_tanh", (-3,), -1),
    ("hard_tanh", (0.25,), 0.25),
    ("hard_tanh", (3,), 1),
    ("log", (E,), 1),
    ("sqrt", (2.25,), 1.5),
    ("square", (-3,), 9),
    ("abs", (-3,), 3),
    ("sin", (math.pi / 6,), 0.5),
    ("cos", (math.pi / 3,), 0.5),
    ("step", (0,), 0),
    ("step", (1e-300,), 1),
    ("step", (-1,), 0),
    ("floor", (2.5,), 2),
    ("floor", (-2.5,), -3),
    ("floor", (-3,), -3),
    ("mod", (7, 3), 1),
    ("mod", (-7, 3), 2),
    ("mod", (7, -3), -2),
    ("mod", (-0.5, 2), 1.5),
    ("mod", (6, 3), 0),
    ("minimum", (2, 3), 2),
    ("maximum", (2, 3), 3),
    ("clip", (5, -1, 2), 2),
    ("clip", (-5, -1, 2), -1),
    ("clip", (0.5, -1, 2), 0.5),
    ("where", (1, 2, 3), 2),
    ("where", (0, 2, 3), 3),
    ("where", (1e-7, 2, 3), 3),
    ("where", (0.5, 2, 3), 3),
    ("where", (1 - 1e-7, 2, 3), 2),
    ("stop_gradient", (3,), 3),
    ("straight_through", (2, 3), 2),
]


@pytest.mark.parametrize("op, args, value", KNOWN)
def test_known_values(op, args, value):
    assert NUMPY[op](*map(np.float64, args)) == pytest.approx(value, rel=1e-14, abs=1e-16)


def test_every_elementwise_operation_has_a_known_value():
    assert {op for op, _, _ in KNOWN} == {name for name, op in ops.OPS.items() if op.shape == "elementwise"}


@pytest.mark.parametrize("name", ops.ACTIVATIONS)
def test_activations_keep_within_their_interval(name):
    interval, values = ops.OPS[name].interval, NUMPY[name](X)
    assert values.shape == X.shape and values.dtype == np.float64
    if interval:
        low = -math.inf if interval.low is None else float(interval.low)
        high = math.inf if interval.high is None else float(interval.high)
        assert (values > low).all() if interval.low_open else (values >= low).all()
        assert (values < high).all() if interval.high_open else (values <= high).all()


@pytest.mark.parametrize(
    "name, formula",
    [
        ("sigmoid", lambda x: 1 / (1 + math.exp(-x))),
        ("softplus", lambda x: math.log(1 + math.exp(x))),
        ("silu", lambda x: x / (1 + math.exp(-x))),
        ("gelu", lambda x: x * math.erfc(-x / math.sqrt(2)) / 2),
        ("mish", lambda x: x * math.tanh(math.log1p(math.exp(x)))),
        ("log_sigmoid", lambda x: math.log(1 / (1 + math.exp(-x)))),
        ("selu", lambda x: 1.0507009873554805 * (x if x > 0 else 1.6732632423543772 * (math.exp(x) - 1))),
        ("hard_sigmoid", lambda x: min(max(x / 6 + 0.5, 0), 1)),
    ],
)
def test_activations_by_their_formula(name, formula):
    np.testing.assert_allclose(NUMPY[name](X), [formula(x) for x in X], rtol=1e-12, atol=1e-15)


def test_operations_along_axes():
    x = np.random.default_rng(0).normal(size=(2, 3, 4))
    for axis in range(3):
        lanes = np.moveaxis(x, axis, -1)
        soft = np.moveaxis(NUMPY["softmax"](x, axis), axis, -1)
        run = np.moveaxis(NUMPY["cumsum"](x, axis), axis, -1)
        for place in np.ndindex(lanes.shape[:-1]):
            powers = [math.exp(each) for each in lanes[place]]
            np.testing.assert_allclose(soft[place], np.array(powers) / sum(powers), rtol=1e-14)
            np.testing.assert_allclose(run[place], [sum(lanes[place][: k + 1]) for k in range(len(powers))], atol=1e-15)
            assert NUMPY["sum"](x, axis)[place] == pytest.approx(sum(lanes[place]), abs=1e-15)
            assert NUMPY["mean"](x, axis)[place] == pytest.approx(sum(lanes[place]) / len(powers), abs=1e-15)
    assert np.array_equal(NUMPY["softmax"](np.array([1000.0, 1000.0]), 0), [0.5, 0.5])


@pytest.mark.parametrize("sizes, taps", [((5,), (3,)), ((6,), (4,)), ((4, 6), (3, 2)), ((4, 2, 6), (1, 3, 5))])
@pytest.mark.parametrize("how", [{}, {"stride": 2}, {"dilation": 2}, {"stride": 2, "dilation": 3}], ids=str)
def test_a_convolution_place_by_place(sizes, taps, how):
    """With zeros around, as TensorFlow's "SAME": of those along an axis half in front, and one more behind if odd."""
    rng, stride, dilation = np.random.default_rng(4), how.get("stride", 1), how.get("dilation", 1)
    x, kernel = rng.normal(size=(2, *sizes, 3)), rng.normal(size=(*taps, 3, 2))
    found = NUMPY["conv"](x, kernel, **how)
    places = [math.ceil(size / stride) for size in sizes]
    assert found.shape == (2, *places, 2)
    around = [max((n - 1) * stride + (k - 1) * dilation + 1 - size, 0) for n, k, size in zip(places, taps, sizes)]
    for place in np.ndindex(*places):
        wanted = np.zeros((2, 2))
        for tap in np.ndindex(*taps):
            at = [p * stride + t * dilation - zeros // 2 for p, t, zeros in zip(place, tap, around)]
            if all(0 <= each < size for each, size in zip(at, sizes)):
                wanted += x[(slice(None), *at)] @ kernel[tap]
        np.testing.assert_allclose(found[(slice(None), *place)], wanted, atol=1e-13)


def test_normalize_has_the_biased_variance_and_epsilon_inside_the_root():
    x = np.random.default_rng(1).normal(size=(2, 3, 4))
    joint = NUMPY["normalize"](x, 0.1, axes=(1, 2), kind="layer")
    last = NUMPY["normalize"](x, 0.1, axes=(2,), kind="layer")
    rms = NUMPY["normalize"](x, 0.1, axes=(2,), kind="rms")
    for n in range(2):
        mean = x[n].sum() / 12
        variance = ((x[n] - mean) ** 2).sum() / 12
        np.testing.assert_allclose(joint[n], (x[n] - mean) / math.sqrt(variance + 0.1), rtol=1e-13)
        for k in range(3):
            row = x[n, k]
            variance = (row**2).sum() / 4 - (row.sum() / 4) ** 2
            np.testing.assert_allclose(last[n, k], (row - row.sum() / 4) / math.sqrt(variance + 0.1), rtol=1e-13)
            np.testing.assert_allclose(rms[n, k], row / math.sqrt((row**2).sum() / 4 + 0.1), rtol=1e-13)


# --- derivatives ----------------------------------------------------------------------------------------------------


def test_derivative_of_a_known_function():
    rng = np.random.default_rng(2)
    a, b, along = rng.normal(size=(3, 4)), rng.normal(size=4), {"a": rng.normal(size=(3, 4)), "b": rng.normal(size=4)}

    def function(arrays):
        return np.sum(np.tanh(arrays["a"] @ arrays["b"]))

    slope = 1 - np.tanh(a @ b) ** 2
    by_hand = {"a": np.sum(np.outer(slope, b) * along["a"]), "b": np.sum(slope @ a * along["b"])}
    for names in (("a",), ("b",), ("a", "b")):
        got = interpret.derivative(function, {"a": a, "b": b}, {name: along[name] for name in names})
        assert got == pytest.approx(sum(by_hand[name] for name in names), rel=1e-9)


@pytest.mark.parametrize("along", [{"a": np.ones(3)}, {"b": np.ones(2)}])
def test_derivative_refuses_a_direction_that_does_not_fit(along):
    with pytest.raises(ValueError, match="along . .3,. *; wanted .2,|along b .*; wanted a"):
        interpret.derivative(lambda arrays: 0.0, {"a": np.ones(2)}, along)


def test_kinks_are_where_the_slopes_of_both_sides_differ():
    places = {
        "relu": [0],
        "leaky_relu": [0],
        "selu": [0],
        "abs": [0],
        "relu6": [0, 6],
        "hard_sigmoid": [-3, 3],
        "hard_silu": [-3, 3],
        "hard_tanh": [-1, 1],
    }
    for name, kinks in places.items():
        grid = np.linspace(-8, 8, 161) + 0.013
        expected = [min(abs(x - kink) for kink in kinks) for x in grid]
        np.testing.assert_allclose(KINKS[name](grid), expected, atol=1e-14)
        for kink in kinks:
            value, h = NUMPY[name], 1e-6
            left, right = (value(kink) - value(kink - h)) / h, (value(kink + h) - value(kink)) / h
            assert abs(left - right) > 0.1
    smooth = set(ops.ACTIVATIONS) - KINKS.keys()
    for name in smooth:
        slopes = np.diff(NUMPY[name](np.linspace(-8, 8, 160_001))) / 1e-4
        assert np.abs(np.diff(slopes)).max() < 1e-3 * max(1, np.abs(slopes).max())
