"""What the names of a cell are in one variant, and how a mistake in a shape is told with both sides."""

from dataclasses import dataclass, field

from cellgen.algebra import Algebra
from cellgen.cell import Cell, Level, Type, TypedVariant
from cellgen.diagnostics import Label, Report
from cellgen.expr import Node, Number, Path, Ref, Shape, Variant, shape_text
from cellgen.span import Span


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

    def sides(self, node: Node, text: str = "", shape: Shape | None = None) -> tuple[Label, ...]:
        """Where a value comes from, and its shape; for one without a name, where it stands."""
        if isinstance(node, Ref):
            name = f"{node.name}[t-1]" if node.ago else node.name
            if name in self.where:
                span, where = self.where[name]
                return (Label(span, text or f"`{name}` is {where}"),)
        text = text or (f"this is {said(shape)}" if shape is not None else "")
        return (Label(node.span, text),) if text and not isinstance(node, Number) else ()
