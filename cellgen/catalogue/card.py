"""A spec among others: what it is, how much it takes, and how its states follow from one another."""

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from cellgen.analyse import analyse
from cellgen.compiler import Spec
from cellgen.ir import TypedCell
from cellgen.show import recurrences

MOST = 100  # characters of a line of a card
WIDEST = 44  # characters of a column of the table
_YEAR = re.compile(r"\b(19|20)\d\d\b")
_ARXIV = re.compile(r"arXiv:\s?([a-z-]+/\d{7}|\d{4}\.\d{4,5})", re.I)


@dataclass(frozen=True, slots=True)
class Card:
    """A spec among others. parameters, recurrence: as built by default; of a stack, of one layer."""

    name: str
    cell: str
    family: str
    about: str
    papers: tuple[str, ...]
    states: tuple[str, ...]
    parameters: str
    recurrence: str

    @property
    def paper(self) -> str:
        """The first one: authors, year, and number on arXiv."""
        text = next(iter(self.papers), "")
        year, number = _YEAR.search(text), _ARXIV.search(text)
        words = text[: year.end()] if year else text.partition(",")[0]
        authors = re.split(r", | & ", words.removesuffix(year[0]).strip() if year else "")
        if len(authors) > 2:
            words = f"{authors[0]} et al. {year[0]}"
        return ", ".join([*filter(None, [words]), *([f"arXiv:{number[1]}"] if number else [])])


def card(spec: Spec) -> Card:
    """Raises `SpecError`."""
    typed = spec.typed(laws=False)
    what = spec.stack(laws=False) if spec.is_stack else typed.cell
    (facts,) = analyse(TypedCell(typed.cell, (typed.default,))).variants
    said = [*recurrences(facts)]
    classes = [each.partition(": ")[2] for each in said]
    return Card(
        spec.stem,
        what.name,
        what.family,
        what.about,
        what.papers,
        tuple(state.name for state in typed.cell.states),
        f"{facts.parameters}{' a layer' if spec.is_stack else ''}",
        classes[0] if len(said) == 1 else "; ".join(said),
    )


def rows(found: Sequence[Card]) -> list[tuple[str, ...]]:
    """A line for each, under a head."""
    head = ("name", "family", "states", "parameters", "recurrence", "paper")
    short = {each.name: each.recurrence.replace(" in what is carried", "") for each in found}
    return [head, *((c.name, c.family, ", ".join(c.states), c.parameters, short[c.name], c.paper) for c in found)]


def aligned(found: list[tuple[str, ...]]) -> list[str]:
    """Rows in columns; what is longer than a column moves what comes after it in its row."""
    widths = [max((len(cell) for cell in column if len(cell) <= WIDEST), default=0) for column in zip(*found)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in found]


def long(found: Card, width: int) -> list[str]:
    """All about one, below its name."""
    lines = [found.about] if found.about else []
    lines += [f"family {found.family}"] if found.family else []
    lines += [f"states {', '.join(found.states)}", f"recurrence {found.recurrence}"]
    lines += [f"parameters {found.parameters}", *found.papers]
    return [
        line
        for each in lines
        for line in textwrap.wrap(each, min(width, MOST), initial_indent="    ", subsequent_indent="      ")
    ]
