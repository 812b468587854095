"""What `cellgen bench` found out, as records that go to JSON and come back."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from cellgen.bench.stopwatch import Timing
from cellgen.bench.workloads import WORKLOADS, Shape

FORMAT = 1  # of the JSON: a reader can refuse another


@dataclass(frozen=True, slots=True)
class Row:
    """One contestant in one workload at one shape (None: a command).

    measure: "forward", "training" or, of a command, "run". peak: bytes, the most that its process held beyond what it
    held before; None if it was not measured.
    """

    workload: str
    shape: Shape | None
    contestant: str
    measure: str
    timing: Timing
    note: str = ""
    peak: int | None = None


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something that was not measured, and why. failed: it should have been."""

    workload: str
    what: str
    why: str
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Limit:
    """The seconds that the matmuls alone take at the speed of one large matmul, which took turns with the contestants.

    peak: that speed, floating-point operations a second.
    """

    workload: str
    shape: Shape
    measure: str
    seconds: float

    @property
    def peak(self) -> float:
        return WORKLOADS[self.workload].flops(self.shape, self.measure) / self.seconds


@dataclass(frozen=True, slots=True)
class Verdict:
    """A goal, and the ratio of what was measured to what it may be; None if it was not measured."""

    workload: str
    text: str
    ratio: float | None

    @property
    def told(self) -> str:
        if self.ratio is None:
            return "not measured"
        return "met" if self.ratio <= 1 else f"missed by {self.ratio:.2f}x"


@dataclass(frozen=True, slots=True)
class Report:
    """One run. machine: what it ran on, by name; peak: floating-point operations a second of a large matmul,
    the median of all contests."""

    machine: Mapping[str, str]
    peak: float | None = None
    rows: tuple[Row, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    limits: tuple[Limit, ...] = ()
    verdicts: tuple[Verdict, ...] = ()

    def of(self, workload: str) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.workload == workload)

    def find(self, workload: str, contestant: str, measure: str, shape: Shape | None = None) -> Row | None:
        """The row of a contestant; without a shape, the first."""
        for row in self.of(workload):
            if (row.contestant, row.measure) == (contestant, measure) and shape in (None, row.shape):
                return row
        return None

    def limit(self, workload: str, measure: str, shape: Shape | None = None) -> float | None:
        """Seconds."""
        for each in self.limits:
            if (each.workload, each.measure) == (workload, measure) and shape in (None, each.shape):
                return each.seconds
        return None


def to_json(report: Report) -> str:
    """Beside each row's samples stand their median and quartiles, for readers that only want those."""
    out = {"format": FORMAT, **asdict(report)}
    for row, written in zip(report.rows, out["rows"], strict=True):
        written["median"], written["quartiles"] = row.timing.median, row.timing.quartiles
    return json.dumps(out, indent=1) + "\n"


def from_json(text: str) -> Report:
    """What `to_json` wrote. Raises `ValueError` for something else."""
    found = json.loads(text)
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise ValueError(f"no report of `cellgen bench` in format {FORMAT}")
    return Report(
        found["machine"],
        found["peak"],
        tuple(_row(each) for each in found["rows"]),
        _all(LeftOut, found["left_out"]),
        tuple(Limit(**{**each, "shape": Shape(**each["shape"])}) for each in found["limits"]),
        _all(Verdict, found["verdicts"]),
    )


def _row(found: dict) -> Row:
    timing = Timing(found["timing"]["first"], tuple(found["timing"]["samples"]))
    shape = found["shape"] and Shape(**found["shape"])
    rest = {name: found[name] for name in ("workload", "contestant", "measure", "note", "peak")}
    return Row(shape=shape, timing=timing, **rest)


def _all(kind: type, found: Iterable[Mapping[str, Any]]) -> tuple:
    return tuple(kind(**each) for each in found)
