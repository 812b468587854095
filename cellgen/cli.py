"""The commands: arguments to an exit code. Whatever a command needs is imported when it runs."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter

import click

from cellgen.bench import bench
from cellgen.catalogue import catalogue
from cellgen.demo import demo
from cellgen.fuzz import fuzz
from cellgen.terminal import PATIENCE, Progress, bug, count, say, show, show_page, tell, uncollected
from cellgen.version import __version__

NOT_YET = "CG601"  # the code of what is checked, but not yet generated
FINE, FAILED, USAGE, INTERNAL, INTERRUPTED = 0, 1, 2, 70, 130

EPILOG = """\b
Exit codes:
   0  fine
   1  a spec has errors, `--check` found a difference, or a test failed
   2  wrong usage: an unknown option, a folder that cannot be written, a file that would be overwritten
  70  a bug in cellgen; CELLGEN_TRACEBACK=1 shows where
 130  interrupted

What was asked for goes to standard output, everything else (diagnostics, progress, a summary) to standard error.
Diagnostics as json or github are what was asked for. NO_COLOR=1 turns colours off."""

SPECS = """A SPEC is a file, a folder of specs, or the bare name of a shipped one, such as `lstm`.
Without SPEC it is the folder `specs`."""


# --- specs ----------------------------------------------------------------------------------------------------------


def _paths(specs: tuple[str, ...]) -> list[str]:
    """The specs that are meant, each once."""
    out: dict[str, str] = {}
    for each in specs or ("specs",):
        path = Path(each)
        found = [each]
        if path.is_dir():
            found = [str(below) for below in sorted(path.iterdir()) if below.suffix in (".yaml", ".yml")]
            if not found:
                raise click.UsageError(f"no spec in the folder `{each}`: their names end with .yaml")
        elif not specs:
            raise click.UsageError("name a spec: there is no folder `specs` here")
        for one in found:
            out.setdefault(os.path.realpath(one), one)  # `resolve` raises where links run in a circle
    return list(out.values())


@dataclass(frozen=True)
class Run:
    """What was made of some specs, None of one that could not be read to its end, and what is to be told about them."""

    results: list
    diagnostics: list
    seconds: float

    @property
    def failed(self) -> bool:
        return any(each.severity == "error" for each in self.diagnostics)

    def tell(self, format: str) -> None:
        """All diagnostics; then a summary, if there is anything to sum up or it took its time."""
        tell(self.diagnostics, format)
        if format == "full" and (self.diagnostics or self.seconds > PATIENCE):
            severities = [each.severity for each in self.diagnostics]
            counts = ", ".join(count(severities.count(kind), kind) for kind in ("error", "warning"))
            say(f"{count(len(self.results), 'spec')}, {counts}, {self.seconds:.1f} s")


def _each(paths: list[str], work: Callable, strict: bool) -> Run:
    """Does something to each spec; `work` returns a result and diagnostics, or raises `SpecError`."""
    from cellgen.compiler import Spec
    from cellgen.diagnostics import SpecError

    results, told, began = [], [], perf_counter()
    with Progress(len(paths)) as progress:
        for path in paths:
            progress.begin(path)
            try:
                with uncollected():
                    result, diagnostics = work(Spec.at(path))
            except SpecError as error:
                result, diagnostics = None, error.diagnostics
            results.append(result)
            told += diagnostics
    if strict:
        told = [replace(each, severity="error") if each.severity == "warning" else each for each in told]
    return Run(results, list(dict.fromkeys(told)), perf_counter() - began)  # what two specs inherit is told once


# --- the commands ---------------------------------------------------------------------------------------------------

_specs = click.argument("specs", metavar="[SPEC]...", nargs=-1)
_strict = click.option("--strict", is_flag=True, help="Take every warning for an error.")
_format = click.option(
    "--output-format",
    "format",
    type=click.Choice(["full", "concise", "json", "github"]),
    default="full",
    help="How diagnostics are written; json and github go to standard output.",
)
_folder = click.option(
    "-o",
    "--output",
    "folder",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("generated"),
    show_default=True,
    help="The folder of the generated files.",
)


@click.group(epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__, message="cellgen %(version)s")
def commands():
    """From the equations of a recurrent cell to a tested TensorFlow layer.

    \b
    cellgen new my_cell            writes my_cell.yaml, to edit
    cellgen check my_cell.yaml     shows its equations, shapes and sizes, and what could be proved
    cellgen build my_cell.yaml     writes generated/my_cell.py and generated/test_my_cell.py
    cellgen test my_cell.yaml      runs the tests
    """


@commands.command(epilog=SPECS)
@_specs
@click.option(
    "--plan", is_flag=True, help="Show what runs before the loop, in it and on the way back, and what is kept."
)
@_strict
@_format
def check(specs, plan, strict, format):
    """Check specs and show what follows from them.

    Of one spec: its equations with the shape of every value, the number of weights and of operations a step as
    formulas, and the verdicts on its laws. Of several: a line each.
    """
    from cellgen.show import line, planscreen, screen

    def work(spec):
        checked = spec.check()
        return (checked, spec.plan() if plan else None), checked.diagnostics

    paths = _paths(specs)
    run = _each(paths, work, strict)
    if format == "full":
        for path, result in zip(paths, run.results, strict=True):
            if result:
                show(screen(result[0]) + "\n" if len(paths) == 1 else f"{path}: {line(result[0])}")
                show(planscreen(result[1]) + "\n") if plan else None
    run.tell(format)
    return FAILED if run.failed else FINE


@commands.command(epilog=SPECS)
@_specs
@_folder
@click.option("--check", is_flag=True, help="Write nothing; list the files that are missing or differ.")
@click.option("--force", is_flag=True, help="Write also over what was edited by hand, is a link, or is not cellgen's.")
@click.option("--single-file", is_flag=True, help="Write what all cells share into each cell's own file.")
@_strict
@_format
def build(specs, folder, check, force, single_file, strict, format):
    """Check specs and write the cells and their tests.

    That is DIR/<name>.py and DIR/test_<name>.py for each, and once what all cells share. Files that are as they should
    be are left alone; if any spec has an error, nothing is written at all, and what was edited by hand is not written
    over. Of a folder, specs for which no code can be generated yet are left out.
    """
    from cellgen.diagnostics import SpecError
    from cellgen.output import Obstructed, changes, update

    def work(spec):
        diagnostics = spec.check().diagnostics
        diagnostics = [each for each in diagnostics if each.code != NOT_YET]  # which `build` raises
        try:
            return spec.build(single_file=single_file), diagnostics
        except SpecError as error:
            if spec.source.name in specs or {each.code for each in error.diagnostics} != {NOT_YET}:
                raise
            say(f"left out: {spec.source.name}, for which no code can be generated yet")
            return {}, diagnostics

    paths = _paths(specs)
    _apart(paths, folder)
    run = _each(paths, work, strict)
    run.tell(format)
    if run.failed:
        if format == "full":
            say("nothing was written")
        return FAILED
    files = {name: text for built in run.results for name, text in built.items()}
    quiet = format == "json"
    if check:
        found = changes(files, folder)
        for change in () if quiet else found:
            show(f"{change.path} {change.state}")
        if found:
            say(f"{len(found)} of {count(len(files), 'file')} not as the specs say: `cellgen build` writes them")
        return FAILED if found else FINE
    try:
        found = update(files, folder, force)
    except Obstructed as error:
        what = "\n".join(f"  {each.path} {each.obstacle}" for each in error.changes)
        help = "Nothing was written: keep what you need, then use --force, or choose another DIR with -o."
        raise click.UsageError(f"this would be overwritten:\n{what}\n{help}") from None
    for change in () if quiet else found:
        show(f"wrote {change.path}")
    if len(found) < len(files) and not quiet:
        say(f"{count(len(files) - len(found), 'file')} in {folder} up to date")
    return FINE


def _apart(paths: list[str], folder: Path) -> None:
    """Refuses specs that would write the same file."""
    writers: dict[str, str] = {}
    for path in paths:
        stem = Path(path).stem
        for name in (f"{stem}.py", f"test_{stem}.py"):
            other = writers.setdefault(name.casefold(), path)
            if other != path:
                raise click.UsageError(f"{other} and {path} would both write {folder / name}: rename one of them")


@commands.command(epilog="""Without an argument: every test in DIR.""")
@click.argument("what", metavar="[SPEC|DIR|FILE]...", nargs=-1)
@_folder
def test(what, folder):
    """Run generated tests with pytest.

    Of a SPEC: those that `build` wrote to DIR, which must be up to date. Of a folder of generated files: all of them.
    """
    from cellgen.output import verify

    tests = dict.fromkeys(path for each in what or (str(folder),) for path in _tests(each, folder))
    return FINE if verify(tests) else FAILED


def _tests(what: str, folder: Path) -> list[Path]:
    """The generated tests that are meant by an argument."""
    from cellgen.compiler import Spec
    from cellgen.output import changes

    path = Path(what)
    if path.is_file() and path.suffix == ".py":
        return [path]
    if path.is_dir() and (found := sorted(path.glob("test_*.py"))):
        return found
    if path == folder:
        raise click.UsageError(f"there are no generated tests in `{folder}`: `cellgen build` writes them")
    out = []
    for each in _paths((what,)):
        spec = Spec.at(each)
        found = changes(spec.build(), folder)
        for change in found if found and changes(spec.build(single_file=True), folder) else ():
            why = {"differs": f"is not what {each} says", "is missing": "is not there"}.get(change.state, change.state)
            help = f"cellgen build {'--force ' * bool(change.obstacle)}{each}"
            raise click.ClickException(f"{change.path} {why}: run `{help}` first")
        out.append(folder / f"test_{spec.stem}.py")
    return out


@commands.command()
@click.argument("name")
@click.option("--from", "base", metavar="SPEC", help="Extend this spec: only what differs is written.")
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The file, or its folder.  [default: ./<name>.yaml]",
)
def new(name, base, output):
    """Write a spec to edit, with a word on every part. It builds as it is.

    NAME is the cell's: `MyCell` and `my_cell` both mean the class MyCell in my_cell.yaml. For a copy of a spec, not an
    extension, write what `cellgen expand SPEC` prints to a file.
    """
    from cellgen.compiler import Spec
    from cellgen.output import create
    from cellgen.show import start

    try:
        cell, stem = start.names(name)
        if output is None or output.is_dir():
            output = (output or Path()) / f"{stem}.yaml"
        elif output.suffix != ".yaml":
            raise start.Refused(f"the name of a spec ends with .yaml, not `{output.name}`")
        text = start.start(cell, output, Spec.at(base) if base else None)
        create(output, text.encode())
    except start.Refused as error:
        raise click.UsageError(str(error)) from None
    except FileExistsError:
        raise click.UsageError(f"{output} is there already: choose another name, or another file with -o") from None
    show(f"wrote {output}")
    say(f"Next: edit it, then cellgen check {output}")


@commands.command()
@click.argument("spec")
def expand(spec):
    """Print a spec with what it extends merged in."""
    from cellgen.compiler import Spec
    from cellgen.document import expand

    show(expand(Spec.at(spec).expanded()).removesuffix("\n"))


@commands.command()
@click.argument("code")
def explain(code):
    """Explain a diagnostic by its code, such as CG301."""
    from cellgen.diagnostics import explain

    try:
        show(explain(code))
    except ValueError as error:
        raise click.UsageError(str(error)) from None


@commands.command()
@click.argument("topic", required=False)
def guide(topic):
    """Show the page of a TOPIC, such as laws; without one, list the topics.

    A page is laid out on a terminal, and Markdown as it is where it goes to a file or another program.
    """
    from cellgen.guide import page, topics

    if topic is None:
        found = topics()
        width = max(map(len, found))
        for name, about in found.items():
            show(f"{click.style(name.ljust(width), bold=True)}  {about}")
        return say("Next: cellgen guide TOPIC")
    try:
        show_page(page(topic))
    except ValueError as error:
        raise click.UsageError(str(error)) from None


@commands.command()
def schema():
    """Print the JSON Schema of specs, for editors."""
    import json

    from cellgen.document import json_schema

    show(json.dumps(json_schema(), indent=2))


for each in (bench, catalogue, demo, fuzz):
    commands.add_command(each)


# --- the way in -----------------------------------------------------------------------------------------------------


def main(arguments: list[str] | None = None) -> int:
    """Runs a command; returns the exit code."""
    from cellgen.diagnostics import SpecError

    try:
        return commands.main(arguments, prog_name="cellgen", standalone_mode=False) or FINE
    except SpecError as error:
        tell(error.diagnostics)
        return FAILED
    except click.Abort:
        say("interrupted")
        return INTERRUPTED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        say(f"Error: {where}{(error.strerror or str(error)).lower()}")
        return USAGE
    except Exception as error:
        bug(error)
        return INTERNAL
