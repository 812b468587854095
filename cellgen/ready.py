"""What code needs that the language does not say: a state is a value of each sample, an input is read whole, what is
clipped is as wide as its bounds.

Input and output: a `TypedCell`. A state that reads weights alone gets zeros of its samples added; an input of which
parts are read gets an equation, which has them; a clip by wider bounds (TensorFlow's has the shape of what it clips) is
what `clip` means. No value changes.
"""

from dataclasses import replace

from cellgen.adjoint import add, op
from cellgen.cell import Level, TypedCell
from cellgen.expr import Apply, Equation, Node, Path, Pick, Ref, children, rebuild, walk
from cellgen.merged import Merged
from cellgen.shapes import retype


def ready(typed: TypedCell) -> TypedCell:
    """The same cell, as `lower` and `derive` take it."""
    parts, merged = _parts(typed), Merged(typed)
    equations = list(parts.values())
    for equation in typed.cell.equations:
        value = _clipped(equation.value, (equation.name,), merged)
        value = _read(value, {port: each.name for port, each in parts.items()})
        if equation.name in {state.name for state in typed.cell.states} and _alone(typed, equation.name):
            value = add(op("zeros", Ref(equation.name, 1)), value)
        equations.append(replace(equation, value=value))
    if tuple(equations) == typed.cell.equations:
        return typed
    return retype(typed, replace(typed.cell, equations=tuple(equations)))


def _alone(typed: TypedCell, state: str) -> bool:
    """Whether some variant computes it without the input or a state."""
    path = (state,)
    return any(path in each.types and each.types[path].level is Level.CONSTANT for each in typed.variants)


def _parts(typed: TypedCell) -> dict[str, Equation]:
    """By input of which parts are read, the equation that has them."""
    cell, found = typed.cell, {}
    ports = {port.name: port for port in cell.inputs}
    for equation in cell.equations:
        for _, node in walk(equation.value):
            if isinstance(node, Pick) and isinstance(node.value, Ref) and node.value.name in ports:
                port = node.value.name
                name = f"_{port}"
                while name in cell.names:
                    name = f"_{name}"
                found.setdefault(port, Equation(name, Ref(port), f"{name} = {port}", node.span, node.span))
    return found


def _clipped(node: Node, path: Path, merged: Merged) -> Node:
    """The node, with each clip by wider bounds as what it means."""
    new = rebuild(node, tuple(_clipped(child, (*path, index), merged) for index, child in enumerate(children(node))))
    match new:
        case Apply("clip", (x, low, high)) if merged.live(path):
            whole, clipped = merged.type(path), merged.type((*path, 0))
            if (whole.shape, whole.level.has_batch) != (clipped.shape, clipped.level.has_batch):
                return Apply("maximum", (Apply("minimum", (x, high), (), new.span), low), (), new.span)
    return new


def _read(node: Node, names: dict[str, str]) -> Node:
    """The node, with parts of inputs read from these names."""
    match node:
        case Pick(Ref(name) as ref) if name in names:
            return replace(node, value=replace(ref, name=names[name]))
    return rebuild(node, tuple(_read(child, names) for child in children(node)))
