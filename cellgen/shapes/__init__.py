"""A `Cell` to a `TypedCell`: the shape, the kind and the level of every value, in every variant."""

from cellgen.shapes.join import ARITHMETIC, Merged, Shapes, is_size
from cellgen.shapes.law_types import exists, expression_types, speaks_of
from cellgen.shapes.typed import retype, shapes, wired_dims

__all__ = [
    "ARITHMETIC",
    "Merged",
    "Shapes",
    "exists",
    "expression_types",
    "is_size",
    "retype",
    "shapes",
    "speaks_of",
    "wired_dims",
]
