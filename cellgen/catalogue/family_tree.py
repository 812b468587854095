"""What `cellgen list --tree` shows: which cell reduces to which other, and under what.

An edge is a law `reduces to` that is proved here and now. A cell stands below the one that it reduces to; one that
reduces to several stands below each, with what is below it the first time only.
"""

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from cellgen.analyse import analyse
from cellgen.compiler import Spec
from cellgen.ir import Law, ReducesTo
from cellgen.prove import PROVED, Verdict, judge

WIDTH = 120
ABOVE = "(see above)"
EVERY = "for every activation"


@dataclass(frozen=True, slots=True)
class Edge:
    """A law `reduces to`. condition: under what, as the author wrote it; what is only called otherwise is left out."""

    name: str
    to: str
    condition: str
    status: str
    why: str

    @property
    def proved(self) -> bool:
        return self.status == PROVED


def edges(spec: Spec) -> list[Edge]:
    """What a spec says that it reduces to; a stack says nothing. Raises `SpecError`."""
    if spec.is_stack:
        return []
    typed = spec.typed()
    laws = [law for law in typed.cell.laws if isinstance(law.claim, ReducesTo)]
    verdicts = judge(typed, analyse(typed), laws) if laws else ()
    return [
        Edge(spec.stem, law.claim.stem, condition(law, verdict), verdict.status, verdict.why)
        for law, verdict in zip(laws, verdicts)
    ]


def condition(law: Law, verdict: Verdict) -> str:
    """`with ... when ...`, without the pairs of names; of the other cell's options, `of NAME: ...`; and what else it
    is proved under.
    """
    claim, (before, _, facts) = law.claim, law.text.partition(" when ")
    _, _, pairs = before.partition(" with ")
    named = {ours for ours, _ in claim.renames}
    kept = [each.strip() for each in pairs.split(",") if each.split("=")[0].strip() not in {*named, ""}]
    inside = before.partition(" with ")[0].partition("(")[2].rpartition(")")[0].strip()
    said = [f"with {', '.join(kept)}"] if kept else []
    said += [f"when {facts}"] if facts else []
    said += [f"of {claim.stem}: {inside}"] if inside else []
    under = "" if verdict.status != PROVED or verdict.why == EVERY else verdict.why
    return "; ".join([*said, *filter(None, [under])])


def tree(found: Sequence[Edge], names: Iterable[str] = ()) -> list[str]:
    """The lines of the tree of edges; last, those of the names that no edge touches."""
    below: dict[str, dict[str, list[str]]] = {}
    for edge in sorted(found, key=lambda each: (each.to, each.name)):
        below.setdefault(edge.to, {}).setdefault(edge.name, []).append(edge.condition)
    inner = {name for those in below.values() for name in those}
    seen: set[str] = set()
    lines: list[str] = []
    for root in (*(name for name in below if name not in inner), *below):  # in a circle there is no first
        if root not in seen:
            seen.add(root)
            lines += [root, *_branches(root, below, seen, "")]
    alone = [name for name in names if name not in inner and name not in below]
    if alone:
        lines += ["", *textwrap.wrap(f"without an edge: {', '.join(alone)}", WIDTH, subsequent_indent="  ")]
    return lines


def _branches(name: str, below: dict[str, dict[str, list[str]]], seen: set[str], lead: str) -> Iterator[str]:
    those = below.get(name, {})
    width = max(map(len, those), default=0)
    for child, conditions in those.items():
        last = child == [*those][-1]
        again = child in seen and child in below
        said = [*filter(None, conditions)] or ["under other names"]
        row = f"{lead}{'└── ' if last else '├── '}{child:{width}}  "
        rest = f"{lead}{'    ' if last else '│   '}{' ' * width}  "
        for index, each in enumerate(said):
            text = f"or {each}" if index else f"{each} {ABOVE}" if again else each
            yield from textwrap.wrap(
                text,
                max(WIDTH, len(rest) + 40),
                initial_indent=rest if index else row,
                subsequent_indent=rest + "  ",
                break_long_words=False,
            )
        if not again:
            seen.add(child)
            yield from _branches(child, below, seen, f"{lead}{'    ' if last else '│   '}")
