"""Stack to `StackView`: the view of a layer, and what the templates write about all of them."""

import re
from collections.abc import Iterator
from dataclasses import fields, replace

from cellgen.emit.argument_view import arguments, size, sizes
from cellgen.emit.cell_view import Viewing, typing
from cellgen.emit.expressions import Emitter
from cellgen.emit.keras_names import keywords
from cellgen.emit.port_view import besides, example
from cellgen.emit.readout_view import readoutview
from cellgen.emit.records import (
    ArgumentView,
    CellView,
    CheckView,
    PortView,
    StackView,
    StepView,
)
from cellgen.ir import Input, Shape, axis_text, written
from cellgen.schedule import GIVEN, Plan, Step
from cellgen.stack import ROLES, Stack, unrolled


def stackview(stack: Stack, step: Step, plan: Plan) -> StackView:
    """Everything the templates write about a stack; `step` and `plan` are those of its layer."""
    return _StackViewing(stack, step, plan).stack_view()


class _StackViewing(Viewing):
    """A layer is viewed as a cell is, but its sizes are local names, and its weights stand in a part of the stack."""

    part_name = "layer"

    def __init__(self, stack: Stack, step: Step, plan: Plan):
        super().__init__(step, plan)
        self.stack = stack
        local = frozenset((*self.cell.connections.values(), *(dim.name for dim in self.cell.dims)))
        self.outside = Emitter(self.cell, "self.", local=local)
        self.layer_dims = [dim for dim in self.cell.dims if dim.kind in GIVEN]
        self.outer = {name: own for own, name in stack.outer.items()}

    def stack_view(self) -> StackView:
        stack, cell = self.stack, self.cell
        layer = {field.name: getattr(view, field.name) for view in [self.run()] for field in fields(CellView)}
        given = tuple(self.stack_arguments())
        port = stack.inputs[0]
        layer |= {
            "cell": stack.name,
            "stem": stack.stem,
            "about": tuple(self.paragraphs((stack.about, *stack.papers))),
            "equations": tuple(written(stack.cell.equations)),
            "stack": True,
            "state_class": f"{stack.cell.name}State",
            "shown": cell.shown,
            "input": port.name,
            "input_example": example(stack),
            "input_shape": ", ".join(map(axis_text, port.shape)),
            "input_rank": len(port.shape),
            "ports": tuple(map(self.port, stack.inputs)),
            "many": len(stack.inputs) > 1,
            "inputs": tuple(besides(stack)),
            "input_checks": tuple(self.checks()),
            "documented": tuple(self.documented(given)),
            "typing": typing(given),
            "arguments": given,
            "keywords": tuple(keywords(cell)),
            "example_arguments": ", ".join(self.example(argument) for argument in given if not argument.default),
            "output": self.stack_output(layer["output"]),
            "built_sizes": (),
            "derived_dims": (),
            "build_dims": (),
            "states": tuple(replace(each, size=self.of_all(each.size)) for each in layer["states"]),
            "step": replace(layer["step"], parameters=self.step_parameters(layer["step"])),
        }
        shown_sizes = {name: self.shown_size(name) for name in cell.shown}
        readout = readoutview(stack, self.shared_size)
        layer["initializers"] += tuple(
            (weight.name, weight.initializer, weight.trainable) for weight in readout.weights
        )
        used = self.used(layer)
        scan = layer["scan"]
        segments = (layer["step"], scan.once, scan.before, scan.forward, scan.backward, scan.after)
        read = {name for names in (*used.values(), *(each.parameters for each in segments)) for name in names}
        read |= {name for code in shown_sizes.values() for name in re.findall(r'"(\w+)"', code)}
        return StackView(
            **layer,
            wiring=tuple(dict.fromkeys((*(each.text for each in stack.wiring), *self.settled()))),
            depth="depth" if stack.sizes else stack.depth,
            lists=stack.sizes,
            sizes=tuple((dim.name, self.dim_code(dim.name)) for dim in self.layer_dims if dim.name in read),
            below=tuple(self.neighbours("below")),
            above=tuple(self.neighbours("above")),
            outer={own: name for own, name in self.outer.items() if own != name},
            output_of=cell.output,
            shown_sizes=shown_sizes,
            used=used,
            readout=readout,
        )

    def used(self, layer: dict) -> dict[str, tuple[str, ...]]:
        """Of the methods about a layer, the sizes and neighbours that each reads."""
        weights = [code for each in layer["weights"] for code in (each.shape, each.given, each.parts, each.initial)]
        read = {
            "build": [*weights, *(each.sizes for each in layer["noises"])],
            "split": layer["label_slices"],
            "gates": [sizes for _, sizes in layer["trace_sizes"]],
        }
        names = [*(dim.name for dim in self.layer_dims), "_has_below", "_has_above"]
        words = {method: set(re.findall(r"(?<![.\w])\w+", " ".join(codes))) for method, codes in read.items()}
        return {method: tuple(name for name in names if name in found) for method, found in words.items()}

    # --- what the constructor takes

    def stack_arguments(self) -> Iterator[ArgumentView]:
        stack = self.stack
        like = replace(stack.cell, dims=tuple(d for d in stack.dims if d.kind in GIVEN), options=stack.options)
        given = list(arguments(like))
        yield from (sizes(each.name) for each in given if each.name in stack.sizes)
        rest = [each for each in given if each.name not in stack.sizes]
        if not stack.sizes:
            count = sum(not each.default for each in rest)
            rest.insert(count, size(stack.depth))
        yield from rest

    def example(self, argument: ArgumentView) -> str:
        if argument.name in self.stack.sizes:
            return f"{argument.name}=[96, 96, 96]"
        return f"{argument.name}=3" if argument.name == self.stack.depth else super().example(argument)

    # --- sizes

    def of_all(self, code: str, at: str = "") -> str:
        """The code of a size in a layer, in the constructor: a size that each layer has is a local name, or with `at`
        that of one of them.
        """

        def name(found: re.Match) -> str:
            word = found.group()
            if word in self.stack.sizes:
                return f"self.{word}{at}" if at else word
            if word not in self.dims:
                return word
            other = self.target(word, "only")
            return f"({other})" if " " in other and code != word else other

        return re.sub(r"(?<![.\w])[A-Za-z]\w*", name, code)

    def shared_size(self, axis) -> str:
        """The size of an axis of the stack's own dims, in the classes."""
        return " * ".join(self.shared_factor(atom) for atom in axis if atom != 1) or "1"

    def shared_factor(self, atom) -> str:
        kinds = {dim.name: dim.kind for dim in self.stack.dims}
        if isinstance(atom, int):
            return str(atom)
        return self.inferred(atom) if kinds.get(atom) == "inferred" else f"self.{atom}"

    def factor(self, atom) -> str:
        dim = self.dims.get(atom)
        if dim is not None and dim.kind in ("required", "number", "wired"):
            return atom  # a local name
        if dim is not None and dim.kind == "inferred":
            return self.inferred(atom)
        return super().factor(atom)

    def dim_code(self, name: str) -> str:
        """The size of a dim in a layer of some index, which may have neighbours or not."""
        targets = {role: self.target(name, role) for role in ROLES}
        if len({*targets.values()}) == 1:
            return targets["only"]
        targets = {role: f"({code})" if " if " in code else code for role, code in targets.items()}
        below = targets["inner"] if targets["inner"] == targets["last"] else None
        alone = targets["first"] if targets["first"] == targets["only"] else None
        if below and alone:
            return f"{below} if _has_below else {alone}"
        if targets["first"] == targets["inner"] and targets["last"] == targets["only"]:
            return f"{targets['inner']} if _has_above else {targets['last']}"
        lower = below or f"({targets['inner']} if _has_above else {targets['last']})"
        upper = alone or f"({targets['first']} if _has_above else {targets['only']})"
        return f"{lower} if _has_below else {upper}"

    def target(self, name: str, role: str) -> str:
        there = ROLES[role]
        each = next(v for v in self.step.typed.variants if all(v.variant.get(n, there[n]) == there[n] for n in there))
        while name in each.same:
            name = each.same[name]
        if isinstance(name, int):
            return str(name)
        for neighbour, at in (("below", "index - 1"), ("above", "index + 1")):
            plain = name.removeprefix(f"{neighbour}_")
            if plain != name and plain in self.stack.sizes:
                return f"self.{plain}[{at}]" if there[neighbour] else "None"
        dim = self.dims[name]
        if name in self.stack.sizes:
            return f"self.{name}[index]"
        if dim.kind == "inferred":
            return self.inferred(name)
        if dim.kind == "wired":
            return "None"  # nothing is wired to it in this role
        if dim.kind == "alias":
            return f"{self.target(dim.value, role)} if self.{name} is None else self.{name}"
        return f"self.{name}"

    def inferred(self, name: str) -> str:
        """The size of a dim that an input says."""
        port = next(port for port in self.stack.inputs if (name,) in port.shape)
        at = port.shape.index((name,)) - len(port.shape)
        return f"{self.shape_of(port, 'self._port_shapes', 'self.input_spec.shape')}[{at}]"

    def shape_of(self, port: Input, many: str, alone: str) -> str:
        """The shape of an input, in code."""
        return f'{many}["{port.name}"]' if len(self.stack.inputs) > 1 else alone

    def port(self, port: Input) -> PortView:
        return replace(super().port(port), sizes=", ".join(map(self.shared_size, port.shape)))

    def checks(self) -> Iterator[CheckView]:
        """The axes of the inputs whose sizes are known before they come, or that another says."""
        inferred = {dim.name for dim in self.stack.dims if dim.kind == "inferred"}
        for port in self.stack.inputs:
            for at, axis in enumerate(port.shape, -len(port.shape)):
                if inferred & {*axis} and next(each for each in self.stack.inputs if axis in each.shape) is port:
                    continue  # it says itself how large that is
                size, shape = self.shared_size(axis), self.shape_of(port, "shapes", "input_shape")
                words = f'f"of size {{{size}}} in axis {at}"'.replace('["', "['").replace('"]', "']")
                yield CheckView(port.name, f"{shape}[{at}] == {size}", words)

    # --- what a step takes

    def access(self, slot) -> str:
        return f"self._cast(layer.{slot.param.name.replace('/', '_')})"

    def step_parameters(self, step: StepView) -> tuple[str, ...]:
        ports = [f"{port.name}=None" for port in self.cell.inputs]
        return (
            *ports,
            *(name for name in step.parameters if name.split("=")[0] not in {p.split("=")[0] for p in ports}),
        )

    def settled(self) -> Iterator[str]:
        yield from self.stack.settled

    # --- neighbours

    def neighbours(self, side: str) -> Iterator[tuple[str, str]]:
        for each in self.stack.readings:
            if each.neighbour == side:
                yield each.port, f"{each.name}[t-1]" if each.ago else each.name

    def shown_size(self, name: str) -> str:
        shape: Shape = self.plan.joint.typed.variants[0].names[name].shape
        sizes = [
            " * ".join(f'layer["{atom}"]' if isinstance(atom, str) else str(atom) for atom in axis) for axis in shape
        ]
        return ", ".join(sizes) or "1"

    # --- output

    def stack_output(self, own):
        stack = self.stack
        if stack.readout is None:
            return replace(own, size=self.of_all(own.size, at="[-1]"))
        shape = unrolled(stack, 1).default.names[stack.output].shape
        sizes = [self.shared_size(axis) for axis in shape]
        size = sizes[0] if len(sizes) == 1 else f"({', '.join(sizes)})"
        return replace(own, name=stack.output, size=size, width=", ".join(map(axis_text, shape)))
