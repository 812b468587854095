"""What can be looked into in a polynomial, beside its terms: each look gives a range that holds of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations, islice

from cellgen.ir import POSITIVE, REAL, Interval, interval, intervals
from cellgen.prove.polynomials import Polynomial, at, by_power, combined, expression, polynomial, product
from cellgen.prove.symbols import MAX_TERMS, Arithmetic, Expr, Table

MAX_LOOKS = 2
MAX_PAIRED = 4  # functions in a polynomial that are compared with each other
MAX_SUMMANDS = 8

ONE = Fraction(1)
_CANDIDATES = (Fraction(-1), Fraction(0), Fraction(1))

# Between which numbers a function's slope lies, and what two values at arguments of opposite sign add up to.
_SLOPES = {
    "sigmoid": interval("(0, 1/4]"),
    "tanh": interval("(0, 1]"),
    "softplus": interval("(0, 1)"),
    "exp": POSITIVE,
}
_OPPOSITE = {"sigmoid": ONE, "tanh": Fraction(0)}


class Looks:
    """The looks of an enclosure, which gives ranges of normal forms (`of`), of polynomials that a look leaves, found
    with fewer looks (`_look`), and what is known in a case (`under`)."""

    table: Table

    def is_condition(self, symbol: Expr) -> bool:
        return self.table.atoms[symbol].op == "step" and symbol not in self.leaves

    def _is_extreme(self, symbol: Expr) -> bool:
        return self.table.atoms[symbol].op in ("minimum", "maximum", "abs")

    def _by_case(self, terms: Polynomial, depth: int, out: Interval) -> Interval:
        """By a condition that narrows what stands beside it."""
        # what is divided by is not set to 0
        able = [symbol for symbol in self._narrowing(terms.symbols) if terms.degrees[symbol][0] >= 0]
        for symbol in able[:1]:
            cases = []
            for value in (0, 1):
                under = self.under(symbol, value)
                if under is not None:
                    cases.append(under._look(at(terms, symbol, Fraction(value)), min(depth, under.depth)))
            return intervals.hull_of(cases) if cases else REAL
        return REAL

    def _narrowing(self, symbols: list[Expr]) -> Iterator[Expr]:
        """The conditions that compare something which others of the symbols are, or are made of."""
        conditions = [symbol for symbol in symbols if self.is_condition(symbol)]
        others = {symbol for symbol in symbols if not self.table.atoms[symbol].binary} if conditions else set()
        for symbol in conditions:
            (compared,) = self.table.atoms[symbol].operands
            if compared.free_symbols & (others | self.table.below(others)):
                yield symbol

    def _by_extreme(self, terms: Polynomial, depth: int, out: Interval) -> Interval:
        """A sum with an extreme of p and q is the extreme of two sums: where p is among its terms, they cancel."""
        found = [symbol for symbol in terms.symbols if self._is_extreme(symbol) and ((symbol, 1),) in terms]
        out = REAL
        for symbol in found[:MAX_LOOKS]:
            atom, factor = self.table.atoms[symbol], terms[((symbol, 1),)]
            operands = atom.operands if len(atom.operands) == 2 else (atom.operands[0], -atom.operands[0])
            rest = {term: each for term, each in terms.items() if term != ((symbol, 1),)}
            parts = [
                self._look(combined((ONE, rest), (factor, polynomial(self.table, each))), depth) for each in operands
            ]
            upward = (atom.op != "minimum") == (factor > 0)
            out = met(out, (intervals.maximum if upward else intervals.minimum)(*parts))
        return out

    def _denominators(self, terms: Polynomial) -> list[tuple[Expr, Expr, int]]:
        """Symbols that are a reciprocal, or have a negative power; the denominator, and its power."""
        found = []
        for symbol in terms.symbols:
            (low, high), atom = terms.degrees[symbol], self.table.atoms[symbol]
            if low < 0 and high <= 0:
                found.append((symbol, symbol, -low))
            elif atom.op == "div" and atom.operands[0] == 1 and low >= 0:
                found.append((symbol, atom.operands[1], high))
        return found

    def _by_quotient(self, terms: Polynomial, depth: int, out: Interval) -> Interval:
        """A quotient is compared with a number by what it is times its denominator, which has one sign."""
        for symbol, denominator, degree in self._denominators(terms)[:MAX_LOOKS]:
            under = polynomial(self.table, denominator)
            sign = intervals.sign(self.of(denominator))
            if not sign or len(terms) * len(under) ** degree > MAX_TERMS:
                continue
            powers = by_power(terms, symbol)
            raised = [{(): Fraction(1)}]
            for _ in range(degree):
                raised.append(product(raised[-1], under))
            above = combined(*((ONE, product(part, raised[degree - abs(power)])) for power, part in powers.items()))
            for value in _CANDIDATES:
                apart = self._look(combined((ONE, above), (-value, raised[degree])), depth)
                apart = apart if sign > 0 or degree % 2 == 0 else intervals.negate(apart)
                if intervals.sign(apart, True) > 0:
                    out = met(out, Interval(value, None, not intervals.holds_zero(apart), True))
                elif intervals.sign(apart, True) < 0:
                    out = met(out, Interval(None, value, True, not intervals.holds_zero(apart)))
        return out

    def _all_pairs(self, symbols: list[Expr]) -> Iterator["Pair"]:
        able = [symbol for symbol in symbols if self.table.atoms[symbol].op in _SLOPES]
        for a, b in combinations(able, 2) if len(able) <= MAX_PAIRED else ():
            if (a, b) not in self._pairs:
                self._pairs[a, b] = tuple(self._compared(a, b))
            yield from self._pairs[a, b]

    def _compared(self, a: Expr, b: Expr) -> Iterator["Pair"]:
        """How far the arguments of one function are apart, or from being opposite, where that is known."""
        p, q = self.table.atoms[a], self.table.atoms[b]
        for sign in (1, -1) if p.op == q.op else ():
            if sign == 1 or p.op in _OPPOSITE:
                apart = p.operands[0] - sign * q.operands[0]
                distance = self._look(polynomial(self.table, apart), 0)
                if distance != REAL:
                    yield Pair(p.op, a, b, sign, apart, distance)

    def _by_distance(self, terms: Polynomial, depth: int, out: Interval) -> Interval:
        """f(u) - f(v) lies between the least and the greatest slope times u - v."""
        out = REAL
        for pair in islice(self._all_pairs(terms.symbols), MAX_LOOKS):
            mine, other = (terms.get(((each, 1),), Fraction(0)) for each in (pair.a, pair.b))
            if mine * other * pair.sign < 0:
                factor = mine if abs(mine) <= abs(other) else -pair.sign * other
                apart = intervals.multiply(_SLOPES[pair.op], pair.distance)
                if pair.sign < 0:
                    apart = intervals.add(apart, intervals.point(_OPPOSITE[pair.op]))
                a, b = (
                    intervals.scaled(ONE, self.of(pair.a)),
                    intervals.scaled(Fraction(-pair.sign), self.of(pair.b)),
                )
                apart = met(apart, intervals.add(a, b))
                difference = {((pair.a, 1),): ONE, ((pair.b, 1),): Fraction(-pair.sign)}
                rest = self._look(combined((ONE, terms), (-factor, difference)), depth)
                out = met(out, intervals.add(rest, intervals.scaled(factor, apart)))
        return out

    def _by_offset(self, terms: Polynomial, depth: int, out: Interval) -> Interval:
        """The sigmoid of v is w / (w + (1 - w) k), where w is that of u, and k = exp(u - v)."""
        s = Arithmetic(self.table)
        for pair in self._all_pairs(terms.symbols):
            if pair.op == "sigmoid" and intervals.bounded(pair.distance):
                w, k = pair.a, s.function("exp", pair.sign * pair.apart)
                w = w if pair.sign > 0 else 1 - w
                denominator = polynomial(self.table, (w + k - w * k).expand())
                reciprocal = s.inverse(expression(self.table, denominator))
                powers = by_power(terms, pair.b)
                if min(powers) < 0 or max(powers) > 2 or len(terms) > MAX_TERMS // 8:
                    return REAL
                other = polynomial(self.table, (w * reciprocal).expand())
                parts, raised = [], {(): Fraction(1)}
                for power in range(max(powers) + 1):
                    parts.append((ONE, product(powers.get(power, {}), raised)))
                    raised = product(raised, other)
                return self._look(combined(*parts), depth)
        return REAL

    def _by_factor(self, expr: Expr, depth: int) -> Interval:
        """A sum of products, by a factor that was multiplied out: what weighs two of them, as itself and as 1 - it."""
        s, summands, found = Arithmetic(self.table), self._summands(expr), REAL
        factors = dict.fromkeys(each for _, part in summands for each in self._factors(part) if self._weighs(each))
        for weight in list(factors)[:MAX_LOOKS]:
            interval = self.of(weight)
            if intervals.bounded(interval):
                whole = s.atom("linear", weight)
                parts = [(each, self._with(part, weight, whole)) for each, part in summands]
                found = met(found, self._look(combined(*parts), depth))
        return found

    def _weighs(self, expr: Expr) -> bool:
        """A sum; one of 0-or-1 symbols is known by its cases."""
        return expr.is_Add and not all(self.table.atoms[symbol].binary for symbol in expr.free_symbols)

    def _summands(self, expr: Expr, factor: Fraction = ONE) -> list[tuple[Fraction, Expr]]:
        """What a sum was made of, each times a number."""
        todo, found = [(factor, expr)], []
        while todo:
            factor, each = todo.pop()
            op, operands = self.table.made.get(each, ("", ()))
            if op == "add" and len(todo) + len(found) < MAX_SUMMANDS:
                todo += [(factor, part) for part in operands]
            elif op == "mul" and operands[0].is_Rational:
                todo.append((factor * intervals.exact(operands[0]), operands[1]))
            else:
                found.append((factor, each))
        return found

    def _factors(self, expr: Expr) -> tuple[Expr, ...]:
        op, operands = self.table.made.get(expr, ("", ()))
        return operands if op == "mul" else ()

    def _with(self, expr: Expr, weight: Expr, whole: Expr) -> Polynomial:
        """A product, where a factor is the weight, or a number less or more, with one symbol for it."""
        factors = self._factors(expr)
        for each, other in (factors, factors[::-1]) if factors else ():
            for sign in (1, -1):
                rest = each - sign * weight
                if rest.is_Rational:
                    terms = combined((intervals.exact(rest), {(): ONE}), (Fraction(sign), {((whole, 1),): ONE}))
                    return product(terms, polynomial(self.table, other))
        return polynomial(self.table, expr)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two values of one function. apart: the difference of the arguments, or their sum if `sign` is -1."""

    op: str
    a: Expr
    b: Expr
    sign: int
    apart: Expr
    distance: Interval


def met(a: Interval, b: Interval) -> Interval:
    """What is in both. In a case that cannot be they may be apart."""
    if b is REAL:  # as most looks say
        return a
    return a if intervals.disjoint(a, b) else intervals.meet(a, b)
