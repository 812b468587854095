"""A workload at one shape: everyone against everyone, and against the equations."""

import gc
from collections.abc import Callable, Mapping
from typing import Any

from cellgen.bench.lineup import Contestant, Runners, Unavailable
from cellgen.bench.problem import Disagreement, Problem, agree, matmul, problem
from cellgen.bench.results import LeftOut, Limit, Row
from cellgen.bench.stopwatch import race, timed
from cellgen.bench.workloads import Shape, Workload

LARGE = "a large matmul"
MOST = 300  # characters of what went wrong
CHECKED = 64_000  # sequence steps: beyond these the values are not compared again, the reference would want too much


def contest(
    workload: Workload,
    shape: Shape,
    lineup: tuple[Contestant, ...],
    reference: Contestant | None,
    *,
    repeats: int,
    patience: float,
    size: int,
    begin: Callable[[str], object],
) -> tuple[list[Row], list[LeftOut], list[Limit]]:
    """The timings of a line-up, who was left out of it, and the time that its matmuls alone would take.

    reference: whose values everyone's must be that computes the same equations; it need not take part. size: of the
    large matmul, which takes its turn like everyone: whatever slows the others down slows it down too.
    """
    task = problem(workload, shape)
    large, flops = matmul(size)
    runners, left_out = {}, []
    for each in lineup:
        try:
            runners[each.name] = each.make(task)
        except Unavailable as error:
            left_out.append(LeftOut(workload.name, each.name, str(error)))
        except Exception as error:
            left_out.append(_failed(workload, each, error))
    data = {name: task.data(each.tensor) for name, each in runners.items()}
    wanted = _values(reference, task) if reference and shape.batch * shape.steps <= CHECKED else {}
    gc.collect()
    gc.freeze()  # the frameworks have made a million objects: without this, tidying up takes longer than the runs
    rows, limits = [], []
    for measure in workload.measures:
        values: dict[str, Any] = {}
        runs = {name: timed(_keeping(values, name, each, measure, data[name])) for name, each in runners.items()}
        timings = race(
            {LARGE: timed(large), **runs},
            repeats=repeats,
            patience=patience,
            between=gc.collect,
            begin=lambda name, measure=measure: begin(f"{workload.name} {measure}, {shape}: {name}"),
        )
        seconds = timings[LARGE].median / flops * workload.flops(shape, measure)
        limits.append(Limit(workload.name, shape, measure, seconds))
        for each in lineup:
            found = timings.get(each.name)
            if found is None:
                continue
            wrong = found if isinstance(found, Exception) else _wrong(each, measure, values, wanted)
            if wrong is not None:
                left_out.append(_failed(workload, each, wrong, f"{measure}: "))
                del runners[each.name]
            else:
                rows.append(Row(workload.name, shape, each.name, measure, found, each.note))
    gc.unfreeze()
    return rows, left_out, limits


def _failed(workload: Workload, each: Contestant, error: Exception, when: str = "") -> LeftOut:
    """The words of an exception, the end of them if they are many: TensorFlow begins with where it was called from."""
    said = " ".join(str(error).split())
    return LeftOut(workload.name, each.name, f"{when}{type(error).__name__}: {said[-MOST:]}", failed=True)


def _keeping(values: dict[str, Any], name: str, runners: Runners, measure: str, data: tuple) -> Callable[[], None]:
    """The work of one call, which keeps what came out of it."""
    call = getattr(runners, measure)

    def work() -> None:
        values[name] = call(*data)

    return work


def _values(reference: Contestant, task: Problem) -> dict[str, Any]:
    """The outputs and the gradients of the reference."""
    runners = reference.make(task)
    data = task.data(runners.tensor)
    return {measure: getattr(runners, measure)(*data) for measure in task.workload.measures}


def _wrong(each: Contestant, measure: str, values: Mapping, wanted: Mapping) -> Disagreement | None:
    if not each.same or measure not in wanted:
        return None
    try:
        agree("outputs" if measure == "forward" else "gradients", values[each.name], wanted[measure])
    except Disagreement as error:
        return error
    return None
