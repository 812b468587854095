"""What laws say and what numbers do: crossed bounds, domains, masks; that rounding refutes nothing."""

import numpy as np
import pytest

from cellgen import compile
from cellgen.compiler import Spec
from cellgen.interpret import Instance
from tests.test_laws import cell, statuses

CROSSED = cell(
    """
    a = clip(x @ W, low, high)
    h = tanh(h[t-1] @ U + x @ W) * a
""",
    "options: {low: {default: -1.0, in: [-1, 2]}, high: {default: 1.0, in: [0, 1]}}",
)


# --- one meaning of an operation ---


def test_the_range_of_a_clip_holds_where_its_bounds_cross():
    assert statuses(CROSSED, "a in [-1, 2]", "h in (-2, 2)", "a in [-1, 1]", "h in (-1, 1)") == [
        "proved",
        "proved",
        "refuted",
        "refuted",
    ]
    assert statuses(CROSSED, "a == low when low == 2, high == 0", "a == high when low == 2, high == 0") == [
        "proved",
        "refuted",
    ]


@pytest.mark.parametrize("jit", [False, True])
def test_a_clip_whose_bounds_cross_is_low_everywhere(jit):
    rng = np.random.default_rng(0)
    layer = compile(text=CROSSED).Cell(4, low=2.0, high=0.0, return_sequences=True, dtype="float64", jit_compile=jit)
    x = rng.normal(size=(2, 5, 3))
    out = np.asarray(layer(x))
    weights = [rng.normal(size=weight.shape) for weight in layer.get_weights()]
    layer.set_weights(weights)
    out = np.asarray(layer(x))
    oracle = Instance(Spec.of(CROSSED).typed(), {"input": 3, "units": 4, "low": 2.0, "high": 0.0})
    np.testing.assert_allclose(out, oracle.scan(weights, x).outputs, rtol=1e-12)
    first = np.tanh(x[:, 0] @ weights[0]) * 2
    np.testing.assert_allclose(out[:, 0], first, rtol=1e-12)
