"""Lowering of what only derivatives are made of: `ops.ADJOINT` over stored tensors."""

from cellgen.ir import Apply, Node, Path, Ref, Shape, Type
from cellgen.schedule.parts import Line, Names, reshape
from cellgen.shapes import Merged


class Through:
    """`transposed` are the weights that are read with their axes swapped, each by a line to stand before the loop."""

    def __init__(self, merged: Merged, names: Names):
        self.merged, self.names, self.cell = merged, names, merged.typed.cell
        self.transposed: dict[str, Line] = {}

    def node(self, node: Apply, args: list[Node], types: list[Type], path: Path) -> Node:
        match node.op:
            case "normalize_back" | "softmax_back":
                return Apply(node.op, tuple(args), node.attrs)
            case "sum_to":
                return self.sum_to(node, args[0], types[0], path)
            case "product":
                return self.product(node, args, types)
            case "spread":
                return self.spread(node, args, types)
            case "conv_back" | "conv_kernel_back":
                return self.convolution(node, args, len(types[-1].shape) - 2)
            case "join":
                return self.join(node, args, path)
        raise TypeError(node.op)

    def sum_to(self, node: Apply, value: Node, have: Type, path: Path) -> Node:
        want, batch = node.attr("shape"), node.attr("batch")
        algebra, front = self.merged.algebra(path), have.level.has_batch
        if algebra.scalar(want):
            lanes = range(len(have.shape))
        else:
            kept = algebra.places(want, have.shape)
            lanes = (index for index in range(len(have.shape)) if index not in kept)
        axes = tuple(index + front for index in lanes)
        axes = axes if batch == front else (0, *axes)
        if not axes:
            return value
        keep = batch and len(have.shape) == 1
        out = Apply("reduce_sum", (value,), (("axes", axes), ("keepdims", keep)))
        if algebra.scalar(want) and not keep and want:
            return reshape(out, want, batch)
        return out

    def product(self, node: Apply, args: list[Node], types: list[Type]) -> Node:
        left, right, out = (node.attr(side) for side in ("left", "right", "out"))
        d, other = args
        batches = types[0].level.has_batch, types[1].level.has_batch
        if batches == (True, False) and left[:-1] == out[:-1] and right == out[-1] + left[-1]:
            return Apply("matmul", (d, self.turned(other)))
        if batches == (True, True) and not node.attr("batch") and len(left) == len(right) == 1 and out == right + left:
            return Apply("matmul_over_batch", (other, d))
        sides = [
            batch * "b" + side for batch, side in zip((*batches, node.attr("batch")), (left, right, out), strict=True)
        ]
        einsum = Apply("einsum", (d, other), (("subscripts", f"{sides[0]},{sides[1]}->{sides[2]}"),))
        return Apply("expand", (einsum,), (("axes", (1,)),)) if sides[2] == "b" else einsum

    def convolution(self, node: Apply, args: list[Node], axes: int) -> Node:
        """One, or through it: of a kernel that is dilated, the whole of it, and its own taps of what reaches that."""
        *rest, kernel = args
        how = dict(node.attrs)
        dilation, stride = how.get("dilation"), how.get("stride", 1)
        if dilation is not None:
            kernel = Apply("dilated", (kernel,), (("dilation", dilation),))
        value = Apply(node.op, (*rest, kernel), (("axes", axes), ("stride", stride)))
        if dilation is None or node.op != "conv_kernel_back":
            return value
        return Apply("taps", (value,), (("every", ", ".join([f"::{dilation}"] * axes)),))

    def turned(self, weight: Node) -> Node:
        if not isinstance(weight, Ref):
            return Apply("transpose", (weight,))
        if weight.name not in self.transposed:
            name = self.names.new(f"{weight.name}_T")
            self.transposed[weight.name] = Line((name,), Apply("transpose", (weight,)))
        return Ref(self.transposed[weight.name].targets[0])

    def spread(self, node: Apply, args: list[Node], types: list[Type]) -> Node:
        (d,), at, shape = args, node.attr("at"), node.attr("shape")
        size = ("shape", (shape[at],))
        if not (any(type.level.has_batch for type in types) and len(shape) == 1):  # a number a sample is (batch, 1)
            d = Apply("expand_at", (d,), (("axis", at),))
        if node.attr("mean"):
            d = Apply("over_length", (d,), (size,))
        return Apply("along", (d,), (("axis", at), size))

    def join(self, node: Apply, parts: list[Node], path: Path) -> Node:
        shape: Shape = node.attr("shape")
        at, labels = node.attr("at"), self.cell.axis(node.attr("axis"))
        axis, batch = shape[at], self.merged.type(path).level.has_batch
        place = at - len(shape)
        if labels.widths or axis[0] == labels.name and (len(axis) > 1 or batch and len(shape) == 1):
            return Apply("concat", tuple(parts), (("axis", place),))
        before = axis.index(labels.name)
        after = len(axis) - before - 1
        if before and after:
            # the parts are the flat product of what stands before and behind: view them apart
            apart = (*shape[:at], axis[:before], axis[before + 1 :], *shape[at + 1 :])
            parts = [reshape(part, apart, batch) for part in parts]
        stacked = Apply("stack", tuple(parts), (("axis", place - (1 if after and before else 0) if after else place),))
        return reshape(stacked, shape, batch) if len(axis) > 1 else stacked
