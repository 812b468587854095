"""The command `fuzz`: its options, what it shows while it runs, and what it ends with."""

import sys
from datetime import date
from pathlib import Path
from time import monotonic

import click

from cellgen.terminal import count, say, show

FINE, FAILED, INTERRUPTED = 0, 1, 130
FOREVER = 10**9
STATE = "fuzz.json"


@click.command()
@click.option(
    "--cells",
    metavar="N",
    type=click.IntRange(1),
    help="How many cells, those of an earlier run included.  [default: 100]",
)
@click.option(
    "--minutes",
    metavar="M",
    type=click.FloatRange(0, min_open=True),
    help="Run so long; more cells are begun until then.",
)
@click.option(
    "--seed", metavar="N", type=click.IntRange(0), help="Of the random cells.  [default: the date, as 20260131]"
)
@click.option(
    "--jobs", metavar="N", type=click.IntRange(1, 256), default=2, show_default=True, help="Processes side by side."
)
@click.option(
    "--replay", metavar="N", type=click.IntRange(0), help="Show the cell of this number and try it, nothing else."
)
@click.option(
    "-o",
    "--out",
    "out",
    metavar="FOLDER",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("cellgen-fuzz"),
    show_default=True,
    help="The folder of the run's state and of the specs that failed.",
)
@click.option("--fresh", is_flag=True, help="Begin anew, whatever is in FOLDER.")
def fuzz(cells, minutes, seed, jobs, replay, out, fresh):
    """Try the compiler on random cells.

    Each is checked, derived and interpreted; derivatives are compared with finite differences, verdicts with numbers
    at extreme scales. One in 10 is built and run in every way, one in 50 by XLA too. Each is also made invalid by one
    edit, which must be told where it is. The same command goes on where it stopped. What fails is made small.
    """
    from cellgen.fuzz import campaign as stage

    asked = seed
    seed = int(date.today().strftime("%Y%m%d")) if seed is None else seed
    if replay is not None:
        sys.exit(_replay(seed, replay))
    path = out / STATE
    out.mkdir(parents=True, exist_ok=True)
    tally = None if fresh else stage.loaded(path)
    if tally is not None and asked is not None and tally.seed != asked:
        raise click.UsageError(f"{path} is a run of the seed {tally.seed}: give another folder, or --fresh")
    tally = tally or stage.Tally(seed)
    say(
        f"seed {tally.seed}, "
        + (f"going on after {count(tally.cells, 'cell')}" if tally.cells else "from the first cell")
    )
    until = monotonic() + 60 * minutes if minutes else float("inf")
    most = cells or (FOREVER if minutes else 100)
    try:
        stage.fuzz(tally, path, most, until, jobs, _Shown(most))
    except KeyboardInterrupt:
        say("interrupted; the same command goes on from here")
        sys.exit(INTERRUPTED)
    for kind, text in _kept(tally, out):
        say(f"{kind}\n  {text}")
    show(summary(tally))
    sys.exit(FAILED if tally.failures else FINE)


class _Shown:
    """A line on the terminal now and then; elsewhere one for each hundred cells."""

    def __init__(self, most: int):
        self.most, self.last, self.live = most, -1.0, sys.stderr.isatty()

    def __call__(self, tally) -> None:
        of = f" of {self.most:,}" if self.most < FOREVER else ""
        line = f"{tally.cells:,}{of} cells, {failures(tally)}"
        if self.live and monotonic() > self.last + 0.5:
            self.last = monotonic()
            click.echo(f"\r{line}", err=True, nl=False)
        elif not self.live and tally.cells % 100 == 0 and tally.cells != self.last:
            self.last = tally.cells
            say(line)


def _kept(tally, out: Path):
    """Writes the smallest spec of each kind of failure into a file; gives (kind, path)."""
    for index, (kind, record) in enumerate(sorted(tally.failures.items()), 1):
        case = record.get("small", record)
        path = out / f"failure{index}.yaml"
        path.write_text(
            f"# {kind}\n# number {record['number']}: {record['detail']}\n".replace("\n", " ").strip()
            + "\n"
            + case["text"],
            encoding="utf-8",
        )
        for stem, text in case["beside"].items():
            (out / f"failure{index}_{stem}.yaml").write_text(text, encoding="utf-8")
        yield kind, path


def summary(tally) -> str:
    """What was tried and what came of it, for people."""
    notes, cells = tally.notes, max(tally.cells, 1)
    valid = tally.cells - sum(number for code, number in tally.refused.items() if code not in ("CG601",))

    def many(name: str) -> str:
        return f"{notes.get(name, 0):,}"

    lines = [
        f"cellgen {tally.version}, seed {tally.seed}: {tally.cells:,} random cells, {tally.seconds / 60:.0f} minutes",
        f"  valid                     {valid:,} ({valid / cells:.1%}), of which {many('extends')} extend another",
        f"  forward, in numpy         {many('forward compared')} instances beside the equations",
        f"  plans, in numpy           {many('plans compared')}",
        f"  gradients, in numpy       {many('gradient compared')} beside finite differences",
        f"  verdicts against numbers  {many('laws tried')} runs of proved laws, {many('ranges tried')} of ranges, "
        f"{many('counterexamples tried')} counterexamples of {many('refuted')} refuted laws",
        f"  built                     {many('built')}",
        f"  run as generated code     {many('run as generated code')}, by XLA {many('run by XLA')} "
        f"({many('run in shares')} in shares), drawing by seed {many('drawn by seed')}, "
        f"through a file {many('through a file')}",
        f"  made invalid by one edit  {tally.edited:,}, by {len(tally.told)} codes",
    ]
    if tally.refused:
        told = ", ".join(f"{code} {number}" for code, number in sorted(tally.refused.items()))
        lines.append(f"  refused                   {told}")
    lines.append(failures(tally))
    for kind, record in sorted(tally.failures.items(), key=lambda item: -item[1]["count"]):
        lines.append(f"  {record['count']:>5}  {kind} (number {record['number']})")
    return "\n".join(lines)


def failures(tally) -> str:
    return f"{sum(each['count'] for each in tally.failures.values()):,} failures of {len(tally.failures)} kinds"


def _replay(seed: int, number: int) -> int:
    import tempfile

    from cellgen.fuzz.campaign import Task, done, level_of
    from cellgen.fuzz.random_spec import case

    tried = case(seed, number)
    for stem, text in tried.beside.items():
        show(f"# {stem}.yaml\n{text}")
    show(f"# {tried.stem}.yaml\n{tried.text}")
    with tempfile.TemporaryDirectory() as folder:
        result = done(Task(seed, number, level_of(number)), Path(folder))
    for failure in result["failures"]:
        say(f"{failure['kind']}\n  {failure['detail']}")
    return FAILED if result["failures"] else FINE
