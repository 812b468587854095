"""Polynomials multiplied out, by a table of their monomials: what `expand` gives, without its looks for anything else.

Symbols and functions of one or more values are what a polynomial is of. A negative power, or one that is no whole
number, is left to sympy.
"""

from collections.abc import Callable, Mapping

Expr = object  # a sympy expression
Monomial = frozenset[tuple[Expr, int]]  # the power of each symbol or function
Polynomial = Mapping[Monomial, Expr]  # the factor of each


class NoPolynomial(Exception):
    """It is none over symbols and functions."""


def multiplied(expr: Expr, of: Callable[[Expr], Expr], binary: Callable[[Expr], bool]) -> Polynomial:
    """An expression as a polynomial: `of` functions, in which arguments are written in one way; what is `binary` is its
    own square. Raises `NoPolynomial`."""
    if expr.is_Add:
        return _sum([multiplied(each, of, binary) for each in expr.args])
    if expr.is_Mul:
        first, *rest = (multiplied(each, of, binary) for each in expr.args)
        for each in rest:
            first = _product(first, each, binary)
        return first
    if expr.is_Pow and expr.exp.is_Integer and expr.exp > 0:
        base = out = multiplied(expr.base, of, binary)
        for _ in range(int(expr.exp) - 1):
            out = _product(out, base, binary)
        return out
    if expr.is_Rational:
        return {frozenset(): expr} if expr else {}
    atom = of(expr) if expr.is_Function else expr
    if not (atom.is_Symbol or atom.is_Function):
        raise NoPolynomial
    return {frozenset({(atom, 1)}): 1}


def _sum(parts: list[Polynomial]) -> Polynomial:
    out: dict[Monomial, Expr] = {}
    for part in parts:
        for monomial, factor in part.items():
            out[monomial] = out.get(monomial, 0) + factor
    return {monomial: factor for monomial, factor in out.items() if factor}


def _product(a: Polynomial, b: Polynomial, binary: Callable[[Expr], bool]) -> Polynomial:
    parts = ({_times(p, q, binary): left * right for q, right in b.items()} for p, left in a.items())
    return _sum([*parts])


def _times(p: Monomial, q: Monomial, binary: Callable[[Expr], bool]) -> Monomial:
    powers = dict(p)
    for atom, power in q:
        powers[atom] = 1 if binary(atom) else powers.get(atom, 0) + power
    return frozenset(powers.items())
