"""Lowered blocks to the lines of a function's body, each equation's under its text."""

from collections.abc import Iterable, Iterator

from cellgen.emit.expressions import Emitter
from cellgen.emit.records import StatementView
from cellgen.ir import Choose, Not, Ref
from cellgen.schedule import Block, Line

WIDE = 120  # a statement that ruff cannot leave in two lines


def statements(blocks: Iterable[Block], emitter: Emitter) -> Iterator[StatementView]:
    """The lines of every equation under its text; neighbours under the same test share one `if`."""
    last = said = None
    for block in blocks:
        lines = [text for line in block.lines for text in coded(line, emitter)]
        comment = [f"# {line}" for line in block.equation.split("\n# ")] if block.equation != said else []
        if block.test is None:
            lines = [*comment, *lines]
        elif block.test == last:
            lines = [f"    {line}" for line in (*comment, *lines)]
        else:
            lines = [*comment, f"if {emitter.test(block.test)}:", *(f"    {line}" for line in lines)]
        last, said = block.test, block.equation
        yield StatementView(tuple(lines))


def coded(line: Line, emitter: Emitter) -> list[str]:
    """A statement; a choice that is wider than a line in two of them."""
    whole = code(line, emitter)
    match line.value:
        case Choose(test, Ref(name), off) if name == line.left:  # it stays as it is, or
            changed = test.test if isinstance(test, Not) else Not(test)
            return [f"if {emitter.test(changed)}:", f"    {line.left} = {emitter.text(off)}"]
        case Choose(test, a, b) if len(whole) > WIDE:
            on, off = (f"    {line.left} = {emitter.text(each)}" for each in (a, b))
            return [f"if {emitter.test(test)}:", on, "else:", off]
    return [whole]


def code(line: Line, emitter: Emitter) -> str:
    return f"{line.left} = {emitter.text(line.value)}"
