"""Trains a generated cell on real text: Python's own manual, one character after another.

    cellgen build specs/layer_norm_lstm.yaml
    python tests/demo/text.py --steps 1500

The layer is the generated LayerNormLSTM (Ba, Kiros & Hinton 2016, arXiv:1607.06450); the training is the usual one of
character models: truncated backpropagation over windows whose state is carried on.
"""

import argparse
import hashlib
import math
import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from pydoc_data.topics import topics
from typing import NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "generated"))

import keras
import numpy as np
import tensorflow as tf
from layer_norm_lstm import LayerNormLSTM

ALPHABET = " abcdefghijklmnopqrstuvwxyz"


# --- the corpus -----------------------------------------------------------------------------------------------------


def corpus() -> str:
    """The manual behind `help()` in the alphabet of text8. It differs with the version of Python."""
    paragraphs = [paragraph for name in sorted(topics) for paragraph in topics[name].split("\n\n")]
    plain = [re.sub("[^a-z]+", " ", paragraph.lower()).strip() for paragraph in paragraphs]
    return " ".join(dict.fromkeys(filter(None, plain)))  # topics overlap: a repeat would leak from train into test


def split(text: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Symbols 0 to 26: the first 90 % to train on, then 5 % for validation and 5 % for the test."""
    symbols = np.array([ALPHABET.index(character) for character in text], np.int32)
    train, valid, test = np.split(symbols, [len(symbols) * 90 // 100, len(symbols) * 95 // 100])
    return train, valid, test


def ngram_bits(train: np.ndarray, test: np.ndarray, context: int) -> float:
    """Bits per character of `test` under the counts in `train`, one added to each, after `context` characters."""
    counts = np.ones([len(ALPHABET)] * (context + 1))
    np.add.at(counts, tuple(train[i : len(train) - context + i] for i in range(context + 1)), 1)
    probability = counts / counts.sum(-1, keepdims=True)
    return float(-np.log2(probability[tuple(test[i : len(test) - context + i] for i in range(context + 1))]).mean())


def rows(symbols: np.ndarray, batch_size: int) -> np.ndarray:
    """The text as (batch_size, time): each row reads a stretch of its own. What does not fill a column is left out."""
    return symbols[: len(symbols) // batch_size * batch_size].reshape(batch_size, -1)


# --- the model ------------------------------------------------------------------------------------------------------


class CharacterModel(keras.Model):
    """symbols (batch, time) and the layer's state -> logits of the next symbol (batch, time, 27) and the new state."""

    def __init__(self, units: int):
        super().__init__()
        self.embedding = keras.layers.Embedding(len(ALPHABET), 64)
        self.recurrence = LayerNormLSTM(units, return_sequences=True, return_state=True)
        self.readout = keras.layers.Dense(len(ALPHABET))

    def call(self, symbols, state):
        h, *state = self.recurrence(self.embedding(symbols), initial_state=state)
        return self.readout(h), state

    def zero_state(self, batch_size: int) -> list[tf.Tensor]:
        return self.recurrence.get_initial_state(batch_size)

    @tf.function
    def bits(self, window, state):
        """Mean bits per character of window (batch, time + 1), each from those before it, and the state after it."""
        logits, state = self(window[:, :-1], state)
        nats = tf.nn.sparse_softmax_cross_entropy_with_logits(window[:, 1:], logits)
        return tf.reduce_mean(nats) / math.log(2), state

    def bits_of(self, symbols: np.ndarray) -> float:
        """Bits per character of a whole text, read as eight rows from a zero state."""
        return float(self.bits(rows(symbols, 8), self.zero_state(8))[0])


class Progress(NamedTuple):
    """One line of the table; `train` is the mean since the line before."""

    step: int
    train: float
    valid: float
    seconds: float


def training(
    model: CharacterModel, train: np.ndarray, valid: np.ndarray, *, steps: int, every: int, window: int = 100
) -> Iterator[Progress]:
    """Truncated backpropagation: a window begins with the state, and without the gradient, of the window before."""
    optimizer = keras.optimizers.Adam(2e-3, global_clipnorm=1.0)

    @tf.function
    def update(symbols, state):
        with tf.GradientTape() as tape:
            bits, state = model.bits(symbols, state)
        weights = model.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(bits, weights), weights))
        return bits, state

    text = rows(train, 32)
    windows = [text[:, start : start + window + 1] for start in range(0, text.shape[1] - window, window)]
    losses, began = [], time.monotonic()
    for step in range(steps):
        if step % len(windows) == 0:  # a new epoch
            state = model.zero_state(len(text))
        bits, state = update(windows[step % len(windows)], state)
        losses.append(float(bits))
        if len(losses) == every or step + 1 == steps:
            yield Progress(step + 1, float(np.mean(losses)), model.bits_of(valid), time.monotonic() - began)
            losses.clear()


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--every", type=int, default=100, help="steps between two lines of the table")
    parser.add_argument("--units", type=int, default=128)
    parser.add_argument("--window", type=int, default=100, help="characters that a step learns from, of each row")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args(argv)

    text = corpus()
    train, valid, test = split(text)
    print(f"corpus: {len(text)} characters, sha256 {hashlib.sha256(text.encode()).hexdigest()[:12]}")
    keras.utils.set_random_seed(arguments.seed)
    model = CharacterModel(arguments.units)
    print(f"{'step':>6} {'train bpc':>10} {'valid bpc':>10} {'seconds':>8}")
    how = {"steps": arguments.steps, "every": arguments.every, "window": arguments.window}
    for line in training(model, train, valid, **how):
        print(f"{line.step:6} {line.train:10.3f} {line.valid:10.3f} {line.seconds:8.0f}", flush=True)
    unigram, bigram = (ngram_bits(train, test, context) for context in (0, 1))
    print(f"test bpc: {model.bits_of(test):.3f} (unigram {unigram:.2f}, bigram {bigram:.2f})")


if __name__ == "__main__":
    main()
