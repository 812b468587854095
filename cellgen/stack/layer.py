"""A stack between the stages: one layer as a cell that sees its neighbours, and what is made of all of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from cellgen.diagnostics import Source, Span
from cellgen.ir import Cell, Dim, Equation, Input, Option, TypedCell, Variant
from cellgen.shapes import shapes
from cellgen.stack.readout import Readout

ROLES: Mapping[str, Variant] = {  # which neighbours a layer has
    "first": {"below": False, "above": True},
    "inner": {"below": True, "above": True},
    "last": {"below": True, "above": False},
    "only": {"below": False, "above": False},
}


def role(variant: Variant) -> str:
    """The roles in which a layer is of this variant: some tests ask for one neighbour only, or for none."""
    fits = [
        name
        for name, neighbours in ROLES.items()
        if all(variant.get(each, is_there) == is_there for each, is_there in neighbours.items())
    ]
    return ", ".join(fits)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a port of the layer is in a stack: a name of a neighbour's, this step's (`ago=0`) or the last."""

    port: str
    neighbour: str  # below, above
    name: str
    ago: int
    span: Span = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Stack:
    """A resolved stack.

    cell: the layer's, as its own spec says. layer: the same with the wiring's equations in front and a port for
    everything that it reads of a neighbour. sizes: the dims given as lists, one size a layer; if there are none,
    `depth` is the argument that says how many layers there are. dims, inputs, options: the stack's own and those of the
    cell that are not wired. settled: the lines of the wiring that choose options. readings: what is read of neighbours.
    """

    name: str
    stem: str
    source: Source
    about: str
    family: str
    papers: tuple[str, ...]
    cell: Cell
    layer: Cell
    sizes: tuple[str, ...]
    depth: str
    dims: tuple[Dim, ...]
    inputs: tuple[Input, ...]
    options: tuple[Option, ...]
    wiring: tuple[Equation, ...]
    settled: tuple[str, ...]
    readings: tuple[Reading, ...]
    cell_span: Span = field(compare=False, repr=False)
    readout: Readout | None
    output: str  # of the readout, else the name of the last layer's

    @cached_property
    def typed_layer(self) -> TypedCell:
        """The layer in every role. Raises `SpecError`."""
        return shapes(self.layer)

    @cached_property
    def unrolled(self) -> dict[int, TypedCell]:
        """The stack of so many layers as one cell, where it was asked for (`unrolled`)."""
        return {}

    @property
    def outer(self) -> Mapping[str, str]:
        """The stack's inputs by the names they have in a layer."""
        return dict(zip((port.name for port in self.layer.inputs), (port.name for port in self.inputs)))

    def reads(self, variant: Variant) -> Iterator[Reading]:
        return (each for each in self.readings if variant.get(each.neighbour, True))
