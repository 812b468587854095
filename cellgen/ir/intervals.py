"""Interval arithmetic on exact rationals, with open and closed ends."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from decimal import Context, Decimal
from fractions import Fraction
from functools import reduce
from math import inf, log10

from cellgen.ir.elementary import outward, precise, within
from cellgen.ir.ops import Interval, interval

End = tuple  # (a Fraction or an infinity, whether the end itself is taken; an infinity never is)

_NOUGHT = Fraction(0)

SHOWN = 4  # digits of an end that is told
LONG = 400  # digits of a number: what a spec writes is shorter

REAL = interval("(-inf, inf)")
ZERO = interval("[0, 0]")
UNIT = interval("[0, 1]")
BIT = UNIT  # of what is 0 or 1
POSITIVE = interval("(0, inf)")
NEGATIVE = interval("(-inf, 0]")  # or zero


def point(value) -> Interval:
    value = Fraction(value)
    return Interval(value, value)


def exact(number) -> Fraction:
    """A rational of sympy's."""
    return Fraction(int(number.p), int(number.q))


def closed(low: Fraction | None, high: Fraction | None) -> Interval:
    return Interval(low, high, low is None, high is None)


def interval_text(a: Interval) -> str:
    """As a law writes it: `(0, 1)`, `[0, inf)`. Of a long number a few digits, further out."""
    a = rounded(a, SHOWN)
    low = "(-inf" if a.low is None else f"{'(' if a.low_open else '['}{number_text(a.low)}"
    high = "inf)" if a.high is None else f"{number_text(a.high)}{')' if a.high_open else ']'}"
    return f"{low}, {high}"


def rounded(a: Interval, digits: int) -> Interval:
    """With ends of so many digits, further out; of a short fraction the end itself."""

    def end(value: Fraction | None, is_open: bool, up: bool) -> tuple[Fraction | None, bool]:
        if value is None or value.denominator < 10**digits:
            return value, is_open
        with precise(digits):
            out = outward(value, up)
        return out, is_open or out != value

    (low, low_open), (high, high_open) = end(a.low, a.low_open, False), end(a.high, a.high_open, True)
    return Interval(low, high, low_open, high_open)


def number_text(value: Fraction) -> str:
    """As it is written in a spec: whole, or as a float that is it, or as a fraction; a long one in a few digits."""
    if value.denominator == 1 and abs(value) < 10**16:
        return str(value.numerator)
    with suppress(OverflowError):
        text = repr(float(value))
        if Fraction(text) == value:
            return text
    if (value.numerator.bit_length() + value.denominator.bit_length()) * log10(2) <= LONG:
        return str(value)
    return f"{Context(prec=SHOWN).divide(Decimal(value.numerator), Decimal(value.denominator)):e}"


def bounded(a: Interval) -> bool:
    return a.low is not None and a.high is not None


def inside(a: Interval, b: Interval) -> bool:
    """Whether every number of `a` is in `b`."""
    above = b.low is None or a.low is not None and (a.low > b.low or a.low == b.low and (a.low_open or not b.low_open))
    return above and (
        b.high is None
        or a.high is not None
        and (a.high < b.high or a.high == b.high and (a.high_open or not b.high_open))
    )


def hull(a: Interval, b: Interval) -> Interval:
    """The smallest interval around both."""
    return make(least((lower(a), lower(b))), greatest((upper(a), upper(b))))


def hull_of(found: Iterable[Interval]) -> Interval:
    """The smallest interval around one or more."""
    return reduce(hull, found)


def add(a: Interval, b: Interval) -> Interval:
    return make(_plus(lower(a), lower(b)), _plus(upper(a), upper(b)))


def negate(a: Interval) -> Interval:
    return make(_minus(upper(a)), _minus(lower(a)))


def subtract(a: Interval, b: Interval) -> Interval:
    return add(a, negate(b))


def multiply(a: Interval, b: Interval) -> Interval:
    s, t = sign(a, True), sign(b, True)
    if s and t:  # the ends nearer to zero make one end, the others the other
        (near, far), (close, wide) = _ends(a, s), _ends(b, t)
        ends = _times(near, close), _times(far, wide)
        return make(*ends) if s == t else make(*ends[::-1])
    ends = [_times(p, q) for p in (lower(a), upper(a)) for q in (lower(b), upper(b))]
    return make(least(ends), greatest(ends))


def scaled(factor: Fraction, a: Interval) -> Interval:
    """`factor * a`."""
    return make(*(_times((factor, True), end) for end in _ends(a, 1 if factor.numerator >= 0 else -1)))


def power(a: Interval, exponent: int) -> Interval:
    """`a ** exponent` for a whole exponent."""
    if exponent < 0:
        return invert(power(a, -exponent))
    if exponent == 0:
        return point(1)
    if exponent == 1:
        return make(lower(a), upper(a))
    lows, highs = ([_raised(end, exponent, up) for end in (lower(a), upper(a))] for up in (False, True))
    if exponent % 2 == 0 and holds_zero(a):
        return make((Fraction(0), True), greatest(highs))
    return make(least(lows), greatest(highs))


def invert(a: Interval) -> Interval:
    """`1 / a`: unbounded where `a` has zero inside."""
    low, high = lower(a), upper(a)
    if low[0] < 0 < high[0] or low == (0, True) or high == (0, True):
        return REAL
    return make(_inverse(high, -inf), _inverse(low, inf))


def blend(values: Sequence[Interval], weight: Interval) -> Interval:
    """The range of a mean of values with the weights that Bernstein's polynomials have over an interval, `weight`.

    At its ends the first or the last has all the weight, between them each has some: so an end of the result is taken
    only if it is taken at an end that `weight` takes, or by all at once.
    """

    def end(ends: list[End], value) -> End:
        first, last = ends[0] == (value, True), ends[-1] == (value, True)
        everywhere = all(each == (value, True) for each in ends)
        return value, everywhere or first and not weight.low_open or last and not weight.high_open

    lows, highs = [lower(each) for each in values], [upper(each) for each in values]
    return make(end(lows, min(low for low, _ in lows)), end(highs, max(high for high, _ in highs)))


def sign(a: Interval, or_zero: bool = False) -> int:
    """1 or -1 if all numbers have this sign (or are zero), else 0."""
    low, high = (1 if end is None else end.numerator for end in (a.low, a.high))
    if a.low is not None and (low > 0 or low == 0 and (or_zero or a.low_open)):
        return 1
    return -1 if a.high is not None and (high < 0 or high == 0 and (or_zero or a.high_open)) else 0


def minimum(a: Interval, b: Interval) -> Interval:
    low = least((lower(a), lower(b)))
    high = min(upper(a)[0], upper(b)[0])
    return make(low, (high, all(taken for end, taken in (upper(a), upper(b)) if end == high)))


def maximum(a: Interval, b: Interval) -> Interval:
    return negate(minimum(negate(a), negate(b)))


def clip(x: Interval, low: Interval, high: Interval) -> Interval:
    """`maximum(minimum(x, high), low)`: where the bounds cross, `low`."""
    return maximum(minimum(x, high), low)


def absolute(a: Interval) -> Interval:
    if holds_zero(a):
        return make((Fraction(0), True), greatest((_minus(lower(a)), upper(a))))
    return a if lower(a)[0] >= 0 else negate(a)


def disjoint(a: Interval, b: Interval) -> bool:
    """Whether no number is in both."""

    def apart(high: Fraction | None, low: Fraction | None, is_open: bool) -> bool:
        return high is not None and low is not None and (high < low or high == low and is_open)

    return apart(a.high, b.low, a.high_open or b.low_open) or apart(b.high, a.low, b.high_open or a.low_open)


def meet(a: Interval, b: Interval) -> Interval:
    """What is in both; they are known to hold the same value."""
    low = lower(b) if a.low is None else lower(a) if b.low is None else _further(lower(a), lower(b), True)
    high = upper(b) if a.high is None else upper(a) if b.high is None else _further(upper(a), upper(b), False)
    return make(low, high)


# --- ends -----------------------------------------------------------------------------------------------------------


def lower(a: Interval) -> End:
    return (-inf, False) if a.low is None else (a.low, not a.low_open)


def upper(a: Interval) -> End:
    return (inf, False) if a.high is None else (a.high, not a.high_open)


def _ends(a: Interval, sign: int) -> tuple[End, End]:
    """Both, the lower one first; by a negative sign the upper one."""
    return (lower(a), upper(a)) if sign > 0 else (upper(a), lower(a))


def make(low: End, high: End) -> Interval:
    """An interval between two ends, as far as those are bounds (`elementary.within`)."""
    (low, low_taken), (high, high_taken) = _within(low, False), _within(high, True)
    return Interval(
        None if isinstance(low, float) and low < 0 else low,  # the only floats are infinities
        None if isinstance(high, float) and high > 0 else high,
        not low_taken,
        not high_taken,
    )


def _within(end: End, up: bool) -> End:
    value = end[0]
    if isinstance(value, float):
        return end  # an infinity
    near = within(value, up)
    if near is value:
        return end
    return (inf if up else -inf) if near is None else near, False


def _taken(value, ends: Iterable[End]) -> bool:
    return any(taken for end, taken in ends if end == value)


def least(ends: Iterable[End]) -> End:
    ends = tuple(ends)
    value = min(end for end, _ in ends)
    return value, _taken(value, ends)


def greatest(ends: Iterable[End]) -> End:
    ends = tuple(ends)
    value = max(end for end, _ in ends)
    return value, _taken(value, ends)


def _plus(p: End, q: End) -> End:
    for end in (p, q):
        if isinstance(end[0], float):  # an infinity
            return end[0], False
    return p[0] + q[0], p[1] and q[1]


def _minus(p: End) -> End:
    return -p[0], p[1]


def _times(p: End, q: End) -> End:
    """A zero that is taken makes zero of anything; a product with an infinity has no end."""
    (a, a_taken), (b, b_taken) = p, q
    if not a or not b:
        return _NOUGHT, not a and a_taken or not b and b_taken or a_taken and b_taken
    if isinstance(a, float) or isinstance(b, float):  # an infinity
        return (inf if (a > 0) == (b > 0) else -inf), False
    return a * b, a_taken and b_taken


def _raised(p: End, exponent: int, up: bool) -> End:
    """An end to a power, as a bound (`_within`) like each power on the way to it."""
    minus = p[0] < 0 and exponent % 2 == 1
    out, square, further = (Fraction(1), True), (abs(p[0]), p[1]), up != minus
    while exponent:
        if exponent % 2:
            out = _within(_times(out, square), further)
        exponent //= 2
        square = _within(_times(square, square), further) if exponent else square
    return _minus(out) if minus else out


def _inverse(p: End, of_zero: float) -> End:
    if p[0] == 0:
        return of_zero, False
    if abs(p[0]) == inf:
        return Fraction(0), False
    return 1 / p[0], p[1]


def holds_zero(a: Interval) -> bool:
    low, high = lower(a), upper(a)
    return low[0] < 0 < high[0] or low == (0, True) or high == (0, True)


def _further(p: End, q: End, up: bool) -> End:
    """Of two ends on one side the higher (`up`) or the lower; taken if both are."""
    if p[0] == q[0]:
        return p[0], p[1] and q[1]
    return p if (p[0] > q[0]) == up else q
