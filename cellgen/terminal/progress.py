"""Shows on a terminal what is being worked on, once it has taken a second. Elsewhere it shows nothing."""

import sys
from threading import Timer

PATIENCE = 1.0  # seconds without a word


class Progress:
    """A bar on standard error that goes away when the work is done: `with Progress(3) as progress:`."""

    def __init__(self, total: int):
        self._total = total
        self._done, self._now = 0, ""
        self._bar = self._task = None
        self._timer = Timer(PATIENCE, self._show)
        self._timer.daemon = True

    def __enter__(self) -> "Progress":
        if sys.stderr.isatty():
            self._timer.start()
        return self

    def __exit__(self, *_):
        self._timer.cancel()
        if self._timer.is_alive():
            self._timer.join()  # it may be showing the bar just now
        if self._bar is not None:
            self._bar.stop()

    def begin(self, what: str) -> None:
        """The next of the things to do is begun."""
        if self._now:
            self._done += 1
        self._now = what
        if self._bar is not None:
            self._bar.update(self._task, completed=self._done, description=what)

    def _show(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        columns = [SpinnerColumn(), TextColumn("{task.description}", markup=False)]
        if self._total > 1:
            columns += [BarColumn(), MofNCompleteColumn()]
        bar = Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True)
        self._task = bar.add_task(self._now, total=self._total, completed=self._done)
        bar.start()
        self._bar = bar
