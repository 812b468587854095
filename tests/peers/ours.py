"""A spec run by the interpreter beside a package, and how near they must be."""

from collections.abc import Mapping

import numpy as np

from cellgen.interpret import Instance
from tests.shipped import typed_of

BATCH, STEPS, INPUT, UNITS = 3, 5, 4, 6
CLOSE = {"float64": 1e-10, "float32": 1e-5}


def instance(stem: str, inputs: int = INPUT, **given) -> Instance:
    """A shipped spec for inputs as wide as this and `UNITS` units, or other sizes and options that are given."""
    typed = typed_of(stem)
    sizes = {dim.name: inputs for dim in typed.cell.dims if dim.kind == "inferred"}
    sizes |= {dim.name: UNITS for dim in typed.cell.dims if dim.name == "units"}
    return Instance(typed, sizes | given)


def draw(cell: Instance, seed: int = 0, scale: float = 0.6) -> dict[str, np.ndarray]:
    """Random weights of ours."""
    rng = np.random.default_rng(seed)
    return {name: rng.normal(scale=scale, size=shape) for name, shape in cell.weights.items()}


def sequence(width: int = INPUT, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(BATCH, STEPS, width))


def run(cell: Instance, weights: Mapping, x: np.ndarray | Mapping, state=None) -> tuple[np.ndarray, tuple]:
    """Outputs (batch, time, ...) and the states of every step, each (batch, time, ...). Every weight must be given."""
    assert set(weights) == set(cell.weights)
    for name, shape in cell.weights.items():
        assert np.shape(weights[name]) == shape, name
    outputs, states, _ = cell.scan(weights, x, state)
    return outputs, tuple(states)


def near(got, wanted, dtype: str = "float64") -> None:
    bound = CLOSE[dtype]
    np.testing.assert_allclose(np.asarray(got, "float64"), np.asarray(wanted, "float64"), rtol=bound, atol=bound)


def apart(got, wanted) -> None:
    """They differ, and by more than rounding could make them."""
    assert np.shape(got) == np.shape(wanted)
    assert np.abs(np.asarray(got, "float64") - np.asarray(wanted, "float64")).max() > 1e-3
