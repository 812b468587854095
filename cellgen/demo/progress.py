"""Shows a training as it goes: on a terminal a bar with the bits of each model, elsewhere a line now and then."""

import sys
from collections.abc import Mapping
from time import monotonic

from cellgen.terminal import say

SELDOM = 20.0  # seconds between two lines


class DemoProgress:
    """On standard error: `with DemoProgress(166) as progress:`. Steps that were done before are told once."""

    def __init__(self, steps: int):
        self._steps = steps
        self._bar = self._task = None
        self._said = monotonic()

    def __enter__(self) -> "DemoProgress":
        if sys.stderr.isatty():
            self._show()
        return self

    def __exit__(self, *_):
        if self._bar is not None:
            self._bar.stop()

    def begin(self, what: str) -> None:
        """Something that takes a while and has no steps."""
        if self._bar is not None:
            self._bar.update(self._task, description=what)
        else:
            say(what)

    def at(self, step: int, bits: Mapping[str, float]) -> None:
        """So many steps are done; bits: of each model, by a short name."""
        told = "  ".join(f"{name} {each:.2f}" for name, each in bits.items())
        if self._bar is not None:
            self._bar.update(self._task, description=f"{told} bits", completed=step)
        elif monotonic() - self._said > SELDOM or step == self._steps:
            self._said = monotonic()
            say(f"step {step} of {self._steps}, bits per character: {told}")

    def _show(self) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            SpinnerColumn,
            TextColumn,
            TimeRemainingColumn,
        )

        self._bar = Progress(
            SpinnerColumn(),
            BarColumn(bar_width=12),
            MofNCompleteColumn(),
            TextColumn("{task.description}", markup=False),  # 80 columns have room for the bits of three models
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._bar.add_task("", total=self._steps)
        self._bar.start()
