"""The command `bench`: its options, what it refuses, and what it prints and writes."""

import os
from pathlib import Path

import click

from cellgen.bench.lineup import LINEUPS, NAMES, missing
from cellgen.bench.workloads import SHORT, WORKLOADS
from cellgen.terminal import Progress, say

FINE, FAILED = 0, 1

EPILOG = "\b\nWorkloads:\n" + "\n".join(f"  {each.name:8} {each.told}" for each in WORKLOADS.values())


_file = click.Path(path_type=Path)


@click.command(epilog=EPILOG)
@click.argument("names", metavar="[WORKLOAD]...", nargs=-1)
@click.option("--quick", is_flag=True, help="Small sizes and few repeats: whether all of it runs, no figures to trust.")
@click.option("--repeat", metavar="N", type=click.IntRange(1), help="Measured calls of each.  [default: 7; quick: 2]")
@click.option(
    "--patience",
    metavar="SECONDS",
    type=click.FloatRange(0, min_open=True),
    help="Who has run for so long sits out the other repeats.  [default: 10; quick: 1]",
)
@click.option("--only", metavar="TEXT", multiple=True, help="Only contestants whose names contain TEXT; repeatable.")
@click.option("--peers/--no-peers", default=True, help="Whether others take part than the generated layers.")
@click.option("--batch", metavar="B", type=click.IntRange(1), multiple=True, help="A batch size for W6; repeatable.")
@click.option("--units", metavar="N", type=click.IntRange(1), help="The units for W6.")
@click.option("--json", "json_", metavar="FILE", type=_file, help="Write every sample as JSON.")
@click.option("--plot", "plot_", metavar="FILE", type=_file, help="Draw W6 against steps and batch, as PNG.")
def bench(names, quick, repeat, patience, only, peers, batch, units, json_, plot_):
    """Time generated layers against their peers.

    Peers are what comes with TensorFlow and what one would write by hand in it, in torch and in JAX. All take turns,
    after warm-up, each workload in a process of its own; shown are medians with quartiles, ratios to the generated
    layer, the first call apart (forward / training), and the time that the matmuls alone take. Their values are
    compared too. Without WORKLOAD: all of them, which takes some half an hour, and says of each goal whether it is met;
    with --quick, some.
    """
    names = tuple(dict.fromkeys(names)) or (SHORT if quick else tuple(WORKLOADS))
    _refuse(names, only, batch, units, plot_)
    _writable([path for path in (json_, plot_) if path is not None])
    from cellgen.bench import run as stage
    from cellgen.bench import table
    from cellgen.bench.results import to_json

    settings = stage.Settings(
        quick=quick,
        repeats=repeat or (2 if quick else 7),
        patience=patience or (1.0 if quick else 10.0),
        only=only,
        peers=peers,
        batches=batch,
        units=units,
    )
    report = stage.begin()
    table.show(table.head(report))
    if quick:
        table.show("--quick: that it runs, at small sizes; no figure means anything")
    measure = stage.measure if len(names) == 1 else stage.apart
    for name in names:
        with Progress(stage.tasks(name, settings)) as progress:
            found = measure(name, settings, progress.begin)
        report = found.to(report)
        if found.rows:
            table.show(table.table(name, report))
        if found.left_out:
            table.show(table.left_out(found.left_out))
    report = report if quick else stage.finish(report)
    if report.verdicts:
        table.show(table.goals(report.verdicts))
    contents = {json_: to_json(report).encode()} if json_ else {}
    if plot_:
        contents |= _drawn(plot_, report)
    for path, content in contents.items():
        path.write_bytes(content)
        say(f"wrote {path}")
    return FAILED if any(each.failed for each in report.left_out) else FINE


def _refuse(names, only, batch, units, plot_) -> None:
    """What cannot be meant."""
    from cellgen.diagnostics import nearest

    for name in names:
        if name not in WORKLOADS:
            help = nearest(name, WORKLOADS) or f"there are {', '.join(WORKLOADS)}"
            raise click.UsageError(f"no workload `{name}`: {help}")
    there = {each.name for name in names for each in LINEUPS[name]}
    for text in only:
        if not any(text.casefold() in name.casefold() for name in there):
            raise click.UsageError(f"nobody's name contains `{text}`; there are: {'; '.join(NAMES)}")
    for option, given in (("--batch", batch), ("--units", units), ("--plot", plot_)):
        if given and "W6" not in names:
            raise click.UsageError(f"{option} is about W6, which is not among {', '.join(names)}")


def _writable(paths: list[Path]) -> None:
    """Refuses, before anything is measured, what could not be written in the end."""
    if len({os.path.realpath(path) for path in paths}) < len(paths):
        raise click.UsageError("--json and --plot name the same file")
    for path in paths:
        folder = Path(os.path.realpath(path)).parent
        if path.is_dir():
            raise click.UsageError(f"{path} is a folder, not a file")
        if not folder.is_dir():
            raise click.UsageError(f"{path} cannot be written: there is no folder {folder}")
        if not os.access(path if path.exists() else folder, os.W_OK):
            raise click.UsageError(f"{path} cannot be written")


def _drawn(path: Path, report) -> dict[Path, bytes]:
    """The picture, or a word why there is none."""
    why = missing("matplotlib")
    if not why and not report.of("W6"):
        why = "nothing of W6 was measured"
    if why:
        say(f"left out: {path}: {why}")
        return {}
    from cellgen.bench.plot import plot

    return {path: plot(report)}
