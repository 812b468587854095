"""What the names of a cell are in one variant, and how a mistake in a shape is told with both sides."""

from dataclasses import dataclass, field
from math import prod

from cellgen.diagnostics import Label, Report, Span
from cellgen.ir import (
    Algebra,
    Axis,
    Cell,
    Level,
    Node,
    Number,
    Path,
    Ref,
    Shape,
    Type,
    TypedVariant,
    Variant,
    axis_text,
    shape_text,
)


def said(shape: Shape) -> str:
    return f"`{shape_text(shape)}`"


@dataclass
class Context:
    """The types that are known so far; `infer` adds those of an expression."""

    cell: Cell
    variant: Variant
    reads: frozenset[str]  # every name that the variant reads
    dims: Algebra
    report: Report
    names: dict[str, Type | None] = field(default_factory=dict)  # None where the reason is reported
    weights: dict[str, Shape] = field(default_factory=dict)
    types: dict[Path, Type] = field(default_factory=dict)
    where: dict[str, tuple[Span, str]] = field(default_factory=dict)  # what is said of a name, and where it stands

    def __post_init__(self):
        self.carried = {
            state.name: Type(self.dims.canonical(state.shape), Level.CARRIED, state.binary)
            for state in self.cell.states
        }

    @classmethod
    def of(cls, cell: Cell, typed: TypedVariant, report: Report) -> "Context":
        """That of an expression which stands beside a program, such as a side of a law."""
        weights = {weight.name: weight.shape for weight in typed.weights}
        reads = frozenset(typed.names)
        return cls(cell, typed.variant, reads, Algebra.of(cell, typed.same), report, dict(typed.names), weights)

    def one_width(self, came: Shape, wanted: Shape) -> str:
        """A help for two shapes of which one is an input's, whose width is not known before; or an empty string."""
        inferred = {dim.name for dim in self.cell.dims if dim.kind == "inferred"}
        for mine, other in ((came, wanted), (wanted, came)):
            told = len(mine) == len(other) and not any(inferred & {*axis} for axis in other)
            for port in self.cell.inputs if told and self.cell.shown is None else ():
                new = (b if inferred & {*a} else a for a, b in zip(mine, other))
                if self.dims.canonical(port.shape) == mine and all(map(self.dims.equal, new, other)):
                    return f"if both are of one size, say so: `inputs: {{{port.name}: {shape_text(other)}}}`"
        return ""

    def twice(self, shape: Shape) -> str:
        """A help for a shape that names an axis twice, or an empty string."""
        for at, axis in enumerate(shape):
            if any(self.dims.equal(axis, other) for other in shape[:at]):
                break
        else:
            return ""
        taken = {*self.cell.names, *(dim.name for dim in self.cell.dims)}
        new = next(name for name in ("key", f"{axis_text(axis)}_out", "columns") if name not in taken)
        dim = next((dim for dim in self.cell.dims if (dim.name,) == axis), None)
        if dim is None or not new.isidentifier():
            return f"give one of the two a dim of its own, as in `dims: {{rows: {self.declared(axis)}}}`"
        size = f"{dim.value}/{dim.divisor}" if dim.kind == "quotient" else str(dim.value or dim.kind)
        same = size if dim.kind == "quotient" else dim.name
        return f"give one of the two a name of its own: `dims: {{{dim.name}: {size}, {new}: {same}}}`"

    def declared(self, axis: Axis) -> str:
        """What a dim as wide as an axis is declared as: its lanes, or `required` where they are not known here."""
        sizes = {each.name: len(each.labels) for each in self.cell.axes} | {
            dim.name: dim.value for dim in self.cell.dims
        }
        found = [sizes.get(atom, atom) for atom in axis]
        return str(prod(found)) if all(isinstance(size, int) for size in found) else "required"

    def sides(self, node: Node, text: str = "", shape: Shape | None = None) -> tuple[Label, ...]:
        """Where a value comes from, and its shape; for one without a name, where it stands."""
        if isinstance(node, Ref):
            name = f"{node.name}[t-1]" if node.ago else node.name
            if name in self.where:
                span, where = self.where[name]
                return (Label(span, text or f"`{name}` is {where}"),)
        text = text or (f"this is {said(shape)}" if shape is not None else "")
        return (Label(node.span, text),) if text and not isinstance(node, Number) else ()
