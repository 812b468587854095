"""YAML trees to documents: the right keys with the right kinds of value, and `extends`."""

from cellgen.document.cell_document import (
    Document,
    InputSection,
    NormSection,
    OptionSection,
    ParamSection,
    StateSection,
)
from cellgen.document.conform import json_schema, schema, stack_schema
from cellgen.document.extends import Library, expand, extend
from cellgen.document.families import FAMILIES
from cellgen.document.kinds import INFINITE, Key
from cellgen.document.stack_document import StackDocument, as_cell

__all__ = [
    "Document",
    "FAMILIES",
    "INFINITE",
    "InputSection",
    "Key",
    "Library",
    "NormSection",
    "OptionSection",
    "ParamSection",
    "StackDocument",
    "StateSection",
    "as_cell",
    "expand",
    "extend",
    "json_schema",
    "schema",
    "stack_schema",
]
