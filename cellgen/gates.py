"""Factors that weigh what a cell carries, and the bounds that values have by their operations alone."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from cellgen import ranges
from cellgen.cell import Level
from cellgen.expr import Activate, Apply, Node, Number, Path, Pick, Ref, View
from cellgen.images import RANGE
from cellgen.notation import notation
from cellgen.ops import Interval
from cellgen.program import Program

NEGATIVE = ranges.closed(None, Fraction(0))


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
            gate for node, path in program.everything() if _is_product(node) for gate in _weights(program, node, path)
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


def bounds(program: Program, node: Node, path: Path) -> Interval:
    """The range of a value whatever its inputs, states and parameters are. An activation is taken as its default."""
    if program.variant.types[path].binary and not isinstance(node, Number):
        return ranges.closed(ranges.UNIT.low, ranges.UNIT.high)
    below = [bounds(program, *child) for child in program.below(node, path)]
    match node:
        case Number(value):
            return ranges.point(value)
        case Ref(name, 0) if name in program.equations:
            if name not in program.bounds:
                program.bounds[name] = bounds(program, *program.root(name))
            return program.bounds[name]
        case Ref(name, 0):
            option = next((each for each in program.cell.options if each.name == name), None)
            if any(each.name == name and each.kind == "keep" for each in program.cell.noises):
                return ranges.closed(ranges.UNIT.low, None)
            return ranges.closed(option.low, option.high) if option else ranges.REAL
        case Pick() | View():
            return below[0]
        case Activate(option):
            return RANGE[program.cell.option(option).default](*below)
        case Apply("pow", (_, Number(value))) if value.denominator == 1 and abs(value) < 16:
            return ranges.power(below[0], int(value))
        case Apply("add" | "sub" | "neg", _) if below_maximum(program, node):
            return ranges.meet(RANGE[node.op](*below), NEGATIVE)
        case Apply(op):
            return RANGE[op](*below)
    return ranges.REAL


def below_maximum(program: Program, node: Node) -> bool:
    """Whether a maximum is subtracted that has the rest of the sum among its operands: then the sum is at most zero."""
    terms = _terms(program, node)
    for at, (sign, term) in enumerate(terms):
        if sign < 0:
            rest = Counter(terms[:at] + terms[at + 1 :])
            if any(Counter(_terms(program, each)) == rest for each in _operands(program, _defined(program, term))):
                return True
    return False


def _terms(program: Program, node: Node, sign: int = 1) -> list[tuple[int, Node]]:
    """The terms of a sum, each with its sign."""
    node, _ = program.chosen(node)
    match node:
        case Apply("add", (a, b)):
            return _terms(program, a, sign) + _terms(program, b, sign)
        case Apply("sub", (a, b)):
            return _terms(program, a, sign) + _terms(program, b, -sign)
        case Apply("neg", (a,)):
            return _terms(program, a, -sign)
    return [(sign, program.made(node))]


def _operands(program: Program, node: Node) -> list[Node]:
    """What a maximum is taken of."""
    if isinstance(node, Apply) and node.op == "maximum":
        return [each for arg, _ in program.below(node) for each in _operands(program, arg)]
    return [node]


def _defined(program: Program, node: Node) -> Node:
    while isinstance(node, Ref) and not node.ago and node.name in program.equations:
        node, _ = program.root(node.name)
    return node
