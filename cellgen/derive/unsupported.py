"""What the language has and the interpreter runs, but no code is generated for yet."""

from cellgen.diagnostics import Diagnostic, Report
from cellgen.ir import Dim, Input, TypedCell, axis_text
from cellgen.stack import Stack


def refuse(typed: TypedCell) -> None:
    """Raises `SpecError` (CG601) with everything in the cell that cannot be generated."""
    report = _sizes_of(typed)
    report.stop()


def refused(typed: TypedCell, stack: Stack | None = None) -> tuple[Diagnostic, ...]:
    """What `refuse` and `refuse_stack` would raise."""
    return (*(_inputs_of(stack).diagnostics if stack else ()), *_sizes_of(typed).diagnostics)


def _sizes_of(typed: TypedCell) -> Report:
    report = Report()
    if typed.cell.shown is None:  # the sizes of a layer are those of the ones below it
        _sizes(typed.cell.inputs, typed.cell.dims, report)
    return report


def refuse_stack(stack: Stack) -> None:
    """Raises `SpecError` (CG601) with what no stack can be generated with."""
    _inputs_of(stack).stop()


def _inputs_of(stack: Stack) -> Report:
    report = Report()
    for port in stack.inputs[1:]:
        if port.optional:
            help = "say what it is where it is not given: `default: 0`"
            message = f"no code is generated for an optional input of a stack, `{port.name}`"
            report.add("CG601", message, port.span, help=help)
    _sizes(stack.inputs, stack.dims, report)
    return report


def _sizes(inputs: tuple[Input, ...], dims: tuple[Dim, ...], report: Report) -> None:
    """A size that comes with an input is the size of one of its axes, and comes."""
    inferred = [dim.name for dim in dims if dim.kind == "inferred"]
    for port in inputs[1:]:
        others = {atom for each in inputs if each is not port for axis in each.shape for atom in axis}
        if port.default is not None and not port.inner:
            for name in inferred:
                if name not in others and name in {atom for axis in port.shape for atom in axis}:
                    help = f"where it is not given nobody says it: write `dims: {{{name}: required}}`"
                    message = f"no code is generated for `{port.name}`, which has a default and no known size"
                    report.add("CG601", message, port.span, help=help)
    alone = {axis[0] for each in inputs for axis in each.shape if len(axis) == 1}
    for at, port in enumerate(inputs):
        for axis in port.shape:
            if len(axis) > 1 and {*inferred} & {*axis} - (alone if at else set()):
                message = f"no code is generated for an inferred dim in a product, `{axis_text(axis)}`"
                help = "give the input one axis for each of its dims, or make them `required`"
                report.add("CG601", message, port.span, help=help)
