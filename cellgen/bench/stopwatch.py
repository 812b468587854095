"""Runs of contestants to timings. It knows no framework: a run does its work once and returns the seconds it took.

The machine drifts by more than contestants differ, so they take turns, and each round begins with another one. The
first run traces and compiles, and is kept apart from the others.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from time import perf_counter

Run = Callable[[], float]  # seconds
LEAST = 1  # measured runs, however slow


@dataclass(frozen=True, slots=True)
class Timing:
    """The seconds of the first run and of the measured ones; those of the warm-up are not kept."""

    first: float
    samples: tuple[float, ...]

    @property
    def median(self) -> float:
        return median(self.samples)

    @property
    def quartiles(self) -> tuple[float, float]:
        """The first and the third; of one sample, that."""
        if len(self.samples) == 1:
            return self.samples * 2
        low, _, high = quantiles(self.samples, n=4, method="inclusive")
        return low, high


def timed(work: Callable[[], object], clock: Callable[[], float] = perf_counter) -> Run:
    """Work as a run. It must be over when it returns: what a device still computes is not counted."""

    def run() -> float:
        began = clock()
        work()
        return clock() - began

    return run


def turns(names: Sequence[str], round: int) -> list[str]:
    """The order of a round: everyone once, each round another one first, and every other round backwards.

    So nobody always comes after the same one, whose threads and memory it would feel.
    """
    start, step = round % len(names) if names else 0, -1 if round % 2 else 1
    return [names[(start + step * index) % len(names)] for index in range(len(names))]


def race(
    runs: Mapping[str, Run],
    *,
    repeats: int,
    patience: float,
    between: Callable[[], object] = lambda: None,
    begin: Callable[[str], object] = lambda name: None,
) -> dict[str, Timing | Exception]:
    """Each contestant's first run and warm-up; then rounds, in which they take turns.

    repeats: rounds. patience: seconds, after which a contestant sits out the rest; it gets no warm-up if its first run
    took that long. between: called before every run, to tidy up. begin: called with who starts, then with "rounds".
    Whoever's first run raises is out, and what it raised stands in place of its timing.
    """

    def run(name: str) -> float:
        between()
        return runs[name]()

    out: dict[str, Timing | Exception] = {}
    first: dict[str, float] = {}
    for name in runs:
        begin(name)
        try:
            first[name] = run(name)
        except Exception as error:
            out[name] = error
            continue
        if first[name] < patience:
            run(name)
    begin("rounds")
    samples: dict[str, list[float]] = {name: [] for name in first}
    for round in range(repeats):
        for name in turns(list(first), round):
            if len(samples[name]) < LEAST or sum(samples[name]) < patience:
                samples[name].append(run(name))
    return out | {name: Timing(first[name], tuple(samples[name])) for name in first}
