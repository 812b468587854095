"""The algebra of what `rederive` differentiates: symbols, functions, derivatives and normal forms, by sympy.

A function of one argument is kept whole; `fdiff` says what its derivative is, by the rule of `adjoint`, which tests
hold to sympy's own derivative of what it means. Comparisons are symbols that are 0 or 1.
"""

from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from math import log10, prod

import numpy as np

from cellgen.derive.derivative_rules import COMPARISONS, UNARY, log_of_base
from cellgen.derive.multiplying import NoPolynomial, multiplied
from cellgen.ir import Apply, Node, Number, Ref

MAX_LANES = 512  # of a value
MAX_SLOPES = 50_000  # derivatives, each counted as often as its expression has symbols
MAX_TERMS = 2048  # of an expression that is multiplied out
MAX_DIGITS = 2000  # of the number that an expression begins with

Expr = object  # a sympy expression


class TooMuch(Exception):
    """More work than the bounds allow; the message says what there is too much of."""


class Symbolic:
    """Sympy, imported when this is made, and the functions that stand for operations."""

    def __init__(self):
        import sympy

        self.sympy = sympy
        self.zero, self.one = sympy.Integer(0), sympy.Integer(1)
        self.binary: set[Expr] = set()
        self.functions: dict[str, type] = {}
        self._arrays: dict[tuple, np.ndarray] = {}
        self._symbols: dict[Expr, tuple[Expr, ...]] = {}
        self._slopes: dict[Expr, tuple] = {}
        self._derivatives: dict[tuple[Expr, Expr], Expr] = {}
        self._passed: dict[tuple, list] = {}
        self._totals: dict[tuple, Expr] = {}
        self._work = 0
        self._normal: dict[Expr, Expr] = {}
        self._apart: dict[tuple, Expr] = {}
        self.table = {
            "add": lambda a, b: a + b,
            "sub": lambda a, b: a - b,
            "mul": lambda a, b: a * b,
            "div": lambda a, b: a / b,
            "pow": self.power,
            "neg": lambda a: -a,
            "square": lambda a: a**2,
            "linear": lambda a: a,
            "zeros": lambda a: self.zero,
            "step": lambda a: self.call("greater", a, self.zero),
            "mod": lambda a, b: a - b * self.call("floor", a / b),
            "where": self.where,
            "minimum": lambda a, b: self.where(self.call("less_equal", a, b), a, b),
            "maximum": lambda a, b: self.where(self.call("greater_equal", a, b), a, b),
            "clip": self.clip,
            "stop_gradient": lambda a: self.call("stop_gradient", a),
            "straight_through": lambda f, g: g + self.call("stop_gradient", f - g),
        }

    # --- values

    def number(self, value) -> Expr:
        return self.sympy.Rational(value.numerator, value.denominator)

    def array(self, name: str, shape: tuple[int, ...], binary: bool = False) -> np.ndarray:
        """Symbols, one a lane. Raises `TooMuch`."""
        if prod(shape) > MAX_LANES:
            raise TooMuch(f"`{name}` has {prod(shape)} lanes at the least sizes")
        if (name, shape, binary) not in self._arrays:
            out = objects([self.sympy.Symbol(f"{name}{list(index)}") for index in np.ndindex(shape)])
            self.binary.update(out if binary else ())
            self._arrays[name, shape, binary] = out.reshape(shape)
        return self._arrays[name, shape, binary]

    def where(self, condition: Expr, a: Expr, b: Expr) -> Expr:
        if type(condition).__name__ not in COMPARISONS:  # it is tested, not differentiated
            condition = self.call("stop_gradient", condition)
        other = (1 - condition) * b if b != 0 else b  # as the cotangent of one arm has it
        return condition * a + other if a != 0 else other

    def clip(self, x: Expr, low: Expr, high: Expr) -> Expr:
        """Where the bounds cross, it is `low`."""
        bound = self.where(self.call("less", high, low), low, high)
        over = self.where(self.call("greater", x, high), bound, x)
        return self.where(self.call("less", x, low), low, over)

    def power(self, a: Expr, exponent: Expr) -> Expr:
        """Raises `TooMuch`, as `elementwise` does."""
        if not exponent.is_Rational:
            return self.call("pow", a, exponent)
        self._short(a, abs(exponent))
        return a**exponent

    def _short(self, expr: Expr, times: Expr = 1) -> Expr:
        number, _ = expr.as_coeff_Mul()
        digits = times * max(number.p.bit_length(), number.q.bit_length()) * log10(2)
        if digits > MAX_DIGITS:
            raise TooMuch(f"a number has more than {MAX_DIGITS:,} digits")
        return expr

    def elementwise(self, op: str, *args: Expr) -> Expr:
        """Raises `TooMuch`."""
        return self._short(self.table[op](*args)) if op in self.table else self.call(op, *args)

    def rule(self, node: Node, env: Mapping[str, Expr]) -> Expr:
        """A rule of `adjoint.UNARY`, at some values."""
        match node:
            case Number(value):
                return self.number(value)
            case Ref(name):
                return env[name]
            case Apply(op, args):
                return self.elementwise(op, *(self.rule(arg, env) for arg in args))

    # --- functions

    def call(self, name: str, *args: Expr) -> Expr:
        if name not in self.functions:
            self.functions[name] = self._function(name)
        return self.functions[name](*args)

    def _function(self, name: str) -> type:
        algebra = self

        def fdiff(self, argindex=1):
            return algebra.slope(name, self, argindex - 1)

        return type(name, (self.sympy.Function,), {"fdiff": fdiff})

    def along(self, name: str, row: list[Expr], *lead: Expr) -> list[Expr]:
        """A function of all lanes of an axis, for each of them."""
        return [self.call(name, self.sympy.Integer(which), *lead, *row) for which in range(len(row))]

    def gradient(self, option: str, d: Expr, x: Expr, y: Expr) -> Expr:
        """Through an activation that an option chooses, given its value."""
        return d * self.call(f"{option}()'", x, y)

    def slope(self, name: str, value: Expr, index: int) -> Expr:
        """The derivative of a function by one of its arguments; `value` is the call.

        `normalize` has arguments (which lane, is a layer norm, epsilon, lanes); `softmax` (which lane, lanes).
        """
        args = value.args
        if name in UNARY:
            return self.rule(UNARY[name](Ref("d"), Ref("x"), Ref("y")), {"d": self.one, "x": args[0], "y": value})
        if name == "pow" and index == 0:
            return args[1] * self.call(name, args[0], args[1] - 1)
        if name == "pow":
            base = Number(Fraction(int(args[0].p), int(args[0].q))) if args[0].is_Rational else Ref("x")
            return value * self.rule(log_of_base(base), {"x": args[0]})
        if name == "softmax":
            other = self.call(name, self.sympy.Integer(index - 1), *args[1:])
            return value * ((self.one if args[0] == index - 1 else self.zero) - other)
        if name == "normalize":
            which, centred, *rest = args
            other = self.call(name, self.sympy.Integer(index - 3), centred, *rest)
            count = len(rest) - 1
            own = self.one if which == index - 3 else self.zero
            return self.call("rstd", centred, *rest) * (own - (centred + value * other) / count)
        if name in COMPARISONS or name in ("stop_gradient", "floor"):
            return self.zero
        return self.call(f"{name}'", args[0], value)  # an activation that an option chooses

    # --- derivatives and normal forms

    def slopes(self, lane: Expr) -> tuple[tuple[Expr, Expr], ...]:
        """Each symbol that an expression reads, and the derivative by it. Raises `TooMuch`."""
        if lane not in self._slopes:
            terms = self.sympy.Add.make_args(lane)
            self._work += min(len(self.symbols(lane)) ** 2, sum(len(self.symbols(term)) ** 2 for term in terms))
            if self._work > MAX_SLOPES:
                raise TooMuch(f"more than {MAX_SLOPES} derivatives")
            found: dict[Expr, list[Expr]] = {symbol: [] for symbol in self.symbols(lane)}
            for term in terms:  # which has few of the symbols of a long sum
                for symbol in self.symbols(term):
                    found[symbol].append(self._derivative(term, symbol))
            slopes = ((symbol, self.total(each)) for symbol, each in found.items())
            self._slopes[lane] = tuple((symbol, slope) for symbol, slope in slopes if slope != 0)
        return self._slopes[lane]

    def _derivative(self, term: Expr, symbol: Expr) -> Expr:
        """By a symbol that it has. `diff` goes on to ask of each result whether it is zero, for most of the time."""
        if term == symbol:
            return self.one
        if (term, symbol) not in self._derivatives:
            whole = term._eval_derivative(symbol) if term.is_Pow else self.total(self._partial(term, symbol))
            self._derivatives[term, symbol] = whole
        return self._derivatives[term, symbol]

    def _partial(self, term: Expr, symbol: Expr) -> Iterator[Expr]:
        """Of a sum, a product or a function, by each part that has the symbol."""
        for at, part in enumerate(term.args):
            if symbol in self.symbols(part):
                inner = self._derivative(part, symbol)
                if term.is_Mul:
                    inner = self.sympy.Mul(*term.args[:at], inner, *term.args[at + 1 :])
                yield term.fdiff(at + 1) * inner if term.is_Function else inner

    def symbols(self, expr: Expr) -> tuple[Expr, ...]:
        """What an expression reads, in the order of the names."""
        if expr not in self._symbols:
            self._symbols[expr] = tuple(sorted(expr.free_symbols, key=lambda symbol: symbol.name))
        return self._symbols[expr]

    def passed(self, cotangents: tuple[Expr, ...], lanes: tuple[Expr, ...]) -> list[tuple[Expr, list[Expr]]]:
        """What reaches each symbol that lanes read, by what reaches the lanes. Raises `TooMuch`."""
        if (cotangents, lanes) not in self._passed:
            found: dict[Expr, list[Expr]] = {}
            for d, lane in zip(cotangents, lanes, strict=True):
                for symbol, slope in self.slopes(lane) if d != 0 else ():
                    found.setdefault(symbol, []).append(d * slope)
            self._passed[cotangents, lanes] = [*found.items()]
        return self._passed[cotangents, lanes]

    def total(self, terms: Iterable[Expr]) -> Expr:
        terms = tuple(terms)
        if terms not in self._totals:
            self._totals[terms] = self.sympy.Add(*terms)
        return self._totals[terms]

    def equal(self, a: Expr, b: Expr, inside: Mapping[Expr, Expr]) -> bool:
        """Whether two expressions are the same once some symbols are what they stand for."""
        if a == b:
            return True
        put = tuple((symbol, inside[symbol]) for symbol in self.symbols(a) + self.symbols(b) if symbol in inside)
        if (a, b, put) not in self._apart:
            self._apart[a, b, put] = (a - b).xreplace(dict(put))
        return self.normal(self._apart[a, b, put]) == 0

    def normal(self, expr: Expr) -> Expr:
        """Multiplied out, with each 0 or 1 its own square, and nothing frozen. Raises `TooMuch`."""
        if expr not in self._normal:
            if self.terms(expr) > MAX_TERMS:
                raise TooMuch(f"more than {MAX_TERMS} terms")
            out = expr
            if "stop_gradient" in self.functions:
                out = out.replace(self.functions["stop_gradient"], lambda inner: inner)
            try:
                terms = multiplied(out, self._of_normal, self.is_binary)
                self._normal[expr] = self.sympy.Add(
                    *(self.sympy.Mul(factor, *(base**power for base, power in each)) for each, factor in terms.items())
                )
            except NoPolynomial:
                self._normal[expr] = self.idempotent(self.sympy.expand(out))
        return self._normal[expr]

    def _of_normal(self, call: Expr) -> Expr:
        return call.func(*map(self.normal, call.args))

    def centred(self, row: list[Expr]) -> list[Expr]:
        """Lanes without their mean, multiplied out."""
        mean = self.normal(self.total(row) / len(row))
        return [self.normal(lane - mean) for lane in row]

    def terms(self, expr: Expr) -> int:
        """How many terms multiplying out gives, at most."""
        below = [self.terms(arg) for arg in expr.args]
        if expr.is_Add:
            return sum(below)
        if expr.is_Mul:
            return prod(below)
        if expr.is_Pow and expr.exp.is_Integer:
            return min(below[0] ** min(abs(int(expr.exp)), 64), MAX_TERMS + 1) if below[0] > 1 else 1
        return max(below, default=1)

    def idempotent(self, expr: Expr) -> Expr:
        return expr.replace(
            lambda each: each.is_Pow and each.exp.is_Integer and each.exp > 1 and self.is_binary(each.base),
            lambda each: each.base,
        )

    def is_binary(self, expr: Expr) -> bool:
        return expr in self.binary or type(expr).__name__ in COMPARISONS


def objects(lanes: list) -> np.ndarray:
    """A flat array of expressions."""
    out = np.empty(len(lanes), dtype=object)
    out[:] = lanes
    return out
