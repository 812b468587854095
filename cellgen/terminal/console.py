"""Where things are said: what was asked for on standard output, everything else on standard error."""

import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path

import click

from cellgen.diagnostics import Diagnostic, render
from cellgen.version import __version__

COLOURS = {"error": "red", "warning": "yellow", "note": "cyan"}
PAGE_WIDTH = 120  # at most: wider, prose is hard to read


def show(text: str) -> None:
    """What was asked for."""
    click.echo(text, color=_colour())


def show_page(markdown: str) -> None:
    """What was asked for, of Markdown: laid out on a terminal, and as it is where it goes elsewhere."""
    if not sys.stdout.isatty():
        return show(markdown.removesuffix("\n"))
    from rich.console import Console
    from rich.markdown import Markdown

    Console(width=min(Console().width, PAGE_WIDTH)).print(Markdown(markdown, hyperlinks=False))


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


def bug(error: Exception) -> None:
    """What to say when it is no mistake of the user's."""
    import platform
    import traceback

    if os.environ.get("CELLGEN_TRACEBACK"):
        traceback.print_exception(error)
    at = traceback.extract_tb(error.__traceback__)[-1]
    say(
        f"internal error: {type(error).__name__}: {error}\n"
        f"  in {Path(at.filename).name}, line {at.lineno}; cellgen {__version__}, Python {platform.python_version()}\n"
        "This is a bug in cellgen. Please report these lines with the spec that shows it; with CELLGEN_TRACEBACK=1\n"
        "they say where it came from."
    )
