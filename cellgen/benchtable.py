"""A report of `cellgen bench` as tables on a terminal."""

import sys
from collections.abc import Iterable

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cellgen.lineup import OURS
from cellgen.standings import LeftOut, Limit, Report, Row, Verdict
from cellgen.workloads import MEASURES, WORKLOADS, Shape

WIDE = 150  # columns, where there is no terminal to ask
FLOAT = 4  # bytes


def head(report: Report) -> str:
    """The machine and the matmul peak, in a line or two."""
    machine = dict(report.machine)
    told = f"{machine.pop('processor')}, {machine.pop('cores')} cores, {machine.pop('system')}\n"
    told += ", ".join(f"{name} {version}" for name, version in machine.items()) + "; all on the CPU, float32"
    return told + (f"\nlarge matmul: {report.peak / 1e9:.0f} GFLOP/s" if report.peak else "")


def show(*tables: Table | str) -> None:
    """Prints to standard output; in colours on a terminal, if NO_COLOR does not forbid them."""
    console = Console(width=None if sys.stdout.isatty() else WIDE, highlight=False)
    for each in tables:
        console.print(Text(each) if isinstance(each, str) else each)


def table(name: str, report: Report) -> Table:
    """One workload: a line for each contestant at each shape, and one for the limit."""
    workload = WORKLOADS[name]
    rows = report.of(name)
    out = Table(title=f"{name}: {workload.about}", title_justify="left", title_style="bold")
    measures = [each for each in (*MEASURES, "run") if any(row.measure == each for row in rows)]
    shapes = list(dict.fromkeys(row.shape for row in rows))
    titles = {"forward": "forward", "training": "training step", "run": "seconds"}
    out.add_column("")
    for measure in measures:
        out.add_column(titles[measure], justify="right")
        out.add_column("x ours", justify="right")
    out.add_column("first call", justify="right")
    out.add_column("note")
    for shape in shapes:
        here = [row for row in rows if row.shape == shape]
        if shape is not None:
            out.add_row(Text(str(shape), style="italic"))
        for contestant in dict.fromkeys(row.contestant for row in here):
            found = {row.measure: row for row in here if row.contestant == contestant}
            out.add_row(*_line(contestant, found, measures, report))
        limits = {each.measure: each for each in report.limits if (each.workload, each.shape) == (name, shape)}
        if limits:
            out.add_row(*_limit(limits, measures, shape, report), style="dim")
        out.add_section()
    return out


def _line(contestant: str, found: dict[str, Row], measures: list[str], report: Report) -> list[Text]:
    cells = [Text(contestant, style="bold" if contestant.startswith(OURS) else "")]
    for measure in measures:
        row = found.get(measure)
        cells += [Text(_spread(row) if row else ""), Text(_ratio(row.timing.median, row, report) if row else "")]
    firsts = " / ".join(seconds(found[measure].timing.first) for measure in measures if measure in found)
    notes = [note for row in found.values() for note in _notes(row)]
    return [*cells, Text(firsts), Text("; ".join(dict.fromkeys(notes)))]


def _notes(row: Row) -> Iterable[str]:
    if row.note:
        yield row.note
    if len(row.timing.samples) < 3 and row.shape is not None:
        yield f"{len(row.timing.samples)} run{'s' * (len(row.timing.samples) > 1)} only"
    if row.peak is not None:
        yield f"{row.peak / 2**20:,.0f} MiB" + (f", {states(row):.1f} states a step" if row.workload == "W6" else "")


def _limit(limits: dict[str, Limit], measures: list[str], shape: Shape, report: Report) -> list[Text]:
    cells = [Text("limit: the matmuls")]
    for measure in measures:
        at = limits[measure]
        ours = report.find(at.workload, OURS, measure, shape)
        ratio = f"{at.seconds / ours.timing.median:.2f}" if ours else ""
        cells += [Text(seconds(at.seconds)), Text(ratio)]
    return cells


def states(row: Row) -> float:
    """The memory of a step in numbers for each unit of each sequence: as many states of (batch, units) as it would be."""
    return row.peak / (FLOAT * row.shape.steps * row.shape.batch * row.shape.units)


def _ratio(median: float, row: Row, report: Report) -> str:
    ours = report.find(row.workload, OURS, row.measure, row.shape)
    return f"{median / ours.timing.median:.2f}" if ours else ""


def _spread(row: Row) -> str:
    low, high = row.timing.quartiles
    return f"{seconds(row.timing.median)} ({number(low)}-{number(high)})"


def number(value: float) -> str:
    """Three digits that count."""
    return f"{value:.{max(0, 2 - len(str(int(value))) + 1)}f}" if value >= 1 else f"{value:.3g}"


def seconds(value: float) -> str:
    return f"{number(value)} s"


def left_out(found: Iterable[LeftOut]) -> str:
    """A line for each."""
    return "\n".join(
        f"{'FAILED' if each.failed else 'left out'}: {each.workload}, {each.what}: {each.why}" for each in found
    )


def goals(verdicts: Iterable[Verdict]) -> Table:
    out = Table(title="goals", title_justify="left", title_style="bold")
    for title in ("", "goal", "verdict"):
        out.add_column(title)
    for each in verdicts:
        style = "" if each.ratio is None else "green" if each.ratio <= 1 else "red"
        out.add_row(each.workload, each.text, Text(each.told, style=style))
    return out
