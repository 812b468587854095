"""Generated layers for the tests: the committed ones, those of other specs, and what they are tried with."""

import importlib
import inspect
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import tensorflow as tf

from cellgen.compiler import Spec
from tests.checkout import CHECKOUT
from tests.programs import child as child
from tests.shipped import TENTH

GENERATED = Path(os.environ.get("CELLGEN_GENERATED", CHECKOUT / "generated"))  # another form of it, for some


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


def layer_class(module: ModuleType) -> type:
    """The layer among a generated module's classes: the one that says what its cell is."""
    return next(each for each in vars(module).values() if isinstance(each, type) and "cell_class" in vars(each))


def build(spec: Path, folder: Path) -> None:
    """Builds a spec into a folder: its cell and its cell's tests."""
    for name, text in Spec.at(spec).build().items():
        (folder / name).write_text(text, encoding="utf-8")


BATCH, STEPS, WIDTH = 4, 6, 3
# holes, a late and an early end, a sample that never counts
MASK = np.array([[0, 1, 0, 1, 1, 0], [1, 1, 1, 0, 0, 1], [0, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1]], bool)
EVERYTHING = {"return_sequences": True, "return_state": True, "return_all_states": True}


@dataclass(frozen=True)
class Subject:
    """A committed cell and the arguments that it is tried with."""

    stem: str
    arguments: dict = field(default_factory=dict)

    @property
    def module(self) -> ModuleType:
        return committed(self.stem)

    @property
    def Layer(self) -> type:
        return layer_class(self.module)

    @property
    def Cell(self) -> type:
        return getattr(self.module, f"{self.Layer.__name__}Cell")

    @property
    def stack(self) -> bool:
        """Whether it is a stack: its state is a flat tuple."""
        return hasattr(self.Cell.scan, "by_layer")

    @property
    def State(self) -> type:
        return tuple if self.stack else getattr(self.module, f"{self.Layer.__name__}State")

    @property
    def many(self) -> bool:
        """Whether a step takes more than one input."""
        return self.Cell.scan.many

    @property
    def weight_arguments(self) -> list[str]:
        """`kernel_initializer` and so on."""
        found = inspect.signature(self.Cell.__init__).parameters
        return [name for name in found if name.endswith(("_initializer", "_regularizer", "_constraint"))]

    def state_of(self, values):
        """Tensors as a state of the cell's own type."""
        return tuple(values) if self.stack else self.State(*values)

    @property
    def resets(self) -> bool:
        """Whether a masked step resets the state. Keras's own loop only knows how to hold it."""
        return self.stem == "layer_norm_lstm"

    def layer(self, *, weights=None, **arguments):
        """A layer, built, with random weights or those of another."""
        layer = self.made(**{"dtype": "float64", **arguments})
        layer.build((BATCH, STEPS, WIDTH))
        set_weights(layer, weights)
        return layer

    def made(self, **arguments):
        """A layer, not built."""
        return self.Layer(**{"units": 6, **self.arguments, **arguments})

    def cell(self, **arguments):
        return self.Cell(**{"units": 6, **self.arguments, **arguments})

    def state(self, seed: int = 1, batch: int = BATCH) -> list[np.ndarray]:
        return [
            np.random.default_rng(seed).normal(size=(batch, size)) for size in tf.nest.flatten(self.cell().state_size)
        ]


SUBJECTS = [
    Subject("gru_reset_before"),
    Subject("layer_norm_lstm"),
    Subject("lstmp", {"proj": 5, "use_peepholes": True, "cell_clip": 0.5, "proj_clip": 0.3}),
    Subject("scrn", {"context": 3, "width": 4}),
    Subject("indrnn"),
]
CHOSEN = {  # so that every weight is there, and starts as its initializer says
    "lstm": {"unit_forget_bias": False},
    "peephole_lstm": {"unit_forget_bias": False},
    "layer_norm_lstm_per_gate": {"use_bias": True},
    "nas": {"use_bias": True, "proj": 5},
    "regularised_lstm": {"unit_forget_bias": False},
    "gru_stack": {"units": [6, 5]},
    "highway_gru_stack": {"depth": 2},
    "residual_lstm_stack": {"depth": 2, "unit_forget_bias": False},
    "hm_lstm_stack": {"units": [6, 5], "embedding": 4},
}
PICTURES = ("conv_",)  # cells on pictures; their tests of layers are those of test_convolutions.py
OTHERS = [
    Subject(path.stem, CHOSEN.get(path.stem, {}))
    for path in sorted(GENERATED.glob("*.py"))
    if not path.stem.startswith(("test_", "recurrent_", *PICTURES))
    and path.stem not in {each.stem for each in SUBJECTS}
]


def _subjects(*everyday: str):
    """A mark that tries these, and all others with `--full`."""
    chosen = [
        pytest.param(each, id=each.stem, marks=() if each.stem in everyday else pytest.mark.full)
        for each in (*SUBJECTS, *OTHERS)
        if each.stem in everyday or TENTH == "all"  # else thousands of items would be made to be left out
    ]
    return pytest.mark.parametrize("subject", chosen)


each_subject = _subjects(*(each.stem for each in SUBJECTS))
five_subjects = pytest.mark.parametrize(
    "subject", [pytest.param(each, id=each.stem, marks=pytest.mark.full) for each in SUBJECTS]
)
two_subjects = _subjects("layer_norm_lstm", "lstmp")
one_subject = _subjects("lstmp")


def subject(stem: str) -> Subject:
    return next(each for each in (*SUBJECTS, *OTHERS) if each.stem == stem)


def set_weights(layer, weights=None) -> None:
    """Random weights, around one where they scale; or those given, as a layer has them."""
    rng = np.random.default_rng(7)
    if weights is None:
        weights = [rng.normal(scale=0.6, size=w.shape) + ("scale" in w.path) for w in layer.trainable_weights]
    for ours, value in zip(layer.trainable_weights, weights, strict=True):
        ours.assign(value)


def sequences(batch: int = BATCH, steps: int = STEPS, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(batch, steps, WIDTH))


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
