"""The derivative of each operation, as an expression: what reaches its result sent on to its arguments.

`ADJOINTS` is total over `ops.OPS`, and has `zeros`. A rule takes an `At`, the operation where it stands, and returns
one expression for each argument; None where nothing is sent. At a kink it is what TensorFlow takes.
"""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Protocol

from cellgen.ir import Apply, Node, Number, Ref, Type, children, rebuild, walk

ZERO, ONE = Number(Fraction(0)), Number(Fraction(1))


class At(Protocol):
    """An operation in a program. `d` is what reaches it; `x(i)` is an argument, `y` the result, `rstd` that of a norm,
    each by a name where it is no leaf."""

    node: Apply
    d: Node

    def x(self, index: int = 0) -> Node: ...
    def type(self, index: int | None = None) -> Type: ...
    def pair(self, wanted: int) -> Node: ...
    def place(self) -> int: ...
    @property
    def y(self) -> Node: ...
    @property
    def rstd(self) -> Node: ...


COMPARISONS = frozenset({"less", "less_equal", "greater", "greater_equal"})

# --- building -------------------------------------------------------------------------------------------------------


def number(value) -> Number:
    return Number(Fraction(value))


def op(name: str, *args: Node, **attrs) -> Apply:
    return Apply(name, args, tuple(attrs.items()))


def neg(a: Node) -> Node:
    match a:
        case Number(value):
            return Number(-value)
        case Apply("neg", (inner,)):
            return inner
    return op("neg", a)


def add(a: Node, b: Node) -> Node:
    if ZERO in (a, b):
        return b if a == ZERO else a
    match a, b:
        case Apply("where", (condition, *arms)), Apply("where", (same, *others)) if condition == same:
            on, off = (_of_one(*each) for each in zip(arms, others, strict=True))
            return on if on == off else op("where", condition, on, off)
        case _, Apply("neg", (inner,)):
            return op("sub", a, inner)
    return op("add", a, b)


def _of_one(a: Node, b: Node) -> Node:
    """The sum of an arm of each of two choices, of which one may be zeros."""
    for one, other in ((a, b), (b, a)):
        if isinstance(one, Apply) and one.op == "zeros":
            return other
    return add(a, b)


def sub(a: Node, b: Node) -> Node:
    return a if b == ZERO else op("sub", a, b)


def mul(a: Node, b: Node) -> Node:
    if ZERO in (a, b):
        return ZERO
    if ONE in (a, b):
        return b if a == ONE else a
    match a, b:
        case Apply("neg", (inner,)), _:
            return neg(mul(inner, b))
        case _, Apply("neg", (inner,)):
            return neg(mul(a, inner))
    return op("mul", a, b)


def div(a: Node, b: Node) -> Node:
    match a:
        case Apply("neg", (inner,)):
            return neg(div(inner, b))
    return a if b == ONE else op("div", a, b)


def where(condition: Node, a: Node, b: Node = ZERO) -> Node:
    """Zeros are written in full: TensorFlow's vectorised map confuses the ranks of a choice with a scalar."""
    return op("where", condition, nothing(b) if a == ZERO else a, nothing(a) if b == ZERO else b)


def nothing(like: Node) -> Node:
    """Zeros like a value."""
    match like:
        case Apply("where", (_, a, b)):
            return a if isinstance(a, Apply) and a.op == "zeros" else nothing(b)
        case Apply("neg", (inner,)):
            return nothing(inner)
        case Apply("zeros"):
            return like
    return op("zeros", like)


# --- elementwise functions of one argument: of (d, x, y), what is sent on ---------------------------------------------


def _inside(d: Node, x: Node, low, high) -> Node:
    """d where low <= x <= high."""
    return where(op("less", x, number(low)), ZERO, where(op("greater", x, number(high)), ZERO, d))


def _strictly_inside(d: Node, x: Node, low, high) -> Node:
    return where(op("greater", x, number(low)), where(op("less", x, number(high)), d))


def _silu(d, x, y):
    return mul(d, add(y, mul(op("sigmoid", x), sub(ONE, y))))


def _gelu(d, x, y):
    """y' = (1 + erf(x / sqrt 2)) / 2 + x exp(-x^2 / 2) / sqrt(2 pi)"""
    root, scale = number(0.7071067811865476), number(0.3989422804014327)
    bell = op("exp", mul(number(Fraction(-1, 2)), op("square", x)))
    return mul(d, add(div(add(ONE, op("erf", mul(x, root))), number(2)), mul(mul(x, bell), scale)))


def _mish(d, x, y):
    soft = op("tanh", op("softplus", x))
    return mul(d, add(soft, mul(mul(x, op("sigmoid", x)), sub(ONE, op("square", soft)))))


def _hard_silu(d, x, y):
    third = _strictly_inside(div(x, number(6)), x, -3, 3)
    return mul(d, add(op("hard_sigmoid", x), third))


SELU, SELU_ALPHA = number(1.0507009873554805), number(1.0507009873554805 * 1.6732632423543772)

UNARY: dict[str, Callable[[Node, Node, Node], Node]] = {
    "linear": lambda d, x, y: d,
    "sigmoid": lambda d, x, y: mul(mul(d, y), sub(ONE, y)),
    "tanh": lambda d, x, y: mul(d, sub(ONE, op("square", y))),
    "relu": lambda d, x, y: where(op("greater", y, ZERO), d),
    "relu6": lambda d, x, y: _strictly_inside(d, y, 0, 6),
    "leaky_relu": lambda d, x, y: where(op("greater", x, ZERO), d, mul(Number(Fraction(1, 5)), d)),
    "elu": lambda d, x, y: where(op("greater", x, ZERO), d, mul(d, add(y, ONE))),
    "selu": lambda d, x, y: where(op("greater", x, ZERO), mul(SELU, d), mul(d, add(y, SELU_ALPHA))),
    "softplus": lambda d, x, y: mul(d, op("sigmoid", x)),
    "softsign": lambda d, x, y: div(d, op("square", add(ONE, op("abs", x)))),
    "silu": _silu,
    "gelu": _gelu,
    "mish": _mish,
    "exponential": lambda d, x, y: mul(d, y),
    "log_sigmoid": lambda d, x, y: mul(d, op("sigmoid", neg(x))),
    "hard_sigmoid": lambda d, x, y: _strictly_inside(div(d, number(6)), x, -3, 3),
    "hard_silu": _hard_silu,
    "hard_tanh": lambda d, x, y: _inside(d, x, -1, 1),
    "exp": lambda d, x, y: mul(d, y),
    "log": lambda d, x, y: div(d, x),
    "sqrt": lambda d, x, y: div(d, mul(number(2), y)),
    "square": lambda d, x, y: mul(mul(number(2), d), x),
    "abs": lambda d, x, y: mul(d, op("sign", x)),
    "sin": lambda d, x, y: mul(d, op("cos", x)),
    "cos": lambda d, x, y: neg(mul(d, op("sin", x))),
    "neg": lambda d, x, y: neg(d),
}
"""Of an elementwise function: what reaches it, its argument and its value, to what it sends on."""


def reads(name: str) -> tuple[bool, bool]:
    """Whether the derivative of a function of `UNARY` reads its argument, and whether it reads its value."""
    found = {node.name for _, node in walk(UNARY[name](Ref("d"), Ref("x"), Ref("y"))) if isinstance(node, Ref)}
    return "x" in found, "y" in found


# --- all operations ---------------------------------------------------------------------------------------------------


def _unary(name: str):
    def rule(at: At):
        reads_x, reads_y = reads(name)
        return (UNARY[name](at.d, at.x() if reads_x else ZERO, at.y if reads_y else ZERO),)

    return rule


def _pow(at: At):
    x, n = at.x(), at.x(1)
    if isinstance(n, Number):
        rest = ONE if n.value == 1 else x if n.value == 2 else op("pow", x, Number(n.value - 1))
        return mul(mul(n, at.d), rest), None
    return mul(mul(n, at.d), op("pow", x, sub(n, ONE))), mul(mul(at.d, at.y), log_of_base(x))


def log_of_base(x: Node) -> Node:
    """The logarithm of what a power is of: 0 where that is not more than 0, as TensorFlow has it."""
    if isinstance(x, Number):
        return op("log", x) if x.value > 0 else ZERO
    return op("log", op("where", op("greater", x, ZERO), x, op("add", op("zeros", x), ONE)))


def _less(first: str):
    """Of the smaller (or larger) of two, TensorFlow's: the first where they are equal."""

    def rule(at: At):
        test = op(first, at.x(), at.x(1))
        return where(test, at.d), where(test, ZERO, at.d)

    return rule


def _clip(at: At):
    x, low, high = at.x(), at.x(1), at.x(2)
    under, over, crossed = op("less", x, low), op("greater", x, high), op("less", high, low)
    return (
        where(under, ZERO, where(over, ZERO, at.d)),
        where(under, at.d, where(over, where(crossed, at.d))),
        where(under, ZERO, where(over, where(crossed, ZERO, at.d))),
    )


def _softmax(at: At):
    return (op("softmax_back", at.d, at.y, at=at.place() - len(at.type(0).shape)),)


def _spread(mean: bool):
    def rule(at: At):
        shape = at.type(0).shape
        return (op("spread", at.d, shape=shape, at=at.place() - len(shape), mean=mean),)

    return rule


def _conv(at: At):
    how, kernel = dict(at.node.attrs), at.x(1)
    return (
        op("conv_back", at.d, kernel, shape=at.type(0).shape, batch=True, **how),
        op("conv_kernel_back", at.d, at.x(), kernel, shape=at.type(1).shape, batch=False, **how),
    )


def _normalize(at: At):
    kind, axes = at.node.attr("kind"), len(at.node.attr("over"))
    return op("normalize_back", at.d, at.y, at.rstd, kind=kind, axes=axes), None


def _moved(at: At):
    """The other way."""
    attrs = tuple((name, -value if name == "by" else value) for name, value in at.node.attrs)
    return (Apply(at.node.op, (at.d,), attrs),)


ADJOINTS: dict[str, Callable[[At], tuple[Node | None, ...]]] = {
    **{name: _unary(name) for name in UNARY},
    "add": lambda at: (at.d, at.d),
    "sub": lambda at: (at.d, neg(at.d)),
    "mul": lambda at: (mul(at.d, at.x(1)), mul(at.d, at.x(0))),
    "div": lambda at: (div(at.d, at.x(1)), neg(div(mul(at.d, at.y), at.x(1)))),
    "pow": _pow,
    "less": lambda at: (None, None),
    "less_equal": lambda at: (None, None),
    "greater": lambda at: (None, None),
    "greater_equal": lambda at: (None, None),
    "matmul": lambda at: (at.pair(0), at.pair(1)),
    "outer": lambda at: (at.pair(0), at.pair(1)),
    "conv": _conv,
    "normalize": _normalize,
    "step": lambda at: (None,),
    "floor": lambda at: (None,),
    "mod": lambda at: (at.d, neg(mul(at.d, op("floor", div(at.x(), at.x(1)))))),
    "minimum": _less("less_equal"),
    "maximum": _less("greater_equal"),
    "clip": _clip,
    "where": lambda at: (None, at.d, at.d),  # `derive` selects what each arm has sent, when it is finished
    "stop_gradient": lambda at: (None,),
    "zeros": lambda at: (None,),
    "straight_through": lambda at: (None, at.d),
    "range": lambda at: (),
    "sum": _spread(False),
    "mean": _spread(True),
    "softmax": _softmax,
    "roll": _moved,
    "shift": _moved,
    "cumsum": lambda at: (Apply("cumsum_back", (at.d,), at.node.attrs),),
}


# --- a rule, used ------------------------------------------------------------------------------------------------


def filled(node: Node, d: Node, elementwise: bool) -> Node:
    """A rule's expression, with the cotangent in its place.

    elementwise: of an operation whose arguments have no more lanes than the result. What multiplies a cotangent that is
    a sum over lanes is then the same for all that are summed, and goes into the sum.
    """
    if node == Ref("\0"):
        return d
    new = rebuild(node, tuple(filled(child, d, elementwise) for child in children(node)))
    match new:
        case Apply("mul", (Apply("sum_to", (inner,)) as total, factor)) if elementwise and total.attr("batch"):
            return replace(total, args=(mul(inner, factor),))
    return new


def negated(d: Node, rule: Callable[[Node], Node]) -> Node:
    """A rule, which is linear, for a cotangent; of one with a minus in front, that in front of the result."""
    match d:
        case Apply("neg", (inner,)):
            return neg(rule(inner))
    return rule(d)
