"""Sizes as formulas: polynomials in the dims with whole coefficients, exact and printed in the author's names."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from math import gcd, lcm

from cellgen.ir.cell import Dim

Monomial = tuple[str, ...]  # the dims of a product, sorted, each as often as it is a factor


@dataclass(frozen=True, slots=True)
class Size:
    """A sum of products of dims; no term is zero, and equal sizes have equal terms."""

    terms: tuple[tuple[Monomial, int], ...] = ()

    def __add__(self, other: "Size") -> "Size":
        return _size((*self.terms, *other.terms))

    def __mul__(self, other: "Size | int") -> "Size":
        if isinstance(other, int):
            other = whole(other)
        return _size((tuple(sorted(a + b)), many * more) for a, many in self.terms for b, more in other.terms)

    __rmul__ = __mul__

    @property
    def dims(self) -> set[str]:
        return {dim for dims, _ in self.terms for dim in dims}

    def at(self, sizes: Mapping[str, int]) -> int:
        """The number it is when the dims are these."""
        total = 0
        for dims, many in self.terms:
            for dim in dims:
                many *= sizes[dim]
            total += many
        return total

    def __str__(self) -> str:
        """What all terms share stands outside: `4*units*(input + units + 1)`."""
        if not self.terms:
            return "0"
        many = reduce(gcd, (many for _, many in self.terms))
        shared = reduce(_shared, (dims for dims, _ in self.terms))
        inner = [(_without(dims, shared), part // many) for dims, part in self.terms]
        outside = _product(shared, many)
        if len(inner) == 1:
            return outside
        summed = " + ".join(_product(dims, part) for dims, part in sorted(inner, key=_rank))
        return summed if outside == "1" else f"{outside}*({summed})"


def whole(number: int) -> Size:
    return _size((((), number),))


def dim(name: str) -> Size:
    return Size((((name,), 1),))


def total(sizes: Iterable[Size]) -> Size:
    return _size(term for size in sizes for term in size.terms)


def _size(terms: Iterable[tuple[Monomial, int]]) -> Size:
    summed: dict[Monomial, int] = {}
    for dims, many in terms:
        summed[dims] = summed.get(dims, 0) + many
    return Size(tuple(sorted((dims, many) for dims, many in summed.items() if many)))


def _rank(term: tuple[Monomial, int]):
    """Terms of high degree first."""
    dims, _ = term
    return -len(dims), dims


def _shared(a: Monomial, b: Monomial) -> Monomial:
    out, rest = [], list(b)
    for dim in a:
        if dim in rest:
            rest.remove(dim)
            out.append(dim)
    return tuple(out)


def _without(dims: Monomial, shared: Monomial) -> Monomial:
    rest = list(dims)
    for dim in shared:
        rest.remove(dim)
    return tuple(rest)


def _product(dims: Monomial, many: int) -> str:
    """`4*input*units**2`."""
    powers = [dim if dims.count(dim) == 1 else f"{dim}**{dims.count(dim)}" for dim in dict.fromkeys(dims)]
    return "*".join([str(many)] * (many != 1 or not powers) + powers)


def undivided(atoms: Iterable[str | int], dims: Iterable[Dim]) -> tuple[str | int, ...]:
    """The factors of a product, where a quotient and what divides it are what was divided: `heads*key` is `units`."""
    found, quotients = list(atoms), {dim.name: dim for dim in dims if dim.kind == "quotient"}
    at = 0
    while at < len(found):
        dim = quotients.get(found[at])
        if dim is not None and dim.divisor in found:
            found[at] = dim.value
            found.remove(dim.divisor)
            at = 0  # what was divided may be a quotient too
        else:
            at += 1
    return tuple(found)


def multiples(dims: Iterable[Dim]) -> dict[str, int]:
    """What the size of each dim is to be a multiple of, so that all quotients are whole; dims that divide are 2."""
    known = {dim.name: dim for dim in dims}
    found = dict.fromkeys(known, 1)

    def divide(name: str | int, by: int) -> None:
        dim = known.get(name)
        if dim is not None and dim.kind == "quotient":
            divide(dim.value, by * (dim.divisor if isinstance(dim.divisor, int) else 2))
        elif dim is not None:
            found[name] = lcm(found[name], by)
            divide(dim.value, by)  # what it stands for, where it is not given

    for dim in known.values():
        if dim.kind == "quotient":
            divide(dim.name, 1)
    for dim in known.values():
        if dim.kind == "quotient" and dim.divisor in known:
            found[dim.divisor] = 2
    return found
