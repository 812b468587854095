"""Numbers that refute a law: runs of the interpreter under the law's own conditions and interventions.

The search is the same every time: DRAWS instances of a variant with small sizes and random weights of growing scale,
each run for STEPS steps on a batch of BATCH random sequences, from the initial state. Nothing found proves nothing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import inf, isfinite
from random import Random

from cellgen.cell import Cell, Fact, Type, TypedCell, TypedVariant
from cellgen.expr import TRAINING, Apply, Node, Number, Path, Pick, Ref
from cellgen.interpret import Instance
from cellgen.notation import notation
from cellgen.ops import Interval
from cellgen.ranges import interval_text

DRAWS = 4
STEPS = 6
BATCH = 16
SCALES = (1.0, 3.0, 0.3, 10.0)  # of the weights, a draw each
TOLERANCE = 1e-6  # relative; float64 is good to 1e-12 here

Types = Mapping[Path, Type]


@dataclass(frozen=True)
class Trial:
    """What a law is tried under: its facts, and what it chooses of activations."""

    typed: TypedCell
    variant: TypedVariant
    facts: tuple[Fact, ...] = ()
    activations: Mapping[str, str] = field(default_factory=dict)

    def options(self) -> dict[str, float]:
        numeric = {option.name for option in self.typed.cell.options}
        return {fact.name.name: float(fact.value) for fact in self.facts if isinstance(fact.name, Ref) and fact.name.name in numeric}

    def conditions(self) -> list[Fact]:
        return [fact for fact in self.facts if self.is_condition(fact)]

    def imposed(self) -> dict[Node, float]:
        options = self.options()
        return {fact.name: float(fact.value) for fact in self.facts
                if not self.is_condition(fact) and not (isinstance(fact.name, Ref) and fact.name.name in options)}

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
        return self.instance.value(node, path, self.env, types, self.training)

    def again(self, state: Mapping, imposed: Mapping[Node, float]) -> "Moment":
        """The same step from another state."""
        env = self.instance.evaluate(self.weights, self.inputs, state, self.training, impose=imposed)
        return Moment(self.instance, self.weights, self.inputs, state, env, self.training, self.where)


def moments(trial: Trial, throughout: bool = False) -> Iterator[Moment]:
    """Steps of random runs from the initial state; `throughout`: the interventions hold at every step of a run."""
    cell, variant, imposed = trial.typed.cell, trial.variant, trial.imposed()
    training = bool(variant.variant.get(TRAINING, False))
    for draw in range(DRAWS):
        rng = Random(draw)
        instance = Instance(trial.typed, {**given(cell, variant, trial.options(), rng, draw), **trial.activations})
        weights = {name: numbers(rng, shape, SCALES[draw]) for name, shape in instance.weights.items()}
        state = instance.initial_state(weights, BATCH)._asdict()
        sizes = ", ".join(f"{name}={size}" for name, size in instance.settings.sizes.items())
        for step in range(STEPS):
            inputs = {
                port.name: numbers(rng, (BATCH, *instance.settings.shape(port.shape)), 1.0, port.binary)
                for port in cell.inputs if not port.optional or instance.settings.connected(port)
            }
            plain = instance.evaluate(weights, inputs, state, training)
            env = instance.evaluate(weights, inputs, state, training, impose=imposed) if imposed else plain
            yield Moment(instance, weights, inputs, state, env, training, f"step {step + 1} of a run with {sizes}")
            carried = env if throughout else plain
            state = {name: 0 * state[name] + carried[name] for name in state}


def given(cell: Cell, variant: TypedVariant, options: Mapping[str, float], rng: Random, draw: int) -> dict:
    """What the constructor of an instance of this variant is given: small sizes, numeric options at random but once."""
    out: dict = {}
    sizes = iter((3, 4, 5, 2, 6, 7, 8, 9) * len(cell.dims))
    wholes = {dim.value: dim.divisor for dim in cell.dims if dim.kind == "quotient"}
    divisors = {name: 2 for name in wholes.values() if isinstance(name, str)}
    for dim in cell.dims:
        there = dim.kind in ("inferred", "required", "number") or dim.kind in ("alias", "optional") and variant.variant.get(dim.name)
        ports = [port for port in cell.inputs if port.optional and any(dim.name in axis for axis in port.shape)]
        if there or dim.kind == "optional" and any(variant.variant.get(port.name) for port in ports):
            divisor = wholes.get(dim.name, 1)
            out[dim.name] = divisors.get(dim.name) or next(sizes) * (divisor if isinstance(divisor, int) else 2)
    for option in cell.options:
        if option.kind in ("flag", "word") and option.name in variant.variant:
            out[option.name] = variant.variant[option.name]
        elif option.kind in ("number", "scheduled") or option.kind == "maybe" and variant.variant.get(option.name):
            known = options.get(option.name, None if draw else option.default)
            low = -2.0 if option.low is None else float(option.low)
            high = low + 4.0 if option.high is None else float(option.high)
            out[option.name] = float(known) if known is not None else rng.uniform(low, high)
    for port in cell.inputs:
        if port.optional:
            out[port.name] = bool(variant.variant.get(port.name))
    return {name: value for name, value in out.items() if value is not False or name not in {port.name for port in cell.inputs}}


def numbers(rng: Random, shape: tuple[int, ...], scale: float, binary: bool = False):
    """A nested list of random numbers."""
    if not shape:
        return float(rng.random() < 0.5) if binary else scale * rng.gauss(0, 1)
    return [numbers(rng, shape[1:], scale, binary) for _ in range(shape[0])]


# --- claims ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Refutation:
    """`what` does not agree with the law, with numbers, and `where` it was seen."""

    what: str
    where: str


def refute_equal(trial: Trial, claim: Apply, types: Types, facts: list[Types]) -> Refutation | None:
    """Numbers for `a == b`; `claim` is `a - b`, at the path ("law",) of `types`."""
    a, b = claim.args
    for moment in moments(trial):
        apart = moment.value(claim, ("law",), types)
        left, right = moment.value(a, ("law", 0), types), moment.value(b, ("law", 1), types)
        worst = _worst(abs(apart), _rows(trial, moment, facts))
        if worst and worst[0] > TOLERANCE * (1 + abs(left).max() + abs(right).max()):
            difference = apart.flat[worst[1]]
            if left.shape == apart.shape:
                sides = left.flat[worst[1]], left.flat[worst[1]] - difference
            elif right.shape == apart.shape:
                sides = right.flat[worst[1]] + difference, right.flat[worst[1]]
            else:
                return Refutation(f"{notation(a)} and {notation(b)} differ by {_short(difference)}", moment.where)
            said = [_short(side) if isinstance(node, Number) else f"{notation(node)} = {_short(side)}" for node, side in zip((a, b), sides)]
            return Refutation(" and not ".join(said) if isinstance(b, Number) else ", but ".join(said), moment.where)
    return None


def refute_within(trial: Trial, value: Node, interval: Interval, types: Types, facts: list[Types]) -> Refutation | None:
    """Numbers for `value in interval`; its ends count as in it."""
    for moment in moments(trial, throughout=True):
        found, rows = moment.value(value, ("law",), types), _rows(trial, moment, facts)
        for sign, end in ((1, interval.high), (-1, interval.low)):
            worst = _worst(sign * found, rows) if end is not None else None
            if worst and worst[0] - sign * float(end) > TOLERANCE * (1 + abs(float(end))):
                return Refutation(f"{notation(value)} = {_short(sign * worst[0])}, outside {interval_text(interval)}", moment.where)
    return None


def refute_free(trial: Trial, value: Node, of: Ref, types: Types, facts: list[Types]) -> Refutation | None:
    """Two steps that differ in a carried state only."""
    rng = Random(DRAWS)
    for moment in moments(trial):
        old = moment.state[of.name]
        new = 1 - old if trial.typed.cell.state(of.name).binary else old + numbers(rng, old.shape, 1.0)
        other = moment.again({**moment.state, of.name: new}, trial.imposed())
        both = _rows(trial, moment, facts), _rows(trial, other, facts)
        a, b = (each.value(value, ("law",), types) for each in (moment, other))
        worst = _worst(abs(a - b), [here and there for here, there in zip(*both)])
        if worst and worst[0] > TOLERANCE * (1 + abs(a).max()):
            here, there = (_short(each.flat[worst[1]]) for each in (a, b))
            return Refutation(f"{notation(value)} goes from {here} to {there} when {notation(of)} alone is changed", moment.where)
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


def _worst(found, rows: list[bool]) -> tuple[float, int] | None:
    """The largest number among the samples that count, and its place."""
    batched = bool(found.ndim) and len(found) == len(rows)
    if not any(rows) or not found.size:
        return None
    found = found.copy()
    if batched:
        found[[not row for row in rows]] = -inf
    place = int(found.argmax())
    worst = float(found.flat[place])
    return (worst, place) if isfinite(worst) else None


def _short(value: float) -> str:
    return f"{value:.4g}"


# --- another cell ---------------------------------------------------------------------------------------------------


def refute_reduces(trial: Trial, other: TypedCell, variant: TypedVariant, pairs: Mapping[str, str]) -> Refutation | None:
    """A step from which the other cell goes on otherwise; `pairs` gives its names in ours. Both have one labelled axis at most."""
    cell = other.cell
    for moment in moments(trial):
        mine = moment.instance
        options = {name: mine.settings.options[pairs.get(name, name)] for name in (option.name for option in cell.options)
                   if pairs.get(name, name) in mine.settings.options}
        sizes = {dim.name: mine.settings.sizes[pairs.get(dim.name, dim.name)] for dim in cell.dims
                 if dim.kind != "quotient" and pairs.get(dim.name, dim.name) in mine.settings.sizes}
        theirs = Instance(other, {**sizes, **options})
        env = {**moment.env, **{f"{name}[t-1]": value for name, value in moment.state.items()}}
        weights = {name: _weight(moment, theirs, variant, name, pairs) for name in theirs.weights}
        inputs = {port.name: env[pairs.get(port.name, port.name)] for port in cell.inputs if pairs.get(port.name, port.name) in env}
        state = {each.name: env[f"{pairs.get(each.name, each.name)}[t-1]"] for each in cell.states}
        found = theirs.evaluate(weights, inputs, state, moment.training)
        for name in dict.fromkeys((*(each.name for each in cell.states), cell.output)):
            our_name = pairs.get(name, name) if name in state else trial.typed.cell.output
            worst = _worst(abs(found[name] - env[our_name]), [True] * BATCH)
            if worst and worst[0] > TOLERANCE * (1 + abs(found[name]).max()):
                mine, its = (_short(each.flat[worst[1]]) for each in (env[our_name], found[name]))
                return Refutation(f"{our_name} = {mine}, but {its} in {cell.name}", moment.where)
    return None


def _weight(moment: Moment, theirs: Instance, variant: TypedVariant, name: str, pairs: Mapping[str, str]):
    """The other cell's weight, its labels' parts filled with those of ours."""
    ours = moment.env[pairs.get(name, name)]
    axes = [axis for axis in theirs.cell.axes if any(axis.name in each for each in variant.names[name].shape)]
    out = 0 * ours
    for label in axes[0].labels if axes else ():
        there, here = (each._scope(BATCH, moment.training) for each in (theirs, moment.instance))
        mine = here.part(ours, here.variant.names[pairs.get(name, name)], pairs.get(label, label))
        there.part(out, variant.names[name], label)[...] = mine
    return out if axes else ours
