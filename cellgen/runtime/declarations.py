"""What a generated file declares of its cell: the functions of a step, inputs and states, what a masked step does."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import tensorflow as tf

from cellgen.runtime.constructors import parameters
from cellgen.runtime.noise import Draw

keras = tf.keras


def own_name(name: str) -> str:
    """The name in its layer: `W`, of `layer2/W`."""
    return name.rpartition("/")[2]


@dataclass(frozen=True)
class Port:
    """An input of a step. rank: its axes, of one sample. optional: there may be none. fill: the number that it is where
    it is not given; index: it is the number of the step there. constant: one value for all steps.
    """

    rank: int = 1
    optional: bool = False
    fill: Any = None
    index: bool = False
    constant: bool = False


@dataclass(frozen=True, eq=False, kw_only=True)
class Equations:
    """What one cell computes: what runs in each step, and the derivative of it.

    Inputs, weights and what is kept go by name.

    step(state=, training=, **inputs, **arguments) -> output, state, and what is told of it: for `unrolled`.
    once(**xs, **arguments) -> what reads weights, options and sizes alone, by name; None: nothing does.
    before(**inputs, **arguments) -> what reads no state, by name, of steps and batch in one axis; None: nothing does.
    forward(state, **values) -> output, state, and what the way back reads, by name.
    backward(d_output, d_state, **values) -> the derivatives by the state before, and what `after` reads, by name.
    after(**values) -> the derivatives by inputs and by weights, by name, of steps and batch in one axis.
    differentiated(**arguments) -> the names of the weights that are.

    transposed: names of weights with their axes swapped, which `backward` and `after` read, and of which they are.
    state, gates: the named tuples of a state, and of what is told of a step. ports: the inputs, the first first.
    initial: of a state that is not zero at first the number, or the name of the weight.
    mask: what a masked step does: "hold" its state, "reset" some states, or None: there is no rule. draws: what
    training draws. asks_training: whether the equations ask for it otherwise. wide: whether a step is computed in
    float32 where what comes is narrower.
    parts: the states that can be found for all steps at once, all of them or none: what comes of each other together,
    in order, with how: "scan", affine in these; "newton", lane by lane; "follows", of parts before and inputs.
    rows: how many rows of a state a chunk has, about; steps, batch: from how many steps on XLA pays, and to which
    batch, 0: never; share: the fewest samples that XLA scans by themselves; likely: the batch that one of unknown size
    is taken for. fused: how it is what cuDNN runs; None: it is not.
    """

    step: Callable
    forward: Callable
    backward: Callable
    after: Callable
    differentiated: Callable
    state: Any
    once: Any = None
    before: Any = None
    gates: Any = None
    transposed: Mapping[str, str] = field(default_factory=dict)
    ports: Mapping[str, Port] = field(default_factory=lambda: {"x": Port()})
    draws: Mapping[str, Draw] = field(default_factory=dict)
    initial: Mapping[str, float | str] = field(default_factory=dict)
    mask: str | None = None
    reset: tuple[str, ...] = ()
    asks_training: bool = False
    wide: bool = False
    parts: Mapping[str, str] = field(default_factory=dict)
    rows: int = 512
    batch: int = 512
    steps: int = 64
    share: int = 8
    likely: int = 32
    fused: Any = None

    # --- what follows from what is declared

    @functools.cached_property
    def input(self) -> str:
        """The first input, which there always is."""
        return next(iter(self.ports))

    @property
    def rank(self) -> int:
        return self.ports[self.input].rank

    @property
    def many(self) -> bool:
        """Whether a step takes more than one input."""
        return len(self.ports) > 1

    @functools.cached_property
    def constants(self) -> tuple[str, ...]:
        """Inputs that hold for all steps."""
        return tuple(name for name, port in self.ports.items() if port.constant)

    @functools.cached_property
    def held(self) -> tuple[str, ...]:
        """What has one value for all steps: those, and what is drawn for all, but of weights."""
        return (*self.constants, *(name for name in self.noises if self.draws[name].held))

    @functools.cached_property
    def noises(self) -> tuple[str, ...]:
        """What training draws, but of weights."""
        return tuple(name for name, each in self.draws.items() if not each.of_weight)

    @functools.cached_property
    def asks_for_training(self) -> bool:
        return "training" in parameters(self.step)

    @functools.cached_property
    def asks(self) -> tuple[str, ...]:
        """What any of its functions takes, by name."""
        functions = (self.step, self.once, self.before, self.forward, self.backward, self.after, self.differentiated)
        names = (name for each in functions if each is not None for name in parameters(each))
        return tuple(dict.fromkeys([*names, *self.transposed.values()]))

    @property
    def states(self) -> int:
        """How many states there are."""
        return len(self.state._fields)

    @property
    def holds_output(self) -> bool:
        """Whether the output of a masked step that holds is held as the state is: else it is read from the state."""
        return True

    def resets(self, at: int) -> bool:
        """Whether a masked step resets the state in this place."""
        return self.mask == "reset" and self.state._fields[at % self.states] in self.reset

    def pack(self, values):
        """A state, of its values in order."""
        return self.state(*values)

    def carry(self, named):
        """A state as the scan carries it, from one with its names."""
        return named

    def reads(self, function: Callable) -> tuple[str, ...]:
        return parameters(function)

    def drops_weight(self, name: str) -> bool:
        """Whether this is drawn of a weight."""
        own = own_name(name)
        return own in self.draws and self.draws[own].of_weight

    # --- the functions of a step, as the scan calls them

    def run_step(self, *, state, **values):
        """A step -> its output, the state after it, and what is told of it."""
        return self.step(state=state, **values)

    def run_once(self, **arguments):
        return {} if self.once is None else self.once(**arguments)

    def run_before(self, **values):
        return {} if self.before is None else self.before(**values)

    def run_forward(self, state, **values):
        return self.forward(state, **values)

    def run_backward(self, d_output, d_state, **values):
        return self.backward(d_output, d_state, **values)

    def run_after(self, **values):
        return self.after(**values)

    def turned(self, **arguments):
        """Weights with their axes swapped: once, since every step back multiplies by them."""
        found = {name: arguments.get(weight) for name, weight in self.transposed.items()}
        return {name: None if weight is None else tf.transpose(weight) for name, weight in found.items()}

    def weights(self, **arguments) -> list[str]:
        """The names of the weights that are differentiated."""
        return self.differentiated(**arguments)
