"""Ranges of normal forms, from those of some leaves; other leaves can be any number, or 0 and 1.

A polynomial lies between its coefficients in Bernstein's basis (for a symbol of degree 1: between its ends), symbol by
symbol; the rest is interval arithmetic on exact rationals, each function between the values at its ends. That is met
with what follows otherwise: from the ranges of what it was made of; case by case, where a condition narrows what it
compares; from an extreme being one of its parts, a quotient compared with a number by its denominator, two values of
one function by the distance of their arguments, and sigmoids of arguments that are a known distance apart.

The work on one polynomial is bounded: it is split and looked into while the terms of all that comes of it are no more
than MAX_WORK, MAX_LOOKS structures of each, MAX_DEPTH deep, and MAX_CASES cases are made.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from functools import reduce

from cellgen.ir import BIT, NEGATIVE, POSITIVE, RANGE, REAL, UNIT, Interval, intervals
from cellgen.prove.bounding import ONE, Looks, Pair, met
from cellgen.prove.polynomials import Polynomial, at, bernstein, by_power, combined, expression, polynomial
from cellgen.prove.symbols import Atom, Expr, Table

MAX_WORK = 1024
MAX_DEPTH = 3
MAX_CASES = 64
MAX_DEGREE = 4


class Enclosure(Looks):
    """What is known under some facts. facts: of polynomials without a constant, the range that is given."""

    def __init__(self, table: Table, leaves: Mapping[Expr, Interval], above: "Enclosure | None" = None):
        self.table, self.leaves, self.facts = table, leaves, {}
        self.depth = above.depth - 1 if above else MAX_DEPTH
        self._any_lane: Enclosure = above._any_lane if above else self  # a case narrows one lane, not the others
        self._budget = above._budget if above else _Budget()
        self._found: dict[tuple[Expr, int], Interval] = {}
        self._sought: set[tuple[Expr, int]] = set()
        self._under: dict[tuple[Expr, int], Enclosure | None] = {}
        self._pairs: dict[tuple[Expr, Expr], tuple[Pair, ...]] = {}

    @classmethod
    def given(cls, table: Table, leaves: Mapping[Expr, Interval]) -> "Enclosure":
        """The one for these leaves, with what it has found so far."""
        key = tuple(sorted(leaves.items(), key=lambda item: item[0].name))
        if key not in table.enclosures:
            table.enclosures[key] = cls(table, leaves)
        return table.enclosures[key]

    def of(self, expr: Expr) -> Interval:
        """The range of a normal form."""
        if (expr, self.depth) not in self._found:
            self._prepare(expr)
        return self._found.get((expr, self.depth), REAL)

    def _prepare(self, expr: Expr) -> None:
        """From the bottom up, what it is made of first: a long chain of equations is no deep recursion."""
        todo, opened = [expr], set()
        while todo:
            each = todo[-1]
            if (each, self.depth) in self._found:
                todo.pop()
            elif each in opened:
                with self._budget.anew():
                    self._at(each, self.depth)
                todo.pop()
            else:
                opened.add(each)
                todo += [below for below in self._below(each) if below not in opened]

    def _below(self, expr: Expr) -> Iterable[Expr]:
        if expr.is_Symbol:
            return () if expr in self.leaves else self.table.atoms[expr].polynomials
        _, operands = self.table.made.get(expr, ("", ()))
        return (*sorted(expr.free_symbols, key=lambda symbol: symbol.name), *operands)

    def _at(self, expr: Expr, depth: int) -> Interval:
        """The range, found with so many looks into what is in it; none while it is looked for: a look may come to what
        the expression is a factor of, g (a / g - b) to a / g - b by a - b g.
        """
        key = expr, depth
        if key not in self._found and key not in self._sought:
            self._sought.add(key)
            self._found[key] = self._symbol(expr) if expr.is_Symbol else self._polynomial(expr, depth)
            self._sought.discard(key)
        return self._found.get(key, REAL)

    # --- symbols

    def _symbol(self, symbol: Expr) -> Interval:
        atom = self.table.atoms[symbol]
        if symbol in self.leaves:
            return self.leaves[symbol]
        found = self._mean(atom) if atom.op in ("sum", "cumsum") else REAL
        if atom.op in RANGE:
            found = met(found, RANGE[atom.op](*self._operands(atom)))
        return met(found, BIT) if atom.binary else found

    def _operands(self, atom: Atom) -> list[Interval]:
        if not atom.coupled:
            return [self.of(expr) for expr in atom.operands]
        return [intervals.hull_of(self._any_lane.of(expr) for _, expr in lanes) for lanes in atom.operands]

    def _mean(self, atom: Atom) -> Interval:
        """Of a sum in which weights stand that sum to 1 along its axes: a mean of what they weigh, and the rest."""
        means, rests, seen = [], [], []
        for _, expr in atom.operands[0]:
            terms = polynomial(self.table, expr)
            weight = self._weight(terms, atom)
            if weight is None:
                return REAL
            seen.append(self.table.atoms[weight])
            powers = by_power(terms, weight)
            means.append(self._any_lane.of(expression(self.table, powers[1])))
            rests.append(self._any_lane.of(expression(self.table, powers.get(0, {}))))
        if (
            len({each.place[0] for each in seen}) < len(seen)
            or len({(each.operands, each.place[1:]) for each in seen}) > 1
        ):
            return REAL  # they are no weights of one mean
        mean, rest = intervals.hull_of(means), intervals.hull_of(rests)
        if atom.op == "cumsum":
            mean = intervals.multiply(UNIT, mean)
        return intervals.add(mean, RANGE["sum"](rest))

    def _weight(self, terms: Polynomial, atom: Atom) -> Expr | None:
        """The softmax along the axes that are summed over, if it has power 1."""
        for symbol in terms.symbols:
            other = self.table.atoms[symbol]
            if other.op == "softmax" and other.place[-2] == atom.place[-2] and terms.degrees[symbol][1] == 1:
                return symbol
        return None

    # --- polynomials

    def _polynomial(self, expr: Expr, depth: int) -> Interval:
        terms = polynomial(self.table, expr)
        out = met(self._split(terms, depth), self._known(terms))
        op, operands = self.table.made.get(expr, ("", ()))
        if op and all((each, self.depth) in self._found for each in operands):
            out = met(out, RANGE[op](*(self.of(each) for each in operands)))
        if depth:
            if op:
                out = met(out, self._by_factor(expr, depth - 1))
            for look in (self._by_case, self._by_extreme, self._by_quotient, self._by_distance, self._by_offset):
                out = met(out, look(terms, depth - 1, out))
        return out

    def _look(self, terms: Polynomial, depth: int) -> Interval:
        """While there is work left to do; then term by term."""
        if not self._budget.take(len(terms)):
            return self._sum(terms)
        return self._at(expression(self.table, terms), depth)

    def _split(self, terms: Polynomial, depth: int, top: bool = True) -> Interval:
        """By the coefficients along a symbol that terms have in common, while there is work left to do.

        What only has symbols left that can be looked into is.
        """
        shared = self._shared(terms) if self._budget.take(len(terms)) else []
        related = self._related(terms) if depth and len(terms) > 1 and not (top and not shared) else set()
        free = [symbol for symbol in shared if symbol not in related]
        if related and not free and not top:
            return self._look(terms, depth - 1)
        if not shared:
            return self._sum(terms)
        symbol = (free or shared)[0]
        weight = self.of(symbol)
        depth = depth if free else 0
        if weight.low == weight.high:
            return self._split(at(terms, symbol, weight.low), depth, False)
        pieces = bernstein(terms, symbol, weight.low, weight.high)
        return intervals.blend([self._split(piece, depth, False) for piece in pieces], weight)

    def _shared(self, terms: Polynomial) -> list[Expr]:
        """The bounded symbols that a term has beside others, and terms in common; those within [0, 1] first."""
        where: dict[Expr, list[int]] = {}
        for index, term in enumerate(terms):
            for symbol, _ in term:
                where.setdefault(symbol, []).append(index)
        monomials = list(terms)

        def able(symbol: Expr) -> bool:
            mine, (low, high) = where[symbol], terms.degrees[symbol]
            if low < 0 or high > MAX_DEGREE:
                return False
            if len(mine) > 1:
                joined = any(len(monomials[index]) > 1 for index in mine)
            else:
                joined = any(len(where[each]) > 1 for each, _ in monomials[mine[0]])
            return joined and intervals.bounded(self.of(symbol))

        def order(symbol: Expr) -> tuple:
            return not intervals.inside(self.of(symbol), UNIT), -len(where[symbol]), symbol.name

        return sorted((symbol for symbol in where if able(symbol)), key=order)

    def _sum(self, terms: Polynomial) -> Interval:
        """Term by term, the powers of one symbol together."""
        out, alone = intervals.point(0), {}
        for term, factor in terms.items():
            if len(term) == 1:
                alone.setdefault(term[0][0], {})[term[0][1]] = factor
            elif term:
                first, *others = (intervals.power(self.of(symbol), exponent) for symbol, exponent in term)
                out = intervals.add(out, reduce(intervals.multiply, others, intervals.scaled(factor, first)))
            else:
                out = intervals.add(out, intervals.point(factor))
        for symbol, powers in alone.items():
            out = intervals.add(out, _univariate(self.of(symbol), powers))
        return out

    def _related(self, terms: Polynomial) -> set[Expr]:
        """The symbols that can be looked into."""
        every = terms.symbols
        found = {*self._narrowing(every), *filter(self._is_extreme, every)}
        found |= {symbol for symbol, _, _ in self._denominators(terms)}
        return found | {each for pair in self._all_pairs(every) for each in (pair.a, pair.b)}

    # --- facts

    def _known(self, terms: Polynomial) -> Interval:
        """What the facts say of a polynomial, or of it less some terms."""
        out = REAL
        for fact, interval in self.facts.items():
            known = polynomial(self.table, fact)
            lead = next(iter(known))
            if lead in terms:
                factor = terms[lead] / known[lead]
                rest = combined((ONE, terms), (-factor, known))
                if not set(rest) - set(terms):
                    part = intervals.scaled(factor, interval)
                    out = met(out, intervals.add(part, self._sum(rest)))
        return out

    def under(self, symbol: Expr, value: int) -> "Enclosure | None":
        """Where a condition holds, or does not: what it compares is narrowed. None where that cannot be."""
        if (symbol, value) not in self._under:
            if not self._budget.take_case():
                return self
            self._under[symbol, value] = self._narrowed(symbol, value)
        return self._under[symbol, value]

    def _narrowed(self, symbol: Expr, value: int) -> "Enclosure | None":
        (compared,) = self.table.atoms[symbol].operands
        side = POSITIVE if value else NEGATIVE
        if intervals.disjoint(self.of(compared), side):
            return None
        terms, narrowed = polynomial(self.table, compared), {symbol: intervals.point(value)}
        for term, factor in terms.items():
            if len(term) == 1 and term[0][1] == 1:
                rest = {other: each for other, each in terms.items() if other != term}
                room = intervals.subtract(side, self._sum(rest))
                room = intervals.scaled(1 / factor, room)
                if intervals.disjoint(self.of(term[0][0]), room):
                    return None
                narrowed[term[0][0]] = intervals.meet(self.of(term[0][0]), room)
        out = Enclosure(self.table, {**self.leaves, **narrowed}, self)
        constant = terms.get((), Fraction(0))
        fact = {term: factor for term, factor in terms.items() if term}
        interval = intervals.subtract(side, intervals.point(constant))
        out.facts = self.facts | ({expression(self.table, fact): interval} if fact else {})
        return out


class _Budget:
    """What may be done yet: terms for a polynomial, cases for all that is asked under some leaves."""

    def __init__(self):
        self._terms, self._cases = MAX_WORK, MAX_CASES

    @contextmanager
    def anew(self) -> Iterator[None]:
        """Terms for another polynomial."""
        kept, self._terms = self._terms, MAX_WORK
        try:
            yield
        finally:
            self._terms = kept

    def take(self, terms: int) -> bool:
        self._terms -= terms
        return self._terms >= 0

    def take_case(self) -> bool:
        self._cases -= 1
        return self._cases >= 0


def _univariate(x: Interval, powers: Mapping[int, Fraction]) -> Interval:
    """Of a polynomial in one symbol, without a constant; of degree 2 exactly: by its square completed."""
    if set(powers) == {1, 2}:
        half = powers[1] / (2 * powers[2])
        square = intervals.power(intervals.add(x, intervals.point(half)), 2)
        return intervals.scaled(powers[2], intervals.subtract(square, intervals.point(half * half)))
    out = reduce(
        intervals.add, (intervals.scaled(factor, intervals.power(x, power)) for power, factor in powers.items())
    )
    if len(powers) > 1 and intervals.bounded(x) and 0 < min(powers) and max(powers) <= MAX_DEGREE:
        symbol = "x"
        terms = {((symbol, power),): factor for power, factor in powers.items()}
        ends = [intervals.point(each.get((), Fraction(0))) for each in bernstein(terms, symbol, x.low, x.high)]
        out = met(out, intervals.blend(ends, x))
    return out
