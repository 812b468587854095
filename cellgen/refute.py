"""Numbers that refute a law: runs of the interpreter under the law's own conditions and interventions.

The search is the same every time: DRAWS instances of a variant with small sizes and random weights of growing scale,
each run from the initial state for STEPS steps on a batch of BATCH random sequences. What a law's facts set, they set
in the step that is looked at. Nothing found proves nothing.
All laws of a cell share the work that may be done: when it is, nothing more is found.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import cycle, islice
from math import inf, isfinite
from random import Random

from cellgen.cell import NEIGHBOURS, Cell, Fact, Option, Type, TypedCell, TypedVariant, Within
from cellgen.expr import TRAINING, Apply, Node, Number, Path, Pick, Ref
from cellgen.interpret import Instance
from cellgen.notation import notation
from cellgen.sizes import multiples

DRAWS = 4
STEPS = 6
BATCH = 16
SCALES = (1.0, 3.0, 0.3, 10.0)  # of the weights, a draw each
TOLERANCE = 1e-6  # relative; float64 is good to 1e-12 here

Types = Mapping[Path, Type]


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

    def options(self) -> dict[str, float]:
        numeric = {option.name for option in self.typed.cell.options}
        names = {fact.name.name: fact for fact in self.facts if isinstance(fact.name, Ref)}
        return {name: float(fact.value) for name, fact in names.items() if name in numeric}

    def conditions(self) -> list[Fact]:
        return [fact for fact in self.facts if self.is_condition(fact)]

    def imposed(self) -> dict[Node, float]:
        options = self.options()
        return {
            fact.name: float(fact.value)
            for fact in self.facts
            if not self.is_condition(fact) and not (isinstance(fact.name, Ref) and fact.name.name in options)
        }

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

    def value(self, node: Node, path: Path, types: Types):
        return _quietly(self.instance.value, node, path, self.env, types, self.training)

    def again(self, state: Mapping, imposed: Mapping[Node, float]) -> "Moment":
        """The same step from another state."""
        env = _quietly(self.instance.evaluate, self.weights, self.inputs, state, self.training, impose=imposed)
        return Moment(self.instance, self.weights, self.inputs, state, env, self.training, self.where)


def moments(trial: Trial) -> Iterator[Moment]:
    """Steps of random runs, each under the interventions; the next goes on from what is without them."""
    cell, variant, imposed = trial.typed.cell, trial.variant, trial.imposed()
    training = bool(variant.variant.get(TRAINING, False))
    for draw in range(DRAWS):
        rng = Random(draw)
        instance = Instance(trial.typed, {**given(cell, variant, trial.options(), rng, draw), **trial.activations})
        weights = {name: numbers(rng, shape, SCALES[draw]) for name, shape in instance.weights.items()}
        state = instance.initial_state(weights, BATCH)._asdict()
        chosen = {name: value for name, value in instance.settings.options.items() if isinstance(value, float)}
        sizes = ", ".join(f"{name}={value:.4g}" for name, value in {**instance.settings.sizes, **chosen}.items())
        for step in range(STEPS):
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
                    rate = noise.rate.value if isinstance(noise.rate, Number) else chosen[noise.rate.name]
                    inputs[noise.name] = drawn(rng, (*batch, *shape), noise.kind, rate)
            plain = _quietly(instance.evaluate, weights, inputs, state, training)
            env = _quietly(instance.evaluate, weights, inputs, state, training, impose=imposed) if imposed else plain
            yield Moment(instance, weights, inputs, state, env, training, f"step {step + 1} of a run with {sizes}")
            state = {name: 0 * state[name] + plain[name] for name in state}


def _quietly(function: Callable, *args, **kwargs):
    """Without warnings of overflows: what is not finite is no evidence."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return function(*args, **kwargs)


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
    for option in cell.options:
        if option.kind in ("flag", "word") and option.name in variant.variant:
            chosen[option.name] = variant.variant[option.name]
        elif option.kind == "maybe" and not variant.variant.get(option.name):
            chosen[option.name] = None
        elif option.kind in ("number", "maybe", "scheduled"):
            chosen[option.name] = options[option.name] if option.name in options else _drawn(option, rng, draw)
    return chosen


def _drawn(option: Option, rng: Random, draw: int) -> float:
    """A numeric option that no fact sets: its default, a number like it, then any of its range."""
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
    """A nested list of what dropout multiplies by, or of what zoneout leaves as it was; one half, of a rate between."""
    if shape:
        return [drawn(rng, shape[1:], kind, rate) for _ in range(shape[0])]
    dropped = rng.random() < (rate if rate in (0, 1) else 0.5)
    return float(dropped) if kind == "zone" else 0.0 if dropped else 1.0 + (rate > 0)


# --- claims ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Refutation:
    """`what` does not agree with the law, with numbers, and `where` it was seen."""

    what: str
    where: str


def refute_equal(trial: Trial, claim: Apply, types: Types, facts: list[Types]) -> Refutation | None:
    """Numbers for `a == b`; `claim` is `a - b`, at the path ("law",) of `types`."""
    for moment in moments(trial):
        apart = moment.value(claim, ("law",), types)
        sides = [moment.value(node, ("law", index), types) for index, node in enumerate(claim.args)]
        place = worst(abs(apart), _rows(trial, moment, facts))
        if place is None:
            continue
        # a side that is no smaller than the difference gives the other one
        whole = next((index for index, side in enumerate(sides) if side.shape == apart.shape), None)
        difference = apart.flat[place]
        if whole is None:
            a, b = difference, 0.0
        else:
            known = sides[whole].flat[place]
            a, b = (known, known - difference) if whole == 0 else (known + difference, known)
        if abs(difference) > TOLERANCE * (1 + abs(a) + abs(b)):
            return Refutation(_unequal(claim.args, (a, b) if whole is not None else None, difference), moment.where)
    return None


def _unequal(nodes: tuple[Node, ...], values: tuple[float, float] | None, difference: float) -> str:
    names = [notation(node) for node in nodes]
    if values is None:
        return f"{names[0]} and {names[1]} differ by {short(difference)}"
    if isinstance(nodes[1], Number):
        return f"{names[0]} = {short(values[0])}"
    return f"{names[0]} = {short(values[0])}, but {names[1]} = {short(values[1])}"


def refute_within(trial: Trial, claim: Within, types: Types, facts: list[Types]) -> Refutation | None:
    """Numbers for `value in [low, high]`; the ends count as in it."""
    for moment in moments(trial):
        found, rows = moment.value(claim.value, ("law",), types), _rows(trial, moment, facts)
        low, high = (_bound(moment, end) for end in (claim.low, claim.high))
        for sign, end in ((1, high), (-1, low)):
            place = worst(sign * found, rows) if end is not None else None
            if place is not None and sign * (found.flat[place] - end) > TOLERANCE * (1 + abs(end)):
                side = "above" if sign > 0 else "below"
                what = f"{notation(claim.value)} = {short(found.flat[place])}, {side} {short(end)}"
                return Refutation(what, moment.where)
    return None


def _bound(moment: Moment, node: Node | None) -> float | None:
    """A number, an option of the instance or its negative."""
    match node:
        case None:
            return None
        case Apply("neg", (inner,)):
            return -_bound(moment, inner)
        case Ref(name):
            return float(moment.instance.settings.options[name])
    return float(node.value)


def refute_free(trial: Trial, value: Node, of: Ref, types: Types, facts: list[Types]) -> Refutation | None:
    """Two steps that differ in a carried state only."""
    rng = Random(DRAWS)
    for moment in moments(trial):
        old = moment.state[of.name]
        new = 1 - old if trial.typed.cell.state(of.name).binary else old + numbers(rng, old.shape, 1.0)
        other = moment.again({**moment.state, of.name: new}, trial.imposed())
        both = _rows(trial, moment, facts), _rows(trial, other, facts)
        a, b = (each.value(value, ("law",), types) for each in (moment, other))
        place = worst(abs(a - b), [here and there for here, there in zip(*both)])
        here, there = (each.flat[place or 0] for each in (a, b))
        if place is not None and abs(here - there) > TOLERANCE * (1 + abs(here)):
            what = f"{notation(value)} goes from {short(here)} to {short(there)}"
            return Refutation(f"{what} when {notation(of)} alone is changed", moment.where)
    return None


def _rows(trial: Trial, moment: Moment, fact_types: list[Types]) -> list[bool]:
    """The samples for which the conditions hold."""
    rows = [True] * BATCH
    for fact, types in zip(trial.conditions(), fact_types):
        value = moment.value(fact.name, ("fact",), types)
        for row in range(BATCH):
            mine = value[row] if value.ndim and len(value) == BATCH else value
            rows[row] &= bool((abs(mine - float(fact.value)) < 0.5).all())
    return rows


def worst(found, rows: list[bool]) -> int | None:
    """The place of the largest finite number among the samples that count."""
    flat = found.reshape(-1) + 0.0
    flat[~(flat < inf)] = -inf
    if found.ndim and len(found) == len(rows):
        width = len(flat) // len(rows)
        for row, counts in enumerate(rows):
            if not counts:
                flat[row * width : (row + 1) * width] = -inf
    place = int(flat.argmax())
    return place if any(rows) and isfinite(flat[place]) else None


def short(value: float) -> str:
    return f"{value:.4g}"
