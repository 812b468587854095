"""Interval arithmetic on exact rationals, with open and closed ends, and the range of each operation.

What is said of a value holds for each of its lanes. `analyse` bounds nodes with it, `laws` polynomials.
"""

from collections.abc import Callable, Iterable
from fractions import Fraction
from math import inf

from cellgen.ops import OPS, Interval

End = tuple  # (a Fraction or an infinity, whether the end itself is taken)

REAL = Interval(None, None, True, True)
UNIT = Interval(Fraction(0), Fraction(1))
POSITIVE = Interval(Fraction(0), None, True, True)


def point(value) -> Interval:
    return Interval(Fraction(value), Fraction(value))


def exact(number) -> Fraction:
    """A rational of sympy's."""
    return Fraction(int(number.p), int(number.q))


def closed(low: Fraction | None, high: Fraction | None) -> Interval:
    return Interval(low, high, low is None, high is None)


def interval_text(a: Interval) -> str:
    """As a law writes it: `(0, 1)`, `[0, inf)`."""
    low = "(-inf" if a.low is None else f"{'(' if a.low_open else '['}{number_text(a.low)}"
    high = "inf)" if a.high is None else f"{number_text(a.high)}{')' if a.high_open else ']'}"
    return f"{low}, {high}"


def number_text(value: Fraction) -> str:
    if value.denominator == 1:
        return str(value.numerator)
    text = repr(float(value))
    return text if Fraction(text) == value else f"{value.numerator}/{value.denominator}"


def bounded(a: Interval) -> bool:
    return a.low is not None and a.high is not None


def inside(a: Interval, b: Interval) -> bool:
    """Whether every number of `a` is in `b`."""
    low, high, outer_low, outer_high = _low(a), _high(a), _low(b), _high(b)
    above = low[0] > outer_low[0] or low[0] == outer_low[0] and (outer_low[1] or not low[1])
    below = high[0] < outer_high[0] or high[0] == outer_high[0] and (outer_high[1] or not high[1])
    return above and below


def hull(a: Interval, b: Interval) -> Interval:
    """The smallest interval around both."""
    return _make(_least((_low(a), _low(b))), _greatest((_high(a), _high(b))))


def add(a: Interval, b: Interval) -> Interval:
    return _make(_plus(_low(a), _low(b)), _plus(_high(a), _high(b)))


def negate(a: Interval) -> Interval:
    return _make(_minus(_high(a)), _minus(_low(a)))


def subtract(a: Interval, b: Interval) -> Interval:
    return add(a, negate(b))


def multiply(a: Interval, b: Interval) -> Interval:
    ends = [_times(p, q) for p in (_low(a), _high(a)) for q in (_low(b), _high(b))]
    return _make(_least(ends), _greatest(ends))


def power(a: Interval, exponent: int) -> Interval:
    """`a ** exponent` for a whole exponent."""
    if exponent < 0:
        return invert(power(a, -exponent))
    if exponent == 0:
        return point(1)
    ends = [_raised(end, exponent) for end in (_low(a), _high(a))]
    if exponent % 2 == 0 and _holds_zero(a):
        return _make((Fraction(0), True), _greatest(ends))
    return _make(_least(ends), _greatest(ends))


def invert(a: Interval) -> Interval:
    """`1 / a`: unbounded where `a` has zero inside."""
    low, high = _low(a), _high(a)
    if low[0] < 0 < high[0] or low == (0, True) or high == (0, True):
        return REAL
    return _make(_inverse(high, low[0] >= 0), _inverse(low, low[0] >= 0))


def between(at_low: Interval, at_high: Interval, weight: Interval) -> Interval:
    """The range of what is linear in a weight, from its ranges at the weight's two ends.

    An end of the result is taken only if it is taken at an end that the weight takes, or at both ends at once.
    """

    def end(p: End, q: End, pick) -> End:
        if p[0] == q[0]:
            return p[0], (p[1] and q[1]) or (p[1] and not weight.low_open) or (q[1] and not weight.high_open)
        value = pick(p[0], q[0])
        return value, (p[1] and not weight.low_open) if value == p[0] else (q[1] and not weight.high_open)

    return _make(end(_low(at_low), _low(at_high), min), end(_high(at_low), _high(at_high), max))


def minimum(a: Interval, b: Interval) -> Interval:
    low = _least((_low(a), _low(b)))
    high = min(_high(a)[0], _high(b)[0])
    return _make(low, (high, all(taken for end, taken in (_high(a), _high(b)) if end == high)))


def maximum(a: Interval, b: Interval) -> Interval:
    return negate(minimum(negate(a), negate(b)))


def clip(x: Interval, low: Interval, high: Interval) -> Interval:
    """`minimum(maximum(x, low), high)`."""
    return minimum(maximum(x, low), high)


def absolute(a: Interval) -> Interval:
    if _holds_zero(a):
        return _make((Fraction(0), True), _greatest((_minus(_low(a)), _high(a))))
    return a if _low(a)[0] >= 0 else negate(a)


def meet(a: Interval, b: Interval) -> Interval:
    """What is in both; they are known to hold the same value."""
    return negate(_upper(negate(_upper(a, b)), negate(b)))


# --- operations -----------------------------------------------------------------------------------------------------


def _own(name: str) -> Interval:
    return OPS[name].interval or REAL


def _always(name: str) -> Callable[..., Interval]:
    return lambda *_: _own(name)


def _through_zero(name: str, at_zero) -> Callable[..., Interval]:
    """A function that grows, whose value at zero is known: its range over numbers of one sign is half its range."""
    middle = Fraction(at_zero)

    def of(x: Interval) -> Interval:
        whole = _own(name)
        low, high = _low(x), _high(x)
        if low[0] >= 0:
            return _make((middle, low == (0, True)), _high(whole))
        if high[0] <= 0:
            return _make(_low(whole), (middle, high == (0, True)))
        return whole

    return of


def _relu(x: Interval) -> Interval:
    return maximum(x, point(0))


def _blend(cond: Interval, a: Interval, b: Interval) -> Interval:
    return hull(a, b)


def _straight(f: Interval, g: Interval) -> Interval:
    return f


def _same(x: Interval, *_) -> Interval:
    return x


def _of_sum(x: Interval) -> Interval:
    """Of a sum of one or more lanes."""
    low = _low(x) if _low(x)[0] >= 0 else (-inf, False)
    high = _high(x) if _high(x)[0] <= 0 else (inf, False)
    return _make(low, high)


RANGE: dict[str, Callable[..., Interval]] = {name: _always(name) for name in OPS} | {
    "add": add,
    "sub": subtract,
    "mul": multiply,
    "div": lambda a, b: multiply(a, invert(b)),
    "neg": negate,
    "linear": _same,
    "relu": _relu,
    "relu6": lambda x: clip(x, point(0), point(6)),
    "hard_tanh": lambda x: clip(x, point(-1), point(1)),
    "hard_sigmoid": lambda x: clip(multiply(add(x, point(3)), point(Fraction(1, 6))), point(0), point(1)),
    "sigmoid": _through_zero("sigmoid", Fraction(1, 2)),
    "tanh": _through_zero("tanh", 0),
    "softsign": _through_zero("softsign", 0),
    "elu": _through_zero("elu", 0),
    "exp": _through_zero("exp", 1),
    "exponential": _through_zero("exponential", 1),
    "square": lambda x: power(x, 2),
    "abs": absolute,
    "minimum": minimum,
    "maximum": maximum,
    "clip": clip,
    "where": _blend,
    "stop_gradient": _same,
    "straight_through": _straight,
    "outer": multiply,
    "sum": _of_sum,
    "cumsum": _of_sum,
    "mean": _same,
}
"""The range of each operation from the ranges of its arguments. (`pow` needs its exponent: `power`.)"""


# --- ends -----------------------------------------------------------------------------------------------------------


def _low(a: Interval) -> End:
    return (-inf, False) if a.low is None else (a.low, not a.low_open)


def _high(a: Interval) -> End:
    return (inf, False) if a.high is None else (a.high, not a.high_open)


def _make(low: End, high: End) -> Interval:
    return Interval(
        None if low[0] == -inf else low[0],
        None if high[0] == inf else high[0],
        low[0] == -inf or not low[1],
        high[0] == inf or not high[1],
    )


def _taken(value, ends: Iterable[End]) -> bool:
    return any(taken for end, taken in ends if end == value)


def _least(ends: Iterable[End]) -> End:
    ends = tuple(ends)
    value = min(end for end, _ in ends)
    return value, _taken(value, ends)


def _greatest(ends: Iterable[End]) -> End:
    ends = tuple(ends)
    value = max(end for end, _ in ends)
    return value, _taken(value, ends)


def _plus(p: End, q: End) -> End:
    if abs(p[0]) == inf or abs(q[0]) == inf:
        return (p[0] if abs(p[0]) == inf else q[0]), False
    return p[0] + q[0], p[1] and q[1]


def _minus(p: End) -> End:
    return -p[0], p[1]


def _times(p: End, q: End) -> End:
    """A zero that is taken makes zero of anything; a product with an infinity has no end."""
    if p[0] == 0 or q[0] == 0:
        return Fraction(0), p == (0, True) or q == (0, True) or p[1] and q[1]
    if abs(p[0]) == inf or abs(q[0]) == inf:
        return (inf if (p[0] > 0) == (q[0] > 0) else -inf), False
    return p[0] * q[0], p[1] and q[1]


def _raised(p: End, exponent: int) -> End:
    if abs(p[0]) == inf:
        return (inf if p[0] > 0 or exponent % 2 == 0 else -inf), False
    return p[0] ** exponent, p[1]


def _inverse(p: End, positive: bool) -> End:
    if p[0] == 0:
        return (inf if positive else -inf), False
    if abs(p[0]) == inf:
        return Fraction(0), False
    return 1 / p[0], p[1]


def _holds_zero(a: Interval) -> bool:
    low, high = _low(a), _high(a)
    return low[0] < 0 < high[0] or low == (0, True) or high == (0, True)


def _upper(a: Interval, b: Interval) -> Interval:
    """`a` cut at the upper end of `b`."""
    p, q = _high(a), _high(b)
    if p[0] == q[0]:
        return _make(_low(a), (p[0], p[1] and q[1]))
    return a if p[0] < q[0] else _make(_low(a), q)
