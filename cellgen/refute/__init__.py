"""Numbers that refute a law: runs of the interpreter under its conditions, confirmed in intervals of many digits."""

from cellgen.refute.confirm import DIGITS, Again, undefined
from cellgen.refute.counterexamples import Refutation, refute_equal, refute_free, refute_within
from cellgen.refute.divergence import contrast
from cellgen.refute.random_runs import BATCH, Moment, Trial, drawn, given, moments, numbers

__all__ = [
    "Again",
    "BATCH",
    "DIGITS",
    "Moment",
    "Refutation",
    "Trial",
    "contrast",
    "drawn",
    "given",
    "moments",
    "numbers",
    "refute_equal",
    "refute_free",
    "refute_within",
    "undefined",
]
