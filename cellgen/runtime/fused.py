"""What cuDNN runs: a cell that is an LSTM or a GRU of Keras's under other names, by the function that Keras's call."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from cellgen.runtime.arguments import require
from cellgen.runtime.arrays import where
from cellgen.runtime.constructors import parameters
from cellgen.runtime.custom_gradient import vectorised

keras = tf.keras

NARROW = "float16", "float32", "float64"  # what it is known to take


@dataclass(frozen=True)
class Fused:
    """How a cell is `keras.layers.LSTM` or `GRU`: kind says which, states which of ours are its h and c.

    weights(**arguments) -> what is its kernel, recurrent_kernel and bias; when(**options): whether it is, None: always.
    """

    kind: str
    states: tuple[str, ...]
    weights: Callable
    when: Any = None

    def holds(self, cell) -> bool:
        """Whether a cell is one, with the options that it was given; it need not be built."""
        asked = () if self.when is None else parameters(self.when)
        return self.when is None or bool(self.when(**{name: cell._argument(name) for name in asked}))


def gpus() -> list:
    return tf.config.list_logical_devices("GPU")


def implementation(kind: str) -> Any:
    """The function that Keras's own layer calls on a GPU; None where this Keras has none of this name."""
    try:
        return getattr(importlib.import_module("keras.src.backend.tensorflow.rnn"), kind, None)
    except ImportError:
        return None


def may_be_fused(layer) -> bool:
    """Whether a layer will run on cuDNN, if what it is called with allows it."""
    return layer._asks_cudnn and not _not_made_for_it(layer)


def fused_or_scan(layer, xs, state, mask, training):
    """`layer.inner_loop`, on cuDNN where it can: what comes is the same, but for the order of sums. A mask must be
    one of sequences that are filled up at their end; which it is, is known when it runs.

    xs: (batch, time, ...) by name; state: as the scan carries it; mask: (batch, time) or None.
    """

    def scanned(why=""):
        require(not why or layer.use_cudnn is not True, "use_cudnn", f'"auto" or False: {why}', True)
        return layer.inner_loop(xs, state, mask, training)

    def fused():
        try:
            return _on_cudnn(layer, xs, state, mask)
        except NotImplementedError:
            return scanned("Keras finds no cuDNN")

    why = _not_made_for_it(layer) or _not_with(layer, xs, mask)
    if why:
        return scanned(why)
    fits = _fits(xs[layer.scan.input], mask)
    if fits is None or layer.use_cudnn is True:
        return fused()
    if tf.executing_eagerly():
        return fused() if fits else scanned()
    output, *values = tf.cond(fits, lambda: _told(fused()), lambda: _told(scanned()))
    return output, values.pop(0) if layer.return_sequences else None, values, None, None, ()


def _told(results) -> list:
    return [value for value in tf.nest.flatten(results) if value is not None]


def _not_made_for_it(layer) -> str:
    """Why a layer does not run on cuDNN, whatever it is called with; empty: it does."""
    fused = layer.scan.fused
    asked = [name for name in ("return_all_states", "return_gates", "unroll", "debug") if getattr(layer, name)]
    for holds, why in (
        (not fused.holds(layer.cell), f"with these options it is no keras.layers.{fused.kind.upper()}"),
        (asked, f"{' and '.join(asked)} asks for what cuDNN does not give"),
        (layer.memory == "low", "memory='low' asks for the scan"),
        (layer.jit_compile is True, "jit_compile=True asks for XLA"),
        (layer.cell.step_dtype not in NARROW, f"it is not tried in {layer.cell.step_dtype}"),
        (not gpus(), "there is no GPU"),
        (implementation(fused.kind) is None, "this Keras has no function that calls it"),
    ):
        if holds:
            return why
    return ""


def _not_with(layer, xs, mask) -> str:
    """Why it does not run on cuDNN in this call, as far as that is known before it runs."""
    for holds, why in (
        (layer.go_backwards and mask is not None, "a sequence that runs backwards is filled up at its beginning"),
        (xs[layer.scan.input].shape[1] == 0, "there are no steps"),
        (vectorised(), "it is not to be vectorised"),
    ):
        if holds:
            return why
    return ""


def _fits(sequences, mask):
    """Whether there are steps, and each sample has those that count first, one at least; None: for sure."""
    batch_size, steps = tf.shape(sequences)[0], tf.shape(sequences)[1]
    if mask is None:
        return None if sequences.shape[1] is not None else steps > 0
    lengths = tf.reduce_sum(tf.cast(mask, tf.int32), 1)
    filled_up = tf.reduce_all(mask == tf.sequence_mask(lengths, steps))
    return filled_up & tf.reduce_all(lengths > 0) & (batch_size > 0)


def _on_cudnn(layer, xs, state, mask):
    """The results of `inner_loop`, of Keras's function."""
    scan, cell = layer.scan, layer.cell
    fused, sequences = scan.fused, xs[scan.input]
    kernel, recurrent_kernel, bias = fused.weights(**cell._arguments(parameters(fused.weights)))
    _, outputs, new = implementation(fused.kind)(
        tf.reverse(sequences, [1]) if layer.go_backwards else sequences,
        *(getattr(state, name) for name in fused.states),
        mask,
        kernel=kernel,
        recurrent_kernel=recurrent_kernel,
        bias=bias,
        activation=tf.tanh,
        recurrent_activation=tf.sigmoid,
        return_sequences=layer.return_sequences,
    )
    new = [tf.ensure_shape(value, [None, size]) for value, size in zip(new, cell.state_sizes)]
    output, named = new[0], dict(zip(fused.states, new))
    held = tf.zeros_like(output) if layer.zero_output_for_mask else output
    if not layer.return_sequences:
        outputs = None
    elif mask is not None:  # steps that are masked come last, and are zero there
        outputs = where(mask, outputs, held[:, None])
    if mask is not None:
        output = where(mask[:, -1], output, held)
    if outputs is not None:
        outputs = tf.ensure_shape(outputs, [None, None, cell.output_size])
    return output, outputs, [named[name] for name in scan.state._fields], None, None, ()
