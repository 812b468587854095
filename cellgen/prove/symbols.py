"""Values as polynomials: the table of symbols that stand for what cannot be taken apart, and `SYMPY`, the meaning of
each operation over them.

A value is looked at lane by lane: one real polynomial stands for all lanes of an axis. What is no polynomial, and what
couples lanes, becomes a symbol that is keyed by the operation and the normal forms of its operands, so that equal
values have equal symbols. A polynomial is kept expanded, with the square of a 0-or-1 symbol reduced to itself.

A sum or product of more than MAX_TERMS terms becomes a symbol as well, one whose numbers may have more than MAX_DIGITS,
and one of more than MAX_WHOLE terms that is 0 or 1 or that another equation reads: then less can be proved, and nothing
wrong.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import floor, log10

from cellgen.ir import OPS, intervals
from cellgen.prove.value_cache import ValueCache

MAX_TERMS = 128
MAX_POWER = 8
MAX_WHOLE = 32
MAX_DIGITS = 700

Expr = object  # a sympy expression; sympy is imported when a table is made, not before
Lanes = tuple[tuple[tuple[str, ...], Expr], ...]  # of an operand of a coupling operation: label path -> polynomial


@dataclass(frozen=True, slots=True)
class Atom:
    """What a symbol stands for.

    op: an operation of `ops`; `option()`, for an activation that it chooses; or `leaf`, with the name in `place`.
    operands: polynomials, or the lanes of each operand. place: what else tells two uses of the operation apart.
    binary: it is 0 or 1. frozen: no gradient goes through it.
    """

    op: str
    operands: tuple
    place: tuple = ()
    binary: bool = False
    frozen: bool = False

    @property
    def polynomials(self) -> tuple[Expr, ...]:
        """The normal forms of all operands."""
        return tuple(expr for lanes in self.operands for _, expr in lanes) if self.coupled else self.operands

    @property
    def coupled(self) -> bool:
        return self.op in OPS and OPS[self.op].shape != "elementwise"


class Table:
    """The symbols of one call of `laws`."""

    def __init__(self):
        import sympy

        self.sympy = sympy
        self.atoms: dict[Expr, Atom] = {}
        self.made: dict[Expr, tuple[str, tuple]] = {}  # the operation that gave a sum first, and its operands
        self.polynomials: dict[Expr, dict] = {}  # found before, by `enclose`
        self.invariants: dict[tuple, dict] = {}
        self.enclosures: dict[tuple, object] = {}
        self.meanings: dict[tuple, object] = {}
        self.partial: dict[object, set[str]] = {}  # of a program, found before by `domains`
        self.recall = ValueCache()
        self._symbols: dict[Atom, Expr] = {}
        self._order: dict[Expr, int] = {}
        self._below: dict[Expr, set[Expr]] = {}

    def symbol(self, atom: Atom) -> Expr:
        """The symbol of an atom; equal atoms have the same."""
        if atom not in self._symbols:
            symbol = self.sympy.Symbol(f"s{len(self._symbols):04d}")
            self._symbols[atom], self.atoms[symbol] = symbol, atom
        return self._symbols[atom]

    def make(self, out: Expr, op: str, *operands: Expr) -> Expr:
        """Remembers what a value that is no symbol was made of, if all that was there before it."""
        plain = op in ("add", "mul")
        if out.is_Add if plain else not out.is_Atom:
            for each in (*operands, out):
                self._order.setdefault(each, -1 if each.is_Rational else len(self._order))
            if all(self._order[each] < self._order[out] for each in operands) and not (plain and out in self.made):
                self.made[out] = op, operands
        return out

    def below(self, symbols) -> set[Expr]:
        """All symbols that these are made of, at any depth."""
        out, todo = set(), list(symbols)
        while todo:
            symbol = todo.pop()
            if symbol not in self._below:
                operands = self.atoms[symbol].polynomials
                self._below[symbol] = set().union(*(expr.free_symbols for expr in operands))
            new = self._below[symbol] - out
            out |= new
            todo += new
        return out

    def reads(self, polynomials, gradient: bool = False) -> tuple[Expr, ...]:
        """The leaves that polynomials come from, through their symbols; `gradient`: where a gradient can pass."""
        seen: dict[Expr, None] = {}
        todo = list(polynomials)
        while todo:
            for symbol in sorted(todo.pop().free_symbols, key=lambda symbol: symbol.name):
                if symbol not in seen:
                    seen[symbol] = None
                    atom = self.atoms[symbol]
                    todo.extend(() if gradient and atom.frozen else atom.polynomials)
        return tuple(symbol for symbol in seen if self.atoms[symbol].op == "leaf")


class Arithmetic:
    """Sums and products of normal forms. `assumed` gives some 0-or-1 symbols their value, when they are made.

    reference: the program of which gradients are the derivatives is meant, not the one that computes values.
    """

    def __init__(self, table: Table, assumed: Mapping[Expr, int] | None = None, reference: bool = False):
        self.table, self.assumed, self.reference = table, assumed or {}, reference
        self.zero, self.one = table.sympy.Integer(0), table.sympy.Integer(1)
        self.identity = table.symbol(Atom("identity", ()))  # of a matrix, the lane

    def number(self, value: Fraction | int) -> Expr:
        return self.table.sympy.Rational(value.numerator, value.denominator)

    def atom(self, op: str, *operands, place: tuple = (), binary: bool = False, frozen: bool = False) -> Expr:
        symbol = self.table.symbol(Atom(op, operands, place, binary, frozen))
        return self.number(self.assumed[symbol]) if symbol in self.assumed else symbol

    def sum(self, a: Expr, b: Expr) -> Expr:
        """Of many terms it is a symbol, as a product is."""
        if len(self._terms(a)) + len(self._terms(b)) > MAX_TERMS or self._long(a, b):
            return self.atom("add", *sorted((a, b), key=str))
        return self.table.make(a + b, "add", a, b)

    def difference(self, a: Expr, b: Expr) -> Expr:
        return self.sum(a, self._scaled(self.number(-1), b))

    def product(self, a: Expr, b: Expr) -> Expr:
        if self._long(a, b):
            return self.atom("mul", *sorted((a, b), key=str))
        if a.is_Rational or b.is_Rational:
            return self._scaled(a, b) if a.is_Rational else self._scaled(b, a)
        terms_a, terms_b = self._terms(a), self._terms(b)
        if len(terms_a) * len(terms_b) > MAX_TERMS:
            return self.atom("mul", *sorted((a, b), key=str))
        out = self.table.sympy.Add(*(self._idempotent(p * q) for p in terms_a for q in terms_b))
        return self.table.make(out, "mul", a, b)

    def whole(self, a: Expr, binary: bool = False) -> Expr:
        """A long polynomial as one symbol."""
        return self.atom("linear", a, binary=binary) if len(self._terms(a)) > MAX_WHOLE else a

    def power(self, a: Expr, exponent: Expr) -> Expr:
        if exponent.is_Integer and abs(exponent) <= MAX_POWER:
            out = self.one
            for _ in range(abs(int(exponent))):
                out = self.product(out, a)
            self.table.make(out, "pow", a, self.number(abs(int(exponent))))
            return out if exponent >= 0 else self.inverse(out)
        if exponent == self.number(Fraction(1, 2)):
            return self.function("sqrt", a)
        return self.atom("pow", a, exponent)

    def inverse(self, a: Expr) -> Expr:
        return self.atom("div", self.one, a) if a.is_Add or a == 0 else 1 / a

    def positive(self, a: Expr) -> Expr:
        """1 where a > 0, else 0."""
        if a.is_Rational:
            return self.one if a > 0 else self.zero
        return self.atom("step", a, binary=True, frozen=True)

    def floor(self, a: Expr) -> Expr:
        """What is whole of its constant stands beside it."""
        constant, rest = a.as_coeff_Add()
        if rest == 0:
            return self.number(floor(intervals.exact(constant)))
        whole = self.number(floor(intervals.exact(constant)))
        return whole + self.atom("floor", a - whole, frozen=True)

    def remainder(self, a: Expr, b: Expr) -> Expr:
        times = self.floor(self.product(a, self.inverse(b)))
        return self.table.make(self.difference(a, self.product(b, times)), "mod", a, b)

    def choose(self, condition: Expr, a: Expr, b: Expr) -> Expr:
        """By a condition that is 0 or 1; of a reference program no gradient goes through it."""
        if self.reference and not condition.is_Rational:
            condition = self.atom("stop_gradient", condition, binary=True, frozen=True)
        return self.sum(self.product(condition, a), self.product(1 - condition, b))

    def even(self, op: str, a: Expr) -> Expr:
        return self.function(op, -a if self._is_minus(a) else a)

    def odd(self, op: str, a: Expr) -> Expr:
        return -self.function(op, -a) if self._is_minus(a) else self.function(op, a)

    def function(self, op: str, a: Expr) -> Expr:
        """An elementwise function of one value that is not taken apart."""
        return self.number(AT_ZERO[op]) if a == 0 and op in AT_ZERO else self.atom(op, a)

    def least(self, a: Expr, b: Expr) -> Expr:
        if (a - b).is_Rational:
            return a if a - b <= 0 else b
        return self.atom("minimum", *sorted((a, b), key=str))

    def greatest(self, a: Expr, b: Expr) -> Expr:
        if (a - b).is_Rational:
            return a if a - b >= 0 else b
        return self.atom("maximum", *sorted((a, b), key=str))

    def _scaled(self, number: Expr, a: Expr) -> Expr:
        out = self.table.sympy.Add(*(number * term for term in self._terms(a)))
        return self.table.make(out, "mul", number, a)

    def _long(self, *operands: Expr) -> bool:
        """Whether a number of a sum or product of these may have more than MAX_DIGITS digits."""
        numbers = ([term.as_coeff_Mul()[0] for term in self._terms(each)] for each in operands)
        bits = sum(max(max(each.p.bit_length(), each.q.bit_length()) for each in those) for those in numbers)
        return bits * log10(2) > MAX_DIGITS

    def _terms(self, a: Expr) -> tuple[Expr, ...]:
        return self.table.sympy.Add.make_args(a)

    def _idempotent(self, term: Expr) -> Expr:
        """A monomial with no power of a 0-or-1 symbol."""
        for factor in self.table.sympy.Mul.make_args(term):
            if factor.is_Pow and factor.exp.is_Integer and factor.exp > 1 and self.table.atoms[factor.base].binary:
                term = term * factor.base / factor
        return term

    @staticmethod
    def _is_minus(a: Expr) -> bool:
        return bool(a.could_extract_minus_sign())


AT_ZERO = {
    "sigmoid": Fraction(1, 2),
    "tanh": Fraction(0),
    "softsign": Fraction(0),
    "elu": Fraction(0),
    "selu": Fraction(0),
    "gelu": Fraction(0),
    "exp": Fraction(1),
    "sqrt": Fraction(0),
    "abs": Fraction(0),
    "sin": Fraction(0),
    "cos": Fraction(1),
}


def _opaque(op: str) -> Callable:
    return lambda s, x: s.function(op, x)


def _sigmoid(s: Arithmetic, x):
    return 1 - s.function("sigmoid", -x) if s._is_minus(x) else s.function("sigmoid", x)


def _clip(s: Arithmetic, x, low, high):
    return s.greatest(s.least(x, high), low)


def _relu6(s: Arithmetic, x):
    return _clip(s, x, s.zero, s.number(6))


def _hard_sigmoid(s: Arithmetic, x):
    return s.product(_relu6(s, x + 3), s.number(Fraction(1, 6)))


def _softplus(s: Arithmetic, x):
    return s.function("softplus", x)


def _stop_gradient(s: Arithmetic, x):
    return s.atom("stop_gradient", x, frozen=True) if s.reference and not x.is_Rational else x


def _straight_through(s: Arithmetic, f, g):
    """`f`; as a reference program `g`, and the rest of `f` frozen."""
    return g + _stop_gradient(s, f - g) if s.reference else f


def _coupled(op: str, zero: int | None = None) -> Callable:
    """An operation over lanes; `zero`: it is zero when that many of its operands are, in all lanes."""

    def of(s: Arithmetic, *operands: Lanes, place: tuple):
        nought = [all(expr == 0 for _, expr in lanes) for lanes in operands]
        return s.zero if zero and sum(nought) >= zero else s.atom(op, *operands, place=place)

    return of


def _matmul(s: Arithmetic, a: Lanes, b: Lanes, *, place: tuple):
    """A product with the identity is the other operand; signs stand in front of it."""
    (a, turned_a), (b, turned_b) = _unsigned(s, a), _unsigned(s, b)
    sign = s.number(-1 if turned_a != turned_b else 1)
    for one, other in ((a, b), (b, a)):
        if [expr for _, expr in one] == [s.identity] and len(other) == 1:
            return s.product(sign, other[0][1])
    return s.product(sign, _coupled("matmul", 1)(s, a, b, place=place))


def _unsigned(s: Arithmetic, lanes: Lanes) -> tuple[Lanes, bool]:
    """All lanes with their signs turned, if that of the first one that is not zero is minus; and whether it is."""
    first = next((expr for _, expr in lanes if expr != 0), s.zero)
    if not s._is_minus(first):
        return lanes, False
    return tuple((path, s.product(s.number(-1), expr)) for path, expr in lanes), True


def _normalize(s: Arithmetic, value: Lanes, epsilon: Lanes, *, place: tuple):
    """Where all lanes are one number, nothing is left of it by a layer's norm, and of zero by any."""
    lanes = {expr for _, expr in value}
    same = len(lanes) == 1 and next(iter(lanes)).is_Rational
    nothing = same and ("layer" in place or lanes == {s.zero})
    return s.zero if nothing else s.atom("normalize", value, epsilon, place=place)


SYMPY: dict[str, Callable] = {
    "add": lambda s, a, b: s.sum(a, b),
    "sub": lambda s, a, b: s.difference(a, b),
    "mul": lambda s, a, b: s.product(a, b),
    "div": lambda s, a, b: s.product(a, s.inverse(b)),
    "neg": lambda s, a: s.product(s.number(-1), a),
    "pow": lambda s, a, n: s.power(a, n),
    "less": lambda s, a, b: s.positive(s.difference(b, a)),
    "less_equal": lambda s, a, b: 1 - s.positive(s.difference(a, b)),
    "greater": lambda s, a, b: s.positive(s.difference(a, b)),
    "greater_equal": lambda s, a, b: 1 - s.positive(s.difference(b, a)),
    "matmul": _matmul,
    "normalize": _normalize,
    "linear": lambda s, x: x,
    "sigmoid": _sigmoid,
    "tanh": lambda s, x: s.odd("tanh", x),
    "relu": lambda s, x: s.greatest(x, s.zero),
    "relu6": _relu6,
    "leaky_relu": lambda s, x: s.choose(s.positive(x), x, s.product(s.number(Fraction(1, 5)), x)),
    "elu": _opaque("elu"),
    "selu": _opaque("selu"),
    "softplus": _softplus,
    "softsign": lambda s, x: s.odd("softsign", x),
    "silu": lambda s, x: s.table.make(s.product(x, _sigmoid(s, x)), "silu", x),
    "gelu": _opaque("gelu"),
    "mish": lambda s, x: s.table.make(s.product(x, s.odd("tanh", _softplus(s, x))), "mish", x),
    "exponential": _opaque("exp"),
    "log_sigmoid": lambda s, x: -_softplus(s, s.product(s.number(-1), x)),
    "hard_sigmoid": _hard_sigmoid,
    "hard_silu": lambda s, x: s.table.make(s.product(x, _hard_sigmoid(s, x)), "hard_silu", x),
    "hard_tanh": lambda s, x: _clip(s, x, s.number(-1), s.one),
    "exp": _opaque("exp"),
    "log": _opaque("log"),
    "sqrt": _opaque("sqrt"),
    "square": lambda s, x: s.power(x, s.number(2)),
    "abs": lambda s, x: s.even("abs", x),
    "sin": lambda s, x: s.odd("sin", x),
    "cos": lambda s, x: s.even("cos", x),
    "step": lambda s, x: s.positive(x),
    "floor": lambda s, x: s.floor(x),
    "mod": lambda s, a, b: s.remainder(a, b),
    "minimum": lambda s, a, b: s.least(a, b),
    "maximum": lambda s, a, b: s.greatest(a, b),
    "clip": _clip,
    "where": lambda s, condition, a, b: s.choose(condition, a, b),
    "stop_gradient": _stop_gradient,
    "straight_through": _straight_through,
    "range": _coupled("range"),
    "outer": _coupled("outer", 1),
    "conv": _coupled("conv", 1),
    "sum": _coupled("sum", 1),
    "mean": _coupled("mean", 1),
    "roll": _coupled("roll", 1),
    "shift": _coupled("shift", 1),
    "softmax": _coupled("softmax"),
    "cumsum": _coupled("cumsum", 1),
}
"""Each operation over normal forms; of one that couples lanes, a lane of its result from the lanes of its operands."""
