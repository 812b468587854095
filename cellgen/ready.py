"""What code needs that the language does not say: a state is a value of each sample, an input is read whole.

Input and output: a `TypedCell`. A state that reads weights alone gets zeros of its samples added; an input of which
parts are read gets an equation, which has them. No value changes.
"""

from dataclasses import replace

from cellgen.adjoint import add, op
from cellgen.cell import Level, TypedCell
from cellgen.expr import Equation, Node, Pick, Ref, children, rebuild, walk
from cellgen.shapes import retype


def ready(typed: TypedCell) -> TypedCell:
    """The same cell, as `lower` and `derive` take it."""
    parts = _parts(typed)
    equations = list(parts.values())
    for equation in typed.cell.equations:
        value = _read(equation.value, {port: each.name for port, each in parts.items()})
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


def _read(node: Node, names: dict[str, str]) -> Node:
    """The node, with parts of inputs read from these names."""
    match node:
        case Pick(Ref(name) as ref) if name in names:
            return replace(node, value=replace(ref, name=names[name]))
    return rebuild(node, tuple(_read(child, names) for child in children(node)))
