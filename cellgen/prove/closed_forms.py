"""Normal forms as quotients over exponentials, in one case of the signs of what they compare.

Sigmoids, hyperbolic tangents and softplus are written with one positive symbol for the exponential of each term of
their arguments; logarithms and roots are taken factor by factor; extremes, absolute values, steps and what else has a
kink are one of their arms, by a sign. A sign that neither ranges nor the case tell is asked for (`Split`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from math import isqrt

from cellgen.prove.couplings import Names, coupled, varies
from cellgen.prove.enclose import Enclosure
from cellgen.prove.quotients import Key, Monomial, Polynomial, Quotient, TooLong, expression, key
from cellgen.prove.symbols import MAX_POWER, Atom, Expr

MAX_DEPTH = 100
MAX_PRIME = 10**6

ABOVE, BELOW, ZERO, NOT_ABOVE, NOT_BELOW = "> 0", "< 0", "== 0", "<= 0", ">= 0"
_TURNED = {ABOVE: BELOW, BELOW: ABOVE, ZERO: ZERO, NOT_ABOVE: NOT_BELOW, NOT_BELOW: NOT_ABOVE}
_WEAK = (NOT_ABOVE, NOT_BELOW)
_SELU = Fraction("1.05070098735548049342"), Fraction("1.67326324235437728482")  # Keras's: scale, alpha


class Split(Exception):
    """The sign of a polynomial is needed; `signs` are those that it may have."""

    def __init__(self, part: Key, signs: tuple[str, ...]):
        super().__init__(part, signs)
        self.part, self.signs = part, signs


@dataclass
class Closed:
    """The closed forms of normal forms; `case` gives some polynomials a sign."""

    names: Names
    enclosure: Enclosure
    case: Mapping[Key, str]
    _logs: dict[tuple[Expr, bool], Polynomial] = field(default_factory=dict)  # of what, where it is more than 0
    _found: dict[tuple[Expr, bool], Quotient] = field(default_factory=dict)
    _depth: int = 0
    _within: int = 0  # operations over lanes that are being looked into: a case is about one lane

    def __post_init__(self):
        self.ring, self.table, self.name = self.names.ring, self.names.ring.table, self.names.name
        self._given = dict(self._zeros())

    def _zeros(self) -> Iterator[tuple[Expr, Polynomial]]:
        """What a symbol is where a polynomial that is linear in it, and in nothing else, is zero."""
        for part, sign in self.case.items():
            linear = sign == ZERO and all(not term or len(term) == 1 and term[0][1] == 1 for term, _ in part)
            for term, number in part if linear else ():
                atom = self.table.atoms.get(term[0][0]) if term else None
                if term and term[0][0] not in self.ring.positive and (atom is None or atom.op == "leaf"):
                    yield term[0][0], {other: -factor / number for other, factor in part if other != term}
                    break

    def of(self, expr: Expr) -> Quotient:
        """Raises `Split`, `TooLong`, and ZeroDivisionError where something is divided by zero."""
        known = expr, bool(self._within)
        if known not in self._found:
            self._depth += 1
            if self._depth > MAX_DEPTH:
                raise TooLong
            try:
                self._found[known] = self.ring.sum(self._term(term) for term in self.table.sympy.Add.make_args(expr))
            finally:
                self._depth -= 1
        return self._found[known]

    def lane(self, expr: Expr) -> Quotient:
        """Of an operand of an operation over lanes."""
        self._within += 1
        try:
            return self.ring.cancelled(self.of(expr))
        finally:
            self._within -= 1

    def _term(self, term: Expr) -> Quotient:
        """A condition first: what it does not choose may be no number."""
        number, factors = term.as_coeff_mul()
        out = self.ring.number(Fraction(int(number.p), int(number.q)))
        powers = [(each.base, int(each.exp)) if each.is_Pow else (each, 1) for each in factors]
        for symbol, power in sorted(powers, key=lambda each: (not self.table.atoms[each[0]].binary, each[0].name)):
            out = self.ring.product(out, self.ring.power(self.symbol(symbol), power))
            if not out.top:
                break
        return out

    def symbol(self, symbol: Expr) -> Quotient:
        known = symbol, bool(self._within)
        if known not in self._found:
            atom = self.table.atoms[symbol]
            try:
                found = self._atom(symbol, atom)
                self._found[known] = found if self._within else self._substituted(found)
            except Split:
                if not self._within:
                    raise
                self._found[known] = self._opaque(atom)
        return self._found[known]

    def _atom(self, symbol: Expr, atom: Atom) -> Quotient:
        if atom.op == "leaf" and any(dim.name == atom.place[0] for dim in self.names.meaning.program.cell.dims):
            return self.ring.power_of(self.names.size(atom.place[0]))
        if atom.op == "leaf":
            return self.ring.power_of(symbol)
        if atom.op == "identity":
            raise TooLong
        if atom.coupled:
            return coupled(self, atom)
        if atom.op in ("add", "mul", "linear", "div", "pow"):
            return self._operator(atom)
        if atom.op not in _FUNCTIONS:
            return self._opaque(atom)
        return _FUNCTIONS[atom.op](self, *(self.of(each) for each in atom.operands))

    def _substituted(self, a: Quotient) -> Quotient:
        if not any(symbol in self._given for term in a.top for symbol, _ in term):
            return a
        out = []
        for term, number in a.top.items():
            part = Quotient({tuple(each for each in term if each[0] not in self._given): number}, a.bottom)
            for symbol, power in term:
                if symbol in self._given:
                    if power.denominator != 1:
                        raise TooLong
                    part = self.ring.product(part, self.ring.power(Quotient(self._given[symbol]), int(power)))
            out.append(part)
        return self.ring.sum(out)

    def _operator(self, atom: Atom) -> Quotient:
        match atom.op, [self.of(each) for each in atom.operands]:
            case "add", (a, b):
                return self.ring.sum((a, b))
            case "mul", (a, b):
                return self.ring.product(a, b)
            case "div", (a, b):
                return self.ring.product(a, self.ring.inverse(b))
            case "pow", (a, exponent):
                return self.exp(self.ring.product(exponent, self.log(a))) if a.top else self._opaque(atom)
            case _, (a,):
                return a

    def _opaque(self, atom: Atom) -> Quotient:
        """An elementwise operation by what it is applied to."""
        operands = tuple(self.known(self.ring.cancelled(self.of(each))) for each in atom.operands)
        dims = frozenset().union(
            *(varies(self.names, symbol) for each in atom.operands for symbol in each.free_symbols)
        )
        symbol = self.name(atom.op, *operands, *atom.place, dims=dims)
        if atom.binary:
            self.ring.binary.add(symbol)
        return self.ring.power_of(symbol)

    @staticmethod
    def known(a: Quotient) -> tuple:
        return key(a.top), a.bottom

    def _dims(self, a: Quotient) -> frozenset:
        terms = [*a.top, *(term for each, _ in a.bottom for term, _ in each)]
        return frozenset().union(*(varies(self.names, symbol) for term in terms for symbol, _ in term))

    # --- exponentials, logarithms, roots

    def exp(self, a: Quotient) -> Quotient:
        a, out = self.ring.cancelled(a), self.ring.number(1)
        for term, number in a.top.items():
            out = self.ring.product(out, self._exp(term, number, a.bottom))
        return out

    def _exp(self, term: Monomial, number: Fraction, bottom: tuple) -> Quotient:
        logarithm = (
            len(term) == 1 and term[0][1] == 1 and not bottom and self._logs.get((term[0][0], bool(self._within)))
        )
        if logarithm and number.denominator == 1 and abs(number) <= MAX_POWER:
            return self.ring.power(Quotient(logarithm), int(number))
        if logarithm and number.denominator == 2 and abs(number) <= MAX_POWER:
            return self.ring.power(self.sqrt(Quotient(logarithm)), number.numerator)
        argument = Quotient({term: Fraction(1)}, bottom)
        symbol = self.name("exp", term, bottom, dims=self._dims(argument), positive=True)
        self.names.arguments[symbol] = argument
        return self.ring.power_of(symbol, number)

    def log(self, a: Quotient) -> Quotient:
        """Of what is more than 0: the logarithms of the sizes of its factors."""
        if not a.top:
            raise ZeroDivisionError
        number, content, parts = self._parts(a)
        out = [self._log_of_number(abs(number))]
        for symbol, power in content:
            argument = self.names.arguments.get(symbol) or self._log(key({((symbol, Fraction(1)),): Fraction(1)}), True)
            out.append(self.ring.scaled(argument, power))
        signs = {part: self._sign(part) for part, power in parts if power % 2}
        unknown = [part for part, sign in signs.items() if sign not in (ABOVE, BELOW)]
        negative = (number < 0) + sum(sign == BELOW for sign in signs.values())
        for part, power in parts:
            upward = signs.get(part) == ABOVE or unknown == [part] and negative % 2 == 0
            downward = signs.get(part) == BELOW or unknown == [part] and negative % 2 == 1
            out.append(self.ring.scaled(self._log(part, upward if upward or downward else None), power))
        return self.ring.sum(out)

    def _log(self, part: Key, upward: bool | None) -> Quotient:
        symbol = self.name("log", part, dims=self._dims(Quotient(dict(part))))
        if upward is not None:
            self._logs[symbol, bool(self._within)] = {term: number if upward else -number for term, number in part}
        return self.ring.power_of(symbol)

    def _log_of_number(self, number: Fraction) -> Quotient:
        out = []
        for whole, sign in ((number.numerator, 1), (number.denominator, -1)):
            small = whole < MAX_PRIME
            for prime, power in (self.table.sympy.factorint(whole) if small else {whole: 1}).items():
                if prime != 1:
                    out.append(self.ring.scaled(self._log((((), Fraction(int(prime))),), True), sign * int(power)))
        return self.ring.sum(out)

    def sqrt(self, a: Quotient) -> Quotient:
        """Of what is no less than 0: what is squared in it is taken out, by its size."""
        if not a.top:
            return a
        number, content, parts = self._parts(a)
        out = Quotient({tuple((symbol, power / 2) for symbol, power in content): Fraction(1)})
        rest: Polynomial = {(): Fraction(1)}
        for part, power in parts:
            if power % 2:
                rest = self.ring.times(rest, dict(part))
            size = Quotient(dict(part))
            if power // 2 % 2:
                size = self.size(size)
            out = self.ring.product(out, self.ring.power(size, power // 2))
        top, bottom = abs(number.numerator * number.denominator), number.denominator
        if isqrt(top) ** 2 == top:
            out, number = self.ring.scaled(out, Fraction(isqrt(top), bottom)), number / abs(number)
        rest = {term: number * each for term, each in rest.items()}
        if rest == {(): 1}:
            return out
        symbol = self.name("sqrt", key(rest), dims=self._dims(Quotient(rest)))
        self.ring.squares[symbol] = rest
        self.names.roots.add(symbol)
        return self.ring.product(out, self.ring.power_of(symbol))

    def _parts(self, a: Quotient) -> tuple[Fraction, Monomial, list[tuple[Key, int]]]:
        """A number, powers of positive symbols, and factors with powers that may be negative."""
        number, content, parts = self.ring.factors(a.top)
        powers = dict(parts)
        for each, power in a.bottom:
            under, inner, below = self.ring.factors(dict(each))
            number, content = number / under**power, self.ring.joined(content, inner, -power)
            for part, multiple in below:
                powers[part] = powers.get(part, 0) - multiple * power
        return number, content, [(part, power) for part, power in powers.items() if power]

    # --- signs

    def sign(self, a: Quotient) -> str:
        """One of the five; a weak one where that is all that is known."""
        return self._signed(a)[0]

    def above(self, a: Quotient) -> bool:
        """Whether it is more than 0."""
        sign, weak = self._signed(a)
        if sign == NOT_BELOW:
            known = self._sign(weak[0])
            raise Split(
                weak[0], (ABOVE, NOT_ABOVE) if known is None else (ABOVE if known == NOT_BELOW else BELOW, ZERO)
            )
        return sign == ABOVE

    def _signed(self, a: Quotient) -> tuple[str, list[Key]]:
        """The sign, and the factors that may be zero."""
        if not a.top:
            return ZERO, []
        number, _, parts = self._parts(a)
        upward, weak = number > 0, []
        for part, power in parts:
            sign = self._sign(part)
            if sign is None and power % 2:
                raise Split(part, (ABOVE, NOT_ABOVE))
            if sign == ZERO:
                return ZERO, []
            if sign not in (ABOVE, BELOW) and power > 0:
                weak.append(part)
            if power % 2 and sign in (BELOW, NOT_ABOVE):
                upward = not upward
        return (NOT_BELOW if upward else NOT_ABOVE) if weak else (ABOVE if upward else BELOW), weak

    def _sign(self, part: Key) -> str | None:
        """Of a factor, if it is known."""
        case = self.case.get(part) if not self._within else None
        if case in (ABOVE, BELOW, ZERO):
            return case
        return self._by_terms(part) or self._by_range(part) or self._by_exponents(part) or case

    def _by_terms(self, part: Key) -> str | None:
        """All terms have one sign."""
        weak = True
        for term, number in part:
            for symbol, power in term:
                if symbol not in self.ring.positive | self.names.roots and power % 2:
                    return None
            if number < 0:
                return None
            weak &= any(symbol not in self.ring.positive for symbol, _ in term)
        return NOT_BELOW if weak else ABOVE

    def _by_range(self, part: Key) -> str | None:
        if any(symbol not in self.table.atoms for term, _ in part for symbol, _ in term):
            return None
        found = self.enclosure.of(expression(self.table, dict(part)))
        if found.low is not None and found.low >= 0:
            return NOT_BELOW if found.low == 0 and not found.low_open else ABOVE
        if found.high is not None and found.high <= 0:
            return NOT_ABOVE if found.high == 0 and not found.high_open else BELOW
        return None

    def _by_exponents(self, part: Key) -> str | None:
        """Of the difference of two exponentials, that of the arguments."""
        if len(part) != 2 or part[0][1] != -part[1][1]:
            return None
        parts = []
        for term, _ in part:
            if any(symbol not in self.names.arguments for symbol, _ in term):
                return None
            parts.append(self.ring.sum(self.ring.scaled(self.names.arguments[symbol], power) for symbol, power in term))
        return self.sign(self.ring.difference(*parts))  # its first coefficient is 1

    def size(self, a: Quotient) -> Quotient:
        """The absolute value."""
        return self.ring.scaled(a, -1) if self.sign(a) in (BELOW, NOT_ABOVE) else a

    def greatest(self, a: Quotient, b: Quotient) -> Quotient:
        return b if self.sign(self.ring.difference(a, b)) in (BELOW, NOT_ABOVE) else a

    def least(self, a: Quotient, b: Quotient) -> Quotient:
        return a if self.sign(self.ring.difference(a, b)) in (BELOW, NOT_ABOVE) else b

    # --- functions

    def sigmoid(self, a: Quotient) -> Quotient:
        power = self.exp(a)
        return self.ring.product(power, self.ring.inverse(self.plus(power, 1)))

    def plus(self, a: Quotient, number: int) -> Quotient:
        return self.ring.sum((a, self.ring.number(number)))

    def tanh(self, a: Quotient) -> Quotient:
        power = self.exp(self.ring.scaled(a, 2))
        return self.ring.product(self.plus(power, -1), self.ring.inverse(self.plus(power, 1)))

    def elu(self, a: Quotient) -> Quotient:
        return a if self.above(a) else self.plus(self.exp(a), -1)

    def gelu(self, a: Quotient) -> Quotient:
        """By the normal distribution, which of -a is 1 less that of a."""
        sign = -1 if a.top and key(a.top)[0][1] < 0 else 1
        argument = self.ring.cancelled(self.ring.scaled(a, sign))
        below = self.ring.power_of(self.name("normal", self.known(argument), dims=self._dims(argument), positive=True))
        return self.ring.product(a, below if sign > 0 else self.plus(self.ring.scaled(below, -1), 1))

    def circular(self, a: Quotient) -> tuple[Quotient, Quotient]:
        """Cosine and sine of a sum, from those of its terms."""
        a, ring = self.ring.cancelled(a), self.ring
        cos, sin = ring.number(1), ring.number(0)
        for term, number in a.top.items():
            times = int(abs(number)) if number.denominator == 1 and abs(number) <= MAX_POWER else 1
            argument = Quotient({term: abs(number) / times}, a.bottom)
            c, s = (self.name(op, *self.known(argument), dims=self._dims(argument)) for op in ("cos", "sin"))
            ring.squares[s] = {(): Fraction(1), ((c, Fraction(2)),): Fraction(-1)}
            for _ in range(times):
                p, q = ring.power_of(c), ring.scaled(ring.power_of(s), 1 if number > 0 else -1)
                cos, sin = (
                    ring.difference(ring.product(cos, p), ring.product(sin, q)),
                    ring.sum((ring.product(sin, p), ring.product(cos, q))),
                )
        return cos, sin


_FUNCTIONS = {
    "exp": Closed.exp,
    "log": Closed.log,
    "sqrt": Closed.sqrt,
    "sigmoid": Closed.sigmoid,
    "tanh": Closed.tanh,
    "softplus": lambda s, a: s.log(s.plus(s.exp(a), 1)),
    "elu": Closed.elu,
    "selu": lambda s, a: s.ring.scaled(a if s.above(a) else s.ring.scaled(s.elu(a), _SELU[1]), _SELU[0]),
    "softsign": lambda s, a: s.ring.product(a, s.ring.inverse(s.plus(s.size(a), 1))),
    "gelu": Closed.gelu,
    "abs": Closed.size,
    "maximum": Closed.greatest,
    "minimum": Closed.least,
    "step": lambda s, a: s.ring.number(1 if s.above(a) else 0),
    "sin": lambda s, a: s.circular(a)[1],
    "cos": lambda s, a: s.circular(a)[0],
}
