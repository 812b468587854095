"""What a law says of a cell: a claim, and the facts and choices under which it holds."""

from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING

from cellgen.diagnostics import Span
from cellgen.ir.expr import Node, Ref, Test

if TYPE_CHECKING:
    from cellgen.ir.cell import Cell


@dataclass(frozen=True, slots=True)
class Equal:
    a: Node
    b: Node


@dataclass(frozen=True, slots=True)
class Within:
    """`value in [low, high]`; a bound is None where there is none, and open where `(` or `)` was written."""

    value: Node
    low: Node | None
    high: Node | None
    low_open: bool
    high_open: bool


@dataclass(frozen=True, slots=True)
class FreeOf:
    """`value free of c[t-1]`, or of an input or a parameter."""

    value: Node
    of: Ref


@dataclass(frozen=True, slots=True)
class ReducesTo:
    """`reduces to STEM with ours = theirs, option = value, ...`: `other` is that spec, resolved without its laws."""

    stem: str
    other: "Cell"
    renames: tuple[tuple[str, str], ...]  # (our name, theirs): states, labels, parameters or labels of one, equations
    settings: tuple[tuple[str, bool | Fraction | str | None], ...]  # our options and parameters, set
    theirs: tuple[tuple[str, bool | Fraction | str | None], ...] = ()  # those of the other cell
    negated: frozenset[str] = frozenset()  # of their names in `renames`, those that are ours with the sign turned


@dataclass(frozen=True, slots=True)
class Fact:
    """`name == value`; the name is a Ref, or a Pick of one. An expression as value does not come from the name."""

    name: Node
    value: Fraction | str | Node
    span: Span = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Law:
    claim: Equal | Within | FreeOf | ReducesTo
    facts: tuple[Fact, ...]
    text: str
    span: Span = field(default=None, compare=False, repr=False)
    tests: tuple[Test, ...] = ()  # of the variants that it speaks of
    choices: tuple[tuple[str, str], ...] = ()  # what options choose, of activations
