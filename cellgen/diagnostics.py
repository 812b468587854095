"""What is said to the user: `Diagnostic`, and its four renderings. The registry of codes is in `codes`.

A stage collects its diagnostics in a `Report` and calls `stop()`, which raises `SpecError` when an error is among
them: all errors of a stage are told at once, and the next stage never sees a broken spec.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from cellgen.codes import CODES
from cellgen.span import Span

FORMATS = ("full", "concise", "json", "github")


@dataclass(frozen=True, slots=True)
class Label:
    """A place in the user's file and what stands there."""

    span: Span
    text: str = ""


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding. `label` is the place it is about, `context` are others that explain it, `help` can be done."""

    code: str
    message: str
    label: Label
    context: tuple[Label, ...] = ()
    help: tuple[str, ...] = ()
    severity: str = "error"

    def __post_init__(self):
        if self.code not in CODES:
            raise KeyError(f"{self.code} is not in the registry of codes")


class SpecError(Exception):
    """A spec that cannot be built; carries what to tell its author."""

    def __init__(self, diagnostics: Iterable[Diagnostic]):
        self.diagnostics = tuple(diagnostics)
        super().__init__("\n\n".join(full(each) for each in self.diagnostics))


class Report:
    """The diagnostics of one stage, in the order of the user's file, each told once."""

    def __init__(self):
        self._found: dict[Diagnostic, None] = {}

    def add(self, code: str, message: str, span: Span, text: str = "", *, context=(), help=(), severity="error"):
        help = tuple(each for each in ((help,) if isinstance(help, str) else help) if each)
        self._found[Diagnostic(code, message, Label(span, text), tuple(context), help, severity)] = None

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        return tuple(sorted(self._found, key=lambda each: (each.label.span.source.name, each.label.span.start, each.code)))

    @property
    def failed(self) -> bool:
        return any(each.severity == "error" for each in self._found)

    def stop(self) -> tuple[Diagnostic, ...]:
        """The warnings and notes, if there was no error. Raises `SpecError` with everything found otherwise."""
        if self.failed:
            raise SpecError(self.diagnostics)
        return self.diagnostics


def nearest(name: str, known: Iterable[str]) -> str:
    """A help that names the known word nearest to `name`, or an empty string."""
    close = get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"did you mean `{close[0]}`?" if close else ""


def render(diagnostics: Iterable[Diagnostic], format: str = "full") -> str:
    """All diagnostics as text in one of `FORMATS`, without a final newline."""
    diagnostics = tuple(diagnostics)
    if format == "json":
        return json.dumps([_record(each) for each in diagnostics], indent=2)
    one = {"full": full, "concise": concise, "github": github}[format]
    return ("\n\n" if format == "full" else "\n").join(one(each) for each in diagnostics)


def concise(diagnostic: Diagnostic) -> str:
    span = diagnostic.label.span
    where = f"{span.source.name}:{span.line}:{span.column}"
    return f"{where}: {diagnostic.severity}[{diagnostic.code}]: {diagnostic.message}"


def github(diagnostic: Diagnostic) -> str:
    """A workflow command, so that the finding appears beside the line in a review."""
    span = diagnostic.label.span
    level = {"error": "error", "warning": "warning", "note": "notice"}[diagnostic.severity]
    message = "\n".join((diagnostic.message, *(f"help: {each}" for each in diagnostic.help)))
    for char, code in (("%", "%25"), ("\r", "%0D"), ("\n", "%0A")):
        message = message.replace(char, code)
    file = span.source.name
    for char, code in (("%", "%25"), (",", "%2C"), (":", "%3A")):
        file = file.replace(char, code)
    return f"::{level} file={file},line={span.line},col={span.column},title={diagnostic.code}::{message}"


def full(diagnostic: Diagnostic) -> str:
    """The finding with an excerpt of the user's file, as a compiler shows it."""
    span = diagnostic.label.span
    labels = sorted((diagnostic.label, *diagnostic.context), key=lambda each: each.span.start)
    width = len(str(max(each.span.line for each in labels)))
    out = [f"{diagnostic.severity}[{diagnostic.code}]: {diagnostic.message}"]
    out.append(f"{' ' * width}--> {span.source.name}:{span.line}:{span.column}")
    last = None
    for label in labels:
        if label.span.source is not span.source:
            where = f"{label.span.source.name}:{label.span.line}:{label.span.column}"
            out.append(f"{' ' * width} = {where}: {label.text}")
            continue
        line = label.span.line
        if line != last:
            if last is None or line > last + 1:
                out.append(f"{' ' * width} |" if last is None else "...")
            out.append(f"{line:>{width}} | {_excerpt(label.span)[0]}".rstrip())
        mark = "^" if label is diagnostic.label else "-"
        _, column, length = _excerpt(label.span)
        out.append(f"{' ' * width} | {' ' * column}{mark * length} {label.text}".rstrip())
        last = line
    if diagnostic.help:
        out.append(f"{' ' * width} |")
        out.extend(f"{' ' * width} = help: {each}" for each in diagnostic.help)
    return "\n".join(out)


_EXCERPT = 110  # characters of a line that are shown


def _excerpt(span: Span) -> tuple[str, int, int]:
    """The span's (first) line as shown, the column of the mark in it from 0, and the mark's length."""
    line = "".join(c if c.isprintable() else " " if c == "\t" else "\N{REPLACEMENT CHARACTER}" for c in
                   span.source.lines[span.line - 1])
    column = min(span.column - 1, len(line))
    length = max(1, min(span.end - span.start, len(line) - column))
    if len(line) > _EXCERPT:
        start = max(0, min(column - 20, len(line) - _EXCERPT))
        line, column = line[start : start + _EXCERPT], column - start
        length = max(1, min(length, _EXCERPT - column))
    return line, column, length


def _record(diagnostic: Diagnostic) -> dict:
    def place(label: Label) -> dict:
        line, column = label.span.source.position(label.span.end)
        return {"file": label.span.source.name, "line": label.span.line, "column": label.span.column,
                "end_line": line, "end_column": column, "text": label.text}

    return {"code": diagnostic.code, "severity": diagnostic.severity, "message": diagnostic.message,
            **place(diagnostic.label), "context": [place(each) for each in diagnostic.context],
            "help": list(diagnostic.help)}
