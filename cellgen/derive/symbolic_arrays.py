"""Expressions with sympy, lane by lane: arrays of polynomials over symbols, for what `rederive` differentiates.

A function of one argument is kept whole; `fdiff` says what its derivative is, by the rule of `adjoint`, which tests
hold to sympy's own derivative of what it means. Comparisons are symbols that are 0 or 1.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property, partial
from math import log10, prod

import numpy as np

from cellgen.derive.adjoint import COMPARISONS, UNARY
from cellgen.interpret import Scope
from cellgen.ir import EVERY, Activate, Apply, Node, Number, Path, Ref, Type

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
        self._passed: dict[tuple, list] = {}
        self._totals: dict[tuple, Expr] = {}
        self._work = 0
        self._normal: dict[Expr, Expr] = {}
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
        return condition * a + (1 - condition) * b

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
        if name == "pow":
            return args[1] * self.call(name, args[0], args[1] - 1)
        if name == "softmax":
            other = self.call(name, self.sympy.Integer(index - 1), *args[1:])
            return value * ((self.one if args[0] == index - 1 else self.zero) - other)
        if name == "normalize":
            which, centred, *rest = args
            other = self.call(name, self.sympy.Integer(index - 3), centred, *rest)
            count = len(rest) - 1
            own = self.one if which == index - 3 else self.zero
            return self.call("rstd", centred, *rest) * (own - (centred + value * other) / count)
        if name in COMPARISONS or name == "stop_gradient":
            return self.zero
        return self.call(f"{name}'", args[0], value)  # an activation that an option chooses

    # --- derivatives and normal forms

    def slopes(self, lane: Expr) -> tuple[tuple[Expr, Expr], ...]:
        """Each symbol that an expression reads, and the derivative by it. Raises `TooMuch`."""
        if lane not in self._slopes:
            self._work += len(self.symbols(lane)) ** 2
            if self._work > MAX_SLOPES:
                raise TooMuch(f"more than {MAX_SLOPES} derivatives")
            found: dict[Expr, list[Expr]] = {symbol: [] for symbol in self.symbols(lane)}
            for term in self.sympy.Add.make_args(lane):  # which has few of the symbols of a long sum
                for symbol in self.symbols(term):
                    # what `diff` calls; `diff` goes on to ask of each result whether it is zero, for most of the time
                    found[symbol].append(term._eval_derivative(symbol))
            slopes = ((symbol, self.total(each)) for symbol, each in found.items())
            self._slopes[lane] = tuple((symbol, slope) for symbol, slope in slopes if slope != 0)
        return self._slopes[lane]

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
        return a == b or self.normal((a - b).xreplace(inside)) == 0

    def normal(self, expr: Expr) -> Expr:
        """Multiplied out, with each 0 or 1 its own square, and nothing frozen. Raises `TooMuch`."""
        if expr not in self._normal:
            if self.terms(expr) > MAX_TERMS:
                raise TooMuch(f"more than {MAX_TERMS} terms")
            out = expr
            if "stop_gradient" in self.functions:
                out = out.replace(self.functions["stop_gradient"], lambda inner: inner)
            self._normal[expr] = self.idempotent(self.sympy.expand(out))
        return self._normal[expr]

    def terms(self, expr: Expr) -> int:
        """How many terms multiplying out gives, at most."""
        below = [self.terms(arg) for arg in expr.args]
        if expr.is_Add:
            return sum(below)
        if expr.is_Mul:
            return prod(below)
        if expr.is_Pow and expr.exp.is_Integer:
            return min(below[0] ** abs(int(expr.exp)), MAX_TERMS + 1) if below[0] > 1 else 1
        return max(below, default=1)

    def idempotent(self, expr: Expr) -> Expr:
        return expr.replace(
            lambda each: each.is_Pow and each.exp.is_Integer and each.exp > 1 and self.is_binary(each.base),
            lambda each: each.base,
        )

    def is_binary(self, expr: Expr) -> bool:
        return expr in self.binary or type(expr).__name__ in COMPARISONS


@dataclass(frozen=True)
class Lanes(Scope):
    """`Scope` over sympy. `points`: the symbols of nodes at which expressions are cut, by path.

    centring: a layer norm is written as the RMS norm of lanes without their mean: that of values, which has no rule.
    """

    algebra: Symbolic = None
    centring: bool = False
    points: Mapping[Path, np.ndarray] = field(default_factory=dict)

    @cached_property
    def about(self) -> tuple:
        """What a value depends on beside its nodes, their types, the choices in it, and what its names stand for."""
        parts = tuple((axis, tuple(widths.items())) for axis, widths in self.settings.parts.items())
        same = tuple(self.variant.same.items())
        return tuple(self.settings.sizes.items()), parts, same, bool(self.points), self.centring

    def value(self, node: Node, path: Path, env: Mapping[str, np.ndarray]) -> np.ndarray:
        return self.points[path] if path in self.points else self.expression(node, path, env)

    def expression(self, node: Node, path: Path, env: Mapping[str, np.ndarray]) -> np.ndarray:
        """The value of a node, also of one at which expressions are cut."""
        type = self.types[path]
        match node:
            case Number(number):
                value = np.array(self.algebra.number(number), dtype=object)
            case Activate(option, inner):
                value = self.each(partial(self.algebra.call, f"{option}()"), node, path, (inner,), env)
            case Apply("activation_gradient", args):
                value = self.each(partial(self.algebra.gradient, node.attr("option")), node, path, args, env)
            case Apply(op, args) if EVERY[op].shape == "elementwise":
                value = self.each(partial(self.algebra.elementwise, op), node, path, args, env)
            case Apply(op, args):
                below = [
                    self.value(arg, (*path, index), env) if self.has(node, index) else None
                    for index, arg in enumerate(args)
                ]
                value = getattr(self, f"_{op}")(node, path, *below)
            case _:
                return super().value(node, path, env)
        return np.asarray(value, dtype=object).reshape(self.stored(type))

    def has(self, node: Apply, index: int) -> bool:
        """Whether an argument is there: a part is not, where the variant does not have its label."""
        if node.op != "join":
            return True
        return list(self.settings.parts[node.attr("axis")].values())[index][1] > 0

    def each(self, function: Callable, node: Node, path: Path, args: tuple[Node, ...], env: Mapping) -> np.ndarray:
        """A function of lanes that broadcast."""
        below = [self._fitted(arg, (*path, index), env, self.types[path]) for index, arg in enumerate(args)]
        lanes = [function(*each) for each in zip(*(array.flat for array in below))]
        return objects(lanes).reshape(self.stored(self.types[path]))

    # --- what couples lanes

    def axes(self, node: Apply, path: Path) -> dict[str, object]:
        return self._places(node, [self.types[(*path, index)] for index in range(len(node.args))])

    def _matmul(self, node: Apply, path: Path, a, b):
        return np.einsum(self.axes(node, path)["axes"], a, b)

    _outer = _matmul

    def _sum(self, node: Apply, path: Path, x):
        return x.sum(axis=self.axes(node, path)["axis"])

    def _mean(self, node: Apply, path: Path, x):
        axis = self.axes(node, path)["axis"]
        return x.sum(axis=axis) / self.algebra.sympy.Integer(x.shape[axis])

    def _cumsum(self, node: Apply, path: Path, x):
        return np.cumsum(x, axis=self.axes(node, path)["axis"])

    def _cumsum_back(self, node: Apply, path: Path, x):
        axis = self.axes(node, path)["axis"]
        return np.flip(np.cumsum(np.flip(x, axis), axis=axis), axis)

    def _softmax(self, node: Apply, path: Path, x):
        return self.rows(x, (self.axes(node, path)["axis"],), lambda row: self.algebra.along("softmax", row))

    def _softmax_back(self, node: Apply, path: Path, d, y):
        return y * (d - (d * y).sum(axis=node.attr("at"), keepdims=True))

    def _normalize(self, node: Apply, path: Path, x, epsilon):
        axes, layer = self.axes(node, path)["axes"], node.attr("kind") == "layer"
        if layer and self.centring:
            x = self.rows(x, axes, lambda row: [self.algebra.normal(lane - sum(row) / len(row)) for lane in row])
        elif self.centring:
            x = self.rows(x, axes, lambda row: [self.algebra.normal(lane) for lane in row])
        lead = (self.algebra.number(Fraction(layer and not self.centring)), epsilon.item())
        return self.rows(x, axes, lambda row: self.algebra.along("normalize", row, *lead))

    def rstd(self, node: Apply, path: Path, env: Mapping[str, np.ndarray]) -> np.ndarray:
        """1 / the standard deviation of what a `normalize` is applied to."""
        x, epsilon = (self.value(arg, (*path, index), env) for index, arg in enumerate(node.args))
        axes = self.axes(node, path)["axes"]
        lead = (self.algebra.number(Fraction(node.attr("kind") == "layer")), epsilon.item())
        whole = self.rows(x, axes, lambda row: [self.algebra.call("rstd", *lead, *row)] * len(row))
        return whole[tuple(slice(1) if axis in axes else slice(None) for axis in range(x.ndim))]

    def _normalize_back(self, node: Apply, path: Path, d, y, rstd):
        axes = tuple(range(d.ndim - node.attr("axes"), d.ndim))
        count = self.algebra.sympy.Integer(prod(d.shape[axis] for axis in axes))
        y = np.broadcast_to(y, d.shape)
        inner = d - y * ((d * y).sum(axis=axes, keepdims=True) / count)
        if node.attr("kind") == "layer":
            inner = inner - d.sum(axis=axes, keepdims=True) / count
        return rstd * inner

    def _product(self, node: Apply, path: Path, a, b):
        types = [self.types[(*path, index)] for index in (0, 1)]
        left, right = ("Z" * type.level.has_batch + node.attr(side) for type, side in zip(types, ("left", "right")))
        out = "Z" * self.types[path].level.has_batch + node.attr("out")
        return np.einsum(f"{left},{right}->{out}", a, b)

    def _sum_to(self, node: Apply, path: Path, d):
        return self.summed(d, self.types[path], self.types[(*path, 0)])

    def summed(self, d: np.ndarray, have: Type, want: Type) -> np.ndarray:
        """The adjoint of `fit`: what reaches a value of type `have`, by what reaches it where that is spread."""
        places = self.fit(np.arange(prod(self.stored(have))).reshape(self.stored(have)), have, want)
        out = np.full(places.max() + 1, self.algebra.zero, dtype=object)
        np.add.at(out, places.reshape(-1), d.reshape(-1))
        return out

    def _spread(self, node: Apply, path: Path, d, x):
        rest = list(shape := self.stored(self.types[path]))
        del rest[len(shape) + node.attr("at")]
        count = shape[node.attr("at")] if node.attr("mean") else 1
        d = d.reshape(-1, *rest[1:]) if rest else d.reshape(())
        spread = np.expand_dims(np.broadcast_to(d, rest), len(shape) + node.attr("at"))
        return np.broadcast_to(spread, shape) / self.algebra.number(count)

    def _join(self, node: Apply, path: Path, *parts):
        type = self.types[path]
        out = np.full(self.stored(type), self.algebra.zero, dtype=object)
        axis = next(axis for axis in self.settings.cell.axes if axis.name == node.attr("axis"))
        for label, part in zip(axis.labels, parts):
            place = self.part(out, type, label)
            if place.size:  # not every variant has every label
                place[...] = part.reshape(place.shape)
        return out

    @staticmethod
    def rows(x: np.ndarray, axes: tuple[int, ...], function: Callable) -> np.ndarray:
        """A function of all lanes along some axes, which gives as many."""
        moved = np.moveaxis(x, axes, range(x.ndim - len(axes), x.ndim))
        lead = moved.shape[: x.ndim - len(axes)]
        flat = moved.reshape(prod(lead), -1)
        out = objects([lane for row in flat for lane in function(list(row))]).reshape(moved.shape)
        return np.moveaxis(out, range(x.ndim - len(axes), x.ndim), axes)


def objects(lanes: list) -> np.ndarray:
    """A flat array of expressions."""
    out = np.empty(len(lanes), dtype=object)
    out[:] = lanes
    return out
