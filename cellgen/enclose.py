"""Ranges of normal forms, and the ranges that states keep to from step to step.

A polynomial is split on a bounded symbol in which it has degree 1, taking both ends, first on those within [0, 1]; the
rest is interval arithmetic on exact rationals. The work on one polynomial is bounded: it is split while the terms of
all pieces are no more than MAX_WORK, and MAX_EXTREMES minima or maxima are looked into, MAX_DEPTH deep.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from itertools import islice

from cellgen import ranges
from cellgen.cell import Cell
from cellgen.expr import Number, Ref
from cellgen.meaning import Meaning
from cellgen.ops import Interval
from cellgen.ranges import RANGE, REAL, UNIT
from cellgen.symbols import Atom, Expr, Table

MAX_WORK = 1024
MAX_EXTREMES = 2
MAX_DEPTH = 2
MAX_ROUNDS = 40

Monomial = tuple[tuple[Expr, int], ...]
Polynomial = dict[Monomial, Fraction]

# Where a bound that keeps moving is tried next, outwards; at last there is none.
_STOPS = tuple((Fraction(value), is_open) for value in (-6, -1, 0, 1, 6) for is_open in (True, False))


class Enclosure:
    """The ranges of polynomials, given those of some leaves; other leaves can be any number, or 0 and 1."""

    def __init__(self, table: Table, leaves: Mapping[Expr, Interval]):
        self.table, self.leaves = table, leaves
        self._found: dict[tuple[Expr, int], Interval] = {}

    @classmethod
    def given(cls, table: Table, leaves: Mapping[Expr, Interval]) -> "Enclosure":
        """The one for these leaves, with what it has found so far."""
        key = tuple(sorted(leaves.items(), key=lambda item: item[0].name))
        if key not in table.enclosures:
            table.enclosures[key] = cls(table, leaves)
        return table.enclosures[key]

    def of(self, expr: Expr, depth: int = MAX_DEPTH) -> Interval:
        if (expr, depth) not in self._found:
            self._found[expr, depth] = self._symbol(expr) if expr.is_Symbol else self._polynomial(expr, depth)
        return self._found[expr, depth]

    def _polynomial(self, expr: Expr, depth: int) -> Interval:
        terms = polynomial(self.table, expr)
        out = self._split(terms, iter(range(MAX_WORK)))
        if expr in self.table.powers:
            base, exponent = self.table.powers[expr]
            out = ranges.meet(out, ranges.power(self.of(base), exponent))
        extremes = [(term[0], factor) for term, factor in terms.items() if len(term) == 1]
        extremes = [(symbol, factor) for (symbol, power), factor in extremes if self._is_extreme(symbol, power)]
        for symbol, factor in extremes[:MAX_EXTREMES] if depth else ():
            atom = self.table.atoms[symbol]
            number = self.table.sympy.Rational(factor.numerator, factor.denominator)
            parts = [self.of(expr - number * symbol + number * part, depth - 1) for part in atom.operands]
            upward = (atom.op == "maximum") == (factor > 0)
            out = ranges.meet(out, (ranges.maximum if upward else ranges.minimum)(*parts))
        return out

    def _is_extreme(self, symbol: Expr, exponent: int) -> bool:
        """A sum with an extreme of p and q is the extreme of two sums: where p is among its terms, they cancel."""
        return exponent == 1 and self.table.atoms[symbol].op in ("minimum", "maximum")

    def _symbol(self, symbol: Expr) -> Interval:
        atom = self.table.atoms[symbol]
        if symbol in self.leaves:
            return self.leaves[symbol]
        if atom.binary:
            return replace(UNIT, low_open=False, high_open=False)
        if atom.op not in RANGE:
            return REAL
        return RANGE[atom.op](*self._operands(atom))

    def _operands(self, atom: Atom) -> list[Interval]:
        if not atom.coupled:
            return [self.of(expr) for expr in atom.operands]
        out = []
        for lanes in atom.operands:
            whole = self.of(lanes[0][1])
            for _, expr in lanes[1:]:
                whole = ranges.hull(whole, self.of(expr))
            out.append(whole)
        return out

    def _split(self, terms: Polynomial, work: Iterator[int]) -> Interval:
        """By the ends of a symbol that terms have in common, while there is work left to do."""
        afford = len(list(islice(work, len(terms)))) == len(terms)
        symbol = self._splits(terms) if afford else None
        if symbol is None:
            return self._sum(terms)
        weight = self.of(symbol)
        ends = [self._split(_at(terms, symbol, end), work) for end in (weight.low, weight.high)]
        return ranges.between(*ends, weight)

    def _splits(self, terms: Polynomial) -> Expr | None:
        """The symbol to split on: bounded, of degree 1, within [0, 1] if one is, and in the most terms."""
        found: dict[Expr, list[int]] = {}
        for term in terms:
            for symbol, exponent in term:
                found.setdefault(symbol, []).append(exponent)
        linear = [symbol for symbol, powers in found.items() if len(powers) > 1 and set(powers) == {1}]
        able = [symbol for symbol in linear if ranges.bounded(self.of(symbol))]
        unit = {symbol: ranges.inside(self.of(symbol), _CLOSED_UNIT) for symbol in able}
        return min(able, key=lambda symbol: (not unit[symbol], -len(found[symbol]), symbol.name), default=None)

    def _sum(self, terms: Polynomial) -> Interval:
        out = ranges.point(0)
        for term, factor in terms.items():
            part = ranges.point(factor)
            for symbol, exponent in term:
                part = ranges.multiply(part, ranges.power(self.of(symbol), exponent))
            out = ranges.add(out, part)
        return out


_CLOSED_UNIT = Interval(UNIT.low, UNIT.high)


def polynomial(table: Table, expr: Expr) -> Polynomial:
    """The terms of a normal form."""
    if expr in table.polynomials:
        return table.polynomials[expr]
    out: Polynomial = {}
    for term in table.sympy.Add.make_args(expr):
        number, factors = term.as_coeff_mul()
        powers = [(each.base, int(each.exp)) if each.is_Pow else (each, 1) for each in factors]
        out[tuple(sorted(powers, key=_name))] = ranges.exact(number)
    table.polynomials[expr] = out
    return out


def _name(power: tuple[Expr, int]) -> str:
    return power[0].name


def _at(terms: Polynomial, symbol: Expr, value: Fraction) -> Polynomial:
    """With a number for a symbol that has degree 1."""
    out: Polynomial = {}
    for term, factor in terms.items():
        rest = tuple(power for power in term if power[0] != symbol)
        if len(rest) < len(term):
            factor *= value
        out[rest] = out.get(rest, Fraction(0)) + factor
    return {term: factor for term, factor in out.items() if factor}


def option_ranges(cell: Cell, meaning: Meaning) -> dict[Expr, Interval]:
    """The declared ranges of numeric options."""
    found = {}
    for option in cell.options:
        if option.kind in ("number", "maybe", "scheduled") and option.name in meaning.program.variant.names:
            (expr,) = meaning.name(Ref(option.name)).lanes.values()
            if expr.is_Symbol:
                found[expr] = ranges.closed(option.low, option.high)
    return found


def start(cell: Cell, state: str) -> Interval:
    """The range of a state before the first step."""
    match cell.state(state).initial:
        case None:
            return ranges.point(0)
        case Number(value):
            return ranges.point(value)
    return REAL


def invariants(cell: Cell, table: Table, step: Meaning) -> dict[Expr, Interval]:
    """A range for every lane of every carried state that holds at all times, in a run from the initial state.

    From the initial values outwards: what a step makes of the ranges so far is added to them; a bound that still moves
    after three rounds is taken out to the next of 0, 1 and 6 (or their negatives), and at last given up.
    """
    leaves: dict[Expr, tuple[Interval, Expr]] = {}
    for state in cell.states:
        new = step.name(Ref(state.name)).lanes
        for path, leaf in step.name(Ref(state.name, 1)).lanes.items():
            leaves[leaf] = (start(cell, state.name), new[path])
    known = option_ranges(cell, step)
    key = (*leaves.items(), *known.items())
    if key not in table.invariants:
        table.invariants[key] = known | _settled(table, leaves, known)
    return table.invariants[key]


def _settled(table: Table, leaves: Mapping, known: Mapping) -> dict[Expr, Interval]:
    found = {leaf: first for leaf, (first, _) in leaves.items() if leaf.is_Symbol}
    for turn in range(MAX_ROUNDS):
        enclosure = Enclosure.given(table, {**known, **found})
        wider = {}
        for leaf, so_far in found.items():
            new = ranges.hull(so_far, enclosure.of(leaves[leaf][1]))
            if not ranges.inside(new, so_far):
                wider[leaf] = new if turn < 3 else _stopped(new, so_far)
        if not wider:
            return found
        found |= wider
    return dict.fromkeys(found, REAL)


def _stopped(new: Interval, old: Interval) -> Interval:
    """`new`, each end that moved taken out to the next stop."""
    return ranges.negate(_high_stopped(ranges.negate(_high_stopped(new, old)), ranges.negate(old)))


def _high_stopped(new: Interval, old: Interval) -> Interval:
    if (new.high, new.high_open) == (old.high, old.high_open):
        return new
    for value, is_open in _STOPS:
        outer = Interval(new.low, value, new.low_open, is_open)
        if ranges.inside(new, outer):
            return outer
    return Interval(new.low, None, new.low_open, True)
