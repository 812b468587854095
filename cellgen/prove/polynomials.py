"""Normal forms taken apart: monomials of symbols, each with its factor."""

from collections.abc import Mapping
from fractions import Fraction
from functools import cached_property
from math import comb

from cellgen.ir import exact
from cellgen.prove.symbols import Expr, Table

Monomial = tuple[tuple[Expr, int], ...]


class Polynomial(dict[Monomial, Fraction]):
    """The factor of each monomial. It is not changed once it is made."""

    @cached_property
    def symbols(self) -> list[Expr]:
        """In the order of their names."""
        return sorted({symbol for term in self for symbol, _ in term}, key=lambda symbol: symbol.name)

    @cached_property
    def degrees(self) -> Mapping[Expr, tuple[int, int]]:
        """The least and the greatest power of each symbol; of one that a term lacks the least is 0 at most."""
        powers: dict[Expr, list[int]] = {}
        for term in self:
            for symbol, power in term:
                powers.setdefault(symbol, []).append(power)
        return {
            symbol: (min(some), max(some)) if len(some) == len(self) else (min(0, *some), max(0, *some))
            for symbol, some in powers.items()
        }


def polynomial(table: Table, expr: Expr) -> Polynomial:
    """The terms of a normal form."""
    if expr in table.polynomials:
        return table.polynomials[expr]
    out = Polynomial()
    for term in table.sympy.Add.make_args(expr):
        number, factors = term.as_coeff_mul()
        powers = [(each.base, int(each.exp)) if each.is_Pow else (each, 1) for each in factors]
        out[tuple(sorted(powers, key=_name))] = exact(number)
    table.polynomials[expr] = out
    return out


def _name(power: tuple[Expr, int]) -> str:
    return power[0].name


def expression(table: Table, terms: Polynomial) -> Expr:
    """The normal form of these terms."""
    s = table.sympy
    return s.Add(
        *(s.Mul(number(table, factor), *(base**power for base, power in term)) for term, factor in terms.items())
    )


def number(table: Table, value: Fraction) -> Expr:
    return table.sympy.Rational(value.numerator, value.denominator)


def by_power(terms: Polynomial, symbol: Expr) -> dict[int, Polynomial]:
    """The coefficient of each power of a symbol."""
    out: dict[int, Polynomial] = {}
    for term, factor in terms.items():
        place = next((place for place, (base, _) in enumerate(term) if base == symbol), None)
        if place is None:
            out.setdefault(0, Polynomial())[term] = factor
        else:
            out.setdefault(term[place][1], Polynomial())[term[:place] + term[place + 1 :]] = factor
    return out


def at(terms: Polynomial, symbol: Expr, value: Fraction) -> Polynomial:
    """With a number for a symbol."""
    return combined(*((value**power, part) for power, part in by_power(terms, symbol).items()))


def bernstein(terms: Polynomial, symbol: Expr, low: Fraction, high: Fraction) -> list[Polynomial]:
    """The coefficients in Bernstein's basis over an interval, of as many degrees as the symbol has.

    Between them lies every value that the polynomial has there; the first and the last are those at the two ends.
    """
    powers = by_power(terms, symbol)
    degree, width = max(powers), high - low
    if degree == 1:
        return [combined(*((end**k, part) for k, part in powers.items())) for end in (low, high)]
    unit = [
        combined(*((comb(k, j) * low ** (k - j) * width**j, part) for k, part in powers.items() if k >= j))
        for j in range(degree + 1)
    ]
    return [
        combined(*((Fraction(comb(i, j), comb(degree, j)), unit[j]) for j in range(i + 1))) for i in range(degree + 1)
    ]


def combined(*parts: tuple[Fraction, Polynomial]) -> Polynomial:
    """The sum of polynomials, each times a number."""
    out: dict[Monomial, Fraction] = {}
    for factor, part in parts:
        once = factor == 1
        for term, value in part.items():
            value = value if once else factor * value
            out[term] = out[term] + value if term in out else value
    return Polynomial((term, factor) for term, factor in out.items() if factor)


def product(a: Polynomial, b: Polynomial) -> Polynomial:
    out: dict[Monomial, Fraction] = {}
    for p, left in a.items():
        for q, right in b.items():
            powers = dict(p)
            for symbol, power in q:
                powers[symbol] = powers.get(symbol, 0) + power
            term = tuple(sorted(((symbol, power) for symbol, power in powers.items() if power), key=_name))
            out[term] = out[term] + left * right if term in out else left * right
    return Polynomial((term, factor) for term, factor in out.items() if factor)
