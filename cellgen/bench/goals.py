"""What was promised of the generated code's speed, and whether a run keeps it."""

from collections.abc import Callable
from dataclasses import dataclass

from cellgen.bench.lineup import LSTM, OURS, RNN, SCAN, SCAN_XLA, TORCH
from cellgen.bench.results import Report, Verdict

Quantity = Callable[[Report], float | None]  # None: it was not measured

IMPORT_SYMPY, CHECK, BUILD, IMPORT = "import sympy", "cellgen check", "cellgen build", "import of a generated module"


@dataclass(frozen=True, slots=True)
class Goal:
    """`actual` may be no more than `allowed`, both in the same unit."""

    workload: str
    text: str
    actual: Quantity
    allowed: Quantity

    def verdict(self, report: Report) -> Verdict:
        actual, allowed = self.actual(report), self.allowed(report)
        missing = actual is None or allowed is None
        return Verdict(self.workload, self.text, None if missing else actual / allowed)


def time(workload: str, measure: str, contestant: str = OURS, *, first: bool = False, share: float = 1.0) -> Quantity:
    """The median of a contestant in seconds, or its first call; `share` of it."""

    def quantity(report: Report) -> float | None:
        row = report.find(workload, contestant, measure)
        return None if row is None else share * (row.timing.first if first else row.timing.median)

    return quantity


def fastest(*quantities: Quantity) -> Quantity:
    """The least of some; all must have been measured."""

    def quantity(report: Report) -> float | None:
        found = [each(report) for each in quantities]
        return None if None in found else min(found)

    return quantity


def limit(workload: str, measure: str, times: float) -> Quantity:
    """So many times the matmul limit."""

    def quantity(report: Report) -> float | None:
        found = report.limit(workload, measure)
        return None if found is None else times * found

    return quantity


def beyond(base: str, contestant: str) -> Quantity:
    """The seconds that a command takes beyond another one."""

    def quantity(report: Report) -> float | None:
        rows = [report.find("W7", name, "run") for name in (contestant, base)]
        return None if None in rows else max(0.0, rows[0].timing.median - rows[1].timing.median)

    return quantity


def growth(workload: str, measure: str, contestant: str = OURS) -> Quantity:
    """The seconds a step at the length where they are most, over those at the shortest; of the first batch size."""

    def quantity(report: Report) -> float | None:
        rows = [row for row in report.of(workload) if (row.contestant, row.measure) == (contestant, measure)]
        costs = {r.shape.steps: r.timing.median / r.shape.steps for r in rows if r.shape.batch == rows[0].shape.batch}
        return max(costs.values()) / costs[min(costs)] if len(costs) > 1 else None

    return quantity


def exactly(value: float) -> Quantity:
    return lambda report: value


def no_slower(workload: str, measure: str, reference: str, *, times: float = 1.0, first: bool = False) -> Goal:
    what = f"{measure}, first call," if first else measure
    how = "no slower than" if times == 1 else f"{times:g} times faster than"
    unlike = " without norm" if reference in (LSTM, TORCH) else ""
    allowed = time(workload, measure, reference, first=first, share=1 / times)
    return Goal(workload, f"{what} {how} {reference}{unlike}", time(workload, measure, first=first), allowed)


GOALS = (
    no_slower("W1", "forward", LSTM, first=True),
    no_slower("W1", "forward", LSTM),
    no_slower("W1", "training", LSTM),
    no_slower("W2", "training", RNN, times=10),
    no_slower("W2", "training", TORCH),
    no_slower("W3", "training", TORCH),
    no_slower("W4", "training", RNN, times=2),
    Goal("W4", "training within 3 times the matmul limit", time("W4", "training"), limit("W4", "training", 3)),
    Goal(
        "W5",
        "training 2 times faster than tf.scan, the better of graph and XLA",
        time("W5", "training"),
        fastest(*(time("W5", "training", each, share=1 / 2) for each in (SCAN, SCAN_XLA))),
    ),
    Goal("W6", "cost of a training step a time step flat within 1.2", growth("W6", "training"), exactly(1.2)),
    Goal("W7", "check within 1 s beyond `import sympy`", beyond(IMPORT_SYMPY, CHECK), exactly(1)),
    Goal("W7", "build under 2 s", time("W7", "run", BUILD), exactly(2)),
    Goal("W7", "import within 0.1 s beyond TensorFlow's own", time("W7", "run", IMPORT), exactly(0.1)),
)


def verdicts(report: Report) -> tuple[Verdict, ...]:
    """On the goals of the workloads that took part."""
    took_part = {each.workload for each in (*report.rows, *report.left_out)}
    return tuple(goal.verdict(report) for goal in GOALS if goal.workload in took_part)
