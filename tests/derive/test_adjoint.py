"""The rule of each elementwise operation against sympy's own derivative of what the operation is by definition."""

import pytest
import sympy

from cellgen.derive.derivative_rules import ADJOINTS, UNARY, Apply, Number, Ref, filled, op, reads
from cellgen.ir.ops import ACTIVATIONS, OPS

x, d, a, b = sympy.symbols("x d a b", real=True)


def relu6(v):
    return sympy.Min(sympy.Max(v, 0), 6)


def elu(v):
    return sympy.Piecewise((v, v > 0), (sympy.exp(v) - 1, True))


# by definition, written from Keras's documentation; sharing nothing with the tables of cellgen
MEANING = {
    "linear": lambda v: v,
    "sigmoid": lambda v: 1 / (1 + sympy.exp(-v)),
    "tanh": sympy.tanh,
    "relu": lambda v: sympy.Max(v, 0),
    "relu6": relu6,
    "leaky_relu": lambda v: sympy.Piecewise((v, v > 0), (v / 5, True)),
    "elu": elu,
    "selu": lambda v: (
        sympy.Float("1.0507009873554805")
        * sympy.Piecewise((v, v > 0), (sympy.Float("1.6732632423543772") * (sympy.exp(v) - 1), True))
    ),
    "softplus": lambda v: sympy.log(1 + sympy.exp(v)),
    "softsign": lambda v: v / (1 + sympy.Abs(v)),
    "silu": lambda v: v / (1 + sympy.exp(-v)),
    "gelu": lambda v: v * (1 + sympy.erf(v / sympy.sqrt(2))) / 2,
    "mish": lambda v: v * sympy.tanh(sympy.log(1 + sympy.exp(v))),
    "exponential": sympy.exp,
    "log_sigmoid": lambda v: -sympy.log(1 + sympy.exp(-v)),
    "hard_sigmoid": lambda v: relu6(v + 3) / 6,
    "hard_silu": lambda v: v * relu6(v + 3) / 6,
    "hard_tanh": lambda v: sympy.Min(sympy.Max(v, -1), 1),
    "exp": sympy.exp,
    "log": sympy.log,
    "sqrt": sympy.sqrt,
    "square": lambda v: v**2,
    "abs": sympy.Abs,
    "sin": sympy.sin,
    "cos": sympy.cos,
    "neg": lambda v: -v,
    "sign": sympy.sign,
    "erf": sympy.erf,
    "zeros": lambda v: sympy.Integer(0),
    "add": lambda u, v: u + v,
    "sub": lambda u, v: u - v,
    "mul": lambda u, v: u * v,
    "div": lambda u, v: u / v,
    "pow": lambda u, v: u**v,
    "floor": sympy.floor,
    "mod": lambda u, v: u - v * sympy.floor(u / v),
    "less": lambda u, v: u < v,
    "less_equal": lambda u, v: u <= v,
    "greater": lambda u, v: u > v,
    "greater_equal": lambda u, v: u >= v,
    "where": lambda test, u, v: sympy.Piecewise((u, test), (v, True)),
    "minimum": sympy.Min,
    "maximum": sympy.Max,
    "clip": lambda v, low, high: sympy.Min(sympy.Max(v, low), high),
}
# between the kinks of all of them, and on either side of the furthest
POINTS = [sympy.Rational(point) for point in ("-7", "-5/2", "-3/4", "-1/3", "2/5", "5/4", "17/4", "13/2", "8")]


def meant(node, env):
    match node:
        case Number(value):
            return sympy.Rational(value.numerator, value.denominator)
        case Ref(name):
            return env[name]
        case Apply(each, args):
            return MEANING[each](*(meant(arg, env) for arg in args))


def points(name):
    return [point for point in POINTS if point > 0] if name in ("log", "sqrt") else POINTS


@pytest.mark.parametrize("name", UNARY)
def test_the_rule_is_the_derivative(name):
    """In 60 digits at a point of each piece; for smooth functions also as an identity."""
    function = MEANING[name](x)
    came = meant(UNARY[name](Ref("d"), Ref("x"), Ref("y")), {"d": d, "x": x, "y": function})
    wanted = d * sympy.diff(function, x)
    bound = sympy.Float("1e-15") if name in ("gelu", "selu") else sympy.Float("1e-50")  # constants of 17 digits
    for point in points(name):
        gap = (came - wanted).subs({x: point, d: sympy.Rational(3, 7)})
        assert abs(sympy.N(gap, 60)) < bound, (name, point)
    if name in (
        "sigmoid",
        "tanh",
        "softplus",
        "silu",
        "exp",
        "exponential",
        "log",
        "sqrt",
        "square",
        "sin",
        "cos",
        "neg",
    ):
        assert sympy.simplify((came - wanted).rewrite(sympy.exp)) == 0


class Place:
    """An operation of two or three leaves, as a rule sees it."""

    d = Ref("d")

    def __init__(self, name, count):
        self.leaves = [Ref(each) for each in ("x", "a", "b")[:count]]
        self.node = op(name, *self.leaves)

    def x(self, index=0):
        return self.leaves[index]

    @property
    def y(self):
        return self.node


@pytest.mark.parametrize("name", ["add", "sub", "mul", "div", "pow", "minimum", "maximum", "clip"])
def test_the_rule_of_several_arguments(name):
    place = Place(name, OPS[name].arity)
    env = {"d": d, "x": x, "a": a, "b": b}
    function = meant(place.node, env)
    values = [{x: 3, a: 2, b: 5}, {x: sympy.Rational(1, 2), a: 2, b: 3}, {x: 7, a: 1, b: 4}]
    for leaf, sent in zip((x, a, b), ADJOINTS[name](place)):
        if sent is not None:
            for at in values:
                gap = (meant(sent, env) - d * sympy.diff(function, leaf)).subs({**at, d: sympy.Rational(3, 7)})
                assert abs(sympy.N(gap, 60)) < sympy.Float("1e-50"), (name, leaf, at)


def test_the_rule_of_an_exponent():
    """0 where the base is not more than 0, where a power has no derivative by its exponent."""
    by_base, by_exponent = ADJOINTS["pow"](Place("pow", 2))
    wanted = d * x**a * sympy.log(x)
    for at in ({x: 3, a: 2}, {x: sympy.Rational(1, 2), a: -3}):
        came = meant(by_exponent, {"d": d, "x": x, "a": a})
        assert sympy.simplify((came - wanted).subs(at)) == 0
    for at in ({x: 0, a: 2}, {x: -1, a: 3}):
        assert meant(by_exponent, {"d": d, "x": at[x], "a": at[a]}) == 0


def test_the_rule_of_a_remainder():
    """Between its jumps it takes away a whole number of times, which is fixed."""
    sent = ADJOINTS["mod"](Place("mod", 2))
    for at in ({x: 7, a: sympy.Rational(5, 2)}, {x: -7, a: 3}, {x: sympy.Rational(1, 3), a: -2}):
        times = sympy.floor((x / a).subs(at))
        for leaf, node in zip((x, a), sent):
            wanted = d * sympy.diff(x - a * times, leaf)
            assert sympy.simplify(meant(node, {"d": d, "x": x, "a": a}).subs(at) - wanted) == 0


def test_what_multiplies_a_sum_over_lanes_goes_into_it_where_it_has_no_more_lanes():
    """Not through `@` and `outer`, where a number a sample may meet a vector."""
    wide, factor = Ref("wide"), Ref("factor")
    for batch in (True, False):
        d = op("sum_to", wide, shape=(), batch=batch, of=(("units",),))
        rule = op("mul", op("mul", Ref("\0"), factor), factor)
        kept = op("mul", op("mul", d, factor), factor)
        into = op("sum_to", op("mul", op("mul", wide, factor), factor), **dict(d.attrs))
        assert filled(rule, d, elementwise=True) == (into if batch else kept)
        assert filled(rule, d, elementwise=False) == kept


def test_nothing_comes_through_what_is_constant_by_parts():
    for name in ("step", "floor", "stop_gradient", "less", "less_equal", "greater", "greater_equal"):
        assert not any(ADJOINTS[name](Place(name, OPS[name].arity)))


def test_every_activation_has_a_rule_and_says_what_it_reads():
    assert set(ACTIVATIONS) <= set(UNARY)
    assert reads("tanh") == reads("sigmoid") == (False, True)
    assert reads("softplus") == (True, False)
    assert reads("silu") == (True, True)
