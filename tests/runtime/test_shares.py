"""How many shares of a batch are scanned side by side, and that what comes of them is what comes of the whole."""

import os

import keras
import numpy as np
import pytest
import tensorflow as tf

from cellgen.runtime import shares as of_a_batch
from cellgen.runtime.scan import Scan
from tests.runtime import leaky
from tests.runtime.classes import Resetting


@pytest.mark.parametrize(
    "cores, threads, batch, least, wanted",
    [
        (1, 0, 64, 8, 1),
        (2, 0, 64, 8, 2),
        (4, 0, 64, 8, 4),
        (4, 0, 31, 8, 1),  # no share of one size
        (4, 0, 27, 8, 3),
        (4, 2, 64, 8, 2),
        (4, 0, 17, 8, 1),
        (4, 0, 15, 8, 1),
        (8, 0, 64, 32, 2),
        (4, 0, 0, 8, 1),
    ],
)
def test_shares_of_a_batch(cores, threads, batch, least, wanted, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(cores), raising=False)
    monkeypatch.setattr(tf.config.threading, "get_inter_op_parallelism_threads", lambda: threads)
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: [])
    assert of_a_batch.shares_of(batch, least) == wanted
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    assert of_a_batch.shares_of(batch, least) == wanted


def test_a_gpu_scans_a_batch_whole(monkeypatch):
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: ["a GPU"])
    assert of_a_batch.shares_of(64, 1) == 1


@pytest.mark.parametrize("shares", [2, 3])
def test_a_batch_in_shares(shares):
    """What comes is what comes of the whole: values, then derivatives, those by weights summed."""
    scan, time = leaky.scan("reset"), 5
    xs, state, arguments = leaky.given(time, noise=True)
    given = xs, leaky.masks(time), state, state, arguments
    how = {"return_sequences": True, "return_states": (1,), "zero_output": False, "unroll": 1}
    (results, kept, _), sizes = scan.all_steps(given, keep=True, **how), []

    def all_steps(given, **how):
        sizes.append(given[0]["x"].shape[0])
        return scan.all_steps(given, **how)

    split, pieces, _ = of_a_batch.in_shares(all_steps, shares, given, keep=True, **how)
    assert len(pieces) == shares and sizes == ([2, 2] if shares == 2 else [1, 1, 2])
    for came, wanted in zip(tf.nest.flatten(split), tf.nest.flatten(results), strict=True):
        np.testing.assert_allclose(came, wanted, atol=1e-12)
    d_results = tf.nest.map_structure(tf.sin, results)
    wanted = scan.way_back(given, kept, d_results, **how)
    for each in (pieces, None):  # kept, or run again
        came = of_a_batch.in_shares(scan.way_back, shares, given, each, d_results, **how)
        for one, other in zip(tf.nest.flatten(came), tf.nest.flatten(wanted), strict=True):
            np.testing.assert_allclose(one, other, atol=1e-12)


def test_shares_of_any_batch(monkeypatch):
    """Compiled in a graph that does not know the batch: of one with no equal shares, and of one with an empty one."""
    asked = []
    monkeypatch.setattr(Scan, "shares", lambda scan, batch_size: asked.append(batch_size) or 2)
    monkeypatch.setattr(Scan, "chunk_size", lambda *_: 3)
    rng, values = np.random.default_rng(0), []
    every = {"return_sequences": True, "return_state": True, "return_all_states": True, "dtype": "float64"}
    x, mask = rng.normal(size=(3, 7, 2)), rng.random((3, 7)) < 0.6
    layers = [Resetting(2, jit_compile=how, **every) for how in (True, False)]
    for layer in layers:
        layer.build(x.shape)
    layers[0].set_weights([rng.normal(scale=0.5, size=each.shape) for each in layers[0].get_weights()])
    layers[1].set_weights(layers[0].get_weights())
    state = [rng.normal(size=(3, size)) for size in keras.tree.flatten(layers[0].cell.state_size)]
    whole = [tf.constant(value) for value in (x, mask, *state)]
    of_any = [tf.TensorSpec([None, *value.shape[1:]], value.dtype) for value in whole]

    calls = [lambda x, mask, *state, layer=layer: layer(x, mask=mask, initial_state=state) for layer in layers]
    runs = [tf.function(lambda *given: calls[0](*given), input_signature=of_any), calls[1]]
    for batch in (3, 1):
        x, mask, *state = (value[:batch] for value in whole)
        found = []
        for layer, run in zip(layers, runs, strict=True):
            with tf.GradientTape() as tape:
                tape.watch([x, *state])
                values = tf.nest.flatten(run(x, mask, *state))
                loss = tf.add_n([tf.reduce_sum(tf.sin(value)) for value in values])
            slopes = tape.gradient(loss, [x, *state, *layer.trainable_weights], unconnected_gradients="zero")
            found.append([*values, *slopes])
        for came, wanted in zip(*found, strict=True):
            assert came.shape == wanted.shape
            np.testing.assert_allclose(came, wanted, rtol=1e-9, atol=1e-9)
    assert set(asked) == {None}
