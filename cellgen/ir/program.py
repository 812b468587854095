"""One variant of a cell as a program: its equations with every choice made, and ways to walk them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property

from cellgen.ir.cell import Level, Type, TypedCell, TypedVariant
from cellgen.ir.expr import Apply, Choose, Node, Number, Path, Pick, Ref, Shape, live_children, rebuild
from cellgen.ir.sizes import Size


class Program:
    """A variant under study. `equations` are the live ones, in the author's order."""

    def __init__(self, typed: TypedCell, variant: TypedVariant):
        self.cell, self.variant = typed.cell, variant
        self.equations = {each.name: each for each in typed.cell.equations if each.name in variant.live}
        self.states = tuple(state.name for state in typed.cell.states)
        self._below: dict[tuple[int, Path], tuple[Node, list]] = {}  # a node is known by its identity, and held
        self.nodes, self.reads = cache(self._nodes), cache(self._reads)
        self.cone, self.carried = cache(self._cone), cache(self._carried)
        self.sizes: dict[Shape, Size] = {}  # as formulas, found before by `analyse`

    def root(self, name: str) -> tuple[Node, Path]:
        """What an equation says, past the choices that are made."""
        return self.chosen(self.equations[name].value, (name,))

    def chosen(self, node: Node, path: Path = ()) -> tuple[Node, Path]:
        while isinstance(node, Choose):
            ((index, node),) = live_children(node, self.variant.variant)
            path = (*path, index)
        return node, path

    def below(self, node: Node, path: Path = ()) -> list[tuple[Node, Path]]:
        """The children of a node, past the choices that are made."""
        key = id(node), path
        if key not in self._below:
            live = live_children(node, self.variant.variant)
            self._below[key] = node, [self.chosen(child, (*path, index)) for index, child in live]
        return self._below[key][1]

    def walk(self, node: Node, path: Path = ()) -> Iterator[tuple[Node, Path]]:
        """The node and everything below it, parents first."""
        yield node, path
        for child in self.below(node, path):
            yield from self.walk(*child)

    @cached_property
    def everything(self) -> tuple[tuple[Node, Path], ...]:
        return tuple(each for name in self.equations for each in self.nodes(name))

    @cached_property
    def picked(self) -> frozenset[str]:
        """The labels that are read by themselves."""
        return frozenset(node.label for node, _ in self.everything if isinstance(node, Pick))

    def level(self, path: Path) -> Level:
        return self.variant.types[path].level

    def shape(self, path: Path) -> Shape:
        return self.variant.types[path].shape

    def _nodes(self, name: str) -> tuple[tuple[Node, Path], ...]:
        """Those of an equation."""
        return tuple(self.walk(*self.root(name)))

    def _reads(self, name: str) -> tuple[Ref, ...]:
        """What an equation reads, each once."""
        return tuple(dict.fromkeys(node for node, _ in self.nodes(name) if isinstance(node, Ref)))

    def _cone(self, name: str) -> tuple[str, ...]:
        """The equations of this step that a value comes from, itself first."""
        seen, todo = [], [name]
        while todo:
            each = todo.pop()
            if each in self.equations and each not in seen:
                seen.append(each)
                todo.extend(ref.name for ref in self.reads(each) if not ref.ago)
        return tuple(seen)

    def _carried(self, name: str) -> tuple[str, ...]:
        """The carried states that a value comes from, in this step or, through them, an earlier one."""
        seen, todo = set(), [name]
        while todo:
            for each in self.cone(todo.pop()):
                new = {ref.name for ref in self.reads(each) if ref.ago} - seen
                seen |= new
                todo.extend(sorted(new))
        return tuple(state for state in self.states if state in seen)

    def made(self, node: Node) -> Node:
        """The expression with its choices made, and without a zero that a choice adds."""
        node, _ = self.chosen(node)
        match node:
            case Apply("add" | "sub", (a, b)) if self.is_zero(b):
                return self.made(a)
            case Apply("add", (a, b)) if self.is_zero(a):
                return self.made(b)
        return rebuild(node, tuple(self.made(child) for child, _ in self.below(node)))

    def is_zero(self, node: Node) -> bool:
        node, _ = self.chosen(node)
        return isinstance(node, Number) and node.value == 0


@dataclass(frozen=True, eq=False)
class Said:
    """An expression that a name is set to; `types` of its nodes by path, its own being ("fact",)."""

    node: Node
    types: Mapping[Path, Type]
