"""Expressions of a line to nodes: values, axes, shapes and tests, through the standard library's `ast` and a whitelist.

Names are not looked up, and a call is a `Call` until it is known what it calls. Bounds: 64 levels of operations.
Raises `Refused` where the text is not of the language (CG108, CG109, CG201, CG202, CG204, CG214, CG216).
"""

import ast
import re
import warnings
from dataclasses import dataclass, field
from fractions import Fraction

from cellgen.diagnostics import Refused, Report, Span
from cellgen.ir import Apply, Axis, Both, Choose, Either, Given, Is, Node, Not, Number, Pick, Ref, Shape, Test, children
from cellgen.text.foreign import foreign, instead
from cellgen.text.logical_lines import Line
from cellgen.text.names import MAX_NAME, NAME
from cellgen.text.syntax_errors import mistakes
from cellgen.text.yaml_tree import NUMBER, finite

MAX_DEPTH = 64
MAX_RANK = 6
MAX_FACTORS = 16
MAX_DIM = 1_000_000
MAX_LABELS = 64  # of an axis

BINARY = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div", ast.MatMult: "matmul", ast.Pow: "pow"}
SIGNS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.MatMult: "@", ast.Pow: "**"}
COMPARE = {ast.Lt: "less", ast.LtE: "less_equal", ast.Gt: "greater", ast.GtE: "greater_equal"}
INSTEAD = {
    "dim": "a dim is a name, a positive integer or a product of them: `gates*units`",
    "initialiser": "write a name such as `glorot_uniform`, a number, `uniform(-1, 1)`, or `ones if option else zeros`",
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
class Indexed:
    """`R[k]`, `s[k-1]` or `s[2]`, before it is known what is counted: `name` is the `k` or empty, `number` is added."""

    value: "Node | Call"
    name: str
    number: int
    span: Span = field(default=None, compare=False, repr=False)


def _counts(index) -> bool:
    """Whether an index is that of a micro-step: `k` or `k-1`, where `t` is no name of one."""
    match index:
        case ast.Name(id=name) | ast.BinOp(left=ast.Name(id=name), op=ast.Sub(), right=ast.Constant(value=1)):
            return name != "t"
    return False


def parts(node: "Node | Call") -> "tuple[Node | Call, ...]":
    """What stands directly below a node."""
    return node.args if isinstance(node, Call) else children(node)


class Reader:
    """Turns one piece of a line into nodes. `start` is where in the line's text the piece begins."""

    def __init__(self, line: Line, report: Report, start: int = 0, end: int | None = None):
        self.line, self.start, self.report, self.refuse = line, start, report, report.refuse
        self.text = line.text[start:end]
        self._rows = [0]
        for row in self.text.split("\n"):
            self._rows.append(self._rows[-1] + len(row) + 1)

    def tree(self, mode: str, what: str = "equation"):
        """What Python's parser makes of the text."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of a number beside a word, say: it is refused below
                tree = ast.parse(self.text, mode=mode, feature_version=(3, 10))
            if "{" not in self.text:
                return tree
            raise SyntaxError  # the language has no braces, but LaTeX has: `h^{t-1}`
        except SyntaxError:
            found = mistakes(self.text)
            if not found:
                self.refuse("CG201", f"this is no {what}", self.line.at(self.start, self.start + len(self.text)))
            for each in found:
                taken = each.message.endswith("word of Python")
                self.report.add(
                    "CG109" if taken else "CG201",
                    each.message if taken else f"this is no {what}: {each.message}",
                    self.line.at(self.start + each.start, self.start + each.end),
                    help=INSTEAD.get(what, each.help),
                )
            raise Refused from None
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

    def begin(self, node) -> int:
        return self.offset(node.lineno, node.col_offset)

    def end(self, node) -> int:
        return self.offset(node.end_lineno, node.end_col_offset)

    def span(self, node) -> Span:
        return self.line.at(self.start + self.begin(node), self.start + self.end(node))

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
            case ast.Subscript(slice=index) if isinstance(index, ast.Constant) or _counts(index):
                return self.indexed(node, level)
            case ast.Subscript(value=ast.Name()):
                return self.carried(node)
            case ast.Subscript(value=ast.Attribute(value=ast.Name(id="below" | "above"), attr=name)):
                carried = self.carried(node)  # of another layer
                return Pick(Ref(node.value.value.id, carried.ago, span), name, span)
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
        self.refuse("CG202", f"{foreign(node)} is not part of the language", span, help=instead(node))

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
                return Ref(self.name(node.value) if isinstance(node.value, ast.Name) else "", 1, span)
            case ast.Name(id="t"):
                self.refuse(
                    "CG202", "this step's value is the bare name", span, help=f"write `{self.source(node.value)}`"
                )
            case ast.BinOp(left=ast.Name(id="t"), op=ast.Sub(), right=ast.Constant(value=int(n))) if n > 1:
                self.refuse(
                    "CG202",
                    "only the last step's value is carried",
                    span,
                    help=f"add a state that keeps `{self.source(node.value)}` one step longer, and read it at `[t-1]`",
                )
            case ast.BinOp(left=ast.Name(id=k), op=ast.Sub(), right=ast.Constant(value=int(n))) if k != "t" and n > 1:
                what = self.source(node.value)
                help = f"write `{what}[{k}-1]`; for one further back, hand it on in the loop under a name of its own"
                self.refuse("CG202", "of a loop only the micro-step before is at hand", span, help=help)
        self.refuse("CG202", "an index is `[t-1]`", span, help="a part of a labelled axis is `.label`")

    def indexed(self, node, level: int) -> Indexed:
        """`R[k]`, `s[k-1]` and `s[2]`."""
        name, number = "", 0
        match node.slice:
            case ast.Name() as k:
                name = self.name(k)
            case ast.BinOp(left=ast.Name() as k):
                name, number = self.name(k), -1
            case ast.Constant(value=int(number)) if not isinstance(number, bool) and number <= MAX_LABELS:
                pass
            case _:
                help = f"micro-steps and slices are counted from 1 to at most {MAX_LABELS}"
                self.refuse("CG202", "an index is `[t-1]`, or the number of a micro-step", self.span(node), help=help)
        return Indexed(self.value(node.value, level + 1), name, number, self.span(node))

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
        if not finite(node.value):
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

            def symbol(op):
                return {ast.MatMult: "@", ast.Mult: "*", ast.Div: "/"}[type(op)]

            def operands(product) -> tuple[str, str]:
                """Both sides of a product as they were written, with their parentheses."""
                sign = self.text.index(symbol(product.op), self.end(product.left))
                return self.text[self.begin(product) : sign].strip(), self.text[sign + 1 : self.end(product)].strip()

            (a, b), (_, c) = operands(left), operands(node)
            first, second = symbol(left.op), symbol(node.op)
            self.refuse(
                "CG204",
                f"`{first}` and `{second}` need parentheses",
                self.span(node),
                "which comes first?",
                help=(f"`({a} {first} {b}) {second} {c}`, or", f"`{a} {first} ({b} {second} {c})`"),
            )

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
            attrs.append((keyword.arg, self.static(keyword.value, keyword.arg), self.span(keyword)))
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

    def static(self, node, key: str):
        """The value of a keyword: an axis (`over=key`), a number (`by=-1`), or a test (`bias=use_bias`)."""
        match node:
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant() as inner) if key == "by":
                return -self.number(inner)
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
            case ast.UnaryOp(op=ast.USub()):
                help = "an axis has a name: `over=units`; without `over` it is the last one"
                self.refuse("CG202", "a keyword is a dim, a number or an option", self.span(node), help=help)
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
        help = INSTEAD["dim"]
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
            case ast.Compare(ast.Name() as k, [ast.Eq() | ast.NotEq() as op], [ast.Constant(value=int()) as number]):
                test = Is(self.name(k), str(int(self.number(number))), span)  # of a micro-step
                return test if isinstance(op, ast.Eq) else Not(test, span)
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
