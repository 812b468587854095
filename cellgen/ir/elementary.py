"""Elementary functions of rationals, each value between two rationals: the same on every machine.

mpmath computes with GUARD bits more than are kept, which is far more than it errs by; what it gives is widened by the
last bit kept, then rounded outwards to decimal digits.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from fractions import Fraction
from functools import cache, lru_cache
from math import ceil, isqrt, log2, log10

DIGITS = 12  # significant, of what is told
GUARD = 30
MAX_ARGUMENT = 100_000  # beyond it a value is only known to be further out
MAX_BITS = 1023  # of a bound before its point, and zeros behind it: a float holds it

_digits: ContextVar[int] = ContextVar("digits", default=DIGITS)

SELU = Fraction("1.05070098735548049342"), Fraction("1.67326324235437728482")  # Keras's scale and alpha

MAX_LENGTH = 4 * MAX_BITS  # of both parts of a fraction; of a longer one SHORT digits are enough
SHORT = 100

_LARGEST = Fraction(2) ** (MAX_BITS - 1)

Bounds = tuple[Fraction | None, Fraction | None]  # None: nothing is known on this side


@contextmanager
def precise(digits: int) -> Iterator[None]:
    """Within it values are known to so many digits, not to DIGITS."""
    token = _digits.set(digits)
    try:
        yield
    finally:
        _digits.reset(token)


def kept() -> int:
    """How many digits values are known to here."""
    return _digits.get()


def value(name: str, x: Fraction) -> Bounds:
    """What the function's value lies between; both ends are the value where it is a rational that is known."""
    return _value(name, x, _digits.get())


def outward(x: Fraction, up: bool) -> Fraction:
    """The nearest number of as many digits as are kept that is no smaller (`up`), or no larger."""
    return _outward(x, up, _digits.get())


def within(x: Fraction, up: bool) -> Fraction | None:
    """A number as a bound: one that is long, or of a size that no float has, gives way to the next that is not.

    It is no smaller (`up`), or no larger; None: there is no bound.
    """
    above, below = x.numerator.bit_length(), x.denominator.bit_length()
    bits = above - below
    if not x or -MAX_BITS < bits < MAX_BITS:
        return x if above + below <= MAX_LENGTH else within(_outward(x, up, SHORT), up)
    side = 1 if x > 0 else -1
    if up == (x > 0):
        return None if bits > 0 else side / _LARGEST
    return side * _LARGEST if bits > 0 else Fraction(0)


def pi() -> tuple[Fraction, Fraction]:
    return _pi(_digits.get())


@lru_cache(maxsize=100_000)
def _value(name: str, x: Fraction, digits: int) -> Bounds:
    exact = EXACT.get(name, _unknown)(x)
    if exact is not None:
        return exact, exact
    if abs(x) > MAX_ARGUMENT and name not in ("log", "sqrt"):
        return _far(name, x, digits)
    bits = int(digits * log2(10)) + 8
    context, rational = _context(bits + GUARD)
    found = [FUNCTIONS[name](context, at) for at in _ends(context, x)]  # two where x is no number of so many bits
    low, high = (_rational(pick(found), rational) for pick in (min, max))
    apart = high - low  # a function that is not monotone may be further out between them, by no more than that
    slack = max(abs(low), abs(high)) / 2**bits + apart
    return within(_outward(low - slack, False, digits), False), within(_outward(high + slack, True, digits), True)


def _rational(x, rational) -> Fraction:
    """A number of mpmath's; of one that is too large or too small for a bound, another that is."""
    minus, mantissa, exponent, bits = x._mpf_
    size = exponent + bits
    if mantissa and abs(size) > MAX_BITS:
        return Fraction(-1 if minus else 1) * Fraction(2) ** (2 * MAX_BITS if size > 0 else -2 * MAX_BITS)
    return Fraction(*rational(x._mpf_))


def _far(name: str, x: Fraction, digits: int) -> Bounds:
    """Beyond MAX_ARGUMENT: the functions that are asked for here grow there, or are bounded."""
    edge = Fraction(MAX_ARGUMENT if x > 0 else -MAX_ARGUMENT)
    low, high = _value(name, edge, digits)
    if name in ("sin", "cos"):
        return Fraction(-1), Fraction(1)
    if name in ("silu", "gelu", "mish") and x < 0:
        return low, Fraction(0)
    return (low, None) if x > 0 else (None, high)


@cache
def _context(bits: int):
    import mpmath

    context = mpmath.mp.clone()
    context.prec = bits
    return context, mpmath.libmp.to_rational


def _ends(context, x: Fraction) -> tuple:
    low, high = (context.fdiv(x.numerator, x.denominator, rounding=way) for way in "fc")
    return (low,) if low == high else (low, high)


@cache
def _pi(digits: int) -> tuple[Fraction, Fraction]:
    context, rational = _context(int(digits * log2(10)) + 8 + GUARD)
    middle = Fraction(*rational((+context.pi)._mpf_))
    return middle - Fraction(1, 10**digits), middle + Fraction(1, 10**digits)


@lru_cache(maxsize=100_000)
def _outward(x: Fraction, up: bool, digits: int) -> Fraction:
    size = ceil((x.numerator.bit_length() - x.denominator.bit_length()) * log10(2))  # x is about 10 ** size
    unit = Fraction(10) ** (size - digits)
    steps = -((-x) // unit) if up else x // unit
    return steps * unit


# --- the functions --------------------------------------------------------------------------------------------------


def _sigmoid(m, x):
    return 1 / (1 + m.exp(-x))


def _softplus(m, x):
    return x + m.log1p(m.exp(-x)) if x > 0 else m.log1p(m.exp(x))


FUNCTIONS: dict[str, Callable] = {
    "sigmoid": _sigmoid,
    "tanh": lambda m, x: m.tanh(x),
    "elu": lambda m, x: m.expm1(x),  # at zero and above it is exact
    "selu": lambda m, x: (
        m.expm1(x) * m.mpf(SELU[0].numerator * SELU[1].numerator) / (SELU[0].denominator * SELU[1].denominator)
    ),
    "softplus": _softplus,
    "silu": lambda m, x: x * _sigmoid(m, x),
    "gelu": lambda m, x: x * m.erfc(-x / m.sqrt(2)) / 2,
    "mish": lambda m, x: x * m.tanh(_softplus(m, x)),
    "exp": lambda m, x: m.exp(x),
    "log": lambda m, x: m.log(x),
    "sqrt": lambda m, x: m.sqrt(x),
    "sin": lambda m, x: m.sin(x),
    "cos": lambda m, x: m.cos(x),
}


def _unknown(x: Fraction) -> None:
    return None


def _at(point: int, y: Fraction | int) -> Callable[[Fraction], Fraction | None]:
    return lambda x: Fraction(y) if x == point else None


def _root(x: Fraction) -> Fraction | None:
    root = Fraction(isqrt(x.numerator), isqrt(x.denominator))
    return root if root * root == x else None


# Where a value is a rational. Everywhere else it is none that an end could be equal to.
EXACT: dict[str, Callable[[Fraction], Fraction | None]] = {
    "sigmoid": _at(0, Fraction(1, 2)),
    "tanh": _at(0, 0),
    "elu": lambda x: x if x >= 0 else None,
    "selu": lambda x: SELU[0] * x if x >= 0 else None,
    "silu": _at(0, 0),
    "gelu": _at(0, 0),
    "mish": _at(0, 0),
    "exp": _at(0, 1),
    "log": _at(1, 0),
    "sqrt": _root,
    "sin": _at(0, 0),
    "cos": _at(0, 1),
}
