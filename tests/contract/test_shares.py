"""How many shares of a batch XLA's scans run side by side, and batches that nobody knows when a layer is traced.

That shares change nothing: of a batch that is known in every cell's own tests (`testing.every_way`), of one that is not
in `tests/runtime/test_shares.py`.
"""

import os

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.generated import GENERATED, committed, layer_class
from tests.programs import ran


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

    class Enough(Exception):
        """The way is known; the scan itself is left out."""

    def spied(name):
        def way(*args, **kwargs):
            ran.append(name)
            raise Enough

        return way

    for name in ("inline", "in_graph", "by_xla"):
        monkeypatch.setattr(module.recurrent.Scan, name, spied(name))
    size = {"units": [3, 3], "embedding": 2} if stem == "hm_lstm_stack" else {"units": 2}
    model = keras.Sequential([keras.Input((None, 3)), layer_class(module)(**size)])
    model.compile("sgd", "mse", jit_compile=False)

    def runs(steps, training):
        shape = tf.TensorSpec([None, steps, 3])
        with pytest.raises(Enough):
            tf.function(lambda x: model(x, training=training), input_signature=[shape]).get_concrete_function()
        return ran.pop()

    assert runs(64, True) == "by_xla"
    assert {runs(63, True), runs(None, True), runs(64, False), runs(64, None)} == {"inline"}
    with pytest.raises(Enough):
        model.fit(np.zeros([7, 64, 3]), np.zeros([7, 2]), verbose=0, batch_size=4)
    assert ran == ["by_xla"]


def test_nothing_is_compiled_for_the_values_of_a_batch(tmp_path):
    """Trained by XLA as a whole, for two batches, a model compiles for these alone, however often they come."""
    program = """
        import glob, keras, numpy as np, tensorflow as tf
        from simple_rnn import SimpleRNN

        rng = np.random.default_rng(0)
        model = keras.Sequential([keras.Input((70, 3)), SimpleRNN(2, return_sequences=True)])
        model.compile("sgd", "mse", jit_compile=True)
        counts = []
        for _ in range(3):
            x, y = rng.normal(size=(37, 70, 3)), rng.normal(size=(37, 70, 2))
            model.fit(x, y, verbose=0, batch_size=16)
            counts.append(len(glob.glob({folder!r} + "/*before_optimizations.txt")))
        assert counts[0] == counts[1] == counts[2] > 0, counts
    """
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_dump_to={tmp_path}"  # XLA reads them when it is first asked
    (done,) = ran(program.format(folder=str(tmp_path)), GENERATED, each=[{"XLA_FLAGS": flags}])
    assert done.returncode == 0, done.stderr[-4000:]
