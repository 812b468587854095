"""A number a sample commutes with a matmul: `z * (h @ W)` is `(z * h) @ W`, and `h` is narrower than what `W` makes.

Input and output: a `TypedCell`. It is done where `h` is known in the loop only; a matmul that can run before the loop
stays whole. The way back then keeps `h`, not `h @ W`. Only rounding changes.
"""

from dataclasses import replace

from cellgen.ir import Apply, Equation, Level, Node, Path, Ref, TypedCell, children, rebuild
from cellgen.shapes import Merged, retype


def commute(typed: TypedCell) -> TypedCell:
    """The same cell, with numbers a sample inside the matmuls that they weigh."""
    commuting = _Commuting(typed)
    equations = tuple(commuting.equation(equation) for equation in typed.cell.equations)
    return retype(typed, replace(typed.cell, equations=equations)) if commuting.found else typed


class _Commuting:
    def __init__(self, typed: TypedCell):
        self.merged, self.found = Merged(typed), False
        self.weights = {param.name for param in typed.cell.params}

    def equation(self, equation: Equation) -> Equation:
        return replace(equation, value=self.node(equation.value, (equation.name,)))

    def node(self, node: Node, path: Path) -> Node:
        match node:
            case Apply("mul", (s, Apply("matmul", (a, w)) as product)) if self.weighs((*path, 0), (*path, 1), w):
                self.found = True
                return replace(product, args=(Apply("mul", (s, a), (), node.span), w))
            case Apply("mul", (Apply("matmul", (a, w)) as product, s)) if self.weighs((*path, 1), (*path, 0), w):
                self.found = True
                return replace(product, args=(Apply("mul", (a, s), (), node.span), w))
        return rebuild(node, tuple(self.node(child, (*path, index)) for index, child in enumerate(children(node))))

    def weighs(self, number: Path, product: Path, weight: Node) -> bool:
        """Whether one is a number a sample, and the other a weight's product with what is known in the loop only."""
        if not (isinstance(weight, Ref) and weight.name in self.weights and self.merged.live(product)):
            return False
        algebra, factor, value = self.merged.algebra(product), self.merged.type(number), self.merged.type((*product, 0))
        made = self.merged.type(product)
        scalar = algebra.scalar(factor.shape) and factor.level.has_batch
        wide = len(value.shape) == 1 and not algebra.scalar(value.shape) and not algebra.scalar(made.shape)
        return scalar and value.level is Level.CARRIED and wide
