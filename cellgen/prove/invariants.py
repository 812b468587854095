"""The ranges that states keep to from step to step."""

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction

from cellgen.ir import DIGITS, REAL, Cell, Interval, Number, Ref, intervals
from cellgen.prove.enclose import Enclosure
from cellgen.prove.meaning import Meaning
from cellgen.prove.symbols import Expr, Table

MAX_ROUNDS = 40
FREE = 3  # rounds in which a bound may move as it will
NARROWINGS = 2

# Where a bound that keeps moving is tried next, outwards; at last there is none.
_STOPS = tuple((Fraction(value), is_open) for value in (-6, -1, 0, 1, 6) for is_open in (True, False))


def given_ranges(cell: Cell, meaning: Meaning) -> dict[Expr, Interval]:
    """The declared ranges of numeric options, and what dropout multiplies by: 0 or 1 / (1 - rate)."""
    found, options = {}, {option.name: option for option in cell.options}
    for noise in cell.noises:
        if noise.kind == "keep" and noise.name in meaning.program.variant.names:
            rate = meaning.rate(noise)
            most = options[noise.rate.name].high if rate is None else rate
            for expr in meaning.name(Ref(noise.name)).lanes.values():
                if expr.is_Symbol:
                    found[expr] = intervals.closed(0, 1 / (1 - most) if most < 1 else None)
    for dim in cell.dims:
        if dim.name in meaning.program.variant.names:
            found |= dict.fromkeys(meaning.size(dim.name).free_symbols, intervals.closed(Fraction(1), None))
    for option in cell.options:
        if option.kind in ("number", "maybe", "scheduled") and option.name in meaning.program.variant.names:
            (expr,) = meaning.name(Ref(option.name)).lanes.values()
            if expr.is_Symbol:
                found[expr] = intervals.closed(option.low, option.high)
    return found


def start(cell: Cell, state: str) -> Interval:
    """The range of a state before the first step."""
    match cell.state(state).initial:
        case None:
            return intervals.point(0)
        case Number(value):
            return intervals.point(value)
    return REAL


def invariants(cell: Cell, table: Table, step: Meaning) -> dict[Expr, Interval]:
    """A range for every lane of every carried state that holds at all times, in a run from the initial state.

    From the initial values outwards: what a step makes of the ranges so far is added to them; a bound that still moves
    after three rounds is taken to where it would come to if it went on like this, then out to the next of 0, 1 and 6
    (or their negatives), and at last given up. What holds is then narrowed by what a step makes of it.
    """
    leaves: dict[Expr, tuple[Interval, Expr]] = {}
    for state in cell.states:
        new = step.name(Ref(state.name)).lanes
        for path, leaf in step.name(Ref(state.name, 1)).lanes.items():
            leaves[leaf] = (start(cell, state.name), new[path])
    known = given_ranges(cell, step)
    key = (*leaves.items(), *known.items())
    if key not in table.invariants:
        table.invariants[key] = known | _settled(table, leaves, known)
    return table.invariants[key]


def _settled(table: Table, leaves: Mapping, known: Mapping) -> dict[Expr, Interval]:
    found = {leaf: first for leaf, (first, _) in leaves.items() if leaf.is_Symbol}
    before: dict[Expr, Interval] = {}

    def next_of(leaf: Expr, enclosure: Enclosure) -> Interval:
        first, new = leaves[leaf]
        return intervals.hull(first, enclosure.of(new))

    for turn in range(MAX_ROUNDS):
        enclosure = Enclosure.given(table, {**known, **found})
        wider = {}
        for leaf, so_far in found.items():
            new = intervals.hull(so_far, next_of(leaf, enclosure))
            if not intervals.inside(new, so_far):
                limit = _limit(before[leaf], so_far, new) if turn == FREE else REAL
                new = new if turn < FREE else intervals.meet(limit, _stopped(new, so_far))
                wider[leaf] = intervals.rounded(new, DIGITS)
        if not wider:
            break
        before = dict(found)
        found |= wider
    else:
        return dict.fromkeys(found, REAL)
    for _ in range(NARROWINGS):
        enclosure = Enclosure.given(table, {**known, **found})
        found = {
            leaf: intervals.rounded(intervals.meet(found[leaf], next_of(leaf, enclosure)), DIGITS) for leaf in found
        }
    return found


def _limit(first: Interval, second: Interval, third: Interval) -> Interval:
    """Where the ends would come to that move by the same ratio each time; as with any guess, it is tried."""
    upper = _high_limit(first, second, third)
    return intervals.negate(_high_limit(*(intervals.negate(each) for each in (first, second, upper))))


def _high_limit(first: Interval, second: Interval, third: Interval) -> Interval:
    if None in (first.high, second.high, third.high) or second.high == third.high:
        return third
    last, now = second.high - first.high, third.high - second.high
    return replace(third, high=third.high + now * now / (last - now), high_open=True) if now < last else third


def _stopped(new: Interval, old: Interval) -> Interval:
    """`new`, each end that moved taken out to the next stop."""
    return intervals.negate(_high_stopped(intervals.negate(_high_stopped(new, old)), intervals.negate(old)))


def _high_stopped(new: Interval, old: Interval) -> Interval:
    if (new.high, new.high_open) == (old.high, old.high_open):
        return new
    for value, is_open in _STOPS:
        outer = Interval(new.low, value, new.low_open, is_open)
        if intervals.inside(new, outer):
            return outer
    return Interval(new.low, None, new.low_open, True)
