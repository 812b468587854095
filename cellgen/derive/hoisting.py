"""What reads no state gets a name of its own, so that it can run for all steps at once, before the loop.

Input and output: a `TypedCell`. Terms of a sum that read no state come first, together: `z = x @ W + h[t-1] @ U + b`
becomes `_z_x = x @ W + b` and `z = _z_x + h[t-1] @ U`. Only the order of a sum changes, so only its rounding does.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from cellgen.derive.derivative_rules import add, neg, sub
from cellgen.ir import Activate, Apply, Equation, Free, Level, Node, Path, Ref, TypedCell, children, rebuild, walk
from cellgen.shapes import Merged, Shapes, retype

Term = tuple[Node, Path, bool]  # of a sum: whether it is subtracted


def hoist(typed: TypedCell) -> TypedCell:
    """The same cell, with an equation for each largest piece that reads no state and in which there is work."""
    hoisting = _Hoisting(typed)
    equations = tuple(each for equation in typed.cell.equations for each in hoisting.equation(equation))
    return retype(typed, replace(typed.cell, equations=equations))


class _Hoisting:
    def __init__(self, typed: TypedCell):
        self.cell, self.merged = typed.cell, Merged(typed)
        self.values = {each.name for each in self.cell.equations if self.merged.live((each.name,))}
        self.free = Free(self.cell.names)

    def equation(self, equation: Equation) -> Iterator[Equation]:
        self.before: list[Equation] = []
        self.now = equation
        path = (equation.name,)
        value = equation.value
        if self.merged.live(path) and self.merged.type(path).level is Level.CARRIED:
            value = self.node(value, path)
        yield from self.before
        yield replace(equation, value=value)

    def node(self, node: Node, path: Path) -> Node:
        if not self.merged.live(path):
            return node
        if self.level(node, path) < Level.CARRIED:
            if not self.works(node, path):
                return node
            return self.name(node, node, self.level(node, path) == Level.CONSTANT)
        if isinstance(node, Apply) and node.op in ("add", "sub"):
            return self.sum(node, path)
        below = (self.node(child, (*path, index)) for index, child in enumerate(children(node)))
        return rebuild(node, tuple(below))

    def sum(self, node: Apply, path: Path) -> Node:
        terms = list(self.terms(node, path, False))
        early = [term for term in terms if self.merged.live(term[1]) and self.level(*term[:2]) < Level.CARRIED]
        early, shapes = self.fitting(early, (None,) * len(self.merged.typed.variants))
        late = [term for term in terms if term not in early]
        after, _ = self.fitting(late, shapes)
        if len(after) < len(late) or not any(self.works(term, where) for term, where, _ in early):
            below = (self.node(child, (*path, index)) for index, child in enumerate(node.args))
            return rebuild(node, tuple(below))
        total = self.name(self.total([(term, minus) for term, _, minus in early]), early[0][0])
        for term, where, minus in after:
            term = self.node(term, where)
            total = sub(total, term) if minus else add(total, term)
        return total

    def fitting(self, terms: Iterable[Term], shapes: Shapes) -> tuple[list[Term], Shapes]:
        """The terms in an order in which each broadcasts with the sum so far, whose shapes these are; without those
        that never do. And the shapes of their sum."""
        found, rest = [], list(terms)
        while rest:
            wider = ((term, self.merged.broadcast(shapes, self.merged.shapes(term[1]))) for term in rest)
            term, shape = next(((term, shape) for term, shape in wider if shape is not None), (None, None))
            if term is None:
                break
            found.append(term)
            rest.remove(term)
            shapes = shape
        return found, shapes

    def terms(self, node: Node, path: Path, minus: bool) -> Iterator[Term]:
        """The terms of a sum that broadcasts nowhere but in them, each with its sign."""
        if not (isinstance(node, Apply) and node.op in ("add", "sub")) or norm_name(node):
            yield node, path, minus
            return
        for index, arg in enumerate(node.args):
            yield from self.terms(arg, (*path, index), minus != (node.op == "sub" and index == 1))

    def total(self, terms: list[tuple[Node, bool]]) -> Node:
        (first, minus), *rest = terms
        out = neg(first) if minus else first
        for term, minus in rest:
            out = sub(out, term) if minus else add(out, term)
        return out

    def level(self, node: Node, path: Path) -> Level:
        """The highest in any variant; a name that it reads is computed where that must be in any."""
        levels = [self.merged.type((each.name,)).level for _, each in walk(node) if self.is_value(each)]
        return max([self.merged.type(path).level, *levels])

    def is_value(self, node: Node) -> bool:
        return isinstance(node, Ref) and not node.ago and node.name in self.values

    def works(self, node: Node, path: Path) -> bool:
        """Whether there is anything to compute from the input, or of places along axes. What is drawn at random alone
        is none: in inference it is a number.
        """
        computed = any(isinstance(each, (Apply, Activate)) for _, each in walk(node))
        if not computed or self.level(node, path) == Level.CONSTANT:
            return any(isinstance(each, Apply) and each.op == "range" for _, each in walk(node))
        names = {each.name for _, each in walk(node) if isinstance(each, Ref)}
        return bool(names & {*(port.name for port in self.cell.inputs), *self.values})

    def name(self, value: Node, first: Node, constant: bool = False) -> Ref:
        of = "range" if constant else self.cell.inputs[0].name
        wanted = f"_{norm_name(first) or f'{self.now.name}_{of}'}"
        name = self.free.numbered(wanted)
        self.before.append(replace(self.now, name=name, value=value))
        return Ref(name)


def norm_name(node: Node) -> str:
    """The name of the norm whose use this is; else empty."""
    hat = node
    while isinstance(hat, Apply) and hat.op in ("add", "mul") and is_norm_weight(hat.args[1]):
        hat = hat.args[0]
    if not isinstance(hat, Apply) or hat.op != "normalize":
        return ""
    return hat.span.text.partition("(")[0].strip()


def is_norm_weight(node: Node) -> bool:
    return isinstance(node, Ref) and "/" in node.name
