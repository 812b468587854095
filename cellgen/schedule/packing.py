"""Parts that were made as one are kept as one: an array for `f, i, o`, not three.

Input: the blocks of a loop after `widen`, what is kept of them, and the blocks that read it. Output: the same, with
each whole named and kept, and taken apart again where its parts are read.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cellgen.ir import Activate, Apply, Free, Ref
from cellgen.schedule.flow import read
from cellgen.schedule.lowering import Block
from cellgen.schedule.parts import Line


@dataclass(frozen=True, slots=True)
class Kept:
    """The loop, and the names that are kept of it. slabs: a whole by name, with its parts."""

    loop: tuple[Block, ...]
    names: frozenset[str]
    slabs: dict[str, tuple[str, ...]]
    lines: tuple[Line, ...]
    equations: dict[str, str]

    def apart(self, blocks: Sequence[Block]) -> tuple[Block, ...]:
        """Blocks that read parts, with the lines in front that take the wholes apart."""
        wanted, front = read(blocks), []
        for line in self.lines:
            parts = tuple(part if part in wanted else "_" for part in line.targets)
            if {*parts} - {"_"}:
                whole = line.value.args[0].name
                front.append(Block(whole, self.equations[whole], None, (Line(parts, line.value),)))
        return (*front, *blocks)


def slab(loop: Sequence[Block], kept: set[str], free: Free) -> Kept:
    """`kept` are the names that something reads on the way back."""
    out, names, slabs, lines, equations = [], {*kept}, {}, [], {}
    for block in loop:
        line = block.lines[-1]
        if _whole(line) and {*line.targets} <= names:
            whole = free.new("_".join(("", *(target.lstrip("_") for target in line.targets))))
            apart = Line(line.targets, replace(line.value, args=(Ref(whole),)))
            made = Line((whole,), line.value.args[0])
            block = replace(block, lines=(*block.lines[:-1], made, apart))
            names = (names - {*line.targets}) | {whole}
            slabs[whole], equations[whole] = line.targets, block.equation
            lines.append(apart)
        out.append(block)
    return Kept(tuple(out), frozenset(names), slabs, tuple(lines), equations)


def _whole(line: Line) -> bool:
    """Whether a line takes apart what it computes."""
    match line.value:
        case Apply("split", (Apply() | Activate(),)):
            return isinstance(line.value.attr("sizes"), int)
    return False
