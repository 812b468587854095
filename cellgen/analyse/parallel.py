"""Which states can be found for all steps at once, and how.

States that come of each other are a part; a part is solved when those before it are, whose values of all steps are then
known. By structure, in every variant at once: what holds in one alone is not said.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from cellgen.ir import EVERY, Activate, Apply, Node, Pick, Program, Ref, View
from cellgen.text import notation

KINDS = "follows", "scan", "newton", "loop"
_SUMS = {"add", "sub", "neg", "linear"}
_OTHERWISE_BACK = {"stop_gradient", "straight_through"}  # whose slope is not how the value changes


@dataclass(frozen=True, slots=True)
class Part:
    """States that are found together.

    kind: `follows` if they read no carried value of their own; `scan` if they are affine in these, lane by lane, with
    coefficients that read none of them; `newton` if lane by lane, so that the Jacobian is diagonal, or for several
    states a small block a lane; else `loop`, and `why` is the operation that stands in the way.
    """

    states: tuple[str, ...]
    kind: str
    why: str = ""


def parts(programs: Iterable[Program]) -> tuple[Part, ...]:
    """The parts of a cell, of which `programs` are the variants, in an order in which they can be solved."""
    programs = tuple(programs)
    reads = {state: set() for state in programs[0].states}
    for program in programs:
        for state in program.states:
            reads[state] |= {ref.name for name in program.cone(state) for ref in program.reads(name) if ref.ago}
    return tuple(_part(states, reads, programs) for states in _components(reads))


def _components(reads: Mapping[str, set[str]]) -> Iterator[tuple[str, ...]]:
    """The states that come of each other, at any distance; what a component reads besides comes before it."""
    reached = {state: {state} | reads[state] for state in reads}
    for _ in reads:
        for found in reached.values():
            found |= set().union(*(reached[state] for state in found))
    left = list(reads)
    while left:
        first = next(state for state in left if not reached[state] & {*left} - _mutual(state, reached))
        together = tuple(state for state in left if state in _mutual(first, reached))
        yield together
        left = [state for state in left if state not in together]


def _mutual(state: str, reached: Mapping[str, set[str]]) -> set[str]:
    return {other for other in reached[state] if state in reached[other]}


def _part(states: tuple[str, ...], reads: Mapping[str, set[str]], programs: tuple[Program, ...]) -> Part:
    if not any(reads[state] & {*states} for state in states):
        return Part(states, "follows")
    found = [_kind(program, states) for program in programs]
    return max(found, key=lambda part: KINDS.index(part.kind))


def _kind(program: Program, states: tuple[str, ...]) -> Part:
    shapes = {state.name: state.shape for state in program.cell.states}
    odd = next((state for state in states if shapes[state] != shapes[states[0]]), None)
    if odd is not None:
        return Part(states, "loop", f"{states[0]} and {odd} come of each other and are of two shapes")
    touches: dict[str, int] = {}
    leading = {name for state in states for name in program.cone(state)}
    for name in (name for name in program.equations if name in leading):
        touches[name], why = _touch(program, *program.root(name), states, touches)
        if touches[name] == _COUPLED:
            return Part(states, "loop", f"`{name} = {why}` couples lanes of {' and '.join(states)}")
    return Part(states, KINDS[max(touches.values())])


_NONE, _AFFINE, _LANES, _COUPLED = range(4)  # how a value depends on the carried values of a part


def _touch(program: Program, node: Node, path, states, touches: Mapping[str, int]) -> tuple[int, str]:
    """How a node depends on carried states, and where that is by more than their own lane, the operation."""
    if isinstance(node, Ref):
        if node.ago:
            return (_AFFINE if node.name in states else _NONE), ""
        return touches.get(node.name, _NONE), ""
    if isinstance(node, Apply) and node.op == "zeros":  # of its shape alone
        return _NONE, ""
    below = [_touch(program, child, at, states, touches) for child, at in program.below(node, path)]
    most = max(below, default=(_NONE, ""), key=lambda each: each[0])
    if most[0] in (_NONE, _COUPLED):
        return most
    if isinstance(node, View) or _is_beside(program, node, path, states):
        return most
    if isinstance(node, Pick) or isinstance(node, Apply) and EVERY[node.op].shape != "elementwise":
        return _COUPLED, notation(program.made(node))
    if isinstance(node, Activate) or not _is_affine(node.op, [touch for touch, _ in below]):
        return _LANES, ""
    return most


def _is_beside(program: Program, node: Node, path, states: tuple[str, ...]) -> bool:
    """Whether a node takes a part or a sum along an axis that the states do not have: their lanes stay as they are."""
    lanes = {atom for axis in program.cell.state(states[0]).shape for atom in axis}
    ((_, inner),) = program.below(node, path)[:1]
    match node:
        case Pick(_, label):
            (_, axis), *_ = program.cell.places(label, program.shape(inner))
            return axis.name not in lanes
        case Apply("sum" | "mean"):
            return not lanes & {
                atom for axis in program.shape(inner) for atom in axis if axis not in program.shape(path)
            }
    return False


def _is_affine(op: str, touches: list[int]) -> bool:
    """Whether an elementwise operation on values that are at most affine is affine."""
    if max(touches) > _AFFINE or op in _OTHERWISE_BACK:
        return False
    if op == "mul":
        return min(touches) == _NONE
    if op == "div":
        return touches[1] == _NONE
    return op in _SUMS or op == "where" and touches[0] == _NONE
