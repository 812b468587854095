"""The command `demo`: its options, what it refuses, and what it prints and writes."""

import os
import shutil
import sys
from pathlib import Path

import click

from cellgen.terminal import say, show

FINE, INTERRUPTED = 0, 130
QUICK, WHOLE = 3, 20  # epochs
SEED = 4  # of 0 to 5, one of two with which the first detector finds the spaces
WIDE = 90  # characters of text in a line
OURS = b"cellgen demo"  # stands near the beginning of every file that is written
CHECKPOINT, PAGE, PICTURE, FIGURES = "checkpoint.npz", "index.html", "demo.png", "demo.json"


@click.command()
@click.option(
    "--units",
    metavar="N",
    type=click.IntRange(2, 2048),
    default=96,
    show_default=True,
    help="The units of each layer of the HM-LSTM; the other models get about as many weights as that makes.",
)
@click.option(
    "--epochs",
    metavar="N",
    type=click.IntRange(1),
    help=f"How often the text is read.  [default: {WHOLE}; quick: {QUICK}]",
)
@click.option("--quick", is_flag=True, help=f"{QUICK} epochs: a few minutes on two cores.")
@click.option(
    "--seed",
    metavar="N",
    type=click.IntRange(0, 2**31 - 1),
    default=SEED,
    show_default=True,
    help="Of the first weights, on which it depends where the detectors settle.",
)
@click.option(
    "--z-on-copy",
    type=click.Choice(["hold", "recompute"]),
    default="hold",
    show_default=True,
    help="Whether a step that copies may find a boundary, which the paper leaves open: with hold it may not.",
)
@click.option(
    "--out",
    "-o",
    "out",
    metavar="FOLDER",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("cellgen-demo"),
    show_default=True,
    help="The folder of the page and of what the training needs to go on.",
)
@click.option("--fresh", is_flag=True, help="Train from the beginning, whatever is in FOLDER.")
@click.option("--characters", type=click.IntRange(5000), hidden=True, help="Only the first characters of the text.")
def demo(units, epochs, quick, seed, z_on_copy, out, fresh, characters):
    """Train the Hierarchical Multiscale LSTM as a character model.

    The text is Python's own manual. Beside the generated HM-LSTM stack of three layers (Chung, Ahn & Bengio 2016) learn
    a stack of LSTMs and one of layer-normalised LSTMs with about as many weights. In the end FOLDER has a page with the
    curves, the figures, and the test text with the boundaries that the layers found in it; some of it is printed.

    After an interruption the same command goes on where it stopped, and with more epochs where it ended.
    """
    if quick and epochs:
        raise click.UsageError(f"--quick is --epochs {QUICK}: give one of them")
    _writable(out)
    from cellgen.demo import run as stage
    from cellgen.demo.checkpoint import NoCheckpoint
    from cellgen.demo.corpus import NoManual, corpus

    path = out / CHECKPOINT
    settings = stage.Settings(units, epochs or (QUICK if quick else WHOLE), seed, z_on_copy)
    safe = None

    def saved(step: int) -> None:
        nonlocal safe
        safe = step

    try:
        text = corpus(characters)
        say(f"text: {text.characters:,} characters of 27 symbols, sha256 {text.sha256[:12]}")
        same, found = stage.begin(path, settings, text, fresh)
        if found:
            saved(found.step)
            say(f"going on after {found.step} steps, from {path}")
        figures = stage.demo(path, settings, text, same, found, saved)
    except NoManual as error:
        raise click.UsageError(f"there is no text to read: {error}") from None
    except (NoCheckpoint, stage.Refused) as error:
        raise click.UsageError(f"{error}\nGive another folder with --out, or start anew with --fresh.") from None
    except KeyboardInterrupt:
        same = "the same command without --fresh" if fresh else "the same command"
        say(f"interrupted; {same} goes on after {safe} steps" if safe else "interrupted before anything was kept")
        return INTERRUPTED
    _write(out, figures)
    return FINE


def _writable(out: Path) -> None:
    """Makes the folder; refuses, before anything is trained, what could not be written in the end."""
    from cellgen.text import contents

    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise click.UsageError(f"--out {out}: {(error.strerror or str(error)).lower()}") from None
    if not os.access(out, os.W_OK | os.X_OK):
        raise click.UsageError(f"--out {out}: it cannot be written to")
    for name in (PAGE, PICTURE, FIGURES):
        path = out / name
        if path.is_dir() or path.exists() and OURS not in contents(path, 4096):
            raise click.UsageError(
                f"{path} was not written by `cellgen demo` and would be overwritten: choose another --out"
            )


def _write(out: Path, figures) -> None:
    from cellgen.demo.figures import to_json
    from cellgen.demo.page import page
    from cellgen.demo.plot import plot
    from cellgen.demo.words import told
    from cellgen.output import put

    width = min(WIDE, shutil.get_terminal_size().columns - 5) if sys.stdout.isatty() else WIDE
    show(told(figures, max(width, 20)))
    contents = {PAGE: page(figures).encode(), PICTURE: plot(figures), FIGURES: to_json(figures).encode()}
    for name, content in contents.items():
        put(out / name, content)
        say(f"wrote {out / name}")
