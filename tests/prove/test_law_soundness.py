"""That what is proved of ranges no number breaks: operations on intervals, and proved laws at extreme weights."""

import random
from fractions import Fraction
from itertools import product

import mpmath
import numpy as np
import pytest

from cellgen.compiler import Spec
from cellgen.diagnostics.diagnostic import Report
from cellgen.interpret.arithmetic import NUMPY
from cellgen.interpret.instance import Instance
from cellgen.ir import intervals
from cellgen.ir.elementary import FUNCTIONS, precise, value
from cellgen.ir.expr import Apply
from cellgen.ir.op_ranges import RANGE, defined
from cellgen.ir.ops import OPS, Interval
from cellgen.refute.confirm import ENCLOSED
from cellgen.refute.random_runs import given as drawn
from cellgen.shapes.law_types import expression_types
from tests.prove.test_law_ranges import GRU, JANET, MIN_LSTM, ON_LSTM, PHASED, RG_LRU, SLSTM
from tests.prove.test_laws import cell, judged

ELEMENTWISE = [name for name, op in OPS.items() if op.shape == "elementwise"]
EXAMPLES = 150  # of each operation


def fraction(rng, end, denominator):
    """Of `end` at most."""
    below = rng.randint(1, denominator)
    return Fraction(rng.randint(-end * below, end * below), below)


def number(rng):
    """Small and whole, with a part, or of any scale."""
    kinds = Fraction(rng.randint(-4, 4)), fraction(rng, 3, 16), rng.choice((1, -1)) * Fraction(10) ** rng.randint(-9, 3)
    return rng.choice(kinds)


def interval(rng):
    """An interval, and a number of it."""
    low, middle, high = sorted(number(rng) for _ in range(3))
    kind = rng.randrange(8)
    middle = low if kind == 0 else high if kind == 1 else middle
    low_open, high_open = rng.random() < 0.5 and middle != low, rng.random() < 0.5 and middle != high
    ends = (None if rng.random() < 1 / 6 else low), (None if rng.random() < 1 / 6 else high)
    return Interval(*ends, low_open or ends[0] is None, high_open or ends[1] is None), middle


@pytest.mark.parametrize("op", ELEMENTWISE)
def test_the_range_of_an_operation_holds_every_value(op):
    """Ends taken or not, at any scale: the range of a number, in 40 digits, lies in that of an interval around it."""
    rng = random.Random(op)
    for _ in range(EXAMPLES):
        around, at = zip(*(interval(rng) for _ in range(OPS[op].arity)))
        if op == "pow":
            exponent, width = Fraction(rng.choice((-2, -1, 0, 1, 2, 3, 0.5))), rng.choice((0, Fraction(1, 3), 1))
            around, at = (around[0], intervals.closed(exponent - width, exponent + width)), (at[0], exponent)
        points = [intervals.point(each) for each in at]
        if op == "where":
            points[0] = intervals.point(1 if at[0] > 0 else 0)
            around = (intervals.BIT, *around[1:])
        whole = RANGE[op](*around)
        if defined(op, *points):
            with precise(40):
                exact = RANGE[op](*points)
            assert not intervals.disjoint(exact, whole), (around, at)
            if exact.low is not None and exact.low == exact.high:
                assert intervals.inside(exact, whole), (around, at)
        if defined(op, *around):
            assert defined(op, *points), (around, at)


@pytest.mark.parametrize("op", [name for name in ELEMENTWISE if name not in ("pow", "where")])
def test_an_operation_in_intervals_is_that_of_numpy(op):
    rng = random.Random(op)
    for _ in range(EXAMPLES // 2):
        at = [float(fraction(rng, rng.choice((1, 5, 20)), 64)) for _ in range(OPS[op].arity)]
        points = [intervals.point(Fraction(each)) for each in at]
        if defined(op, *points):
            with precise(40):
                found = ENCLOSED[op](*(np.array(each, dtype=object) for each in _boxed(points)))[()]
            came = float(NUMPY[op](*(np.float64(each) for each in at)))
            assert float(found.low) <= came + 1e-12 * (1 + abs(came)), at
            assert float(found.high) >= came - 1e-12 * (1 + abs(came)), at
            assert found.high - found.low <= Fraction(1, 10**25) * (1 + abs(found.high)), at


def _boxed(points):
    for each in points:
        box = np.empty((), dtype=object)
        box[()] = each
        yield box


@pytest.mark.parametrize("name", FUNCTIONS)
def test_an_elementary_function_lies_between_its_bounds(name):
    """Against mpmath's intervals and 60 digits, written otherwise than here."""
    rng = random.Random(name)
    for _ in range(EXAMPLES):
        x = fraction(rng, rng.choice((1, 5, 40)), 1000)
        if name in ("log", "sqrt"):
            x = abs(x) + Fraction(1, 1000)
        low, high = value(name, x)
        with mpmath.workdps(60):
            exact = _exactly(name, mpmath.mpf(x.numerator) / x.denominator)
            slack = abs(exact) * mpmath.mpf(10) ** -40
            assert mpmath.mpf(low.numerator) / low.denominator <= exact + slack, x
            assert mpmath.mpf(high.numerator) / high.denominator >= exact - slack, x
        assert high - low <= max(abs(low), abs(high)) * Fraction(1, 10**9) or -1e-300 < low <= 0 <= high < 1e-300, x


def _exactly(name, y):
    plain = {
        "sigmoid": lambda: (1 + mpmath.tanh(y / 2)) / 2,
        "elu": lambda: y if y > 0 else mpmath.exp(y) - 1,
        "selu": lambda: (
            mpmath.mpf("1.05070098735548049342")
            * (y if y > 0 else mpmath.mpf("1.67326324235437728482") * (mpmath.exp(y) - 1))
        ),
        "softplus": lambda: mpmath.log(1 + mpmath.exp(y)),
        "silu": lambda: y / (1 + mpmath.exp(-y)),
        "gelu": lambda: y * mpmath.ncdf(y),
        "mish": lambda: y * mpmath.tanh(mpmath.log(1 + mpmath.exp(y))),
    }
    return plain.get(name, lambda: getattr(mpmath, name)(y))()


SCALES = (1e-3, 1.0, 30.0, 1e3)  # of the weights
STEPS, BATCH = 5, 8

PROVED = [
    (GRU, ["h in (-1, 1)", "z * (1 - z) in (0, 0.25]", "sigmoid(h) in (0.25, 0.75)", "exp(h) in (0.36, 2.72)"]),
    (GRU, ["where(x @ W < 0, sigmoid(x @ W), x @ W + 0.5) in [0, inf)", "sum(softmax(n) * h) in (-1, 1)"]),
    (JANET, ["f + i in [1, 2)", "h in (-3, 3)"]),
    (ON_LSTM, ["mf in [0, 1]", "fh in [0, 1]", "ih in [0, 1]", "h in (-1, 1)"]),
    (MIN_LSTM, ["f in (0, 1)", "i in (0, 1)"]),
    (SLSTM, ["i in [0, 1]", "f in [0, 1]"]),
    (RG_LRU, ["a in (0, 1)", "s in (0, 1)"]),
    (PHASED, ["k in [0, 1]", "h in (-1, 1)"]),
    (Spec.at("gru").source.text.split("laws:")[0], ["h in (-1, 1)"]),
    (Spec.at("nas").source.text.split("laws:")[0], ["c in (-1, 1)", "m in (-1, 1)"]),
    (Spec.at("coupled_lstm").source.text.split("laws:")[0], ["c in (-1, 1)", "h in (-1, 1)"]),
]


@pytest.mark.parametrize(("text", "lines"), PROVED)
def test_no_weights_break_a_range_that_is_proved(text, lines):
    """The ends count as in the range: rounding reaches them."""
    found = judged(text, *lines)
    assert [each.status for each in found.laws] == ["proved"] * len(lines)
    typed = Spec.of(text.strip("\n") + "\nlaws: |\n" + "".join(f"  {line}\n" for line in lines)).typed()
    for draw, scale in enumerate(SCALES):
        rng = np.random.default_rng(draw)
        instance = Instance(typed, drawn(typed.cell, typed.default, {}, random.Random(0), 0))
        weights = {name: scale * rng.normal(size=shape) for name, shape in instance.weights.items()}
        state = instance.initial_state(weights, BATCH)
        for _ in range(STEPS):
            ports = {port.name: (BATCH, *instance.settings.shape(port.shape)) for port in typed.cell.inputs}
            env = instance.evaluate(weights, {name: rng.normal(size=shape) for name, shape in ports.items()}, state)
            for law in typed.cell.laws:
                types = expression_types(typed, typed.default, law.claim.value, ("law",), Report())
                number = instance.value(law.claim.value, ("law",), env, types)
                low, high = (_end(law.claim.low, -np.inf), _end(law.claim.high, np.inf))
                finite = number[np.isfinite(number)]  # at a scale of 1e3 sigmoids underflow, and 0 / 0 is float64's own
                assert finite.size == number.size or scale == 1e3
                assert (finite >= low - 1e-12).all() and (finite <= high + 1e-12).all(), (law.text, scale)
            state = {name: np.broadcast_to(env[name], array.shape) for name, array in state._asdict().items()}
            state = instance.State(**state)


RANGES = {"a": (0, 1), "b": (-1, 2), "c": (1, 3)}


def _of_options(rng, depth):
    """The text of an expression of options."""
    if depth == 0:
        return rng.choice([*RANGES, *RANGES, "2", "0.5"])
    one, other = (_of_options(rng, depth - 1) for _ in range(2))
    forms = ["({} + {})", "({} - {})", "({} * {})", "({} * {})", "minimum({}, {})", "clip({}, {}, 1)"]
    return rng.choice(forms).format(one, other)


def test_a_law_holds_at_every_corner_of_the_ranges_of_options():
    """What some corner contradicts is refuted, whichever ends it takes; nothing that a number contradicts is proved."""
    rng = random.Random(5)
    texts = [_of_options(rng, depth) for depth in (2, 2, 2, 2, 2, 3, 3, 3, 3, 3)]
    texts = ["a * (2 - b) * c", "(1 - a) * (b + 1)", "a - b + c * (1 - a)", *texts]
    ends = list(product(*RANGES.values()))
    names = {"minimum": np.minimum, "clip": lambda x, low, high: np.maximum(np.minimum(x, high), low)}
    lines, wanted = [], []
    for text in texts:
        values = [eval(text, {}, {**names, **dict(zip(RANGES, map(float, end)))}) for end in ends]  # noqa: S307 - ours
        low, high = min(values), max(values)
        if high > low:
            inner = 0.02 * (high - low)
            lines += [f"{text} in [{low + inner:.6f}, inf)", f"{text} in (-inf, {high - inner:.6f}]"]
            wanted += ["refuted"] * 2
    options = ", ".join(f"{name}: {{default: 1, in: [{low}, {high}]}}" for name, (low, high) in RANGES.items())
    text = cell("h = tanh((a + b + c) * (x @ W) + h[t-1])", f"options: {{{options}}}", weights=("W",))
    found = judged(text, *lines)
    assert [each.status for each in found.laws] == wanted and len(wanted) >= 20


def _end(node, infinite):
    """Of a range that is written with numbers."""
    if node is None:
        return infinite
    return -float(node.args[0].value) if isinstance(node, Apply) else float(node.value)


@pytest.mark.parametrize("op", ["sum", "mean", "cumsum"])
def test_what_a_case_says_of_one_lane_is_not_said_of_the_others(op):
    text = cell(f"a = where(h[t-1] > 0, 0.5, {op}(h[t-1]))\nh = 0.5 * h[t-1] + x @ W + a", weights=("W",))
    assert [verdict.status for verdict in judged(text, "a in (-inf, 0.5]").laws] == ["refuted"]


def test_one_weight_for_all_is_no_mean():
    """The weight of one label, of all labels: what is summed is no mean of what is weighed, though each sums to 1."""
    equations = """
        z: [gates, units] = x @ W + h[t-1] @ U
        n: [gates, units] = tanh(x @ W)
        a: [gates, units] = softmax(z, over=gates)
        h = sum(a * n, over=gates) + a.p * a.q
        """
    head = "gates: [p, q]\nstate: {h: units}\nparams: {W: [input, gates*units], U: [units, gates*units]}"
    text = f"cell: Mix\n{head}\nequations: |{equations}"
    found = judged(text, "sum(a * n, over=gates) in (-1, 1)", "sum(a.p * n, over=gates) in (-1, 1)")
    assert [verdict.status for verdict in found.laws] == ["proved", "refuted"]


def test_a_power_that_an_option_says_may_be_whole():
    """An even power of what is less than zero: with it, the state goes beyond -1 after four steps from zeros."""
    equations = "f = sigmoid(c[t-1] ** power)\nc = f * c[t-1] + log_sigmoid(silu(f)) + 0 * (x @ W)"
    found = judged(cell(equations, "options: {power: 2}", state="c: units", weights=("W",)), "f in [0.5, 0.74]")
    assert [verdict.status for verdict in found.laws] in (["refuted"], ["unknown"])
    assert {each.claim for each in found.traits if each.about == "range"} == {"f in (0, 1)", "c in (-inf, 0]"}
