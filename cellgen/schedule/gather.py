"""Products that are added are one product: `a @ U + b @ W` is `[a, b] @ [U; W]`, and the weights are joined once.

Input: the blocks of a loop. Output: the same with fewer and larger matmuls, and the blocks that join weights. On the
way back the products stay apart, which is faster there. Only the order of a sum changes.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from cellgen.ir import Apply, Axis, Both, Choose, Free, Node, Number, Ref, Test
from cellgen.schedule.flow import names
from cellgen.schedule.lowering import Block
from cellgen.schedule.parts import Line

NOTHING = Number(Fraction(0))


@dataclass(frozen=True, slots=True)
class Gathered:
    loop: tuple[Block, ...]
    once: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Term:
    """A term of a sum, and the test under which it is there."""

    value: Node
    test: Test | None
    blocks: tuple[Block, ...] = ()  # those that it was read through


def gather(loop: Sequence[Block], matrices: Mapping[str, Axis], wanted: set[str], free: Free) -> Gathered:
    """matrices: the last axis of each weight of two; wanted: names that something else reads; free: what a new name may
    be."""
    return _Gathering(loop, matrices, wanted, free).run()


class _Gathering:
    def __init__(self, loop: Sequence[Block], matrices: Mapping[str, Axis], wanted: set[str], free: Free):
        self.loop, self.matrices, self.free = loop, matrices, free
        count = Counter(name for block in loop for line in block.lines for name in names(line.value))
        self.alone = {  # read once, in a sum perhaps
            block.name: block
            for block in loop
            if len(block.lines) == 1 and count[block.name] == 1 and block.name not in wanted
        }
        self.gone: set[str] = set()
        self.once: list[Block] = []

    def run(self) -> Gathered:
        """From the last on: what a sum is read through is in it, and is not gathered by itself."""
        out = [self.block(block) for block in reversed(self.loop) if block.name not in self.gone]
        return Gathered(tuple(reversed(out)), tuple(reversed(self.once)))

    def block(self, block: Block) -> Block:
        line = block.lines[0]
        terms = list(self.terms(line.value, None, ()))
        products = self.as_wide([term for term in terms if self.is_product(term.value)])
        if len(products) < 2 or all(term.test for term in products):
            return block
        products.sort(key=lambda term: term.test is not None)
        through = tuple(dict.fromkeys(each for term in terms for each in term.blocks))
        self.gone |= {each.name for each in through}
        value: Node = Apply(
            "matmul", (self.joined([self.operand(t, 0) for t in products], -1), self.weights(products, block))
        )
        for term in terms:
            if term not in products:
                value = Apply("add", (value, self.kept(term)))
        said = "\n# ".join(dict.fromkeys((*(each.equation for each in through), block.equation)))
        return replace(block, equation=said, lines=(replace(line, value=value), *block.lines[1:]))

    def terms(self, node: Node, test: Test | None, through: tuple[Block, ...]) -> Iterator[Term]:
        match node:
            case Apply("add", (a, b)):
                yield from self.terms(a, test, through)
                yield from self.terms(b, test, through)
                return
            case Choose(chosen, a, Number(Fraction(numerator=0))) if self.is_product(self.seen(a)):
                test = chosen if test is None else Both(test, chosen)
                yield from self.terms(a, test, through)
                return
            case Ref(name) if name in self.alone and self.is_sum(self.alone[name].lines[0].value):
                inner = self.alone[name]
                if inner.test is None or test is not None:  # where it is read, it is there
                    yield from self.terms(inner.lines[0].value, test, (*through, inner))
                    return
        yield Term(node, test, through)

    def seen(self, node: Node) -> Node:
        return self.alone[node.name].lines[0].value if isinstance(node, Ref) and node.name in self.alone else node

    def is_sum(self, node: Node) -> bool:
        """Whether all terms of a value are products, so that nothing is left of it."""
        match node:
            case Apply("add", (a, b)):
                return self.is_sum(a) and self.is_sum(b)
            case Choose(_, a, Number(Fraction(numerator=0))):
                return self.is_product(self.seen(a))
        return self.is_product(node)

    def is_product(self, node: Node) -> bool:
        match node:
            case Apply("matmul", (_, Ref(name))):
                return name in self.matrices
        return False

    def as_wide(self, products: list[Term]) -> list[Term]:
        """The products of one width, which most of them have: a narrower one is spread over the sum."""
        widths = [self.matrices[term.value.args[1].name] for term in products]
        return [term for term, width in zip(products, widths) if width == max(widths, key=widths.count)]

    def operand(self, term: Term, index: int) -> Node:
        value = term.value.args[index]
        return value if term.test is None else Choose(term.test, value, NOTHING)

    def kept(self, term: Term) -> Node:
        return term.value if term.test is None else Choose(term.test, term.value, NOTHING)

    def weights(self, products: list[Term], block: Block) -> Ref:
        """The weights of products one below the other, by a name."""
        name = self.free.new("_".join(("", *(term.value.args[1].name.lstrip("_") for term in products))))
        value = self.joined([self.operand(term, 1) for term in products], 0)
        self.once.append(Block(name, block.equation, block.test, (Line((name,), value),)))
        return Ref(name)

    def joined(self, parts: list[Node], axis: int) -> Apply:
        return Apply("concat", tuple(parts), (("axis", axis),))
