"""Random numbers for the symbols of `symbolic`, and what expressions over them come to, in some hundred digits.

Where two expressions differ at a `Sample` they are not the same: a rounding is no reason, at that many digits.
"""

from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import cached_property
from random import Random

DIGITS = 100
APART = 10**-30  # numbers that differ by less are taken for one

Expr = object  # a sympy expression


class Undefined(Exception):
    """An expression has no real value at these numbers."""


class Sample:
    """Numbers by symbol, drawn when they are asked for: the same for the same `seed`, on every machine.

    binary: the symbols that are 0 or 1. ranges: what numbers may be, by the symbol's name up to its index; None is no
    bound. Every second sample is of positive numbers, for what a negative one has no value under.
    """

    def __init__(self, seed: int, binary: set[Expr], ranges: Mapping[str, tuple[Fraction | None, Fraction | None]]):
        import mpmath

        self.m = mpmath.mp.clone()
        self.m.dps = DIGITS
        self.seed, self.binary, self.ranges = seed, binary, ranges
        self._values: dict[Expr, object] = {}

    def put(self, symbol: Expr, expr: Expr) -> None:
        """What a symbol stands for."""
        try:
            self._values[symbol] = self._value(expr)
        except Undefined:
            self._values[symbol] = None

    def differ(self, a: Expr, b: Expr) -> bool:
        """Whether two expressions are no rounding apart. Raises `Undefined`."""
        one, other = self._value(a), self._value(b)
        return abs(one - other) > APART * max(1, abs(one), abs(other))

    def _value(self, expr: Expr):
        if expr not in self._values:
            try:
                self._values[expr] = self._real(self._computed(expr))
            except (Undefined, ValueError, ZeroDivisionError, OverflowError):
                self._values[expr] = None
        if self._values[expr] is None:
            raise Undefined(str(expr))
        return self._values[expr]

    def _real(self, value):
        if not self.m.isfinite(value) or value.imag:
            raise Undefined
        return value.real

    def _computed(self, expr: Expr):
        if expr.is_Symbol:
            return self._drawn(expr)
        if expr.is_Rational:
            return self.m.mpf(expr.p) / expr.q
        if not expr.args:  # no number at all, such as what 1 / 0 gives
            raise Undefined
        args = [self._value(arg) for arg in expr.args]
        if expr.is_Add:
            return self.m.fsum(args)
        if expr.is_Mul:
            return self.m.fprod(args)
        if expr.is_Pow:
            return self.m.power(*args)
        name = type(expr).__name__
        if name in self.functions:
            return self.functions[name](*args)
        # an activation that an option chooses, or its derivative: one for all of them
        return self.m.cos(args[0]) if name.endswith("'") else self.m.sin(args[0])

    def _drawn(self, symbol: Expr):
        draw = Random(f"{self.seed} {symbol}")
        if symbol in self.binary:
            return self.m.mpf(draw.randrange(2))
        low, high = self.ranges.get(str(symbol).partition("[")[0], (None, None))
        if low is None and high is None:
            low = -2 if self.seed % 2 else 0
        low = high - 2 if low is None else low
        high = low + 2 if high is None else high
        steps = Fraction(draw.randrange(1, 2**30), 2**30)
        at = low + (high - low) * steps
        return self.m.mpf(at.numerator) / at.denominator

    # --- the functions of `symbolic`

    @cached_property
    def functions(self) -> dict[str, Callable]:
        m = self.m

        def relu6(x):
            return min(max(x, 0), 6)

        def softplus(x):
            return m.log(1 + m.exp(x))

        def sigmoid(x):
            return 1 / (1 + m.exp(-x))

        def softmax(which, *row):
            return m.exp(row[int(which)]) / m.fsum(map(m.exp, row))

        def rstd(centred, epsilon, *row):
            mean = centred * m.fsum(row) / len(row)
            return 1 / m.sqrt(m.fsum((x - mean) ** 2 for x in row) / len(row) + epsilon)

        def normalize(which, centred, epsilon, *row):
            return (row[int(which)] - centred * m.fsum(row) / len(row)) * rstd(centred, epsilon, *row)

        scale, alpha = m.mpf("1.0507009873554805"), m.mpf("1.6732632423543772")
        return {
            "less": lambda a, b: m.mpf(a < b),
            "less_equal": lambda a, b: m.mpf(a <= b),
            "greater": lambda a, b: m.mpf(a > b),
            "greater_equal": lambda a, b: m.mpf(a >= b),
            "sigmoid": sigmoid,
            "tanh": m.tanh,
            "relu": lambda x: max(x, 0),
            "relu6": relu6,
            "leaky_relu": lambda x: x if x > 0 else x / 5,
            "elu": lambda x: x if x > 0 else m.exp(x) - 1,
            "selu": lambda x: scale * (x if x > 0 else alpha * (m.exp(x) - 1)),
            "softplus": softplus,
            "softsign": lambda x: x / (1 + abs(x)),
            "silu": lambda x: x * sigmoid(x),
            "gelu": lambda x: x * (1 + m.erf(x / m.sqrt(2))) / 2,
            "mish": lambda x: x * m.tanh(softplus(x)),
            "exponential": m.exp,
            "log_sigmoid": lambda x: -softplus(-x),
            "hard_sigmoid": lambda x: relu6(x + 3) / 6,
            "hard_silu": lambda x: x * relu6(x + 3) / 6,
            "hard_tanh": lambda x: min(max(x, -1), 1),
            "exp": m.exp,
            "log": m.log,
            "sqrt": m.sqrt,
            "abs": abs,
            "sign": m.sign,
            "erf": m.erf,
            "sin": m.sin,
            "cos": m.cos,
            "floor": m.floor,
            "pow": m.power,
            "stop_gradient": lambda x: x,
            "softmax": softmax,
            "rstd": rstd,
            "normalize": normalize,
        }
