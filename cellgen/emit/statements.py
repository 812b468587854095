"""Lowered blocks to the lines of a function's body, each equation's under its text."""

from collections.abc import Iterable, Iterator

from cellgen.emit.expressions import Emitter
from cellgen.emit.records import StatementView
from cellgen.schedule import Block, Line


def statements(blocks: Iterable[Block], emitter: Emitter) -> Iterator[StatementView]:
    """The lines of every equation under its text; neighbours under the same test share one `if`."""
    last = said = None
    for block in blocks:
        lines = [code(line, emitter) for line in block.lines]
        comment = [f"# {block.equation}"] if block.equation != said else []
        if block.test is None:
            lines = [*comment, *lines]
        elif block.test == last:
            lines = [f"    {line}" for line in (*comment, *lines)]
        else:
            lines = [*comment, f"if {emitter.test(block.test)}:", *(f"    {line}" for line in lines)]
        last, said = block.test, block.equation
        yield StatementView(tuple(lines))


def code(line: Line, emitter: Emitter) -> str:
    return f"{line.left} = {emitter.text(line.value)}"
