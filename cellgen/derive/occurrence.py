"""An operation where it stands in a program, as the rules of `adjoint` look at it."""

from cellgen.derive.derivative_rules import ZERO, mul, negated, op
from cellgen.derive.stored_values import Values
from cellgen.ir import Apply, Node, Path, Ref, Type
from cellgen.shapes import Merged


class At:
    """`adjoint.At` for one operation of the program."""

    def __init__(self, values: Values, merged: Merged, node: Apply, path: Path, d: Node, moving: list[int]):
        self.values, self.merged = values, merged
        self.node, self.path, self.d, self.moving = node, path, d, moving

    def x(self, index: int = 0) -> Node:
        """An argument; where nobody asks for what it is needed for, nothing is named for it."""
        if self.node.op in ("mul", "conv") and 1 - index not in self.moving:
            return ZERO
        return self.values.value(self.node.args[index], (*self.path, index))

    @property
    def y(self) -> Node:
        if self.path in self.values.named:
            return Ref(self.values.named[self.path])
        return self.values.value(self.node, self.path)

    @property
    def rstd(self) -> Node:
        return self.values.rstd(self.path)

    def type(self, index: int | None = None) -> Type:
        return self.merged.type(self.path if index is None else (*self.path, index))

    def place(self) -> int:
        shape, algebra = self.type(0).shape, self.merged.algebra(self.path)
        if self.node.over is None:
            return len(shape) - 1
        return next(index for index, axis in enumerate(shape) if algebra.equal(axis, self.node.attr("over")))

    def pair(self, wanted: int) -> Node | None:
        """Through `@` and `outer`: what reaches one operand is the product of `d` with the other."""
        if wanted not in self.moving:
            return None
        a, b = self.type(0), self.type(1)
        algebra = self.merged.algebra(self.path)
        contract = self.node.op == "matmul"
        if not contract and (algebra.scalar(a.shape) or algebra.scalar(b.shape)):
            return op("mul", self.d, self.x(1 - wanted))
        lead = algebra.shared(a.shape, b.shape)
        letters = iter("ijklmnopqrstuvw")
        left = "".join(next(letters) for _ in a.shape)
        new = "".join(next(letters) for _ in b.shape[lead + contract :])
        right = left[:lead] + (left[-1] if contract else "") + new
        out = (left[:-1] if contract else left) + new
        own, other = ((left, right), (right, left))[wanted]
        type = (a, b)[wanted]
        value = self.x(1 - wanted)
        batch = type.level.has_batch
        if not out:  # of two vectors: the number that reaches their product, times the other
            every, of = mul(self.d, value), self.type(1 - wanted).shape
            if batch == self.type().level.has_batch:
                return every
            return negated(every, lambda every: op("sum_to", every, shape=type.shape, batch=False, of=of))
        return op("product", self.d, value, left=out, right=other, out=own, shape=type.shape, batch=batch)
