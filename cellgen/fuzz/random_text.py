"""The text of random specs: shapes, sections, parentheses, and what reads a name."""

import re
from collections.abc import Mapping

Dims = tuple[str, ...]


def shape_text(dims: Dims) -> str:
    return f"[{', '.join(dims)}]"


def section(name: str, entries: Mapping[str, str]) -> list[str]:
    return [f"{name}:", *(f"  {key}: {value}" for key, value in entries.items())] if entries else []


def bare(text: str) -> str:
    """Without parentheses around the whole."""
    if not (text.startswith("(") and text.endswith(")")):
        return text
    depth = 0
    for index, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if depth == 0 and index < len(text) - 1:
            return text
    return text[1:-1]


def labels_in(text: str) -> list[str]:
    """The labels that are read."""
    return re.findall(r"[A-Za-z]\w*(?:\[t-1\])?\.([A-Za-z]\w*)", text)


def reads(text: str, name: str) -> bool:
    return re.search(rf"\b{name}\b", text) is not None
