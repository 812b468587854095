"""What a stack's `layers:` says: how its constructor is told the number of its layers, and their sizes."""

from cellgen.diagnostics import Label, Report, nearest
from cellgen.document import StackDocument
from cellgen.ir import Cell
from cellgen.text import Scalar, check

_LAYERS = "`layers: units` takes `units=[64, 32]`, a size a layer; `layers: depth` takes `depth=2`, all of one size"


def layers(document: StackDocument, cell: Cell, taken: set[str], report: Report) -> tuple[tuple[str, ...], str]:
    """The dims with a size a layer; or the name of the argument that says how many layers there are."""
    written = document.layers
    names = written if isinstance(written, list) else [written]
    dims = {dim.name: dim for dim in cell.dims}
    for each in names:
        if not isinstance(each, Scalar) or not isinstance(each.value, str):
            span = each.span if isinstance(each, Scalar) else document.stack.span
            report.add("CG106", "`layers` is a name, or a list of dims of the cell", span, help=_LAYERS)
            return (), "layers"
    if not names:
        report.add("CG106", "`layers` is empty", document.stack.span, help=_LAYERS)
    if len(names) == 1 and names[0].value not in dims:
        name = names[0].value
        if name in taken:
            report.add("CG112", f"`{name}` is declared already", names[0].span, help=_LAYERS)
        elif name != "depth":
            check(name, names[0].span, report, attribute=True, stack=True)
        return (), name
    for at, each in enumerate(names):
        if each.value in [other.value for other in names[:at]]:
            report.add("CG112", f"`{each.value}` stands twice", each.span, help=_LAYERS)
        if each.value not in dims or dims[each.value].kind != "required":
            known = [dim.name for dim in cell.dims if dim.kind == "required"]
            message = f"`{each.value}` is no dim of the cell `{cell.stem}` that its layer asks for"
            report.add("CG205", message, each.span, help=nearest(each.value, known) or _LAYERS)
    for dim in dims.values():
        if dim.kind in ("alias", "quotient") and {dim.value, dim.divisor} & {each.value for each in names}:
            message = f"`{dim.name}` follows from `{dim.value}`, so its layers cannot have sizes of their own"
            help = "`layers: depth` makes them all of one size"
            report.add("CG601", message, names[0].span, context=[Label(dim.span, "here")], help=help)
    return tuple(str(each.value) for each in names), ""
