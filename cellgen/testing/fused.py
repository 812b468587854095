"""What cuDNN would run of a cell that is an LSTM or a GRU of Keras's, without a GPU."""

import sys
from types import ModuleType

import numpy as np
import tensorflow as tf

from cellgen.testing.check import check
from cellgen.testing.difference import Value, same
from cellgen.testing.subject import Subject
from cellgen.testing.trial import SAMPLES, SEQUENCE, Trial

FILLED_UP = np.array([[1, 1, 1, 1, 1], [1, 1, 1, 1, 0], [1, 0, 0, 0, 0], [1, 1, 0, 0, 0]], bool)
PLAIN = {"return_all_states": False}


@check
def on_cudnn(subject: Subject, case, monkeypatch) -> None:
    """Values and gradients of what a layer asks of it, against the scan: with a mask that it takes, with one that it
    does not, and with no mask. With options that it does not know, it is not asked.
    """
    trial = Trial(subject, case, **PLAIN)
    asked = pretended(subject.built.recurrent, monkeypatch)
    fused, scanned = (trial.twin(use_cudnn=use, **PLAIN) for use in ("auto", False))
    holds = fused.scan.fused.holds(fused.cell)
    masks = ({}, {"mask": FILLED_UP}, trial.masks) if trial.masks else ({},)
    for mask in masks if not case else masks[:2]:
        asked.clear()
        came = _slopes(fused, trial, mask)
        takes = holds and not np.array_equal(mask.get("mask"), trial.masks.get("mask"))
        same("how often it is asked", len(asked), int(takes or holds and not mask))
        how = f"{'a mask' if mask else 'no mask'}, on cuDNN, against the scan"
        trial.close(came, _slopes(scanned, trial, mask), _values(trial), 1e-9, how)


def pretended(recurrent, monkeypatch) -> list[str]:
    """A GPU, and what Keras calls on it, by the equations of its own layers -> the names of what is called, to come."""
    asked: list[str] = []
    module: ModuleType = sys.modules[recurrent.Fused.__module__]

    def implementation(kind: str):
        def run(*given, **arguments):
            asked.append(kind)
            return CALLED[kind](*given, **arguments)

        return run

    monkeypatch.setattr(module, "gpus", lambda: ["GPU:0"])
    monkeypatch.setattr(module, "implementation", implementation)
    return asked


def _lstm(sequences, h, c, mask, *, kernel, recurrent_kernel, bias, return_sequences, **activations):
    """`keras.layers.LSTM`: columns i, f, c, o."""

    def step(x, h, c):
        i, f, new, o = tf.split(x @ kernel + h @ recurrent_kernel + bias, 4, axis=-1)
        c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(new)
        return tf.sigmoid(o) * tf.tanh(c), c

    return _run(step, sequences, mask, [h, c], return_sequences, **activations)


def _gru(sequences, h, mask, *, kernel, recurrent_kernel, bias, return_sequences, **activations):
    """`keras.layers.GRU` with reset_after: columns z, r, h, and a bias for each of the two products."""

    def step(x, h):
        z, r, new = tf.split(x @ kernel + bias[0], 3, axis=-1)
        own_z, own_r, own = tf.split(h @ recurrent_kernel + bias[1], 3, axis=-1)
        z = tf.sigmoid(z + own_z)
        return [z * h + (1 - z) * tf.tanh(new + tf.sigmoid(r + own_r) * own)]

    return _run(step, sequences, mask, [h], return_sequences, **activations)


CALLED = {"lstm": _lstm, "gru": _gru}


def _run(step, sequences, mask, state, return_sequences, *, activation, recurrent_activation):
    """As Keras's functions do: the last output, all or the last alone, with zeros in masked steps, and the state."""
    assert (activation, recurrent_activation) == (tf.tanh, tf.sigmoid)
    outputs = []
    for t in range(sequences.shape[1]):
        new = step(sequences[:, t], *state)
        on = tf.ones_like(new[0], tf.bool) if mask is None else mask[:, t, None]
        state = [tf.where(on, one, other) for one, other in zip(new, state)]
        outputs.append(tf.where(on, new[0], tf.zeros_like(new[0])))
    return state[0], tf.stack(outputs if return_sequences else [state[0]], 1), state


def _slopes(layer, trial: Trial, how) -> list[tf.Tensor]:
    """What a layer returns, and the derivatives of a loss of all of it."""
    x, state = tf.constant(trial.x), [tf.constant(value) for value in trial.state]
    with tf.GradientTape() as tape:
        tape.watch([x, *state])
        values = tf.nest.flatten(layer(x, initial_state=state, **how))
        loss = tf.add_n([tf.reduce_sum(tf.sin(value)) for value in values])
    slopes = tape.gradient(loss, [x, *state, *layer.trainable_weights], unconnected_gradients="zero")
    return [*values, *slopes]


def _values(trial: Trial) -> list[Value]:
    states = [f"state `{name}`" for name in trial.states]
    told = [Value("outputs", SEQUENCE), *(Value(f"final {name}", SAMPLES) for name in states)]
    of = [Value("the gradient of the input", SEQUENCE), *(Value(f"the gradient of {name}", SAMPLES) for name in states)]
    return [*told, *of, *(Value(f"the gradient of weight `{name}`") for name in trial.oracle.weights)]
