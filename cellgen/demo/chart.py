"""Curves to the strings of an SVG: paths, ticks and labels, in a box of its own units."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, log10

WIDTH, HEIGHT = 880, 400
LEFT, RIGHT, TOP, BOTTOM = 46, 176, 14, 40  # margins; on the right stand the names of the levels
TICKS = 6
LINE = 13  # of a label


@dataclass(frozen=True, slots=True)
class Series:
    """kind: its class in the style sheet; faint: drawn thin."""

    kind: str
    points: tuple[tuple[float, float], ...]
    faint: bool = False


@dataclass(frozen=True, slots=True)
class Level:
    """A horizontal line with a name."""

    name: str
    at: float


@dataclass(frozen=True, slots=True)
class Path:
    kind: str
    d: str
    end: tuple[str, str] | None  # a dot at the last point


@dataclass(frozen=True, slots=True)
class Mark:
    """A tick or a level: its place, the place of its label, and the label."""

    at: str
    label_at: str
    label: str


@dataclass(frozen=True, slots=True)
class Chart:
    about: str
    across: str
    size: tuple[int, int]
    box: tuple[int, int, int, int]  # left, right, top, bottom
    paths: tuple[Path, ...]
    columns: tuple[Mark, ...]
    rows: tuple[Mark, ...]
    levels: tuple[Mark, ...]


def chart(
    about: str,
    across: str,
    series: Sequence[Series],
    levels: Sequence[Level],
    low: float,
    high: float,
    height: int = HEIGHT,
) -> Chart:
    """about: for those who do not see it; low, high: the range upwards, into which values beyond it are put."""
    furthest = max(x for each in series for x, _ in each.points)
    left, right, top, bottom = LEFT, WIDTH - RIGHT, TOP, height - BOTTOM

    def over(x: float) -> float:
        return left + (right - left) * x / furthest

    def up(y: float) -> float:
        return bottom - (bottom - top) * (min(max(y, low), high) - low) / (high - low)

    def path(each: Series) -> Path:
        places = [(f"{over(x):.1f}", f"{up(y):.1f}") for x, y in each.points]
        return Path(
            f"{each.kind} faint" if each.faint else each.kind,
            "M" + "L".join(f"{x},{y}" for x, y in places),
            None if each.faint else places[-1],
        )

    within = sorted((level for level in levels if low <= level.at <= high), key=lambda level: -level.at)
    apart = _apart([up(level.at) for level in within], LINE)
    return Chart(
        about,
        across,
        (WIDTH, height),
        (left, right, top, bottom),
        tuple(map(path, series)),
        tuple(Mark(f"{over(x):.1f}", str(bottom + 18), f"{x:,g}") for x in ticks(0, furthest)),
        tuple(Mark(f"{up(y):.1f}", f"{up(y) + 4:.1f}", f"{y:g}") for y in ticks(low, high)),
        tuple(
            Mark(f"{up(level.at):.1f}", f"{at + 4:.1f}", level.name) for level, at in zip(within, apart, strict=True)
        ),
    )


def ticks(low: float, high: float) -> list[float]:
    """Round numbers from low to high, some six of them."""
    rough = (high - low) / TICKS
    size = 10 ** floor(log10(rough))
    step = next(size * each for each in (1, 2, 2.5, 5, 10) if size * each >= rough)
    first, last = -floor(-low / step + 1e-9), floor(high / step + 1e-9)
    return [round(number * step, 10) for number in range(first, last + 1)]


def _apart(places: list[float], least: float) -> list[float]:
    """The places, downwards, each moved down until it is clear of the one above."""
    out: list[float] = []
    for place in places:
        out.append(max(place, out[-1] + least) if out else place)
    return out
