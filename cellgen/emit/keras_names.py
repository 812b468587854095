"""The keywords of Keras's own layers that a generated one takes besides those that all take.

What changes nothing is let pass, so that a layer can stand where Keras's stood; of the rest it is said what to use.
"""

from collections.abc import Iterator

from cellgen.emit.records import KeywordView
from cellgen.ir import Apply, Cell, Ref, walk


def keywords(cell: Cell) -> Iterator[KeywordView]:
    """Where a cell is like a GRU, whether the product of the state is taken before it is reset."""
    before = _resets_before(cell)
    if before is not None:
        other = "gru" if before else "gru_reset_before"
        wanted = f"{not before} here. The other is in the spec `{other}`"
        yield KeywordView("reset_after", f"({not before},)", wanted)


def _resets_before(cell: Cell) -> bool | None:
    """Of a cell like a GRU (one state, three labels, Keras's weights), whether a product of the state is multiplied."""
    weights = {param.name for param in cell.params}
    if (
        len(cell.states) != 1
        or {"kernel", "recurrent_kernel"} - weights
        or [3] != [len(a.labels) for a in cell.axes if len(a.labels) > 2]
    ):
        return None
    state = cell.states[0].name
    operands = [
        node.args[0]
        for equation in cell.equations
        for _, node in walk(equation.value)
        if isinstance(node, Apply) and node.op == "matmul"
    ]
    if not operands:  # of pictures: Keras has no such layer
        return None
    return any(
        isinstance(node, Apply)
        and node.op == "mul"
        and any(isinstance(arg, Ref) and arg.name == state for arg in node.args)
        for operand in operands
        for _, node in walk(operand)
    )
