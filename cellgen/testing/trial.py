"""A layer and its oracle, with the same numbers for both."""

from collections.abc import Callable, Mapping
from math import prod
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import tensorflow as tf

from cellgen.ir import Apply, Cell, Input, State, walk
from cellgen.testing.difference import Value, close

if TYPE_CHECKING:
    from cellgen.testing.subject import Subject

keras = tf.keras

BATCH, STEPS = 4, 5
MASK = np.array([[1, 1, 1, 1, 1], [0, 1, 0, 0, 1], [1, 1, 1, 0, 0], [0, 0, 0, 0, 0]], bool)
LENGTHS = np.array([5, 4, 2, 0])
EVERYTHING = {"return_sequences": True, "return_state": True, "return_all_states": True}
SEQUENCE, SAMPLES = ("sample", "step"), ("sample",)


class Numbers(NamedTuple):
    """What a cell is run with: x as its layer takes it, the states, the weights in the order of the oracle's."""

    x: np.ndarray | dict[str, np.ndarray]
    state: list[np.ndarray]
    weights: list[np.ndarray]


class Trial:
    """A layer as `arguments` make it, its oracle, and what both are run with.

    It returns EVERYTHING unless arguments say otherwise.
    """

    def __init__(self, subject: "Subject", case: Mapping, sizes: Mapping | None = None, **arguments):
        given = {**(sizes or subject.sizes[0]), **case}
        self.subject, self.oracle = subject, subject.oracle(given)
        self.cell, settings = self.oracle.cell, self.oracle.settings
        self.ports = [port for port in self.cell.inputs if not port.optional or settings.connected(port)]
        self.constants = [port.name for port in self.cell.inputs if port.constant]
        self.arguments = {name: value for name, value in given.items() if name not in subject.inferred}
        keras.utils.set_random_seed(0)
        frozen = self.cell.frozen
        self.trained = [name for name in self.oracle.weights if name not in frozen]
        self.layer = self.made(**arguments)
        self.initial = [np.asarray(weight, np.float64) for weight in self.variables(self.layer)]
        self.numbers = self.drawn(0)
        self.x, self.state, self.weights = self.numbers
        self.set_weights(self.layer)

    def made(self, **arguments):
        """A layer, built."""
        layer = self.subject.Layer(**{**self.arguments, "dtype": "float64", **EVERYTHING, **arguments})
        layer.build(self.as_given({port.name: self._shape(port) for port in self.ports}))
        return layer

    def twin(self, weights: list[np.ndarray] | None = None, **arguments):
        """Another layer, with the same weights or with others."""
        layer = self.made(**arguments)
        self.set_weights(layer, weights)
        return layer

    def variables(self, layer) -> list:
        """The weights of a layer in the order of the oracle's; Keras has those behind that are not trained."""
        scheduled = [id(getattr(layer.cell, name)) for name in layer.cell.scheduled]
        trained = iter(layer.trainable_weights)
        frozen = (each for each in layer.non_trainable_weights if id(each) not in scheduled)
        return [next(trained if name in self.trained else frozen) for name in self.oracle.weights]

    def set_weights(self, layer, weights: list[np.ndarray] | None = None) -> None:
        """Those of the trial, or others."""
        for variable, value in zip(self.variables(layer), weights or self.weights, strict=True):
            variable.assign(value)

    def drawn(self, seed: int) -> Numbers:
        """Random ones; weights are near what the layer began with, so that what scales is near 1."""
        rng = np.random.default_rng(seed)

        def random(of: Input | State, shape: tuple[int, ...]) -> np.ndarray:
            return rng.integers(2, size=shape).astype("float64") if of.binary else rng.normal(size=shape)

        x = {port.name: random(port, self._shape(port)) for port in self.ports}
        state = [random(each, (BATCH, *self.oracle.settings.shape(each.shape))) for each in self.cell.states]
        weights = [weight + rng.normal(scale=0.4, size=weight.shape) / self._taps(weight) for weight in self.initial]
        return Numbers(self.as_given(x), state, weights)

    def _taps(self, weight: np.ndarray) -> float:
        """What the kernel of a convolution is divided by, of which many numbers go into one: the root of how many."""
        return prod(weight.shape[:-2]) ** 0.5 if applies(self.cell, "conv") else 1.0

    def _shape(self, port: Input) -> tuple[int, ...]:
        return (BATCH, *[STEPS] * (not port.constant), *self.oracle.settings.shape(port.shape))

    # inputs

    def as_given(self, x: dict):
        """The inputs by name, as a layer takes them: a cell of one input takes it as it is."""
        return x if len(self.cell.inputs) > 1 else x[self.cell.inputs[0].name]

    def by_name(self, x) -> dict:
        return x if len(self.cell.inputs) > 1 else {self.cell.inputs[0].name: x}

    def each(self, function: Callable, x=None):
        """The same done to every input."""
        return self.as_given({name: function(value) for name, value in self.by_name(self._x(x)).items()})

    def each_step(self, function: Callable, x=None):
        """The same done to every input that has steps."""
        named = self.by_name(self._x(x))
        return self.as_given(
            {name: value if name in self.constants else function(value) for name, value in named.items()}
        )

    def at(self, t: int):
        """What comes to a step."""
        return self.each_step(lambda x: x[:, t])

    def hidden(self):
        """The input with no numbers in masked steps, where a cell holds: of what is masked nothing reaches anything."""
        if self.cell.mask.kind != "hold":
            return self.x
        return self.each_step(lambda x: np.where(MASK.reshape(BATCH, STEPS, *[1] * (x.ndim - 2)), x, np.nan))

    def _x(self, x):
        return self.x if x is None else x

    @property
    def masks(self) -> dict[str, np.ndarray]:
        """A mask, if the cell has a rule for masked steps."""
        return {} if self.cell.mask.kind == "none" else {"mask": MASK}

    # results

    @property
    def states(self) -> tuple[str, ...]:
        return self.oracle.State._fields

    @property
    def stepped(self) -> list[Value]:
        """What a step returns."""
        return [Value("output", SAMPLES), *(Value(f"state `{name}`", SAMPLES) for name in self.states)]

    @property
    def everything(self) -> list[Value]:
        """What a layer returns under EVERYTHING."""
        final = [Value(f"final state `{name}`", SAMPLES) for name in self.states]
        return [Value("outputs", SEQUENCE), *final, *(Value(f"states `{name}`", SEQUENCE) for name in self.states)]

    def scanned(self, numbers: Numbers | None = None, *, with_state: bool = True, **how) -> list[np.ndarray]:
        """What a layer returns under EVERYTHING, as the oracle has it."""
        x, state, weights = numbers or self.numbers
        outputs, states, final = self.oracle.scan(weights, x, initial_state=state if with_state else None, **how)
        return [outputs, *final, *states]

    def close(self, came, wanted, values=None, bound: float | None = None, how: str = "") -> None:
        """As `difference.close`, by default of everything and as near as the subject comes to its oracle."""
        close(came, wanted, values or self.everything, bound or self.subject.bound, how)


def applies(cell: Cell, op: str) -> bool:
    """Whether an operation stands in the equations."""
    nodes = (node for each in cell.equations for _, node in walk(each.value))
    return any(isinstance(node, Apply) and node.op == op for node in nodes)
