"""What the equations of a variant compute, lane by lane, as normal forms over the symbols of `symbols`.

A value has one polynomial for each path of labels: `z` on [gates, units] has four, each for all units. A parameter's
label is that of the symbol, so `(x @ W).f` and `x @ W.f` are the same symbol.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property, partial
from itertools import product

from cellgen.ir import (
    IDENTITY,
    OPS,
    Activate,
    Algebra,
    Apply,
    Atom,
    Axis,
    Cell,
    Node,
    Noise,
    Number,
    Path,
    Pick,
    Program,
    Ref,
    Said,
    Shape,
    Type,
    View,
)
from cellgen.prove.symbols import SYMPY, Arithmetic, Expr, Table

Labels = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Value:
    """`lanes` has a polynomial for each choice of labels of `axes`, the labelled ones among the axes of its shape."""

    shape: Axis  # flat: what the symbols are keyed by
    axes: tuple[str, ...]
    lanes: Mapping[Labels, Expr]

    def at(self, place: Mapping[str, str]) -> dict[Labels, Expr]:
        """The lanes at these labels, keyed by those of the other axes."""
        keep = [index for index, axis in enumerate(self.axes) if axis not in place]
        return {
            tuple(path[index] for index in keep): expr
            for path, expr in self.lanes.items()
            if all(place.get(axis, label) == label for axis, label in zip(self.axes, path))
        }


@dataclass(frozen=True)
class Under:
    """What a program is evaluated under.

    imposed: numbers for names, or for labels of names, that are no conditions; or expressions for names. assumed:
    0-or-1 symbols whose value is given. options: numbers for numeric options. activations: what options choose; of one
    that is not there, any function. reference: as for `Arithmetic`.
    """

    imposed: tuple[tuple[Node, Fraction | str | Said], ...] = ()
    assumed: Mapping[Expr, int] = field(default_factory=dict)
    options: Mapping[str, Fraction] = field(default_factory=dict)
    activations: Mapping[str, str] = field(default_factory=dict)
    reference: bool = False


class Meaning:
    """The values of a program; each is evaluated when it is asked for."""

    def __init__(self, program: Program, table: Table, under: Under = Under()):
        self.program, self.table, self.under = program, table, under
        self.arithmetic = Arithmetic(table, under.assumed, under.reference)
        self.dims = Algebra.of(program.cell, program.variant.same)
        self.labels = {axis.name: axis.labels for axis in program.cell.axes}
        self.contradicted = False  # an imposed number met another one
        self._values: dict[Ref, Value] = {}
        self._origins: dict[Ref, int] = {}

    @classmethod
    def given(cls, program: Program, table: Table, under: Under) -> "Meaning":
        """The one of this program under these, with what it has evaluated so far."""
        said = (frozenset(each.items()) for each in (under.assumed, under.options, under.activations))
        key = program, under.imposed, *said, under.reference
        if key not in table.meanings:
            table.meanings[key] = cls(program, table, under)
        return table.meanings[key]

    def of(self, node: Node, path: Path, types: Mapping[Path, Type]) -> Value:
        """The value of an expression; `types` of its nodes by path."""
        node, path = self.program.chosen(node, path)
        if isinstance(node, Ref):
            value = self.name(node)
            return self._whole(value) if path[0] in self.program.equations else value
        shape = types[path].shape
        below = [self.of(child, at, types) for child, at in self.program.below(node, path)]
        match node:
            case Number(value):
                return self._single(self.arithmetic.number(value))
            case Pick(_, label):
                (value,) = below
                axis = next(axis for axis in value.axes if label in self.labels[axis])
                return self._value(shape, value.at({axis: label}))
            case View():
                return self._value(shape, below[0].lanes)
            case Activate(option):
                return self._value(shape, {at: self._activated(option, expr) for at, expr in below[0].lanes.items()})
            case Apply("range"):
                return self._places(shape)
            case Apply("roll" | "shift") if axis := self._labelled(node.over or shape[-1]):
                return self._moved(node, axis, shape, below[0])
            case Apply(op):
                if OPS[op].shape == "elementwise":
                    value = self._elementwise(op, shape, below)
                    return self._whole(value, binary=True) if types[path].binary else value
                return self._coupled(node, shape, below, [types[at].shape for _, at in self.program.below(node, path)])

    def name(self, ref: Ref) -> Value:
        """The value of a name, with what is imposed on it."""
        if ref not in self._values:
            # what it comes from first, in the author's order: a long chain of equations is no deep recursion
            cone = () if ref.ago else self.program.cone(ref.name)
            for each in (*(Ref(name) for name in self.program.equations if name in cone), ref):
                if each not in self._values:
                    value = self.table.recall.value(self._origin(each), partial(self._named, each))
                    self._values[each] = self._imposed(each, value)
        return self._values[ref]

    def _origin(self, ref: Ref) -> int:
        """The number of all that the value of a name depends on (`recall`)."""
        if ref not in self._origins:
            program, recall = self.program, self.table.recall
            if not ref.ago and ref.name in program.equations:
                reads = tuple(map(self._origin, program.reads(ref.name)))
                said = recall.equation(program, ref.name), reads
            else:
                said = recall.leaf(program, ref)
            imposed = tuple((node, number) for node, number in self.under.imposed if _base(node) == ref)
            # an expression that it is set to comes from names of its own
            alone = self if any(isinstance(number, Said) for _, number in imposed) else None
            self._origins[ref] = recall.number(said, imposed, alone, self.about)
        return self._origins[ref]

    @cached_property
    def about(self) -> tuple:
        """What every value depends on, beside what its name comes from."""
        under = self.under
        given = (frozenset(each.items()) for each in (under.assumed, under.options, under.activations))
        return id(self.program.cell), tuple(self.program.variant.same.items()), *given, under.reference

    def leaf(self, ref: Ref, path: Labels, binary: bool) -> Expr:
        return self.arithmetic.atom("leaf", place=(ref.name, ref.ago, path), binary=binary)

    def _named(self, ref: Ref) -> Value:
        program, name = self.program, ref.name
        if not ref.ago and name in program.equations:
            node, path = program.root(name)
            value = self.of(node, path, program.variant.types)
            shape = program.variant.names[name].shape
            return self._spread(shape, value) if value.shape != self.dims.flat(shape) else value
        if any(dim.name == name for dim in program.cell.dims):
            return self._single(self.size(name))
        if name in self.under.options:
            return self._single(self.arithmetic.number(self.under.options[name]))
        noise = next((each for each in program.cell.noises if each.name == name), None)
        if noise is not None and (rate := self.rate(noise)) in (0, 1):  # nothing is dropped, or everything
            return self._single(self.arithmetic.number(rate if noise.kind == "zone" else 1 - rate))
        type = program.variant.names[name]
        binary = type.binary if not ref.ago else program.cell.state(name).binary
        return self._value(type.shape, {path: self.leaf(ref, path, binary) for path in self.paths(type.shape)})

    def size(self, name: str) -> Expr:
        """How many places a dim has: a number that is 1 or more, of a dim that is divided a product of such."""
        out = self.arithmetic.one
        for atom in self.dims.atoms((name,)):
            out = self.arithmetic.product(out, self.length(atom))
        return out

    def length(self, atom: Atom) -> Expr:
        """Of a factor of a size."""
        return self.arithmetic.number(atom) if isinstance(atom, int) else self.leaf(Ref(atom), (), False)

    def number(self, value: Fraction | str) -> Expr:
        """What a name is set to."""
        return self.arithmetic.identity if value == IDENTITY else self.arithmetic.number(value)

    def rate(self, noise: Noise) -> Fraction | None:
        """The rate of what is drawn, where it is known."""
        rate = noise.rate
        return rate.value if isinstance(rate, Number) else self.under.options.get(rate.name)

    def _whole(self, value: Value, binary: bool = False) -> Value:
        """With a symbol for every polynomial that is long."""
        whole = self.arithmetic.whole
        return Value(value.shape, value.axes, {path: whole(expr, binary) for path, expr in value.lanes.items()})

    def _imposed(self, ref: Ref, value: Value) -> Value:
        lanes = dict(value.lanes)
        for node, number in self.under.imposed:
            if _base(node) != ref:
                continue
            if isinstance(number, Said):
                lanes = dict(self._said(ref, number).lanes)
                continue
            wanted = self.number(number)
            for path, expr in lanes.items():
                if node == ref or node.label in path:
                    self.contradicted |= bool(expr.is_Rational and expr != wanted)
                    lanes[path] = wanted
        return Value(value.shape, value.axes, lanes)

    def _said(self, ref: Ref, said: Said) -> Value:
        program = self.program
        shape = program.cell.state(ref.name).shape if ref.ago else program.variant.names[ref.name].shape
        return self._spread(shape, self.of(said.node, ("fact",), said.types))

    def _activated(self, option: str, expr: Expr) -> Expr:
        chosen = self.under.activations.get(option)
        return SYMPY[chosen](self.arithmetic, expr) if chosen else self.arithmetic.atom(f"{option}()", expr)

    def called(self, names: tuple) -> tuple:
        """Labels or dims as symbols are keyed by them."""
        return names

    # --- shapes

    def axes(self, shape: Shape) -> tuple[str, ...]:
        """The labelled axes among a shape's."""
        return tuple(atom for atom in self.dims.flat(shape) if atom in self.labels)

    def paths(self, shape: Shape) -> Iterator[Labels]:
        return product(*(self.labels[axis] for axis in self.axes(shape)))

    def _single(self, expr: Expr) -> Value:
        return Value((), (), {(): expr})

    def _value(self, shape: Shape, lanes: Mapping[Labels, Expr]) -> Value:
        return Value(self.dims.flat(shape), self.axes(shape), lanes)

    def _spread(self, shape: Shape, value: Value) -> Value:
        """Broadcast."""
        axes = self.axes(shape)
        return self._value(shape, {path: self._lane(value, dict(zip(axes, path))) for path in self.paths(shape)})

    @staticmethod
    def _lane(value: Value, place: Mapping[str, str]) -> Expr:
        return value.lanes[tuple(place[axis] for axis in value.axes)]

    # --- operations

    def _elementwise(self, op: str, shape: Shape, below: list[Value]) -> Value:
        axes, lanes = self.axes(shape), {}
        for path in self.paths(shape):
            place = dict(zip(axes, path))
            lanes[path] = SYMPY[op](self.arithmetic, *(self._lane(value, place) for value in below))
        return self._value(shape, lanes)

    def _coupled(self, node: Apply, shape: Shape, below: list[Value], shapes: list[Shape]) -> Value:
        """A lane of the result: keyed by its operands' lanes along the coupled axes, and its own labels there."""
        if node.op == "outer" and self._apart(*shapes):
            return self._elementwise("mul", shape, below)
        coupled, kind = self._couples(node, shapes)
        axes, lanes = self.axes(shape), {}
        for path in self.paths(shape):
            place = dict(zip(axes, path))
            free = {axis: label for axis, label in place.items() if axis not in coupled}
            own = tuple(label for axis, label in place.items() if axis in coupled)
            operands = [
                tuple(sorted((self.called(at), expr) for at, expr in value.at(free).items())) for value in below
            ]
            kept = tuple(self.called(self.without(value.shape, free)) for value in below)
            place = (*kind, self.called(own), self.called(coupled), kept)
            lanes[path] = SYMPY[node.op](self.arithmetic, *operands, place=place)
        return self._value(shape, lanes)

    def without(self, shape: Axis, place: Mapping[str, str]) -> Axis:
        """A flat shape at some labels: what remains of a labelled axis is the label's width."""
        out: Axis = ()
        for atom in shape:
            axis = self.program.cell.axis(atom) if atom in place else None
            out += (atom,) if axis is None else self.dims.atoms(axis.width(place[atom]) or ())
        return out

    def _places(self, shape: Shape) -> Value:
        """Where a lane stands along an axis, row-major: of a label a number, of a dim any that it has a place for."""
        s, axes, lanes = self.arithmetic, self.axes(shape), {}
        for path in self.paths(shape):
            label, out = dict(zip(axes, path)), s.zero
            for atom in self.dims.flat(shape):
                if atom in label:
                    at, size = Fraction(self.labels[atom].index(label[atom])), Fraction(len(self.labels[atom]))
                    out = s.sum(s.product(out, s.number(size)), s.number(at))
                else:
                    along = self.called((atom,))
                    at = SYMPY["range"](s, place=((), along, (along,)))
                    out = s.sum(s.product(out, self.length(atom)), at)
            lanes[path] = out
        return self._value(shape, lanes)

    def _labelled(self, axis: Axis) -> str:
        """A labelled axis that is all of an axis; else empty."""
        atoms = self.dims.atoms(axis)
        return atoms[0] if len(atoms) == 1 and atoms[0] in self.labels else ""

    def _moved(self, node: Apply, axis: str, shape: Shape, value: Value) -> Value:
        """Along labels, each lane is another one."""
        labels, axes, lanes = self.labels[axis], self.axes(shape), {}
        for path in self.paths(shape):
            place = dict(zip(axes, path))
            at = labels.index(place[axis]) - node.attr("by")
            inside = 0 <= at < len(labels) or node.op == "roll"
            place[axis] = labels[at % len(labels)]
            lanes[path] = self._lane(value, place) if inside else self.arithmetic.zero
        return self._value(shape, lanes)

    def _apart(self, a: Shape, b: Shape) -> bool:
        """Whether an outer product's operands have no dims in common but those they share by name."""
        lead = self.dims.shared(a, b)
        return not set(self.dims.flat(a[lead:])) & set(self.dims.flat(b[lead:]))

    def _couples(self, node: Apply, shapes: list[Shape]) -> tuple[Axis, tuple[str, ...]]:
        """The dims along which lanes are coupled, and what else tells the operation apart: a norm's kind, a stride."""
        match OPS[node.op].shape:
            case "contract":
                return self.dims.atoms(shapes[0][-1]), ()
            case "outer":
                return self.dims.flat(shapes[0][self.dims.shared(*shapes) :]), ()
            case "convolve":  # neighbours; and which labels a kernel has is no matter of names
                return self.dims.flat((*shapes[0], *shapes[1][:-1])), node.attrs
            case "normalize":
                return self.dims.flat(node.attr("over")), (node.attr("kind"),)
            case _:
                kind = tuple(str(value) for name, value in node.attrs if name == "by")
                return self.dims.atoms(node.over or shapes[0][-1]), kind


def _base(name: Node) -> Node:
    """Of a label of a name, the name."""
    return name.value if isinstance(name, Pick) else name


def defaults(cell: Cell) -> dict[str, str]:
    """What each option chooses that chooses an activation, where nothing is given."""
    return {option.name: str(option.default) for option in cell.options if option.kind == "activation"}
