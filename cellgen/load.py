"""YAML to a located tree. Input: a `Source`. Output: `Mapping`, `Sequence` and `Scalar`, each with its span.

A spec is data from a stranger, so what YAML offers beyond data is refused: anchors, aliases, tags, merges, folded
text, several documents. Bounds: 256 KiB a file, 20 levels, 5,000 values.
"""

from dataclasses import dataclass, field
from pathlib import Path

from cellgen.diagnostics import Diagnostic, Label, Report, SpecError
from cellgen.span import Source, Span

MAX_BYTES = 256 * 1024
MAX_DEPTH = 20
MAX_VALUES = 5_000


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value. `value` is None, a bool, an int, a float or a str, as YAML 1.2 reads it; `text` is what was written."""

    value: None | bool | int | float | str
    text: str
    lines: tuple[tuple[str, Span], ...]  # each line of the text and where it stands
    span: Span = field(compare=False, repr=False)


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


def read(path: Path, name: str | None = None) -> Source:
    """The text of a file. Raises `SpecError` when it cannot be read, is no UTF-8 or is too large."""

    def refuse(message: str, help: str) -> SpecError:
        source = Source(name or path.as_posix(), "")
        return SpecError([Diagnostic("CG101", message, Label(source.span(0, 0)), help=(help,))])

    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise refuse(f"cannot read the spec: {(error.strerror or str(error)).lower()}",
                     "`cellgen list` shows the shipped specs, `cellgen new NAME` writes one to edit") from None
    if len(data) > MAX_BYTES:
        raise refuse(f"the spec is larger than {MAX_BYTES // 1024} KiB", "a spec is a page of equations: split it")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise refuse(f"the spec is not UTF-8: byte {error.start}", "save the file as UTF-8") from None
    return Source(name or path.as_posix(), text.replace("\r\n", "\n").replace("\r", "\n"))


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
        mark = error.problem_mark or error.context_mark
        at = min(mark.index, len(source.text)) if mark else 0
        problem = " ".join((error.problem or error.context or "malformed").split())
        report.add("CG102", f"this is no YAML: {problem}", source.span(at, at + 1), help=_yaml_help(source, at))
        report.stop()
    except (YAMLError, ValueError, RecursionError) as error:
        at = getattr(error, "position", 0)
        reason = " ".join(str(getattr(error, "reason", error)).split())
        report.add("CG102", f"this is no YAML: {reason}", source.span(at, at + 1))
        report.stop()
    if root is None:
        report.add("CG107", "the spec is empty", source.span(0, 0), help="`cellgen new NAME` writes a spec to edit")
        report.stop()
    tree = _located(root, source, report)
    if not isinstance(tree, Mapping):
        report.add("CG106", "a spec is a mapping of keys such as `cell:` and `equations:`", tree.span)
    report.stop()
    return tree


def _yaml_help(source: Source, at: int) -> str:
    line = source.text[:at].count("\n")
    text = source.lines[min(line, len(source.lines) - 1)]
    if "\t" in text[: len(text) - len(text.lstrip())]:
        return "indent with spaces: YAML takes no tabs"
    return "check the indentation, and that every bracket, brace and quote is closed; equations stand under `equations: |`"


def _refuse_depth(source: Source, report: Report) -> None:
    """Refuse deep nesting before a recursive parser sees it: by brackets, and by indentation."""
    depth = 0
    for at, char in enumerate(source.text):
        depth += (char in "[{") - (char in "]}")
        if depth > 200:
            report.add("CG108", "brackets are nested more than 200 deep", source.span(at, at + 1),
                       help=f"a spec needs at most {MAX_DEPTH} levels")
            return


def _refuse_features(events, source: Source, report: Report) -> None:
    from ruamel.yaml import events as kinds

    documents = depth = values = 0
    for event in events:
        span = source.span(event.start_mark.index, max(event.end_mark.index, event.start_mark.index + 1))
        if isinstance(event, kinds.DocumentStartEvent):
            documents += 1
            if documents > 1:
                report.add("CG104", "a file holds one spec", span, "a second document starts here",
                           help="put it into a file of its own")
                return
        elif isinstance(event, kinds.AliasEvent):
            report.add("CG104", "a spec takes no YAML aliases", span,
                       help="write the value out; to share between specs use `extends:`; a text that starts with `*` needs quotes")
        elif isinstance(event, kinds.NodeEvent):
            values += 1
            if event.anchor:
                report.add("CG104", "a spec takes no YAML anchors", span, help="write the value out where it is needed")
            tag = getattr(event, "tag", None) or getattr(event, "ctag", None)
            if tag and str(tag) not in ("None", "!"):
                report.add("CG104", "a spec takes no YAML tags", span, help="leave the `!` away")
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
            report.add("CG104", "a key is a plain word", name.span)
            continue
        if name.text in seen:
            report.add("CG103", f"`{name.text}` stands twice", name.span, "again here",
                       context=[Label(seen[name.text].span, "first here")], help="keep one of the two")
        seen.setdefault(name.text, name)
        if name.text in ("equations", "laws") and getattr(value, "style", None) == ">":
            report.add("CG104", f"folded text joins the lines of the {name.text}", source.span(value.start_mark.index,
                       value.start_mark.index + 1), help="write `|` in place of `>`")
        # a key is always a word, also where YAML would read a value: `on`, `1`
        name = Scalar(name.text, name.text, name.lines, name.span)
        items.append((name, _located(value, source, report)))
    return Mapping(tuple(items), span)


def _scalar(node, source: Source, span: Span, report: Report) -> Scalar:
    text, tag = node.value, str(node.tag).rsplit(":", 1)[-1]
    value: None | bool | int | float | str = text
    if node.style is None:
        try:
            if tag == "null":
                value = None
            elif tag == "bool":
                value = text.lower() == "true"
            elif tag == "int":
                value = int(text.replace("_", ""), 0) if not text.lstrip("+-").startswith("0") else int(text, 0)
            elif tag == "float":
                value = float(text.replace("_", ""))
            elif tag not in ("str",):
                value = text  # a date, say: the text is what was meant
        except ValueError:
            report.add("CG106", f"`{text[:40]}` is no number", span)
    return Scalar(value, text, _lines(node, source, span), span)


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
