"""Dims, labelled axes, and the shapes that are written in them.

A dim is declared, or it is implied by a shape: then an input tells its size, or the layer asks for it.
"""

from cellgen.diagnostics import Label, Report, Span, nearest
from cellgen.document import Document, Key
from cellgen.ir import Axis, Dim, LabelAxis, Shape
from cellgen.text import MAX_DIM, MAX_LABELS, MAX_RANK, NAME, Scalar, Taken, check, statements


class Dims:
    """Reads the shapes of a document, one by one, and then says which dims there are."""

    def __init__(self, document: Document, taken: Taken, report: Report):
        self.document, self.taken, self.report = document, taken, report
        self.written = document.dims
        self.used: dict[str, Span] = {}  # names in shapes, where first seen
        self.inferred: dict[str, None] = {}
        self.optional: set[str] = set()  # those of optional inputs
        self.kept: set[str] = set()  # those of states: Keras asks for their sizes before there is an input

    def axis(self, scalar: Scalar) -> Axis:
        """A dim, a number or a product of them; an empty product if it was reported."""
        if isinstance(scalar.value, int):
            return (self.fixed(scalar.value, scalar),)
        axis = statements.axis(scalar, self.report) or ()
        for atom in axis:
            if isinstance(atom, str):
                self.used.setdefault(atom, scalar.span)
        return axis

    def fixed(self, value: int, scalar: Scalar) -> int:
        if not 0 < value <= MAX_DIM:
            self.report.add("CG106", f"a fixed dim is an integer from 1 to {MAX_DIM:,}", scalar.span)
        return value

    def shape(self, scalars: list[Scalar]) -> Shape:
        if len(scalars) > MAX_RANK:
            self.report.add("CG108", f"a value has at most {MAX_RANK} axes", scalars[MAX_RANK].span)
        return tuple(self.axis(scalar) for scalar in scalars)

    def carried(self, scalars: list[Scalar]) -> Shape:
        """The shape of a value with a batch: a scalar is `[1]`, stored as (batch, 1)."""
        return self.shape(scalars) or ((1,),)

    def infer(self, shape: Shape, optional: bool = False) -> None:
        """The dims that the shape of an input tells: those that are not declared, and those that stand alone."""
        for axis in shape:
            for atom in axis:
                if optional:
                    self.optional.add(atom)
                if isinstance(atom, str) and (len(axis) == 1 or atom not in self.written):
                    self.inferred[atom] = None

    # --- dims

    def dims(self, axes: set[str]) -> tuple[Dim, ...]:
        """Those that are declared, and those that only stand in the shapes that were read. `axes` are no dims."""
        found = [self.dim(name, scalar) for name, scalar in self.written.items()]
        known = {dim.name for dim in found}
        listed = [*self.written, *axes]
        for name, span in self.used.items():
            if name in known or name in axes:
                continue
            help = nearest(name, listed)
            inferred = name == "input" or name in self.inferred and name not in self.kept
            if self.written and help and name not in self.inferred:
                self.report.add(
                    "CG205", f"unknown dim `{name}`", span, help=(help, "a new dim is listed under `dims:`")
                )
            elif name in self.taken.where:
                self.report.add(
                    "CG112",
                    f"`{name}` is a dim here, and declared as something else",
                    span,
                    context=[Label(self.taken.where[name], "here")],
                    help="give one of the two another name",
                )
            elif self.taken.take(name, span, attribute=not inferred):
                found.append(Dim(name, "inferred" if inferred else "required", span=span))
        self.check(found)
        self.acyclic(found)
        return tuple(found)

    def check(self, found: list[Dim]) -> None:
        """What a dim is made of is there, and one to be inferred stands in an input."""
        known = [dim.name for dim in found]
        for dim in found:
            for other in (dim.value, dim.divisor):
                if isinstance(other, str) and other not in known:
                    self.report.add(
                        "CG205",
                        f"unknown dim `{other}`",
                        self.written[dim.name].span,
                        help=nearest(other, ["inferred", "required", "optional", *known]),
                    )
            if dim.kind == "optional" and dim.name not in self.optional:
                self.report.add(
                    "CG106",
                    f"`{dim.name}` is optional, but no optional input has such an axis",
                    dim.span,
                    help=f"an argument that must be given is `{dim.name}: required`, "
                    "one that stands for another when it is not given is `proj: units`",
                )
            if dim.kind == "inferred" and dim.name not in self.inferred:
                self.report.add(
                    "CG106",
                    f"`{dim.name}` is to be inferred, but no input has such an axis",
                    dim.span,
                    help=f"write `inputs: {{x: [{dim.name}]}}`, or `{dim.name}: required`",
                )

    def dim(self, name: Key, scalar: Scalar) -> Dim:
        value = scalar.value
        if isinstance(value, int):
            return Dim(name, "number", self.fixed(value, scalar), span=name.span)
        if value in ("inferred", "required", "optional"):
            return Dim(name, value, span=name.span)
        over, _, under = value.partition("/")
        parts = [part.strip() for part in ([over, under] if under else [over])]
        if not all(NAME.fullmatch(part) or part.isdecimal() for part in parts):
            self.report.add(
                "CG106",
                f"`{value}` is no dim",
                scalar.span,
                help="write `inferred`, `required`, `optional`, a positive integer, another dim, or `units/heads`",
            )
            return Dim(name, "required", span=name.span)
        parts = [self.fixed(int(part[:9]), scalar) if part.isdecimal() else part for part in parts]
        return Dim(name, "quotient" if under else "alias", *parts, span=name.span)

    def acyclic(self, dims: list[Dim]) -> None:
        """No dim is made of itself; a circle is told once."""
        made = {dim.name: [each for each in (dim.value, dim.divisor) if isinstance(each, str)] for dim in dims}
        done: set[str] = set()

        def follow(name: str, way: tuple[str, ...]) -> None:
            if name in way:
                circle = " -> ".join((*way[way.index(name) :], name))
                self.report.add(
                    "CG106",
                    f"the dims {circle} define each other",
                    next(dim.span for dim in dims if dim.name == name),
                    help="give one of them a value of its own, such as `required`",
                )
            elif name in made and name not in done:
                for part in made[name]:
                    follow(part, (*way, name))
                done.add(name)

        for dim in dims:
            follow(dim.name, ())

    # --- labelled axes

    def axes(self) -> tuple[LabelAxis, ...]:
        written = [(key, labels) for key, labels in self.document.axes.items() if self.taken.take(key, key.span)]
        found = []
        if isinstance(self.document.gates, Scalar):
            help = "gates have names, as in `gates: [i, f, g, o]`; an axis that is counted stands under `axes:`"
            self.report.add("CG106", "`gates` is a list of labels", self.document.gates.span, help=help)
        elif self.document.gates is not None:
            found.append(self.label_axis("gates", self.document.gates, None))
        return (*found, *(self.label_axis(key, labels, key.span) for key, labels in written))

    def label_axis(self, name: str, labels, span: Span | None) -> LabelAxis:
        if isinstance(labels, Scalar):
            return self.counted(name, labels, span)
        widths = None
        if isinstance(labels, dict):
            keys = list(labels)
            widths = tuple(self.axis(width) for width in labels.values())
        else:
            keys = []
            for scalar in labels:
                key = Key(scalar.value)
                key.span = scalar.span
                if key in keys:
                    self.report.add(
                        "CG112",
                        f"the label `{key}` stands twice",
                        key.span,
                        "again here",
                        context=[Label(keys[keys.index(key)].span, "first here")],
                        help="labels of one axis are unique",
                    )
                keys.append(key)
        if not keys or len(keys) > MAX_LABELS:
            self.report.add(
                "CG108",
                f"`{name}` has {len(keys)} labels; an axis has 1 to {MAX_LABELS}",
                keys[MAX_LABELS].span if keys else span or self.document.cell.span,
            )
        for key in keys:
            check(key, key.span, self.report, label=True)
        return LabelAxis(
            str(name),
            tuple(str(key) for key in keys),
            widths,
            span=span or (keys[0].span if keys else None),
            spans=tuple(key.span for key in keys),
        )

    def counted(self, name: str, count: Scalar, span: Span) -> LabelAxis:
        """An axis of so many places, which have numbers."""
        if not 1 <= count.value <= MAX_LABELS:
            self.report.add("CG108", f"`{name}` has {count.text} places; an axis has 1 to {MAX_LABELS}", count.span)
        labels = tuple(str(number) for number in range(1, min(count.value, MAX_LABELS) + 1)) or ("1",)
        return LabelAxis(str(name), labels, span=span, spans=(count.span,) * len(labels))
