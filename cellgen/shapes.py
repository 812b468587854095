"""Cell to `TypedCell`: the shape, the kind and the level of every value, in every variant.

Dims are names, equal only if the names are equal; the batch is implicit. Raises `SpecError` (CG301 to CG312, and those
of `variants`), each mistake with both sides shown where they come from.
"""

from collections import Counter

from cellgen.algebra import Algebra
from cellgen.cell import Cell, LabelAxis, Level, Type, TypedCell, TypedVariant, Weight
from cellgen.diagnostics import Diagnostic, Label, Report, nearest
from cellgen.expr import (
    Activate,
    Apply,
    Axis,
    Choose,
    Node,
    Number,
    Path,
    Pick,
    Ref,
    Shape,
    View,
    axis_text,
    live_children,
    shape_text,
)
from cellgen.ops import OPS
from cellgen.parse import MAX_RANK
from cellgen.span import Span
from cellgen.variants import Alive, condition, variants


def shapes(cell: Cell) -> TypedCell:
    """Types in every variant. A mistake that only some variants have says in which."""
    found = variants(cell)
    typings = [_Typing(cell, alive) for alive in found]
    report = Report()
    _tell(typings, report)
    report.stop()
    _one_shape(cell, typings, report)
    report.stop()
    return TypedCell(cell, tuple(typing.done() for typing in typings))


def _tell(typings: "list[_Typing]", report: Report) -> None:
    seen: dict[Diagnostic, list] = {}
    for typing in typings:
        for diagnostic in typing.report.diagnostics:
            seen.setdefault(diagnostic, []).append(typing.alive.variant)
    for each, where in seen.items():
        help = each.help
        if len(where) < len(typings):
            everywhere = [answer for answer in where[0].items() if all(answer in variant.items() for variant in where)]
            if everywhere:
                help = (*help, f"this is so when `{' and '.join(condition(*answer) for answer in everywhere)}`")
        report.add(each.code, each.message, each.label.span, each.label.text, context=each.context, help=help)


def _one_shape(cell: Cell, typings: "list[_Typing]", report: Report) -> None:
    """A name has one shape in all variants, except that it may be a plain number in some."""
    for equation in cell.equations:
        first = before = None
        for typing in typings:
            type = typing.names.get(equation.name) if equation.name in typing.alive.equations else None
            if type is None or not type.shape:
                continue
            shape = type.shape
            if (
                first is not None
                and {typing.dims.canonical(first), first} & {shape, typing.dims.canonical(shape)} == set()
            ):
                apart = [(a, b) for a, b in zip(before.items(), typing.alive.variant.items()) if a != b]
                report.add(
                    "CG308",
                    f"`{equation.name}` is {said(first)} when `{' and '.join(condition(*a) for a, _ in apart)}`, "
                    f"and {said(shape)} when `{' and '.join(condition(*b) for _, b in apart)}`",
                    equation.name_span,
                    help="both arms of a choice on an option have one shape; give the second another name",
                )
                break
            if first is None:
                first, before = shape, typing.alive.variant


def said(shape: Shape) -> str:
    return f"`{shape_text(shape)}`"


class _Wrong(Exception):
    """A node has no type; the reason is reported."""


class _Typing:
    """The types of one variant."""

    def __init__(self, cell: Cell, alive: Alive):
        self.cell, self.alive, self.report = cell, alive, Report()
        self.same = {
            dim.name: dim.value for dim in cell.dims if dim.kind == "alias" and alive.variant.get(dim.name) is False
        }
        self.dims = Algebra.of(cell, self.same)
        self.axes = {axis.name: axis for axis in cell.axes}
        self.types: dict[Path, Type] = {}
        self.names: dict[str, Type | None] = {}
        self.weights: dict[str, Shape] = {}
        self.where: dict[str, tuple[Span, str]] = {}
        self.run()

    def done(self) -> TypedVariant:
        order = [param.name for param in self.cell.params if param.name in self.weights]
        weights = tuple(Weight(name, self.weights[name]) for name in order)
        return TypedVariant(
            self.alive.variant, self.alive.equations, weights, dict(self.names), dict(self.types), dict(self.same)
        )

    def run(self) -> None:
        cell = self.cell
        for option in cell.options:
            if (
                option.kind in ("number", "scheduled")
                or option.kind == "maybe"
                and self.alive.variant.get(option.name, False)
            ):
                self.names[option.name] = Type((), Level.CONSTANT)
        for param in cell.params:
            if param.name in self.alive.reads and param.shape is not None:
                self.weights[param.name] = shape = self.dims.canonical(param.shape)
                self.names[param.name] = Type(shape, Level.CONSTANT)
                self.where[param.name] = (param.shape_span, said(param.shape))
        for port in cell.inputs:
            self.names[port.name] = Type(self.dims.canonical(port.shape), Level.STEP, port.binary)
            self.where[port.name] = (port.span, said(port.shape))
        carried = {}
        for state in cell.states:
            carried[state.name] = Type(self.dims.canonical(state.shape), Level.CARRIED, state.binary)
            self.where[f"{state.name}[t-1]"] = (state.span, said(state.shape))
        self.carried = carried
        for equation in cell.equations:
            if equation.name not in self.alive.equations:
                continue
            try:
                type = self.type(equation.value, (equation.name,))
            except _Wrong:
                type = None
            if equation.name in carried:
                if type is not None:
                    self.update(equation, type, carried[equation.name])
                type = Type(
                    carried[equation.name].shape,
                    Level.CARRIED if type is None else type.level,
                    carried[equation.name].binary,
                )
            self.names[equation.name] = type
            if type is not None:
                self.where[equation.name] = (equation.name_span, said(type.shape))
        for state in cell.states:
            if isinstance(state.initial, Ref):
                shape = self.names[state.initial.name].shape
                if self.dims.flat(shape) != self.dims.flat(carried[state.name].shape):
                    self.report.add(
                        "CG306",
                        f"`{state.initial.name}` is {said(shape)}: it cannot start `{state.name}`, {said(state.shape)}",
                        state.initial.span,
                        context=self.sides(state.initial),
                    )
        output = self.names.get(cell.output)
        if output is not None and output.level == Level.CONSTANT and cell.output not in carried:
            equation = next(each for each in cell.equations if each.name == cell.output)
            self.report.add(
                "CG311",
                f"the output `{cell.output}` reads neither an input nor a state",
                equation.name_span,
                help="it would be the same at every step: read a state in it",
            )

    def update(self, equation, type: Type, state: Type) -> None:
        if (
            self.dims.flat(type.shape) != self.dims.flat(state.shape)
            or len(type.shape) != len(state.shape)
            and not self.dims.scalar(type.shape)
        ):
            self.report.add(
                "CG306",
                f"the state `{equation.name}` is {said(state.shape)}, its equation gives {said(type.shape)}",
                equation.span,
                f"this is {said(type.shape)}",
                context=[Label(self.cell.state(equation.name).span, f"`{equation.name}` is {said(state.shape)}")],
                help=self.bearers(type.shape, state.shape, equation),
            )
        if state.binary and not type.binary:
            self.report.add(
                "CG310",
                f"the state `{equation.name}` holds 0 or 1, its equation any number",
                equation.span,
                "this can be any number",
                context=[Label(self.cell.state(equation.name).span, "`values: [0, 1]`")],
                help="0 and 1 come from `step` and comparisons; `straight_through(step(s), soft)` has a gradient",
            )

    def bearers(self, came: Shape, wanted: Shape, equation) -> str:
        if len(came) == 2 and len(wanted) == 1 and self.dims.equal(came[1], wanted[0]):
            return "`*` is elementwise; a matmul is `@`"
        if self.dims.scalar(wanted) or self.dims.scalar(came) or len(came) > 1 or len(wanted) > 1:
            return ""
        if self.dims.equal(came[0], wanted[0]):
            return ""
        name = next((each for each in "WPVRAB" if each not in self.names), "W")
        weight = f"`{name}: {{shape: {shape_text((*came, *wanted))}, init: glorot_uniform}}`"
        return f"a weight leads from one to the other: {weight}, and `(...) @ {name}`"

    # --- nodes

    def type(self, node: Node, path: Path) -> Type:
        """The type of a node; what stands below it is typed first, and every mistake below is told."""
        below, failed = {}, False
        for index, child in live_children(node, self.alive.variant):
            try:
                below[index] = self.type(child, (*path, index))
            except _Wrong:
                failed = True
        if failed:
            raise _Wrong
        found = self.rule(node, below)
        self.types[path] = found
        return found

    def rule(self, node: Node, below: dict[int, Type]) -> Type:
        match node:
            case Number(value):
                return Type((), Level.CONSTANT, value in (0, 1))
            case Ref():
                return self.ref(node)
            case Pick():
                return self.pick(node, below[0])
            case View(_, shape):
                return self.view(node, below[0], self.dims.canonical(shape))
            case Activate():
                return Type(below[0].shape, below[0].level)
            case Choose():
                return next(iter(below.values()))
            case Apply(op):
                if op in ("mul", "add") and isinstance(node.args[1], Ref) and "/" in node.args[1].name:
                    return below[0]
                types = list(below.values())
                level = max(type.level for type in types)
                if op == "where" and not types[0].binary:
                    self.report.add(
                        "CG310",
                        "the condition of `where` is 0 or 1, and this is any number",
                        node.args[0].span,
                        context=self.sides(node.args[0]),
                        help="write a comparison: `where(x > 0, a, b)`",
                    )
                    raise _Wrong
                shape = getattr(self, OPS[op].shape)(node, [type.shape for type in types])
                if len(shape) > MAX_RANK:
                    self.report.add("CG108", f"a value of {len(shape)} axes; at most {MAX_RANK}", node.span)
                    raise _Wrong
                if level.has_batch and not shape:
                    shape = ((1,),)
                return Type(shape, level, self.binary(node, types))

    def ref(self, ref: Ref) -> Type:
        if ref.ago:
            return self.carried[ref.name]
        if "/" in ref.name:
            # a norm's weight has the shape of the value it scales, which stands beside it and is typed already
            return self.norm_weight(ref)
        type = self.names.get(ref.name)
        if type is None:
            if any(option.name == ref.name for option in self.cell.options):
                self.report.add(
                    "CG309",
                    f"`{ref.name}` may be none here",
                    ref.span,
                    help=f"read it under a test: `... if {ref.name} else ...`",
                )
            raise _Wrong
        port = next((each for each in self.cell.inputs if each.name == ref.name), None)
        if port is not None and port.optional and not self.alive.variant.get(port.name, False):
            self.report.add(
                "CG309",
                f"the input `{ref.name}` may not be there",
                ref.span,
                help=f"read it under a test: `... if {ref.name} else 0`",
            )
            raise _Wrong
        return type

    def norm_weight(self, ref: Ref) -> Type:
        return Type(self.weights.get(ref.name, ()), Level.CONSTANT)

    def pick(self, node: Pick, value: Type) -> Type:
        places = [
            (index, axis, self.axes[atom])
            for index, axis in enumerate(value.shape)
            for atom in axis
            if atom in self.axes and node.label in self.axes[atom].labels
        ]
        if len(places) != 1:
            message = (
                f"the label `{node.label}` names two axes of {said(value.shape)}"
                if places
                else f"{said(value.shape)} has no axis with a label `{node.label}`"
            )
            owner = next(axis.name for axis in self.cell.axes if node.label in axis.labels)
            self.report.add(
                "CG304",
                message,
                node.span,
                context=self.sides(node.value, shape=value.shape),
                help="give the labels of the two axes different names"
                if places
                else f"`{node.label}` is a label of `{owner}`, which must be in the shape of the value",
            )
            raise _Wrong
        index, axis, labels = places[0]
        if labels.widths:
            if len(axis) != 1:
                self.report.add(
                    "CG304",
                    f"`{labels.name}` has labels of different widths, so `{axis_text(axis)}` cannot be cut",
                    node.span,
                )
                raise _Wrong
            rest = self.dims.canonical((labels.width(node.label),))
        else:
            at = axis.index(labels.name)
            rest = tuple(each for each in (axis[:at] + axis[at + 1 :],) if each)
        shape = (*value.shape[:index], *rest, *value.shape[index + 1 :])
        if value.level.has_batch and not shape:
            shape = ((1,),)
        return Type(shape, value.level, value.binary)

    def view(self, node: View, value: Type, shape: Shape) -> Type:
        if self.dims.flat(value.shape) != self.dims.flat(shape):
            swapped = Counter(self.dims.flat(value.shape)) == Counter(self.dims.flat(shape))
            self.report.add(
                "CG305",
                f"declared {said(shape)}, but the value is {said(value.shape)}",
                node.span,
                f"this says {said(shape)}",
                context=self.sides(node.value, shape=value.shape),
                help="a view keeps the numbers in their order: write the factors in the order of the value"
                if swapped
                else "",
            )
            raise _Wrong
        return Type(shape, value.level, value.binary)

    # --- the rules of `ops`, each from the shapes of the arguments to that of the result

    def elementwise(self, node: Apply, found: list[Shape]) -> Shape:
        out, at = found[0], 0
        for index, shape in enumerate(found[1:], 1):
            joined = self.dims.broadcast(out, shape)
            if joined is None:
                self.mismatch(node, at, out, index, shape)
            if joined is not out and joined == shape:
                at = index
            out = joined
        return out

    def mismatch(self, node: Apply, i: int, a: Shape, j: int, b: Shape):
        verb = {"add": "add", "sub": "subtract", "mul": "multiply", "div": "divide"}.get(node.op, "combine")
        word = {"sub": "from", "div": "by", "mul": "by"}.get(node.op, "and")
        help = []
        if node.op == "mul" and len(a) == len(b) == 1:
            help.append(f"all pairs are `outer({node.args[i].span.text}, {node.args[j].span.text})`")
        flat, apart = (a, b) if len(a) < len(b) else (b, a)
        if self.dims.flat(flat) == self.dims.flat(apart) and flat != apart:
            help.append(f"give the flat one a view first: `name: {shape_text(apart)} = ...`")
        first, second = (b, a) if node.op == "sub" else (a, b)
        self.report.add(
            "CG302",
            f"cannot {verb} {said(first)} {word} {said(second)}",
            node.span,
            context=(*self.sides(node.args[i], shape=a), *self.sides(node.args[j], shape=b)),
            help=help,
        )
        raise _Wrong

    def contract(self, node: Apply, found: list[Shape]) -> Shape:
        a, b = found
        left, right = node.args
        if self.dims.scalar(a) or self.dims.scalar(b):
            side = left if self.dims.scalar(a) else right
            self.report.add(
                "CG301",
                f"`@` contracts an axis, and {self.called(side)} is a scalar",
                node.span,
                context=(*self.sides(left), *self.sides(right)),
                help="a product with a scalar is `*`",
            )
            raise _Wrong
        for side, shape in ((left, a), (right, b)) if min(len(a), len(b)) > 1 else ():
            if len({self.dims.atoms(axis) for axis in shape}) < len(shape):
                message = f"{self.called(side)} {said(shape)} names an axis twice, so `@` cannot tell them apart"
                self.report.add(
                    "CG301",
                    message,
                    side.span,
                    context=self.sides(side),
                    help="name one twice: `dims: {units: required, key: units}`",
                )
                raise _Wrong
        lead = self.dims.shared(a, b)
        if not self.dims.equal(a[-1], b[lead]):
            self.report.add(
                "CG301",
                f"cannot multiply {said(a)} by {said(b)}",
                node.span,
                f"{self.called(left)} ends with `{axis_text(a[-1])}`",
                context=self.sides(right, f"{self.called(right)} starts with `{axis_text(b[lead])}`"),
                help=self.fitting(a, b, left, right, lead),
            )
            raise _Wrong
        return (*a[:-1], *b[lead + 1 :])

    def fitting(self, a: Shape, b: Shape, left: Node, right: Node, lead: int) -> list[str]:
        """Helps for a matmul that does not fit: a transposed weight, or a value that would fit."""
        help = []
        if len(b) == 2 and self.dims.equal(a[-1], b[1]) and isinstance(right, Ref):
            help.append(f"weights stand on the right, input first: declare `{right.name}` as {said((b[1], b[0]))}")
        elif len(a) == 2 and len(b) == 1 and self.dims.equal(a[0], b[0]):
            help.append(f"weights stand on the right: write `{right.span.text} @ {left.span.text}`")
        if isinstance(left, Ref):
            for name, type in (*((f"{name}[t-1]", type) for name, type in self.carried.items()), *self.names.items()):
                if (
                    type is not None
                    and type.level.has_batch
                    and len(type.shape) == 1
                    and self.dims.equal(type.shape[0], b[lead])
                ):
                    help.append(f"`{name}` has shape {said(type.shape)}")
                    break
        return help

    def outer(self, node: Apply, found: list[Shape]) -> Shape:
        a, b = found
        if self.dims.scalar(a) or self.dims.scalar(b):
            return b if self.dims.scalar(a) else a
        lead = self.dims.shared(a, b)
        return (*a, *b[lead:])

    def place(self, node: Apply, shape: Shape) -> int:
        """Where the axis named by `over` is; the last one if it is not named."""
        if not node.attrs:
            if not shape:
                self.report.add("CG307", f"`{node.op}` needs an axis, and its value is a scalar", node.span)
                raise _Wrong
            return len(shape) - 1
        over = self.dims.canonical((node.attr("over"),))[0]
        places = [index for index, axis in enumerate(shape) if self.dims.equal(axis, over)]
        if len(places) != 1:
            message = f"{said(shape)} has twice" if places else f"{said(shape)} does not have"
            self.report.add(
                "CG307",
                f"`{node.op}` over `{axis_text(over)}`, which {message}",
                node.span,
                context=self.sides(node.args[0], shape=shape),
                help=self.apart(node.args[0], shape, over)
                or nearest(axis_text(over), [axis_text(axis) for axis in shape]),
            )
            raise _Wrong
        return places[0]

    def apart(self, value: Node, shape: Shape, over: Axis) -> str:
        """A help for an axis that is a factor of a flat one."""
        atoms = self.dims.atoms(over)
        if not any(len(axis) > 1 and set(atoms) <= set(self.dims.atoms(axis)) for axis in shape):
            return ""
        view = tuple((atom,) for axis in shape for atom in axis)
        text = " ".join(value.span.text.split())
        return f"to take each part by itself, view it apart first: `a: {shape_text(view)} = {text}`"

    def reduce(self, node: Apply, found: list[Shape]) -> Shape:
        at = self.place(node, found[0])
        return (*found[0][:at], *found[0][at + 1 :])

    def along(self, node: Apply, found: list[Shape]) -> Shape:
        self.place(node, found[0])
        return found[0]

    def normalize(self, node: Apply, found: list[Shape]) -> Shape:
        shape, over = found[0], self.dims.canonical(node.attr("over"))
        if len(shape) < len(over) or not all(map(self.dims.equal, shape[len(shape) - len(over) :], over)):
            help = self.apart(node.args[0], shape, over[-1]) if over else ""
            self.report.add(
                "CG303",
                f"a norm over {said(over)}, but the value is {said(shape)}",
                node.span,
                f"this is {said(shape)}",
                context=[Label(self.norm_span(node), f"over {said(over)}")],
                help=(help, "a norm is over the trailing axes of its value"),
            )
            raise _Wrong
        for param in self.cell.params:
            if (
                "/" in param.name
                and param.name.split("/")[0] == self.norm_name(node)
                and param.name in self.alive.reads
            ):
                old = self.weights.setdefault(param.name, shape)
                self.names[param.name] = Type(old, Level.CONSTANT)
                if self.dims.flat(old) != self.dims.flat(shape) or len(old) != len(shape):
                    self.report.add(
                        "CG303",
                        f"the norm `{self.norm_name(node)}` is applied to {said(old)} and to {said(shape)}",
                        node.span,
                        help="its weights have one shape: declare a second norm",
                    )
                    raise _Wrong
        return shape

    def norm_name(self, node: Apply) -> str:
        return node.span.text.split("(", 1)[0].strip()

    def norm_span(self, node: Apply) -> Span:
        return next((norm.span for norm in self.cell.norms if norm.name == self.norm_name(node)), node.span)

    # --- kinds

    def binary(self, node: Apply, types: list[Type]) -> bool:
        match node.op:
            case "step" | "less" | "less_equal" | "greater" | "greater_equal":
                return True
            case "mul" | "minimum" | "maximum":
                return all(type.binary for type in types)
            case "sub":
                return isinstance(node.args[0], Number) and node.args[0].value == 1 and types[1].binary
            case "where":
                return types[1].binary and types[2].binary
            case "straight_through" | "stop_gradient":
                return types[0].binary
        return False

    # --- what is said of a side

    def called(self, node: Node) -> str:
        text = " ".join(node.span.text.split())
        return f"`{text}`" if len(text) <= 40 else "this"

    def sides(self, node: Node, text: str = "", shape: Shape | None = None) -> tuple[Label, ...]:
        """Where a value comes from, and its shape; for one without a name, where it stands."""
        if isinstance(node, Ref):
            name = f"{node.name}[t-1]" if node.ago else node.name
            if name in self.where:
                span, where = self.where[name]
                return (Label(span, text or f"`{name}` is {where}"),)
        text = text or (f"this is {said(shape)}" if shape is not None else "")
        return (Label(node.span, text),) if text and not isinstance(node, Number) else ()


def axis_of(cell: Cell, label: str, shape: Shape) -> tuple[int, LabelAxis]:
    """The index of the axis of a shape that has the label, and the labelled axis."""
    axes = {axis.name: axis for axis in cell.axes}
    return next(
        (index, axes[atom])
        for index, axis in enumerate(shape)
        for atom in axis
        if atom in axes and label in axes[atom].labels
    )
