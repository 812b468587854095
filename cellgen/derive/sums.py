"""Sums over lanes that are added are one sum: `sum(a) - sum(b)` is `sum(a - b)`.

What the derivative by a number of each sample comes from is wide, and summed last: a sum over lanes costs more than the
elementwise arithmetic before it.
"""

from collections.abc import Iterator
from dataclasses import replace

from cellgen.derive.derivative_rules import ZERO, add, neg
from cellgen.ir import Apply, Choose, Node, Number, Ref, Test

ELEMENTWISE = ("add", "sub", "mul", "neg")


def gathered(node: Node) -> Node:
    """A sum with its sums over the same lanes taken together."""
    match node:
        case Choose(test, a, b, span):
            return Choose(test, gathered(a), gathered(b), span)
    terms = list(_terms(node))
    always = {lanes[0] for _, term in terms if (lanes := _lanes(term)) is not None}
    terms = [(sign, _sometimes(term, always)) for sign, term in terms]
    groups: dict[tuple, list[Node]] = {}
    for sign, term in terms:
        if (lanes := _lanes(term)) is not None:
            groups.setdefault(lanes[0], []).append(lanes[1] if sign > 0 else neg(lanes[1]))
    if all(len(group) < 2 for group in groups.values()):
        return node
    total: Node = ZERO
    done = set()
    for sign, term in terms:
        lanes = _lanes(term)
        if lanes is None:
            total = add(total, term if sign > 0 else neg(term))
        elif lanes[0] not in done:
            done.add(lanes[0])
            inner: Node = ZERO
            for each in groups[lanes[0]]:
                inner = add(inner, each)
            total = add(total, Apply("sum_to", (inner,), lanes[0]))
    return total


def _lanes(term: Node) -> tuple[tuple, Node] | None:
    """What is summed, and how."""
    match term:
        case Apply("sum_to", (inner,), attrs) if dict(attrs)["batch"]:
            return attrs, inner
    return None


def _sometimes(term: Node, always: set[tuple]) -> Node:
    """What is summed in some variants, as a part of what is summed in all."""
    match term:
        case Choose(test, Apply("sum_to", (inner,), attrs) as sum_, Number(value)) if attrs in always and value == 0:
            return replace(sum_, args=(Choose(test, inner, ZERO),))
    return term


def _terms(node: Node, sign: int = 1) -> Iterator[tuple[int, Node]]:
    match node:
        case Apply("add", (a, b)):
            yield from _terms(a, sign)
            yield from _terms(b, sign)
        case Apply("sub", (a, b)):
            yield from _terms(a, sign)
            yield from _terms(b, -sign)
        case Apply("neg", (a,)):
            yield from _terms(a, -sign)
        case _:
            yield sign, node


def summed_in(node: Node | None) -> tuple[Test | None, Apply] | None:
    """The test and the sum of what is a sum over lanes in some variants and nothing in others."""
    match node:
        case Apply("sum_to", _, attrs) if dict(attrs)["batch"]:
            return None, node
        case Choose(test, Apply("sum_to", _, attrs) as inner, Apply("zeros")) if dict(attrs)["batch"]:
            return test, inner
    return None


def lanes_of(node: Node) -> bool:
    """Whether a value is the sum of lanes that have a name."""
    match node:
        case Apply("sum_to", (Ref(),), attrs):
            return dict(attrs)["batch"]
    return False


def polynomial(node: Node) -> bool:
    """Whether a value is made by sums and products alone."""
    if isinstance(node, Apply):
        return node.op in ELEMENTWISE and all(map(polynomial, node.args))
    return not isinstance(node, Choose)
