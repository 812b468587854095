"""Steps of random runs of the interpreter, under a law's conditions and interventions.

They are the same every time: DRAWS instances of a variant with small sizes and random weights of growing scale, each
run from the initial state for STEPS steps on a batch of BATCH random sequences; then one at each corner of its options'
ranges, for CORNER_STEPS steps; where there are more than MAX_CORNERS, at so many. What a law's facts set, they set
in the step that is looked at. All laws of a cell share the work that may be done.
"""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import cycle, islice
from math import prod
from random import Random

from cellgen.interpret import Instance
from cellgen.ir import (
    IDENTITY,
    NEIGHBOURS,
    TRAINING,
    Cell,
    Fact,
    Node,
    Option,
    Path,
    Pick,
    Ref,
    Said,
    Type,
    TypedCell,
    TypedVariant,
    multiples,
)
from cellgen.refute.confirm import Again, settled

DRAWS = 4
STEPS = 6
CORNER_STEPS = 3
MAX_CORNERS = 16
BATCH = 16
SCALES = (1.0, 3.0, 0.3, 10.0)  # of the weights, a draw each
CORNER_SCALE = 3.0

Types = Mapping[Path, Type]


@contextmanager
def quiet() -> Iterator[None]:
    """Without warnings of overflows and the like."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        yield


@dataclass(frozen=True)
class Trial:
    """What a law is tried under: its facts, and what it chooses of activations.

    A step takes from `work` as many as it has equations.
    """

    typed: TypedCell
    variant: TypedVariant
    work: Iterator[int]
    facts: tuple[Fact, ...] = ()
    activations: Mapping[str, str] = field(default_factory=dict)
    said: Mapping[Node, Said] = field(default_factory=dict)  # the expressions that names are set to

    def options(self) -> dict[str, float]:
        numeric = {option.name for option in self.typed.cell.options}
        names = {fact.name.name: fact for fact in self.facts if isinstance(fact.name, Ref)}
        return {name: float(fact.value) for name, fact in names.items() if name in numeric}

    def conditions(self) -> list[Fact]:
        return [fact for fact in self.facts if self.is_condition(fact)]

    def imposed(self, instance: Instance) -> dict[Node, float | list | Said]:
        options, found = self.options(), {}
        for fact in self.facts:
            set_option = isinstance(fact.name, Ref) and fact.name.name in options
            if fact.name in self.said:
                found[fact.name] = self.said[fact.name]
            elif fact.value == IDENTITY:
                rows, columns = map(range, instance.weights[fact.name.name])
                found[fact.name] = [[float(row == column) for column in columns] for row in rows]
            elif not self.is_condition(fact) and not set_option:
                found[fact.name] = float(fact.value)
        return found

    def is_condition(self, fact: Fact) -> bool:
        """A fact on what is 0 or 1 is one."""
        base = fact.name.value if isinstance(fact.name, Pick) else fact.name
        return self.variant.names[base.name].binary


@dataclass(frozen=True)
class Moment:
    """One step of a run: `env` is what the interpreter makes of it under the interventions."""

    instance: Instance
    weights: Mapping
    inputs: Mapping
    state: Mapping
    env: Mapping
    training: bool
    where: str
    before: tuple[Mapping, ...]  # the values of the steps before it

    @quiet()
    def value(self, node: Node, path: Path, types: Types):
        return self.instance.value(node, path, self.env, types, self.training)

    def again(self, trial: Trial, **changed: Mapping) -> "Moment":
        """The same step with other weights, inputs or states."""
        given = {"weights": self.weights, "inputs": self.inputs, "state": self.state} | changed
        env = _step(trial.imposed(self.instance), self.instance, *given.values(), self.training)
        return replace(self, env=env, before=(), **given)

    def exactly(self, row: int, imposed: Mapping, alone: bool = False) -> Again:
        """One sample of the run up to it in intervals; or of this step alone, from the state as it is here."""
        before = () if alone else self.before
        return Again(self.instance, self.training, (*before, self.env), row, alone, imposed)


def _step(impose: Mapping, instance: Instance, weights, inputs, state, training: bool) -> Mapping:
    """The values of one step under interventions."""

    def evaluate(known: Mapping) -> Mapping:
        return instance.evaluate(weights, inputs, state, training, impose=known)

    def value(node: Node, path: Path, types: Types, env: Mapping):
        return instance.value(node, path, env, types, training)

    return settled(impose, evaluate, value)


def moments(trial: Trial) -> Iterator[Moment]:
    """Steps of random runs, each under the interventions; the next goes on from what is without them."""
    cell, variant = trial.typed.cell, trial.variant
    training = bool(variant.variant.get(TRAINING, False))
    ordinary = [({}, STEPS)] * DRAWS
    for draw, (corner, steps) in enumerate([*ordinary, *((each, CORNER_STEPS) for each in corners(cell))]):
        rng = Random(draw)
        options = given(cell, variant, {**corner, **trial.options()}, rng, draw)
        instance = Instance(trial.typed, {**options, **trial.activations})
        scale = SCALES[draw] if draw < DRAWS else CORNER_SCALE
        weights = {name: numbers(rng, shape, scale) for name, shape in instance.weights.items()}
        state = instance.initial_state(weights, BATCH)._asdict()
        chosen = {name: value for name, value in instance.settings.options.items() if isinstance(value, float)}
        sizes = ", ".join(f"{name}={value:.4g}" for name, value in {**instance.settings.sizes, **chosen}.items())
        before: tuple[Mapping, ...] = ()
        imposed = trial.imposed(instance)
        for step in range(steps):
            cost = len(variant.live)
            if len(list(islice(trial.work, cost))) < cost:
                return
            inputs = {
                port.name: numbers(rng, (BATCH, *instance.settings.shape(port.shape)), 1.0, port.binary)
                for port in cell.inputs
                if instance.settings.connected(port)
            }
            for noise in cell.noises:
                if noise.name in variant.names:
                    shape = instance.settings.shape(variant.names[noise.name].shape)
                    batch = (BATCH,) if variant.names[noise.name].level.has_batch else ()
                    rate = float(instance.settings.exactly(noise.rate))
                    inputs[noise.name] = drawn(rng, (*batch, *shape), noise.kind, rate)
            plain = instance.evaluate(weights, inputs, state, training)
            env = _step(imposed, instance, weights, inputs, state, training) if imposed else plain
            where = f"step {step + 1} of a run with {sizes}"
            yield Moment(instance, weights, inputs, state, env, training, where, before)
            before = (*before, plain)
            state = {name: 0 * state[name] + plain[name] for name in state}


def given(cell: Cell, variant: TypedVariant, options: Mapping[str, float], rng: Random, draw: int) -> dict:
    """What the constructor of an instance of this variant is given.

    Sizes are small; the whole of a quotient is twice or more its divisor, which is 2.
    """
    chosen: dict = {port.name: True for port in cell.inputs if port.optional and variant.variant.get(port.name)}
    sizes, many = cycle((3, 4, 5, 2, 6, 7)), multiples(cell.dims)
    divisors = {dim.divisor for dim in cell.dims if dim.kind == "quotient"}
    used = {atom for port in cell.inputs if port.name in chosen for axis in port.shape for atom in axis}
    for dim in cell.dims:
        if dim.kind in ("inferred", "required", "number") or variant.variant.get(dim.name) or dim.name in used:
            chosen[dim.name] = 2 if dim.name in divisors else next(sizes) * many[dim.name]
    chosen |= {name: variant.variant[name] for name in NEIGHBOURS if name in variant.variant}
    epsilons = {norm.epsilon.name for norm in cell.norms if isinstance(norm.epsilon, Ref)}
    for option in cell.options:
        if option.kind in ("flag", "word") and option.name in variant.variant:
            chosen[option.name] = variant.variant[option.name]
        elif option.kind == "maybe" and not variant.variant.get(option.name):
            chosen[option.name] = None
        elif option.kind in ("number", "maybe", "scheduled"):
            value = options[option.name] if option.name in options else _drawn(option, rng, draw)
            chosen[option.name] = abs(value) if option.name in epsilons else value  # a layer refuses others
    return chosen


def corners(cell: Cell) -> list[dict[str, float]]:
    """Every way to take an end of the range of each numeric option that has one; of many ways some."""
    ends = {
        option.name: [float(end) for end in (option.low, option.high) if end is not None] for option in cell.options
    }
    ends = {name: each for name, each in ends.items() if each}
    many = prod(len(each) for each in ends.values())
    places = range(many) if many <= MAX_CORNERS else Random(0).sample(range(many), MAX_CORNERS)
    return [_corner(ends, place) for place in places] if ends else []


def _corner(ends: Mapping[str, list[float]], place: int) -> dict[str, float]:
    found = {}
    for name, each in ends.items():
        place, index = divmod(place, len(each))
        found[name] = each[index]
    return found


def _drawn(option: Option, rng: Random, draw: int) -> float:
    """A numeric option that no fact sets: its default, a number like it, any number of its range."""
    if option.default is not None and draw < 2:
        factor = rng.uniform(0.5, 1.0) if draw else 1.0
        unbounded = option.low is None and option.high is None
        return float(option.default) * factor if unbounded else float(option.default)
    if option.low is None:
        low, high = (-2.0, 2.0) if option.high is None else (float(option.high) - 4.0, float(option.high))
    else:
        low, high = float(option.low), float(option.low) + 4.0 if option.high is None else float(option.high)
    return rng.uniform(low, high)


def numbers(rng: Random, shape: tuple[int, ...], scale: float, binary: bool = False):
    """A nested list of random numbers."""
    if not shape:
        return float(rng.random() < 0.5) if binary else scale * rng.gauss(0, 1)
    return [numbers(rng, shape[1:], scale, binary) for _ in range(shape[0])]


def drawn(rng: Random, shape: tuple[int, ...], kind: str, rate: float):
    """A nested list of what dropout multiplies by, or of what zoneout leaves. Of a rate between, one half is dropped
    or left, so that both are seen.
    """
    if shape:
        return [drawn(rng, shape[1:], kind, rate) for _ in range(shape[0])]
    dropped = rng.random() < (rate if rate in (0, 1) else 0.5)
    return float(dropped) if kind == "zone" else 0.0 if dropped else 1 / (1 - rate)
