"""The backward step of a cell, and the proof that it is the derivative of its equations."""

from cellgen.derive.centring import centre
from cellgen.derive.commuting import commute
from cellgen.derive.derivative_rules import COMPARISONS, UNARY, reads
from cellgen.derive.hoisting import hoist, norm_name
from cellgen.derive.per_sample import ready
from cellgen.derive.proof import Proof, rederive
from cellgen.derive.reverse_mode import Joint, derive
from cellgen.derive.unsupported import refuse, refuse_stack, refused

__all__ = [
    "COMPARISONS",
    "Joint",
    "Proof",
    "UNARY",
    "centre",
    "commute",
    "derive",
    "hoist",
    "norm_name",
    "reads",
    "ready",
    "rederive",
    "refuse",
    "refuse_stack",
    "refused",
]
