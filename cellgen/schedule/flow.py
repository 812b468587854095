"""What the blocks of a step read, and what they define."""

from collections.abc import Iterable, Iterator

from cellgen.ir import Activate, Apply, Choose, Node, Ref, asked, walk
from cellgen.schedule.lowering import Block


def names(node: Node) -> Iterator[str]:
    """What a lowered node reads, the options that its tests ask for included."""
    for _, each in walk(node):
        match each:
            case Ref(name):
                yield name
            case Activate(option):
                yield option
            case Apply("activation_gradient"):
                yield each.attr("option")
            case Choose(test):
                yield from (question.name for question in asked(test))


def reads(block: Block) -> set[str]:
    found = {name for line in block.lines for name in names(line.value)}
    return found | ({question.name for question in asked(block.test)} if block.test else set())


def targets(block: Block) -> set[str]:
    return {target for line in block.lines for target in line.targets} - {"_"}


def made(blocks: Iterable[Block]) -> set[str]:
    return {name for block in blocks for name in targets(block)}


def read(blocks: Iterable[Block]) -> set[str]:
    return {name for block in blocks for name in reads(block)}
