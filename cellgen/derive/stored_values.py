"""Forward values that the backward step reads: each in an equation of its own, named after what the author wrote."""

from collections.abc import Iterator
from dataclasses import replace

from cellgen.derive.derivative_rules import COMPARISONS, op
from cellgen.derive.hoisting import norm_name
from cellgen.ir import (
    ACTIVATIONS,
    Activate,
    Apply,
    Choose,
    Equation,
    Free,
    Node,
    Number,
    Path,
    Pick,
    Ref,
    TypedCell,
    children,
    rebuild,
    walk,
)
from cellgen.shapes import Merged


class Values:
    """The values of a typed cell's equations, and the names that some of them are given on demand."""

    def __init__(self, typed: TypedCell):
        self.cell, self.merged = typed.cell, Merged(typed)
        cell = self.cell
        self.free = Free(cell.names)
        self.noises = {noise.name for noise in cell.noises}
        self.still = {each.name for group in (cell.options, cell.dims, cell.noises) for each in group} | cell.frozen
        self.named: dict[Path, str] = {}
        self.statistics: dict[Path, str] = {}  # norms of which the backward step reads the rstd too
        self.norms = {
            path: norm_name(node)
            for equation in cell.equations
            for path, node in walk(equation.value, (equation.name,))
            if isinstance(node, Apply) and node.op == "normalize"
        }
        self.activations = {
            path: node
            for equation in cell.equations
            for path, node in walk(equation.value, (equation.name,))
            if isinstance(node, Activate) or isinstance(node, Apply) and node.op in ACTIVATIONS
        }
        self.active = self._active()

    # --- names

    def cotangent(self, name: str) -> str:
        return self.free.numbered(f"_d_{name.lstrip('_').replace('/', '_').replace('.', '_')}")

    def said(self, node: Node, path: Path) -> str:
        """A name for a forward value, after what it is: `tanh_c`, `ln_c`."""
        match node:
            case Apply("normalize"):
                return f"{norm_name(node)}_hat"
            case Apply("range"):
                return f"{path[0]}_range"
            case Apply(_, args):
                if norm := norm_name(node):
                    return norm
                if path[:-1] in self.norms:  # what a norm is applied to
                    return f"{self.norms[path[:-1]]}_in"
                if path[:-1] in self.activations:
                    return f"{self.result(path[:-1])}_in"
                word = "_".join((node.op, *(self.short(arg) for arg in args[:1])))
                return word if self.short(args[0]) else f"{path[0]}_{node.op}"
            case Choose(_, Apply("mul", (value, Ref(noise)))) if noise in self.noises:
                return f"{self.short(value)}_dropped"
            case Activate(option, value):
                return f"{option}_{self.short(value)}" if self.short(value) else f"{path[0]}_{option}"
        return f"{path[0]}_{type(node).__name__.lower()}"

    def result(self, path: Path) -> str:
        """What an activation gives, by name: its equation's, if it is all of that."""
        return path[0] if len(path) == 1 else self.said(self.activations[path], path)

    def short(self, node: Node) -> str:
        match node:
            case Ref(name, 0):
                return name.lstrip("_").replace("/", "_")
            case Ref(name):
                return f"{name}_prev"
            case Pick(Ref(name), label):
                return f"{name}_{label}"
            case Apply():
                return norm_name(node)
        return ""

    # --- forward values

    def value(self, node: Node, path: Path) -> Node:
        """A forward value, by a name where it is more than a leaf."""
        match node:
            case Number() | Ref() | Pick(Ref()):
                return node
            case Apply("linear", (inner,)):
                return self.value(inner, (*path, 0))
            case Apply() if said_again(node):
                return node
            case Apply(each, args) if each in COMPARISONS:
                return Apply(each, tuple(self.value(arg, (*path, index)) for index, arg in enumerate(args)))
            case Choose() if not self.active_below(node):
                return node
        if len(path) == 1:
            return Ref(path[0])
        if path not in self.named:
            self.named[path] = self.free.numbered(f"_{self.said(node, path)}")
        return Ref(self.named[path])

    def forward(self) -> Iterator[Equation]:
        """The author's equations, each after those that were named in it."""
        for equation in self.cell.equations:
            before: list[Equation] = []
            value = self.taken_out(equation.value, (equation.name,), equation, before)
            yield from before
            yield replace(equation, value=value)

    def taken_out(self, node: Node, path: Path, equation: Equation, before: list[Equation]) -> Node:
        below = tuple(
            self.taken_out(child, (*path, index), equation, before) for index, child in enumerate(children(node))
        )
        node = rebuild(node, below)
        if path not in self.named:
            return node
        name = self.named[path]
        before.append(replace(equation, name=name, value=node))
        if path in self.statistics:
            shape = self.merged.type(path).shape
            over = len(node.attr("over"))
            lanes = (*shape[: len(shape) - over], *[(1,)] * over)
            rstd = op("rstd", *node.args, shape=lanes, kind=node.attr("kind"), over=node.attr("over"))
            before.append(replace(equation, name=self.statistics[path], value=rstd))
        return Ref(name)

    # --- what is differentiated

    def _active(self) -> dict[str, bool]:
        """Whether an equation comes from anything that is differentiated."""
        self.active = {}
        for equation in self.cell.equations:
            self.active[equation.name] = any(
                isinstance(node, Ref) and self.moves(node) for _, node in walk(equation.value)
            )
        return self.active

    def moves(self, ref: Ref) -> bool:
        return bool(ref.ago) or self.active.get(ref.name, ref.name not in self.still)

    def active_below(self, node: Node) -> bool:
        return any(isinstance(each, Ref) and self.moves(each) for _, each in walk(node))

    def rstd(self, path: Path) -> Ref:
        """1 / the standard deviation of a norm, by the name that it is given."""
        if path not in self.statistics:
            name = f"_{self.norms[path]}"
            self.named.setdefault(path, self.free.numbered(f"{name}_hat"))
            self.statistics[path] = self.free.numbered(f"{name}_rstd")
        return Ref(self.statistics[path])


def said_again(node: Node) -> bool:
    """What is cheaper to compute again than to keep."""
    return isinstance(node, Apply) and node.op in ("add", "sub", "neg") and all(map(_leaf, node.args))


def _leaf(node: Node) -> bool:
    """A name or a number, or one of two."""
    if isinstance(node, Choose):
        return isinstance(node.a, Ref) and isinstance(node.b, (Number, Ref))
    return isinstance(node, (Number, Ref))
