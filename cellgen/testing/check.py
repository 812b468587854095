"""A check with a name: what it finds is told with the case that it is of, and with the command that runs it again."""

import functools
import inspect
import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from cellgen.testing.difference import Difference

if TYPE_CHECKING:
    from cellgen.testing.subject import Subject


def check(function: Callable[..., None]) -> Callable[..., None]:
    """A function of a subject, and of what it is tried with, which raises a `Difference` for what is wrong."""

    @functools.wraps(function)
    def checked(subject: "Subject", *tried, **named) -> None:
        __tracebackhide__ = told
        try:
            function(subject, *tried, **named)
        except Difference as found:
            arguments = inspect.signature(function).bind(subject, *tried, **named).arguments
            raise Difference(_report(function.__name__, found, **arguments)) from None

    return checked


def told(caught) -> bool:
    """Whether pytest leaves a frame out of what it shows: a difference says all that there is to say."""
    return caught.errisinstance(Difference)


def _report(name: str, found: Difference, subject: "Subject", **tried) -> str:
    ids = [subject.id_of(*each) for each in tried.items()]
    given = {**(tried.get("sizes") or subject.sizes[0]), **tried.get("case", {})}
    arguments = ", ".join(f"{name}={value!r}" for name, value in given.items())
    file = _from_here(Path(subject.built.__file__).with_name(f"test_{subject.stem}.py"))
    test = f"{file}::test_{name}" + (f"[{'-'.join(filter(None, ids))}]" if any(ids) else "")
    return (
        f"{name}: this is not what the spec says\n"
        f"case    {subject.declared.name}({arguments})\n"
        f"{found}\n"
        f"again   python -m pytest {shlex.quote(test)}"
    )


def _from_here(path: Path) -> str:
    """A path as one types it in this folder."""
    here = os.path.relpath(path)
    return str(path) if here.startswith(os.pardir) else here
