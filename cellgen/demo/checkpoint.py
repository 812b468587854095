"""Where a training stands, as one file: all that it needs to go on as if it had never stopped."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from cellgen.output import put

FORMAT = 1
HEAD = "head"


class NoCheckpoint(Exception):
    """A file that was not written by `save`."""


@dataclass(frozen=True)
class Checkpoint:
    """settings: what must be the same for the training to go on; step: how many are done; histories: of each model,
    for JSON; arrays: of each model, by kind (weights, optimizer, state, ...) and in their order.
    """

    settings: Mapping[str, object]
    step: int
    histories: Mapping[str, Mapping]
    arrays: Mapping[str, Mapping[str, list[np.ndarray]]]


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Raises `OSError`; a file that was there before is there still."""
    flat = {
        f"{model}/{kind}/{number}": array
        for model, kinds in checkpoint.arrays.items()
        for kind, arrays in kinds.items()
        for number, array in enumerate(arrays)
    }
    sizes = {model: {kind: len(arrays) for kind, arrays in kinds.items()} for model, kinds in checkpoint.arrays.items()}
    head = {
        "format": FORMAT,
        "settings": checkpoint.settings,
        "step": checkpoint.step,
        "histories": checkpoint.histories,
        "sizes": sizes,
    }
    out = BytesIO()
    np.savez(out, **{HEAD: np.array(json.dumps(head))}, **flat)
    put(path, out.getvalue())


def load(path: Path) -> Checkpoint | None:
    """None if there is no file. Raises `NoCheckpoint`, `OSError`."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        with np.load(BytesIO(content), allow_pickle=False) as found:
            head = json.loads(str(found[HEAD]))
            if head["format"] != FORMAT:
                raise NoCheckpoint(f"{path} is a checkpoint in another format")
            arrays = {
                model: {
                    kind: [found[f"{model}/{kind}/{number}"] for number in range(size)] for kind, size in of.items()
                }
                for model, of in head["sizes"].items()
            }
            return Checkpoint(head["settings"], head["step"], head["histories"], arrays)
    except (BadZipFile, KeyError, ValueError, TypeError, EOFError, AttributeError):
        raise NoCheckpoint(f"{path} is no checkpoint of `cellgen demo`") from None


def differences(found: Mapping[str, object], wanted: Mapping[str, object]) -> list[str]:
    """What settings differ, in words."""
    return [f"{name} {found.get(name)}, not {value}" for name, value in wanted.items() if found.get(name) != value]
