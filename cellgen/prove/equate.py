"""Whether normal forms are zero, and expressions numbers, in every case of the signs that they depend on.

At most MAX_CASES cases of one value are looked at. A case whose signs contradict each other is left out (by
Fourier and Motzkin's elimination over their terms, up to MAX_FACTS of them).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from fractions import Fraction

from cellgen.prove.closed_forms import ABOVE, BELOW, NOT_ABOVE, NOT_BELOW, ZERO, Closed, Names, Split
from cellgen.prove.conditions import met
from cellgen.prove.domains import BASE, NOT_NEGATIVE, NOT_ZERO, POSITIVE, Demand, TooMany
from cellgen.prove.enclose import Enclosure
from cellgen.prove.meaning import Meaning
from cellgen.prove.quotients import Key, Monomial, Quotient, TooLong
from cellgen.prove.symbols import Expr

MAX_CASES = 64
MAX_FACTS = 24

HOLDS, OPEN, FAILS = range(3)

_LOW = {ABOVE: True, NOT_BELOW: False, ZERO: False}  # whether zero itself is left out
_HIGH = {BELOW: True, NOT_ABOVE: False, ZERO: False}


def zero(meaning: Meaning, enclosure: Enclosure, expr: Expr) -> bool:
    """Whether a normal form is zero wherever it is a number."""
    return expr == 0 or _worst(meaning, enclosure, lambda closed: FAILS if closed.of(expr).top else HOLDS) == HOLDS


def wherever(enclosure: Enclosure, asked: Iterable[tuple[Meaning, Iterable[Demand]]]) -> str | None:
    """Which demands are not shown to hold, as `where ...`. None: one is not in a whole case, or there are too many."""
    found: dict[str, None] = {}
    try:
        for meaning, demand in ((meaning, demand) for meaning, some in asked for demand in some):
            if demand.kind == BASE:  # of one below 0 a whole power has a sign, which closed forms do not know
                demand = replace(demand, kind=POSITIVE)
            if not met(demand, enclosure):
                worst = max((_met(meaning, enclosure, demand, expr) for expr in demand.lanes), default=HOLDS)
                if worst == FAILS:
                    return None
                if worst == OPEN:
                    found[f"`{demand.text}` {demand.kind}"] = None
    except TooMany:
        return None
    return f"where {' and '.join(found)}" if found else ""


def _met(meaning: Meaning, enclosure: Enclosure, demand: Demand, expr: Expr) -> int:
    low, high = enclosure.of(expr).low, enclosure.of(expr).high
    open_low, open_high = enclosure.of(expr).low_open, enclosure.of(expr).high_open
    above = low is not None and (low > 0 or low == 0 and (open_low or demand.kind == NOT_NEGATIVE))
    below = high is not None and (high < 0 or high == 0 and open_high)
    if above or below and demand.kind == NOT_ZERO:
        return HOLDS

    def judge(closed: Closed) -> int:
        for condition, wanted in demand.guards:
            if closed.of(condition) == closed.ring.number(1 - wanted):
                return HOLDS
        return _judged(closed, demand.kind, closed.of(expr))

    return _worst(meaning, enclosure, judge)


def _judged(closed: Closed, kind: str, value: Quotient) -> int:
    try:
        sign = closed.sign(value)
    except Split:
        return OPEN
    if sign == ABOVE or sign == BELOW and kind == NOT_ZERO or sign in (ZERO, NOT_BELOW) and kind == NOT_NEGATIVE:
        return HOLDS
    fails = (ZERO,) if kind == NOT_ZERO else (BELOW, NOT_ABOVE, ZERO) if kind in (POSITIVE, NOT_NEGATIVE) else ()
    return FAILS if sign in fails else OPEN


def _worst(meaning: Meaning, enclosure: Enclosure, judge: Callable[[Closed], int]) -> int:
    """The worst that is found in any case; FAILS where that is too much work."""
    names, found, todo = Names.of(meaning), HOLDS, [{}]
    for _ in range(MAX_CASES):
        if not todo or found == FAILS:
            break
        case = todo.pop()
        try:
            found = max(found, judge(Closed(names, enclosure, case)))
        except Split as split:
            todo += _cases(case, split)
        except (TooLong, ZeroDivisionError):
            return FAILS
    return FAILS if todo else found


def _cases(case: Mapping[Key, str], split: Split) -> Iterator[dict[Key, str]]:
    for sign in split.signs:
        each = {**case, split.part: sign}
        if possible(each.items()):
            yield each


def possible(facts: Iterable[tuple[Key, str]]) -> bool:
    """Whether signs do not contradict each other, the terms being any numbers."""
    rows: list[tuple[dict[Monomial, Fraction], bool]] = []  # more than 0, or no less
    for part, sign in facts:
        if sign in _LOW:
            rows.append((dict(part), _LOW[sign]))
        if sign in _HIGH:
            rows.append(({term: -number for term, number in part}, _HIGH[sign]))
    while rows and len(rows) <= MAX_FACTS:
        term = next((term for row, _ in rows for term in row if term), None)
        if term is None:
            return all(row.get((), 0) > 0 or not strict and row.get((), 0) == 0 for row, strict in rows)
        ups = [each for each in rows if each[0].get(term, 0) > 0]
        downs = [each for each in rows if each[0].get(term, 0) < 0]
        rows = [each for each in rows if term not in each[0]]
        rows += [_without(term, up, down) for up in ups for down in downs]
    return True


def _without(term: Monomial, up: tuple, down: tuple) -> tuple[dict[Monomial, Fraction], bool]:
    (p, p_strict), (q, q_strict) = up, down
    out = {each: -q[term] * number for each, number in p.items()}
    for each, number in q.items():
        out[each] = out.get(each, Fraction(0)) + p[term] * number
    return {each: number for each, number in out.items() if number}, p_strict or q_strict
