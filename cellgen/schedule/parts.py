"""Values taken apart by label: `z.f` is one part of a split that is made once, where `z` is defined."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from cellgen.ir import Activate, Apply, Axis, Cell, Free, LabelAxis, Node, Path, Pick, Ref, Shape, View, children, walk
from cellgen.shapes import Merged

PARTS = ("split", "unstack", "reshape_each")  # what gives a list


@dataclass(frozen=True, slots=True)
class Line:
    """`targets = value`; a target `_` is a part that nothing reads."""

    targets: tuple[str, ...]
    value: Node

    @property
    def left(self) -> str:
        """The targets as Python; one part of one is taken out of its list."""
        alone = len(self.targets) == 1 and isinstance(self.value, Apply) and self.value.op in PARTS
        return f"({self.targets[0]},)" if alone else ", ".join(self.targets)


def measured(line: Line) -> Iterator[Axis]:
    """The axes whose sizes a line names."""
    for node in uses(line.value):
        match node:
            case Apply("reshape" | "reshape_each" | "repeat" | "size" | "range" | "along" | "over_length"):
                yield from node.attr("shape")
            case Apply("split") if not isinstance(node.attr("sizes"), int):
                yield from node.attr("sizes")


def uses(node: Node) -> Iterator[Apply | Activate]:
    """The operations of a lowered node."""
    if isinstance(node, Apply | Activate):
        yield node
    for child in children(node):
        yield from uses(child)


class Names:
    """The Python names of what the spec names otherwise, none of them one of the spec's."""

    def __init__(self, cell: Cell):
        self._free = Free(cell.names)
        self._known: dict[tuple[str, int], str] = {}
        for state in cell.states:
            self._known[state.name, 1] = self.new(f"{state.name}_prev")
        for param in cell.params:
            if "/" in param.name:
                self._known[param.name, 0] = self.new(param.name.replace("/", "_"))

    def new(self, name: str) -> str:
        """This name, or with `_` in front if it is taken."""
        return self._free.new(name)

    def of(self, ref: Ref) -> str:
        return self._known.get((ref.name, ref.ago), ref.name)

    def part(self, ref: Ref, label: str) -> str:
        key = (f"{ref.name}.{label}", ref.ago)
        if key not in self._known:
            self._known[key] = self.new(f"{self.of(ref)}_{label}")
        return self._known[key]


def reshape(value: Node, shape: Shape, batch: bool) -> Apply:
    return Apply("reshape", (value,), (("shape", shape), ("batch", batch)))


@dataclass(frozen=True, slots=True)
class Split:
    """A value taken apart along one labelled axis of its shape; `labels` are the parts that are read."""

    axis: LabelAxis
    index: int
    shape: Shape
    labels: tuple[str, ...]


class Parts:
    """Which values are read by label, and which as a whole.

    flat: the values declared as `[gates, units]`, perhaps with axes in front, of which only parts are read, so that
    they are kept as computed.
    """

    def __init__(self, merged: Merged, names: Names):
        self.merged, self.names, self.cell = merged, names, merged.typed.cell
        self.params = {param.name for param in self.cell.params}
        self.flat = {name for name in merged.equations if self._only_parts(name)}
        self.whole: set[tuple[str, int]] = set()
        self._splits: dict[tuple[str, int], list[Split]] = {}
        for equation in self.cell.equations:
            self._gather(equation.name, equation.value)

    def lines(self, name: str, ago: int = 0) -> Iterator[Line]:
        """The splits of a value, to stand where it is defined."""
        for split in self._splits.get((name, ago), ()):
            ref = Ref(name, ago)
            targets = tuple(
                self.names.part(ref, label) if label in split.labels else "_" for label in split.axis.labels
            )
            value = Ref(self.names.of(ref))
            yield Line(targets, self.apart(value, split.shape, split.index, split.axis, name not in self.params))

    def apart(self, value: Node, shape: Shape, index: int, axis: LabelAxis, batch: bool) -> Node:
        """The operation that gives one part for each label of an axis of a stored value."""
        at, factors = index - len(shape), shape[index]
        if axis.widths:
            return Apply("split", (value,), (("sizes", axis.widths), ("axis", at), ("tests", axis.tests)))
        place = factors.index(axis.name)
        scalars = batch and len(shape) == len(factors) == 1  # each part is a number a sample, stored as (batch, 1)
        if scalars or place == 0 and len(factors) > 1:
            return Apply("split", (value,), (("sizes", len(axis.labels)), ("axis", at)))
        if len(factors) > 1:  # the labels are not in front: view them apart first
            apart = (*shape[:index], *((atom,) for atom in factors), *shape[index + 1 :])
            value, at = reshape(value, apart, batch), index + place - len(apart)
        parts = Apply("unstack", (value,), (("axis", at),))
        if 0 < place < len(factors) - 1:  # what stands before and behind them is one axis of each part
            rest = (*factors[:place], *factors[place + 1 :])
            return replace(reshape(parts, (*shape[:index], rest, *shape[index + 1 :]), batch), op="reshape_each")
        return parts

    def _only_parts(self, name: str) -> bool:
        value = self.merged.equations[name].value
        kept = {*self.cell.outputs, *self.cell.trace, *(state.name for state in self.cell.states)}
        if not isinstance(value, View) or name in kept or not self.merged.live((name,)):
            return False
        flat, apart = self.merged.type((name, 0)).shape, self.merged.type((name,)).shape
        if not flat or apart != (*flat[:-1], flat[-1][:1], flat[-1][1:]) or self.cell.axis(flat[-1][0]) is None:
            return False
        nodes = [node for equation in self.cell.equations for _, node in walk(equation.value)]
        reads = sum(isinstance(node, Ref) and (node.name, node.ago) == (name, 0) for node in nodes)
        return reads == sum(isinstance(node, Pick) and node.value == Ref(name) for node in nodes) > 0

    def _gather(self, name: str, value: Node) -> None:
        picked = set()
        for path, node in walk(value, (name,)):
            if not self.merged.live(path):
                continue
            if isinstance(node, Pick) and isinstance(node.value, Ref):
                picked.add((*path, 0))
                self._note(node.value, node.label, path)
            elif isinstance(node, Ref) and path not in picked:
                self.whole.add((node.name, node.ago))

    def _note(self, ref: Ref, label: str, path: Path) -> None:
        flat = ref.name in self.flat and not ref.ago
        shape = self.merged.type((ref.name, 0) if flat else (*path, 0)).shape
        index, axis = next(self.cell.places(label, shape))
        splits = self._splits.setdefault((ref.name, ref.ago), [])
        for at, split in enumerate(splits):
            if split.index == index and split.axis == axis:
                splits[at] = replace(split, labels=tuple(dict.fromkeys((*split.labels, label))))
                return
        splits.append(Split(axis, index, shape, (label,)))
