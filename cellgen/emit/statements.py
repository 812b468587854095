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
        if (block.equation, block.test) != said:
            lines.insert(0, f"# {block.equation}")
        if block.test is not None:
            lines = [f"    {line}" for line in lines]
            if block.test != last:
                lines.insert(0, f"if {emitter.test(block.test)}:")
        last, said = block.test, (block.equation, block.test)
        yield StatementView(tuple(lines))


def code(line: Line, emitter: Emitter) -> str:
    return f"{line.left} = {emitter.text(line.value)}"
