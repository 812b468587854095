"""What is said to the user: `Diagnostic`, and its four renderings. The registry of codes is in `codes`.

A stage collects its diagnostics in a `Report` and calls `stop()`, which raises `SpecError` when an error is among
them: all errors of a stage are told at once, and the next stage never sees a broken spec.
"""

import json
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import NoReturn
from unicodedata import combining, east_asian_width

from cellgen.diagnostics.codes import CODES
from cellgen.diagnostics.span import Span

FORMATS = ("full", "concise", "json", "github")
MAX_TOLD = 100  # diagnostics of one stage
WIDTH = 110  # characters of a line that are shown


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


class Refused(Exception):
    """A part of a spec has no meaning; the reason is in the report, and the parts beside it can be looked at."""


class Report:
    """The diagnostics of one stage, in the order of the user's file, each told once."""

    def __init__(self):
        self._found: dict[Diagnostic, None] = {}

    def add(self, code: str, message: str, span: Span, text: str = "", *, context=(), help=(), severity="error"):
        help = tuple(each for each in ((help,) if isinstance(help, str) else help) if each)
        self._found[Diagnostic(code, message, Label(span, text), tuple(context), help, severity)] = None
        if len(self._found) >= MAX_TOLD and self.failed:
            self.stop()

    def refuse(self, code: str, message: str, span: Span, text: str = "", *, context=(), help=()) -> NoReturn:
        """An error that leaves a part without a meaning. Raises `Refused`."""
        self.add(code, message, span, text, context=context, help=help)
        raise Refused

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        return tuple(
            sorted(self._found, key=lambda each: (each.label.span.source.name, each.label.span.start, each.code))
        )

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
    found = closest(name, sorted(known) if isinstance(known, (set, frozenset)) else list(known))
    return f"did you mean `{found}`?" if found else ""


def closest(name: str, known: list[str]) -> str | None:
    """By spelling; else the one word that begins as `name` does, or the longest in it: `init` for `initializer`."""
    lower = {each.lower(): each for each in reversed(known)}
    close = get_close_matches(name.lower(), list(lower), n=1, cutoff=0.6)
    if close:
        return lower[close[0]]
    begin = [each for each in known if each.startswith(name)] if len(name) > 2 else []
    within = [each for each in known if len(each) > 2 and each in name]
    return begin[0] if len(begin) == 1 else max(within, key=len, default=None)


def render(diagnostics: Iterable[Diagnostic], format: str = "full") -> str:
    """All diagnostics as text in one of `FORMATS`, without a final newline."""
    diagnostics = tuple(diagnostics)
    if format == "json":
        return json.dumps([_record(each) for each in diagnostics], indent=2)
    one = {"full": full, "concise": concise, "github": github}[format]
    return ("\n\n" if format == "full" else "\n").join(one(each) for each in diagnostics)


def concise(diagnostic: Diagnostic) -> str:
    return (
        f"{_place(diagnostic.label.span)}: {diagnostic.severity}[{diagnostic.code}]: {_printable(diagnostic.message)}"
    )


def github(diagnostic: Diagnostic) -> str:
    """A workflow command, so that the finding appears beside the line in a review."""
    span = diagnostic.label.span
    level = {"error": "error", "warning": "warning", "note": "notice"}[diagnostic.severity]
    told = (diagnostic.message, *(f"help: {each}" for each in diagnostic.help))
    message = "%0A".join(_printable(each).replace("%", "%25") for each in told)
    file = _printable(span.source.name)
    for char, code in (("%", "%25"), (",", "%2C"), (":", "%3A")):
        file = file.replace(char, code)
    return f"::{level} file={file},line={span.line},col={span.column},title={diagnostic.code}::{message}"


def full(diagnostic: Diagnostic) -> str:
    """The finding with an excerpt of the user's file, as a compiler shows it."""
    labels = (diagnostic.label, *diagnostic.context)
    margin = " " * len(str(max(each.span.line for each in labels)))
    out = [f"{diagnostic.severity}[{diagnostic.code}]: {_printable(diagnostic.message)}"]
    for source in dict.fromkeys(each.span.source for each in labels):
        here = [each for each in labels if each.span.source == source]
        out.append(f"{margin}{'-->' if here[0] is diagnostic.label else ':::'} {_place(here[0].span)}")
        if source.text:
            out += [f"{margin} |", *_excerpt(here, diagnostic.label, len(margin))]
    if diagnostic.help:
        out += [f"{margin} |"] if diagnostic.label.span.source.text else []
        for each in diagnostic.help:
            lead = f"{margin} = help: "
            out += textwrap.wrap(
                _printable(each),
                WIDTH,
                initial_indent=lead,
                subsequent_indent=" " * len(lead),
                break_long_words=False,
                break_on_hyphens=False,
            )
    return "\n".join(out)


def _place(span: Span) -> str:
    name = _printable(span.source.name)
    return f"{name}:{span.line}:{span.column}" if span.source.text else name


def _excerpt(labels: list[Label], main: Label, width: int) -> Iterator[str]:
    """The lines that the labels of one source mark, each once; `^` marks `main`, which the finding is about."""
    last = 0
    for row in sorted({each.span.line for each in labels}):
        here = [each for each in labels if each.span.line == row]
        line = here[0].span.source.lines[row - 1]
        start = _window(line, here[0].span)
        stop = start + WIDTH
        before, after = "..." * (start > 0), "..." * (stop < len(line))
        if last and row > last + 1:
            yield "..."
        yield f"{row:>{width}} | {before}{_printable(line[start:stop])}{after}".rstrip()
        for each in sorted(here, key=lambda label: label.span.start):
            column = min(max(each.span.column - 1, start), stop)
            length = _columns(line[column : min(column + each.span.end - each.span.start, stop)])
            mark = ("^" if each is main else "-") * max(1, length)
            lead = " " * (len(before) + _columns(line[start:column]))
            yield f"{' ' * width} | {lead}{mark} {_printable(each.text)}".rstrip()
        last = row


def _window(line: str, span: Span) -> int:
    """Where the shown part of a long line begins, so that the span is in it."""
    return 0 if len(line) <= WIDTH else max(0, min(span.column - 21, len(line) - WIDTH))


def _columns(text: str) -> int:
    """How wide a terminal shows a text."""
    return sum(2 if east_asian_width(char) in "WF" else 0 if combining(char) else 1 for char in _printable(text))


def _printable(text: str) -> str:
    """Without what would move the cursor, change its colour, or turn the direction of writing."""
    return "".join(
        char if char.isprintable() else " " if char in "\t\n" else "\N{REPLACEMENT CHARACTER}" for char in text
    )


def _record(diagnostic: Diagnostic) -> dict:
    def place(label: Label) -> dict:
        line, column = label.span.source.position(label.span.end)
        return {
            "file": label.span.source.name,
            "line": label.span.line,
            "column": label.span.column,
            "end_line": line,
            "end_column": column,
            "text": label.text,
        }

    return {
        "code": diagnostic.code,
        "severity": diagnostic.severity,
        "message": diagnostic.message,
        **place(diagnostic.label),
        "context": [place(each) for each in diagnostic.context],
        "help": list(diagnostic.help),
    }
