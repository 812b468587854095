"""Step to `CellView`: every string that the templates of a cell put in place.

A template decides structure only; what is written there, from a weight's shape to an error's words, is decided here.
"""

import re
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import fields, replace

from cellgen.analyse import parts
from cellgen.emit.argument_view import arguments, literal
from cellgen.emit.expressions import MULTIPLY, OR, Emitter
from cellgen.emit.fused_view import fusedview
from cellgen.emit.initial_view import InitialView, read_at_the_start
from cellgen.emit.keras_names import keywords
from cellgen.emit.port_view import WIDTH, asks_training, besides, example, noises, shape_of, shown, wide
from cellgen.emit.records import (
    ArgumentView,
    CellView,
    CheckView,
    DimView,
    MaskView,
    OutputView,
    PortView,
    StatementView,
    StateView,
    StepView,
    WeightView,
)
from cellgen.emit.runtime_file import runtime_view
from cellgen.emit.scan_view import scanview
from cellgen.emit.statements import code, statements
from cellgen.ir import (
    Atom,
    Axis,
    Dim,
    Fused,
    Input,
    Node,
    Program,
    Ref,
    Shape,
    Test,
    axis_text,
    children,
    rebuild,
    written,
)
from cellgen.schedule import Plan, Run, Slot, Step


def view(step: Step, plan: Plan, fused: Fused | None = None) -> CellView:
    """Everything the templates write about a cell. fused: what of it cuDNN can run."""
    return replace(Viewing(step, plan).run(), fused=fusedview(fused, step) if fused else None)


def prose(text: str) -> str:
    """Free text of a spec, fit for a docstring: one line, nothing that ends or escapes it."""
    text = " ".join(text.split()).replace("\\", "/").replace('"', "'")
    return "".join(char for char in text if char.isprintable())


def typing(given: Iterable[ArgumentView]) -> tuple[str, ...]:
    """What the types of arguments need of `typing`."""
    return tuple(name for name in ("Literal",) if any(name in each.hint for each in given))


def _reading(node: Node, text: str) -> Node:
    """A split of a weight, with this in the place of the weight's name."""
    if isinstance(node, Ref):
        return Ref(text)
    return rebuild(node, tuple(_reading(child, text) for child in children(node)))


class Viewing:
    part_name = "self"  # what has the weights, where they are made

    def __init__(self, step: Step, plan: Plan):
        self.step, self.plan, self.cell = step, plan, step.cell
        self.emitter, self.outside = Emitter(step.cell), Emitter(step.cell, "self.")
        self.dims = {dim.name: dim for dim in self.cell.dims}

    def run(self) -> CellView:
        cell, port = self.cell, self.cell.inputs[0]
        given = tuple(arguments(cell))
        output, weights = self.output_shape(), tuple(self.weight(slot) for slot in self.step.slots)
        drawn = [shape_of(noise, self.step) for noise in cell.noises]
        started = [(name,) for each in cell.params for name in read_at_the_start(each) if name in self.dims]
        drawing = tuple(noises(self.step, self.size))
        kept = [*(state.shape for state in cell.states), output]
        late = [*filter(self.late, kept)]
        flat = all(len(shape) == 1 for shape in kept)
        return CellView(
            cell=cell.name,
            stem=cell.stem,
            runtime=runtime_view(),
            stack=False,
            state_class=f"{cell.name}State",
            shown=(),
            about=tuple(self.about()),
            equations=tuple(written(cell.equations)),
            labels="; ".join(
                f"{axis.name} = {f'1 to {len(axis.labels)}' if axis.counted else ', '.join(axis.labels)}"
                for axis in cell.axes
            ),
            input=port.name,
            input_example=example(cell),
            input_shape=", ".join(axis_text(axis) for axis in port.shape),
            input_rank=len(port.shape),
            ports=tuple(map(self.port, cell.inputs)),
            noises=drawing,
            asks_training=asks_training(cell),
            wide=wide(cell),
            many=len(cell.inputs) > 1,
            filled=any(each.default is not None or each.index for each in cell.inputs),
            inputs=tuple(besides(cell)),
            input_checks=tuple(self.input_checks()),
            star="" if flat else "*",
            states=tuple(
                StateView(
                    index, state.name, shown(state.shape), self.size_entry(state.shape, flat), self.initial(state)
                )
                for index, state in enumerate(cell.states)
            ),
            output=OutputView(
                cell.output, shown(output), self.size_entry(output, flat), ", ".join(map(axis_text, output))
            ),
            mask=self.mask(),
            example_arguments=", ".join(self.example(argument) for argument in given if not argument.default),
            example_output=", ".join(self.example_size(axis) for axis in output),
            documented=tuple(self.documented(given)),
            math=any(re.search(r"(?<![.\w])math\.", each.initial + each.parts) for each in weights),
            typing=typing(given),
            arguments=given,
            keywords=tuple(keywords(cell)),
            built_sizes=tuple(self.size_entry(shape, flat, built=True) for shape in kept) if late else (),
            derived_dims=tuple(self.derived([shape for shape in kept if shape not in late])),
            size_checks=tuple(self.size_checks()),
            build_dims=tuple(
                self.derived([*(slot.shape for slot in self.step.slots), started, port.shape, *drawn, *late])
            ),
            weights=weights,
            initializers=tuple((weight.argument, weight.initializer, weight.trainable) for weight in weights),
            label_slices=tuple(self.label_slices()),
            split_names=tuple(self.split_names()),
            parts=tuple(self.parts()),
            run=tuple(self.run_otherwise()),
            step=self.step_view(),
            scan=scanview(self.plan),
            trace=tuple((name, shown(self.traced(name))) for name in cell.trace),
            trace_sizes=tuple(
                (name, self.entry(tuple(map(self.outside.size, self.traced(name))))) for name in cell.trace
            ),
            fused=None,
        )

    def port(self, port: Input) -> PortView:
        fill = "" if port.default is None else self.emitter.text(port.default)
        sizes = ", ".join(map(self.size, port.shape))
        axes = ", ".join(map(axis_text, port.shape))
        return PortView(port.name, axes, len(port.shape), port.optional, fill, sizes, port.constant, port.index)

    # --- for people

    def about(self) -> Iterator[str]:
        return self.paragraphs((self.cell.about, *self.cell.papers))

    def paragraphs(self, texts: Iterable[str]) -> Iterator[str]:
        for text in texts:
            if text:
                yield from textwrap.wrap(prose(text), WIDTH, break_long_words=True)

    def mask(self) -> MaskView:
        mask = self.cell.mask
        names = " and ".join(mask.states)
        sentence = {
            "hold": "A masked step holds state and output (the output is zero before the first step that counts).",
            "reset": f"A masked step sets {names} to the initial state first, then runs.",
            "none": "There is no rule for masked steps, so a mask is refused.",
        }[mask.kind]
        return MaskView(mask.kind, mask.states, sentence)

    def example(self, argument: ArgumentView) -> str:
        return "128" if argument.name == "units" else f"{argument.name}=16"

    def example_size(self, axis: Axis) -> str:
        return " * ".join(
            "128" if self.resolved(atom) == "units" else axis_text((self.resolved(atom),)) for atom in axis
        )

    def resolved(self, atom):
        """The dim, number or size that a dim not given stands for."""
        dim = self.dims.get(atom)
        if dim is None or dim.kind not in ("alias", "number"):
            return atom
        return self.resolved(dim.value) if dim.kind == "alias" else dim.value

    def documented(self, given: Iterable[ArgumentView]) -> Iterator[str]:
        """The arguments, those of which the same is said together."""
        names: dict[str, list[str]] = {}
        for each in given:
            names.setdefault(each.wanted, []).append(each.name)
        text = " ".join(f"{', '.join(those)}: {wanted}." for wanted, those in names.items())
        text += " Raises ValueError where one does not fit."
        yield from textwrap.wrap(text, WIDTH - 1, break_long_words=False)

    # --- sizes

    def size(self, axis: Axis) -> str:
        """The size of an axis, in the classes."""
        return " * ".join(self.factor(atom) for atom in axis if atom != 1) or "1"

    def factor(self, atom) -> str:
        if isinstance(atom, int):
            return str(atom)
        labels = self.cell.axis(atom)
        if labels is not None and labels.widths is None:
            return str(len(labels.labels))
        if labels is not None:
            parts = Counter(self.label_part(width, test) for width, test in labels.parts)
            return f"({' + '.join(f'{count} * {part}' if count > 1 else part for part, count in parts.items())})"
        dim = self.dims[atom]
        if dim.kind in ("inferred", "optional"):
            port = next(port for port in self.cell.inputs if (atom,) in port.shape)
            shape = "input_shape" if len(self.cell.inputs) == 1 else f'shapes["{port.name}"]'
            return f"{shape}[{port.shape.index((atom,)) - len(port.shape)}]"
        return atom if dim.kind in ("alias", "quotient") else f"self.{atom}"

    def label_part(self, width: Axis, test: Test | None) -> str:
        size = self.size(width)
        if test is not None:
            return f"({size} if {self.outside.test(test, OR)} else 0)"
        return f"({size})" if " " in size else size

    def late(self, shape: Shape) -> bool:
        """Whether its size is known when the cell is built, and not before."""
        needed = self.cell.needed(shape)
        return any(dim.kind == "inferred" for dim in self.cell.dims if dim.name in needed)

    def size_entry(self, shape: Shape, flat: bool, built: bool = False) -> str:
        """As Keras keeps it: a number, or where some state is no vector a tuple; None where `__init__` cannot know."""
        late = not built and self.late(shape)
        sizes = tuple("None" if late else self.size(axis) for axis in shape)
        return sizes[0] if flat else self.entry(sizes, always=True)

    def entry(self, sizes: tuple[str, ...], always: bool = False) -> str:
        """The sizes of a value: a number for a vector, if not `always` a tuple."""
        if len(sizes) == 1:
            return f"({sizes[0]},)" if always else sizes[0]
        return f"({', '.join(sizes)})" if sizes else "1"

    def output_shape(self) -> Shape:
        cell = self.cell
        state = next((state for state in cell.states if state.name == cell.output), None)
        return (
            state.shape
            if state
            else next(each.names[cell.output].shape for each in self.step.typed.variants if cell.output in each.names)
        )

    def traced(self, name: str) -> Shape:
        return next(each.names[name].shape for each in self.step.typed.variants if each.names[name].shape)

    def derived(self, shapes: list[Shape]) -> Iterator[DimView]:
        """The dims of shapes that follow from others: not given, another's size, or a quotient."""
        used = self.cell.needed(axis for shape in shapes for axis in shape)
        for dim in self.cell.dims:
            if dim.name not in used:
                continue
            if dim.kind == "alias":
                code = f"{self.factor(dim.value)} if self.{dim.name} is None else self.{dim.name}"
                yield DimView(dim.name, code)
            elif dim.kind == "quotient":
                by = "" if dim.divisor == 1 else f" // {self.factor(dim.divisor)}"
                yield DimView(dim.name, f"{self.factor(dim.value)}{by}")

    # --- weights

    def weight(self, slot: Slot) -> WeightView:
        starts = InitialView(self, slot)
        sizes = [self.size(axis) for axis in slot.shape]
        return WeightView(
            name=slot.param.name.replace("/", "_"),
            argument=slot.argument,
            shape=f"[{', '.join(sizes)}]",
            initializer=starts.initializer,
            initial=starts.formula,
            given=self.outside.test(slot.test) if slot.test else "",
            parts=starts.parts,
            along=starts.along,
            trainable=slot.param.trainable,
        )

    def stacked(self, shape: Shape) -> int | None:
        """Along which axis a weight is a stack of weights: one that is counted."""
        counted = [(axis.name,) for axis in self.cell.axes if axis.counted]
        return next((index for index, axis in enumerate(shape) if axis in counted and len(shape) > 1), None)

    def input_checks(self) -> Iterator[CheckView]:
        """The axes of the inputs whose sizes are known before they come."""
        for port in self.cell.inputs:
            for index, axis in enumerate(port.shape):
                if len(axis) == 1 and axis[0] in self.dims and self.dims[axis[0]].kind in ("inferred", "optional"):
                    if next(each for each in self.cell.inputs if axis in each.shape) is port:
                        continue  # it says itself how large that is
                at, size = index - len(port.shape), self.size(axis)
                shape = f'shapes["{port.name}"]' if len(self.cell.inputs) > 1 else "input_shape"
                words = f'f"of size {{{size}}} in axis {at}"'.replace('shapes["', "shapes['").replace('"]', "']")
                yield CheckView(port.name, f"{shape}[{at}] == {size}", words)
        for dim in self.cell.dims:
            if dim.kind == "quotient" and dim.divisor != 1 and self.late(((dim.name,),)):
                whole, divisors = self.whole(dim)
                of, by = (" * ".join(map(self.factor, some)) for some in ([whole], divisors))
                port = next(port for port in self.cell.inputs if (whole,) in port.shape)
                at = port.shape.index((whole,)) - len(port.shape)
                yield CheckView(
                    port.name,
                    f"{of} % {by if len(divisors) == 1 else f'({by})'} == 0",
                    f'f"of a size divisible by {{{by}}} in axis {at}"',
                )

    def size_checks(self) -> Iterator[CheckView]:
        """What is divided must be a multiple; an input's size is checked when it comes."""
        for dim in self.cell.dims:
            if dim.kind == "quotient" and dim.divisor != 1 and not self.late(((dim.name,),)):
                of, by = (self.emitter.size((each,), MULTIPLY) for each in (dim.value, dim.divisor))
                whole, divisors = self.whole(dim)
                yield CheckView(whole, f"{of} % {by} == 0", f"a multiple of {'*'.join(map(str, divisors))}")

    def whole(self, dim: Dim) -> tuple[str, list[Atom]]:
        """The dim that a quotient, of a quotient perhaps, is a part of, and what it is divided by."""
        divisors = []
        while dim.kind == "quotient":
            divisors.insert(0, dim.divisor)
            dim = self.dims[dim.value]
        return dim.name, divisors

    def label_slices(self) -> Iterator[str]:
        for slot in self.step.slots:
            for line in slot.splits:
                text = f"{line.left} = {self.outside.text(_reading(line.value, self.access(slot)))}"
                if slot.test is not None:
                    nothing = ", ".join("None" for _ in line.targets)
                    text += f" if {self.outside.test(slot.test)} else ({nothing})"
                yield text

    def access(self, slot: Slot) -> str:
        return f"self._cast(self.{slot.param.name.replace('/', '_')})"

    # --- the step

    def step_view(self) -> StepView:
        step = self.step
        weights = [slot.argument for slot in step.slots if slot.whole]
        arguments = dict.fromkeys([*weights, *self.split_names(), *step.dims, *step.options])
        training = "training" in set(step.typed.variants[0].variant)
        unpack = ", ".join(step.carried)
        return StepView(
            parameters=(
                *(f"{port.name}=None" if port.test else port.name for port in self.cell.inputs[1:]),
                *arguments,
                *(("training",) if training else ()),
                *(f"{noise.name}=None" for noise in self.cell.noises),
            ),
            unpack=f"({unpack},)" if len(step.carried) == 1 else unpack,
            statements=(*self.opening(), *statements(self.step.blocks, self.emitter)),
        )

    def parts(self) -> Iterator[tuple[str, str]]:
        """The states that are found for all steps at once, and how; none if some are not."""
        found = parts(Program(self.step.typed, variant) for variant in self.step.typed.variants)
        if all(part.kind != "loop" for part in found):
            yield from ((" ".join(part.states), part.kind) for part in found)

    def run_otherwise(self) -> Iterator[tuple[str, int]]:
        usual = Run()
        for field in fields(Run):
            value = getattr(self.plan.run, field.name)
            if value != getattr(usual, field.name):
                yield field.name, value

    def split_names(self) -> list[str]:
        """The parts of weights that the step takes by label."""
        return [each for slot in self.step.slots for line in slot.splits for each in line.targets if each != "_"]

    def opening(self) -> Iterator[StatementView]:
        if self.step.opening:
            yield StatementView(tuple(code(line, self.emitter) for line in self.step.opening))

    def initial(self, state) -> str:
        if state.initial is None:
            return ""
        if isinstance(state.initial, Ref):
            return f'"{state.initial.name}"'
        return literal(state.initial.value)
