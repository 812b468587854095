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
| lower    | `TypedCell`        | `Step`, plain statements                            |
| render   | `Step`             | `Files`, the text of the cell and of its tests      |
"""

from dataclasses import dataclass
from pathlib import Path

from cellgen.cell import Cell, TypedCell
from cellgen.diagnostics import Diagnostic, Label, SpecError, nearest
from cellgen.extend import Library, extend
from cellgen.load import Mapping, read
from cellgen.resolve import resolve
from cellgen.schema import schema
from cellgen.shapes import shapes
from cellgen.span import Source, Span


def shipped() -> Path:
    """The folder of the shipped specs: the checkout's, else the one installed with the package."""
    return _folder("specs")


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

    @classmethod
    def at(cls, path: str | Path) -> "Spec":
        """The spec at a path; a bare stem such as `lstm` is one of the shipped. Raises `SpecError` (CG101)."""
        path = Path(path)
        if not path.suffix and not path.exists() and len(path.parts) == 1:
            found = Library((shipped(),)).find(path.name)
            if found is None:
                help = nearest(path.name, Library((shipped(),)).stems) or "`cellgen list` shows the shipped specs"
                label = Label(Source(path.name, "").span(0, 0))
                raise SpecError([Diagnostic("CG101", f"no shipped spec `{path.name}`, and no file of this name", label, help=(help,))])
            path = found
        return cls(read(path), path.stem, Library((path.parent, shipped())))

    @classmethod
    def of(cls, text: str, stem: str = "spec") -> "Spec":
        """A spec given as text; what it extends is among the shipped ones."""
        return cls(Source(f"{stem}.yaml", text), stem, Library((shipped(),)))

    def expanded(self) -> Mapping:
        return extend(self.source, self.stem, self.library)

    def cell(self, laws: bool = True) -> Cell:
        return resolve(schema(self.expanded()), self.source, self.stem, self._other if laws else None)

    def typed(self) -> TypedCell:
        return shapes(self.cell())

    def _other(self, stem: str, span: Span) -> Cell:
        """The cell that a law names."""
        path = self.library.find(stem)
        if path is None:
            help = nearest(stem, self.library.stems) or f"there are {', '.join(self.library.stems)}"
            raise SpecError([Diagnostic("CG110", f"no spec `{stem}`", Label(span), help=(help,))])
        return Spec(read(path), stem, Library((path.parent, *self.library.folders))).cell(laws=False)
