"""What runs in a process of its own: memory as sequences grow, and compilations as their lengths vary."""

from collections.abc import Sequence
from dataclasses import replace
from time import perf_counter

from cellgen.bench.fresh_process import held, peak
from cellgen.bench.lineup import LINEUPS
from cellgen.bench.problem import problem
from cellgen.bench.workloads import WORKLOADS, Shape


def _contestant(workload: str, name: str):
    return next(each for each in LINEUPS[workload] if each.name == name)


def climb(workload: str, name: str, sizes: Sequence[Sequence[int]]) -> list[int | None]:
    """The most bytes that a training step adds to the process, for each of some shapes.

    From the smallest to the largest, so that each reaches further than those before it; what is left over from one is
    memory that the next one uses again.
    """

    def train(shape: Shape) -> None:
        task = problem(WORKLOADS[workload], shape)
        runners = _contestant(workload, name).make(task)
        runners.training(*task.data(runners.tensor))

    shapes = [Shape(*size) for size in sizes]
    train(replace(shapes[0], steps=2))  # what the framework itself wants once
    before, most = held(), []
    for shape in shapes:
        train(shape)
        most.append(None if before is None else peak() - before)
    return most


def pass_through(name: str, sizes: Sequence[Sequence[int]], patience: float) -> dict[str, object]:
    """One training step at each length, and then once more -> the seconds of both passes, and how often it was traced.

    After `patience` seconds the first pass ends.
    """
    shapes = [Shape(*size) for size in sizes]
    tasks = [problem(WORKLOADS["lengths"], shape) for shape in shapes]
    runners = _contestant("lengths", name).make(tasks[0])
    data = [task.data(runners.tensor) for task in tasks]
    passes: list[list[float]] = []
    for which in (data, data):
        seconds: list[float] = []
        for each in which[: len(passes[0]) if passes else None]:
            began = perf_counter()
            runners.training(*each)
            seconds.append(perf_counter() - began)
            if not passes and sum(seconds) > patience:
                break
        passes.append(seconds)
    return {"first": passes[0], "again": passes[1], "traces": runners.training.experimental_get_tracing_count()}
