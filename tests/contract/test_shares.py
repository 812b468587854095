"""The batch in shares, which XLA's scans run side by side, and batches that nobody knows when a layer is traced."""

import os
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.generated import GENERATED, child, close, committed, layer_class

STEMS = "lstm", "layer_norm_lstm", "mingru", "hm_lstm_stack"
STEPS = 70  # several chunks of a batch of 8 or more, once the chunks are small


def made(stem, **arguments):
    size = {"units": [3, 4, 2], "embedding": 5} if stem == "hm_lstm_stack" else {"units": 6}
    every = {"return_sequences": True, "return_state": True, "return_all_states": True}
    return layer_class(committed(stem))(**size, **every, dtype="float64", **arguments)


def slopes(layer, call, x, mask, state):
    """All that the layer returns, and the gradients of a number made of it by its weights, x and the state."""
    sources = [x, *state, *layer.trainable_weights]
    with tf.GradientTape() as tape:
        tape.watch([x, *state])
        values = tf.nest.flatten(call(x, mask, state))
        loss = tf.add_n([tf.reduce_sum(tf.sin(value)) for value in values])
    return values, tape.gradient(loss, sources, unconnected_gradients="zero")


def drawn(layer, batch):
    rng = np.random.default_rng(batch)
    mask = rng.random((batch, STEPS)) > 0.3
    state = [
        tf.constant(rng.integers(2, size=(batch, size)), tf.float64) for size in tf.nest.flatten(layer.cell.state_size)
    ]
    return tf.constant(rng.normal(size=(batch, STEPS, 3))), tf.constant(mask), state


@pytest.mark.parametrize("stem", STEMS)
def test_shares_change_nothing(stem, monkeypatch):
    """Called eagerly, traced for one batch and traced for any, some of which have no equal shares or an empty one; the
    stack traced for any alone, for its generated test calls it eagerly in two shares (`testing.every_way`).
    """
    module, compiled, wanted = committed(stem), made(stem, jit_compile=True), made(stem, jit_compile=False)
    asked = []
    monkeypatch.setattr(module.recurrent.Scan, "shares", lambda scan, batch_size: asked.append(batch_size) or 2)
    monkeypatch.setattr(module.recurrent.Scan, "chunk_size", lambda scan, batch_size, time, low_memory: 32)
    for layer in (compiled, wanted):
        layer.build((None, STEPS, 3))
    rng = np.random.default_rng(1)
    for to, of in zip(compiled.trainable_weights, wanted.trainable_weights, strict=True):
        of.assign(rng.normal(scale=0.5, size=of.shape))
        to.assign(of)

    def call(x, mask, state):
        return compiled(x, mask=mask, initial_state=state)

    def plain(x, mask, state):
        return wanted(x, mask=mask, initial_state=state)

    sizes = tf.nest.flatten(compiled.cell.state_size)
    of_any = [tf.TensorSpec([None, STEPS, 3], tf.float64), tf.TensorSpec([None, STEPS], tf.bool)]
    of_any.append([tf.TensorSpec([None, size], tf.float64) for size in sizes])
    of_four = tf.nest.map_structure(lambda spec: tf.TensorSpec([4, *spec.shape[1:]], spec.dtype), of_any)
    ways = [(tf.function(call, input_signature=of_any), (5, 1))]
    if stem != "hm_lstm_stack":
        ways.append((tf.function(call, input_signature=of_four), (4,)))
    if stem == "lstm":
        ways.append((call, (4,)))
    for way, batches in ways:
        for batch in batches:
            given = drawn(compiled, batch)
            for came, should in zip(slopes(compiled, way, *given), slopes(wanted, plain, *given), strict=True):
                close(came, should, 1e-9)
    assert set(asked) == ({None} if stem == "hm_lstm_stack" else {None, 4})


@pytest.mark.parametrize(
    ("batch", "cores", "threads", "gpus", "shares"),
    [
        (64, 2, 0, [], 2),
        (64, 16, 0, [], 8),  # of 8
        (60, 8, 0, [], 6),  # of one size
        (61, 8, 0, [], 1),
        (15, 2, 0, [], 1),
        (1, 2, 0, [], 1),
        (64, 1, 0, [], 1),
        (64, 8, 2, [], 2),  # TensorFlow was told to run two operations at once
        (64, 8, 0, ["GPU:0"], 1),
        (None, 8, 0, [], 4),  # taken for 32
        (None, 2, 0, [], 2),
    ],
)
def test_how_many_shares(batch, cores, threads, gpus, shares, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(cores)), raising=False)
    monkeypatch.setattr(tf.config.threading, "get_inter_op_parallelism_threads", lambda: threads)
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: gpus)
    assert committed("lstm").LSTMCell.scan.shares(batch) == shares


@pytest.mark.parametrize("stem", ["lstm", "hm_lstm_stack"])
def test_what_runs_where_nobody_knows_the_batch(stem, monkeypatch):
    """XLA in training, as `model.fit` does it; the graph where the lengths are unknown too, and without training."""
    module, ran = committed(stem), []

    def spied(name):
        way = getattr(module.recurrent.Scan, name)
        return lambda *args, **kwargs: ran.append(name) or way(*args, **kwargs)

    for name in ("inline", "in_graph", "by_xla"):
        monkeypatch.setattr(module.recurrent.Scan, name, spied(name))
    here = vars(sys.modules[module.recurrent.Scan.__module__])
    monkeypatch.setitem(here, "traced", lambda traces, key, function, **how: function)  # nothing is compiled
    size = {"units": [3, 3], "embedding": 2} if stem == "hm_lstm_stack" else {"units": 2}
    model = keras.Sequential([keras.Input((None, 3)), layer_class(module)(**size)])
    model.compile("sgd", "mse", jit_compile=False)
    x, y = np.random.default_rng(0).normal(size=(7, 64, 3)), np.zeros([7, 2])

    def first(steps, training):
        ran.clear()
        call = tf.function(lambda x: model(x, training=training), input_signature=[tf.TensorSpec([None, steps, 3])])
        call.get_concrete_function()
        return ran[0]

    assert first(64, True) == "by_xla"
    assert {first(63, True), first(None, True), first(64, False), first(64, None)} == {"inline"}
    ran.clear()
    model.fit(x, y, verbose=0, batch_size=4)
    assert ran[0] == "by_xla"


def test_nothing_is_compiled_for_the_values_of_a_batch(tmp_path):
    """Trained by XLA as a whole, for two batches, a model compiles for these alone, however often they come."""
    program = """
        import glob, keras, numpy as np, tensorflow as tf
        from lstm import LSTM

        rng = np.random.default_rng(0)
        model = keras.Sequential([keras.Input((70, 3)), LSTM(2, return_sequences=True)])
        model.compile("sgd", "mse", jit_compile=True)
        counts = []
        for _ in range(3):
            x, y = rng.normal(size=(37, 70, 3)), rng.normal(size=(37, 70, 2))
            model.fit(x, y, verbose=0, batch_size=16)
            counts.append(len(glob.glob({folder!r} + "/*before_optimizations.txt")))
        assert counts[0] == counts[1] == counts[2] > 0, counts
    """
    child(program.format(folder=str(tmp_path)), GENERATED, XLA_FLAGS=f"--xla_dump_to={tmp_path}")
