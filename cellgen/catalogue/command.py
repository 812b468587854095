"""The command: arguments to what is shown."""

import json
import shutil
from collections.abc import Callable, Iterable
from dataclasses import asdict

import click

from cellgen.terminal import Progress, count, say, show, uncollected

FINE, FAILED = 0, 1


@click.command("list")
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option("--long", is_flag=True, help="Show all about each, not a line.")
@click.option("--tree", is_flag=True, help="Show which cell reduces to which other, and under what: what is proved.")
@click.option("--check", is_flag=True, help="With --tree: tell what is not proved, and fail if there is any.")
@click.option("--json", "as_json", is_flag=True, help="As a list of records.")
def catalogue(names, long, tree, check, as_json):
    """List the shipped specs: a line for each, or all about those that are named.

    A line has the family, the states, the number of weights as a formula, how the states follow from one another, and
    the first paper. In the tree each cell stands below those that it reduces to.
    """
    from cellgen.catalogue.card import MOST, aligned, card, rows
    from cellgen.catalogue.card import long as all_about
    from cellgen.compiler import shipped

    if check and not tree:
        raise click.UsageError("--check is about the edges of the tree: give --tree too")
    paths = list(names) or [str(path) for path in sorted(shipped().glob("*.yaml"))]
    if tree:
        return _tree(paths, check, as_json)
    found = _each(paths, card)
    if as_json:
        _records(found)
    elif not names and not long:
        for line in aligned(rows(found)):
            show(line)
    else:
        width = shutil.get_terminal_size((MOST, 24)).columns
        for each in found:
            show(f"{click.style(each.name, bold=True)}  {each.cell}")
            for line in all_about(each, width):
                show(line)
    return FINE


def _tree(paths: list[str], check: bool, as_json: bool) -> int:
    """The tree of what is proved; of what is not, the number, or with `check` all about it."""
    from cellgen.catalogue.family_tree import edges, tree

    every = _each(paths, lambda spec: (spec.stem, edges(spec)))
    found = [edge for _, some in every for edge in some]
    proved, unproved = ([edge for edge in found if edge.proved is which] for which in (True, False))
    if as_json:
        _records(found if check else proved)
    else:
        for line in tree(proved, [name for name, _ in every]):
            show(line)
        for edge in unproved if check else ():
            show(f"not proved: {edge.name} reduces to {edge.to} {edge.condition}: {edge.status} ({edge.why})")
    if unproved and not check:
        say(f"{count(len(unproved), 'law')} not proved: `cellgen list --tree --check` tells which")
    return FAILED if check and unproved else FINE


def _each(paths: list[str], work: Callable) -> list:
    """What is found of each spec. Raises `SpecError`."""
    from cellgen.compiler import Spec

    found = []
    with Progress(len(paths)) as progress, uncollected():
        for path in paths:
            progress.begin(path)
            found.append(work(Spec.at(path)))
    return found


def _records(found: Iterable) -> None:
    show(json.dumps([asdict(each) for each in found], indent=2, ensure_ascii=False))
