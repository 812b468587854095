"""Figures to a page that needs nothing but itself."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import log2
from pathlib import Path

from cellgen.compiler import templates
from cellgen.demo.boundaries import MARK, Line
from cellgen.demo.chart import Chart, Level, Series, chart
from cellgen.demo.corpus import ALPHABET
from cellgen.demo.figures import Figures
from cellgen.demo.words import findings, shown
from cellgen.emit import page as rendered

KINDS = "ours", "plain", "normed"  # the models, as the style sheet calls them
WIDE = 90  # characters of text in a line
LOW = 220  # of the second chart


@dataclass(frozen=True, slots=True)
class Cells:
    """A row of a table; kind: of the patch of colour before it, or nothing."""

    kind: str
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Bar:
    """A layer and what its steps did, each kind with its share in percent and in words."""

    layer: str
    parts: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class Strip:
    """A detector, and of each character how often it fires on it: as a fraction, and in words."""

    layer: str
    cells: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Stretch:
    """A line of the text: the marks, the highest layer first, and its segments between boundaries of layer 1, every
    other one tinted.
    """

    marks: tuple[tuple[str, str], ...]
    segments: tuple[tuple[bool, str], ...]


@dataclass(frozen=True, slots=True)
class PageView:
    """What the template puts in."""

    style: str
    found: tuple[str, ...]
    curves: Chart
    legend: tuple[tuple[str, str], ...]
    entries: tuple[Cells, ...]
    counts: tuple[tuple[str, str], ...]
    piece: tuple[Stretch, ...]
    rest: tuple[Stretch, ...]
    characters: str
    firing: Chart
    layers: tuple[tuple[str, str], ...]
    detectors: tuple[Cells, ...]
    alphabet: tuple[str, ...]
    strips: tuple[Strip, ...]
    bars: tuple[Bar, ...]
    facts: tuple[tuple[str, str], ...]


def page(figures: Figures) -> str:
    """HTML."""
    return rendered(_view(figures), "demo.html.j2", templates())


def _view(figures: Figures) -> PageView:
    piece, whole = figures.excerpt.piece, len(figures.excerpt.text)
    return PageView(
        style=Path(__file__).with_name("page.css").read_text(encoding="utf-8"),
        found=findings(figures),
        curves=_curves(figures),
        legend=tuple((kind, each.title) for kind, each in zip(KINDS, figures.entries, strict=True)),
        entries=tuple(_entries(figures)),
        counts=tuple((str(length), f"{bits:.2f}") for length, bits in enumerate(figures.ngrams)),
        piece=tuple(_stretches(shown(figures, WIDE, 0, piece))),
        rest=tuple(_stretches(shown(figures, WIDE, piece, whole))),
        characters=f"{piece}",
        firing=_firing(figures),
        layers=tuple((f"z{each.layer}", f"layer {each.layer}") for each in figures.detectors),
        detectors=tuple(_detectors(figures)),
        alphabet=tuple(character.replace(" ", "\N{OPEN BOX}") for character in ALPHABET),
        strips=tuple(_strips(figures)),
        bars=tuple(_bars(figures)),
        facts=tuple(_facts(figures)),
    )


def _curves(figures: Figures) -> Chart:
    series = []
    for kind, entry in zip(KINDS, figures.entries, strict=True):
        series.append(Series(kind, tuple((each.step, each.train) for each in entry.points), faint=True))
        series.append(Series(kind, tuple((each.step, each.valid) for each in entry.points)))
    best = min(figures.ngrams)
    counts = figures.ngrams[: figures.ngrams.index(best) + 1]  # with more context they get worse
    levels = [Level(f"{bits:.2f}, context {length}", bits) for length, bits in enumerate(counts)]
    least = min([best, *(y for each in series for _, y in each.points)])
    about = "Bits per character against training steps, for each model on the training and the validation text."
    return chart(about, "training steps", series, levels, least - 0.1, log2(len(ALPHABET)) + 0.1)


def _firing(figures: Figures) -> Chart:
    series = [
        Series(f"z{found.layer}", tuple((each.step, each.rates[at]) for each in figures.ours.points))
        for at, found in enumerate(figures.detectors)
    ]
    levels = [Level(f"{figures.spaces:.2f}, the spaces", figures.spaces)]
    about = "The share of the test text's characters at which each boundary detector fires, against training steps."
    return chart(about, "training steps", series, levels, 0, 1, LOW)


def _entries(figures: Figures) -> Iterator[Cells]:
    for kind, each in zip(KINDS, figures.entries, strict=True):
        last = each.points[-1]
        yield Cells(
            kind,
            (
                each.title,
                f"3 × {each.units}",
                f"{each.parameters:,}",
                f"{each.test:.3f}",
                f"{min(point.valid for point in each.points):.3f}",
                f"{last.train:.3f}",
                f"{each.best_step:,} of {figures.steps:,}",
                f"{each.seconds * 1000:.0f} ms",
            ),
        )


def _detectors(figures: Figures) -> Iterator[Cells]:
    for each in figures.detectors:
        figures_of = each.rate, each.f1, each.chance, *each.where.values()
        yield Cells(f"z{each.layer}", (f"z{each.layer}", *(f"{figure:.2f}" for figure in figures_of)))


def _strips(figures: Figures) -> Iterator[Strip]:
    for each in figures.detectors:
        rates = [(character, each.characters.get(character, 0.0)) for character in ALPHABET]
        cells = tuple((f"{rate:.2f}", f"{character.replace(' ', 'space')}: {rate:.0%}") for character, rate in rates)
        yield Strip(f"z{each.layer}", cells)


def _bars(figures: Figures) -> Iterator[Bar]:
    for layer, each in reversed(list(enumerate(figures.operations, 1))):
        total = each.update + each.copy + each.flush
        counts = {"update": each.update, "copy": each.copy, "flush": each.flush}
        yield Bar(
            f"layer {layer}",
            tuple((kind, f"{100 * count / total:.2f}", f"{kind} {count:,}") for kind, count in counts.items()),
        )


def _stretches(lines: tuple[Line, ...]) -> Iterator[Stretch]:
    """A boundary ends a segment; what it is tinted goes on from line to line."""
    tinted = False
    for line in lines:
        segments, begun = [], 0
        for at, mark in enumerate(line.marks[0], 1):
            if mark == MARK or at == len(line.text):
                segments.append((tinted, line.text[begun:at]))
                begun = at
                tinted ^= mark == MARK
        marks = tuple((f"z{layer}", each) for layer, each in reversed(list(enumerate(line.marks, 1))))
        yield Stretch(marks, tuple(segments))


def _facts(figures: Figures) -> Iterator[tuple[str, str]]:
    corpus, settings, machine = figures.corpus, figures.settings, figures.machine
    yield (
        "text",
        "Python's own manual (pydoc_data.topics) in lower case, letters and spaces only, without repeats: "
        f"{corpus['characters']:,} characters, sha256 {str(corpus['sha256'])[:12]}; "
        f"{corpus['train']:,} to train, {corpus['valid']:,} to validate, {corpus['test']:,} to test",
    )
    yield (
        "training",
        f"{settings['epochs']} epochs of {figures.epoch} steps, each on {settings['rows']} rows of "
        f"{settings['window']} characters, the state carried on from window to window; Adam, rate {settings['rate']}, "
        f"the gradients' norm at most {settings['norm']:g}; slope min(5, 1 + 0.04 epoch); seed {settings['seed']}",
    )
    yield "options", f"z on a copying step: {settings['z on copy']}; gradients through the choice: blend; no norm"
    yield (
        "test",
        "one pass over the whole text from a zero state, with the weights that were best on the validation text",
    )
    yield "machine", f"{machine['processor']}, {machine['cores']} cores, TensorFlow {machine['tensorflow']}, float32"
