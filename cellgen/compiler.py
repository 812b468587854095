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
| fuse     | `TypedCell`        | `Fused`, where cuDNN can run it: whose weights      |
| ready    | `TypedCell`        | the same, with states of each sample, inputs whole  |
| lower    | `TypedCell`        | `Step`, plain statements over stored tensors        |
| centre   | `TypedCell`        | the same, means taken off weights, not off products |
| commute  | that               | the same, numbers a sample inside the matmuls       |
| hoist    | that               | the same, what reads no state in its own equations  |
| derive   | that               | `Joint`, the equations and those of the cotangents  |
| rederive | all three          | `Proof`, by sympy, that these are derivatives       |
| schedule | `Joint`            | `Plan`, what runs before the loop, in it, after it  |
| view     | `Step`, `Plan`     | `CellView`, every string that a template puts in    |
| render   | `CellView`         | the text of the cell and of its tests               |

The spec of a stack names a cell; `wire` makes of both a `Stack`, of which one layer is a `Cell` that sees its
neighbours. From `shapes` to `schedule` that layer goes through the stages above, in every role at once; `stackview`
writes what loops over layers. `flatten` makes of a stack of known depth one `Cell`, which goes through all of them.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from cellgen.diagnostics import Diagnostic, Label, Report, Source, Span, SpecError, nearest
from cellgen.document import Library, expand, extend, schema, stack_schema
from cellgen.ir import Cell, Fused, ReducesTo, TypedCell, Unlike
from cellgen.output import checksum, stamped
from cellgen.resolve import resolve
from cellgen.shapes import shapes
from cellgen.stack import Stack, unrolled, wire
from cellgen.text import Tree, load, names, read, spelled

if TYPE_CHECKING:
    from cellgen.analyse import Facts
    from cellgen.derive import Joint, Proof
    from cellgen.emit import CellView, TestView
    from cellgen.prove import Verdicts
    from cellgen.schedule import Plan

INHERITED = "inherited from here"


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
    beside: Mapping[str, str] = field(default_factory=dict)  # texts of specs that this one names, by stem

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
    def of(cls, text: str, stem: str = "spec", beside: Mapping[str, str] | None = None) -> "Spec":
        """A spec given as text; what it extends is among the shipped ones, the cell of a stack `beside` it or there."""
        return cls(spelled(f"{stem}.yaml", text), stem, Library((shipped(),)), beside or {})

    @cached_property
    def _tree(self) -> Tree:
        return load(self.source)

    @property
    def is_stack(self) -> bool:
        return "stack" in self._tree

    @cached_property
    def _expanded(self) -> Tree:
        return self._tree if self.is_stack else extend(self._tree, self.stem, self.library)

    def expanded(self) -> Tree:
        """The spec with what it extends merged in. Raises `SpecError`."""
        return self._expanded

    def cell(self, laws: bool = True) -> Cell:
        """The cell, resolved; of a stack its layer. Raises `SpecError`."""
        if self.is_stack:
            return self.stack(laws).layer
        with _pointed(self._link, INHERITED):
            return resolve(schema(self.expanded()), self.source, self.stem, self._other if laws else None)

    def stack(self, laws: bool = True) -> Stack:
        if laws not in self._stacks:
            self._stacks[laws] = self._wired(laws)
        return self._stacks[laws]

    @cached_property
    def _stacks(self) -> dict[bool, Stack]:
        return {}

    def _wired(self, laws: bool) -> Stack:
        """A spec with `stack:`, its layers wired. Raises `SpecError`."""
        document = stack_schema(self._tree)
        name = document.cell
        if name.value in self.beside:
            inner = Spec.of(self.beside[name.value], name.value)
        else:
            inner = self._named(name.value, name.span)
        if inner.is_stack:
            message, help = f"`{name.value}` is a stack itself", "name the spec of a cell"
            raise SpecError([Diagnostic("CG110", message, Label(name.span), help=(help,))])
        with _pointed(name.span, "named here"):
            cell = inner.cell(laws)
            shapes(cell)  # a cell that is wrong by itself is told so
        return wire(document, cell, self.source, self.stem)

    def flat(self, depth: int) -> TypedCell:
        """A stack of known depth as one cell: what the interpreter runs."""
        return unrolled(self.stack(laws=False), depth)

    def typed(self, laws: bool = True) -> TypedCell:
        """The cell in every variant; of a stack its layer, in every role."""
        if laws not in self._every:
            self._every[laws] = self._typed(laws)
        return self._every[laws]

    @cached_property
    def _every(self) -> dict[bool, TypedCell]:
        return {}

    def _typed(self, laws: bool) -> TypedCell:
        if self.is_stack:
            stack = self.stack(laws)
            with _pointed(stack.cell_span, "wired here"):
                typed = stack.typed_layer
            if stack.readout is not None:
                for depth in (3, 1):
                    unrolled(stack, depth)
            return typed
        with _pointed(self._link, INHERITED):
            return shapes(self.cell(laws))

    @cached_property
    def _ready(self) -> TypedCell:
        from cellgen.derive import ready

        return ready(self.typed())

    @cached_property
    def _derived(self) -> tuple[TypedCell, "Joint"]:
        return derived(self._ready)

    @cached_property
    def _recognised(self) -> Fused | Unlike:
        """What of it cuDNN can run; of a stack nothing."""
        from cellgen.prove import recognise

        return Unlike() if self.is_stack else recognise(self.typed())

    @property
    def _fused(self) -> Fused | None:
        return self._recognised if isinstance(self._recognised, Fused) else None

    def check(self) -> "Checked":
        """Everything that can be known without running it. Raises `SpecError` if the spec is not well-typed."""
        from cellgen.analyse import analyse
        from cellgen.derive import refused
        from cellgen.prove import laws

        typed = self.typed()
        facts = analyse(typed)
        verdicts, proof = laws(typed, facts), shown(self._ready, *self._derived)
        stack = self.stack() if self.is_stack else None
        found = refused(typed, stack) + facts.diagnostics + verdicts.diagnostics
        told = (_brought(each, self._link, INHERITED) for each in found)
        diagnostics = (*self._hidden(typed.cell), *told)
        return Checked(typed, facts, verdicts, proof, self._recognised, stack, diagnostics)

    def _hidden(self, cell: Cell) -> tuple[Diagnostic, ...]:
        """A note on each name by which a file beside this one is meant, and perhaps a shipped spec by its author."""
        named = {law.claim.stem: law.span for law in reversed(cell.laws) if isinstance(law.claim, ReducesTo)}
        if self.is_stack:
            named[self.stack().cell.stem] = self.stack().cell_span
        elif self._link is not None:
            named[self._link.text.strip("\"'")] = self._link
        report = Report()
        for stem, span in named.items():
            if self.library.hides(stem):
                message = f"`{stem}` is a file here, which hides a shipped spec"
                text = f"this is {self.library.find(stem).as_posix()}, and not the shipped `{stem}`"
                help = "if the shipped one is meant, rename the file"
                report.add("CG115", message, span, text, help=help, severity="note")
        return report.diagnostics

    def build(self, *, tests: bool = True, single_file: bool = False) -> dict[str, str]:
        """The generated files, name to text: the cell, what all cells share, and its tests. Nothing is written.

        single_file: what all cells share stands in the cell's own file. Raises `SpecError`; then also (CG109) where the
        cell is called as something there is.
        """
        from cellgen.emit import RUNTIME, in_one_file, render, runtime_file

        view = self._view()
        cell = render(in_one_file(view) if single_file else view, "cell.py.j2", templates())
        files = {f"{self.stem}.py": cell}
        if single_file:
            self._defines_once(cell)
        else:
            files[f"{RUNTIME}.py"] = runtime_file()
        if tests:
            files[f"test_{self.stem}.py"] = render(self._test_view(checksum(cell)), "test_cell.py.j2", templates())
        return {name: stamped(text) for name, text in files.items()}

    def _view(self) -> "CellView":
        from cellgen.derive import refuse, refuse_stack
        from cellgen.emit import stackview, view
        from cellgen.schedule import lower, schedule, statements

        if not self.is_stack:
            return view(lower(self._ready), schedule(self._derived[1]), self._fused)
        stack = self.stack()
        refuse_stack(stack)
        refuse(self.typed())
        return stackview(stack, statements(self._ready), schedule(self._derived[1]))

    def _test_view(self, checksum: str) -> "TestView":
        from cellgen.emit import stack_testview, testview
        from cellgen.schedule import lower

        spec = expand(self.expanded())
        if not self.is_stack:
            return testview(lower(self._ready), spec, checksum, fused=self._fused is not None)
        stack = self.stack()
        cell = self.beside.get(stack.cell.stem) or expand(self._named(stack.cell.stem, stack.cell_span).expanded())
        return stack_testview(stack, spec, cell, checksum)

    def _defines_once(self, text: str) -> None:
        """Refuses a cell whose classes are called as something that all cells share. Raises `SpecError`."""
        from cellgen.emit import defined_twice

        name = self.expanded()["stack" if self.is_stack else "cell"]
        if found := defined_twice(text):
            message = f"`{name.value}` cannot be in one file with what all cells share, which has a `{found[0]}` too"
            help = "call the cell otherwise, or build it without --single-file"
            raise SpecError([Diagnostic("CG109", message, Label(name.span), help=(help,))])

    def _named(self, stem: str, span: Span) -> "Spec":
        """The spec that this one names. Raises `SpecError`, pointing to where."""
        if stem in self._others:
            return self._others[stem]
        path = self.library.find(stem)
        if path is None:
            help = nearest(stem, self.library.stems) or f"there are {', '.join(self.library.stems)}"
            raise SpecError([Diagnostic("CG110", f"no spec `{stem}`", Label(span), help=(help,))])
        with _pointed(span, "named here"):
            self._others[stem] = Spec(self.library.read(path), stem, self.library.below(path))
        return self._others[stem]

    @cached_property
    def _others(self) -> dict[str, "Spec"]:
        return {}

    def plan(self) -> "Plan":
        """What runs when, and what backward. Raises `SpecError`, also (CG601) where no code is generated."""
        from cellgen.derive import refuse
        from cellgen.schedule import schedule

        refuse(self.typed())
        return schedule(self._derived[1])

    def _other(self, stem: str, span: Span) -> Cell:
        """The cell that a law names."""
        other = self._named(stem, span)
        if other.is_stack:
            raise SpecError([Diagnostic("CG110", f"`{stem}` is a stack, no cell", Label(span), help=("name a cell",))])
        with _pointed(span, "named here"):
            return other.cell(laws=False)

    @property
    def _link(self) -> Span | None:
        """Where the spec says what it extends."""
        found = re.search(r"^extends\s*:[ \t]*(\S+)", self.source.text, re.M)
        return self.source.span(*found.span(1)) if found else None


def derived(typed: TypedCell) -> tuple[TypedCell, "Joint"]:
    """The stages from a cell that is `ready` to the backward step: what that is derived of, and the two as one."""
    from cellgen.derive import centre, commute, derive, hoist

    hoisted = hoist(commute(centre(typed)))
    return hoisted, derive(hoisted)


def planned(typed: TypedCell) -> "Plan":
    """The stages from a typed cell to the plan of its scan."""
    from cellgen.derive import ready
    from cellgen.schedule import schedule

    _, joint = derived(ready(typed))
    return schedule(joint)


def proved(typed: TypedCell) -> "Proof":
    """Whether the derived backward step is the derivative of the equations."""
    from cellgen.derive import ready

    typed = ready(typed)
    return shown(typed, *derived(typed))


def shown(typed: TypedCell, hoisted: TypedCell, joint: "Joint") -> "Proof":
    """The proof about what the stages made of a typed cell."""
    from cellgen.derive import rederive

    proof = rederive(typed, hoisted, joint)
    assert not proof.wrong, f"this is no derivative: {', '.join(proof.wrong)}"
    return proof


@contextmanager
def _pointed(span: Span | None, text: str) -> Iterator[None]:
    """What is wrong in another file also points to the place in this one that brought it in."""
    try:
        yield
    except SpecError as error:
        raise SpecError(_brought(each, span, text) for each in error.diagnostics) from None


def _brought(told: Diagnostic, span: Span | None, text: str) -> Diagnostic:
    """The same, pointing to what brought it in; first of all, if the rest stands where no user has a file to mend."""
    labels = (told.label, *told.context)
    if span is None or any(label.span.source == span.source for label in labels):
        return told
    if Path(told.label.span.source.name).parent == shipped():
        return replace(told, label=Label(span, text), context=labels)
    return replace(told, context=(*told.context, Label(span, text)))


@dataclass(frozen=True)
class Checked:
    """A well-typed spec, and what was found out about it. A refuted law is an error among the diagnostics."""

    typed: TypedCell
    facts: "Facts"
    verdicts: "Verdicts"
    proof: "Proof"
    fused: Fused | Unlike  # whether cuDNN can run it
    stack: Stack | None  # whose layer the cell is
    diagnostics: tuple[Diagnostic, ...]
