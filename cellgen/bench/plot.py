"""A report of `cellgen bench` as a picture: a training step against the number of steps, and against the batch."""

from collections.abc import Callable
from io import BytesIO

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cellgen.bench.results import Report, Row
from cellgen.bench.workloads import Shape

WORKLOAD, MEASURE = "W6", "training"


def plot(report: Report) -> bytes:
    """PNG. Lines are medians, bands the quartiles."""
    rows = [row for row in report.of(WORKLOAD) if row.measure == MEASURE]
    base = rows[0].shape
    figure = Figure(figsize=(11, 4.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    _lines(left, [row for row in rows if row.shape.batch == base.batch], lambda shape: shape.steps, report)
    left.set(title=f"batch {base.batch}, {base.units} units", xlabel="steps", ylabel="a training step, seconds")
    _lines(right, [row for row in rows if row.shape.steps == base.steps], lambda shape: shape.batch, report)
    right.set(title=f"{base.steps} steps, {base.units} units", xlabel="batch")
    left.legend()
    figure.suptitle(f"{report.machine['processor']}, {report.machine['cores']} cores")
    out = BytesIO()
    figure.savefig(out, format="png", dpi=150)
    return out.getvalue()


def _lines(axes: Axes, rows: list[Row], across: Callable[[Shape], int], report: Report) -> None:
    for contestant in dict.fromkeys(row.contestant for row in rows):
        own = sorted((row for row in rows if row.contestant == contestant), key=lambda row: across(row.shape))
        where = [across(row.shape) for row in own]
        (line,) = axes.plot(where, [row.timing.median for row in own], marker="o", markersize=3, label=contestant)
        low, high = zip(*(row.timing.quartiles for row in own), strict=True)
        axes.fill_between(where, low, high, alpha=0.2, color=line.get_color())
    shapes = sorted({row.shape for row in rows}, key=across)
    limits = [(across(shape), report.limit(WORKLOAD, MEASURE, shape)) for shape in shapes]
    known = [(at, seconds) for at, seconds in limits if seconds is not None]
    if known:
        axes.plot(*zip(*known, strict=True), linestyle=":", color="black", label="the matmuls alone")
    axes.set(xscale="log", yscale="log")
    axes.grid(which="both", alpha=0.2)
