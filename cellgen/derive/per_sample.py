"""What code needs that the language does not say: a state is a value of each sample, and so is what is one in some
variant; an input is read whole, what is clipped is as wide as its bounds.

Input and output: a `TypedCell`. What reads weights alone, and is to be a value of each sample, gets zeros of the
samples added; an input of which parts are read gets an equation, which has them; a clip by wider bounds (TensorFlow's
has the shape of what it clips) is what `clip` means. No value changes.
"""

from dataclasses import replace

from cellgen.derive.derivative_rules import ONE, ZERO, add, op
from cellgen.ir import (
    Apply,
    Cell,
    Choose,
    Equation,
    Free,
    Level,
    Node,
    Number,
    Path,
    Pick,
    Ref,
    TypedCell,
    TypedVariant,
    Variant,
    children,
    live_walk,
    rebuild,
    walk,
    when,
)
from cellgen.shapes import Merged, retype


def ready(typed: TypedCell) -> TypedCell:
    """The same cell, as `lower` and `derive` take it."""
    parts, merged = _parts(typed), Merged(typed)
    equations = list(parts.values())
    for equation in typed.cell.equations:
        value = _plain(equation.value, (equation.name,), merged)
        value = _read(value, {port: each.name for port, each in parts.items()})
        if equation.name in {state.name for state in typed.cell.states} and _alone(typed, equation.name):
            value = add(op("zeros", Ref(equation.name, 1)), value)
        elif _of_weights(typed, equation.name, batched := merged.batched((equation.name,))):
            test = when(batched, tuple(each.variant for each in typed.variants if equation.name in each.live))
            value = add(Choose(test, ZERO, _zero(typed.cell, merged.type((equation.name,)).level)), value)
        equations.append(replace(equation, value=value))
    if tuple(equations) == typed.cell.equations:
        return typed
    return retype(typed, replace(typed.cell, equations=tuple(equations)))


def _alone(typed: TypedCell, state: str) -> bool:
    """Whether some variant computes it without the input or a state."""
    path = (state,)
    return any(path in each.types and each.types[path].level is Level.CONSTANT for each in typed.variants)


def _of_weights(typed: TypedCell, name: str, batched: tuple[Variant, ...]) -> bool:
    """Whether a value, of each sample in some variants, comes of weights alone in another."""
    weights = {param.name for param in typed.cell.params}
    alone = [each for each in typed.variants if batched and name in each.live and each.variant not in batched]
    return any(weights & _below(typed.cell, each, name) for each in alone)


def _below(cell: Cell, variant: TypedVariant, name: str) -> set[str]:
    """The names that a value comes of in a variant."""
    equations = {equation.name: equation.value for equation in cell.equations}
    found, todo = set(), [name]
    while todo:
        nodes = live_walk(equations[name], variant.variant) if (name := todo.pop()) in equations else ()
        read = {node.name for _, node in nodes if isinstance(node, Ref)}
        todo += read - found
        found |= read
    return found


def _zero(cell: Cell, level: Level) -> Node:
    """Zero for each sample, of a level."""
    if level is Level.CARRIED:
        shape, value = min(((state.shape, Ref(state.name, 1)) for state in cell.states), key=lambda each: len(each[0]))
    else:
        shape, value = min(((port.shape, Ref(port.name)) for port in cell.inputs), key=lambda each: len(each[0]))
    for axis in reversed(shape):
        value = Apply("sum", (value,), (("over", axis),))
    return op("zeros", value)


def _parts(typed: TypedCell) -> dict[str, Equation]:
    """By input of which parts are read, the equation that has them."""
    cell, found = typed.cell, {}
    ports, free = {port.name for port in cell.inputs}, Free(cell.names)
    for equation in cell.equations:
        for _, node in walk(equation.value):
            if isinstance(node, Pick) and isinstance(node.value, Ref) and node.value.name in ports:
                port = node.value.name
                if port not in found:
                    name = free.new(f"_{port}")
                    found[port] = Equation(name, Ref(port), f"{name} = {port}", node.span, node.span)
    return found


def _plain(node: Node, path: Path, merged: Merged) -> Node:
    """The node, with what TensorFlow has otherwise as what it means: a clip by wider bounds, a power of 0."""
    new = rebuild(node, tuple(_plain(child, (*path, index), merged) for index, child in enumerate(children(node))))
    match new:
        case Apply("pow", (x, Number(0))):
            return Apply("add", (op("zeros", x), ONE), (), new.span)
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
