"""Intervals against numbers: of every pair of a few intervals, the result holds what comes of numbers near the ends.

And no more than that: an end that is taken comes of numbers, one that is open is approached and never reached.
"""

import math
import random
from fractions import Fraction
from itertools import combinations, product

import mpmath
import pytest
import sympy
from sympy.core.cache import clear_cache

from cellgen.interpret.arithmetic import NUMPY
from cellgen.ir import elementary, intervals
from cellgen.ir.intervals import BIT, point
from cellgen.ir.op_ranges import RANGE, defined
from cellgen.ir.ops import OPS, Interval, interval
from cellgen.prove import enclose
from cellgen.prove.enclose import Enclosure
from cellgen.prove.polynomials import by_power, polynomial
from cellgen.prove.symbols import Arithmetic, Table

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
    middle = (Fraction(-7, 4), Fraction(-1), Fraction(-1, 3), Fraction(0), Fraction(1), Fraction(3, 2), Fraction(9, 4))
    return {*map(Fraction, (*low, *high)), *(x for x in middle if among(x, a))}


def among(x, a):
    above = a.low is None or x > a.low or x == a.low and not a.low_open
    return above and (a.high is None or x < a.high or x == a.high and not a.high_open)


def exactly(a, values):
    """Whether an interval is the smallest around the values, which come near all ends of it; no infinity is taken."""
    if (
        not all(among(x, a) for x in values)
        or (a.low, a.low_open) == (None, False)
        or (a.high, a.high_open) == (None, False)
    ):
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
    own, of_numbers = getattr(intervals, name), OF_TWO[name]
    for a, b in product(INTERVALS, repeat=2):
        values = {of_numbers(x, y) for x in numbers(a) for y in numbers(b)}
        assert exactly(own(a, b), values), (a, b, own(a, b))


@pytest.mark.parametrize("name", OF_ONE)
def test_an_operation_of_an_interval(name):
    word, _, exponent = name.partition(" ")
    for a in INTERVALS:
        came = getattr(intervals, word)(a, *([int(exponent)] if exponent else []))
        assert exactly(came, {OF_ONE[name](x) for x in numbers(a)}), (a, came)


def test_one_over_an_interval():
    """Unbounded where zero is among the numbers, or between them."""
    for a in INTERVALS:
        for came, of_number in ((intervals.invert(a), lambda x: 1 / x), (intervals.power(a, -3), lambda x: 1 / x**3)):
            if among(0, a):
                assert came == intervals.REAL
            else:
                assert exactly(came, {of_number(x) for x in numbers(a)}), (a, came)


def test_two_intervals_side_by_side():
    for a, b in product(INTERVALS, repeat=2):
        both = [*numbers(a), *numbers(b)]
        common = [x for x in both if among(x, a) and among(x, b)]
        assert exactly(intervals.hull(a, b), both)
        assert intervals.disjoint(a, b) == (not common)
        assert intervals.inside(a, b) == all(among(x, b) for x in numbers(a))
        if common:
            assert exactly(intervals.meet(a, b), common), (a, b, intervals.meet(a, b))


def test_where_an_interval_is():
    for a in INTERVALS:
        values = numbers(a)
        assert intervals.holds_zero(a) == among(0, a)
        assert intervals.bounded(a) == (max(map(abs, values)) < FAR)
        assert intervals.sign(a) == (all(x > 0 for x in values) - all(x < 0 for x in values))
        if values != {0}:
            assert intervals.sign(a, or_zero=True) == (all(x >= 0 for x in values) - all(x <= 0 for x in values))


def test_a_clip_of_intervals():
    """`maximum(minimum(x, high), low)` of numbers."""
    few = INTERVALS[1::4]
    for x, low, high in product(few, repeat=3):
        values = {max(min(a, c), b) for a in numbers(x) for b in numbers(low) for c in numbers(high)}
        assert exactly(intervals.clip(x, low, high), values), (x, low, high)


def test_a_mean_of_intervals():
    """Of two values, from all of the first to all of the second."""
    for low_open, high_open in product((False, True), repeat=2):
        weight = Interval(Fraction(0), Fraction(1), low_open, high_open)
        ways = numbers(weight)
        for a, b in product(INTERVALS[::2], repeat=2):
            values = {x * (1 - t) + y * t for x in numbers(a) for y in numbers(b) for t in ways}
            assert exactly(intervals.blend([a, b], weight), values), (a, b, weight, intervals.blend([a, b], weight))


# --- the range of each operation of the language ----------------------------------------------------------------------

BENT = [*INTERVALS]  # and around the places where an activation bends
for low, high in combinations(map(Fraction, (-4, -3, -2, 1, 3, 5, 6, 7)), 2):
    BENT += [Interval(low, high, *open_) for open_ in product((False, True), repeat=2)]
PLACES = (*map(Fraction, (-3, -1, 0, 1, 3, 6)), Fraction(-3, 2))


def relu6(x):
    return min(max(x, 0), 6)


RATIONAL = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "outer": lambda x, y: x * y,
    "neg": lambda x: -x,
    "less": lambda x, y: int(x < y),
    "less_equal": lambda x, y: int(x <= y),
    "greater": lambda x, y: int(x > y),
    "greater_equal": lambda x, y: int(x >= y),
    "minimum": min,
    "maximum": max,
    "straight_through": lambda x, y: x,
    "linear": lambda x: x,
    "stop_gradient": lambda x: x,
    "mean": lambda x: x,
    "relu": lambda x: max(x, 0),
    "relu6": relu6,
    "leaky_relu": lambda x: x if x > 0 else x / 5,
    "softsign": lambda x: x / (1 + abs(x)),
    "hard_sigmoid": lambda x: relu6(x + 3) / 6,
    "hard_silu": lambda x: x * relu6(x + 3) / 6,
    "hard_tanh": lambda x: min(max(x, -1), 1),
    "square": lambda x: x * x,
    "abs": abs,
    "step": lambda x: int(x > 0),
    "floor": math.floor,
}


@pytest.mark.parametrize("op", RATIONAL)
def test_the_range_of_a_rational_operation_is_the_smallest(op):
    arity = OPS[op].arity
    for around in product(BENT if arity == 1 else INTERVALS[::2], repeat=arity):
        each = [numbers(a) | {x for x in PLACES if among(x, a)} for a in around]
        values = {Fraction(RATIONAL[op](*at)) for at in product(*each)}
        assert exactly(RANGE[op](*around), values), (op, around, RANGE[op](*around))


def test_the_range_of_a_quotient_a_choice_and_a_sum():
    for a, b in product(INTERVALS[::2], repeat=2):
        if not among(0, b):
            assert exactly(RANGE["div"](a, b), {x / y for x in numbers(a) for y in numbers(b)}), (a, b)
        for condition, values in ((point(1), numbers(a)), (point(0), numbers(b)), (BIT, numbers(a) | numbers(b))):
            assert exactly(RANGE["where"](condition, a, b), values), (condition, a, b)
    for a in INTERVALS:
        for op in ("sum", "cumsum"):  # of one lane or more
            several = {x * count for x in numbers(a) for count in (1, 2, FAR**4)}
            assert exactly(RANGE[op](a), several | {x + y for x in numbers(a) for y in numbers(a)}), (op, a)
    for op in ("matmul", "conv", "normalize"):
        assert RANGE[op](point(1), point(1)) == intervals.REAL
    assert RANGE["softmax"](intervals.REAL) == Interval(Fraction(0), Fraction(1), True, False)


@pytest.mark.parametrize(
    ("a", "b", "wanted"),
    [
        ("(-inf, inf)", "[2, 2]", "[0, 2)"),
        ("(-inf, inf)", "[-2, -2]", "(-2, 0]"),
        ("(-inf, inf)", "(0, inf)", "[0, inf)"),
        ("(-inf, inf)", "[-1, 3]", "(-1, 3)"),
        ("[5, 6)", "[4, 4]", "[1, 2)"),
        ("[-1, 0)", "[4, 4]", "[3, 4)"),
        ("[3, 5]", "[4, 4]", "[0, 4)"),
        ("[0, 1]", "[1, 9]", "[0, 1]"),
        ("[0, 1/2]", "[1, 9]", "[0, 1/2]"),
        ("[7, 7]", "[-3, -3]", "[-2, -2]"),
    ],
)
def test_the_range_of_a_remainder(a, b, wanted):
    assert RANGE["mod"](interval(a), interval(b)) == interval(wanted)


# functions that grow: their limits on both sides (None: they have none), and where they take a number that is known
GROWING = {
    "sigmoid": (0, 1, {0}),
    "tanh": (-1, 1, {0}),
    "elu": (-1, None, {0, 1, 4}),
    "selu": (-1.7580993408473766, None, {0, 1, 4}),
    "softplus": (0, None, set()),
    "log_sigmoid": (None, 0, set()),
    "exp": (0, None, {0}),
    "exponential": (0, None, {0}),
    "log": (None, None, {1}),
    "sqrt": (0, None, {0, 1, 4}),
}
# others: where they turn
TURNING = {
    "silu": [-1.278464542761074],
    "gelu": [-0.7517915246935645],
    "mish": [-1.1924312145154],
    "sin": [(k + 0.5) * math.pi for k in range(-4, 4)],
    "cos": [k * math.pi for k in range(-4, 4)],
}
SOME = [
    Interval(low, high, low_open or low is None, high_open or high is None)
    for low, high in product((None, *map(Fraction, (-5, -1, 0, 1))), (*map(Fraction, (-1, 0, 1, 4)), None))
    if low is None or high is None or low < high
    for low_open, high_open in product((False, True), repeat=2)
]


def near(end, value):
    return abs(float(end) - value) <= 1e-9 * (1 + abs(value))


@pytest.mark.parametrize("op", GROWING)
def test_the_range_of_a_function_that_grows_is_the_smallest(op):
    left, right, known = GROWING[op]
    start = {"log": 0, "sqrt": 0}.get(op)
    for a in SOME:
        if start is not None and (a.high is None or a.high > start):
            a = intervals.meet(a, Interval(Fraction(0), None, op == "log", True))
        elif start is not None:
            continue
        found = RANGE[op](a)
        low = left if a.low is None or op == "log" and a.low == 0 else float(NUMPY[op](float(a.low)))
        high = right if a.high is None else float(NUMPY[op](float(a.high)))
        assert found.low is None if low is None else near(found.low, low), (a, found)
        assert found.high is None if high is None else near(found.high, high), (a, found)
        assert found.low_open == (a.low_open or a.low not in known), (a, found)
        assert found.high_open == (a.high_open or a.high not in known), (a, found)


@pytest.mark.parametrize("op", TURNING)
def test_the_range_of_a_function_that_turns_is_the_smallest(op):
    """Between its ends and its turns; far out a wave has had them all, and the others go to 0 and on."""
    for a in SOME:
        found = RANGE[op](a)
        ends = [-4 * math.pi if a.low is None else float(a.low), 4 * math.pi if a.high is None else float(a.high)]
        places = [*ends, *(x for x in TURNING[op] if ends[0] < x < ends[1])]
        values = [float(NUMPY[op](x)) for x in places]
        if op in ("sin", "cos"):
            assert near(found.low, min(values)) and near(found.high, max(values)), (a, found)
        else:
            values[0] = 0.0 if a.low is None else values[0]
            assert near(found.low, min(values)), (a, found)
            assert found.high is None if a.high is None else near(found.high, max(values)), (a, found)
        for zero, is_open in ((a.low, a.low_open), (a.high, a.high_open)):
            if zero == 0 and op != "cos":  # which is only known to have a turn there
                assert found.low != 0 or found.low_open == is_open, (a, found)
                assert found.high != 0 or found.high_open == is_open, (a, found)


def test_the_range_of_a_root_as_a_power():
    """Of what is no less than zero, if the exponent is no whole number."""
    for n in (Fraction(1, 2), Fraction(3, 2), Fraction(-1, 2)):
        for a in SOME:
            if a.low is not None and a.low >= 0 and (n > 0 or a.low > 0):
                found = RANGE["pow"](a, point(n))
                ends = [float(a.low) ** float(n), math.inf if a.high is None else float(a.high) ** float(n)]
                low, high = sorted(ends if n > 0 or a.high is not None else [0.0, ends[0]])
                assert near(found.low, low), (a, n, found)
                assert found.high is None if high == math.inf else near(found.high, high), (a, n, found)


@pytest.mark.parametrize(
    "exponents", ["[0, 2]", "[1/2, 3/2]", "[-1, 1]", "(0, 2]", "[0, inf)", "[-2, -1/2]", "[1/3, 2/3]"]
)
def test_the_range_of_a_power_that_an_option_says(exponents):
    """Zero to the power of zero is one; below zero there is a value where the exponent is whole."""
    for a in SOME:
        found, taken = RANGE["pow"](a, interval(exponents)), []
        places = numbers(a) | {x for x in (NEAR**3, NEAR) if among(x, a)}
        for x, n in product(
            places, numbers(interval(exponents)) | {n for n in (-1, 0, 1, 2) if among(n, interval(exponents))}
        ):
            if has_a_result("pow", x, Fraction(n)) and abs(n) < FAR:
                taken.append(float(x) ** float(n))
                inside = found.low is None or taken[-1] >= float(found.low) - 1e-9 * abs(found.low)
                assert inside and (found.high is None or taken[-1] <= float(found.high) + 1e-9 * abs(found.high)), (
                    a,
                    x,
                    n,
                )
        if a.low is not None and a.low >= 0:
            assert near(found.low, min(taken)) or min(taken) < 1e-3 and found.low == 0, (a, found)
            assert near(found.high, max(taken)) if found.high is not None else max(taken) > 20, (a, found)


@pytest.mark.parametrize(
    ("base", "exponents", "wanted"),
    [
        ("[0, 1]", "[1/2, 1]", "[0, 1]"),
        ("[0, 0]", "[0, 1]", "[0, 1]"),
        ("[0, 0]", "[1/2, 1]", "[0, 0]"),
        ("[0, 1]", "[1/2, 2]", "[0, 1]"),
    ],
)
def test_zero_to_a_power_that_an_option_says(base, exponents, wanted):
    assert RANGE["pow"](interval(base), interval(exponents)) == interval(wanted)


def has_a_result(op, *at):
    match op, at:
        case "div" | "mod", (_, y):
            return y != 0
        case "log", (x,):
            return x > 0
        case "sqrt", (x,):
            return x >= 0
        case "pow", (x, n) if n.denominator == 1:
            return n >= 0 or x != 0
        case "pow", (x, n):
            return x > 0 or x == 0 and n > 0
    return True


@pytest.mark.parametrize("op", ["div", "mod", "log", "sqrt", "pow", "tanh", "mul"])
def test_where_an_operation_has_a_result(op):
    exponents = [point(Fraction(n, 2)) for n in (-4, -2, -1, 0, 1, 2, 3)]
    exponents += map(interval, ("[1/2, 3/2]", "[-3/2, -1/2]", "[1/3, 2/3]"))
    last = exponents if op == "pow" else INTERVALS
    for around in product(*[INTERVALS] * (OPS[op].arity - 1), last):
        there = {has_a_result(op, *at) for at in product(*map(numbers, around))}
        assert defined(op, *around) == (there.pop() if len(there) == 1 else None), (op, around)


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("[1/3, 4/3)", "[1/3, 4/3)"),  # a short fraction as it is
        ("[-1, 12347/10000]", "[-1, 1.2347]"),
        ("[0.123456, 0.98765]", "(0.1234, 0.9877)"),  # further out, where the end is not
        ("(-0.123456, -0.1234)", "(-0.1235, -0.1234)"),
        ("[-123457/10000, 123457/10000]", "(-12.346, 12.346)"),
        ("(-inf, 5]", "(-inf, 5]"),
        ("[1e-9, inf)", "[1e-09, inf)"),
        ("[10000/30001, 30001/10000)", "(0.3333, 3.001)"),
    ],
)
def test_how_a_range_is_told(written, told):
    assert intervals.interval_text(interval(written)) == told


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (Fraction(3), "3"),
        (Fraction(1, 10), "0.1"),
        (Fraction(-22, 7), "-22/7"),
        (Fraction(10**20 + 1), "100000000000000000001"),
        (Fraction(10) ** 308, "1e+308"),
        (Fraction(10) ** 400, "1.000e+400"),
        (Fraction(1, 10**400), "1e-400"),
        (Fraction(2**900, 3**600), "4.511e-16"),
    ],
    ids=lambda each: str(each)[:12],
)
def test_how_a_number_is_told(number, told):
    """Exactly, as far as what a spec writes goes; of one that is longer a few digits."""
    assert intervals.number_text(number) == told


def test_sums_and_products_with_an_end_that_no_float_holds():
    far = Interval(None, Fraction(10**400))
    assert intervals.add(far, point(1)) == intervals.REAL
    assert intervals.add(point(10**400), intervals.POSITIVE) == Interval(Fraction(2**1022), None, True, True)
    assert intervals.multiply(intervals.UNIT, point(Fraction(1, 10**400))) == Interval(
        Fraction(0), Fraction(1, 2**1022), False, True
    )
    assert intervals.multiply(intervals.POSITIVE, point(10**400)) == intervals.POSITIVE
    assert intervals.multiply(point(-(10**400)), intervals.POSITIVE) == interval("(-inf, 0)")


# --- the range of a polynomial ----------------------------------------------------------------------------------------


def leaves_of(table, **intervals):
    """Symbols that can be any number of an interval, by name."""
    s = Arithmetic(table)
    return {name: (s.atom("leaf", place=(name, 0, ())), interval) for name, interval in intervals.items()}


def range_of(table, named, expr, facts=()):
    """facts: as of an enclosure, by polynomial."""
    enclosure = Enclosure(table, dict(named.values()))
    enclosure.facts = dict(facts)
    return enclosure.of(expr.expand())


@pytest.mark.parametrize("seed", range(40))
def test_a_polynomial_of_degree_1_in_each_symbol_lies_between_its_corners(seed):
    rng = random.Random(seed)
    ends = {name: sorted(rng.sample([Fraction(n, 2) for n in range(-6, 7)], 2)) for name in "abcde"}
    table = Table()
    named = leaves_of(table, **{name: intervals.closed(*pair) for name, pair in ends.items()})
    terms = {}
    for _ in range(rng.randint(2, 6)):
        terms[tuple(sorted(rng.sample("abcde", rng.randint(0, 3))))] = rng.choice([-3, -2, -1, 1, 2, 3])
    expr = sum(number * math.prod((named[name][0] for name in term), start=1) for term, number in terms.items())
    corners = [dict(zip(ends, corner)) for corner in product(*ends.values())]
    values = [
        sum(number * math.prod((at[name] for name in term), start=Fraction(1)) for term, number in terms.items())
        for at in corners
    ]
    assert range_of(table, named, Arithmetic(table).zero + expr) == intervals.closed(min(values), max(values))


@pytest.mark.parametrize("power", [3, 4])
@pytest.mark.parametrize(("within", "told"), [("[0, 1)", "[0, 2)"), ("(0, 1]", "(0, 2]"), ("[0, 1]", "[0, 2]")])
def test_an_end_of_a_polynomial_is_taken_where_that_of_its_symbol_is(within, told, power):
    """Of one that grows, and falls where its sign is turned."""
    table = Table()
    named = leaves_of(table, x=interval(within))
    x = named["x"][0]
    assert range_of(table, named, x + x**power) == interval(told)
    assert range_of(table, named, -x - x**power) == intervals.negate(interval(told))


def test_a_symbol_is_known_by_its_name():
    """sympy forgets a symbol when its cache is full, and makes an equal one."""
    old = sympy.Symbol("s0000")
    clear_cache()
    new = sympy.Symbol("s0000")
    assert new is not old and by_power({((old, 1),): Fraction(3)}, new) == {1: {(): Fraction(3)}}


def test_a_quadratic_lies_between_its_ends_and_its_vertex():
    for p, q in product((-2, 1, 3), (-3, 0, 2)):
        for a in INTERVALS:
            table = Table()
            named = leaves_of(table, x=a)
            x = named["x"][0]
            vertex = Fraction(-q, 2 * p)
            places = numbers(a) | ({vertex} if among(vertex, a) else set())
            found = range_of(table, named, p * x**2 + q * x + 1)
            assert exactly(found, {p * y * y + q * y + 1 for y in places}), (p, q, a, found)


def test_a_mix_by_a_power_is_a_mix():
    """In Bernstein's basis, up to the fourth power."""
    for power in (1, 2, 3, 4):
        table = Table()
        named = leaves_of(table, z=intervals.UNIT, a=intervals.closed(Fraction(-1), Fraction(2)), b=point(1))
        z, a, b = (symbol for symbol, _ in named.values())
        assert range_of(table, named, z**power * a + (1 - z**power) * b) == intervals.closed(Fraction(-1), Fraction(2))
        if power < 4:
            assert intervals.sign(range_of(table, named, z**power - z**4), or_zero=True) == 1


def test_what_a_fact_says_of_a_polynomial():
    table = Table()
    wide = intervals.closed(Fraction(-10), Fraction(10))
    named = leaves_of(table, a=wide, b=wide, c=intervals.closed(Fraction(1), Fraction(2)))
    a, b, c = (symbol for symbol, _ in named.values())
    facts = {3 * a + 2 * b: intervals.UNIT}
    assert range_of(table, named, 3 * a + 2 * b, facts) == intervals.UNIT
    assert range_of(table, named, 6 * a + 4 * b, facts) == intervals.closed(Fraction(0), Fraction(2))
    assert range_of(table, named, -3 * a - 2 * b + c, facts) == intervals.closed(Fraction(0), Fraction(2))
    assert intervals.inside(range_of(table, named, 4 * a + 2 * b, facts), intervals.closed(Fraction(-10), Fraction(11)))


def test_the_work_for_a_range_is_bounded():
    """Where it is used up, a polynomial is taken term by term, and what holds under a condition is not asked."""
    budget = enclose._Budget()
    assert [budget.take_case() for _ in range(enclose.MAX_CASES + 1)] == [True] * enclose.MAX_CASES + [False]
    table = Table()
    named = leaves_of(table, a=intervals.UNIT, b=intervals.UNIT)
    a, b = (symbol for symbol, _ in named.values())
    found = Enclosure(table, dict(named.values()))
    terms = polynomial(table, Arithmetic(table).sum(a, -a * b))
    found._budget._terms = found._budget._cases = 0
    assert found._look(terms, 1) == found._sum(terms) == interval("[-1, 1]")
    step = Arithmetic(table).positive(a - b)
    assert found.under(step, 1) is found
    fresh = Enclosure(table, dict(named.values()))
    assert fresh._look(terms, 1) == intervals.UNIT and fresh.under(step, 1) is not fresh


# --- functions of one number ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("digits", [4, 15, 40, 100])
def test_pi_lies_between_its_ends(digits):
    with elementary.precise(digits):
        low, high = elementary.pi()
    with mpmath.workdps(200):
        assert low < Fraction(*mpmath.libmp.to_rational((+mpmath.mp.pi)._mpf_)) < high
    assert high - low == Fraction(2, 10**digits)


def test_a_lowest_value_is_one_wherever_it_may_be():
    """The place of it is known to some digits: next to it the least value is told, not that of an end."""
    for name, lowest, place in (
        ("silu", "-0.278464542762", "-1.27846454276"),
        ("mish", "-0.308843413018", "-1.19243121452"),
    ):
        at, digit = Fraction(place), Fraction(1, 10**11)
        for near in (-digit / 2, -digit / 4, digit / 4, digit / 2):
            with elementary.precise(40):
                found = RANGE[name](point(at + near))
                assert found.low == Fraction(lowest) < elementary.value(name, at + near)[0]


def test_a_quotient_that_no_float_holds_is_one_argument():
    """The sine of a number next to a multiple of pi: its digits count that are rounded away."""
    at = Fraction(245_850_922, 78_256_779)
    low, high = elementary.value("sin", at)
    with mpmath.workdps(60):
        exact = mpmath.sin(mpmath.mpf(at.numerator) / at.denominator)
        ends = [mpmath.mpf(each.numerator) / each.denominator for each in (low, high)]
        assert ends[0] <= exact <= ends[1]


@pytest.mark.parametrize("name", ["exp", "gelu", "silu", "mish", "softplus", "sigmoid", "elu", "selu"])
@pytest.mark.parametrize("at", [-(10**5), -(10**4), -745, 745, 10**4, 10**5])
def test_a_value_that_no_float_comes_to_has_short_bounds(name, at):
    """However far out: `gelu(-100000)` has two thousand million zeros before its first digit."""
    low, high = elementary.value(name, Fraction(at))
    for end in (low, high):
        assert end is None or max(end.numerator.bit_length(), end.denominator.bit_length()) < 1200
    with mpmath.workdps(30):
        y = mpmath.mpf(at)
        of = {
            "gelu": lambda: y * mpmath.erfc(-y / mpmath.sqrt(2)) / 2,
            "silu": lambda: y / (1 + mpmath.exp(-y)),
            "mish": lambda: y * mpmath.tanh(mpmath.log1p(mpmath.exp(y))),
            "softplus": lambda: mpmath.log1p(mpmath.exp(y)) if at < 0 else y + mpmath.log1p(mpmath.exp(-y)),
            "sigmoid": lambda: 1 / (1 + mpmath.exp(-y)),
            "elu": lambda: y if at > 0 else mpmath.expm1(y),
            "selu": lambda: float(elementary.SELU[0]) * (y if at > 0 else float(elementary.SELU[1]) * mpmath.expm1(y)),
            "exp": lambda: mpmath.exp(y),
        }[name]()
        slack = abs(of) * mpmath.mpf(10) ** -14
        assert low is None or mpmath.mpf(low.numerator) / low.denominator <= of + slack
        assert high is None or mpmath.mpf(high.numerator) / high.denominator >= of - slack


@pytest.mark.parametrize(
    ("name", "at", "ends"),
    [
        *((name, sign * 10**9, (-1, 1)) for name in ("sin", "cos") for sign in (1, -1)),
        *((name, 10**9, (99_999, None)) for name in ("silu", "gelu", "mish")),
        ("exp", 10**9, (99_999, None)),
        ("exp", -(10**9), (None, Fraction(1, 10**5))),
    ],
)
def test_far_out_a_function_is_between_what_it_is_nearer(name, at, ends):
    low, high = elementary.value(name, Fraction(at))
    assert (low is None) == (ends[0] is None) and (high is None) == (ends[1] is None)
    assert low is None or low >= ends[0]
    assert high is None or high <= ends[1]


def test_ends_are_exact():
    """The reciprocal of infinity is a whole 0: a float would round what it is added to."""
    found = intervals.invert(interval("[2, inf)"))
    assert (found, type(found.low)) == (interval("(0, 1/2]"), Fraction)


@pytest.mark.parametrize("name", ["sin", "cos"])
def test_a_wave_is_anywhere_far_out(name):
    assert elementary.value(name, Fraction(10**7)) == (-1, 1)
