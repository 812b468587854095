"""Generated modules for the tests: the committed ones, those of specs written in a test, and child processes."""

import importlib
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from types import ModuleType

import numpy as np
import tensorflow as tf

from cellgen.compiler import Spec

GENERATED = Path(__file__).resolve().parent.parent / "generated"


def committed(stem: str) -> ModuleType:
    """A module of `generated/` under its own name, the one module that its own tests import too."""
    return imported(stem, GENERATED)


def imported(stem: str, folder: Path) -> ModuleType:
    """A module of a folder by its bare name."""
    sys.path.insert(0, str(folder))
    try:
        return importlib.import_module(stem)
    finally:
        sys.path.remove(str(folder))


def write(text: str, stem: str, folder: Path) -> None:
    """Builds a spec given as text into a folder: its cell and its cell's tests."""
    for name, content in Spec.of(textwrap.dedent(text), stem).build().items():
        (folder / name).write_text(content, encoding="utf-8")


def child(code: str, folder: Path, *folders: Path, **environment: str) -> str:
    """What a fresh process prints. It imports from the folders only, so cellgen is not there unless it is installed."""
    path = os.pathsep.join(map(str, (folder, *folders)))
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path, **environment},
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


def close(came, wanted, bound: float = 1e-10) -> None:
    """Equal in number, shapes and values."""
    came, wanted = tf.nest.flatten(came), tf.nest.flatten(wanted)
    assert len(came) == len(wanted) > 0
    for one, other in zip(came, wanted):
        one, other = np.asarray(one), np.asarray(other)
        assert one.shape == other.shape
        np.testing.assert_allclose(one.astype("float64"), other.astype("float64"), rtol=bound, atol=bound)


def gradients(layer, x, state=None, **arguments) -> list[np.ndarray]:
    """What a layer gives, then the gradient of a loss on all of it for x, each state and each trainable weight."""
    x, state = tf.constant(x), [tf.constant(value) for value in state or ()]
    given = {"initial_state": state} if state else {}
    with tf.GradientTape() as tape:
        tape.watch([x, *state])
        values = tf.nest.flatten(layer(x, **given, **arguments))
        loss = tf.add_n([tf.reduce_sum(tf.sin((3 + index) * value)) for index, value in enumerate(values)])
    sources = [x, *state, *layer.trainable_weights]
    slopes = tape.gradient(loss, sources)
    slopes = [np.zeros(source.shape) if slope is None else slope for source, slope in zip(sources, slopes)]
    assert sum(bool(np.any(slope)) for slope in slopes) > 1
    return [*values, *slopes]
