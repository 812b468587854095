"""Where an expression is a number: what is divided by is not 0, a logarithm is of more than 0, a root of no less."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from cellgen.cell import Type
from cellgen.expr import Apply, Node, Number, Path, Ref
from cellgen.meaning import Meaning
from cellgen.symbols import Expr

NOT_ZERO, POSITIVE, NOT_NEGATIVE = "is not 0", "is more than 0", "is no less than 0"

Types = Mapping[Path, Type]
Guard = tuple[Expr, int]  # a condition and the value that it has where this arm of a `where` is taken


@dataclass(frozen=True, slots=True)
class Demand:
    """kind: what must be said of the value, whose lanes these are, where the guards hold; `text` is the author's."""

    kind: str
    lanes: tuple[Expr, ...]
    text: str
    guards: tuple[Guard, ...] = ()


def demands(meaning: Meaning, node: Node, path: Path, types: Types) -> Iterator[Demand]:
    """Those of an expression and of the equations of this step that it comes from."""
    set_names = {name for name, _ in meaning.under.imposed}
    program, seen = meaning.program, set()

    def walk(node: Node, path: Path, types: Types, guards: tuple[Guard, ...]) -> Iterator[Demand]:
        node, path = program.chosen(node, path)
        if isinstance(node, Ref):
            if not node.ago and node.name in program.equations and node not in seen | set_names:
                seen.add(node)
                yield from walk(*program.root(node.name), program.variant.types, ())
            return
        below = program.below(node, path)
        if isinstance(node, Apply) and node.op == "where":
            condition = tuple(meaning.of(*below[0], types).lanes.values())
            arms = [((condition[0], wanted),) if len(condition) == 1 else () for wanted in (1, 0)]
            for child, more in zip(below, ((), *arms)):
                yield from walk(*child, types, guards + more)
            return
        for child in below:
            yield from walk(*child, types, guards)
        found = _demanded(node) if isinstance(node, Apply) else None
        if found:
            index, kind = found
            child, at = below[index]
            text = " ".join(child.span.text.split()) if child.span is not None else "it"
            yield Demand(kind, tuple(meaning.of(child, at, types).lanes.values()), text, guards)

    yield from walk(node, path, types, ())


def _demanded(node: Apply) -> tuple[int, str] | None:
    """Which operand an operation demands something of."""
    match node:
        case Apply("div", (_, Number())):
            return None
        case Apply("div"):
            return 1, NOT_ZERO
        case Apply("log"):
            return 0, POSITIVE
        case Apply("sqrt"):
            return 0, NOT_NEGATIVE
        case Apply("pow", (_, Number(exponent))):
            if exponent.denominator == 1:
                return (0, NOT_ZERO) if exponent < 0 else None
            return 0, POSITIVE if exponent < 0 else NOT_NEGATIVE
        case Apply("pow"):
            return 0, POSITIVE
    return None
