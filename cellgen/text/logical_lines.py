"""The logical lines of a text: comments cut off, open brackets joined, each character with its place in the file.

Input: the `Scalar` of a section. Output: `Line`s. A line has at most 2,000 characters, all ASCII.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from cellgen.diagnostics import Refused, Report, Span
from cellgen.text.syntax_errors import mistakes
from cellgen.text.yaml_tree import Scalar

MAX_LENGTH = 2_000

EQUATION = re.compile(r"[A-Za-z]\w*\s*(:[^=]*)?=(?!=)")  # what an equation starts with
ACCENTS = {"CIRCUMFLEX": "hat", "TILDE": "tilde", "MACRON": "bar", "DOT ABOVE": "dot"}
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
class Line:
    """A logical line: the pieces of text between which a bracket is open, comments cut off, and where each stands.

    indent: the blanks before the first.
    """

    pieces: tuple[tuple[str, Span], ...]
    indent: int = 0

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
        return Span(span.source, span.start + offset, min(span.start + offset + 1, len(span.source.text)))


def lines(scalar: Scalar, report: Report, what: str, most: int) -> list[Line]:
    """The logical lines of a text, without empty ones; those with a character outside ASCII are reported."""
    found, pieces, depth, indent = [], [], 0, 0
    for text, span in scalar.lines:
        code = text.split("#", 1)[0].rstrip()
        lead = len(code) - len(code.lstrip())
        code = code.lstrip()
        if not code:
            continue
        if depth > 0 and EQUATION.match(code) and pieces[-1][0][-1] not in ",([{":
            # a bracket left open does not swallow the equations below it
            found.append(Line(tuple(pieces), indent))
            pieces, depth = [], 0
        indent = indent if pieces else lead
        exact = span.end - span.start >= len(text)
        where = Span(span.source, span.start + lead, span.start + lead + len(code)) if exact else span
        pieces.append((code, where))
        depth += sum(code.count(char) for char in "([{") - sum(code.count(char) for char in ")]}")
        if depth <= 0 or what == "law":
            found.append(Line(tuple(pieces), indent))
            pieces, depth = [], 0
    if pieces:
        found.append(Line(tuple(pieces), indent))
    if len(found) > most:
        report.add("CG108", f"more than {most} {what}s", found[most].span)
        return []
    return [line for line in found if is_plain(line, report, what)]


def each(found: list[Line], read, report: Report) -> Iterator:
    """What `read` makes of each line, without those that it refuses."""
    for line in found:
        try:
            yield read(line, report)
        except Refused:
            pass


def is_plain(line: Line, report: Report, what: str = "") -> bool:
    """Whether a line is short enough and ASCII; if not, it is reported (CG108, CG203), and what else is wrong with it
    for the parser, if `what` it is was said (CG201).
    """
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
    if strange and what:
        for each in mistakes("".join(map(_plain, text))):
            where = line.at(each.start, each.end)
            report.add("CG201", f"this is no {what}: {each.message}", where, help=each.help)
    return not strange


def _plain(char: str) -> str:
    """One character of ASCII that could stand in its place."""
    if char.isascii() and (char.isprintable() or char in "\n\t"):
        return char
    return ASCII.get(char, "v")[:1].replace("_", "v") if char.isprintable() else " "


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
