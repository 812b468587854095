"""YAML to a located tree. Input: a `Source`. Output: `Mapping`, `Sequence` and `Scalar`, each with its span.

A spec is data from a stranger, so what YAML offers beyond data is refused: anchors, aliases, tags, merges, folded
text, several documents. Bounds: 128 KiB a file, 20 levels, 5,000 values.
"""

import math
import re
from dataclasses import dataclass, field
from fractions import Fraction
from unicodedata import category

from cellgen.diagnostics import Label, Report, Source, Span
from cellgen.text.intake import MAX_BYTES

MAX_DEPTH = 20
MAX_VALUES = 5_000

NUMBER = re.compile(r"(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?")  # as the language writes it


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value: None, a bool, an int, a float or a str, as YAML 1.2 reads it. `text` is what was written."""

    value: None | bool | int | float | str
    text: str
    lines: tuple[tuple[str, Span], ...]  # each line of the text and where it stands
    span: Span = field(compare=False, repr=False)

    @property
    def number(self) -> Fraction | None:
        """The number, exactly as it was written; None if the value is none."""
        if isinstance(self.value, bool) or not isinstance(self.value, (int, float)):
            return None
        return Fraction(self.text if NUMBER.fullmatch(self.text.removeprefix("-")) else self.value)


@dataclass(frozen=True, slots=True)
class Sequence:
    items: tuple["Tree", ...]
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Mapping:
    items: tuple[tuple[Scalar, "Tree"], ...]
    span: Span = field(compare=False, repr=False)

    def __getitem__(self, key: str) -> "Tree":
        return next(value for name, value in self.items if name.value == key)

    def __contains__(self, key: str) -> bool:
        return any(name.value == key for name, _ in self.items)


Tree = Scalar | Sequence | Mapping


def load(source: Source) -> Mapping:
    """The located tree of a spec. Raises `SpecError` (CG101 to CG104, CG108)."""
    from ruamel.yaml import YAML, YAMLError
    from ruamel.yaml.error import MarkedYAMLError

    report = Report()
    if len(source.text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        report.add("CG101", f"the spec is larger than {MAX_BYTES // 1024} KiB", source.span(0, 0))
        report.stop()
    _refuse_depth(source, report)
    report.stop()
    try:
        yaml = YAML(typ="safe", pure=True)
        _refuse_features(yaml.parse(source.text), source, report)
        report.stop()
        root = YAML(typ="safe", pure=True).compose(source.text)
    except MarkedYAMLError as error:
        _malformed(error, source, report)
        report.stop()
    except (YAMLError, ValueError, RecursionError) as error:
        at = min(getattr(error, "position", None) or 0, len(source.text))
        reason = " ".join(str(getattr(error, "reason", error)).split())
        report.add("CG102", f"this is no YAML: {reason}", source.span(at, min(at + 1, len(source.text))))
        report.stop()
    if root is None:
        report.add("CG107", "the spec is empty", source.span(0, 0), help="`cellgen new NAME` writes a spec to edit")
        report.stop()
    tree = _located(root, source, report)
    if not isinstance(tree, Mapping):
        report.add("CG106", "a spec is a mapping of keys such as `cell:` and `equations:`", tree.span)
    report.stop()
    return tree


def _malformed(error, source: Source, report: Report) -> None:
    """What the YAML parser stumbled over, said of the line that its author has to change."""

    def place(mark) -> int:
        return min(mark.index, max(len(source.text) - 1, 0)) if mark else 0

    def add(message: str, start: int, help: str, text: str = "", context=()):
        end = min(start + 1, len(source.text))
        report.add("CG102", message, source.span(start, end), text, context=context, help=help)

    problem, context = error.problem or "", error.context or ""
    at, began = place(error.problem_mark or error.context_mark), place(error.context_mark or error.problem_mark)
    row, first = (source.text.count("\n", 0, each) for each in (at, began))
    line = source.lines[row]
    for each in dict.fromkeys((first, row)):
        key, start = _block_left(source, each), sum(len(line) + 1 for line in source.lines[:each])
        if key:
            span = source.span(start, start + len(source.lines[each]))
            report.add(
                "CG102", f"this line has left the text under `{key}: |`", span, help="indent it as the lines above it"
            )
            return
    bare = next((above for above in reversed(source.lines[: row + 1]) if above[:1].strip()), "")
    if "\t" in line[: len(line) - len(line.lstrip())] or r"'\t'" in problem:
        add("this is no YAML: a tab at the beginning of a line", at, "indent with spaces")
    elif "flow" in context and first < row:
        bracket = source.text[began]
        add(f"this `{bracket}` is not closed", began, f"write the `{'}' if bracket == '{' else ']'}` that closes it")
    elif "flow" in context:
        add(
            f"a comma is missing, or the `{source.text[began]}` is not closed",
            at,
            "parts are separated by `, `",
            context=[Label(source.span(began, began + 1), "opened here")],
        )
    elif "quoted" in context:
        add("this quote is not closed", began, f"write the {source.text[began]} that closes it")
    elif match := re.match(r"(equations|laws)\s*:(?!\s*[|>])", bare):
        start = source.text.index(bare)
        help = f"write `{match[1]}: |`, and one a line below it, indented"
        report.add("CG102", f"the {match[1]} need `|`", source.span(start, start + len(match[0])), help=help)
    elif "mapping values" in problem:
        above = source.lines[row - 1] if row else ""
        glued = re.match(r"\s*\w+:(?=\S)", above)
        add(
            "this is no YAML: a `:` where no key stands",
            at,
            f"put a space after the colon of `{glued[0].strip()}` in the line above"
            if glued
            else 'a text with `: ` in it stands in quotes, as in `about: "LSTM: the classic"`',
        )
    elif "expected ':'" in problem:
        add(
            "this is no YAML: a line without `key:`",
            began,
            "a key is followed by a colon and a space; equations stand under `equations: |`",
        )
    elif match := re.search(r"character '(.)' that cannot start", problem):
        add(f"this is no YAML: a value cannot start with `{match[1]}`", at, "put it in quotes")
    else:
        add(
            f"this is no YAML: {' '.join((problem or context or 'malformed').split())}",
            at,
            "keys of one section start in one column, and what belongs to a key stands further right",
        )


def _block_left(source: Source, row: int) -> str | None:
    """The key of a `|` text above that a line was meant for, but is not indented enough to be in."""

    def indent(line: str) -> int:
        return len(line) - len(line.lstrip(" "))

    line = source.lines[row]
    if not line.strip() or re.match(r"[a-z]+\s*:(\s+[^=]*)?$", line):
        return None
    for at in range(row - 1, -1, -1):
        header = re.match(r"(\w+)\s*:\s*\|", source.lines[at])
        if header:
            body = next((each for each in source.lines[at + 1 :] if each.strip()), "")
            return header[1] if indent(line) < indent(body) else None
        if re.match(r"\w+\s*:(\s|$)", source.lines[at]) and not re.search("=", source.lines[at]):
            return None
    return None


def _refuse_depth(source: Source, report: Report) -> None:
    """Refuse deep nesting before a recursive parser sees it: by brackets, and by indentation."""
    depth = 0
    for at, char in enumerate(source.text):
        depth += (char in "[{") - (char in "]}")
        if depth > 200:
            report.add(
                "CG108",
                "brackets are nested more than 200 deep",
                source.span(at, at + 1),
                help=f"a spec needs at most {MAX_DEPTH} levels",
            )
            return


def _refuse_features(events, source: Source, report: Report) -> None:
    from ruamel.yaml import events as kinds

    documents = depth = values = 0
    for event in events:
        span = source.span(event.start_mark.index, max(event.end_mark.index, event.start_mark.index + 1))
        if isinstance(event, kinds.DocumentStartEvent):
            documents += 1
            if documents > 1:
                report.add(
                    "CG104",
                    "a file holds one spec",
                    span,
                    "a second document starts here",
                    help="put it into a file of its own",
                )
                return
        elif isinstance(event, kinds.AliasEvent):
            report.add(
                "CG104",
                "a spec takes no YAML aliases",
                span,
                help="write the value out, or share by `extends:`; a text that starts with `*` needs quotes",
            )
        elif isinstance(event, kinds.NodeEvent):
            values += 1
            if event.anchor:
                report.add("CG104", "a spec takes no YAML anchors", span, help="write the value out where it is needed")
            tag = getattr(event, "tag", None) or getattr(event, "ctag", None)
            if tag and str(tag) not in ("None", "!"):
                report.add("CG104", "a spec takes no YAML tags", span, help="write the value without `!...`")
        depth += isinstance(event, (kinds.MappingStartEvent, kinds.SequenceStartEvent))
        depth -= isinstance(event, (kinds.MappingEndEvent, kinds.SequenceEndEvent))
        if depth > MAX_DEPTH or values > MAX_VALUES:
            what = f"more than {MAX_DEPTH} levels" if depth > MAX_DEPTH else f"more than {MAX_VALUES} values"
            report.add("CG108", f"the spec has {what}", span)
            return


def _located(node, source: Source, report: Report) -> Tree:
    from ruamel.yaml import nodes

    start, end = node.start_mark.index, node.end_mark.index
    span = source.span(start, max(start, start + len(source.text[start:end].rstrip())))
    if isinstance(node, nodes.ScalarNode):
        return _scalar(node, source, span, report)
    if isinstance(node, nodes.SequenceNode):
        return Sequence(tuple(_located(item, source, report) for item in node.value), span)
    items, seen = [], {}
    for key, value in node.value:
        name = _located(key, source, report)
        if not isinstance(name, Scalar) or name.text.strip() == "<<":
            report.add(
                "CG104",
                "a spec takes no YAML merges" if isinstance(name, Scalar) else "a key is a plain word",
                name.span,
                help="write the keys out where they are needed",
            )
            continue
        if name.text in seen:
            report.add(
                "CG103",
                f"`{name.text}` stands twice",
                name.span,
                "again here",
                context=[Label(seen[name.text].span, "first here")],
                help="keep one of the two",
            )
        seen.setdefault(name.text, name)
        if name.text in ("equations", "laws") and isinstance(value, nodes.ScalarNode) and value.style != "|":
            start = value.start_mark.index
            if value.style == ">":
                report.add(
                    "CG104",
                    f"folded text joins the lines of the {name.text}",
                    source.span(start, start + 1),
                    help="write `|` in place of `>`",
                )
            elif "\n" in source.text[start : value.end_mark.index].rstrip():
                report.add(
                    "CG104",
                    f"without `|` the lines of the {name.text} become one",
                    name.span,
                    help=f"write `{name.text}: |`, and one a line below it, indented",
                )
            elif value.style == '"' and "\\" in source.text[start : value.end_mark.index]:
                report.add(
                    "CG104",
                    f"the {name.text} take no escapes",
                    source.span(start, value.end_mark.index),
                    help=f"write `{name.text}: |`, and one a line below it, indented",
                )
        # a key is always a word, also where YAML would read a value: `on`, `1`
        name = Scalar(name.text, name.text, name.lines, name.span)
        items.append((name, _located(value, source, report)))
    return Mapping(tuple(items), span)


def _scalar(node, source: Source, span: Span, report: Report) -> Scalar:
    text, tag = node.value, str(node.tag).rsplit(":", 1)[-1]
    value: None | bool | int | float | str = text
    for char in dict.fromkeys(text):
        if category(char) in ("Cc", "Cf", "Cs") and char not in "\n\t":
            at = source.text.find(char, span.start, span.end)
            where = source.span(at, at + 1) if at >= 0 else span
            help = "delete it: it may come with text that is copied"
            report.add("CG203", "an invisible character", where, f"U+{ord(char):04X}", help=help)
    if node.style is None:
        try:
            if tag == "null":
                value = None
            elif tag == "bool":
                value = text.lower() == "true"
            elif tag == "int":
                value = int(text.replace("_", ""), 0) if not text.lstrip("+-").startswith("0") else int(text, 0)
            elif tag == "float" and re.fullmatch(r"[-+]?\.inf", text, re.IGNORECASE):
                value = "-inf" if text.startswith("-") else "inf"  # where there is no bound: no number
            elif tag == "float":
                value = float(text.replace("_", ""))
            elif tag not in ("str",):
                value = text  # a date, say: the text is what was meant
            if isinstance(value, (int, float)) and not finite(value):
                report.add("CG216", f"`{text[:40]}` is beyond what a float can hold", span)
            elif value == 0 and isinstance(value, float) and re.match(r"[^eE]*[1-9]", text):
                report.add("CG216", f"`{text[:40]}` is too small for a float", span)
        except ValueError:
            report.add(
                "CG106", f"`{text[:40]}` is no number", span, help="numbers are finite and decimal: 1, 0.5, 1e-3"
            )
    return Scalar(value, text, _lines(node, source, span), span)


def finite(number: int | float) -> bool:
    """Whether a float can hold the number."""
    try:
        return math.isfinite(number)
    except OverflowError:
        return False


def _lines(node, source: Source, span: Span) -> tuple[tuple[str, Span], ...]:
    """The lines of a text and where each stands: of a `|` block its own, of anything else the one it starts in."""
    if node.style == "|":
        return tuple(_block(node, source))
    quoted = node.style in ("'", '"')
    if source.text[span.start + quoted : span.end - quoted] != node.value:
        return tuple((line, span) for line in node.value.split("\n"))  # escapes: columns cannot be told
    return ((node.value, source.span(span.start + quoted, span.end - quoted)),)


def _block(node, source: Source):
    at = source.text.find("\n", node.start_mark.index) + 1 or len(source.text)
    for line in node.value.removesuffix("\n").split("\n"):
        stop = source.text.find("\n", at)
        stop = len(source.text) if stop < 0 else stop
        yield line, source.span(max(at, stop - len(line)), stop)  # the indentation stands before it
        at = min(stop + 1, len(source.text))
