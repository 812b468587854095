"""Cell to `TypedCell`: the shape, the kind and the level of every value, in every variant.

Dims are names, equal only if the names are equal; the batch is implicit. Raises `SpecError` (CG301 to CG313, and those
of `variants`), each mistake with both sides shown where they come from.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import repeat

from cellgen.diagnostics import Diagnostic, Label, Refused, Report
from cellgen.ir import (
    Algebra,
    Alive,
    Atom,
    Cell,
    Equation,
    Input,
    LabelAxis,
    Level,
    Living,
    Pick,
    Ref,
    Shape,
    Type,
    TypedCell,
    TypedVariant,
    Weight,
    condition,
    shape_text,
    variants,
    walk,
    when,
)
from cellgen.ir.initial_values import decided, nodes
from cellgen.shapes.context import Context, said
from cellgen.shapes.type_cache import TypeCache


def shapes(cell: Cell) -> TypedCell:
    """Types in every variant. A mistake that only some variants have says in which."""
    recall = TypeCache(cell)
    typings = [_Typing(cell, alive, recall) for alive in variants(cell)]
    report = Report()
    _tell(typings, report)
    report.stop()
    _one_shape(cell, typings, report)
    report.stop()
    typed = tuple(typing.done() for typing in typings)
    axes = tuple(_tested(axis, [typing.alive for typing in typings]) for axis in cell.axes)
    return TypedCell(replace(cell, axes=axes, trace=tuple(_traced(cell, typed))), typed)


def _traced(cell: Cell, typed: tuple[TypedVariant, ...]) -> Iterable[str]:
    """What a layer returns of every step if it is asked to: what the spec says, else every value of a step that is in
    all variants and is no state, but for those that are read by label.
    """
    if cell.trace is not None:
        return cell.trace
    nodes = [node for equation in cell.equations for _, node in walk(equation.value)]
    picked = {node.value.name for node in nodes if isinstance(node, Pick) and isinstance(node.value, Ref)}
    own = (each for each in cell.equations if cell.shown is None or each.span.source is not cell.source)  # no wiring
    names = [each.name for each in own if each.name not in picked | {state.name for state in cell.states}]
    return [name for name in names if all(name in each.live and each.names[name].level.has_batch for each in typed)]


def _tested(axis: LabelAxis, found: list[Alive]) -> LabelAxis:
    """The axis with the test of each label that has a width of its own: something reads it, or none of the axis."""
    if axis.widths is None:
        return axis
    every = tuple(each.variant for each in found)
    read = [(each.variant, each.labels & {*axis.labels}) for each in found]
    tests = [
        when(tuple(variant for variant, some in read if label in some or not some), every) for label in axis.labels
    ]
    return replace(axis, tests=tuple(tests))


def wired_dims(layer: Cell) -> tuple[Mapping[str, str], ...]:
    """For each variant of a layer, first those without one below it, the dims that the wiring gives second names."""
    every = sorted(variants(layer), key=lambda each: each.variant["below"])
    recall = TypeCache(layer)
    return tuple(dict(_Typing(layer, each, recall).same) for each in every)


def retype(typed: TypedCell, cell: Cell, roots: Iterable[tuple[str, ...]] = repeat(())) -> TypedCell:
    """A cell that was made of a typed one, in the same variants.

    `roots` are, for each variant, the names that are wanted besides states and output.
    """
    recall, living = TypeCache(cell), Living(cell)
    typings = [_Typing(cell, living.alive(each.variant, wanted), recall) for each, wanted in zip(typed.variants, roots)]
    for typing in typings:
        typing.report.stop()
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


class _Typing:
    """The types of one variant."""

    def __init__(self, cell: Cell, alive: Alive, recall: TypeCache):
        self.cell, self.alive, self.recall, self.report = cell, alive, recall, Report()
        self.same = {
            dim.name: dim.value for dim in cell.dims if dim.kind == "alias" and alive.variant.get(dim.name) is False
        }
        self.dims = Algebra.of(cell, self.same)
        self.wired = {port.name: port for port in cell.wired}
        self.context = Context(cell, alive.variant, alive.reads, self.dims, self.report)
        self.names, self.carried = self.context.names, self.context.carried
        self.declared()
        for equation in cell.equations:
            if equation.name in alive.equations:
                self.equation(equation)
        self.starts()
        self.weights_start()
        self.output()

    def done(self) -> TypedVariant:
        context, alive = self.context, self.alive
        weights = [
            Weight(param.name, context.weights[param.name])
            for param in self.cell.params
            if param.name in context.weights
        ]
        return TypedVariant(
            alive.variant, alive.equations, tuple(weights), dict(self.names), dict(context.types), dict(self.same)
        )

    def declared(self) -> None:
        """The types that no equation gives."""
        cell, context, canonical = self.cell, self.context, self.dims.canonical
        for option in cell.options:
            given = option.kind == "maybe" and self.alive.variant.get(option.name, False)
            if option.kind in ("number", "scheduled") or given:
                self.names[option.name] = Type((), Level.CONSTANT)
        for dim in cell.dims:
            if dim.kind != "optional" or any((dim.name,) in port.shape for port in self.there()):
                self.names[dim.name] = Type((), Level.CONSTANT)
        for param in cell.params:
            if param.name in self.alive.reads and param.shape is not None:
                context.weights[param.name] = shape = canonical(param.shape)
                self.names[param.name] = Type(shape, Level.CONSTANT)
                context.where[param.name] = (param.shape_span, said(param.shape))
        for port in cell.inputs:
            level = Level.CARRIED if port.inner else Level.STEP
            self.names[port.name] = Type(canonical(port.shape), level, port.binary)
            if port.span and port.span.text == port.name:  # without `inputs:` it stands nowhere
                context.where[port.name] = (port.span, said(port.shape))
        for state in cell.states:
            context.where[f"{state.name}[t-1]"] = (state.span, said(state.shape))

    def weights_start(self) -> None:
        """What a weight starts from is there, where the weight is."""
        known = {param.name for param in self.cell.params}
        for param in self.cell.params:
            for _, init in param.init if param.name in self.context.weights else ():
                for node in nodes(decided(init, self.alive.variant)):
                    name = node.name if isinstance(node, Ref) else ""
                    if name in known - {param.name} and name not in self.context.weights:
                        message = f"`{param.name}` starts from `{name}`, which may not be there"
                        help = "say what it starts from then: `init: ... if OPTION else zeros`"
                        self.context.report.add("CG309", message, node.span, help=help)

    def there(self) -> Iterator[Input]:
        """The inputs that this variant has."""
        return (port for port in self.cell.inputs if port.there(self.alive.variant))

    def equation(self, equation: Equation) -> None:
        name, state = equation.name, self.carried.get(equation.name)
        try:
            type = self.recall.infer(equation, self.context)
        except Refused:
            type = None
        if name in self.wired and type is not None:
            type = self.wire(equation, type, self.wired[name])
        if state is not None:
            if type is not None:
                self.update(equation, type, state)
            type = Type(state.shape, Level.CARRIED if type is None else type.level, state.binary)
        self.names[name] = type
        if type is not None:
            self.context.where[name] = (equation.name_span, said(type.shape))

    def wire(self, equation: Equation, type: Type, port: Input) -> Type:
        """What the wiring of a stack gives a port fits it; dims that the wiring tells are second names from here on."""
        came, wanted = type.shape, port.shape
        if not self.dims.scalar(came) or not self.dims.scalar(wanted):
            free = {dim.name for dim in self.cell.dims if dim.kind == "wired"} - {*self.same}
            for mine, theirs in zip(wanted, came):
                if len(mine) == len(theirs) == 1 and mine[0] in free and mine != theirs:
                    self.same[mine[0]] = theirs[0]
            if len(came) != len(wanted) or not all(map(self.dims.equal, came, wanted)):
                type = Type(wanted, type.level, True)  # so that one mistake is told once
                self.report.add(
                    "CG306",
                    f"the port `{port.name}` is {said(wanted)}, its wiring gives {said(came)}",
                    equation.span,
                    f"this is {said(came)}",
                    context=[Label(port.span, f"`{port.name}` is {said(wanted)}")],
                    help=self.way(came, self.dims.canonical(wanted)),
                )
        if port.binary and not type.binary:
            self.report.add(
                "CG310",
                f"the port `{port.name}` takes 0 or 1, its wiring gives any number",
                equation.span,
                "this can be any number",
                context=[Label(port.span, "`values: [0, 1]`")],
                help="wire it to a state or port with `values: [0, 1]`, or to `step(...)`",
            )
        # the port's own dims, in every role
        return replace(type, shape=wanted if came else came, binary=type.binary or port.binary)

    def starts(self) -> None:
        """An initial value fits its state."""
        flat = self.dims.flat
        for state in self.cell.states:
            if isinstance(state.initial, Ref):
                name, shape = state.initial.name, self.names[state.initial.name].shape
                if flat(shape) != flat(self.carried[state.name].shape):
                    self.report.add(
                        "CG306",
                        f"`{name}` is {said(shape)}: it cannot start `{state.name}`, {said(state.shape)}",
                        state.initial.span,
                        context=self.context.sides(state.initial),
                    )

    def output(self) -> None:
        name = self.cell.output
        type = self.names.get(name)
        if type is not None and type.level == Level.CONSTANT and name not in self.carried:
            equation = next(each for each in self.cell.equations if each.name == name)
            self.report.add(
                "CG311",
                f"the output `{name}` reads neither an input nor a state",
                equation.name_span,
                help="it would be the same at every step: read a state in it",
            )

        for name in self.cell.trace or ():
            type = self.names.get(name)
            if type is not None and type.level == Level.CONSTANT and name not in self.carried:
                equation = next(each for each in self.cell.equations if each.name == name)
                message = f"`{name}` is traced, and reads neither an input nor a state"
                self.report.add("CG311", message, equation.name_span, help="it is the same at every step")

    def update(self, equation: Equation, type: Type, state: Type) -> None:
        """What the equation of a state gives is what the state holds."""
        declared, flat = self.cell.state(equation.name), self.dims.flat
        regrouped = len(type.shape) != len(state.shape) and not self.dims.scalar(type.shape)
        if flat(type.shape) != flat(state.shape) or regrouped:
            self.report.add(
                "CG306",
                f"the state `{equation.name}` is {said(state.shape)}, its equation gives {said(type.shape)}",
                equation.span,
                f"this is {said(type.shape)}",
                context=[
                    Label(declared.span, f"`{equation.name}` is {said(state.shape)}"),
                    *self.origin(equation, {*flat(type.shape)}, {*flat(state.shape)}),
                ],
                help=self.way(type.shape, state.shape),
            )
        if state.binary and not type.binary:
            self.report.add(
                "CG310",
                f"the state `{equation.name}` holds 0 or 1, its equation any number",
                equation.span,
                "this can be any number",
                context=[Label(declared.span, "`values: [0, 1]`")],
                help="0 and 1 come from `step` and comparisons; `straight_through(step(s), soft)` has a gradient",
            )

    def origin(self, equation: Equation, came: set[Atom], wanted: set[Atom]) -> Iterable[Label]:
        """Of what comes with more dims than wanted, the first equation that has them, where a hand may have slipped."""
        below, found, more = {equation.name}, None, came - wanted if came > wanted else set()
        for each in reversed(self.cell.equations):
            if each.name in below and each.name in self.alive.equations:
                below |= {node.name for _, node in walk(each.value) if isinstance(node, Ref) and not node.ago}
                type = self.names.get(each.name)
                if each is not equation and type is not None and more and more <= {*self.dims.flat(type.shape)}:
                    found = each
        return self.context.sides(Ref(found.name)) if found is not None else ()

    def way(self, came: Shape, wanted: Shape) -> str:
        """A help that leads from one shape to the other, or an empty string."""
        if one := self.context.one_width(came, wanted):
            return one
        if len(came) == 2 and len(wanted) == 1 and self.dims.equal(came[1], wanted[0]):
            return "`*` is elementwise; a matmul is `@`"
        if self.dims.scalar(wanted) or self.dims.scalar(came) or len(came) > 1 or len(wanted) > 1:
            return ""
        if self.dims.equal(came[0], wanted[0]):
            return ""
        name = next((each for each in "WPVRAB" if each not in self.names), "W")
        weight = f"`{name}: {{shape: {shape_text((*came, *wanted))}, init: glorot_uniform}}`"
        return f"a weight leads from one to the other: {weight}, and `(...) @ {name}`"
