"""Numbers that refute a law.

What float64 shows against it is only a suspect: the same step, or the whole run to it, is done again in intervals of
many digits. It counts if they lie outside what the law allows, or if an equation has no value (`0 / 0`, the logarithm
of a negative number): so neither rounding nor an overflow refutes anything. Nothing found proves nothing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import islice
from math import inf
from random import Random

from cellgen.ir import Apply, Interval, Node, Number, Path, Program, Ref, Type, Within, intervals, precise, walk
from cellgen.refute.confirm import DIGITS, UNDEFINED, UNSURE, Again, undefined
from cellgen.refute.random_runs import BATCH, DRAWS, Moment, Trial, moments, numbers, quiet
from cellgen.text import notation

TOLERANCE = 1e-6  # relative: a difference of float64 that is looked at again
SUSPECTS = 2  # places of a step that are looked at again, of a kind
MAX_AGAIN = 12  # places of all steps that are looked at again for one law
EXACT_COST = 8  # of the work that an equation takes, done in intervals

Types = Mapping[Path, Type]


# --- claims ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Refutation:
    """`what` does not agree with the law, with numbers, and `where` it was seen."""

    what: str
    where: str


@dataclass(frozen=True)
class Court:
    """Under what a law is tried, and how much may be done in intervals yet. facts: the types of what the conditions
    name."""

    trial: Trial
    facts: list[Types]
    again: Iterator[int] = field(default_factory=lambda: iter(range(MAX_AGAIN)), kw_only=True)

    def digits(self, equations: int) -> Iterator[int]:
        """How exactly so many equations are done again, for as long as that may be."""
        for digits in DIGITS if next(self.again, None) is not None else ():
            cost = equations * EXACT_COST
            if len(list(islice(self.trial.work, cost))) < cost:
                return
            yield digits

    def applies(self, again: Again, env: Mapping) -> bool:
        """Whether the conditions hold."""
        for fact, types in zip(self.trial.conditions(), self.facts):
            wanted = intervals.point(fact.value)
            if any(each != wanted for each in again.value(fact.name, ("fact",), types, env).flat):
                return False
        return True

    def rows(self, moment: Moment) -> list[bool]:
        """The samples for which the conditions hold."""
        rows = [True] * BATCH
        for fact, types in zip(self.trial.conditions(), self.facts):
            value = moment.value(fact.name, ("fact",), types)
            for row in range(BATCH):
                mine = value[row] if value.ndim and len(value) == BATCH else value
                rows[row] &= bool((abs(mine - float(fact.value)) < 0.5).all())
        return rows


@dataclass(frozen=True)
class _OfValue(Court):
    """What a law says of a value, and whether what float64 shows against it is so.

    value: what the law is about, at the path ("law",) of `types`; of an equality, the difference.
    """

    value: Node
    types: Types

    def confirmed(self, moment: Moment, found, place: int, allowed: Interval) -> str | None:
        """What is wrong there: `beyond` what is allowed, or the name of what is no number. None: nothing, for sure."""
        width = found.size // BATCH if found.ndim and len(found) == BATCH else found.size
        again = moment.exactly(place // width, self.trial.imposed(moment.instance))
        for digits in self.digits(len(again.envs) * len(self.trial.variant.live)):
            with precise(digits):
                env = again.env()
                if not self.applies(again, env):
                    return None
                value = again.value(self.value, ("law",), self.types, env).flat[place % width]
            if value is UNDEFINED:
                return undefined(env, self._comes_of())  # none: it is the law's own, which says where
            if value is not UNSURE and intervals.disjoint(value, allowed):
                return BEYOND
            if value is not UNSURE and intervals.inside(value, allowed):
                return None
        return None

    def _comes_of(self) -> list[str]:
        """What the value comes of in this step, in the equations' order."""
        program = Program(self.trial.typed, self.trial.variant)
        names = [ref.name for _, ref in walk(self.value) if isinstance(ref, Ref) and not ref.ago]
        cone = {each for name in names for each in program.cone(name)}
        refs = [ref for each in cone for ref in program.reads(each)] + [ref for _, ref in walk(self.value)]
        carried = {f"{ref.name}[t-1]" for ref in refs if isinstance(ref, Ref) and ref.ago}
        return [*sorted(carried), *(name for name in program.equations if name in cone)]

    def differ(self, here: Moment, there: Moment, found, place: int) -> bool:
        """Whether the value is not the same in both."""
        width = found.size // BATCH if found.ndim and len(found) == BATCH else found.size
        for digits in self.digits(2 * len(self.trial.variant.live)):
            values = []
            for moment in (here, there):
                again = moment.exactly(place // width, self.trial.imposed(moment.instance), alone=True)
                with precise(digits):
                    env = again.env()
                    if not self.applies(again, env):
                        return False
                    values.append(again.value(self.value, ("law",), self.types, env).flat[place % width])
            if UNSURE not in values:
                return unlike(*values)
        return False


def unlike(a, b) -> bool:
    """Whether two values of intervals, none of them `UNSURE`, are not the same."""
    return a != b if UNDEFINED in (a, b) else intervals.disjoint(a, b)


BEYOND = ""


def suspects(found, size, rows: list[bool]) -> list[int]:
    """The places of what is not finite, then of the largest sizes above zero, among the samples that count."""
    counts = [True] * found.size
    if found.ndim and len(found) == len(rows):
        counts = [row for row in rows for _ in range(found.size // len(rows))]
    elif not any(rows):
        return []
    flat, sizes = found.reshape(-1), size.reshape(-1)
    strange = [place for place in range(len(flat)) if counts[place] and not abs(flat[place]) < inf]
    large = [place for place in range(len(flat)) if counts[place] and place not in strange and sizes[place] > 0]
    return strange[:SUSPECTS] + sorted(large, key=lambda place: -sizes[place])[:SUSPECTS]


def _ordinary(moment: Moment) -> bool:
    """Whether the state that the step starts from is made of numbers."""
    return all((abs(array) < inf).all() for array in moment.state.values())


@quiet()
def refute_equal(trial: Trial, claim: Apply, types: Types, facts: list[Types]) -> Refutation | None:
    """Numbers for `a == b`; `claim` is `a - b`, at the path ("law",) of `types`."""
    court = _OfValue(trial, facts, claim, types)
    for moment in moments(trial):
        apart = moment.value(claim, ("law",), types)
        sides = [moment.value(node, ("law", index), types) for index, node in enumerate(claim.args)]
        # a side that is no smaller than the difference gives the other one
        whole = next((index for index, side in enumerate(sides) if side.shape == apart.shape), None)
        a = 0 * apart if whole is None else sides[whole] if whole == 0 else sides[whole] + apart
        b = 0 * apart if whole is None else sides[whole] if whole == 1 else sides[whole] - apart
        size = abs(apart) - TOLERANCE * (1 + abs(a) + abs(b))
        for place in suspects(apart, size, court.rows(moment)):
            wrong = court.confirmed(moment, apart, place, intervals.ZERO)
            if wrong == BEYOND:
                values = (a.flat[place], b.flat[place]) if whole is not None else None
                return Refutation(_unequal(claim.args, values, apart.flat[place]), moment.where)
            if wrong:
                return Refutation(no_number(wrong), moment.where)
    return None


def no_number(name: str) -> str:
    return f"{name} is not a number"


def _unequal(nodes: tuple[Node, ...], values: tuple[float, float] | None, difference: float) -> str:
    names = [notation(node) for node in nodes]
    if values is None:
        return f"{names[0]} and {names[1]} differ by {short(difference)}"
    if isinstance(nodes[1], Number):
        return f"{names[0]} = {short(values[0])}"
    return f"{names[0]} = {short(values[0])}, but {names[1]} = {short(values[1])}"


@quiet()
def refute_within(trial: Trial, claim: Within, types: Types, facts: list[Types]) -> Refutation | None:
    """Numbers for `value in [low, high]`, of a run from the initial state."""
    court = _OfValue(trial, facts, claim.value, types)
    for moment in moments(trial):
        found, rows = moment.value(claim.value, ("law",), types), court.rows(moment)
        low, high = (_bound(moment, end) for end in (claim.low, claim.high))
        allowed = Interval(low, high, low is None or claim.low_open, high is None or claim.high_open)
        beyond = 0 * found
        for sign, end, is_open in ((1, high, claim.high_open), (-1, low, claim.low_open)):
            if end is not None:
                apart = sign * (found - float(end))
                beyond = beyond + (1.0 + abs(apart)) * ((apart > 0) | (is_open & (apart == 0)))
        for place in suspects(found, beyond, rows):
            wrong = court.confirmed(moment, found, place, allowed)
            if wrong == BEYOND:
                return Refutation(_outside(claim.value, float(found.flat[place]), low, high), moment.where)
            if wrong:
                return Refutation(no_number(wrong), moment.where)
    return None


def _outside(node: Node, value: float, low: Fraction | None, high: Fraction | None) -> str:
    over = low is None or high is not None and value >= high
    end = high if over else low
    side = ("above" if over else "below") if value != end else "not below" if over else "not above"
    return f"{notation(node)} = {short(value)}, {side} {short(float(end))}"


def _bound(moment: Moment, node: Node | None) -> Fraction | None:
    """A number, an option or a size of the instance, or its negative."""
    match node:
        case None:
            return None
        case Apply("neg", (inner,)):
            return -_bound(moment, inner)
    return moment.instance.settings.exactly(node)


@quiet()
def refute_free(trial: Trial, value: Node, of: Ref, types: Types, facts: list[Types]) -> Refutation | None:
    """Two steps that differ in a carried state, an input or a weight only."""
    rng = Random(DRAWS)
    court = _OfValue(trial, facts, value, types)
    for moment in filter(_ordinary, moments(trial)):
        held = "state" if of.ago else "inputs" if of.name in moment.inputs else "weights"
        old = moment.env[f"{of.name}[t-1]" if of.ago else of.name]
        binary = trial.typed.cell.state(of.name).binary if of.ago else trial.variant.names[of.name].binary
        new = 1 - old if binary else old + numbers(rng, old.shape, 1.0)
        other = moment.again(trial, **{held: {**getattr(moment, held), of.name: new}})
        both = court.rows(moment), court.rows(other)
        a, b = (each.value(value, ("law",), types) for each in (moment, other))
        rows = [here and there for here, there in zip(*both)]
        size = abs(a - b) - TOLERANCE * (1 + abs(a))
        for place in suspects(a, size, rows):
            if court.differ(moment, other, a, place):
                here, there = a.flat[place], b.flat[place]
                what = f"{notation(value)} goes from {short(here)} to {short(there)}"
                return Refutation(f"{what} when {notation(of)} alone is changed", moment.where)
    return None


def short(value: float) -> str:
    return f"{value:.4g}"
