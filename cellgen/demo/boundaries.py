"""What a boundary detector did on a text, as figures and as marks under each other.

`fired` is one detector over a text, a 0 or 1 for each character; `detectors` are those of the layers that have one,
layer 1 first. The state before the text is zero: nothing has fired.
"""

from collections.abc import Sequence
from dataclasses import dataclass

Fired = Sequence[int]
MARK = "|"


def rate(fired: Fired) -> float:
    return sum(fired) / len(fired)


# --- against the spaces ---------------------------------------------------------------------------------------------


def f1(fired: Fired, text: str) -> float:
    """The harmonic mean of precision and recall, taking what fired for a guess at the spaces."""
    hits = sum(1 for each, character in zip(fired, text, strict=True) if each and character == " ")
    guesses, spaces = sum(fired), text.count(" ")
    return 2 * hits / (guesses + spaces) if guesses + spaces else 0.0


def chance(fired: Fired, text: str) -> float:
    """The F1 to expect of a detector that fires as often, but at random."""
    guesses, spaces = sum(fired), text.count(" ")
    return 2 * (guesses * spaces / len(text)) / (guesses + spaces) if guesses + spaces else 0.0


def where(fired: Fired, text: str) -> dict[str, float]:
    """How often it fires on a space, on the letter after one, and on any other letter."""
    kinds: dict[str, list[int]] = {"space": [], "first letter of a word": [], "any other letter": []}
    before = " "
    for each, character in zip(fired, text, strict=True):
        kind = "space" if character == " " else "first letter of a word" if before == " " else "any other letter"
        kinds[kind].append(each)
        before = character
    return {kind: rate(found) if found else 0.0 for kind, found in kinds.items()}


def by_character(fired: Fired, text: str) -> dict[str, float]:
    """How often it fires on each character that there is, in the alphabet's order."""
    found: dict[str, list[int]] = {character: [] for character in sorted(set(text))}
    for each, character in zip(fired, text, strict=True):
        found[character].append(each)
    return {character: rate(each) for character, each in found.items()}


# --- what the layers do ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Operations:
    """How many steps of a layer were of each kind."""

    update: int
    copy: int
    flush: int

    @property
    def computed(self) -> int:
        """The steps in which the layer's state is a new one."""
        return self.update + self.flush


def operations(detectors: Sequence[Fired], start: int = 0, stop: int | None = None) -> tuple[Operations, ...]:
    """Of each layer, layer 1 first, on a piece of the text. The top has no detector, and what feeds layer 1 is always
    new: so the top never flushes, and layer 1 never copies.
    """
    steps = len(detectors[0])
    bottom, top = [1] * steps, [0] * steps
    belows, owns = [bottom, *detectors], [*detectors, top]
    piece = range(start, steps if stop is None else stop)
    out = []
    for below, own in zip(belows, owns, strict=True):
        flush = sum(1 for at in piece if at and own[at - 1])
        update = sum(1 for at in piece if below[at] and not (at and own[at - 1]))
        out.append(Operations(update, len(piece) - update - flush, flush))
    return tuple(out)


# --- to look at -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Line:
    """A stretch of text with the marks of each detector above it, layer 1 first, as many characters as the text."""

    text: str
    marks: tuple[str, ...]


def lines(text: str, detectors: Sequence[Fired], width: int) -> tuple[Line, ...]:
    """The text in lines of a width, as the paper's figure 3 shows it."""
    out = []
    for at in range(0, len(text), width):
        stretch = slice(at, at + width)
        marks = ("".join(MARK if each else " " for each in fired[stretch]) for fired in detectors)
        out.append(Line(text[stretch], tuple(marks)))
    return tuple(out)


def plain(lines: Sequence[Line]) -> str:
    """For a terminal: the highest layer's marks on top, the text below, nothing at the end of a line."""
    out = []
    for line in lines:
        for layer, marks in reversed(list(enumerate(line.marks, 1))):
            out.append(f"z{layer}  {marks}".rstrip())
        out += [f"    {line.text}".rstrip(), ""]
    return "\n".join(out[:-1])
