"""TypedCell to `Step`: the equations as plain statements over stored tensors, ready to be printed.

What the language leaves to names becomes explicit here: where a value broadcasts it is expanded, a matmul that is more
than one of matrices becomes an einsum, a label picks one part of a split, a norm has a name of its own, and every
statement carries the test under which it exists. No TensorFlow is named: that is `emit`'s.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import chain

from cellgen.derive import COMPARISONS, norm_name, refuse
from cellgen.ir import (
    EVERY,
    Activate,
    Algebra,
    Apply,
    Cell,
    Choose,
    Equation,
    Node,
    Number,
    Param,
    Path,
    Pick,
    Ref,
    Shape,
    Test,
    Type,
    TypedCell,
    Variant,
    View,
    renamed,
    walk,
    when,
)
from cellgen.schedule.parts import Line, Names, Parts, measured, reshape
from cellgen.schedule.products import Through
from cellgen.shapes import ARITHMETIC, Merged, is_size

TYPED = {"where": {1}, "activation_gradient": {0, 1, 2}}  # the arguments from which TensorFlow takes the type

GIVEN = ("required", "number", "alias", "wired")  # the kinds of dims that are arguments


@dataclass(frozen=True, slots=True)
class Block:
    """The lines of one equation, and the test under which they run (None: always). `equation` is its text, as a comment
    that may have several lines.
    """

    name: str
    equation: str
    test: Test | None
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Slot:
    """A weight of an instance.

    `argument` is its name in Python, `test` says when it exists, `whole` whether the step reads it as it is, and
    `splits` make the parts that the step reads.
    """

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
    transposed: tuple[Line, ...]  # weights that `products` reads with their axes swapped
    flat: frozenset[str]  # values declared apart and stored as computed: only parts of them are read

    @property
    def cell(self) -> Cell:
        return self.typed.cell


def lower(typed: TypedCell) -> Step:
    """The step of a cell, over all its variants.

    Raises `SpecError` (CG601) for what is checked but not yet generated.
    """
    refuse(typed)
    return statements(typed)


def statements(typed: TypedCell) -> Step:
    """The equations of a typed cell as statements, in their order; also those of a `derive.Joint`."""
    return _Lowering(typed).run()


class _Lowering:
    def __init__(self, typed: TypedCell):
        self.typed, self.cell = typed, typed.cell
        self.merged, self.names = Merged(typed), Names(typed.cell)
        self.parts = Parts(self.merged, self.names)
        self.through = Through(self.merged, self.names)
        self.every = tuple(each.variant for each in typed.variants)
        self.dims = {dim.name for dim in self.cell.dims}

    def run(self) -> Step:
        blocks: tuple[Block, ...] = ()
        for equation in self.cell.equations:
            if isinstance(equation.value, Apply) and equation.value.op == "rstd":
                blocks = (*blocks[:-1], self.with_rstd(blocks[-1], equation.name))
            else:
                blocks = (*blocks, self.block(equation))
        states = self.cell.states
        opening = tuple(line for state in states for line in self.parts.lines(state.name, 1))
        lines = chain(opening, *(block.lines for block in blocks))
        sizes = self.cell.needed(axis for line in lines for axis in measured(line))
        return Step(
            self.typed,
            carried=tuple(self.names.of(Ref(state.name, 1)) for state in states),
            slots=tuple(self.slots()),
            dims=tuple(dim.name for dim in self.cell.dims if dim.name in sizes and dim.kind in GIVEN),
            options=tuple(self.read_options()),
            opening=opening,
            blocks=blocks,
            transposed=tuple(self.through.transposed.values()),
            flat=frozenset(self.parts.flat),
        )

    # --- statements

    def block(self, equation: Equation) -> Block:
        where = tuple(each.variant for each in self.typed.variants if equation.name in each.live)
        self.before: list[Line] = []
        value = equation.value
        path: Path = (equation.name,)
        if equation.name in self.parts.flat:
            value, path = value.value, (*path, 0)
        lowered = self.node(value, path, top=True)
        lines = (*self.before, Line((equation.name,), lowered), *self.parts.lines(equation.name))
        return Block(equation.name, equation.text.replace("\n", "\n# "), self.when(where), lines)

    def when(self, where: tuple[Variant, ...]) -> Test | None:
        """The test of some variants, about arguments of the step."""
        test = when(where, self.every)
        return None if test is None else renamed(test, self.cell.connections)

    def with_rstd(self, block: Block, name: str) -> Block:
        """A norm's statistics stand by its value: one function gives both."""
        *before, line = block.lines
        pair = Line((*line.targets, name), Apply("normalize_pair", line.value.args, line.value.attrs))
        return replace(block, lines=(*before, pair))

    def node(self, node: Node, path: Path, top: bool = False, sure: bool = True) -> Node:
        """A node over stored tensors. `sure` where the node is computed in every variant that has the equation."""
        match node:
            case Number():
                return node
            case Ref(name) if name in self.dims:
                return Apply("size", (), (("shape", ((name,),)),))
            case Ref():
                return Ref(self.names.of(node))
            case Pick(Ref() as ref, label):
                return Ref(self.names.part(ref, label))
            case Pick(value, label):
                return self.picked(value, label, path, sure)
            case View(value, _):
                return self.view(value, path, sure)
            case Activate(option, value):
                return Activate(option, self.tensor(value, (*path, 0), sure))
            case Choose(test, a, b):
                arms = [
                    self.node(arm, (*path, index), False, False)
                    if self.merged.live((*path, index))
                    else Number(Fraction(0))
                    for index, arm in enumerate((a, b))
                ]
                return Choose(renamed(test, self.cell.connections), *arms)
            case Apply(op) if op in COMPARISONS:
                return Apply("cast", (self.apply(node, path, sure),))
            case Apply():
                lowered = self.apply(node, path, sure)
                if not top and sure and self.is_norm(node):
                    return self.named_norm(node, lowered)
                return lowered

    def is_norm(self, node: Apply) -> bool:
        """The affine part of a norm, or the norm itself where it has none."""
        return bool(norm_name(node))

    def named_norm(self, node: Apply, lowered: Node) -> Ref:
        name = self.names.new(f"_{norm_name(node)}")
        self.before.append(Line((name,), lowered))
        return Ref(name)

    def tensor(self, node: Node, path: Path, sure: bool) -> Node:
        return self.typed_as_input(self.node(node, path, False, sure), node, path)

    def typed_as_input(self, lowered: Node, node: Node, path: Path) -> Node:
        """A tensor, where it can be a number of Python's."""
        if not self.merged.plain(node, path):
            return lowered
        return Apply("convert", (lowered,))

    def condition(self, node: Node, path: Path, sure: bool) -> Node:
        """What `where` asks: a comparison, or whether a value of 0 and 1 is 1."""
        match node:
            case Apply(op) if op in COMPARISONS:
                return self.apply(node, path, sure)
            case Choose(test, a, b) if all(self.merged.live((*path, index)) for index in (0, 1)):
                arms = (self.condition(arm, (*path, index), False) for index, arm in enumerate((a, b)))
                return Choose(renamed(test, self.cell.connections), *arms)
        return Apply("greater", (self.node(node, path, False, sure), Number(Fraction(1, 2))))

    def of_samples(self, lowered: Node, path: Path, sure: bool) -> Node:
        """A value of each sample, also where a variant has one for all: operations that couple axes count them."""
        if sure and not isinstance(lowered, Ref) and self.merged.batched(path):
            name = self.names.new(f"_{path[0]}_{path[-1]}")
            self.before.append(Line((name,), lowered))
            lowered = Ref(name)
        return self.merged.repeated(lowered, path)

    def picked(self, value: Node, label: str, path: Path, sure: bool) -> Node:
        """A label of something that has no name: it is given one, unless only some variants compute it."""
        type = self.merged.type((*path, 0))
        index, axis = next(self.cell.places(label, type.shape))
        lowered = self.node(value, (*path, 0), False, sure)
        apart = self.parts.apart(lowered, type.shape, index, axis, type.level.has_batch)
        if not sure:
            return Apply("part", (apart,), (("index", axis.labels.index(label)),))
        name = self.names.new(f"_{label}")
        self.before.append(Line(tuple(name if each == label else "_" for each in axis.labels), apart))
        return Ref(name)

    def view(self, value: Node, path: Path, sure: bool) -> Node:
        inner = self.of_samples(self.node(value, (*path, 0), False, sure), (*path, 0), sure)
        old, new = self.merged.type((*path, 0)), self.merged.type(path)
        algebra = self.merged.algebra(path)
        if len(old.shape) == len(new.shape) and all(map(algebra.equal, old.shape, new.shape)) or not old.shape:
            return inner
        return reshape(inner, new.shape, old.level.has_batch)

    # --- operations

    def apply(self, node: Apply, path: Path, sure: bool) -> Node:
        inside = self.is_norm(node)  # the whole of a norm gets one name, not each of its operations
        below = [(*path, index) for index in range(len(node.args))]
        args = [
            self.condition(arg, at, sure)
            if node.op == "where" and at[-1] == 0
            else self.node(arg, at, inside and at[-1] == 0, sure)
            for arg, at in zip(node.args, below)
        ]
        types = [self.merged.type(at) for at in below]
        result = self.merged.type(path)
        rule = EVERY[node.op].shape
        if node.op == "sqrt" and is_size(node.args[0], self.dims):
            return Apply("pow", (args[0], Number(Fraction(1, 2))))
        if rule == "elementwise":
            if node.op in ("add", "sub", "mul", "div"):
                args = self.unspread(args, node.args, below, path)
            args = [self.expanded(arg, at, result, sure) for arg, at in zip(args, below, strict=True)]
            for index in TYPED.get(node.op, set() if node.op in ARITHMETIC else {0}):
                args[index] = self.typed_as_input(args[index], node.args[index], below[index])
            return Apply(node.op, tuple(args), node.attrs)
        if node.op != "join":  # whose parts may be left out
            args = [self.of_samples(arg, at, sure) for arg, at in zip(args, below, strict=True)]
        if rule == "places":
            return Apply(node.op, (), (("shape", (node.attr("over"),)),))
        if rule == "contract":
            return self.contract(args, types, result, self.merged.algebra(path))
        if rule == "outer":
            return self.outer(args, types, result, path, sure)
        if rule == "normalize":
            return Apply(node.op, tuple(args), (("kind", node.attr("kind")), ("axes", len(node.attr("over")))))
        if rule == "convolve":
            return self.through.convolution(node, args, len(types[1].shape) - 2)
        if rule in ("first", "stated"):
            return self.through.node(node, args, types, path)
        axis = self.place(node, types[0].shape, self.merged.algebra(path)) - len(types[0].shape)
        if rule == "reduce":
            keep = types[0].level.has_batch and len(types[0].shape) == 1
            return Apply(node.op, tuple(args), (("axis", axis), ("keepdims", keep)))
        moved = tuple(each for each in node.attrs if each[0] == "by")
        return Apply(node.op, tuple(args), (("axis", axis), *moved))

    def place(self, node: Apply, shape: Shape, algebra: Algebra) -> int:
        if node.over is None:
            return len(shape) - 1
        return next(index for index, axis in enumerate(shape) if algebra.equal(axis, node.over))

    def unspread(self, args: list[Node], terms: Sequence[Node], below: list[Path], path: Path) -> list[Node]:
        """The two that are added or multiplied, one that is spread as it was before, where the other is as wide in
        every variant.
        """
        for index, other in ((1, 0), (0, 1)):
            term = terms[index]
            if isinstance(term, Apply) and term.op == "spread" and self.merged.as_wide(below[other], path):
                return [arg.args[0] if at == index else arg for at, arg in enumerate(args)]
        return args

    def expanded(self, arg: Node, at: Path, result: Type, sure: bool) -> Node:
        """An argument with axes of one put in, so that it broadcasts by position as it does by name."""
        type, algebra = self.merged.type(at), self.merged.algebra(at[:-1])
        shape, wide = type.shape, result.shape
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
        return Apply("expand", (self.of_samples(arg, at, sure),), (("axes", axes),)) if axes else arg

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

    def outer(self, args: list[Node], types: list[Type], result: Type, path: Path, sure: bool) -> Node:
        (a, b), algebra = types, self.merged.algebra(path)
        if algebra.scalar(a.shape) or algebra.scalar(b.shape):
            return Apply("mul", tuple(self.expanded(arg, (*path, at), result, sure) for at, arg in enumerate(args)))
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
            whole = (param.name, 0) in self.parts.whole
            yield Slot(
                param,
                param.shape or shape,
                self.names.of(Ref(param.name)),
                self.when(where),
                whole,
                tuple(self.parts.lines(param.name)),
            )

    def read_options(self) -> Iterator[str]:
        """The options, defaulted dims and ports that the statements read or ask for, in the order of the spec."""
        reads = set()
        for equation in self.cell.equations:
            for _, node in walk(equation.value):
                if isinstance(node, Ref) and node.name not in self.dims:
                    reads.add(node.name)
                if isinstance(node, Activate):
                    reads.add(node.option)
        reads |= set(self.every[0])
        for each in (*self.cell.dims, *self.cell.options):
            if each.name in reads:
                yield each.name
        yield from (argument for name, argument in self.cell.connections.items() if name in reads)
