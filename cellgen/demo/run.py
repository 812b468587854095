"""`cellgen demo`: a text to figures. The Hierarchical Multiscale LSTM reads Python's manual beside two plain stacks."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from cellgen.bench import ENVIRONMENT, machine
from cellgen.demo.boundaries import operations
from cellgen.demo.checkpoint import Checkpoint, differences, load, save
from cellgen.demo.corpus import ALPHABET, Corpus
from cellgen.demo.figures import Entry, Figures, detectors, excerpt
from cellgen.demo.ngrams import ngrams
from cellgen.demo.progress import DemoProgress
from cellgen.output import sweep

EVERY = 10.0  # seconds between checkpoints


class Refused(Exception):
    """A checkpoint that cannot be gone on from, and what to do about it."""


@dataclass(frozen=True, slots=True)
class Settings:
    """units: of a layer of the hierarchical stack, whose number of weights the others get too; z_on_copy: what its
    detectors do in a step that copies, which the paper leaves open: "hold", so that no boundary is found in it, or
    "recompute".
    """

    units: int
    epochs: int
    seed: int
    z_on_copy: str


def begin(path: Path, settings: Settings, corpus: Corpus, fresh: bool) -> tuple[dict, Checkpoint | None]:
    """What must be the same for a training to go on, and where it stands. What TensorFlow reads from the environment is
    set before it is imported. Raises `Refused`, `NoCheckpoint`, `SpecError`, `OSError`.
    """
    os.environ.update({name: os.environ.get(name, value) for name, value in ENVIRONMENT.items()})
    from cellgen.demo.models import NAMES, digest

    same = {
        "units": settings.units,
        "seed": settings.seed,
        "z on copy": settings.z_on_copy,
        "text": f"{corpus.characters} characters, {corpus.sha256[:12]}",
        "generated code": digest(*NAMES),
    }
    sweep(path)
    found = None if fresh else load(path)
    if found is None:
        return same, None
    apart = differences(found.settings, same)
    if apart:
        raise Refused(f"{path} is of another training: {'; '.join(apart)}")
    return same, found


def demo(
    path: Path,
    settings: Settings,
    corpus: Corpus,
    same: dict,
    found: Checkpoint | None,
    saved: Callable[[int], object],
) -> Figures:
    """Trains, from a checkpoint if there is one, and reads the test text. saved: called with the steps that are safe.

    Raises `Refused` if the checkpoint is of a longer training, and `OSError`.
    """
    from cellgen.demo.models import models, parameters
    from cellgen.demo.training import BATCH, MOST_NORM, RATE, WINDOW, Learner, checkpoint, train, windows

    epoch = len(windows(corpus.train))
    steps, done = epoch * settings.epochs, found.step if found else 0
    if done > steps:
        raise Refused(f"{path} has been trained for {done} steps already, not {steps}: {-(-done // epoch)} epochs")
    with DemoProgress(steps) as progress:
        progress.begin("building the layers")
        found_by_name = models(settings.units, len(ALPHABET), settings.seed, settings.z_on_copy)
        learners = {name: Learner(model) for name, model in found_by_name.items()}
        if found:
            for name, learner in learners.items():
                learner.restore(found.histories[name], found.arrays[name])
        last = monotonic()

        def each(step: int) -> None:
            nonlocal last
            progress.at(step, {learner.model.short: learner.recent for learner in learners.values()})
            if monotonic() - last > EVERY or step == steps:
                save(path, checkpoint(learners, same, step))
                last = monotonic()
                saved(step)

        if done < steps:
            progress.begin("compiling the training steps")
            train(learners, corpus, done=done, steps=steps, each=each)
        progress.begin("reading the test text")
        for learner in learners.values():
            learner.settle()
        readings = {name: learner.read(corpus.test) for name, learner in learners.items()}
    entries = tuple(
        Entry(
            name,
            learner.model.title,
            learner.model.units,
            parameters(learner.model),
            readings[name].bits,
            learner.best_step,
            learner.seconds,
            tuple(learner.points),
        )
        for name, learner in learners.items()
    )
    read, fired = corpus.test[:-1], readings[entries[0].name].fired
    parts = {"train": len(corpus.train), "valid": len(corpus.valid), "test": len(corpus.test)}
    return Figures(
        machine(),
        {"characters": corpus.characters, **parts, "sha256": corpus.sha256},
        {"epochs": settings.epochs, "rows": BATCH, "window": WINDOW, "rate": RATE, "norm": MOST_NORM, **same},
        epoch,
        steps,
        ngrams(corpus.train, corpus.test, ALPHABET),
        read.count(" ") / len(read),
        entries,
        detectors(read, fired),
        operations(fired),
        excerpt(read, fired),
    )
