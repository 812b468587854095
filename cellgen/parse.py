"""Text to nodes. Equations, laws, shapes and initialisers go through the standard library's `ast` with a whitelist;
nothing is ever executed.

Input: the `Scalar` of a section. Output: `Statement`s, `LawText`s, `Axis`es, initialisers; names are not looked up
yet, and a call is a `Call` until `resolve` knows what it calls. Bounds: 2,000 characters an equation, 64 levels of
operations, 256 equations with 4,000 names and operations, 64 laws, names of 48 characters.
"""

import ast
import math
import re
import unicodedata
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

from cellgen.cell import EitherInitialiser, Initialiser
from cellgen.diagnostics import Report
from cellgen.expr import (
    Apply,
    Axis,
    Both,
    Choose,
    Either,
    Given,
    Is,
    Node,
    Not,
    Number,
    Pick,
    Ref,
    Shape,
    Test,
    children,
)
from cellgen.load import Scalar
from cellgen.ops import WRITTEN
from cellgen.span import Span
from cellgen.syntax import mistake

MAX_LENGTH = 2_000
MAX_DEPTH = 64
MAX_STATEMENTS = 256
MAX_LAWS = 64
MAX_NAME = 48
MAX_SIZE = 4_000  # of all equations, in names and operations
MAX_RANK = 6
MAX_FACTORS = 16
MAX_DIM = 1_000_000

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
ACCENTS = {"CIRCUMFLEX": "hat", "TILDE": "tilde", "MACRON": "bar", "DOT ABOVE": "dot"}
STARTS = re.compile(r"[A-Za-z]\w*\s*(:[^=]*)?=(?!=)")  # what an equation starts with
NUMBER = re.compile(r"(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?")

BINARY = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div", ast.MatMult: "matmul", ast.Pow: "pow"}
SIGNS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.MatMult: "@", ast.Pow: "**"}
COMPARE = {ast.Lt: "less", ast.LtE: "less_equal", ast.Gt: "greater", ast.GtE: "greater_equal"}
ASCII = {
    "\u2019": "_new",
    "\u00d7": "*",
    "\u22c5": "*",
    "\u00b7": "*",
    "\u2299": "*",
    "\u2218": "*",
    "\u2217": "*",
    "\u2212": "-",
    "\u2013": "-",
    "\u2014": "-",
    "\u03c3": "sigmoid",
    "\u2264": "<=",
    "\u2265": ">=",
    "\u2032": "_new",
}


@dataclass(frozen=True, slots=True)
class Call:
    """`name(args, key=value)` before it is known what `name` is. A value of `attrs` is an Axis, a Number or a Test."""

    name: str
    args: tuple["Node | Call", ...]
    attrs: tuple[tuple[str, object, Span], ...] = ()
    span: Span = field(default=None, compare=False, repr=False)
    name_span: Span = field(default=None, compare=False, repr=False)


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


@dataclass(frozen=True, slots=True)
class Bounds:
    """`[low, high]` or `(low, high)`, mixed brackets included; an infinite bound is None."""

    low: Node | None
    high: Node | None
    low_open: bool
    high_open: bool


@dataclass(frozen=True, slots=True)
class LawText:
    """A law whose names are not looked up. kind: `equal`, `within`, `free` or `reduces`."""

    kind: str
    a: "Node | Call | str"
    b: "Node | Call | Bounds | tuple"
    facts: tuple[tuple[Node, Fraction, Span], ...]
    text: str
    span: Span


class _Refused(Exception):
    """The line is reported already."""


# --- lines ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Line:
    """A logical line: the pieces of text between which a bracket is open, comments cut off, and where each stands."""

    pieces: tuple[tuple[str, Span], ...]

    @property
    def text(self) -> str:
        return "\n".join(text for text, _ in self.pieces)

    @property
    def span(self) -> Span:
        return self.pieces[0][1].to(self.pieces[-1][1])

    def at(self, start: int, end: int) -> Span:
        """The span of the characters `start` to `end` of `text`."""
        return self._point(start).to(self._point(max(start, end - 1)))

    def _point(self, offset: int) -> Span:
        for text, span in self.pieces:  # noqa: B007
            if offset <= len(text):
                break
            offset -= len(text) + 1
        if span.end - span.start < len(text):  # the columns of an escaped text cannot be told
            return span
        return Span(span.source, span.start + offset, min(span.start + offset + 1, span.source.text.__len__()))


def lines(scalar: Scalar, report: Report, what: str, most: int) -> list[Line]:
    """The logical lines of a text, without empty ones; those with a character outside ASCII are reported."""
    found, pieces, depth = [], [], 0
    for text, span in scalar.lines:
        code = text.split("#", 1)[0].rstrip()
        lead = len(code) - len(code.lstrip())
        code = code.lstrip()
        if not code:
            continue
        if depth > 0 and STARTS.match(code) and pieces[-1][0][-1] not in ",([{":
            # a bracket left open does not swallow the equations below it
            found.append(Line(tuple(pieces)))
            pieces, depth = [], 0
        exact = span.end - span.start >= len(text)
        where = Span(span.source, span.start + lead, span.start + lead + len(code)) if exact else span
        pieces.append((code, where))
        depth += sum(code.count(char) for char in "([{") - sum(code.count(char) for char in ")]}")
        if depth <= 0 or what == "law":
            found.append(Line(tuple(pieces)))
            pieces, depth = [], 0
    if pieces:
        found.append(Line(tuple(pieces)))
    if len(found) > most:
        report.add("CG108", f"more than {most} {what}s", found[most].span)
        return []
    return [line for line in found if _plain(line, report)]


def _plain(line: Line, report: Report) -> bool:
    text = line.text
    if len(text) > MAX_LENGTH:
        report.add(
            "CG108",
            f"a line of {len(text)} characters; at most {MAX_LENGTH}",
            line.pieces[0][1],
            help="name a part of it in an equation of its own",
        )
        return False
    strange = {}
    for offset, char in enumerate(text):
        if not (char.isascii() and (char.isprintable() or char in "\n\t")):
            strange.setdefault(char, offset)
    for char, offset in strange.items():
        report.add(
            "CG203",
            f"`{char}` is not ASCII" if char.isprintable() else "an invisible character",
            line.at(offset, offset + 1),
            f"U+{ord(char):04X}",
            help=_ascii(char),
        )
    return not strange


def _ascii(char: str) -> str:
    """What to write for a character outside ASCII."""
    if not char.isprintable():
        return "delete it: it may come with text that is copied"
    name = unicodedata.name(char, "")
    if "SUBSCRIPT" in name:
        return "this step's value is the bare name, the last one `c[t-1]`"
    greek = re.fullmatch(r"GREEK (?:SMALL|CAPITAL) LETTER ([A-Z]+)", name)
    plain = unicodedata.normalize("NFKD", char).encode("ascii", "ignore").decode()
    if accent := next((word for mark, word in ACCENTS.items() if name.endswith(mark)), ""):
        return f"write `{plain}_{accent}`"
    instead = ASCII.get(char) or (greek[1].lower() if greek else plain if plain.isprintable() else "")
    return f"write `{instead}`" if instead else "names are letters, digits and `_`, signs those of the keyboard"


# --- expressions ----------------------------------------------------------------------------------------------------


_INSTEAD = {
    "dim": "a dim is a name, a positive integer or a product of them: `gates*units`",
    "initialiser": "write a name such as `glorot_uniform`, `uniform(-1, 1)`, a number, or `ones if option else zeros`",
}


class _Reader:
    """Turns one piece of a line into nodes. `start` is where in the line's text the piece begins."""

    def __init__(self, line: Line, report: Report, start: int = 0, end: int | None = None):
        self.line, self.report, self.start = line, report, start
        self.text = line.text[start:end]
        self._rows = [0]
        for row in self.text.split("\n"):
            self._rows.append(self._rows[-1] + len(row) + 1)

    def refuse(self, code: str, message: str, span: Span, text: str = "", help=()):
        self.report.add(code, message, span, text, help=help)
        raise _Refused

    def tree(self, mode: str, what: str = "equation"):
        """What Python's parser makes of the text."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of a number beside a word, say: it is refused below
                return ast.parse(self.text, mode=mode, feature_version=(3, 10))
        except SyntaxError:
            found = mistake(self.text)
            if found is None:
                self.refuse("CG201", f"this is no {what}", self.line.at(self.start, self.start + len(self.text)))
            taken = found.message.endswith("word of Python")
            self.refuse(
                "CG109" if taken else "CG201",
                found.message if taken else f"this is no {what}: {found.message}",
                self.line.at(self.start + found.start, self.start + found.end),
                help=_INSTEAD.get(what, found.help),
            )
        except (RecursionError, MemoryError, ValueError):
            self.refuse(
                "CG108",
                f"operations are nested more than {MAX_DEPTH} deep",
                self.line.span,
                help="name a part of it in an equation of its own",
            )

    def start_of(self, length: int) -> Span:
        return self.line.at(self.start, self.start + length)

    def source(self, node) -> str:
        return ast.get_source_segment(self.text, node) or ""

    def span(self, node) -> Span:
        return self.line.at(
            self.start + self.offset(node.lineno, node.col_offset),
            self.start + self.offset(node.end_lineno, node.end_col_offset),
        )

    def offset(self, row: int, column: int) -> int:
        return self._rows[row - 1] + column

    def name(self, node) -> str:
        if len(node.id) > MAX_NAME:
            self.refuse("CG108", f"a name of {len(node.id)} characters; at most {MAX_NAME}", self.span(node))
        if not NAME.fullmatch(node.id):
            self.refuse(
                "CG109",
                f"`{node.id}` is not a name",
                self.span(node),
                help="a name starts with a letter; those that start with `_` are the compiler's",
            )
        return node.id

    # an expression; `level` counts the operations above it

    def value(self, node, level: int = 0) -> "Node | Call":
        if level > MAX_DEPTH:
            self.refuse(
                "CG108",
                f"operations are nested more than {MAX_DEPTH} deep",
                self.span(node),
                help="name a part of it in an equation of its own",
            )
        span = self.span(node)
        match node:
            case ast.Constant():
                return Number(self.number(node), span)
            case ast.Name():
                return Ref(self.name(node), 0, span)
            case ast.Subscript(value=ast.Name()):
                return self.carried(node)
            case ast.Attribute(value=inner, attr=label):
                return Pick(self.value(inner, level + 1), label, span)
            case ast.UnaryOp(op=ast.USub(), operand=inner):
                value = self.value(inner, level + 1)
                return Number(-value.value, span) if isinstance(value, Number) else Apply("neg", (value,), (), span)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in BINARY:
                self.unmixed(node)
                return Apply(BINARY[type(op)], (self.value(left, level + 1), self.value(right, level + 1)), (), span)
            case ast.Call(func=ast.Name()):
                return self.call(node, level)
            case ast.IfExp(
                test=ast.Compare(ops=[ast.Lt() | ast.LtE() | ast.Gt() | ast.GtE()]) as test, body=a, orelse=b
            ):
                test, a, b = map(self.source, (test, a, b))
                self.refuse(
                    "CG214",
                    "a choice with `if` asks for an option, and this is data",
                    self.span(node.test),
                    help=f"write `where({test}, {a}, {b})`",
                )
            case ast.IfExp(test=test, body=a, orelse=b):
                return Choose(self.test(test), self.value(a, level + 1), self.value(b, level + 1), span)
            case ast.Compare():
                self.refuse(
                    "CG202",
                    "a comparison stands only as the first argument of `where`",
                    span,
                    help="a choice on data is `where(a > b, x, y)`; a choice on an option is `x if option else y`",
                )
        if isinstance(node, ast.BinOp):
            span = self.sign(node)
        self.refuse("CG202", f"{_describe(node)} is not part of the language", span, help=_instead(node))

    def sign(self, node: ast.BinOp) -> Span:
        """The sign between the two sides."""
        left, right = (
            self.offset(node.left.end_lineno, node.left.end_col_offset),
            self.offset(node.right.lineno, node.right.col_offset),
        )
        found = re.search(r"[^\s()]+", self.text[left:right])
        return self.line.at(self.start + left + found.start(), self.start + left + found.end())

    def carried(self, node) -> Ref:
        span = self.span(node)
        match node.slice:
            case ast.BinOp(left=ast.Name(id="t"), op=ast.Sub(), right=ast.Constant(value=1)):
                return Ref(self.name(node.value), 1, span)
            case ast.Name(id="t"):
                self.refuse("CG202", "this step's value is the bare name", span, help=f"write `{node.value.id}`")
            case ast.BinOp(left=ast.Name(id="t"), op=ast.Sub(), right=ast.Constant(value=int(n))) if n > 1:
                self.refuse(
                    "CG202",
                    "only the last step's value is carried",
                    span,
                    help=f"add a state that keeps `{node.value.id}` one step longer, and read that at `[t-1]`",
                )
        self.refuse("CG202", "an index is `[t-1]`", span, help="a part of a labelled axis is `.label`")

    def number(self, node) -> Fraction:
        text = ast.get_source_segment(self.text, node) or ""
        if isinstance(node.value, bool) or not isinstance(node.value, (int, float)) or not NUMBER.fullmatch(text):
            what = "a text" if isinstance(node.value, (str, bytes)) else f"`{text[:40]}`"
            self.refuse(
                "CG202",
                f"{what} is no number of the language",
                self.span(node),
                help="numbers are decimal: 1, 0.5, 1e-3; options make a yes or no",
            )
        if not math.isfinite(node.value if isinstance(node.value, float) else _float(node.value)):
            self.refuse("CG216", f"`{text[:40]}` is beyond what a float can hold", self.span(node))
        exact = Fraction(text)
        if exact != 0 and float(exact) == 0:
            self.refuse("CG216", f"`{text[:40]}` is too small for a float", self.span(node))
        return exact

    def unmixed(self, node) -> None:
        """`*` or `/` beside `@` without parentheses: Python would go left to right, papers do not."""
        left = node.left
        if not isinstance(left, ast.BinOp) or (left.lineno, left.col_offset) != (node.lineno, node.col_offset):
            return
        mixed = {type(left.op), type(node.op)}
        if ast.MatMult in mixed and mixed & {ast.Mult, ast.Div}:

            def text(part):
                return ast.get_source_segment(self.text, part)

            def symbol(op):
                return {ast.MatMult: "@", ast.Mult: "*", ast.Div: "/"}[type(op)]

            a, b, c = text(left.left), text(left.right), text(node.right)
            self.report.add(
                "CG204",
                f"`{symbol(left.op)}` and `{symbol(node.op)}` need parentheses",
                self.span(node),
                "which comes first?",
                help=(
                    f"`({a} {symbol(left.op)} {b}) {symbol(node.op)} {c}`, or",
                    f"`{a} {symbol(left.op)} ({b} {symbol(node.op)} {c})`",
                ),
            )
            raise _Refused

    def call(self, node, level: int) -> Call:
        name, name_span = self.name(node.func), self.span(node.func)
        args = []
        for index, arg in enumerate(node.args):
            if isinstance(arg, ast.Starred):
                self.refuse("CG202", "`*` before an argument is not part of the language", self.span(arg))
            if name == "where" and index == 0 and isinstance(arg, ast.Compare):
                args.append(self.comparison(arg, level + 1))
            else:
                args.append(self.value(arg, level + 1))
        attrs = []
        for keyword in node.keywords:
            if keyword.arg is None:
                self.refuse("CG202", "`**` before an argument is not part of the language", self.span(node))
            attrs.append((keyword.arg, self.static(keyword.value), self.span(keyword)))
        return Call(name, tuple(args), tuple(attrs), self.span(node), name_span)

    def comparison(self, node, level: int) -> Apply:
        if len(node.ops) > 1:
            self.refuse(
                "CG202",
                "comparisons are not chained",
                self.span(node),
                help="write one inside the other: `where(a < b, where(b < c, x, y), y)`",
            )
        if type(node.ops[0]) not in COMPARE:
            self.refuse(
                "CG202",
                "a comparison is `<`, `<=`, `>` or `>=`",
                self.span(node),
                help=(
                    "floats are hardly ever equal, so take a margin; a 0 or 1 is a condition itself: `where(z, a, b)`",
                    "a choice on an option is `a if option == word else b`",
                ),
            )
        args = (self.value(node.left, level + 1), self.value(node.comparators[0], level + 1))
        return Apply(COMPARE[type(node.ops[0])], args, (), self.span(node))

    def static(self, node):
        """The value of a keyword: an axis (`over=key`), a number, or a test (`bias=use_bias`)."""
        match node:
            case ast.Constant(value=bool()) | ast.Name(id="true" | "false"):
                self.refuse(
                    "CG202",
                    "a keyword is a dim, a number or an option",
                    self.span(node),
                    help="name an option, as in `bias=use_bias`; without a bias write the matmul out: `x @ W`",
                )
            case ast.List() | ast.Tuple():
                self.refuse(
                    "CG202", "a keyword is a dim, a number or an option", self.span(node), help="one axis: `over=units`"
                )
            case ast.Constant():
                return self.number(node)
            case ast.Name() | ast.BinOp(op=ast.Mult()):
                return self.axis(node)
        return self.test(node)

    def axis(self, node, level: int = 1) -> Axis:
        match node:
            case ast.Name():
                return (self.name(node),)
            case ast.Constant(value=int(value)) if not isinstance(value, bool) and 0 < value <= MAX_DIM:
                return (value,)
            case ast.BinOp(left=left, op=ast.Mult(), right=right):
                factors = () if level == MAX_FACTORS else (*self.axis(left, level + 1), *self.axis(right, level + 1))
                if not 0 < len(factors) <= MAX_FACTORS:
                    self.refuse("CG108", f"a dim of more than {MAX_FACTORS} factors", self.span(node))
                return factors
        help = _INSTEAD["dim"]
        match node:
            case ast.BinOp(op=ast.Add() | ast.Sub()):
                help = "there are no sums; the parts of one axis are labels, as in `axes: {side: {a: units, b: 1}}`"
            case ast.BinOp(op=ast.Div() | ast.FloorDiv()):
                help = f"declare the quotient: `dims: {{key: {self.source(node).replace(' ', '').replace('//', '/')}}}`"
            case ast.List():
                help = "a list of dims stands without quotes: `shape: [input, units]`"
        self.refuse("CG202", "a dim is a name, a positive integer or a product of them", self.span(node), help=help)

    def shape(self, node) -> Shape:
        if not isinstance(node, ast.List):
            self.refuse("CG202", "a shape is a list of dims", self.span(node), help=f"write `[{self.source(node)}]`")
        if len(node.elts) > MAX_RANK:
            self.refuse("CG108", f"a value has at most {MAX_RANK} axes", self.span(node.elts[MAX_RANK]))
        return tuple(self.axis(item) for item in node.elts)

    def test(self, node, level: int = 0) -> Test:
        span = self.span(node)
        if level > MAX_DEPTH:
            self.refuse("CG108", f"operations are nested more than {MAX_DEPTH} deep", span)
        match node:
            case ast.Name():
                return Given(self.name(node), span)
            case ast.Compare(left=ast.Name() as name, ops=[ast.Eq()], comparators=[ast.Name() as word]):
                return Is(self.name(name), self.name(word), span)
            case ast.Compare(left=ast.Name() as name, ops=[ast.NotEq()], comparators=[ast.Name() as word]):
                return Not(Is(self.name(name), self.name(word), span), span)
            case ast.UnaryOp(op=ast.Not(), operand=inner):
                return Not(self.test(inner, level + 1), span)
            case ast.BoolOp(op=op, values=values) if level + len(values) <= MAX_DEPTH:
                pair = Both if isinstance(op, ast.And) else Either
                tests = [self.test(value, level + 1) for value in values]
                out = tests[0]
                for test in tests[1:]:
                    out = pair(out, test, span)
                return out
            case ast.BoolOp():
                self.refuse("CG108", f"operations are nested more than {MAX_DEPTH} deep", span)
        self.refuse(
            "CG214",
            "a test asks for an option, `option == word`, a dim or a port",
            span,
            help="a choice on data is `where(a > b, x, y)`",
        )


def _float(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _describe(node) -> str:
    match node:
        case ast.BinOp(op=ast.BitXor()):
            return "`^`"
        case ast.BinOp(op=op):
            signs = {
                ast.FloorDiv: "//",
                ast.Mod: "%",
                ast.LShift: "<<",
                ast.RShift: ">>",
                ast.BitOr: "|",
                ast.BitAnd: "&",
            }
            return f"`{signs[type(op)]}`"
        case ast.Call(func=ast.Attribute() as called):
            return f"`{ast.unparse(called)}`" if len(ast.unparse(called)) <= 40 else "a call of an attribute"
        case ast.Call():
            return "a call of anything but a name"
        case ast.Lambda():
            return "`lambda`"
        case ast.JoinedStr():
            return "a text"
        case ast.BoolOp():
            return "`and` or `or` in a value"
        case ast.UnaryOp(op=op):
            return {ast.Not: "`not` in a value", ast.Invert: "`~`", ast.UAdd: "a leading `+`"}[type(op)]
    words = {
        ast.List: "a list",
        ast.Tuple: "a tuple",
        ast.Dict: "a dict",
        ast.Set: "a set",
        ast.Subscript: "an index on a value",
        ast.NamedExpr: "`:=`",
        ast.Await: "`await`",
        ast.Yield: "`yield`",
        ast.YieldFrom: "`yield`",
        ast.Starred: "`*`",
        ast.ListComp: "a comprehension",
        ast.SetComp: "a comprehension",
        ast.DictComp: "a comprehension",
        ast.GeneratorExp: "a comprehension",
    }
    return words.get(type(node), "this")


def _instead(node) -> str:
    match node:
        case ast.BinOp(op=ast.BitXor()):
            return "a power is `**`"
        case ast.Call(func=ast.Attribute(attr=name)):
            return (
                f"write `{name}(...)`"
                if name in WRITTEN
                else "a function is called by its bare name, as in `tanh(x)`; `cellgen check` runs no Python"
            )
        case ast.UnaryOp(op=ast.UAdd()):
            return "leave it away"
        case ast.Subscript():
            return "only a state has `[t-1]`; a part of a labelled axis is `.label`"
        case ast.BoolOp() | ast.UnaryOp(op=ast.Not()):
            return "`and`, `or`, `not` stand in tests: `a if use_bias and proj else b`"
    return "equations have names, numbers, `+ - * / @ **`, calls, `.label`, `[t-1]` and `a if option else b`"


# --- entry points ---------------------------------------------------------------------------------------------------


def equations(scalar: Scalar, report: Report) -> tuple[Statement, ...]:
    """The statements of `equations:`; lines that are none are reported (CG108, CG109, CG201 to CG204, CG214, CG216)."""
    found, size = [], 0
    for statement in _each(lines(scalar, report, "equation", MAX_STATEMENTS), _statement, report):
        size += _size(statement.value)
        if size > MAX_SIZE:
            help = "split the spec: one cell has at most a few hundred"
            report.add("CG108", f"more than {MAX_SIZE:,} names and operations", statement.name_span, help=help)
            break
        found.append(statement)
    return tuple(found)


def _size(node: "Node | Call | None") -> int:
    if node is None:
        return 0
    return 1 + sum(_size(part) for part in (node.args if isinstance(node, Call) else children(node)))


def laws(scalar: Scalar, report: Report) -> tuple[LawText, ...]:
    """The lines of `laws:`."""
    return tuple(_each(lines(scalar, report, "law", MAX_LAWS), _law, report))


def axis(scalar: Scalar, report: Report) -> Axis | None:
    """A dim or a product of dims, `gates*units`; None if it was reported."""
    return next(
        _each([_line(scalar)], lambda line, report: _expression(line, report, _Reader.axis, "dim"), report), None
    )


def initialiser(scalar: Scalar, report: Report) -> Initialiser | EitherInitialiser | None:
    """`zeros`, `uniform(-1, 1)`, a number, or `ones if OPTION else zeros`; None if it was reported."""
    return next(
        _each([_line(scalar)], lambda line, report: _expression(line, report, _initialiser, "initialiser"), report),
        None,
    )


def value(scalar: Scalar, report: Report) -> "Node | Call | None":
    """One expression; None if it was reported."""
    return next(
        _each([_line(scalar)], lambda line, report: _expression(line, report, _Reader.value, "value"), report), None
    )


def _line(scalar: Scalar) -> Line:
    return Line(scalar.lines)


def _each(found: list[Line], read, report: Report) -> Iterator:
    for line in found:
        try:
            if _plain(line, report):
                yield read(line, report)
        except _Refused:
            pass


def _expression(line: Line, report: Report, read, what: str):
    reader = _Reader(line, report)
    return read(reader, reader.tree("eval", what).body)


def _statement(line: Line, report: Report) -> Statement:
    reader = _Reader(line, report)
    if re.match(r"for\b", line.text):
        reader.refuse(
            "CG202",
            "`for` is not part of this version of the language",
            line.span,
            help="write the micro-steps out: `s1 = ...`, `s2 = ...`",
        )
    body = reader.tree("exec").body
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


def _initialiser(reader: _Reader, node, level: int = 1) -> Initialiser | EitherInitialiser:
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
    reader.refuse("CG202", "this is no initialiser", reader.span(node), help=_INSTEAD["initialiser"])


# --- laws -----------------------------------------------------------------------------------------------------------


def _law(line: Line, report: Report) -> LawText:
    text = line.text
    claim_end, facts = len(text), ()
    when = _at_depth_0(text, r"\bwhen\b")
    if when:
        claim_end = when[0]
        facts = tuple(_fact(line, report, start, end) for start, end in _split(text, when[1], len(text)))
    claim = text[:claim_end].rstrip()
    reader = _Reader(line, report, 0, len(claim))
    if (match := re.match(r"reduces\s+to\s+([A-Za-z][A-Za-z0-9_]*)\s*(with\b|$)", claim)) and len(match[1]) <= MAX_NAME:
        pairs = _split(text, match.end(), len(claim)) if match[2] else []
        return LawText("reduces", match[1], tuple(_pair(line, report, *pair) for pair in pairs), facts, text, line.span)
    if found := _at_depth_0(claim, r"\bfree\s+of\b"):
        a, b = _part(line, report, 0, found[0]), _part(line, report, found[1], len(claim))
        if not isinstance(b, Ref) or b.ago != 1:
            reader.refuse(
                "CG202",
                "`free of` is followed by a state's last value",
                line.at(found[1], len(claim)),
                help="write `c free of c[t-1]`",
            )
        return LawText("free", a, b, facts, text, line.span)
    if found := _at_depth_0(claim, r"\bin\b"):
        bounds = _bounds(line, report, found[1], len(claim))
        return LawText("within", _part(line, report, 0, found[0]), bounds, facts, text, line.span)
    if found := _at_depth_0(claim, r"=="):
        a, b = _part(line, report, 0, found[0]), _part(line, report, found[1], len(claim))
        return LawText("equal", a, b, facts, text, line.span)
    help = "a law is `a == b`, `a in [low, high]`, `a free of s[t-1]` or `reduces to SPEC`"
    if found := re.search(r"(?<![=<>])=(?!=)", claim):
        reader.refuse(
            "CG201",
            "this is no law: an equality is `==`",
            line.at(*found.span()),
            help=(f"write `{claim.replace('=', '==', 1)}`", help),
        )
    if re.search("[<>]", claim):
        help = ("a range is `a in [0, inf)`", help)
    reader.refuse("CG201", "this is no law", line.span, help=help)


def _at_depth_0(text: str, pattern: str) -> tuple[int, int] | None:
    for match in re.finditer(pattern, text):
        before = text[: match.start()]
        if sum(before.count(char) for char in "([{") == sum(before.count(char) for char in ")]}"):
            return match.span()
    return None


def _split(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """The pieces between the commas outside brackets."""
    pieces, depth, at = [], 0, start
    for index in range(start, end):
        depth += (text[index] in "([{") - (text[index] in ")]}")
        if text[index] == "," and depth == 0:
            pieces.append((at, index))
            at = index + 1
    return [*pieces, (at, end)]


def _part(line: Line, report: Report, start: int, end: int) -> "Node | Call":
    text = line.text
    start += len(text[start:end]) - len(text[start:end].lstrip())
    reader = _Reader(line, report, start, start + len(text[start:end].rstrip()))
    return reader.value(reader.tree("eval", "law").body)


def _fact(line: Line, report: Report, start: int, end: int) -> tuple[Node, Fraction, Span]:
    start += len(line.text[start:end]) - len(line.text[start:end].lstrip())
    found = re.search(r"==", line.text[start:end])
    if found:
        name = _part(line, report, start, start + found.start())
        number = _part(line, report, start + found.end(), end)
        base = name.value if isinstance(name, Pick) else name
        if isinstance(number, Number) and isinstance(base, Ref):
            return name, number.value, line.at(start, end)
    _Reader(line, report).refuse(
        "CG201", "a fact is `name == number`", line.at(start, end), help="write `... when f == 1, i == 0`"
    )


def _bounds(line: Line, report: Report, start: int, end: int) -> Bounds:
    text = line.text[start:end].strip()
    pieces = _split(line.text, line.text.index(text, start) + 1, start + len(line.text[start:end].rstrip()) - 1)
    if len(text) < 2 or text[0] not in "[(" or text[-1] not in "])" or len(pieces) != 2:
        start += len(line.text[start:end]) - len(line.text[start:end].lstrip())
        _Reader(line, report).refuse(
            "CG201",
            "a range is `[low, high]` or `(low, high)`",
            line.at(start, end),
            help="as in `h in [-1, 1]`, `f in (0, inf)`",
        )

    def bound(start: int, end: int) -> "Node | None":
        return None if line.text[start:end].strip() in ("inf", "-inf") else _part(line, report, start, end)

    return Bounds(bound(*pieces[0]), bound(*pieces[1]), text[0] == "(", text[-1] == ")")


def _pair(line: Line, report: Report, start: int, end: int) -> tuple[str, str, Span]:
    start += len(line.text[start:end]) - len(line.text[start:end].lstrip())
    span = line.at(start, end)
    match = re.fullmatch(r"\s*([A-Za-z][A-Za-z0-9_/]*)\s*=\s*(-?[A-Za-z0-9_./+-]+)\s*", line.text[start:end])
    if not match:
        _Reader(line, report).refuse(
            "CG201",
            "after `with` stand pairs `new = old`",
            span,
            help="write `reduces to lstm with j = g, forget_bias = 0`",
        )
    return match[1], match[2], span
