"""Text to nodes. Every text of a spec goes through the standard library's `ast` with a whitelist; nothing is executed.

Input: the `Scalar` of a section. Output: `Statement`s, `Axis`es and initialisers, whose names are not looked up yet.
Bounds: 256 equations with 4,000 names and operations.
"""

import ast
import re
from dataclasses import dataclass, field

from cellgen.diagnostics import Refused, Report, Span
from cellgen.ir import Axis, EitherInitialiser, Initialiser, Node, Number, Shape
from cellgen.text.expressions import INSTEAD, MAX_DEPTH, SIGNS, Call, Reader, parts
from cellgen.text.logical_lines import Line, each, is_plain, lines
from cellgen.text.yaml_tree import Scalar

MAX_STATEMENTS = 256
MAX_SIZE = 4_000  # of all equations, in names and operations


@dataclass(frozen=True, slots=True)
class Statement:
    """`name: annotation = value`, as written. `value` is None for `name = none`, which deletes an inherited one."""

    name: str
    annotation: Shape | None
    value: "Node | Call | None"
    text: str
    span: Span = field(default=None, compare=False, repr=False)
    name_span: Span = field(default=None, compare=False, repr=False)
    annotation_span: Span = field(default=None, compare=False, repr=False)


def equations(scalar: Scalar, report: Report) -> tuple[Statement, ...]:
    """The statements of `equations:`; lines that are none are reported (CG108, CG109, CG201 to CG204, CG214, CG216)."""
    found, size = [], 0
    for statement in each(lines(scalar, report, "equation", MAX_STATEMENTS), _statement, report):
        size += 0 if statement.value is None else _size(statement.value)
        if size > MAX_SIZE:
            help = "split the spec: one cell has at most a few hundred"
            report.add("CG108", f"more than {MAX_SIZE:,} names and operations", statement.name_span, help=help)
            break
        found.append(statement)
    return tuple(found)


def _size(node: "Node | Call") -> int:
    return 1 + sum(map(_size, parts(node)))


def axis(scalar: Scalar, report: Report) -> Axis | None:
    """A dim or a product of dims, `gates*units`; None if it was reported."""
    return _expression(scalar, report, Reader.axis, "dim")


def initialiser(scalar: Scalar, report: Report) -> Initialiser | EitherInitialiser | None:
    """`zeros`, `uniform(-1, 1)`, a number, or `ones if OPTION else zeros`; None if it was reported."""
    return _expression(scalar, report, _initialiser, "initialiser")


def _expression(scalar: Scalar, report: Report, read, what: str):
    """What `read` makes of a text that is one expression."""
    line = Line(scalar.lines)
    try:
        if is_plain(line, report):
            reader = Reader(line, report)
            return read(reader, reader.tree("eval", what).body)
    except Refused:
        pass
    return None


def _statement(line: Line, report: Report) -> Statement:
    reader = Reader(line, report)
    if re.match(r"for\b", line.text):
        reader.refuse(
            "CG202",
            "`for` is not part of this version of the language",
            line.span,
            help="write the micro-steps out: `s1 = ...`, `s2 = ...`",
        )
    body = reader.tree("exec").body
    if line.text.rstrip().endswith(";"):
        at = len(line.text.rstrip()) - 1
        reader.refuse("CG202", "`;` has no meaning here", line.at(at, at + 1), help="an equation ends with its line")
    if len(body) != 1:
        reader.refuse(
            "CG202",
            "one equation a line",
            reader.span(body[1]),
            "a second one",
            help="put each on a line of its own, without `;`",
        )
    match body[0]:
        case ast.Assign(targets=[ast.Name() as target], value=node):
            annotation = annotation_span = None
        case ast.AnnAssign(target=ast.Name() as target, annotation=shape, value=node, simple=1) if node is not None:
            annotation, annotation_span = reader.shape(shape), reader.span(shape)
        case ast.Assign(targets=targets) if len(targets) > 1 or isinstance(targets[0], ast.Tuple):
            reader.refuse("CG202", "an equation defines one name", line.span, help="write one equation for each name")
        case ast.Assign(targets=[target]):
            reader.refuse(
                "CG202",
                "on the left of `=` stands a name",
                reader.span(target),
                help=f"this step's value is the bare name: `{target.value.id} = ...`"
                if isinstance(target, ast.Subscript) and isinstance(target.value, ast.Name)
                else "give the value a name of its own: `name = ...`",
            )
        case ast.AugAssign(target=ast.Name(id=name), op=op, value=node) if type(op) in SIGNS:
            reader.refuse(
                "CG202",
                "an equation is `name = value`",
                line.span,
                help=f"write `{name} = {name}[t-1] {SIGNS[type(op)]} {reader.source(node)}`",
            )
        case ast.AnnAssign(target=ast.Name()):
            reader.refuse("CG202", "an equation has a value", line.span, help=f"write `{line.text} = ...`")
        case ast.If():
            reader.refuse(
                "CG202",
                "an equation does not start with `if`",
                reader.start_of(2),
                help=(
                    "a choice on an option is `h = a if option else b`",
                    "a choice on data is `h = where(x > 0, a, b)`",
                ),
            )
        case ast.Expr(value=ast.Compare(ops=[ast.Eq()])):
            reader.refuse("CG202", "an equation has one `=`", line.span, help="a claim with `==` stands under `laws:`")
        case _:
            reader.refuse(
                "CG202", "an equation is `name = value`", line.span, help="a spec holds equations and no Python"
            )
    name, name_span = reader.name(target), reader.span(target)
    if isinstance(node, ast.Name) and node.id == "none":
        return Statement(name, None, None, line.text, line.span, name_span, None)
    return Statement(name, annotation, reader.value(node), line.text, line.span, name_span, annotation_span)


def _initialiser(reader: Reader, node, level: int = 1) -> Initialiser | EitherInitialiser:
    match node:
        case ast.IfExp(test=test, body=a, orelse=b) if level <= MAX_DEPTH:
            return EitherInitialiser(
                reader.test(test), _initialiser(reader, a, level + 1), _initialiser(reader, b, level + 1)
            )
        case ast.Name(id=name):
            return Initialiser(name)
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]):
            values = [reader.value(arg) for arg in args]
            if all(isinstance(value, Number) for value in values):
                return Initialiser(name, tuple(value.value for value in values))
        case ast.Constant() | ast.UnaryOp(op=ast.USub(), operand=ast.Constant()):
            return Initialiser("constant", (reader.value(node).value,))
    reader.refuse("CG202", "this is no initialiser", reader.span(node), help=INSTEAD["initialiser"])
