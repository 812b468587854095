"""A layer norm of `x @ W` subtracts a mean that `W` can lose once: with `W` centred, it is an RMS norm.

Input and output: a `TypedCell`. `ln(x @ W)` becomes `rms(x @ _W_centred)`, where `_W_centred = W - mean(W)` reads
weights alone and so runs once, not at every step; nor does the way back then subtract a mean. Only rounding changes.
"""

from dataclasses import replace

from cellgen.derive.derivative_rules import op
from cellgen.ir import Algebra, Apply, Axis, Equation, Free, Node, Path, Ref, TypedCell, children, rebuild
from cellgen.shapes import Merged, retype


def centre(typed: TypedCell) -> TypedCell:
    """The same cell, with a centred copy of each weight whose product a layer norm takes whole."""
    centring = _Centring(typed)
    equations = tuple(each for equation in typed.cell.equations for each in centring.equation(equation))
    return retype(typed, replace(typed.cell, equations=equations)) if centring.names else typed


class _Centring:
    def __init__(self, typed: TypedCell):
        self.typed, self.cell, self.merged = typed, typed.cell, Merged(typed)
        self.weights = {param.name: param.shape for param in self.cell.params}
        self.names: dict[str, str] = {}  # of centred weights
        self.free = Free(self.cell.names)

    def equation(self, equation: Equation) -> list[Equation]:
        self.now, self.before = equation, []
        value = self.node(equation.value, (equation.name,))
        return [*self.before, replace(equation, value=value)]

    def node(self, node: Node, path: Path) -> Node:
        match node:
            case Apply("normalize", (Apply("matmul", (x, Ref(weight))) as product, epsilon)) if self.whole(node, path):
                x = self.node(x, (*path, 0, 0))
                attrs = tuple((name, "rms" if name == "kind" else value) for name, value in node.attrs)
                return replace(node, args=(replace(product, args=(x, self.centred(weight))), epsilon), attrs=attrs)
        return rebuild(node, tuple(self.node(child, (*path, index)) for index, child in enumerate(children(node))))

    def whole(self, node: Apply, path: Path) -> bool:
        """Whether a layer norm spans all of a value that is made with a matrix."""
        weight = self.weights.get(node.args[0].args[1].name)
        return (
            node.attr("kind") == "layer"
            and self.merged.live(path)
            and weight is not None
            and len(weight) == 2
            and self.merged.type((*path, 0)).shape == tuple(node.attr("over")) == weight[1:]
            and all(self.apart(*weight, Algebra.of(self.cell, each.same)) for each in self.typed.variants)
        )

    def apart(self, first: Axis, last: Axis, algebra: Algebra) -> bool:
        """Whether a mean over the last axis broadcasts along the other by name."""
        plain = algebra.scalar((first,)) or algebra.scalar((last,))
        return not plain and algebra.flat((first,)) != algebra.flat((last,))

    def centred(self, weight: str) -> Ref:
        if weight not in self.names:
            self.names[weight] = self.free.new(f"_{weight}_centred")
            value = op("sub", Ref(weight), op("mean", Ref(weight)))
            self.before.append(replace(self.now, name=self.names[weight], value=value))
        return Ref(self.names[weight])
