"""What follows from the structure of a cell alone."""

from cellgen.analyse.gating import gates
from cellgen.analyse.parallel import Part, parts
from cellgen.analyse.remarks import Remark
from cellgen.analyse.structure import Facts, VariantFacts, analyse, condition, condition_suffix, size, tell

__all__ = [
    "Facts",
    "Part",
    "Remark",
    "VariantFacts",
    "analyse",
    "condition",
    "condition_suffix",
    "gates",
    "parts",
    "size",
    "tell",
]
