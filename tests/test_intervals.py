"""Intervals against numbers: of every pair of a few intervals, the result holds what comes of numbers near the ends.

And no more than that: an end that is taken comes of numbers, one that is open is approached and never reached.
"""

from fractions import Fraction
from itertools import product

import pytest

from cellgen import ranges
from cellgen.ops import Interval

NEAR, FAR = Fraction(1, 10**4), 10**4  # and their cubes: a small number times a large one may be either
ENDS = (None, Fraction(-1), Fraction(0), Fraction(2), None)
INTERVALS = [
    Interval(ENDS[i], ENDS[j], low_open, high_open)
    for i, j in product(range(5), range(5))
    if i < j or i == j and ENDS[i] is not None
    for low_open, high_open in product((False, True), repeat=2)
    if (low_open or ENDS[i] is not None) and (high_open or ENDS[j] is not None)
    if i < j or not (low_open or high_open)
]


def numbers(a):
    """Some of an interval: ends, next to them and next to that, far out, and between."""
    low = [-FAR, -(FAR**3)] if a.low is None else [a.low + NEAR, a.low + NEAR**3] if a.low_open else [a.low]
    high = [FAR, FAR**3] if a.high is None else [a.high - NEAR, a.high - NEAR**3] if a.high_open else [a.high]
    middle = (Fraction(-7, 4), Fraction(-1, 3), Fraction(0), Fraction(3, 2), Fraction(9, 4))
    return {*map(Fraction, (*low, *high)), *(x for x in middle if among(x, a))}


def among(x, a):
    above = a.low is None or x > a.low or x == a.low and not a.low_open
    return above and (a.high is None or x < a.high or x == a.high and not a.high_open)


def exactly(a, values):
    """Whether an interval is the smallest around the values, which come near all ends of it."""
    if not all(among(x, a) for x in values):
        return False
    least, most = min(values), max(values)
    low = least <= -FAR if a.low is None else least == a.low if not a.low_open else a.low < least < a.low + 3 * NEAR
    high = most >= FAR if a.high is None else most == a.high if not a.high_open else a.high - 3 * NEAR < most < a.high
    return low and high


OF_TWO = {
    "add": lambda x, y: x + y,
    "subtract": lambda x, y: x - y,
    "multiply": lambda x, y: x * y,
    "minimum": min,
    "maximum": max,
}
OF_ONE = {
    "negate": lambda x: -x,
    "absolute": abs,
    **{f"power {n}": lambda x, n=n: x**n for n in (0, 1, 2, 3, 4)},
}


@pytest.mark.parametrize("name", OF_TWO)
def test_an_operation_of_two_intervals(name):
    own, of_numbers = getattr(ranges, name), OF_TWO[name]
    for a, b in product(INTERVALS, repeat=2):
        values = {of_numbers(x, y) for x in numbers(a) for y in numbers(b)}
        assert exactly(own(a, b), values), (a, b, own(a, b))


@pytest.mark.parametrize("name", OF_ONE)
def test_an_operation_of_an_interval(name):
    word, _, exponent = name.partition(" ")
    for a in INTERVALS:
        came = getattr(ranges, word)(a, *([int(exponent)] if exponent else []))
        assert exactly(came, {OF_ONE[name](x) for x in numbers(a)}), (a, came)


def test_one_over_an_interval():
    """Unbounded where zero is among the numbers, or between them."""
    for a in INTERVALS:
        for came, of_number in ((ranges.invert(a), lambda x: 1 / x), (ranges.power(a, -3), lambda x: 1 / x**3)):
            if among(0, a):
                assert came == ranges.REAL
            else:
                assert exactly(came, {of_number(x) for x in numbers(a)}), (a, came)


def test_two_intervals_side_by_side():
    for a, b in product(INTERVALS, repeat=2):
        both = [*numbers(a), *numbers(b)]
        common = [x for x in both if among(x, a) and among(x, b)]
        assert exactly(ranges.hull(a, b), both)
        assert ranges.disjoint(a, b) == (not common)
        assert ranges.inside(a, b) == all(among(x, b) for x in numbers(a))
        if common:
            assert exactly(ranges.meet(a, b), common), (a, b, ranges.meet(a, b))


def test_where_an_interval_is():
    for a in INTERVALS:
        values = numbers(a)
        assert ranges.holds_zero(a) == among(0, a)
        assert ranges.bounded(a) == (max(map(abs, values)) < FAR)
        assert ranges.sign(a) == (all(x > 0 for x in values) - all(x < 0 for x in values))
        if values != {0}:
            assert ranges.sign(a, or_zero=True) == (all(x >= 0 for x in values) - all(x <= 0 for x in values))


def test_a_clip_of_intervals():
    """`maximum(minimum(x, high), low)` of numbers."""
    few = INTERVALS[1::4]
    for x, low, high in product(few, repeat=3):
        values = {max(min(a, c), b) for a in numbers(x) for b in numbers(low) for c in numbers(high)}
        assert exactly(ranges.clip(x, low, high), values), (x, low, high)


def test_a_mean_of_intervals():
    """Of two values, from all of the first to all of the second."""
    for low_open, high_open in product((False, True), repeat=2):
        weight = Interval(Fraction(0), Fraction(1), low_open, high_open)
        ways = numbers(weight)
        for a, b in product(INTERVALS[::2], repeat=2):
            values = {x * (1 - t) + y * t for x in numbers(a) for y in numbers(b) for t in ways}
            assert exactly(ranges.blend([a, b], weight), values), (a, b, weight, ranges.blend([a, b], weight))
