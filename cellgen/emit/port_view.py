"""What comes into a step from outside besides weights: the views of what training draws, and words about the inputs."""

import textwrap
from collections.abc import Callable, Iterable, Iterator

from cellgen.emit.argument_view import literal
from cellgen.emit.records import NoiseView
from cellgen.ir import TRAINING, Axis, Cell, Choose, Input, Noise, Ref, Shape, asked, axis_text, walk
from cellgen.schedule import Step
from cellgen.stack import Stack

WIDTH = 116  # of the header's lines
WIDE = {"exp", "exponential", "log", "softplus", "log_sigmoid", "softmax", "cumsum"}


def shown(shape: Shape) -> str:
    """A shape for people."""
    return f"({', '.join(['batch', *map(axis_text, shape)])})"


def besides(cell: Cell | Stack) -> Iterator[str]:
    """How several inputs are given, in lines of the header."""
    first, *others = cell.inputs
    if others:
        said = "; ".join(f"{port.name} {_given(port)}" for port in others)
        there = ("are" if len(others) > 1 else "is") if any(port.required for port in others) else "may be"
        named = _by_name(port.name for port in cell.inputs if port.required or port is others[-1])
        text = f"Besides {first.name} there {there} {said}: given in this order, or by name, as in `layer({named})`."
        yield from textwrap.wrap(text, WIDTH, break_long_words=False)


def example(cell: Cell | Stack) -> str:
    """What a layer is called with: the first input, and those that are always given."""
    names = [port.name for port in cell.inputs if port.required]
    if len(names) == 1:
        return names[0]
    if names == [port.name for port in cell.inputs[: len(names)]]:
        return f"({', '.join(names)})"
    return _by_name(names)


def _by_name(names: Iterable[str]) -> str:
    """A mapping of variables by their names, in code."""
    return "{" + ", ".join(f'"{name}": {name}' for name in names) + "}"


def _given(port: Input) -> str:
    """The shape of an input of a layer, and what becomes of one that is not given."""
    shape = shown(port.shape)
    shape = f"{shape} for all steps" if port.constant else shape.replace("(batch, ", "(batch, time, ")
    if port.index:
        return f"{shape}, the number of the step where it is not given"
    if port.default:
        return f"{shape}, {literal(port.default.value)} where it is not given"
    return f"{shape}, or not" if port.optional else shape


def noises(step: Step, size: Callable[[Axis], str]) -> Iterator[NoiseView]:
    """What training draws; `size` gives the code of an axis's size where a cell is built."""
    weights = {param.name for param in step.cell.params}
    for noise in step.cell.noises:
        rate = f'"{noise.rate.name}"' if isinstance(noise.rate, Ref) else literal(noise.rate.value)
        sizes = ", ".join(map(size, shape_of(noise, step))) or "1"
        weight = isinstance(noise.like, Ref) and noise.like.name in weights
        yield NoiseView(noise.name, f"recurrent.{noise.kind}", rate, sizes, noise.held, weight)


def shape_of(noise: Noise, step: Step) -> Shape:
    """The shape of what is drawn, in the variants that draw it."""
    return next(each.names[noise.name].shape for each in step.typed.variants if noise.name in each.names)


def wide(cell: Cell) -> bool:
    """Whether an equation has what ends or loses in half precision though what is made of it may not: an exponential, a
    logarithm, a running sum.
    """
    return any(getattr(node, "op", "") in WIDE for each in cell.equations for _, node in walk(each.value))


def asks_training(cell: Cell) -> bool:
    """Whether the equations ask for `training` themselves, not only for what is drawn."""
    names = {noise.name for noise in cell.noises}
    return any(
        isinstance(node, Choose)
        and any(question.name == TRAINING for question in asked(node.test))
        and not any(isinstance(each, Ref) and each.name in names for _, each in walk(node.a))
        for equation in cell.equations
        for _, node in walk(equation.value)
    )
