"""Stack to `StackView`: the view of a layer, and what the templates write about all of them."""

from collections.abc import Iterator
from dataclasses import fields, replace

from cellgen.emit.argument_view import arguments
from cellgen.emit.cell_view import Viewing
from cellgen.emit.expressions import Emitter
from cellgen.emit.keras_names import keywords
from cellgen.emit.readout_view import readoutview
from cellgen.emit.records import (
    ArgumentView,
    CellView,
    CheckView,
    NeighbourView,
    ScanView,
    SegmentView,
    StackView,
    StepView,
)
from cellgen.ir import Option, Shape, TypedCell, axis_text
from cellgen.schedule import GIVEN, Plan, Step
from cellgen.stack import ROLES, Stack


def stackview(stack: Stack, step: Step, plan: Plan) -> StackView:
    """Everything the templates write about a stack; `step` and `plan` are those of its layer."""
    return _StackViewing(stack, step, plan).stack_view()


class _StackViewing(Viewing):
    """A layer is viewed as a cell is, but its sizes are local names, and its weights stand in a part of the stack."""

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
        scan, given = layer["scan"], tuple(self.stack_arguments())
        port = stack.inputs[0]
        own, shared = self.taken()
        states = {state.name for state in cell.states}
        output = cell.output if stack.readout is None else ""
        layer |= {
            "cell": stack.name,
            "stem": stack.stem,
            "about": tuple(self.paragraphs((stack.about, *stack.papers))),
            "equations": tuple(each.text for each in stack.cell.equations),
            "stack": True,
            "prefix": "_layer_",
            "by_readout": stack.readout is not None,
            "state_class": f"{stack.cell.name}State",
            "shown": cell.shown,
            "input": port.name,
            "input_shape": ", ".join(map(axis_text, port.shape)),
            "input_rank": len(port.shape),
            "ports": tuple(map(self.port, stack.inputs)),
            "many": False,
            "inputs": (),
            "input_checks": tuple(self.checks()),
            "arguments": given,
            "keywords": tuple(keywords(cell, [each.name for each in given])),
            "example_arguments": ", ".join(self.example(argument) for argument in given if not argument.default),
            "output": self.stack_output(layer["output"]),
            "scheduled": tuple(
                (each.name, str(float(each.default))) for each in stack.options if each.kind == "scheduled"
            ),
            "built_sizes": (),
            "derived_dims": (),
            "build_dims": (),
            "step": replace(layer["step"], parameters=self.step_parameters(layer["step"])),
            "scan": self.by_outer_names(scan),
        }
        readout = readoutview(stack, self.initializer, self.shared_size)
        layer["initializers"] += tuple((weight.name, weight.initializer) for weight in readout.weights)
        return StackView(
            **layer,
            wiring=tuple(dict.fromkeys((*(each.text for each in stack.wiring), *self.settled()))),
            depth="depth" if stack.sizes else stack.depth,
            lists=stack.sizes,
            sizes=tuple((dim.name, self.dim_code(dim.name)) for dim in self.layer_dims),
            shared=tuple(shared),
            own=tuple(own),
            ports_of={side: tuple(self.neighbours(side)) for side in ("below", "above")},
            late=any(each.neighbour == "below" and each.ago for each in stack.readings),
            inputs_list=", ".join(each.name for each in stack.inputs),
            inputs_given=", ".join(f"{self.outer[each.name]}={each.name}" for each in stack.inputs),
            inputs_back=tuple(
                (each.name, self.outer[each.name])
                for each in stack.inputs
                if self.outer[each.name] in scan.backward.reads
            ),
            output_code=self.output_code(),
            output_state=output if output in states else "",
            output_shown=output if output and output not in states else "",
            shown_sizes={name: self.shown_size(name) for name in cell.shown},
            readout=readout,
        )

    def by_outer_names(self, scan: ScanView) -> ScanView:
        """The inputs of a layer that are the stack's, by the stack's names where values are looked up."""
        names = self.stack.outer

        def read(segment: SegmentView) -> SegmentView:
            return replace(segment, reads=tuple(names.get(name, name) for name in segment.reads))

        d_inputs = tuple((names.get(name, name), code, test) for name, code, test in scan.d_inputs)
        return replace(
            scan, forward=read(scan.forward), backward=read(scan.backward), after=read(scan.after), d_inputs=d_inputs
        )

    # --- what the constructor takes

    def stack_arguments(self) -> Iterator[ArgumentView]:
        stack = self.stack
        like = replace(stack.cell, dims=tuple(d for d in stack.dims if d.kind in GIVEN), options=stack.options)
        depth = stack.depth
        number = ArgumentView(depth, "", f"recurrent.is_size({depth})", "a positive integer", f"int({depth})")
        given = list(arguments(like))
        first = [each for each in given if each.name in stack.sizes]
        for each in first:
            name = each.name
            fits = f"isinstance({name}, (list, tuple)) and {name} and all(recurrent.is_size(size) for size in {name})"
            wanted = "a list of positive integers, one a layer"
            yield replace(each, fits=fits, wanted=wanted, value=f"tuple(int(size) for size in {name})")
        rest = [each for each in given if each.name not in stack.sizes]
        if not stack.sizes:
            count = sum(not each.default for each in rest)
            rest.insert(count, number)
        yield from rest

    def example(self, argument: ArgumentView) -> str:
        if argument.name in self.stack.sizes:
            return f"{argument.name}=[96, 96, 96]"
        return f"{argument.name}=3" if argument.name == self.stack.depth else super().example(argument)

    # --- sizes

    def shared_size(self, axis) -> str:
        """The size of an axis of the stack's own dims, in the classes."""
        return " * ".join(str(atom) if isinstance(atom, int) else f"self.{atom}" for atom in axis if atom != 1) or "1"

    def factor(self, atom, prefix: str) -> str:
        dim = self.dims.get(atom)
        if dim is not None and dim.kind in ("required", "number", "wired"):
            return atom  # a local name
        if dim is not None and dim.kind == "inferred":
            return f"self.input_spec.shape[{self.place(atom)}]"
        return super().factor(atom, prefix)

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
            return f"self.input_spec.shape[{self.place(name)}]"
        if dim.kind == "wired":
            return "None"  # nothing is wired to it in this role
        if dim.kind == "alias":
            return f"{self.target(dim.value, role)} if self.{name} is None else self.{name}"
        return f"self.{name}"

    def place(self, name: str) -> int:
        shape = self.stack.inputs[0].shape
        return shape.index((name,)) - len(shape)

    def checks(self) -> Iterator[CheckView]:
        """The axes of the input whose sizes are known before it comes."""
        port, inferred = self.stack.inputs[0], {dim.name for dim in self.stack.dims if dim.kind == "inferred"}
        for at, axis in enumerate(port.shape, -len(port.shape)):
            if not inferred & {*axis}:
                size = self.shared_size(axis)
                yield CheckView(port.name, f"input_shape[{at}] == {size}", f'f"of size {{{size}}} in axis {at}"')

    # --- weights and what a step takes

    def access(self, slot) -> str:
        return f"cast(part.{slot.param.name.replace('/', '_')})"

    def initial(self, state) -> str:
        return super().initial(state).replace("self.", "part.")

    def taken(self) -> tuple[list, list]:
        """What a step takes: for each layer, and once for all."""
        step: StepView = self.step_view()
        options: dict[str, Option] = {option.name: option for option in self.cell.options}
        own, shared = [], []
        for name, code in step.arguments:
            if name in options:
                shared.append((name, code))
            elif name not in self.cell.connections.values() and name not in self.dims:
                own.append((name, code))
        own += [(dim.name, dim.name) for dim in self.layer_dims]
        return own, shared

    def step_parameters(self, step: StepView) -> tuple[str, ...]:
        ports = [f"{port.name}=None" for port in self.cell.inputs]
        return (
            *ports,
            *(name for name in step.parameters if name.split("=")[0] not in {p.split("=")[0] for p in ports}),
        )

    def settled(self) -> Iterator[str]:
        yield from self.stack.settled

    # --- neighbours

    def neighbours(self, side: str) -> Iterator[NeighbourView]:
        states = {state.name for state in self.cell.states}
        for each in self.stack.readings:
            if each.neighbour != side:
                continue
            at = "index - 1" if side == "below" else "index + 1"
            if each.ago:
                code = f"old[{at}].{each.name}"
                back = f'd_old[{at}]["{each.name}"] += d_ports["{each.port}"]'
                if side == "below":  # that layer's turn comes later
                    back = f'd_late.append(({at}, "{each.name}", d_ports["{each.port}"]))'
            elif each.name in states:
                code, back = f"new[{at}].{each.name}", f'd_new[{at}]["{each.name}"] += d_ports["{each.port}"]'
            else:
                code = f'shown[{at}]["{each.name}"]'
                back = f'_d_{each.name}_shown[{at}] += d_ports["{each.port}"]'
            yield NeighbourView(each.port, code, back)

    def shown_size(self, name: str) -> str:
        shape: Shape = self.plan.joint.typed.variants[0].names[name].shape
        sizes = [
            " * ".join(f'layer["{atom}"]' if isinstance(atom, str) else str(atom) for atom in axis) for axis in shape
        ]
        return ", ".join(sizes) or "1"

    # --- output

    def output_code(self) -> str:
        output = self.cell.output
        states = {state.name for state in self.cell.states}
        return f"new[-1].{output}" if output in states else f'shown[-1]["{output}"]'

    def stack_output(self, own):
        stack = self.stack
        if stack.readout is None:
            sizes = own.size
            for name in stack.sizes:
                sizes = sizes.replace(name, f"{name}[-1]")
            return replace(own, size=sizes)
        from cellgen.shapes import shapes
        from cellgen.stack import flatten

        typed: TypedCell = shapes(flatten(stack, 1))
        shape = typed.default.names[stack.output].shape
        sizes = [self.shared_size(axis) for axis in shape]
        size = sizes[0] if len(sizes) == 1 else f"({', '.join(sizes)})"
        return replace(own, name=stack.output, size=size, width=", ".join(map(axis_text, shape)))
