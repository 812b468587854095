"""What a diagnostic's code stands for."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Code:
    """`about` says why it is an error and what to do; `wrong` and `right` are pieces of a spec."""

    title: str
    about: str
    wrong: str
    right: str
