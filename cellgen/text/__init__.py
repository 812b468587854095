"""Files to characters to trees and nodes, and nodes back to text."""

from cellgen.text import names, statements
from cellgen.text.expressions import MAX_DIM, MAX_FACTORS, MAX_LABELS, MAX_RANK, Call, Indexed, parts
from cellgen.text.intake import contents, read, spelled
from cellgen.text.law_text import FactText, LawText, laws
from cellgen.text.logical_lines import lines
from cellgen.text.names import KERAS, MAX_NAME, NAME, Taken, check, no_module
from cellgen.text.printer import INFIX, condition_text, notation
from cellgen.text.statements import MAX_SIZE, MAX_STATEMENTS, Loop, Statement, equations, size_of, within
from cellgen.text.yaml_tree import NUMBER, Mapping, Scalar, Sequence, Tree, load

__all__ = [
    "Call",
    "FactText",
    "INFIX",
    "Indexed",
    "KERAS",
    "LawText",
    "Loop",
    "MAX_DIM",
    "MAX_FACTORS",
    "MAX_LABELS",
    "MAX_NAME",
    "MAX_RANK",
    "MAX_SIZE",
    "MAX_STATEMENTS",
    "Mapping",
    "NAME",
    "NUMBER",
    "Scalar",
    "Sequence",
    "Statement",
    "Taken",
    "Tree",
    "check",
    "condition_text",
    "contents",
    "equations",
    "laws",
    "lines",
    "load",
    "names",
    "no_module",
    "notation",
    "statements",
    "parts",
    "read",
    "size_of",
    "spelled",
    "within",
]
