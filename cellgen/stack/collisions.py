"""Names of a stack and of its cell: each says one thing, in a layer and in the generated module.

Reports CG109 and CG112.
"""

from collections.abc import Iterator

from cellgen.diagnostics import Label, Report
from cellgen.document import StackDocument
from cellgen.ir import NEIGHBOURS, Cell, Param
from cellgen.resolve import Declared
from cellgen.stack.rename import with_dims
from cellgen.text import check


def apart(document: StackDocument, cell: Cell, outer: Declared, report: Report) -> Cell:
    """The cell, its inferred dims by names of their own where the stack has such a dim too."""
    said = document.cell.span
    outside = (*outer.inputs, *outer.options, *outer.params, *outer.dims)
    inferred = [dim.name for dim in cell.dims if dim.kind in ("inferred", "optional")]
    theirs = {each.name for each in outside}
    taken = {each.name: each for each in (*named(cell), *cell.dims)}
    for each in outside:
        check(each.name, each.span or document.stack.span, report, stack=True)
    for each in (*cell.options, *(dim for dim in cell.dims if dim.name not in inferred)):
        check(each.name, said, report, stack=True)
    made = {f"outer_{port.name}" for port in outer.inputs} | {f"own_{name}" for name in inferred}
    made |= {f"{neighbour}_{name}" for neighbour in NEIGHBOURS for name in taken}
    for name in sorted(made & {*taken, *theirs}):
        help = "give it another name in the cell, or in the stack"
        report.add("CG109", f"`{name}` is what a layer calls a value of its own", said, help=help)
    if document.stack.value == f"{cell.name}State":
        message = f"`{document.stack.value}` is what the state of a layer is called"
        report.add("CG112", message, document.stack.span, help="give the stack another name")
    kept = {*inferred, *(port.name for port in cell.inputs)}
    written = [dim for dim in outer.dims if dim.name in document.dims]
    for each in (*outer.options, *outer.params, *outer.inputs, *written):
        if each.name in taken.keys() - (kept if each in (*outer.inputs, *written) else set()):
            message = f"`{each.name}` is declared in the cell `{cell.stem}` already"
            context = [Label(taken[each.name].span, "here")] if taken[each.name].span else []
            report.add("CG112", message, each.span, context=context, help="give one of the two another name")
    return with_dims(cell, {name: f"own_{name}" for name in inferred if name in theirs})


def named(cell: Cell) -> Iterator:
    """All that a cell names, but for its dims."""
    yield from (*cell.options, *cell.inputs, *cell.states, *cell.params, *cell.norms)
    yield from (Param(each.name, None, (), True, each.name_span) for each in cell.equations)
