"""The types of an expression that stands beside a program, such as a side of a law."""

from collections.abc import Mapping

from cellgen.diagnostics import Refused, Report
from cellgen.ir import (
    Choose,
    Law,
    Node,
    Path,
    Pick,
    Ref,
    Type,
    TypedCell,
    TypedVariant,
    Variant,
    asked,
    holds,
    live_walk,
    walk,
)
from cellgen.shapes.context import Context
from cellgen.shapes.infer import infer

Types = Mapping[Path, Type]


def speaks_of(law: Law, variant: Variant) -> bool:
    """Whether the variant is one of those that a law is about."""
    questions = (question for test in law.tests for question in asked(test))
    return all(each.name in variant for each in questions) and all(holds(test, variant) for test in law.tests)


def exists(typed: TypedCell, variant: TypedVariant, node: Node) -> bool:
    """Whether every name and label of an expression is there in the variant."""
    cell, answers = typed.cell, variant.variant
    tests = [each.test for _, each in walk(node) if isinstance(each, Choose)]
    if any(question.name not in answers for test in tests for question in asked(test)):
        return False
    absent = {port.name for port in cell.inputs if not port.there(answers)}
    absent |= {equation.name for equation in cell.equations if equation.name not in variant.live}
    for _, each in live_walk(node, answers):
        if isinstance(each, Ref) and not each.ago and (each.name in absent or variant.names.get(each.name) is None):
            return False
        if isinstance(each, Pick) and each.label not in _labels(typed, variant):
            return False
    return True


def _labels(typed: TypedCell, variant: TypedVariant) -> set[str]:
    """The labels that live equations read; others may have no width."""
    live = [equation.value for equation in typed.cell.equations if equation.name in variant.live]
    return {node.label for value in live for _, node in live_walk(value, variant.variant) if isinstance(node, Pick)}


def expression_types(typed: TypedCell, variant: TypedVariant, node: Node, path: Path, report: Report) -> Types | None:
    """The type of each node by path, the root's being `path`. What is wrong is reported, and None returned."""
    context = Context.of(typed.cell, variant, report)
    try:
        infer(node, path, context)
    except Refused:
        return None
    return context.types
