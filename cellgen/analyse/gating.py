"""Factors that weigh what a cell carries."""

from collections.abc import Iterator
from dataclasses import dataclass

from cellgen.ir import Apply, Level, Node, Number, Path, Pick, Program, Ref, View
from cellgen.text import notation


@dataclass(frozen=True, slots=True)
class Gate:
    """A factor that weighs: it multiplies the carried `state`, or its complement `1 - g` stands in a product."""

    equation: str
    path: Path
    node: Node
    state: str | None

    @property
    def text(self) -> str:
        return notation(self.node)


def gates(program: Program) -> tuple[Gate, ...]:
    """Every gate, in the author's order. A constant, or a state that is 0 or 1, is none."""
    return tuple(
        dict.fromkeys(
            gate for node, path in program.everything if _is_product(node) for gate in _weights(program, node, path)
        )
    )


def _weights(program: Program, node: Node, path: Path) -> Iterator[Gate]:
    factors = list(_factors(program, node, path))
    state = next((name for each, _ in factors if (name := _carried(program, each))), None)
    for each, at in factors:
        inner = _complement(program, each, at)
        weight, at = inner or (each, at)
        if isinstance(weight, Ref) and weight.name in {noise.name for noise in program.cell.noises}:
            continue
        if (state or inner) and program.level(at) > Level.CONSTANT and not _carried(program, weight):
            yield Gate(path[0], at, program.made(weight), state)


def _is_product(node: Node) -> bool:
    return isinstance(node, Apply) and node.op == "mul"


def _factors(program: Program, node: Node, path: Path) -> Iterator[tuple[Node, Path]]:
    if _is_product(node):
        for child in program.below(node, path):
            yield from _factors(program, *child)
    else:
        yield node, path


def _complement(program: Program, node: Node, path: Path) -> tuple[Node, Path] | None:
    """Of `1 - g`, the g."""
    if isinstance(node, Apply) and node.op == "sub":
        (one, _), inner = program.below(node, path)
        if isinstance(one, Number) and one.value == 1:
            return inner
    return None


def _carried(program: Program, node: Node) -> str | None:
    """The state, if the node is a carried one that can be any number."""
    while isinstance(node, (Pick, View)):
        node = node.value
    if isinstance(node, Ref) and node.ago and not program.cell.state(node.name).binary:
        return node.name
    return None
