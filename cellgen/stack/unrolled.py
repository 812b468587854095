"""A stack of known depth as one cell: every layer's names with the layer's number in front, its readout at the end.

The result goes through the whole compiler like any other cell. It is what the interpreter runs, so it is the oracle of
the generated stack, which loops over layers instead.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from fractions import Fraction

from cellgen.ir import (
    NEIGHBOURS,
    Apply,
    Axis,
    Cell,
    Choose,
    Dim,
    Equation,
    Initial,
    LabelAxis,
    Node,
    Norm,
    Number,
    Param,
    Pick,
    Ref,
    Shape,
    TypedCell,
    TypedVariant,
    Variant,
    View,
    children,
    rebuild,
)
from cellgen.ir.initial_values import remade
from cellgen.shapes import shapes
from cellgen.stack.layer import Stack
from cellgen.stack.readout import ALL, EACH, LAYERS, Readout, Step
from cellgen.stack.roles import Settled


def flatten(stack: Stack, depth: int) -> Cell:
    """The cell of a stack of `depth` layers. A dim with a size a layer becomes `layer1_units`, `layer2_units`, ..."""
    return _Flattening(stack, depth).run()


def unrolled(stack: Stack, depth: int) -> TypedCell:
    """The same, typed; found once. Raises `SpecError`."""
    if depth not in stack.unrolled:
        stack.unrolled[depth] = shapes(flatten(stack, depth))
    return stack.unrolled[depth]


class _Flattening:
    def __init__(self, stack: Stack, depth: int):
        self.stack, self.depth, self.layer = stack, depth, stack.layer
        layer = self.layer
        groups = (layer.states, layer.params, layer.norms, layer.equations, layer.noises)
        self.own = {each.name for group in groups for each in group}  # what each layer has one of
        self.known = {dim.name for dim in stack.dims}
        self.typed = [self.variants_of(index) for index in range(depth)]

    def run(self) -> Cell:
        stack, layer = self.stack, self.layer
        self.same = [self.dims_of(index) for index in range(self.depth)]
        layers = [self.one(index) for index in range(self.depth)]
        readout, output = (), f"layer{self.depth}_{layer.output}"
        params = tuple(param for each in layers for param in each.params)
        if stack.readout is not None:
            readout, output = tuple(self.readout(stack.readout)), stack.output
            params += tuple(self.weights(stack.readout))
        axes = tuple(axis for each in layers for axis in each.axes)
        return replace(
            layer,
            name=stack.name,
            stem=stack.stem,
            about=stack.about,
            family=stack.family,
            papers=stack.papers,
            dims=tuple(self.dims(axes, layers, params)),
            axes=(*dict.fromkeys(axes), *(self.of_all() if stack.readout else ())),
            inputs=stack.inputs,
            states=tuple(state for each in layers for state in each.states),
            output=output,
            params=params,
            norms=tuple(norm for each in layers for norm in each.norms),
            noises=tuple(noise for each in layers for noise in each.noises),
            mask=replace(
                layer.mask, states=tuple(f"layer{n + 1}_{s}" for n in range(self.depth) for s in layer.mask.states)
            ),
            equations=(*(equation for each in layers for equation in each.equations), *readout),
            laws=(),
            trace=tuple(
                f"layer{index + 1}_{name}" for index in range(self.depth) for name in stack.typed_layer.cell.trace
            ),
            wired=(),
            shown=None,
            flat=tuple(f"layer{index + 1}_{name}" for index in range(self.depth) for name in stack.layer.shown),
        )

    # --- dims

    def variants_of(self, index: int) -> list[TypedVariant]:
        """The variants of a layer in its place."""
        there = self.neighbours(index)
        every = self.stack.typed_layer.variants
        return [
            each for each in every if all(each.variant.get(name, there[name]) == there[name] for name in NEIGHBOURS)
        ]

    def neighbours(self, index: int) -> Variant:
        return {"below": index > 0, "above": index + 1 < self.depth}

    def dims_of(self, index: int) -> Mapping[str, str]:
        """The dims of a layer by their names in the flat cell."""
        typed = self.typed[index][0]
        names = {}
        for dim in self.layer.dims:
            name, at = dim.name, index
            while name in typed.same:
                name = typed.same[name]
            for neighbour, step in (("below", -1), ("above", 1)):
                if name.startswith(f"{neighbour}_") and name.removeprefix(f"{neighbour}_") not in self.known - {
                    *self.stack.sizes
                }:
                    name, at = name.removeprefix(f"{neighbour}_"), index + step
            names[dim.name] = f"layer{at + 1}_{name}" if name in self.stack.sizes else name
        return names

    def dims(self, axes, layers, params) -> Iterator[Dim]:
        given = {dim.name: dim for dim in (*self.layer.dims, *self.stack.dims)}
        found: dict[str, Dim] = {}
        for dim in self.stack.dims:
            if dim.name not in self.stack.sizes:
                found[dim.name] = dim
        for name in self.stack.sizes:
            for index in range(self.depth):
                found[f"layer{index + 1}_{name}"] = replace(given[name], name=f"layer{index + 1}_{name}")
        return iter(found.values())

    def axis(self, axis: Axis, index: int) -> Axis:
        names = self.same[index]
        return tuple(self.labelled(atom, index) if self.layer.axis(atom) else names.get(atom, atom) for atom in axis)

    def labelled(self, atom: str, index: int) -> str:
        """Labels with widths are an axis of each layer."""
        return f"layer{index + 1}_{atom}" if self.layer.axis(atom).widths else atom

    def shape(self, shape: Shape | None, index: int) -> Shape | None:
        return None if shape is None else tuple(self.axis(axis, index) for axis in shape)

    # --- layers

    def one(self, index: int) -> Cell:
        """One layer, its names with the number in front."""
        layer = self.layer
        names = {name: f"layer{index + 1}_{name}" for name in self.own}
        return replace(
            layer,
            axes=tuple(self.own_axis(axis, index) for axis in self.stack.typed_layer.cell.axes),
            states=tuple(
                replace(
                    state,
                    name=names[state.name],
                    shape=self.shape(state.shape, index),
                    initial=self.initial(state, index),
                )
                for state in layer.states
            ),
            params=tuple(param for each in layer.params if (param := self.param(each, index, names)) is not None),
            norms=tuple(self.norm(norm, index, names) for norm in layer.norms),
            noises=tuple(
                replace(each, name=names[each.name], like=self.node(each.like, index)) for each in layer.noises
            ),
            equations=tuple(
                replace(each, name=names[each.name], value=value)
                for each in layer.equations
                if (value := self.node(each.value, index)) is not None and self.lives(each, index)
            ),
        )

    def own_axis(self, axis: LabelAxis, index: int) -> LabelAxis:
        """A labelled axis; of those with widths the labels that something reads in this place."""
        if axis.widths is None:
            return axis
        there = [not test or self.asked(test, index) is not False for test in axis.tests]
        kept = [(label, width) for label, width, is_there in zip(axis.labels, axis.widths, there) if is_there]
        labels, widths = zip(*kept)
        return LabelAxis(self.labelled(axis.name, index), labels, self.shape(widths, index))

    def lives(self, equation: Equation, index: int) -> bool:
        return any(equation.name in each.live for each in self.typed[index])

    def initial(self, state, index: int):
        return self.node(state.initial, index) if isinstance(state.initial, Ref) else state.initial

    def param(self, param: Param, index: int, names: Mapping[str, str]) -> Param | None:
        if not any(weight.name == param.name for each in self.typed[index] for weight in each.weights):
            return None
        init = tuple((label, self.init(each, index)) for label, each in param.init)
        return replace(param, name=f"layer{index + 1}_{param.name}", shape=self.shape(param.shape, index), init=init)

    def init(self, init: Initial, index: int) -> Initial:
        return remade(init, lambda test: self.asked(test, index), lambda value: self.node(value, index))

    def norm(self, norm: Norm, index: int, names: Mapping[str, str]) -> Norm:
        return replace(norm, name=names[norm.name], over=self.shape(norm.over, index))

    def asked(self, test, index: int):
        return Settled.ask(test, {name: Settled(there) for name, there in self.neighbours(index).items()})

    def node(self, node: Node, index: int) -> Node:
        match node:
            case Choose(test, a, b, span):
                test = self.asked(test, index)
                if isinstance(test, bool):
                    return self.node(a if test else b, index)
                return Choose(test, self.node(a, index), self.node(b, index), span)
            case Ref():
                return self.ref(node, index)
            case View(value, shape, span):
                return View(self.node(value, index), self.shape(shape, index), span)
            case Apply(op, args, attrs, span):
                attrs = tuple((name, self.over(value, index)) for name, value in attrs)
                return Apply(op, tuple(self.node(arg, index) for arg in args), attrs, span)
        return rebuild(node, tuple(self.node(child, index) for child in children(node)))

    def over(self, value, index: int):
        if isinstance(value, tuple) and value and isinstance(value[0], tuple):
            return self.shape(value, index)
        return self.axis(value, index) if isinstance(value, tuple) else value

    def ref(self, ref: Ref, index: int) -> Ref | Number:
        name, base = ref.name, ref.name.split("/")[0]
        if name in self.same[index]:
            size = self.same[index][name]
            return Number(Fraction(size), ref.span) if isinstance(size, int) else replace(ref, name=size)
        reading = next((each for each in self.stack.readings if each.port == name), None)
        if reading is not None:
            at = index + (-1 if reading.neighbour == "below" else 1)
            return Ref(f"layer{at + 1}_{reading.name}", reading.ago, ref.span)
        if base in self.own:
            return Ref(f"layer{index + 1}_{name}", ref.ago, ref.span)
        if name in self.same[index]:  # the size of a dim
            return replace(ref, name=self.same[index][name])
        return replace(ref, name=self.stack.outer.get(name, name))

    # --- the readout

    def of_all(self) -> Iterator[LabelAxis]:
        parts, labels = (tuple(f"{letter}{index + 1}" for index in range(self.depth)) for letter in "al")
        (main,) = (
            self.layer.state(self.layer.output).shape[-1:]
            if self.state_output()
            else ((self.stack.sizes or ("units",))[0],)
        )
        read = {atom for param in self.stack.readout.params for axis in param.shape for atom in axis}
        if ALL in read:
            yield LabelAxis(ALL, parts, tuple(self.axis(main, index) for index in range(self.depth)))
        if LAYERS in read:
            yield LabelAxis(LAYERS, labels)

    def state_output(self) -> bool:
        return any(state.name == self.layer.output for state in self.layer.states)

    def weights(self, readout: Readout) -> Iterator[Param]:
        for param in readout.params:
            if readout.by_layer(param):
                for index in range(self.depth):
                    shape = tuple(
                        tuple(
                            self.same[index].get(str(atom).removeprefix("each."), atom)
                            if str(atom).startswith("each.")
                            else atom
                            for atom in axis
                        )
                        for axis in param.shape
                    )
                    yield replace(param, name=f"{param.name}{index + 1}", shape=shape)
            else:
                yield param

    def readout(self, readout: Readout) -> Iterator[Equation]:
        own = {param.name for param in readout.params if readout.by_layer(param)}
        each = {step.name for step in readout.steps if step.kind == "each"}

        def at(node: Node, index: int) -> Node:
            if isinstance(node, Ref) and node.name.startswith(f"{EACH}."):
                name = node.name.removeprefix(f"{EACH}.")
                if name in own:
                    return replace(node, name=f"{name}{index + 1}")
                if name in readout.shown or name in each:
                    return replace(node, name=f"layer{index + 1}_{name}")
                return Pick(Ref(name, 0, node.span), f"l{index + 1}", node.span)
            return rebuild(node, tuple(at(child, index) for child in children(node)))

        for step in readout.steps:
            terms = [at(step.value, index) for index in range(self.depth)]
            match step.kind:
                case "value":
                    yield self.equation(step, step.name, step.value)
                    continue
                case "each":
                    names = [f"layer{index + 1}_{step.name}" for index in range(self.depth)]
                case _:
                    names = [f"layer{index + 1}{step.name}" for index in range(self.depth)]
            for name, term in zip(names, terms):
                yield self.equation(step, name, term)
            if step.kind != "each":
                found = [Ref(name, 0, step.span) for name in names]
                if step.kind == "mix":
                    found = list(self.mixed(step, readout, found))
                total = found[0]
                for term in found[1:]:
                    total = Apply("add", (total, term), (), step.span)
                yield self.equation(step, step.name, total)

    def mixed(self, step: Step, readout: Readout, values: list[Ref]) -> Iterator[Node]:
        """The product of each layer's value with its part of a weight; the value may be a number a sample."""
        weight = next(param for param in readout.params if param.name == step.by)
        op, letter = ("mul", "l") if LAYERS in weight.shape[0] else ("matmul", "a")
        for index, value in enumerate(values):
            part = Pick(Ref(step.by, 0, step.span), f"{letter}{index + 1}", step.span)
            yield Apply(op, (value, part), (), step.span)

    def equation(self, step: Step, name: str, value: Node) -> Equation:
        return Equation(name, value, step.text, step.span, step.span)
