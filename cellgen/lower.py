"""TypedCell to `Step`: the equations as plain statements over stored tensors, ready to be printed.

What the language leaves to names becomes explicit here: where a value broadcasts it is expanded, a matmul that is more
than one of matrices becomes an einsum, a label picks one part of a split, a norm has a name of its own, and every
statement carries the test under which it exists. No TensorFlow is named: that is `emit`'s.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from cellgen.algebra import Algebra
from cellgen.cell import Cell, Level, Param, Type, TypedCell, TypedVariant
from cellgen.diagnostics import Report
from cellgen.expr import (
    Activate,
    Apply,
    Choose,
    Equation,
    Node,
    Number,
    Path,
    Pick,
    Ref,
    Shape,
    Test,
    View,
    children,
    live_children,
    live_walk,
    rebuild,
    walk,
)
from cellgen.ops import OPS
from cellgen.shapes import axis_of
from cellgen.variants import when

ARITHMETIC = ("add", "sub", "mul", "div", "neg", "pow")


@dataclass(frozen=True, slots=True)
class Line:
    """`targets = value`; a target `_` is a part that nothing reads."""

    targets: tuple[str, ...]
    value: Node


@dataclass(frozen=True, slots=True)
class Block:
    """The lines of one equation, and the test under which they run (None: always)."""

    equation: str
    test: Test | None
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Slot:
    """A weight of an instance. `argument` is its name in Python, `test` says when it exists, `parts` are its label
    slices that the step reads (empty: it is read whole), made by the line `split`."""

    param: Param
    shape: Shape
    argument: str
    test: Test | None
    whole: bool
    splits: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One step as statements. `carried` are the names of the states before it, `arguments` what it takes besides."""

    typed: TypedCell
    carried: tuple[str, ...]
    slots: tuple[Slot, ...]
    dims: tuple[str, ...]
    options: tuple[str, ...]
    opening: tuple[Line, ...]
    blocks: tuple[Block, ...]

    @property
    def cell(self) -> Cell:
        return self.typed.cell


def lower(typed: TypedCell) -> Step:
    """The step of a cell, over all its variants. Raises `SpecError` (CG601) for what is checked but not yet generated."""
    report = Report()
    _refuse(typed, report)
    report.stop()
    return _Lowering(typed).run()


def _refuse(typed: TypedCell, report: Report) -> None:
    cell = typed.cell
    help = "`cellgen check` and the interpreter know it; the generated code does not yet"
    for port in cell.inputs[1:]:
        report.add("CG601", f"no code is generated for a second input, `{port.name}`", port.span, help=help)
    for option in cell.options:
        if option.kind == "scheduled":
            report.add("CG601", f"no code is generated for a scheduled option, `{option.name}`", option.span, help=help)
    for axis in cell.axes:
        for label in axis.labels if axis.widths else ():
            picked = [
                any(
                    isinstance(node, Pick) and node.label == label
                    for equation in cell.equations
                    if equation.name in each.live
                    for _, node in live_walk(equation.value, each.variant)
                )
                for each in typed.variants
            ]
            if not all(picked):
                report.add(
                    "CG601",
                    f"no code is generated for a label that some variants lack, `{label}`",
                    axis.span,
                    help=help,
                )


@dataclass(frozen=True, slots=True)
class _Split:
    """A value taken apart along one labelled axis."""

    name: str  # the Python name of the value
    axis: int
    labels: tuple[str, ...]
    value: Node


class _Lowering:
    def __init__(self, typed: TypedCell):
        self.typed, self.cell = typed, typed.cell
        self.equations = {equation.name: equation for equation in self.cell.equations}
        self.states = {state.name for state in self.cell.states}
        self.params = {param.name for param in self.cell.params}
        self.algebras = {id(each): Algebra.of(self.cell, each.same) for each in typed.variants}
        cell = self.cell
        self.taken = {
            each.name
            for group in (cell.dims, cell.options, cell.inputs, cell.states, cell.params, cell.norms, cell.equations)
            for each in group
        }
        self.names: dict[tuple[str, int], str] = {}
        for state in cell.states:
            self.names[state.name, 1] = self.new(f"{state.name}_prev")
        for param in cell.params:
            if "/" in param.name:
                self.names[param.name, 0] = self.new(param.name.replace("/", "_"))
        self.every = tuple(each.variant for each in typed.variants)
        self.sizes: dict[str, None] = {}  # the dims that a reshape names
        self.splits: dict[tuple[str, int], list[_Split]] = {}
        self.whole: set[tuple[str, int]] = set()
        self.unviewed = {name for name in self.equations if self.only_picked(name)}

    def new(self, name: str) -> str:
        """A name of ours that is no name of the spec's."""
        while name in self.taken:
            name = f"_{name}"
        self.taken.add(name)
        return name

    def run(self) -> Step:
        self.gather()
        blocks = tuple(self.block(equation) for equation in self.cell.equations)
        opening = tuple(line for state in self.cell.states for line in self.split_lines(state.name, 1, 0))
        return Step(
            self.typed,
            tuple(self.names[state.name, 1] for state in self.cell.states),
            tuple(self.slots()),
            tuple(self.sizes),
            tuple(self.read_options()),
            opening,
            blocks,
        )

    # --- types

    def found(self, path: Path) -> tuple[Type, TypedVariant]:
        """The type of a node, in the most general variant that has it."""
        return next((each.types[path], each) for each in self.typed.variants if path in each.types)

    def live(self, path: Path) -> bool:
        return any(path in each.types for each in self.typed.variants)

    def type(self, path: Path) -> Type:
        """The type of a node over all variants: its shape in the most general one that is not a plain number."""
        types = [each.types[path] for each in self.typed.variants if path in each.types]
        shaped = next((type for type in types if type.shape), types[0])
        return Type(shaped.shape, max(type.level for type in types), shaped.binary)

    def algebra(self, path: Path) -> Algebra:
        return self.algebras[id(self.found(path)[1])]

    def plain(self, node: Node, path: Path) -> bool:
        """Whether in some variant this is a Python number, not a tensor."""
        return any(self.number(node, path, each) for each in self.typed.variants if path in each.types)

    def number(self, node: Node, path: Path, where: TypedVariant) -> bool:
        match node:
            case Number():
                return True
            case Ref(name, 0) if name in self.equations and name not in self.states:
                return self.number(self.equations[name].value, (name,), where)
            case Ref(name, 0):
                return (
                    name not in self.params
                    and name not in self.states
                    and name not in {each.name for each in self.cell.inputs}
                )
            case Apply(op) if op not in ARITHMETIC:
                return False
            case Apply() | Choose():
                return all(
                    self.number(child, (*path, index), where) for index, child in live_children(node, where.variant)
                )
        return False

    # --- labels

    def only_picked(self, name: str) -> bool:
        """Whether a value declared as `[gates, units]` is only ever read by label, so that it can stay flat."""
        value = self.equations[name].value
        if not isinstance(value, View) or name in self.states or name == self.cell.output or not self.live((name,)):
            return False
        flat, apart = self.type((name, 0)).shape, self.type((name,)).shape
        if (
            len(flat) != 1
            or len(flat[0]) < 2
            or apart != (flat[0][:1], flat[0][1:])
            or self.cell.axis(flat[0][0]) is None
        ):
            return False
        reads = picks = 0
        for equation in self.cell.equations:
            for _, node in walk(equation.value):
                reads += isinstance(node, Ref) and (node.name, node.ago) == (name, 0)
                picks += isinstance(node, Pick) and node.value == Ref(name)
        return reads == picks > 0

    def stored(self, ref: Ref, path: Path) -> Shape:
        """The shape in which a name is kept."""
        if ref.name in self.unviewed and not ref.ago:
            return self.type((ref.name, 0)).shape
        return self.type(path).shape

    def gather(self) -> None:
        """Finds every part that is picked of a name, so that each is split once, where it is defined."""
        for equation in self.cell.equations:
            picked = set()
            for path, node in walk(equation.value, (equation.name,)):
                if not self.live(path):
                    continue
                if isinstance(node, Pick) and isinstance(node.value, Ref):
                    picked.add((*path, 0))
                    self.note(node, path)
                elif isinstance(node, Ref) and path not in picked:
                    self.whole.add((node.name, node.ago))

    def note(self, node: Pick, path: Path) -> None:
        ref, shape = node.value, self.stored(node.value, (*path, 0))
        index, axis = axis_of(self.cell, node.label, shape)
        splits = self.splits.setdefault((ref.name, ref.ago), [])
        at = next(
            (k for k, split in enumerate(splits) if split.axis == index and set(split.labels) <= set(axis.labels)), None
        )
        if at is None:
            value, name = Ref(ref.name, ref.ago), self.called(ref)
            splits.append(_Split(name, index, (node.label,), self.taken_apart(value, shape, index, axis, ref)))
        elif node.label not in splits[at].labels:
            old = splits[at]
            splits[at] = _Split(old.name, old.axis, (*old.labels, node.label), old.value)

    def taken_apart(self, value: Node, shape: Shape, index: int, axis, ref: Ref) -> Node:
        """The operation that gives one part for each label of an axis."""
        at = index - len(shape)
        batch = ref.name not in self.params
        if axis.widths:
            return Apply("split", (value,), (("sizes", axis.widths), ("axis", at)))
        factors = shape[index]
        place = factors.index(axis.name)
        if place == 0 and len(factors) > 1:
            return Apply("split", (value,), (("sizes", len(axis.labels)), ("axis", at)))
        if len(factors) > 1:  # the labels are not in front: view them apart first
            apart = (*shape[:index], *((atom,) for atom in factors), *shape[index + 1 :])
            return Apply(
                "unstack", (self.reshape(self.renamed(value), apart, batch),), (("axis", index + place - len(apart)),)
            )
        return Apply("unstack", (self.renamed(value),), (("axis", at),))

    def called(self, ref: Ref) -> str:
        return self.names.get((ref.name, ref.ago), ref.name)

    def part(self, ref: Ref, label: str) -> str:
        key = (f"{ref.name}.{label}", ref.ago)
        if key not in self.names:
            self.names[key] = self.new(f"{self.called(ref)}_{label}")
        return self.names[key]

    def split_lines(self, name: str, ago: int, _: int) -> Iterator[Line]:
        for split in self.splits.get((name, ago), ()):
            axis = next(each for each in self.cell.axes if set(split.labels) <= set(each.labels))
            targets = tuple(self.part(Ref(name, ago), label) if label in split.labels else "_" for label in axis.labels)
            value = split.value
            yield Line(
                targets, rebuild(value, (self.renamed(value.args[0]),)) if isinstance(value.args[0], Ref) else value
            )

    # --- statements

    def block(self, equation: Equation) -> Block:
        where = tuple(each.variant for each in self.typed.variants if equation.name in each.live)
        self.before: list[Line] = []
        value = equation.value
        path: Path = (equation.name,)
        if equation.name in self.unviewed:
            value, path = value.value, (*path, 0)
        lowered = self.node(value, path, top=True)
        if equation.name in self.states and any(
            each.types[(equation.name,)].level == Level.CONSTANT
            for each in self.typed.variants
            if equation.name in each.live
        ):
            # without a batch of its own: the state's
            lowered = Apply("fill", (Ref(self.names[equation.name, 1]), lowered))
        lines = (*self.before, Line((equation.name,), lowered), *self.split_lines(equation.name, 0, 0))
        return Block(equation.text, when(where, self.every), lines)

    def node(self, node: Node, path: Path, top: bool = False, sure: bool = True) -> Node:
        """A node over stored tensors. `sure` where the node is computed in every variant that has the equation."""
        match node:
            case Number():
                return node
            case Ref():
                return self.renamed(node)
            case Pick(Ref() as ref, label):
                return Ref(self.part(ref, label))
            case Pick(value, label):
                return self.picked(value, label, path)
            case View(value, _):
                return self.view(value, path, sure)
            case Activate(option, value):
                return Activate(option, self.tensor(value, (*path, 0), sure))
            case Choose(test, a, b):
                arms = [
                    self.node(arm, (*path, index), False, False) if self.live((*path, index)) else Number(Fraction(0))
                    for index, arm in enumerate((a, b))
                ]
                return Choose(test, *arms)
            case Apply():
                lowered = self.apply(node, path, sure)
                if not top and sure and self.is_norm(node):
                    return self.named_norm(node, lowered)
                return lowered

    def renamed(self, node: Node) -> Node:
        return Ref(self.called(node)) if isinstance(node, Ref) else node

    def is_norm(self, node: Apply) -> bool:
        """The affine part of a norm, or the norm itself where it has none."""
        while node.op in ("add", "mul") and isinstance(node.args[1], Ref) and "/" in node.args[1].name:
            node = node.args[0]
        return node.op == "normalize"

    def named_norm(self, node: Apply, lowered: Node) -> Ref:
        name = self.new(f"_{node.span.text.split('(', 1)[0].strip()}")
        self.before.append(Line((name,), lowered))
        return Ref(name)

    def tensor(self, node: Node, path: Path, sure: bool) -> Node:
        lowered = self.node(node, path, False, sure)
        return Apply("cast", (lowered,)) if self.plain(node, path) else lowered

    def picked(self, value: Node, label: str, path: Path) -> Node:
        """A label of something that has no name: it is given one."""
        shape = self.type((*path, 0)).shape
        index, axis = axis_of(self.cell, label, shape)
        lowered = self.node(value, (*path, 0))
        name = self.new(f"_{label}")
        batch = self.type((*path, 0)).level.has_batch
        apart = self.taken_apart(lowered, shape, index, axis, Ref("" if batch else next(iter(self.params))))
        self.before.append(Line(tuple(name if each == label else "_" for each in axis.labels), apart))
        return Ref(name)

    def view(self, value: Node, path: Path, sure: bool) -> Node:
        inner = self.node(value, (*path, 0), False, sure)
        old, new = self.type((*path, 0)), self.type(path)
        algebra = self.algebra(path)
        if len(old.shape) == len(new.shape) and all(map(algebra.equal, old.shape, new.shape)) or not old.shape:
            return inner
        return self.reshape(inner, new.shape, old.level.has_batch)

    def reshape(self, value: Node, shape: Shape, batch: bool) -> Node:
        for axis in shape:
            for atom in axis:
                if isinstance(atom, str) and self.cell.axis(atom) is None:
                    self.sizes[atom] = None
        return Apply("reshape", (value,), (("shape", shape), ("batch", batch)))

    # --- operations

    def apply(self, node: Apply, path: Path, sure: bool) -> Node:
        inside = self.is_norm(node)  # the whole of a norm gets one name, not each of its operations
        args = [self.node(arg, (*path, index), inside and index == 0, sure) for index, arg in enumerate(node.args)]
        types = [self.type((*path, index)) for index in range(len(args))]
        result = self.type(path)
        rule = OPS[node.op].shape
        if rule == "elementwise":
            args = [self.expanded(arg, type, result, self.algebra(path)) for arg, type in zip(args, types, strict=True)]
            if node.op not in ARITHMETIC:
                first = 1 if node.op == "where" else 0
                if (
                    all(self.plain(arg, (*path, index)) for index, arg in enumerate(node.args) if index >= first)
                    and len(args) > first
                ):
                    args[first] = Apply("cast", (args[first],))
            return Apply(node.op, tuple(args), node.attrs)
        if rule == "contract":
            return self.contract(args, types, result, self.algebra(path))
        if rule == "outer":
            return self.outer(args, types, result, self.algebra(path))
        if rule == "normalize":
            return Apply(node.op, tuple(args), (("kind", node.attr("kind")), ("axes", len(node.attr("over")))))
        axis = self.place(node, types[0].shape, self.algebra(path)) - len(types[0].shape)
        if rule == "reduce":
            keep = types[0].level.has_batch and len(types[0].shape) == 1
            return Apply(node.op, tuple(args), (("axis", axis), ("keepdims", keep)))
        return Apply(node.op, tuple(args), (("axis", axis),))

    def place(self, node: Apply, shape: Shape, algebra: Algebra) -> int:
        if not node.attrs:
            return len(shape) - 1
        return next(index for index, axis in enumerate(shape) if algebra.equal(axis, node.attr("over")))

    def expanded(self, arg: Node, type: Type, result: Type, algebra: Algebra) -> Node:
        """An argument with axes of one put in, so that it broadcasts by position as it does by name."""
        shape, wide = type.shape, result.shape
        if not shape or len(wide) < 2 and len(shape) <= len(wide):
            return arg
        if algebra.scalar(shape):
            missing = len(wide) - len(shape) if type.level.has_batch else 0
            axes = tuple(range(1 + len(shape), 1 + len(shape) + missing))
        else:
            places = algebra.places(shape, wide)
            if type.level.has_batch:
                axes = tuple(index + 1 for index in range(len(wide)) if index not in places)
            else:
                lead = places[0]
                axes = tuple(index - lead for index in range(lead, len(wide)) if index not in places)
        return Apply("expand", (arg,), (("axes", axes),)) if axes else arg

    def contract(self, args: list[Node], types: list[Type], result: Type, algebra: Algebra) -> Node:
        a, b = types
        lead = algebra.shared(a.shape, b.shape)
        simple = not lead and len(b.shape) == 2 and not b.level.has_batch
        if simple and (a.level.has_batch or len(a.shape) == 2):
            return Apply("matmul", tuple(args))
        letters = iter("ijklmnopqrstuvw")
        left = [next(letters) for _ in a.shape]
        right = [*left[:lead], left[-1], *(next(letters) for _ in b.shape[lead + 1 :])]
        return self.einsum(args, types, left, right, [*left[:-1], *right[lead + 1 :]], result)

    def outer(self, args: list[Node], types: list[Type], result: Type, algebra: Algebra) -> Node:
        a, b = types
        if algebra.scalar(a.shape) or algebra.scalar(b.shape):
            return Apply(
                "mul", tuple(self.expanded(arg, type, result, algebra) for arg, type in zip(args, types, strict=True))
            )
        lead = algebra.shared(a.shape, b.shape)
        letters = iter("ijklmnopqrstuvw")
        left = [next(letters) for _ in a.shape]
        right = [*left[:lead], *(next(letters) for _ in b.shape[lead:])]
        return self.einsum(args, types, left, right, [*left, *right[lead:]], result)

    def einsum(self, args, types, left: list[str], right: list[str], out: list[str], result: Type) -> Node:
        sides = [
            "".join(("b" if type.level.has_batch else "", *side))
            for type, side in zip(types, (left, right), strict=True)
        ]
        out = "".join(("b" if result.level.has_batch else "", *out))
        node = Apply("einsum", tuple(args), (("subscripts", f"{sides[0]},{sides[1]}->{out}"),))
        return Apply("expand", (node,), (("axes", (1,)),)) if out == "b" else node

    # --- what the step takes

    def slots(self) -> Iterator[Slot]:
        for param in self.cell.params:
            where = tuple(
                each.variant
                for each in self.typed.variants
                if any(weight.name == param.name for weight in each.weights)
            )
            shape = next(
                weight.shape for each in self.typed.variants for weight in each.weights if weight.name == param.name
            )
            whole = (param.name, 0) in self.whole
            yield Slot(
                param,
                param.shape or shape,
                self.called(Ref(param.name)),
                when(where, self.every),
                whole,
                tuple(self.split_lines(param.name, 0, 0)),
            )

    def read_options(self) -> Iterator[str]:
        """The options, defaulted dims and ports that the statements read or ask for, in the order of the spec."""
        reads = set()
        for equation in self.cell.equations:
            for _, node in walk(equation.value):
                if isinstance(node, Ref):
                    reads.add(node.name)
                if isinstance(node, Activate):
                    reads.add(node.option)
        reads |= set(self.every[0])
        for each in (*self.cell.dims, *self.cell.options):
            if each.name in reads:
                yield each.name


def tested(step: Step) -> set[str]:
    """The names that the step's tests ask for."""
    return set(step.typed.variants[0].variant)


def uses(node: Node) -> Iterator[Apply | Activate]:
    """The operations of a lowered node."""
    if isinstance(node, Apply | Activate):
        yield node
    for child in children(node):
        yield from uses(child)
