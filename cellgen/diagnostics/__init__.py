"""What is said to a user, where in the file it is said, and what each code stands for."""

from cellgen.diagnostics.diagnostic import (
    FORMATS,
    Diagnostic,
    Label,
    Refused,
    Report,
    SpecError,
    closest,
    full,
    nearest,
    render,
)
from cellgen.diagnostics.explanation import explain
from cellgen.diagnostics.span import Source, Span

__all__ = [
    "Diagnostic",
    "FORMATS",
    "Label",
    "Refused",
    "Report",
    "Source",
    "Span",
    "SpecError",
    "closest",
    "explain",
    "full",
    "nearest",
    "render",
]
