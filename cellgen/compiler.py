"""The stages in order.

| stage    | input              | output                                              |
|----------|--------------------|-----------------------------------------------------|
| read     | a path             | `Source`                                            |
| extend   | `Source`           | `Mapping`, located, `extends` merged in             |
| schema   | `Mapping`          | `Document`, the right keys with the right kinds     |
| resolve  | `Document`         | `Cell`, every name found                            |
| shapes   | `Cell`             | `TypedCell`, every value typed in every variant     |
| analyse  | `TypedCell`        | `Facts`, by structure                               |
| laws     | both               | verdicts, by sympy; nothing below reads them        |
| lower    | `TypedCell`        | `Step`, plain statements over stored tensors        |
| centre   | `TypedCell`        | the same, means taken off weights, not off products |
| hoist    | that               | the same, what reads no state in its own equations  |
| derive   | that               | `Joint`, the equations and those of the cotangents  |
| rederive | all three          | `Proof`, by sympy, that these are derivatives       |
| schedule | `Joint`            | `Plan`, what runs before the loop, in it, after it  |
| view     | `Step`, `Plan`     | `CellView`, every string that a template puts in    |
| render   | `CellView`         | the text of the cell and of its tests               |
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from cellgen import names
from cellgen.cell import Cell, TypedCell
from cellgen.diagnostics import Diagnostic, Label, SpecError, nearest
from cellgen.extend import Library, expand, extend
from cellgen.load import Mapping, read, spelled
from cellgen.resolve import resolve
from cellgen.schema import schema
from cellgen.shapes import shapes
from cellgen.span import Source, Span

if TYPE_CHECKING:
    from cellgen.analyse import Facts
    from cellgen.laws import Verdicts
    from cellgen.rederive import Proof
    from cellgen.schedule import Plan


def shipped() -> Path:
    """The folder of the shipped specs: the checkout's, else the one installed with the package."""
    return _folder("specs")


def templates() -> Path:
    """The folder of the templates, found as `shipped` is."""
    return _folder("templates")


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name too long to be one
        return False


def _folder(name: str) -> Path:
    here = Path(__file__).resolve().parent
    checkout = here.parent / name
    return checkout if (here.parent / "pyproject.toml").is_file() and checkout.is_dir() else here / name


@dataclass(frozen=True)
class Spec:
    """A spec to compile: its text, its stem (the name of the generated module), and where other specs are found."""

    source: Source
    stem: str
    library: Library

    def __post_init__(self):
        help = names.no_module(self.stem)
        if help:
            message = f"`{self.stem}` cannot be the name of the generated module"
            file = Source(self.source.name, "")  # it is about the name, not about a line
            raise SpecError([Diagnostic("CG114", message, Label(file.span(0, 0)), help=(help,))])

    @classmethod
    def at(cls, path: str | Path) -> "Spec":
        """The spec at a path; a bare stem such as `lstm` is one of the shipped. Raises `SpecError` (CG101, CG114)."""
        path = Path(path)
        if not path.suffix and len(path.parts) == 1 and not _exists(path):
            found = Library((shipped(),)).find(path.name)
            if found is None:
                help = nearest(path.name, Library((shipped(),)).stems) or "`cellgen list` shows the shipped specs"
                label = Label(Source(path.name, "").span(0, 0))
                raise SpecError(
                    [
                        Diagnostic(
                            "CG101", f"no shipped spec `{path.name}`, and no file of this name", label, help=(help,)
                        )
                    ]
                )
            path = found
        return cls(read(path), path.stem, Library((path.parent, shipped())))

    @classmethod
    def of(cls, text: str, stem: str = "spec") -> "Spec":
        """A spec given as text; what it extends is among the shipped ones."""
        return cls(spelled(f"{stem}.yaml", text), stem, Library((shipped(),)))

    def expanded(self) -> Mapping:
        return extend(self.source, self.stem, self.library)

    def cell(self, laws: bool = True) -> Cell:
        with _pointed(self._link, "inherited from here"):
            return resolve(schema(self.expanded()), self.source, self.stem, self._other if laws else None)

    def typed(self, laws: bool = True) -> TypedCell:
        with _pointed(self._link, "inherited from here"):
            return shapes(self.cell(laws))

    def check(self) -> "Checked":
        """Everything that can be known without running it. Raises `SpecError` if the spec is not well-typed."""
        from cellgen.analyse import analyse
        from cellgen.laws import laws

        typed = self.typed()
        facts = analyse(typed)
        return Checked(typed, facts, laws(typed, facts), proved(typed))

    def build(self, *, tests: bool = True) -> dict[str, str]:
        """The generated files, name to text: the cell, and its tests. Nothing is written."""
        from cellgen.lower import lower
        from cellgen.render import render
        from cellgen.testview import testview
        from cellgen.view import view

        typed = self.typed()
        step = lower(typed)
        plan = planned(typed)
        files = {f"{self.stem}.py": render(view(step, plan), "cell.py.j2", templates())}
        if tests:
            shown = testview(step, expand(self.expanded()))
            files[f"test_{self.stem}.py"] = render(shown, "test_cell.py.j2", templates())
        return files

    def plan(self) -> "Plan":
        """What runs when, and what backward. Raises `SpecError`, also (CG601) where no code is generated."""
        from cellgen.refuse import refuse

        typed = self.typed()
        refuse(typed)
        return planned(typed)

    def _other(self, stem: str, span: Span) -> Cell:
        """The cell that a law names."""
        path = self.library.find(stem)
        if path is None:
            help = nearest(stem, self.library.stems) or f"there are {', '.join(self.library.stems)}"
            raise SpecError([Diagnostic("CG110", f"no spec `{stem}`", Label(span), help=(help,))])
        with _pointed(span, "named here"):
            return Spec(read(path), stem, Library((path.parent, *self.library.folders))).cell(laws=False)

    @property
    def _link(self) -> Span | None:
        """Where the spec says what it extends."""
        found = re.search(r"^extends\s*:[ \t]*(\S+)", self.source.text, re.M)
        return self.source.span(*found.span(1)) if found else None


def planned(typed: TypedCell) -> "Plan":
    """The stages from a typed cell to the plan of its scan."""
    from cellgen.centre import centre
    from cellgen.derive import derive
    from cellgen.hoist import hoist
    from cellgen.schedule import schedule

    return schedule(derive(hoist(centre(typed))))


def proved(typed: TypedCell) -> "Proof":
    """Whether the derived backward step is the derivative of the equations."""
    from cellgen.centre import centre
    from cellgen.derive import derive
    from cellgen.hoist import hoist
    from cellgen.rederive import rederive

    hoisted = hoist(centre(typed))
    proof = rederive(typed, hoisted, derive(hoisted))
    assert not proof.wrong, f"this is no derivative: {', '.join(proof.wrong)}"
    return proof


@contextmanager
def _pointed(span: Span | None, text: str) -> Iterator[None]:
    """What is wrong in another file also points to the place in this one that brought it in."""
    try:
        yield
    except SpecError as error:
        if span is None:
            raise
        raise SpecError(
            each
            if any(label.span.source == span.source for label in (each.label, *each.context))
            else replace(each, context=(*each.context, Label(span, text)))
            for each in error.diagnostics
        ) from None


@dataclass(frozen=True)
class Checked:
    """A well-typed spec, and what was found out about it. A refuted law is an error among the diagnostics."""

    typed: TypedCell
    facts: "Facts"
    verdicts: "Verdicts"
    proof: "Proof"

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        return self.facts.diagnostics + self.verdicts.diagnostics
