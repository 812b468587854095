"""What is worth a remark about a program that is well-typed (CG404 to CG408): by structure, so never an error."""

from collections.abc import Iterator
from dataclasses import dataclass

from cellgen import ranges
from cellgen.cell import Level
from cellgen.expr import Activate, Apply, Node, Number, Path, Ref
from cellgen.gates import Gate, bounds
from cellgen.notation import notation
from cellgen.ops import Interval
from cellgen.program import Program
from cellgen.span import Span

_CAN_BE_INFINITE = ("log", "sqrt", "div", "pow")


@dataclass(frozen=True, slots=True)
class Remark:
    code: str
    severity: str
    message: str
    span: Span
    text: str
    help: str = ""


def remarks(program: Program, gates: tuple[Gate, ...], unreached: tuple[str, ...]) -> Iterator[Remark]:
    cell = program.cell
    for state in unreached:
        yield Remark(
            "CG404",
            "warning",
            f"the state `{state}` cannot reach the output `{cell.output}`",
            cell.state(state).span,
            "nothing the output reads depends on it",
            "remove it, or read it",
        )
    for gate in gates:
        if not ranges.bounded(bounds(program, _at(program, gate.path), gate.path)):
            what = f"`{gate.state}[t-1]`" if gate.state else "a mix"
            yield Remark(
                "CG405",
                "warning",
                f"`{gate.text}` weighs {what} and has no bound",
                gate.node.span,
                "no squashing function",
                f"squash it, as in `sigmoid({gate.text})`",
            )
    yield from _square_on_the_left(program)
    for node, path in program.everything():
        yield from _exponential(program, node, path)
        yield from _carried_below(program, node, path)
        yield from _infinite_arm(program, node, path)


def _at(program: Program, path: Path) -> Node:
    return next(node for node, at in program.walk(*program.root(path[0])) if at == path)


# --- exponentials ---


def _exponential(program: Program, node: Node, path: Path) -> Iterator[Remark]:
    op = node.op if isinstance(node, Apply) else None
    if isinstance(node, Activate):
        op = program.cell.option(node.option).default
    if op not in ("exp", "exponential") or program.level(path) is Level.CONSTANT:
        return
    ((argument, at),) = program.below(node, path)
    if bounds(program, argument, at).high is None:
        help = "subtract a running maximum: `m = maximum(a, b)`, then `exp(a - m)`"
        yield Remark(
            "CG406",
            "warning",
            f"`{notation(program.made(node))}` has no stabiliser",
            node.span,
            "its argument has no upper bound",
            help,
        )


# --- weights on the left ---


def _square_on_the_left(program: Program) -> Iterator[Remark]:
    """The first one, unless another weight stands there that is not square, so that it is plain how they stand."""
    left = []
    for node, path in program.everything():
        if isinstance(node, Apply) and node.op == "matmul":
            (weight, at), (_, other) = program.below(node, path)
            matrix = isinstance(weight, Ref) and len(program.shape(at)) == 2 and program.level(at) is Level.CONSTANT
            if matrix and program.level(other) > Level.CONSTANT:
                left.append((node, program.shape(at)))
    if left and all(first == last for _, (first, last) in left):
        node = program.made(left[0][0])
        weight, value = node.args
        yield Remark(
            "CG411",
            "note",
            f"`{notation(node)}` is a product with `{weight.name}` transposed",
            node.span,
            f"`{weight.name}` is square, so both ways fit",
            f"papers write it so; weights of Keras are meant for `{notation(Apply('matmul', (value, weight)))}`",
        )


# --- carried values, infinite arms ---


def _carried_below(program: Program, node: Node, path: Path) -> Iterator[Remark]:
    """A peephole does it on purpose."""
    names = list(program.equations)
    if isinstance(node, Ref) and node.ago and names.index(path[0]) > names.index(node.name):
        yield Remark(
            "CG407",
            "note",
            f"`{node.name}[t-1]` is read below the equation of `{node.name}`",
            node.span,
            f"the carried value; this step's is `{node.name}`",
        )


def _infinite_arm(program: Program, node: Node, path: Path) -> Iterator[Remark]:
    if not (isinstance(node, Apply) and node.op == "where"):
        return
    for arm in program.below(node, path)[1:]:
        refs = [ref for ref, _ in program.walk(*arm) if isinstance(ref, Ref) and not ref.ago]
        for ref in refs:
            if any(_can_be_infinite(program, name) for name in program.cone(ref.name)):
                message = f"`{ref.name}` is computed also where `where` does not choose it"
                help = "write its expression inside the `where`"
                yield Remark("CG408", "note", message, ref.span, "its gradient there can be 0 * inf", help)


def _can_be_infinite(program: Program, name: str) -> bool:
    for node, path in program.walk(*program.root(name)):
        if isinstance(node, Apply) and node.op in _CAN_BE_INFINITE:
            below = program.below(node, path)
            argument, at = below[1] if node.op == "div" else below[0]
            exponent = below[1][0] if node.op == "pow" else None
            harmless = isinstance(exponent, Number) and exponent.value.denominator == 1 <= exponent.value
            if harmless or program.level(at) is Level.CONSTANT:
                continue
            if not _away_from_zero(bounds(program, argument, at)):
                return True
    return False


def _away_from_zero(a: Interval) -> bool:
    return a.low is not None and a.low > 0 or a.high is not None and a.high < 0
