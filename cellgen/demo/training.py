"""The training of `cellgen demo`: truncated backpropagation, all models by turns on the same windows.

The text is cut into rows that are read side by side, a window of some steps at a time; a window begins with the state,
and without the gradient, of the window before. Nothing is drawn at random but the first weights, so what a checkpoint
holds is all there is to a training.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import log, nan
from statistics import median
from time import perf_counter

import numpy as np
import tensorflow as tf

from cellgen.demo.checkpoint import Checkpoint
from cellgen.demo.corpus import Corpus, symbols
from cellgen.demo.figures import Point
from cellgen.demo.models import Model

keras = tf.keras

BATCH, WINDOW = 32, 100
RATE, MOST_NORM = 2e-3, 1.0
READ = 500  # steps at once when a text is read: one compilation for all texts
EARLY = 2  # epochs, in which much changes
OFTEN, SELDOM = 5, 2  # points of the curves in an epoch: early, and then
XLA = True  # whether it runs all of a reading; of a training step the layers let it run their scans
RECENT = 20  # steps, of which the live figures are the mean


@dataclass(frozen=True, slots=True)
class Reading:
    """What a model makes of a text: mean bits for each character but the first, and of each detector what it did after
    each character but the last.
    """

    bits: float
    fired: tuple[tuple[int, ...], ...]


def windows(text: str) -> list[tf.Tensor]:
    """An epoch: each window (BATCH, WINDOW + 1), its last column being the first of the next. What does not fill one
    is left out.
    """
    found = np.array(symbols(text), np.int32)
    rows = found[: len(found) // BATCH * BATCH].reshape(BATCH, -1)
    starts = range(0, rows.shape[1] - WINDOW, WINDOW)
    return [tf.constant(rows[:, start : start + WINDOW + 1]) for start in starts]


def is_point(step: int, epoch: int) -> bool:
    """Whether the curves get a point after so many steps; epoch: the steps of one."""
    each = OFTEN if step <= EARLY * epoch else SELDOM
    return (step - 1) % epoch + 1 in {epoch * number // each for number in range(1, each + 1)}


class Learner:
    """One model in training, and its history."""

    def __init__(self, model: Model):
        self.model = model
        self._optimizer = keras.optimizers.Adam(RATE, global_clipnorm=MOST_NORM)
        self._optimizer.build(model.weights)
        self._state = model.start(BATCH)
        self._best = [weight.numpy() for weight in model.weights]
        self.best_step = 0
        self.points: list[Point] = []
        self._pending: list[float] = []  # bits of the steps since the last point
        self._seconds: list[float] = []
        self._warm = False
        self._update = tf.function(self._one_step, autograph=False)
        self._read = tf.function(self._one_read, jit_compile=XLA, autograph=False)

    # --- a step

    def step(self, window: tf.Tensor, epoch: int, first: bool) -> None:
        """first: of the epoch, so that nothing has been read yet."""
        self.model.anneal(epoch)
        if first:
            self._state = self.model.start(BATCH)
        began = perf_counter()
        bits, self._state = self._update(window, self._state)
        self._pending.append(float(bits))  # waits for it
        if self._warm:
            self._seconds.append(perf_counter() - began)
        self._warm = True

    def _one_step(self, window, state):
        with tf.GradientTape() as tape:
            logits, state = self.model.run(window[:, :-1], state)
            bits = tf.reduce_mean(_bits(window[:, 1:], logits))
        self._optimizer.apply_gradients(zip(tape.gradient(bits, self.model.weights), self.model.weights, strict=True))
        return bits, state

    @property
    def recent(self) -> float:
        """Mean bits of the last steps; not a number before the first."""
        found = self._pending[-RECENT:] or [each.train for each in self.points[-1:]]
        return sum(found) / len(found) if found else nan

    @property
    def seconds(self) -> float:
        """The median step, those aside that compiled."""
        return median(self._seconds) if self._seconds else nan

    # --- a text

    def point(self, step: int, corpus: Corpus) -> None:
        valid = self.read(corpus.valid).bits
        rates = tuple(sum(each) / len(each) for each in self.read(corpus.test).fired) if self.model.detectors else ()
        if valid < min((each.valid for each in self.points), default=float("inf")):
            self.best_step, self._best = step, [weight.numpy() for weight in self.model.weights]
        self.points.append(Point(step, sum(self._pending) / len(self._pending), valid, rates))
        self._pending.clear()

    def read(self, text: str) -> Reading:
        """Reads a text to its end, in one row, from a zero state."""
        self.model.look()
        found = np.array(symbols(text), np.int32)
        steps = len(found) - 1
        filled = np.zeros(-(-steps // READ) * READ + 1, np.int32)
        filled[: len(found)] = found
        state, bits, fired = self.model.start(1), [], []
        for start in range(0, steps, READ):
            more, state, marks = self._read(tf.constant(filled[np.newaxis, start : start + READ + 1]), state)
            bits.append(more.numpy()[0])
            fired.append(np.array([each.numpy()[0] for each in marks]).reshape(-1, READ))
        marks = np.concatenate(fired, 1)[:, :steps].astype(int)
        return Reading(float(np.concatenate(bits)[:steps].mean(dtype=np.float64)), tuple(map(tuple, marks.tolist())))

    def _one_read(self, window, state):
        logits, state, fired = self.model.read(window[:, :-1], state)
        return _bits(window[:, 1:], logits), state, fired

    # --- to a checkpoint and back

    def settle(self) -> None:
        """Takes the weights of the point with the fewest bits on the validation text."""
        _assign(self.model.weights, self._best)

    @property
    def history(self) -> dict:
        return {
            "points": [[each.step, each.train, each.valid, list(each.rates)] for each in self.points],
            "pending": self._pending,
            "seconds": self._seconds,
            "best": self.best_step,
        }

    @property
    def arrays(self) -> dict[str, list[np.ndarray]]:
        kinds = {"weights": self.model.weights, "optimizer": self._optimizer.variables, "state": self._state}
        return {kind: [value.numpy() for value in values] for kind, values in kinds.items()} | {"best": self._best}

    def restore(self, history: Mapping, arrays: Mapping[str, list[np.ndarray]]) -> None:
        _assign(self.model.weights, arrays["weights"])
        _assign(self._optimizer.variables, arrays["optimizer"])
        self._state = [tf.constant(each) for each in arrays["state"]]
        self._best, self.best_step = arrays["best"], history["best"]
        self.points = [Point(step, train, valid, tuple(rates)) for step, train, valid, rates in history["points"]]
        self._pending, self._seconds = list(history["pending"]), list(history["seconds"])


def _bits(wanted, logits):
    return tf.nn.sparse_softmax_cross_entropy_with_logits(wanted, logits) / log(2)


def _assign(variables, arrays) -> None:
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)


def train(
    learners: Mapping[str, Learner],
    corpus: Corpus,
    *,
    done: int,
    steps: int,
    each: Callable[[int], None],
) -> None:
    """Steps `done` to `steps`; `each` is called after every one, with their number."""
    parts = windows(corpus.train)
    for step in range(done, steps):
        epoch, window = divmod(step, len(parts))
        for learner in learners.values():
            learner.step(parts[window], epoch, first=window == 0)
        if is_point(step + 1, len(parts)):
            for learner in learners.values():
                learner.point(step + 1, corpus)
        each(step + 1)


def checkpoint(learners: Mapping[str, Learner], settings: Mapping[str, object], step: int) -> Checkpoint:
    return Checkpoint(
        settings,
        step,
        {name: learner.history for name, learner in learners.items()},
        {name: learner.arrays for name, learner in learners.items()},
    )
