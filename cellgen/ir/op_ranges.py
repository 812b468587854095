"""The range of each operation, from the ranges of its arguments: `RANGE`. Where it has a result at all: `defined`.

It is the one meaning of the operations for all that is proved, and for the numbers that refute: they are intervals that
hold a single number. What is said of a value holds for each of its lanes.
"""

from collections.abc import Callable
from fractions import Fraction
from math import ceil, floor, inf

from cellgen.ir import elementary
from cellgen.ir.intervals import (
    BIT,
    POSITIVE,
    REAL,
    End,
    absolute,
    add,
    bounded,
    clip,
    closed,
    disjoint,
    greatest,
    holds_zero,
    hull,
    hull_of,
    inside,
    invert,
    least,
    lower,
    make,
    maximum,
    meet,
    minimum,
    multiply,
    negate,
    point,
    power,
    subtract,
    upper,
)
from cellgen.ir.ops import OPS, Interval

_MOST_WHOLE = 64  # of exponents by which ends are multiplied out
_LAST_DIGIT = Fraction(1, 10**11)
SELU = Interval(-elementary.SELU[0] * elementary.SELU[1], None, True, True)


def _own(name: str) -> Interval:
    """Whatever it is applied to."""
    return SELU if name == "selu" else OPS[name].interval or REAL


def _growing(name: str) -> Callable[[Interval], Interval]:
    """A function that grows wherever it is defined."""

    def of(x: Interval) -> Interval:
        own = _own(name)
        if name in DOMAIN:
            if disjoint(x, DOMAIN[name]):
                return own
            x = meet(x, DOMAIN[name])
        low = lower(own) if x.low is None else _image(name, lower(x), False)
        high = upper(own) if x.high is None else _image(name, upper(x), True)
        return meet(make(low, high), own)

    return of


def _image(name: str, end: End, up: bool) -> End:
    """Of an end of an argument, an end of the result. A value that is not exact is never its own bound."""
    if name == "log" and end[0] <= 0:
        return -inf, False
    below, above = elementary.value(name, end[0])
    taken = end[1] and below == above
    if up:
        return (inf if above is None else above), taken
    return (-inf if below is None else below), taken


def _dipping(name: str, lowest: str, place: str) -> Callable[[Interval], Interval]:
    """A function that falls from 0, the limit on the left, down to `lowest` at a place that so many digits tell, then
    grows."""
    around = add(point(place), closed(-_LAST_DIGIT, _LAST_DIGIT))

    def of(x: Interval) -> Interval:
        ends = [(Fraction(0), False) if x.low is None else _image(name, lower(x), True), _high_of(x)]
        high = greatest(ends)
        if not disjoint(x, around):
            return make((Fraction(lowest), False), high)
        falling = x.high is not None and x.high < around.low
        return make(_image(name, upper(x) if falling else lower(x), False), high)

    def _high_of(x: Interval) -> End:
        return (inf, False) if x.high is None else _image(name, upper(x), True)

    return of


def _wave(name: str) -> Callable[[Interval], Interval]:
    """`sin` or `cos`: its ends, or 1 and -1 where a crest or a trough may lie between."""

    def of(x: Interval) -> Interval:
        own = _own(name)
        if not bounded(x):
            return own
        ends = [lower(x), upper(x)]
        low, high = (
            least([_image(name, end, False) for end in ends]),
            greatest([_image(name, end, True) for end in ends]),
        )
        shift = Fraction(1, 2) if name == "sin" else Fraction(0)
        low = lower(own) if _holds_a_turn(x, shift + 1) else low
        high = upper(own) if _holds_a_turn(x, shift) else high
        return meet(make(low, high), own)

    return of


def _holds_a_turn(x: Interval, shift: Fraction) -> bool:
    """Whether `(shift + 2 k) pi` may lie in `x`, for a whole k."""
    turns = multiply(x, invert(closed(*elementary.pi())))
    low, high = ((end - shift) / 2 for end in (turns.low, turns.high))
    return floor(high) >= ceil(low)


def _hard_silu(x: Interval) -> Interval:
    """Zero up to -3, `x (x + 3) / 6` up to 3, with its least value at -3/2, then x."""

    def at(end: End) -> End:
        value = end[0] if end[0] >= 3 else Fraction(0) if end[0] <= -3 else end[0] * (end[0] + 3) / 6
        return value, end[1]

    ends = [at(lower(x)), at(upper(x))]
    inner = (Fraction(-3, 8), point(Fraction(-3, 2))), (Fraction(0), closed(None, Fraction(-3)))
    ends += [(value, True) for value, where in inner if not disjoint(x, where)]
    return make(least(ends), greatest(ends))


def _softsign(x: Interval) -> Interval:
    def at(end: End) -> End:
        return (
            (Fraction(1 if end[0] > 0 else -1), False) if abs(end[0]) == inf else (end[0] / (1 + abs(end[0])), end[1])
        )

    return make(at(lower(x)), at(upper(x)))


def _relu(x: Interval) -> Interval:
    return maximum(x, point(0))


def _step(x: Interval) -> Interval:
    """1 where x > 0."""
    if lower(x)[0] > 0 or lower(x) == (0, False):
        return point(1)
    return point(0) if upper(x)[0] <= 0 else BIT


def _floor(x: Interval) -> Interval:
    low = None if x.low is None else Fraction(floor(x.low))
    high = None if x.high is None else Fraction(ceil(x.high) - 1 if x.high_open else floor(x.high))
    return closed(low, high)


def _mod(a: Interval, b: Interval) -> Interval:
    """From 0 up to `b`, or down to it; of a whole number of times that is known, what is left."""
    out = hull(point(0), b)
    out = Interval(out.low, out.high, out.low is None or out.low < 0, out.high is None or out.high > 0)
    times = REAL if holds_zero(b) else _floor(multiply(a, invert(b)))
    if times.low is not None and times.low == times.high:
        return meet(out, subtract(a, multiply(times, b)))
    if (a.low is not None and a.low >= 0 and b.low is not None and b.low >= 0) and a.high is not None:
        return meet(out, make(lower(out), upper(a)))
    return out


def _not(x: Interval) -> Interval:
    return subtract(point(1), x)


def _where(condition: Interval, a: Interval, b: Interval) -> Interval:
    half = Fraction(1, 2)
    if condition.low is not None and condition.low > half:
        return a
    return b if condition.high is not None and condition.high <= half else hull(a, b)


def _straight(f: Interval, g: Interval) -> Interval:
    return f


def _same(x: Interval, *_) -> Interval:
    return x


def _of_sum(x: Interval) -> Interval:
    """Of a sum of one or more lanes."""
    low = lower(x) if lower(x)[0] >= 0 else (-inf, False)
    high = upper(x) if upper(x)[0] <= 0 else (inf, False)
    return make(low, high)


def _power(base: Interval, exponent: Interval) -> Interval:
    """Zero to the power of zero is one; of a base below zero there is a value where the exponent is whole."""
    whole = exponent.low is not None and exponent.low == exponent.high and exponent.low.denominator == 1
    if whole and abs(exponent.low) <= _MOST_WHOLE:
        return power(base, int(exponent.low))
    parts = []
    if not disjoint(base, POSITIVE):
        parts.append(_of_positive(meet(base, POSITIVE), exponent))
    if not disjoint(negate(base), POSITIVE) and _may_be_whole(exponent):
        size = _of_positive(meet(negate(base), POSITIVE), exponent)
        parts += [size, negate(size)]
    if holds_zero(base):
        parts += [point(0)] if upper(exponent)[0] > 0 else []
        parts += [point(1)] if holds_zero(exponent) else []
    return hull_of(parts) if parts else REAL


def _of_positive(base: Interval, exponent: Interval) -> Interval:
    return _growing("exp")(multiply(exponent, _growing("log")(base)))


def _may_be_whole(a: Interval) -> bool:
    return not bounded(a) or ceil(a.low) <= a.high


DOMAIN = {"sqrt": closed(Fraction(0), None), "log": POSITIVE, "pow": closed(Fraction(0), None)}
"""Where the first argument has a result. (`div` is defined where the second is not zero; `pow`, where the exponent is
whole, everywhere; where it may be less than zero, not at zero.)"""


def defined(op: str, *args: Interval) -> bool | None:
    """Whether the operation has a result for all of these arguments; None: for some, as far as is known."""
    if op in ("div", "mod"):
        return False if args[1] == point(0) else None if holds_zero(args[1]) else True
    if op not in DOMAIN:
        return True
    domain = DOMAIN[op]
    if op == "pow":
        exponent = args[1]
        whole = exponent.low is not None and exponent.low == exponent.high and exponent.low.denominator == 1
        if exponent.low is None or exponent.low < 0:
            if whole:
                return defined("div", point(1), args[0])
            domain = POSITIVE
        elif whole:
            return True
        if not whole and _may_be_whole(exponent) and not disjoint(negate(args[0]), POSITIVE):
            return None
    return True if inside(args[0], domain) else False if disjoint(args[0], domain) else None


RANGE: dict[str, Callable[..., Interval]] = {
    "add": add,
    "sub": subtract,
    "mul": multiply,
    "div": lambda a, b: multiply(a, invert(b)),
    "neg": negate,
    "pow": _power,
    "less": lambda a, b: _step(subtract(b, a)),
    "less_equal": lambda a, b: _not(_step(subtract(a, b))),
    "greater": lambda a, b: _step(subtract(a, b)),
    "greater_equal": lambda a, b: _not(_step(subtract(b, a))),
    "matmul": lambda a, b: REAL,
    "normalize": lambda x, epsilon: REAL,
    "linear": _same,
    **{name: _growing(name) for name in ("sigmoid", "tanh", "elu", "selu", "softplus", "exp", "log", "sqrt")},
    "relu": _relu,
    "relu6": lambda x: clip(x, point(0), point(6)),
    "leaky_relu": lambda x: maximum(x, multiply(point(Fraction(1, 5)), x)),
    "softsign": _softsign,
    "silu": _dipping("silu", "-0.278464542762", "-1.27846454276"),
    "gelu": _dipping("gelu", "-0.16997120748", "-0.75179152469"),
    "mish": _dipping("mish", "-0.308843413018", "-1.19243121452"),
    "exponential": _growing("exp"),
    "log_sigmoid": lambda x: negate(_growing("softplus")(negate(x))),
    "hard_sigmoid": lambda x: clip(multiply(add(x, point(3)), point(Fraction(1, 6))), point(0), point(1)),
    "hard_silu": _hard_silu,
    "hard_tanh": lambda x: clip(x, point(-1), point(1)),
    "square": lambda x: power(x, 2),
    "abs": absolute,
    "sin": _wave("sin"),
    "cos": _wave("cos"),
    "step": _step,
    "floor": _floor,
    "mod": _mod,
    "minimum": minimum,
    "maximum": maximum,
    "clip": clip,
    "where": _where,
    "stop_gradient": _same,
    "straight_through": _straight,
    "range": lambda: _own("range"),
    "outer": multiply,
    "conv": lambda x, kernel: REAL,
    "sum": _of_sum,
    "mean": _same,
    "roll": _same,
    "shift": lambda x: hull(x, point(0)),
    "softmax": lambda x: _own("softmax"),
    "cumsum": _of_sum,
}
"""The range of each operation from the ranges of its arguments, where it is defined."""
