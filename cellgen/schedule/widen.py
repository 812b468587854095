"""One operation where several did the same to neighbouring parts: `f, i, o = split(sigmoid(z_f_i_o), 3)`.

Input and output: the blocks of a loop. A value that is taken apart by label is taken apart into longer pieces first, as
long as neighbouring parts go through the same activation; fewer and longer operations cost less. No value changes.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from cellgen.ir import ACTIVATIONS, Activate, Apply, Axis, Cell, Free, Node, Ref, Test
from cellgen.schedule.flow import read
from cellgen.schedule.lowering import Block
from cellgen.schedule.parts import Line
from cellgen.shapes import Merged

Width = tuple[Axis, Test | None]


@dataclass(frozen=True, slots=True)
class Piece:
    """Neighbouring parts of a split, `parts` by name; `users` apply the same activation to each, or there are none."""

    parts: tuple[str, ...]
    users: tuple[Block, ...]


def widen(blocks: Sequence[Block], merged: Merged, wanted: set[str], free: Free) -> tuple[Block, ...]:
    """The same blocks, those that can be taken together as one.

    wanted: names that something else reads; free: what a new name may be.
    """
    return _Widening(blocks, merged, wanted, free).run()


class _Widening:
    def __init__(self, blocks: Sequence[Block], merged: Merged, wanted: set[str], free: Free):
        self.blocks, self.merged, self.wanted, self.free = blocks, merged, wanted, free
        self.cell: Cell = merged.typed.cell
        self.users = dict(self._users())
        for part, count in Counter(part for part, _ in self._users()).items():
            if count > 1:  # it goes through activations apart from its neighbours
                del self.users[part]
        self.instead: dict[str, tuple[Block, ...]] = {}  # by name of the block that they replace

    def run(self) -> tuple[Block, ...]:
        for block in self.blocks:
            if block.test is None:
                self.block(block)
        return tuple(new for block in self.blocks for new in self.instead.get(block.name, (block,)))

    def _users(self) -> Iterator[tuple[str, Block]]:
        """Blocks that do no more than apply an activation to a name, by that name."""
        for block in self.blocks:
            if block.test is None and len(block.lines) == 1 and not self.merged.batched((block.name,)):
                match block.lines[0].value:
                    case Apply(op, (Ref(name),)) if op in ACTIVATIONS:
                        yield name, block
                    case Activate(_, Ref(name)):
                        yield name, block

    def block(self, block: Block) -> None:
        """Widens the split of a block's value."""
        *lines, split = block.lines
        widths = self.widths(block.name, split)
        pieces = list(self.pieces(split.targets, widths)) if widths else []
        if not any(piece.users for piece in pieces):
            return
        names = [self.name(block.name, piece) if piece.users else piece.parts[0] for piece in pieces]
        if len(pieces) > 1:
            lines.append(Line(tuple(names), Apply("split", split.value.args, tuple(self.split(pieces, widths)))))
        else:
            names = [split.value.args[0].name]
        for piece, name in zip(pieces, names, strict=True):
            if not piece.users:
                continue
            wanted = self.wanted | read(each for each in self.blocks if each not in piece.users)
            if wanted & {*piece.parts}:
                parts = tuple(part if part in wanted else "_" for part in piece.parts)
                lines.append(Line(parts, self.apart(Ref(name), piece)))
            self.together(piece, name)
        self.instead[block.name] = (replace(block, lines=tuple(lines)),)

    def split(self, pieces: Sequence[Piece], widths: Sequence[Width]) -> Iterator[tuple[str, object]]:
        """The attributes of a split into pieces."""
        sizes, tests, at = [], [], 0
        for piece in pieces:
            axis, test = widths[at]
            sizes.append((len(piece.parts), *axis) if len(piece.parts) > 1 else axis)
            tests.append(test)
            at += len(piece.parts)
        yield "sizes", tuple(sizes)
        yield "axis", -1
        if any(tests):
            yield "tests", tuple(tests)

    def widths(self, name: str, line: Line) -> Sequence[Width]:
        """The width of each part of a split of this value along its last axis, and when it is there; none: unknown."""
        match line.value:
            case Apply("split", (Ref(),)) if line.value.attr("axis") == -1:
                sizes = line.value.attr("sizes")
                if not isinstance(sizes, int):
                    return list(zip(sizes, dict(line.value.attrs).get("tests") or (None,) * len(sizes)))
                *_, labels, inner = ((), *self.merged.type((name,)).shape)
                if not any(map(self.cell.axis, inner)):  # declared as [gates, units], kept as it was computed
                    inner = (*labels, *inner)
                rest = tuple(atom for atom in inner if self.cell.axis(atom) is None)
                return [(rest, None)] * len(line.targets) if len(rest) == len(inner) - 1 else ()
        return ()

    def pieces(self, parts: tuple[str, ...], widths: Sequence[Width]) -> Iterator[Piece]:
        alike = [(self.function(part), width) for part, width in zip(parts, widths, strict=True)]
        for (function, (_, test)), run in groupby(range(len(parts)), alike.__getitem__):
            run = tuple(parts[index] for index in run)
            if function is None or test is not None or len(run) == 1:
                yield from (Piece((part,), ()) for part in run)
            else:
                yield Piece(run, tuple(self.users[part] for part in run))

    def function(self, part: str) -> Node | None:
        """What is applied to a part, with nothing in its place."""
        user = self.users.get(part)
        match user and user.lines[0].value:
            case Apply() as node:
                return replace(node, args=())
            case Activate() as node:
                return replace(node, value=Ref(""))
        return None

    def name(self, name: str, piece: Piece) -> str:
        return self.free.new("_".join((name, *(part.removeprefix(f"{name}_") for part in piece.parts))))

    def apart(self, value: Node, piece: Piece) -> Apply:
        return Apply("split", (value,), (("sizes", len(piece.parts)), ("axis", -1)))

    def together(self, piece: Piece, name: str) -> None:
        """One block in place of the users of a piece, where the first of them stood."""
        first, *rest = sorted(piece.users, key=self.blocks.index)
        match first.lines[0].value:
            case Apply() as node:
                value: Node = replace(node, args=(Ref(name),))
            case Activate() as node:
                value = replace(node, value=Ref(name))
        targets = tuple(target for user in piece.users for target in user.lines[0].targets)
        said = dict.fromkeys(user.equation for user in (first, *rest))
        line = Line(targets, self.apart(value, piece))
        self.instead[first.name] = (replace(first, equation="\n# ".join(said), lines=(line,)),)
        self.instead |= {user.name: () for user in rest}
