"""What `cellgen demo` found out, as records that go to JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from cellgen.demo import boundaries as boundaries
from cellgen.demo.boundaries import Operations

FORMAT = 1  # of the JSON: a reader can refuse another
PIECE = 270  # characters, as in the paper's figure 3
EXCERPT = 1800  # characters to look at
WARM = 1000  # characters read before them


@dataclass(frozen=True, slots=True)
class Point:
    """After some steps: bits per character, `train` as the mean since the point before, and how often each detector
    fires on the test text.
    """

    step: int
    train: float
    valid: float
    rates: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """A model. test: bits per character with the weights after `best_step` steps, which were the best on the validation
    text; seconds: the median of a training step.
    """

    name: str
    title: str
    units: int
    parameters: int
    test: float
    best_step: int
    seconds: float
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Detector:
    """What a layer's detector does on the test text. f1: against the spaces; chance: of random firing as often;
    where, characters: how often it fires on places and characters of a kind.
    """

    layer: int
    rate: float
    f1: float
    chance: float
    where: Mapping[str, float]
    characters: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A stretch of the test text, what each detector did on it, and what each layer did on its first PIECE steps."""

    text: str
    fired: tuple[tuple[int, ...], ...]
    operations: tuple[Operations, ...]

    @property
    def piece(self) -> int:
        return min(PIECE, len(self.text))


@dataclass(frozen=True, slots=True)
class Figures:
    """One run. corpus: characters in all and of each part, and its hash; spaces: their share in the test text;
    ngrams: bits per character of the test text after 0, 1, ... characters of context; epoch: the steps of one.
    """

    machine: Mapping[str, str]
    corpus: Mapping[str, int | str]
    settings: Mapping[str, int | str]
    epoch: int
    steps: int
    ngrams: tuple[float, ...]
    spaces: float
    entries: tuple[Entry, ...]
    detectors: tuple[Detector, ...]
    operations: tuple[Operations, ...]
    excerpt: Excerpt

    @property
    def ours(self) -> Entry:
        return self.entries[0]


def detectors(text: str, fired: Sequence[Sequence[int]]) -> tuple[Detector, ...]:
    return tuple(
        Detector(
            layer,
            boundaries.rate(each),
            boundaries.f1(each, text),
            boundaries.chance(each, text),
            boundaries.where(each, text),
            boundaries.by_character(each, text),
        )
        for layer, each in enumerate(fired, 1)
    )


def excerpt(text: str, fired: Sequence[Sequence[int]]) -> Excerpt:
    """From the first word after WARM characters, or from a later part of a shorter text."""
    start = text.find(" ", min(WARM, len(text) // 2)) + 1
    stop = min(start + EXCERPT, len(text))
    piece = boundaries.operations(fired, start, min(start + PIECE, stop))
    return Excerpt(text[start:stop], tuple(tuple(each[start:stop]) for each in fired), piece)


def to_json(figures: Figures) -> str:
    out = {"format": FORMAT, "what": "cellgen demo", **asdict(figures)}
    out["excerpt"]["fired"] = ["".join(map(str, each)) for each in figures.excerpt.fired]
    return json.dumps(out, indent=1) + "\n"
