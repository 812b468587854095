"""What is traced and compiled, and how few times."""

import gc

import numpy as np
import pytest
import tensorflow as tf

from cellgen.runtime import traces

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
