"""The sugar `z: [gates, units] = affine(x, h[t-1])`, spelled out as `x @ kernel + h[t-1] @ recurrent_kernel + bias`."""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

from cellgen.diagnostics import Label, Refused, Report, nearest
from cellgen.ir import Apply, Choose, Given, Initialiser, Node, Number, Param, Ref, Shape
from cellgen.resolve.declarations import Declared
from cellgen.text import Call, Statement, parts

KERNELS = (("kernel", "glorot_uniform"), ("recurrent_kernel", "orthogonal"))


def affine(
    statements: tuple[Statement, ...], declared: Declared, report: Report
) -> tuple[tuple[Statement, ...], Declared]:
    """The statements without `affine`, and with them the parameters that it declares (CG112, CG205, CG215)."""
    shapes = {each.name: each.shape for each in (*declared.inputs, *declared.states)}
    known = declared.where.keys() | {statement.name for statement in statements}
    out, new = [], None
    for statement in statements:
        call = next((node for node in _calls(statement.value) if node.name == "affine"), None)
        if call is not None:
            try:
                if new is not None:
                    help = "write the second one out: `x @ W + b`, with `W` and `b` under `params:`"
                    report.refuse("CG215", "`affine` stands once", call.span, help=help)
                _check(statement, call, shapes, known, report)
            except Refused:
                pass
            else:
                statement, new = _spelled(statement, call), _params(statement, call, shapes)
                _refuse_taken(new, call, declared, report)
        out.append(statement)
    return tuple(out), _declaring(declared, new or ())


def _calls(node) -> Iterator[Call]:
    if isinstance(node, Call):
        yield node
    for part in parts(node) if node is not None else ():
        yield from _calls(part)


def _check(statement: Statement, call: Call, shapes: dict[str, Shape], known: set[str], report: Report) -> None:
    """Raises `Refused` where this is no `affine`."""

    def refuse(message, span, help):
        report.refuse("CG215", message, span, help=help)

    if call is not statement.value:
        refuse(
            "`affine` stands alone on the right of `=`",
            call.span,
            "give it a name and a shape: `z: [gates, units] = affine(x, h[t-1])`",
        )
    if not statement.annotation:
        value = statement.text.split("=", 1)[1].strip()
        refuse("`affine` needs its width", statement.name_span, f"write `{statement.name}: [units] = {value}`")
    if len(call.args) not in (1, 2):
        refuse(
            f"`affine` takes one or two values, not {len(call.args)}",
            call.span,
            "write the matmuls out, with their weights under `params:`: `x @ W + h[t-1] @ U + b`",
        )
    for arg in call.args:
        if isinstance(arg, Ref) and len(shapes.get(arg.name, ())) == 1:
            continue
        if isinstance(arg, Ref) and arg.name not in known:
            report.refuse("CG205", f"unknown name `{arg.name}`", arg.span, help=nearest(arg.name, shapes))
        refuse(
            "`affine` takes inputs and states with one axis",
            arg.span,
            "write the matmul out, with its weight under `params:`",
        )
    if any(not _is_test(value) for _, value, _ in call.attrs):
        refuse("`bias` takes an option", call.attrs[0][2], "write `bias=use_bias`, and `options: {use_bias: true}`")
    for name, _, span in call.attrs:
        if name != "bias":
            refuse(f"`affine` has no keyword `{name}`", span, "there is `bias=`")


def _is_test(value) -> bool:
    """Whether the value of a keyword can be one: a name is read as an axis at first."""
    if isinstance(value, tuple):
        return len(value) == 1 and isinstance(value[0], str)
    return not isinstance(value, Fraction)


def _spelled(statement: Statement, call: Call) -> Statement:
    where, name_span = call.span, call.name_span
    value = None
    for arg, (name, _) in zip(call.args, KERNELS):
        product = Apply("matmul", (arg, Ref(name, 0, name_span)), (), arg.span)
        value = product if value is None else Apply("add", (value, product), (), where)
    bias: Node = Ref("bias", 0, name_span)
    if call.attrs:
        _, test, span = call.attrs[0]
        test = Given(test[0], span) if isinstance(test, tuple) else test
        bias = Choose(test, bias, Number(Fraction(0), where), where)
    return replace(statement, value=Apply("add", (value, bias), (), where))


def _params(statement: Statement, call: Call, shapes: dict[str, Shape]) -> tuple[Param, ...]:
    width = tuple(atom for axis in statement.annotation for atom in axis)

    def param(name: str, shape: Shape, init: str) -> Param:
        return Param(name, shape, ((None, Initialiser(init)),), True, call.name_span, call.name_span)

    kernels = (param(name, (*shapes[arg.name], width), init) for arg, (name, init) in zip(call.args, KERNELS))
    return (*kernels, param("bias", (width,), "zeros"))


def _refuse_taken(new: tuple[Param, ...], call: Call, declared: Declared, report: Report) -> None:
    params = {param.name for param in declared.params}
    for param in new:
        if param.name not in params and param.name in declared.where:
            report.add(
                "CG112",
                f"`affine` declares `{param.name}`, which is something else here",
                call.span,
                context=[Label(declared.where[param.name], "here")],
                help="give that another name, or write the matmul out",
            )


def _declaring(declared: Declared, new: tuple[Param, ...]) -> Declared:
    """With the parameters first; one that the spec declares itself stands as it is."""
    params = {param.name for param in declared.params}
    new = tuple(param for param in new if param.name not in params)
    where = {**{param.name: param.span for param in new}, **declared.where}
    return replace(declared, params=(*new, *declared.params), where=where)
