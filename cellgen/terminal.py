"""Where things are said: what was asked for on standard output, everything else on standard error."""

import os
import re
from collections.abc import Iterable

import click

from cellgen.diagnostics import Diagnostic, render

COLOURS = {"error": "red", "warning": "yellow", "note": "cyan"}


def show(text: str) -> None:
    """What was asked for."""
    click.echo(text, color=_colour())


def say(text: str) -> None:
    """Everything else."""
    click.echo(text, err=True, color=_colour())


def _colour() -> bool | None:
    """None: on a terminal only."""
    return False if os.environ.get("NO_COLOR") else None


def tell(diagnostics: Iterable[Diagnostic], format: str = "full") -> None:
    """Diagnostics; as json and github they are what was asked for, and json is said also when there are none."""
    text = render(diagnostics, format)
    if not text:
        return
    if format in ("json", "github"):
        show(text)
    else:
        say(_coloured(text) + "\n" * (format == "full"))


def _coloured(text: str) -> str:
    """Rendered diagnostics with their heads and marks in colour."""

    def head(found: re.Match) -> str:
        return click.style(found[1], fg=COLOURS[found[2]], bold=True) + click.style(found[3], bold=True)

    text = re.sub(r"(?m)^(.*?\b(error|warning|note)\[CG\d+\])(.*)$", head, text)
    return re.sub(r"(?m)^( *)(-->|:::|= help:)", lambda found: found[1] + click.style(found[2], fg="blue"), text)


def count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
