"""What is worth a remark about a program that is well-typed (CG404, CG407, CG411): by structure, so never an error."""

from collections.abc import Iterator
from dataclasses import dataclass

from cellgen.diagnostics import Span
from cellgen.ir import Apply, Level, Node, Path, Program, Ref
from cellgen.text import notation


@dataclass(frozen=True, slots=True)
class Remark:
    code: str
    severity: str
    message: str
    span: Span
    text: str
    help: str = ""


def remarks(program: Program, unreached: tuple[str, ...]) -> Iterator[Remark]:
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
    yield from _square_on_the_left(program)
    for node, path in program.everything:
        yield from _carried_below(program, node, path)


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


# --- weights on the left ---


def _square_on_the_left(program: Program) -> Iterator[Remark]:
    """The first one, unless it is plain how weights stand: another on the left is not square, or that one stands on the
    right too, as in `h @ W - W @ h`.
    """
    left, right = [], set()
    for node, path in program.everything:
        if isinstance(node, Apply) and node.op == "matmul":
            (weight, at), (value, other) = program.below(node, path)
            matrix = isinstance(weight, Ref) and len(program.shape(at)) == 2 and program.level(at) is Level.CONSTANT
            if matrix and program.level(other) > Level.CONSTANT:
                left.append((node, program.shape(at)))
            if isinstance(value, Ref):
                right.add(value)
    one_way = [node for node, _ in left if node.args[0] not in right]
    if one_way and all(first == last for _, (first, last) in left):
        node = program.made(one_way[0])
        weight, value = node.args
        yield Remark(
            "CG411",
            "note",
            f"`{notation(node)}` is a product with `{weight.name}` transposed",
            node.span,
            f"`{weight.name}` is square, so both ways fit",
            f"papers write it so; weights of Keras are meant for `{notation(Apply('matmul', (value, weight)))}`",
        )
