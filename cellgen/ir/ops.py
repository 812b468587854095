"""The table of operations: what may stand in an equation, and what is known of each.

An operation has one meaning in each backend: `interpret.arithmetic.NUMPY`, `prove.symbols.SYMPY` and
`emit.expressions.TENSORFLOW` are total over this table, and a test holds them to it; so are its range in
`ir.op_ranges.RANGE` and its derivative in `derive.derivative_rules`. An activation that an option may choose stands in
`runtime.activations` too, with that derivative.
"""

from dataclasses import dataclass
from difflib import get_close_matches
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Interval:
    """The values an operation can take, whatever it is applied to. None is unbounded."""

    low: Fraction | None
    high: Fraction | None
    low_open: bool = False
    high_open: bool = False


@dataclass(frozen=True, slots=True)
class Op:
    """One operation.

    shape: the rule in `rules` that types it: `elementwise` (all arguments broadcast), `contract` (`@`), `outer`,
    `convolve`, `reduce` (`over` is removed), `along` (`over` stays), `places` (`over` alone), `normalize`, `first`
    (that of the first argument), `stated` (the attribute `shape`).
    """

    name: str
    arity: int
    shape: str
    about: str
    interval: Interval | None = None
    activation: bool = False
    written: bool = True  # whether a spec may call it by name; operators and norms are written otherwise


def interval(text: str) -> Interval:
    """As a law writes it: `(0, 1]`, `[0, inf)`."""
    low, high = (None if end in ("-inf", "inf") else Fraction(end) for end in text[1:-1].split(", "))
    return Interval(low, high, text[0] == "(", text[-1] == ")")


def _table(*ops: Op) -> dict[str, Op]:
    return {op.name: op for op in ops}


def _activation(name: str, about: str, interval: Interval | None = None) -> Op:
    return Op(name, 1, "elementwise", about, interval, activation=True)


def _elementwise(name: str, arity: int, about: str, interval: Interval | None = None, written: bool = True) -> Op:
    return Op(name, arity, "elementwise", about, interval, written=written)


OPS: dict[str, Op] = _table(
    # operators
    _elementwise("add", 2, "a + b", written=False),
    _elementwise("sub", 2, "a - b", written=False),
    _elementwise("mul", 2, "a * b", written=False),
    _elementwise("div", 2, "a / b", written=False),
    _elementwise("neg", 1, "-a", written=False),
    _elementwise("pow", 2, "a ** b", written=False),
    _elementwise("less", 2, "a < b", interval("[0, 1]"), written=False),
    _elementwise("less_equal", 2, "a <= b", interval("[0, 1]"), written=False),
    _elementwise("greater", 2, "a > b", interval("[0, 1]"), written=False),
    _elementwise("greater_equal", 2, "a >= b", interval("[0, 1]"), written=False),
    Op("matmul", 2, "contract", "a @ b: the last axis of a against the first of b", written=False),
    Op("normalize", 2, "normalize", "a norm's statistics, (value, epsilon)", written=False),
    # activations: Keras 3's, by Keras's names
    _activation("linear", "x"),
    _activation("sigmoid", "1 / (1 + exp(-x))", interval("(0, 1)")),
    _activation("tanh", "the hyperbolic tangent", interval("(-1, 1)")),
    _activation("relu", "max(x, 0)", interval("[0, inf)")),
    _activation("relu6", "min(max(x, 0), 6)", interval("[0, 6]")),
    _activation("leaky_relu", "x if x > 0 else 0.2 x"),
    _activation("elu", "x if x > 0 else exp(x) - 1", interval("(-1, inf)")),
    _activation("selu", "1.0507 (x if x > 0 else 1.6733 (exp(x) - 1)), with Keras's constants"),
    _activation("softplus", "log(1 + exp(x))", interval("(0, inf)")),
    _activation("softsign", "x / (1 + |x|)", interval("(-1, 1)")),
    _activation("silu", "x sigmoid(x)"),
    _activation("gelu", "x (1 + erf(x / sqrt(2))) / 2"),
    _activation("mish", "x tanh(softplus(x))"),
    _activation("exponential", "exp(x)", interval("(0, inf)")),
    _activation("log_sigmoid", "log(sigmoid(x))", interval("(-inf, 0)")),
    _activation("hard_sigmoid", "relu6(x + 3) / 6", interval("[0, 1]")),
    _activation("hard_silu", "x hard_sigmoid(x)"),
    _activation("hard_tanh", "clip(x, -1, 1)", interval("[-1, 1]")),
    # functions
    _elementwise("exp", 1, "exp(x)", interval("(0, inf)")),
    _elementwise("log", 1, "the natural logarithm"),
    _elementwise("sqrt", 1, "the square root", interval("[0, inf)")),
    _elementwise("square", 1, "x ** 2", interval("[0, inf)")),
    _elementwise("abs", 1, "|x|", interval("[0, inf)")),
    _elementwise("sin", 1, "the sine", interval("[-1, 1]")),
    _elementwise("cos", 1, "the cosine", interval("[-1, 1]")),
    _elementwise("step", 1, "1 where x > 0, else 0; its gradient is zero", interval("[0, 1]")),
    _elementwise("floor", 1, "the largest whole number that is no larger than x; its gradient is zero"),
    _elementwise("mod", 2, "a - b * floor(a / b), the remainder, which has the sign of b: mod(a, b)"),
    _elementwise("minimum", 2, "the smaller of a and b"),
    _elementwise("maximum", 2, "the larger of a and b"),
    _elementwise("clip", 3, "x, held between low and high: clip(x, low, high)"),
    _elementwise("where", 3, "a where the condition holds, else b: where(condition, a, b)"),
    _elementwise("stop_gradient", 1, "x, with a gradient of zero"),
    _elementwise("straight_through", 2, "f forward, the gradient of g backward: straight_through(f, g)"),
    Op("range", 0, "places", "0, 1, 2, ... along a dim: range(units)", interval("[0, inf)")),
    Op("outer", 2, "outer", "the products of all pairs: [a], [b] -> [a, b]"),
    Op("conv", 2, "convolve", "a convolution with zeros around: conv(x, kernel, stride=2, dilation=2)"),
    Op("sum", 1, "reduce", "the sum over an axis: sum(x, over=key)"),
    Op("mean", 1, "reduce", "the mean over an axis: mean(x, over=key)"),
    Op("roll", 1, "along", "x moved along an axis, what leaves comes in at the other end: roll(x, by=1, over=key)"),
    Op("shift", 1, "along", "x moved along an axis, zeros come in: shift(x, by=1, over=key)"),
    Op("softmax", 1, "along", "exp(x) / sum(exp(x)) along an axis: softmax(x, over=key)", interval("(0, 1]")),
    Op("cumsum", 1, "along", "running sums along an axis: cumsum(x, over=key)"),
)

ACTIVATIONS = tuple(name for name, op in OPS.items() if op.activation)
OTHERWISE = {"swish": "silu", "hard_swish": "hard_silu", "logistic": "sigmoid", "sigm": "sigmoid", "identity": "linear"}
REMAINDER = "the remainder is `mod(a, b)`"
LATER = frozenset("conv floor mod range roll shift".split())
"""Functions that came when specs were written already: a spec may call a value so, and then has no such function."""
WRITTEN = tuple(name for name, op in OPS.items() if op.written)


def transposed(weight: str) -> str:
    """A help for a weight that is to be transposed."""
    return f"`x @ {weight}.T` is `{weight} @ x`, `{weight}.T @ x` is `x @ {weight}`"


def activation(word: str) -> str:
    """The activation that a word means: as it is, as other libraries call it, or misspelled; else an empty string."""
    plain = word.lower()
    found = [plain] if plain in ACTIVATIONS else get_close_matches(plain, ACTIVATIONS, n=1, cutoff=0.75)
    return OTHERWISE.get(plain) or (found[0] if found else "")


# What only derivatives are made of. `batch` says whether a result has a batch: if not, it is summed over it.
ADJOINT: dict[str, Op] = _table(
    _elementwise("sign", 1, "1 where x > 0, -1 where x < 0, else 0", written=False),
    _elementwise("erf", 1, "the error function", written=False),
    _elementwise("zeros", 1, "zeros like x", written=False),
    _elementwise("activation_gradient", 3, "of the activation of an `option`: (d, x, its value at x)", written=False),
    Op("cumsum_back", 1, "along", "running sums from the end of an axis", written=False),
    Op("softmax_back", 2, "first", "through `softmax`: (d, its value), along the axis at `at`", written=False),
    Op("rstd", 2, "stated", "1 / the standard deviation of a norm, (value, epsilon)", written=False),
    Op("normalize_back", 3, "first", "through `normalize`: (d, the normalised value, its rstd)", written=False),
    Op("sum_to", 1, "stated", "undoes a broadcast", written=False),
    Op("product", 2, "stated", "through `@` and `outer`: an einsum of `left`, `right` and `out`", written=False),
    Op("conv_back", 2, "stated", "through `conv` to its value: (d, kernel)", written=False),
    Op("conv_kernel_back", 3, "stated", "through `conv` to its kernel: (d, x, kernel)", written=False),
    Op("spread", 1, "stated", "through `sum` and `mean`: d along the axis at `at` that was reduced", written=False),
    Op("join", 0, "stated", "the parts of a labelled axis, put together", written=False),
)

EVERY = OPS | ADJOINT
