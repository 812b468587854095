"""Views to files: jinja2 for structure, then ruff for layout. Everything is rendered in memory; nothing is written."""

import re
import subprocess
import textwrap
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from cellgen.emit.records import CellView, TestView

LINE = 120


class RenderError(Exception):
    """A template gave something that is no Python: a bug of cellgen's, never of a spec."""


def render(view: CellView | TestView, template: str, folder: Path) -> str:
    """One template over a view, formatted. Raises `RenderError`."""
    return packed(layout(_filled(view, template, folder, escape=False), view.stem))


def page(view: Any, template: str, folder: Path) -> str:
    """One template over a view, as HTML: what the view says is text there, never markup."""
    return _filled(view, template, folder, escape=True)


def _filled(view: Any, template: str, folder: Path, escape: bool) -> str:
    shown = {field.name: getattr(view, field.name) for field in fields(view)}
    return _environment(folder, escape).get_template(template).render(shown)


@cache
def _environment(folder: Path, escape: bool) -> jinja2.Environment:
    """What keeps the templates of a folder as it has compiled them, and looks whether a file has changed."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=escape,
    )


def layout(text: str, name: str) -> str:
    """The text as ruff formats it, with no configuration but the width of a line."""
    from ruff.__main__ import find_ruff_bin

    command = [
        find_ruff_bin(),
        "format",
        "--isolated",
        "--quiet",
        f"--line-length={LINE}",
        f"--stdin-filename={name}.py",
        "-",
    ]
    done = subprocess.run(command, input=text, capture_output=True, text=True, encoding="utf-8", check=False)
    if done.returncode:
        raise RenderError(f"{name}: {done.stderr.strip()}")
    return done.stdout


def packed(text: str) -> str:
    """The parameters of the functions of a step fill their lines: one a line, they would be a third of the file."""

    def pack(found: re.Match) -> str:
        head, parameters = found["head"], " ".join(found["parameters"].split())
        lines = textwrap.wrap(parameters, LINE, initial_indent="    ", subsequent_indent="    ", break_long_words=False)
        return "\n".join([head, *lines, "):"])

    return re.sub(r"^(?P<head>def \w+\()\n(?P<parameters>(?:    .*,\n)+)\):$", pack, text, flags=re.MULTILINE)


def undeclared(template: str, folder: Path) -> set[str]:
    """The names that a template and its parts read: a test holds them to the fields of the view."""
    from jinja2 import meta

    tree = jinja2.Environment(trim_blocks=True, lstrip_blocks=True).parse(
        (folder / template).read_text(encoding="utf-8")
    )
    found = meta.find_undeclared_variables(tree)
    return found.union(*(undeclared(part, folder) for part in meta.find_referenced_templates(tree) if part))
