"""Quotients of polynomials in symbols, some of which are known to be positive and may have any rational exponent.

Nothing is cancelled: a quotient is zero if its top is, wherever its bottom is not. A product of more than MAX_TERMS
terms is given up (`TooLong`), a number of more than MAX_DIGITS digits and a power above MAX_POWER too.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from math import lcm, log10, prod

from cellgen.prove.symbols import Expr, Table

MAX_TERMS = 512
MAX_DIGITS = 4000  # of what stands before a term: above and below its line together
MAX_POWER = 4096
MAX_FACTORED = 64
MAX_DEGREE = 24
MAX_DENSE = 2048  # monomials of no higher powers: factoring several symbols takes long as they grow

Monomial = tuple[tuple[Expr, Fraction], ...]  # by name
Polynomial = dict[Monomial, Fraction]
Key = tuple[tuple[Monomial, Fraction], ...]  # a polynomial, in order


class TooLong(Exception):
    """More terms, digits or factors than are looked at."""


@dataclass(frozen=True, slots=True)
class Quotient:
    """`top` over the product of the polynomials in `bottom`, each with a power."""

    top: Polynomial
    bottom: tuple[tuple[Key, int], ...] = ()


@dataclass
class Ring:
    """Sums and products.

    positive: symbols that are more than zero. squares: what the square of a symbol is. binary: symbols that are 0 or 1,
    besides those of the table.
    """

    table: Table
    positive: set[Expr] = field(default_factory=set)
    squares: dict[Expr, Polynomial] = field(default_factory=dict)
    binary: set[Expr] = field(default_factory=set)
    _factors: dict[Key, tuple] = field(default_factory=dict)

    def number(self, value: Fraction | int) -> Quotient:
        return Quotient({(): Fraction(value)} if value else {})

    def power_of(self, symbol: Expr, exponent: Fraction | int = 1) -> Quotient:
        return Quotient({((symbol, Fraction(exponent)),): Fraction(1)})

    # --- polynomials

    def times(self, a: Polynomial, b: Polynomial) -> Polynomial:
        if len(a) * len(b) > MAX_TERMS:
            raise TooLong
        out: Polynomial = {}
        for p, c in a.items():
            for q, d in b.items():
                for term, factor in self._multiplied(p, q).items():
                    out[term] = out.get(term, Fraction(0)) + c * d * factor
        return _kept(out)

    def _multiplied(self, p: Monomial, q: Monomial) -> Polynomial:
        powers = dict(p)
        for symbol, exponent in q:
            powers[symbol] = powers.get(symbol, Fraction(0)) + exponent
        out: Polynomial = {}
        rest, extra = [], None
        for symbol, exponent in powers.items():
            atom = self.table.atoms.get(symbol)
            if symbol in self.binary or atom is not None and atom.binary:
                exponent = min(exponent, Fraction(1))
            if symbol in self.squares and exponent >= 2 and extra is None:
                extra, exponent = self.squares[symbol], exponent - 2
            if exponent:
                rest.append((symbol, exponent))
        out[tuple(sorted(rest, key=_name))] = Fraction(1)
        return out if extra is None else self.times(out, extra)

    def plus(self, a: Polynomial, b: Polynomial, factor: Fraction | int = 1) -> Polynomial:
        out = dict(a)
        for term, number in b.items():
            out[term] = out.get(term, Fraction(0)) + factor * number
        if len(out) > MAX_TERMS:
            raise TooLong
        return _kept(out)

    def raised(self, a: Polynomial, exponent: int) -> Polynomial:
        if exponent > MAX_POWER:
            raise TooLong
        out: Polynomial = {(): Fraction(1)}
        for bit in f"{exponent:b}" if exponent else "":
            out = self.times(out, out)
            out = self.times(out, a) if bit == "1" else out
        return out

    # --- quotients

    def product(self, a: Quotient, b: Quotient) -> Quotient:
        return Quotient(self.times(a.top, b.top), _together(a.bottom, b.bottom, lambda m, n: m + n))

    def sum(self, parts: Iterable[Quotient]) -> Quotient:
        out = Quotient({})
        for part in parts:
            bottom = _together(out.bottom, part.bottom, max)
            top = self.plus(self._over(out, bottom), self._over(part, bottom))
            out = Quotient(top, bottom if top else ())
        return out

    def difference(self, a: Quotient, b: Quotient) -> Quotient:
        return self.sum((a, self.scaled(b, -1)))

    def scaled(self, a: Quotient, factor: Fraction | int) -> Quotient:
        return Quotient({term: number * factor for term, number in a.top.items()} if factor else {}, a.bottom)

    def _over(self, a: Quotient, bottom: tuple) -> Polynomial:
        """The top of `a` over a larger bottom."""
        top, have = a.top, dict(a.bottom)
        for each, power in bottom:
            top = self.times(top, self.raised(dict(each), power - have.get(each, 0)))
        return top

    def inverse(self, a: Quotient) -> Quotient:
        """Raises ZeroDivisionError of zero."""
        if not a.top:
            raise ZeroDivisionError
        factor, content, rest = self.content(a.top)
        top: Polynomial = {(): 1 / factor}
        for each, power in a.bottom:
            top = self.times(top, self.raised(dict(each), power))
        inverted = tuple((symbol, -exponent) for symbol, exponent in content)
        top = self.times(top, {inverted: Fraction(1)})
        return Quotient(top, () if rest == {(): 1} else ((key(rest), 1),))

    def power(self, a: Quotient, exponent: int) -> Quotient:
        if exponent < 0:
            a, exponent = self.inverse(a), -exponent
        return Quotient(self.raised(a.top, exponent), tuple((each, power * exponent) for each, power in a.bottom))

    def content(self, a: Polynomial) -> tuple[Fraction, Monomial, Polynomial]:
        """A number, a product of powers of positive symbols, and what is left: its first coefficient is 1."""
        common: dict[Expr, Fraction] | None = None
        for term in a:
            powers = {symbol: exponent for symbol, exponent in term if symbol in self.positive}
            if common is None:
                common = powers
            else:
                every = {**common, **powers}
                common = {each: min(common.get(each, 0), powers.get(each, 0)) for each in every}
        content = tuple(sorted(((each, power) for each, power in (common or {}).items() if power), key=_name))
        rest: Polynomial = {}
        for term, number in a.items():
            powers = dict(term)
            for symbol, exponent in content:
                powers[symbol] = powers.get(symbol, Fraction(0)) - exponent
            rest[tuple(sorted(((each, power) for each, power in powers.items() if power), key=_name))] = number
        factor = key(rest)[0][1]
        return factor, content, {term: number / factor for term, number in rest.items()}

    # --- factors

    def factors(self, a: Polynomial) -> tuple[Fraction, Monomial, tuple[tuple[Key, int], ...]]:
        """A number, powers of positive symbols, and factors over the rationals, with their powers."""
        known = key(a)
        if known not in self._factors:
            factor, content, rest = self.content(a)
            number, parts = self._factored(rest) if rest != {(): 1} else (Fraction(1), ())
            self._factors[known] = factor * number, content, parts
        return self._factors[known]

    def _factored(self, a: Polynomial) -> tuple[Fraction, tuple[tuple[Key, int], ...]]:
        powers: dict[Expr, list[Fraction]] = {}
        for term in a:
            for symbol, exponent in term:
                powers.setdefault(symbol, []).append(exponent)
        unit = {each: Fraction(1, lcm(*(power.denominator for power in found))) for each, found in powers.items()}
        degrees = [max(found) / unit[each] for each, found in powers.items()]
        if len(a) > MAX_FACTORED or max(degrees) > MAX_DEGREE or prod(each + 1 for each in degrees) > MAX_DENSE:
            return Fraction(1), ((key(a), 1),)
        sympy = self.table.sympy
        whole = {tuple((each, power / unit[each]) for each, power in term): number for term, number in a.items()}
        number, found = sympy.factor_list(expression(self.table, whole))
        out, parts = Fraction(int(number.p), int(number.q)), []
        for each, power in found:
            poly: Polynomial = {}
            for term in sympy.Add.make_args(each.expand()):
                coefficient, powers = term.as_coeff_mul()
                mono = ((p.base, Fraction(int(p.exp))) if p.is_Pow else (p, Fraction(1)) for p in powers)
                mono = tuple(sorted(((symbol, exponent * unit[symbol]) for symbol, exponent in mono), key=_name))
                poly[mono] = Fraction(int(coefficient.p), int(coefficient.q))
            first = key(poly)[0][1]
            out *= first**power
            parts.append((key({term: value / first for term, value in poly.items()}), int(power)))
        return out, tuple(sorted(parts, key=str))

    def cancelled(self, a: Quotient) -> Quotient:
        """Without factors that top and bottom have in common."""
        if not a.bottom:
            return a
        number, content, over = self.factors(a.top)
        powers = dict(over)
        for each, power in a.bottom:
            under, inner, parts = self.factors(dict(each))
            number /= under**power
            content = self.joined(content, inner, -power)
            for part, multiple in parts:
                powers[part] = powers.get(part, 0) - multiple * power
        top: Polynomial = {content: number}
        bottom = []
        for part, power in powers.items():
            if power > 0:
                top = self.times(top, self.raised(dict(part), power))
            elif power < 0:
                bottom.append((part, -power))
        return Quotient(top, tuple(sorted(bottom, key=str)))

    def divided(self, a: Quotient) -> list[Quotient]:
        """A sum that it is: in no top stands the first term of a polynomial in the bottom."""
        found = [self.cancelled(a)]
        for each, power in found[0].bottom:
            if power == 1 and len(each) > 1:
                found = [part for whole in found for part in self._divided(whole, each)]
        return found

    def _divided(self, a: Quotient, by: Key) -> Iterator[Quotient]:
        (lead, factor), *rest = sorted(by, key=lambda item: (-sum(p for _, p in item[0]), _names(item[0])))
        whole: Polynomial = {}
        top = dict(a.top)
        for _ in range(MAX_TERMS):
            term = next((term for term in top if _divides(lead, term)), None)
            if term is None:
                break
            number, other = top.pop(term) / factor, self.joined(term, lead, -1)
            whole = self.plus(whole, {other: number})
            top = self.plus(top, self.times({other: -number}, dict(rest)))
        yield Quotient(_kept(whole), tuple(each for each in a.bottom if each[0] != by))
        yield Quotient(top, a.bottom)

    @staticmethod
    def joined(a: Monomial, b: Monomial, power: int) -> Monomial:
        """`a * b ** power`."""
        powers = dict(a)
        for symbol, exponent in b:
            powers[symbol] = powers.get(symbol, Fraction(0)) + power * exponent
        return tuple(sorted(((each, exponent) for each, exponent in powers.items() if exponent), key=_name))


def expression(table: Table, a: Polynomial) -> Expr:
    """A polynomial with whole powers as sympy has it."""
    sympy = table.sympy
    return sympy.Add(
        *(
            sympy.Mul(
                sympy.Rational(number.numerator, number.denominator), *(each ** int(power) for each, power in term)
            )
            for term, number in a.items()
        )
    )


def key(a: Mapping[Monomial, Fraction]) -> Key:
    """A polynomial as what it is known by."""
    return tuple(sorted(a.items(), key=lambda item: _names(item[0])))


def _names(term: Monomial) -> list[tuple[str, Fraction]]:
    return [(symbol.name, power) for symbol, power in term]


def _divides(a: Monomial, b: Monomial) -> bool:
    powers = dict(b)
    return all(powers.get(symbol, 0) >= power for symbol, power in a)


def _kept(a: Polynomial) -> Polynomial:
    """Without what came to nothing."""
    bits = max((each.numerator.bit_length() + each.denominator.bit_length() for each in a.values()), default=0)
    if bits * log10(2) > MAX_DIGITS:
        raise TooLong
    return {term: number for term, number in a.items() if number}


def _name(power: tuple[Expr, Fraction]) -> str:
    return power[0].name


def _together(a: tuple, b: tuple, join) -> tuple:
    powers = dict(a)
    for each, power in b:
        powers[each] = join(powers.get(each, 0), power)
    return tuple(powers.items())
