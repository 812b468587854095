"""Whether a demand of `domains` is met: by ranges, and by what the arms of `where` that it stands in say."""

from cellgen.ir import POSITIVE, intervals
from cellgen.prove.domains import NOT_NEGATIVE, NOT_ZERO, Demand, Guard
from cellgen.prove.enclose import Enclosure
from cellgen.prove.symbols import Expr

_NO_LESS = intervals.closed(POSITIVE.low, None)


def met(demand: Demand, enclosure: Enclosure) -> bool:
    """Whether it is, wherever the value is asked for."""
    inner = under(enclosure, demand.guards)
    if inner is None:
        return True
    kind = demand.kind
    if demand.exponents and all(intervals.inside(inner.of(expr), _NO_LESS) for expr in demand.exponents):
        kind = NOT_NEGATIVE
    return all(_keeps(kind, inner, expr) for expr in demand.lanes)


def under(enclosure: Enclosure, guards: tuple[Guard, ...]) -> Enclosure | None:
    """What is known where the guards hold; None where they never do."""
    for condition, value in guards:
        enclosure = enclosure and _where(enclosure, condition, value)
    return enclosure


def _keeps(kind: str, enclosure: Enclosure, expr: Expr) -> bool:
    found = enclosure.of(expr)
    if kind == NOT_ZERO:
        return not intervals.holds_zero(found)
    return intervals.inside(found, _NO_LESS if kind == NOT_NEGATIVE else POSITIVE)


def _where(enclosure: Enclosure, condition: Expr, value: int) -> Enclosure | None:
    """With what a condition says; of a product of conditions that holds, with what each says. None: it cannot be."""
    if condition.is_Rational:
        return enclosure if condition == value else None
    for each, wanted in ((condition, value), (1 - condition, 1 - value)):
        parts = each.as_ordered_factors() if wanted else [each]
        if all(part.is_Symbol and enclosure.is_condition(part) for part in parts):
            for part in parts:
                enclosure = enclosure and enclosure.under(part, wanted)
            return enclosure
    return enclosure
