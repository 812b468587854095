"""Where an expression is a number: what is divided by is not 0, a logarithm is of more than 0, a root of no less."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from cellgen.diagnostics import Span
from cellgen.ir import Apply, Cell, Node, Number, Path, Program, Ref, Said, Type
from cellgen.prove.meaning import Meaning
from cellgen.prove.symbols import Expr

NOT_ZERO, POSITIVE, NOT_NEGATIVE = "is not 0", "is more than 0", "is no less than 0"
BASE = "is no less than 0, or its exponent a whole number"  # where that is an option

MAX_READ = 512  # equations, each as often as it is read under other guards


class TooMany(Exception):
    """More than MAX_READ equations."""


Types = Mapping[Path, Type]
Guard = tuple[Expr, int]  # a condition and the value that it has where this arm of a `where` is taken


@dataclass(frozen=True, slots=True)
class Demand:
    """kind: what must be said of the value, whose lanes these are, where the guards hold; `text` is the author's, the
    span that of the operation. exponents: of a power, whose base it is; where they are no less than 0, it may be 0.
    """

    kind: str
    lanes: tuple[Expr, ...]
    text: str
    guards: tuple[Guard, ...] = ()
    exponents: tuple[Expr, ...] = ()
    span: Span | None = field(default=None, compare=False, repr=False)


def demands(
    meaning: Meaning, node: Node, path: Path, types: Types, follow: bool = True, carried: bool = False
) -> Iterator[Demand]:
    """Those of an expression, and (`follow`) of the equations of this step that it comes from; `carried`: and of those
    of the steps before. Raises `TooMany`."""
    set_names = {name for name, _ in meaning.under.imposed}
    program, seen = meaning.program, set()
    partial = _partial(meaning) if follow else set()
    todo: list[tuple] = [(node, path, types, ())]
    if follow:
        todo += [(each.node, ("fact",), each.types, ()) for _, each in meaning.under.imposed if isinstance(each, Said)]
    while todo:
        node, path, types, guards = todo.pop()
        node, path = program.chosen(node, path)
        if isinstance(node, Ref):
            name, guards = node.name, () if node.ago else guards
            there = (carried or not node.ago) and name in partial and node not in set_names
            if follow and there and (name, guards) not in seen:
                if len(seen) == MAX_READ:
                    raise TooMany
                seen.add((name, guards))
                todo.append((*program.root(name), program.variant.types, guards))
            continue
        below = program.below(node, path)
        todo += [(*child, types, guards + more) for child, more in zip(below, arms(meaning, node, path, types))][::-1]
        found = _demanded(node, program.cell) if isinstance(node, Apply) else None
        if found:
            index, kind = found
            child, _ = below[index]
            text = " ".join(child.span.text.split()) if child.span is not None else "it"
            asked = [below[index], *(below[1:] if node.op == "pow" else ())]
            lanes = (tuple(meaning.of(*each, types).lanes.values()) for each in asked)
            yield Demand(kind, next(lanes), text, guards, *lanes, span=node.span)


def _partial(meaning: Meaning) -> set[str]:
    """The equations that demand something, themselves or by what they read."""
    program, known = meaning.program, meaning.table.partial
    if program not in known:
        known[program] = _demanding(program)
    return known[program]


def _demanding(program: Program) -> set[str]:
    found = {
        name
        for name in program.equations
        if any(isinstance(node, Apply) and _demanded(node, program.cell) for node, _ in program.nodes(name))
    }
    while new := {name for name in program.equations if any(ref.name in found for ref in program.reads(name))} - found:
        found |= new
    return found


def arms(meaning: Meaning, node: Node, path: Path, types: Types) -> list[tuple[Guard, ...]]:
    """What guards each child of a node, as a `where` does its arms; a condition that differs by label guards none."""
    below = meaning.program.below(node, path)
    if not (isinstance(node, Apply) and node.op == "where"):
        return [()] * len(below)
    lanes = tuple(meaning.of(*below[0], types).lanes.values())
    return [(), *(((lanes[0], wanted),) if len(lanes) == 1 else () for wanted in (1, 0))]


def _demanded(node: Apply, cell: Cell) -> tuple[int, str] | None:
    """Which operand an operation demands something of."""
    match node:
        case Apply("div" | "mod", (_, Number())):
            return None
        case Apply("div" | "mod"):
            return 1, NOT_ZERO
        case Apply("log"):
            return 0, POSITIVE
        case Apply("sqrt"):
            return 0, NOT_NEGATIVE
        case Apply("pow", (_, Number(exponent))):
            if exponent.denominator == 1:
                return (0, NOT_ZERO) if exponent < 0 else None
            return 0, POSITIVE if exponent < 0 else NOT_NEGATIVE
        case Apply("pow", (_, Ref(name) | Apply("neg", (Ref(name),)))) if any(
            name == each.name for each in cell.options
        ):
            return 0, BASE
        case Apply("pow", (_, Ref(name))) if any(name == each.name for each in cell.dims):
            return None
        case Apply("pow"):
            return 0, POSITIVE
    return None
