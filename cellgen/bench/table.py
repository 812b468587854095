"""A report of `cellgen bench` as tables on a terminal."""

import sys
from collections.abc import Iterable, Iterator, Mapping

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cellgen.bench.lineup import OURS
from cellgen.bench.results import LeftOut, Limit, Report, Row, Verdict
from cellgen.bench.stopwatch import Timing
from cellgen.bench.workloads import MEASURES, WORKLOADS

WIDE = 150  # columns, where there is no terminal to ask
FLOAT = 4  # bytes
FEW = 3  # runs, below which their number is told


def head(report: Report) -> str:
    """The machine, in a line or two."""
    machine = dict(report.machine)
    told = f"{machine.pop('processor')}, {machine.pop('cores')} cores, {machine.pop('system')}\n"
    return told + ", ".join(f"{name} {version}" for name, version in machine.items()) + "; all on the CPU, float32"


def show(*tables: Table | str) -> None:
    """Prints to standard output; in colours on a terminal, if NO_COLOR does not forbid them."""
    console = Console(width=None if sys.stdout.isatty() else WIDE, highlight=False)
    for each in tables:
        console.print(Text(each) if isinstance(each, str) else each)


def table(name: str, report: Report) -> Table:
    """One workload: a line for each contestant at each shape, and one for the limit."""
    rows = report.of(name)
    measures = [each for each in (*MEASURES, "run") if any(row.measure == each for row in rows)]
    shapes = list(dict.fromkeys(row.shape for row in rows))
    where = f"; {shapes[0]}" if len(shapes) == 1 and shapes[0] else ""
    out = Table(title=f"{name}: {WORKLOADS[name].about}{where}", title_justify="left", title_style="bold")
    if len(shapes) > 1:
        out.add_column("batch x steps", justify="right")
    out.add_column("")
    titles = {"forward": "forward", "training": "training step", "run": "time"}
    for measure in measures:
        out.add_column(titles[measure], justify="right")
        out.add_column("x ours", justify="right")
    out.add_column("first call", justify="right")
    out.add_column("note")
    for shape in shapes:
        here = [row for row in rows if row.shape == shape]
        lines = [
            _line(contestant, {row.measure: row for row in here if row.contestant == contestant}, measures, report)
            for contestant in dict.fromkeys(row.contestant for row in here)
        ]
        limits = {each.measure: each for each in report.limits if (each.workload, each.shape) == (name, shape)}
        if limits:
            lines.append(_limit(limits, measures, report))
        for number, line in enumerate(lines):
            size = Text(f"{shape.batch} x {shape.steps}" if shape and not number else "")
            out.add_row(*([size] if len(shapes) > 1 else []), *line)
        out.add_section()
    return out


def _line(contestant: str, found: Mapping[str, Row], measures: list[str], report: Report) -> list[Text]:
    cells = [Text(contestant, style="bold" if contestant.startswith(OURS) else "")]
    for measure in measures:
        row = found.get(measure)
        cells += [Text(spread(row.timing) if row else ""), Text(_ratio(row.timing.median, row, report) if row else "")]
    firsts = " / ".join(seconds(found[measure].timing.first) for measure in measures if measure in found)
    notes = [note for row in found.values() for note in _notes(row, report)]
    return [*cells, Text(firsts), Text("; ".join(dict.fromkeys(notes)))]


def _notes(row: Row, report: Report) -> Iterator[str]:
    if row.note:
        yield row.note
    runs = len(row.timing.samples)
    if runs < FEW:
        yield f"{runs} run{'s' * (runs > 1)} only"
    if row.peak is not None:
        yield f"{row.peak / 2**20:,.0f} MiB"
        each = states_a_step(row, report)
        if each is not None:
            yield f"{each:.1f} states a step"


def states_a_step(row: Row, report: Report) -> float | None:
    """How much memory a further step takes, in states of (batch, units); measured from the contestant's shortest run.

    None where there is no shorter one with the same batch.
    """
    if row.shape is None:
        return None
    rows = [
        each for each in report.of(row.workload) if (each.contestant, each.measure) == (row.contestant, row.measure)
    ]
    alike = [each for each in rows if each.peak is not None and each.shape.batch == row.shape.batch]
    shortest = min(alike, key=lambda each: each.shape.steps)
    steps = row.shape.steps - shortest.shape.steps
    return (row.peak - shortest.peak) / (steps * row.shape.batch * row.shape.units * FLOAT) if steps else None


def _limit(limits: Mapping[str, Limit], measures: list[str], report: Report) -> list[Text]:
    cells = [Text("limit: the matmuls", style="dim")]
    for measure in measures:
        at = limits[measure]
        cells += [Text(seconds(at.seconds), style="dim"), Text(_ratio(at.seconds, at, report), style="dim")]
    speeds = " / ".join(f"{limits[measure].peak / 1e9:.0f}" for measure in measures)
    return [*cells, Text(""), Text(f"a large matmul: {speeds} GFLOP/s", style="dim")]


def _ratio(value: float, at: Row | Limit, report: Report) -> str:
    """A number of seconds in multiples of ours."""
    ours = report.find(at.workload, OURS, at.measure, at.shape)
    return f"{value / ours.timing.median:.2f}" if ours else ""


def spread(timing: Timing) -> str:
    """The median, and in brackets the quartiles in the same unit."""
    size, unit = _unit(timing.median)
    low, high = timing.quartiles
    return f"{_digits(timing.median / size)} {unit} ({_digits(low / size)}-{_digits(high / size)})"


def seconds(value: float) -> str:
    size, unit = _unit(value)
    return f"{_digits(value / size)} {unit}"


def _unit(value: float) -> tuple[float, str]:
    return (1, "s") if value >= 1 else (1e-3, "ms") if value >= 1e-3 else (1e-6, "us")


def _digits(value: float) -> str:
    """Three that count."""
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


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
