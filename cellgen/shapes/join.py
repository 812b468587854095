"""One type for each node over all variants: what code that serves every variant needs to know."""

from cellgen.ir import (
    Algebra,
    Apply,
    Choose,
    Level,
    Node,
    Number,
    Path,
    Ref,
    Shape,
    Type,
    TypedCell,
    TypedVariant,
    Variant,
    children,
    live_children,
    renamed,
    when,
)

ARITHMETIC = ("add", "sub", "mul", "div", "neg", "pow")

Shapes = tuple[Shape | None, ...]  # in each variant; None where there is nothing


def is_size(node: Node, dims: set[str]) -> bool:
    """Whether it is the size of a dim, or a positive number made of sizes and numbers alone."""
    match node:
        case Number(value):
            return value > 0
        case Ref(name, 0):
            return name in dims
        case Apply("add" | "mul" | "div", args):
            return all(is_size(arg, dims) for arg in args)
    return False


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
        self.dims = {dim.name for dim in typed.cell.dims}
        self._algebras = [Algebra.of(typed.cell, each.same) for each in typed.variants]
        self._perhaps_batched = self._reading_what_is_kept()

    def live(self, path: Path) -> bool:
        """Whether any variant has the node."""
        return any(path in each.types for each in self.typed.variants)

    def type(self, path: Path) -> Type:
        """The shape in the most general variant in which the node is no single number, and the highest level."""
        types = [each.types[path] for each in self.typed.variants if path in each.types]
        shaped = max(types, key=lambda type: (any(set(axis) - {1} for axis in type.shape), bool(type.shape)))
        level = max(type.level for type in types)
        if path in self._perhaps_batched:
            level = max(level, Level.STEP)
        return Type(shaped.shape or ((1,),) * level.has_batch, level, shaped.binary)

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
        live, found = self._batched(path)
        return found if len(found) < len(live) else ()

    def repeated(self, lowered: Node, path: Path) -> Node:
        """The node, lowered, as a value of each sample: where it is one for all samples, or may be, that as often."""
        live, found = self._batched(path)
        if len(found) == len(live) or not (found or path in self._perhaps_batched):
            return lowered
        every = Apply("repeat", (lowered,), (("shape", self.type(path).shape),))
        return Choose(renamed(when(found, live), self.typed.cell.connections), lowered, every) if found else every

    def _batched(self, path: Path) -> tuple[tuple[Variant, ...], tuple[Variant, ...]]:
        """The variants that have a node, and those in which it is a value of each sample."""
        types = [(each.variant, each.types[path].level.has_batch) for each in self.typed.variants if path in each.types]
        return tuple(variant for variant, _ in types), tuple(variant for variant, has_batch in types if has_batch)

    def _reading_what_is_kept(self) -> set[Path]:
        """The nodes that may be of each sample where their type says one for all: what they read is of each sample in
        other variants, and kept from step to step it is so in all."""
        found: set[Path] = set()

        def reads(node: Node, path: Path) -> bool:
            below = {reads(child, (*path, index)) for index, child in enumerate(children(node))}
            if isinstance(node, Ref) and not node.ago:
                below = {(node.name,) in found or bool(self.batched((node.name,)))}
            if True not in below or isinstance(node, Apply) and ("batch", False) in node.attrs or not self.live(path):
                return False
            found.add(path)
            return True

        for equation in self.typed.cell.equations:
            reads(equation.value, (equation.name,))
        return found

    def plain(self, node: Node, path: Path) -> bool:
        """Whether in some variant this is a Python number, not a tensor."""
        return any(self._plain(node, path, each) for each in self.typed.variants if path in each.types)

    def _plain(self, node: Node, path: Path, where: TypedVariant) -> bool:
        match node:
            case Number():
                return True
            case Ref(name, 0) if name not in self.tensors:
                return name not in self.equations or self._plain(self.equations[name].value, (name,), where)
            case Apply("sqrt", (value,)) if is_size(value, self.dims):
                return True
            case Apply(op) if op not in ARITHMETIC:
                return False
            case Apply() | Choose():
                return all(
                    self._plain(child, (*path, index), where) for index, child in live_children(node, where.variant)
                )
        return False
