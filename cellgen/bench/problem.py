"""A workload at one shape as numbers: the input, the mask and the weights that everyone gets."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from cellgen.bench.workloads import Shape, Workload

EPSILON = 1e-5  # of every norm
BETWEEN_RESETS = 100  # steps from one zero of the mask to the next, on average


@dataclass(frozen=True)
class Problem:
    """x (batch, steps, input), mask (batch, steps) of booleans or None, and the weights by their names in the spec.

    A weight `layer1/W` of a stack is `layer1_W`.
    """

    workload: Workload
    shape: Shape
    x: tf.Tensor
    mask: tf.Tensor | None
    weights: Mapping[str, tf.Tensor]

    def data(self, tensor: Any) -> tuple[Any, Any]:
        """x and the mask as the tensors of a framework; tensor: numpy array -> tensor."""
        return tensor(self.x.numpy()), None if self.mask is None else tensor(self.mask.numpy())


def problem(workload: Workload, shape: Shape) -> Problem:
    """The same numbers each time."""
    mask = None
    if workload.masked:
        mask = tf.random.stateless_uniform([shape.batch, shape.steps], [0, 1]) > 1 / BETWEEN_RESETS
    first = 2 if workload.layers else 1  # with 2, no boundary of the stack is within 5e-5 of one that roundoff turns
    weights = {name: make(size, [first, seed]) for seed, (name, size, make) in enumerate(_weights(workload, shape))}
    return Problem(workload, shape, _normal([shape.batch, shape.steps, shape.input], [0, 0]), mask, weights)


def _weights(workload: Workload, shape: Shape) -> list[tuple]:
    ins, units = shape.input, shape.units
    if workload.layers:
        return [*_stack(workload.layers, ins, units)]
    if workload.spec == "mingru":
        return [("kernel", [ins, 2 * units], _kernel), ("bias", [2 * units], _normal)]
    if workload.spec == "indrnn":
        return [("kernel", [ins, units], _kernel), ("recurrent_kernel", [units], _little), ("bias", [units], _normal)]
    norms = ("ln_x", 4 * units), ("ln_h", 4 * units), ("ln_c", units)
    parts = ("scale", _scale), ("shift", _normal)
    return [
        ("x_w", [ins, 4 * units], _kernel),
        ("h_w", [units, 4 * units], _kernel),
        *((f"{norm}_{part}", [size], make) for norm, size in norms for part, make in parts),
    ]


def _stack(layers: int, input: int, units: int) -> Iterator[tuple]:
    """Of HM-LSTM: the last layer has no V and no column for a boundary."""
    for number in range(1, layers + 1):
        last = number == layers
        slab = 4 * units if last else 4 * units + 1
        yield f"layer{number}_W", [input if number == 1 else units, slab], _kernel
        yield f"layer{number}_U", [units, slab], _kernel
        if not last:
            yield f"layer{number}_V", [units, slab], _kernel
        yield f"layer{number}_b", [slab], _little
    yield "readout_gate", [layers * units, layers], _kernel
    for number in range(1, layers + 1):
        yield f"readout_emb{number}", [units, units], _kernel


def _normal(size: list[int], seed: list[int]) -> tf.Tensor:
    return tf.random.stateless_normal(size, seed)


def _kernel(size: list[int], seed: list[int]) -> tf.Tensor:
    return _normal(size, seed) * (sum(size) / 2) ** -0.5


def _little(size: list[int], seed: list[int]) -> tf.Tensor:
    """So that no boundary detector always says the same."""
    return _normal(size, seed) / 10


def _scale(size: list[int], seed: list[int]) -> tf.Tensor:
    return 1 + _normal(size, seed) / 10


# --- agreement ------------------------------------------------------------------------------------------------------

AGREE = 1e-3  # of the largest value: single precision over a thousand steps


class Disagreement(Exception):
    """A contestant's values are not those of the equations."""


def agree(what: str, values: Any, wanted: Any) -> None:
    """Refuses a tensor of any framework, or a mapping of them, that differs from what it should be."""
    if isinstance(wanted, Mapping):
        if set(values) != set(wanted):
            raise Disagreement(f"{what}: {', '.join(sorted(set(values) ^ set(wanted)))} on one side only")
        for name, each in wanted.items():
            agree(f"{what} of {name}", values[name], each)
        return
    values, wanted = tf.convert_to_tensor(values), tf.convert_to_tensor(wanted)
    if values.shape != wanted.shape:
        raise Disagreement(f"{what}: shape {tuple(values.shape)} instead of {tuple(wanted.shape)}")
    largest = float(tf.reduce_max(tf.abs(wanted))) or 1.0  # a gradient of zeros has none
    apart = float(tf.reduce_max(tf.abs(values - wanted))) / largest
    if not apart <= AGREE:
        raise Disagreement(f"{what} differ by {apart:.2g} of the largest value")


def matmul(size: int) -> tuple[Callable[[], object], int]:
    """A large matmul, float32, and its floating-point operations."""
    a, b = _normal([size, size], [2, 0]), _normal([size, size], [2, 1])
    return lambda: tf.matmul(a, b).numpy(), 2 * size**3
