"""One type for each node over all variants: what code that serves every variant needs to know."""

from cellgen.algebra import Algebra
from cellgen.cell import Type, TypedCell, TypedVariant
from cellgen.expr import Apply, Choose, Node, Number, Path, Ref, Shape, Variant, live_children, renamed, walk
from cellgen.variants import when

ARITHMETIC = ("add", "sub", "mul", "div", "neg", "pow")

Shapes = tuple[Shape | None, ...]  # in each variant; None where there is nothing


class Merged:
    """The types of a cell's nodes, by path, where the variants are taken together."""

    def __init__(self, typed: TypedCell):
        self.typed = typed
        self.equations = {equation.name: equation for equation in typed.cell.equations}
        self.tensors = {
            each.name
            for group in (typed.cell.states, typed.cell.params, typed.cell.inputs, typed.cell.noises)
            for each in group
        }
        self._algebras = [Algebra.of(typed.cell, each.same) for each in typed.variants]

    def live(self, path: Path) -> bool:
        """Whether any variant has the node."""
        return any(path in each.types for each in self.typed.variants)

    def type(self, path: Path) -> Type:
        """The shape in the most general variant in which the node is no single number, and the highest level."""
        types = [each.types[path] for each in self.typed.variants if path in each.types]
        shaped = max(types, key=lambda type: (any(set(axis) - {1} for axis in type.shape), bool(type.shape)))
        return Type(shaped.shape, max(type.level for type in types), shaped.binary)

    def as_wide(self, path: Path, other: Path) -> bool:
        """Whether a node has the axes of another in each variant that has both."""
        both = [each.types for each in self.typed.variants if path in each.types and other in each.types]
        return all(
            types[path].shape == types[other].shape and types[path].level.has_batch == types[other].level.has_batch
            for types in both
        )

    def shapes(self, path: Path) -> Shapes:
        """Of a node in each variant."""
        return tuple(each.types[path].shape if path in each.types else None for each in self.typed.variants)

    def broadcast(self, a: Shapes, b: Shapes) -> Shapes | None:
        """The shapes of an elementwise result in each variant; None if some variant has no result."""
        found = []
        for algebra, one, other in zip(self._algebras, a, b, strict=True):
            found.append(one if other is None else other if one is None else algebra.broadcast(one, other))
            if found[-1] is None and (one, other) != (None, None):
                return None
        return tuple(found)

    def algebra(self, path: Path) -> Algebra:
        """The algebra of the most general variant that has the node."""
        which = next(index for index, each in enumerate(self.typed.variants) if path in each.types)
        return self._algebras[which]

    def batched(self, path: Path) -> tuple[Variant, ...]:
        """The variants in which a node is a value of each sample, where in others it is one for all; else none."""
        types = [(each.variant, each.types[path].level.has_batch) for each in self.typed.variants if path in each.types]
        found = tuple(variant for variant, has_batch in types if has_batch)
        return found if len(found) < len(types) else ()

    def repeated(self, lowered: Node, path: Path) -> Node:
        """The node, lowered, as a value of each sample: where it is one for all samples, that as often."""
        if not (batched := self.batched(path)):
            return lowered
        live = tuple(each.variant for each in self.typed.variants if path in each.types)
        test = renamed(when(batched, live), self.typed.cell.connections)
        return Choose(test, lowered, Apply("repeat", (lowered,), (("shape", self.type(path).shape),)))

    def plain(self, node: Node, path: Path) -> bool:
        """Whether in some variant this is a Python number, not a tensor."""
        return any(self._plain(node, path, each) for each in self.typed.variants if path in each.types)

    def literal(self, node: Node) -> bool:
        """Whether what is `plain` is made of written numbers alone."""
        return not any(isinstance(each, (Ref, Choose)) for _, each in walk(node))

    def _plain(self, node: Node, path: Path, where: TypedVariant) -> bool:
        match node:
            case Number():
                return True
            case Ref(name, 0) if name not in self.tensors:
                return name not in self.equations or self._plain(self.equations[name].value, (name,), where)
            case Apply(op) if op not in ARITHMETIC:
                return False
            case Apply() | Choose():
                return all(
                    self._plain(child, (*path, index), where) for index, child in live_children(node, where.variant)
                )
        return False
