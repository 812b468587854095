"""The text of laws to `LawText`s: a claim, and the facts `when` it holds. Names are not looked up yet.

Input: the `Scalar` of `laws:`. A law is one line; there are at most 64.
"""

import re
from dataclasses import dataclass
from fractions import Fraction

from cellgen.diagnostics import Report, Span
from cellgen.ir import Node, Number, Pick, Ref
from cellgen.text.expressions import Call, Indexed, Reader, parts
from cellgen.text.logical_lines import Line, each, lines
from cellgen.text.names import MAX_NAME
from cellgen.text.yaml_tree import NUMBER, Scalar

MAX_LAWS = 64

_NAMES = r"[A-Za-z][A-Za-z0-9_/.]*"  # of ours: `z`, `z.f`, `W/z`
_WORD = re.compile(r"-?[A-Za-z][A-Za-z0-9_.]*")  # of theirs, or with its sign turned
_REDUCES = re.compile(r"reduces\s+to\s+([A-Za-z][A-Za-z0-9_]*)\s*(\(([^()]*)\)\s*)?(with\b|$)")


FactText = tuple[Node, "Fraction | bool | Node | Call", Span]  # a name, its value, where; of a flag, whether it is set


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
    facts: tuple[FactText, ...]
    text: str
    span: Span


def laws(scalar: Scalar, report: Report) -> tuple[LawText, ...]:
    """The lines of `laws:`; those that are no laws are reported (CG108, CG109, CG201 to CG204, CG214, CG216)."""
    return tuple(each(lines(scalar, report, "law", MAX_LAWS), _law, report))


def _law(line: Line, report: Report) -> LawText:
    text = line.text
    claim_end, facts = len(text), ()
    when = _at_depth_0(text, r"\bwhen\b")
    if when:
        claim_end = when[0]
        facts = tuple(_fact(line, report, start, end) for start, end in _split(text, when[1], len(text)))
    claim = text[:claim_end].rstrip()

    def sides(between: tuple[int, int]) -> tuple:
        return _part(line, report, 0, between[0]), _part(line, report, between[1], len(claim))

    if (match := _REDUCES.match(claim)) and len(match[1]) <= MAX_NAME:
        chosen = _split(text, *match.span(3)) if match[2] else []
        pairs = _split(text, match.end(), len(claim)) if match[4] else []
        both = [[_pair(line, report, *pair, each is pairs) for pair in each] for each in (pairs, chosen)]
        facts += tuple(pair for pair in both[0] if not isinstance(pair[0], str))
        words = tuple(pair for pair in both[0] if isinstance(pair[0], str)), tuple(both[1])
        return LawText("reduces", match[1], words, facts, text, line.span)
    if found := _at_depth_0(claim, r"\bfree\s+of\b"):
        a, b = sides(found)
        if not isinstance(b, Ref):
            report.refuse(
                "CG202",
                "`free of` is followed by a name",
                line.at(found[1], len(claim)),
                help="write `A free of c[t-1]`, `A free of x`",
            )
        return LawText("free", a, b, facts, text, line.span)
    if found := _at_depth_0(claim, r"\bin\b"):
        bounds = _bounds(line, report, found[1], len(claim))
        return LawText("within", _part(line, report, 0, found[0]), bounds, facts, text, line.span)
    if found := _at_depth_0(claim, r"=="):
        return LawText("equal", *sides(found), facts, text, line.span)
    help = "a law is `a == b`, `a in [low, high]`, `a free of s[t-1]` or `reduces to SPEC`"
    if found := re.search(r"(?<![=<>])=(?!=)", claim):
        report.refuse(
            "CG201",
            "this is no law: an equality is `==`",
            line.at(*found.span()),
            help=(f"write `{claim.replace('=', '==', 1)}`", help),
        )
    if re.search("[<>]", claim):
        help = ("a range is `a in [0, inf)`", help)
    report.refuse("CG201", "this is no law", line.span, help=help)


def _at_depth_0(text: str, pattern: str) -> tuple[int, int] | None:
    """Where a pattern first stands outside brackets."""
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


def _begin(text: str, start: int, end: int) -> int:
    """Where the white space at `start` ends."""
    return start + len(text[start:end]) - len(text[start:end].lstrip())


def _part(line: Line, report: Report, start: int, end: int) -> "Node | Call":
    start = _begin(line.text, start, end)
    reader = Reader(line, report, start, start + len(line.text[start:end].rstrip()))
    return reader.value(reader.tree("eval", "law").body)


def _fact(line: Line, report: Report, start: int, end: int) -> FactText:
    start = _begin(line.text, start, end)
    piece, span = line.text[start:end].strip(), line.at(start, start + len(line.text[start:end].rstrip()))
    if flag := re.fullmatch(r"(not\s+)?([A-Za-z][A-Za-z0-9_]*)", piece):
        return Ref(flag[2], 0, span), not flag[1], span
    found = re.search(r"==", line.text[start:end])
    if found:
        name = _part(line, report, start, start + found.start())
        value = _part(line, report, start + found.end(), end)
        base = name.value if isinstance(name, Pick) else name
        if isinstance(base, (Ref, Indexed)):
            return name, value.value if isinstance(value, Number) else value, span
    help = "write `... when f == 1, i == 0`, `when i == 1 - f`, `when use_bias` or `when activation == tanh`"
    report.refuse("CG201", "a fact is `name == value`, or a flag", span, help=help)


def _bounds(line: Line, report: Report, start: int, end: int) -> Bounds:
    text = line.text[start:end].strip()
    pieces = _split(line.text, line.text.index(text, start) + 1, start + len(line.text[start:end].rstrip()) - 1)
    if len(text) < 2 or text[0] not in "[(" or text[-1] not in "])" or len(pieces) != 2:
        start = _begin(line.text, start, end)
        report.refuse(
            "CG201",
            "a range is `[low, high]` or `(low, high)`",
            line.at(start, end),
            help="as in `h in [-1, 1]`, `f in (0, inf)`",
        )

    def bound(start: int, end: int) -> "Node | None":
        return None if line.text[start:end].strip() in ("inf", "-inf") else _part(line, report, start, end)

    return Bounds(bound(*pieces[0]), bound(*pieces[1]), text[0] == "(", text[-1] == ")")


def _pair(line: Line, report: Report, start: int, end: int, ours: bool) -> tuple[str, str, Span] | FactText:
    """Two words; or where `ours` may be set to an expression, the fact that it is."""
    start = _begin(line.text, start, end)
    span, text = line.at(start, end), line.text[start:end]
    dotted = re.sub(r"\[(\d+)\]", r".\1", text)  # a slice, `R[1]`, is a part as `z.f` is
    if match := re.fullmatch(rf"\s*({_NAMES})\s*=\s*(-?[A-Za-z0-9_./+-]+)\s*", dotted):
        if _WORD.fullmatch(match[2]) or NUMBER.fullmatch(match[2].removeprefix("-")):
            return match[1], match[2], span
    if match := re.match(rf"\s*({_NAMES})\s*=(?!=)", text) if ours else None:
        name = _part(line, report, start, start + match.end(1))
        value = _part(line, report, start + match.end(), end)
        plain = isinstance(name.value if isinstance(name, Pick) else name, Ref)
        if plain and _has_a_name(value):
            return name, value, span
    report.refuse(
        "CG201",
        "after `with` stand pairs `new = old`",
        span,
        help="write `reduces to lstm with j = g, forget_bias = 0`",
    )


def _has_a_name(node: "Node | Call") -> bool:
    return isinstance(node, Ref) or any(map(_has_a_name, parts(node)))
