"""The types of an expression that stands beside a program, such as a side of a law."""

from collections.abc import Mapping

from cellgen.algebra import Algebra
from cellgen.cell import Level, Type, TypedCell, TypedVariant
from cellgen.diagnostics import Report
from cellgen.expr import Node, Path, Pick, Ref, walk
from cellgen.shapes import _Typing, _Wrong
from cellgen.variants import Alive


def exists(typed: TypedCell, variant: TypedVariant, node: Node) -> bool:
    """Whether every name and label of an expression is there in the variant."""
    cell = typed.cell
    ports = {port.name for port in cell.inputs if port.optional and not variant.variant.get(port.name, False)}
    equations = {equation.name for equation in cell.equations}
    for _, each in walk(node):
        if isinstance(each, Ref) and not each.ago:
            if each.name in ports or variant.names.get(each.name) is None or each.name in equations - set(variant.live):
                return False
        if isinstance(each, Pick) and each.label not in _labels(typed, variant):
            return False
    return True


def _labels(typed: TypedCell, variant: TypedVariant) -> set[str]:
    live = [each.value for each in typed.cell.equations if each.name in variant.live]
    return {node.label for value in live for path, node in walk(value) if isinstance(node, Pick)}


def expression_types(typed: TypedCell, variant: TypedVariant, node: Node, path: Path, report: Report) -> Mapping[Path, Type] | None:
    """The type of each node by path, the root's being `path`. What is wrong is reported, and None returned."""
    typing = object.__new__(_Typing)
    typing.cell, typing.report = typed.cell, report
    typing.alive = Alive(variant.variant, variant.live, frozenset(variant.names), frozenset())
    typing.same, typing.dims = dict(variant.same), Algebra.of(typed.cell, variant.same)
    typing.axes = {axis.name: axis for axis in typed.cell.axes}
    typing.names, typing.weights = dict(variant.names), {weight.name: weight.shape for weight in variant.weights}
    typing.types, typing.where = {}, {}
    typing.carried = {state.name: Type(typing.dims.canonical(state.shape), Level.CARRIED, state.binary) for state in typed.cell.states}
    try:
        typing.type(node, path)
    except _Wrong:
        return None
    return typing.types
