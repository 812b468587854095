"""Text to nodes. Every text of a spec goes through the standard library's `ast` with a whitelist; nothing is executed.

Input: the `Scalar` of a section. Output: `Statement`s, `Axis`es and initial values, whose names are not looked up yet.
Bounds: 256 equations with 4,000 names and operations, also counting every micro-step of a loop.
"""

import ast
import re
from dataclasses import dataclass, field, replace

from cellgen.diagnostics import Refused, Report, Span
from cellgen.ir import Axis, Node, Shape
from cellgen.text import names
from cellgen.text.expressions import MAX_LABELS, SIGNS, Call, Reader, parts
from cellgen.text.logical_lines import Line, is_plain, lines
from cellgen.text.yaml_tree import Scalar

MAX_STATEMENTS = 256
MAX_SIZE = 4_000  # of all equations, in names and operations
MAX_INITIAL = 64  # of an initial value


@dataclass(frozen=True, slots=True, eq=False)
class Loop:
    """`for k in count:`, the line above the equations of a micro-step. count: a number, or the name of an axis."""

    name: str
    count: int | str
    line: Line
    name_span: Span
    count_span: Span


@dataclass(frozen=True, slots=True)
class Statement:
    """`name: annotation = value`, as written. `value` is None for `name = none`, which deletes an inherited one.

    starts: it is `name[0] = value`, what the micro-steps of `name` start from. loop: in which the equation stands.
    """

    name: str
    annotation: Shape | None
    value: "Node | Call | None"
    text: str
    span: Span = field(default=None, compare=False, repr=False)
    name_span: Span = field(default=None, compare=False, repr=False)
    annotation_span: Span = field(default=None, compare=False, repr=False)
    starts: bool = False
    loop: Loop | None = field(default=None, compare=False, repr=False)
    line: Line | None = field(default=None, compare=False, repr=False)

    @property
    def left(self) -> str:
        """What it defines: `s`, or `s[0]`."""
        return f"{self.name}[0]" if self.starts else self.name


def equations(scalar: Scalar, report: Report) -> tuple[Statement, ...]:
    """The statements of `equations:`; lines that are none are reported (CG108, CG109, CG201 to CG204, CG214, CG216,
    CG220).
    """
    found, loop, every = [], None, lines(scalar, report, "equation", MAX_STATEMENTS)
    for line, below in zip(every, [*every[1:], None]):
        if loop is not None and line.indent <= loop.line.indent:
            loop = None
        try:
            if not re.match(r"for\b", line.text):
                found.append(replace(_statement(line, report), loop=loop, line=line))
                continue
            if loop is not None:
                help = "write the inner one out, or as a loop of its own above"
                report.refuse("CG220", "a loop inside a loop", line.span, help=help)
            loop = _loop(line, report)
            if below is None or below.indent <= line.indent:
                help = "the equations of a micro-step stand below it, further right"
                report.refuse("CG220", "a loop without equations", line.span, help=help)
        except Refused:
            pass
    return within(tuple(found), report)


def within(statements: tuple[Statement, ...], report: Report) -> tuple[Statement, ...]:
    """Those that the bounds leave, so many equations of so many names and operations (CG108)."""
    size = 0
    for index, statement in enumerate(statements):
        size += size_of(statement)
        many = "equations" if index == MAX_STATEMENTS else ""
        many = f"{MAX_SIZE:,} names and operations" if size > MAX_SIZE else many and f"{MAX_STATEMENTS} {many}"
        if many:
            help = "split the spec: one cell has at most a few hundred"
            if statement.loop is not None:
                help = "each micro-step counts: take fewer, or put what all have in common above the loop"
            report.add("CG108", f"more than {many}", statement.name_span, help=help)
            return statements[:index]
    return statements


_FOR = re.compile(r"for\s+([A-Za-z]\w*)\s+in\s+(\w+)\s*:")


def _loop(line: Line, report: Report) -> Loop:
    """`for k in depth:` or `for k in 3:`."""
    found = _FOR.fullmatch(line.text)
    if not found:
        counted = re.match(r"for\s+(\w+)\s+in\s+range\((?:1\s*,\s*)?(\w+)(?:\s*\+\s*1)?\)", line.text)
        help = "write `for k in depth:`, or `for k in 3:`; the equations of a micro-step stand below it, further right"
        if counted:
            help = f"write `for {counted[1]} in {counted[2]}:`: micro-steps are counted from 1"
        report.refuse("CG220", "this is no loop", line.span, help=help)
    name, count = found[1], found[2]
    spans = line.at(*found.span(1)), line.at(*found.span(2))
    names.check(name, spans[0], report)
    if name == "t":
        help = f"`t` is the step: write `for k in {count}:`"
        report.refuse("CG220", "micro-steps are not counted by `t`", spans[0], help=help)
    if count[0].isdecimal():
        if not count.isdecimal() or not 1 <= int(count[:9]) <= MAX_LABELS:
            message = f"`{count}` micro-steps; a step has 1 to {MAX_LABELS}"
            report.refuse("CG220", message, spans[1])
        return Loop(name, int(count), line, *spans)
    return Loop(name, count, line, *spans)


def size_of(statement: Statement) -> int:
    """How many names and operations it has."""
    return 0 if statement.value is None else _size(statement.value)


def _size(node: "Node | Call") -> int:
    return 1 + sum(map(_size, parts(node)))


def axis(scalar: Scalar, report: Report) -> Axis | None:
    """A dim or a product of dims, `gates*units`; None if it was reported."""
    return _expression(scalar, report, Reader.axis, "dim")


def initial_value(scalar: Scalar, report: Report) -> "Node | Call | None":
    """What an `init:` says: `zeros`, `uniform(-1, 1)`, `-b_f`, `ones if OPTION else zeros`; None if it was reported."""
    return _expression(scalar, report, _bounded, "initialiser")


def _bounded(reader: Reader, node) -> "Node | Call":
    value = reader.value(node)
    if _size(value) > MAX_INITIAL:
        reader.refuse("CG108", f"more than {MAX_INITIAL} names and operations", reader.span(node))
    return value


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
    starts, annotation, annotation_span = False, None, None
    match body[0]:
        case ast.Assign(targets=[ast.Name() as target], value=node):
            pass
        case ast.Assign(targets=[ast.Subscript(value=ast.Name() as target, slice=ast.Constant(value=0))], value=node):
            starts = True
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
    name, name_span = reader.name(target), reader.span(body[0].targets[0] if starts else target)
    if isinstance(node, ast.Name) and node.id == "none":
        return Statement(name, None, None, line.text, line.span, name_span, None, starts)
    value = reader.value(node)
    return Statement(name, annotation, value, line.text, line.span, name_span, annotation_span, starts)
