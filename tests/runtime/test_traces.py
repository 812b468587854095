"""What is traced and compiled, and how few times."""

import gc
import os

import numpy as np
import pytest
import tensorflow as tf

from cellgen.runtime import traces
from tests.runtime import leaky

LENGTHS = [0, 1, 15, 16, 17, 24, 25, 32, 33, 48, 49, 64, 65, 1000, 1024, 1025]
BUCKETS = [16, 16, 16, 16, 24, 24, 32, 32, 48, 48, 64, 64, 96, 1024, 1024, 1536]


@pytest.mark.parametrize("time, wanted", [*zip(LENGTHS, BUCKETS, strict=True)])
def test_the_next_bucket(time, wanted):
    assert traces.bucket(time) == wanted


def test_the_next_bucket_of_a_length_that_a_graph_knows_when_it_runs():
    run = tf.function(traces.bucket, input_signature=[tf.TensorSpec([], tf.int32)], autograph=False)
    assert [int(run(time)) for time in LENGTHS[1:]] == BUCKETS[1:]


def test_a_function_is_traced_once_as_long_as_somebody_holds_it():
    calls = []

    def double(x):
        calls.append(x.shape)
        return 2 * x

    one, other = {}, {}
    run = traces.traced(one, ("double", 3), double)
    assert run is traces.traced(one, ("double", 3), double) is traces.traced(other, ("double", 3), double)
    assert run is not traces.traced(other, ("double", 4), double)
    np.testing.assert_array_equal(run(tf.ones([2])), [2, 2])
    run(tf.ones([2]))
    assert calls == [(2,)]
    del run
    one.clear(), other.clear(), gc.collect()
    traces.traced(one, ("double", 3), double)(tf.ones([2]))
    assert calls == [(2,), (2,)]


def test_traces_of_a_layer_go_with_it():
    class Layer:
        pass

    layer = Layer()
    traces.TRACES_OF[layer] = {}
    before = len(traces.TRACES_OF)
    del layer
    gc.collect()
    assert len(traces.TRACES_OF) == before - 1


def test_widths_know_neither_batch_nor_time():
    def of(batch, time, width=2, **more):
        xs = {"x": tf.zeros([batch, time, width]), "p": tf.zeros([batch, 1, 4, 5])}
        return traces.widths((xs, None, [tf.zeros([batch, 3])], None, {"W": tf.zeros([2, 3]), "scale": 1.0, **more}))

    assert of(4, 6) == of(2, 9, more=None) == ((2,), (4, 5), (3,), (2, 3))
    assert of(4, 6, width=7) == ((7,), (4, 5), (3,), (2, 3))


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
    assert traces.shares_of(batch, least) == wanted
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    assert traces.shares_of(batch, least) == wanted


def test_a_gpu_scans_a_batch_whole(monkeypatch):
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: ["a GPU"])
    assert traces.shares_of(64, 1) == 1


@pytest.mark.parametrize("shares", [2, 3])
def test_a_batch_in_shares(shares):
    """What comes is what comes of the whole: values, then derivatives, those by weights summed."""
    scan, time = leaky.scan("reset"), 5
    xs, state, arguments = leaky.given(time, noise=True)
    given = xs, leaky.masks(time), state, state, arguments
    how = {"return_sequences": True, "return_states": (1,), "zero_output": False, "unroll": 1}
    (results, kept), sizes = scan.all_steps(given, keep=True, **how), []

    def all_steps(given, **how):
        sizes.append(given[0]["x"].shape[0])
        return scan.all_steps(given, **how)

    split, pieces = traces.in_shares(all_steps, shares, given, keep=True, **how)
    assert len(pieces) == shares and sizes == ([2, 2] if shares == 2 else [1, 1, 2])
    for came, wanted in zip(tf.nest.flatten(split), tf.nest.flatten(results), strict=True):
        np.testing.assert_allclose(came, wanted, atol=1e-12)
    d_results = tf.nest.map_structure(tf.sin, results)
    wanted = scan.way_back(given, kept, d_results, **how)
    for each in (pieces, None):  # kept, or run again
        came = traces.in_shares(scan.way_back, shares, given, each, d_results, **how)
        for one, other in zip(tf.nest.flatten(came), tf.nest.flatten(wanted), strict=True):
            np.testing.assert_allclose(one, other, atol=1e-12)
