"""One rule for tapes: whatever asks for a derivative, and however the layer runs, it is that of the plain steps."""

import functools
import gc
import os
import threading
from itertools import product

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.generated import GENERATED, child, close, committed, layer_class

full = pytest.mark.full


@functools.cache  # so that tests share what is traced and compiled
def shared(stem, **how):
    return made(stem, **how)


def made(stem, **how):
    """A layer of two inputs in float64 with random weights, the same however it runs."""
    size = {"units": [3, 2]} if stem == "gru_stack" else {"units": 3}
    layer = layer_class(committed(stem))(**size, return_sequences=True, dtype="float64", **how)
    layer.build((None, None, 2))
    rng = np.random.default_rng(0)
    for weight in layer.trainable_weights:
        weight.assign(rng.normal(scale=0.5, size=weight.shape))
    return layer


def drawn(batch, steps):
    rng = np.random.default_rng(steps)
    mask = rng.random((batch, steps)) > 0.3
    return (
        tf.constant(rng.normal(size=(batch, steps, 2))),
        tf.constant(mask),
        tf.constant(rng.normal(size=(batch, steps, 2))),
    )


def loss(values):
    return tf.reduce_sum(tf.sin(values))


def plain(call, x, along, weights):
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = loss(call(x))
    return tape.gradient(value, [x, *weights])


def persistent(call, x, along, weights):
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        values = call(x)
        first, second = loss(values), tf.reduce_sum(tf.square(values))
    return [tape.gradient(first, [x, *weights]), tape.gradient(second, weights)]


def nested(call, x, along, weights):
    with tf.GradientTape() as second:
        second.watch(x)
        slopes = plain(call, x, along, weights)
        size = tf.add_n([tf.reduce_sum(tf.square(slope)) for slope in slopes])
    return [slopes, second.gradient(size, [x, *weights])]


def penalty(call, x, along, weights):
    with tf.GradientTape(persistent=True) as second:
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = loss(call(x))
        value += tf.square(tf.norm(tape.gradient(value, x)) - 1)
    return second.gradient(value, weights)


def jacobian(call, x, along, weights):
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        last = call(x)[0, -1]
    return tape.jacobian(last, [x], experimental_use_pfor=False)


def pfor(call, x, along, weights):
    with tf.GradientTape() as tape:
        tape.watch(x)
        last = call(x)[0, -1]
    return tape.jacobian(last, [x])


def forward(call, x, along, weights):
    with tf.autodiff.ForwardAccumulator(x, along) as pushed:
        values = call(x)
    return [values, pushed.jvp(values)]


def curvature(call, x, along, weights):
    """Forward over reverse."""
    with tf.autodiff.ForwardAccumulator(x, along) as pushed:
        slopes = plain(call, x, along, weights)
    return [slopes, [pushed.jvp(slope) for slope in slopes]]


def each_example(call, x, along, weights):
    def slopes(one):
        with tf.GradientTape() as tape:
            value = loss(call(one[None]))
        return tape.gradient(value, weights)

    return tf.vectorized_map(slopes, x)


KINDS = [plain, persistent, nested, penalty, jacobian, pfor, forward, curvature, each_example]


def told(kind, layer, x, along, mode, **arguments):
    """What a kind of tape finds; the graph is around the tape, but inside of the accumulator of forward mode."""
    weights = layer.trainable_weights

    def call(x):
        return layer(x, training=True, **arguments)

    if mode == "eager":
        return kind(call, x, along, weights)
    if kind is forward:
        return forward(tf.function(call), x, along, weights)
    if kind is curvature:
        with tf.autodiff.ForwardAccumulator(x, along) as pushed:
            slopes = tf.function(lambda x: plain(call, x, along, weights))(x)
        return [slopes, [pushed.jvp(slope) for slope in slopes]]
    return tf.function(lambda x: kind(call, x, along, weights))(x)


WAYS = [{}, {"jit_compile": False}, {"jit_compile": True}, {"memory": "low"}, {"unroll": 4}]
EVERYDAY = {  # the scan is one, of a small cell and of a stack; forward mode around a graph is in `tests/runtime`
    ("simple_rnn", 70, 2, "eager"): (persistent, nested, forward),
    ("simple_rnn", 5, 2, "graph"): (pfor, each_example),
    ("gru_stack", 5, 2, "eager"): (persistent, nested),
}
CASES = [(*case, kind) for case, kinds in EVERYDAY.items() for kind in kinds]
CASES += [
    pytest.param(*case, marks=full)
    for case in product(("lstm", "gru_stack"), (5, 63, 64, 70, 300), (2, 32), ("eager", "graph"), KINDS)
    if case not in CASES
]


@pytest.mark.parametrize(("stem", "steps", "batch", "mode", "kind"), CASES)
def test_every_tape(stem, steps, batch, mode, kind, request):
    """What XLA was chosen for, or not, tells nobody: the values are those of the plain steps, for masks too."""
    x, mask, along = drawn(batch, steps)
    ways = WAYS if request.config.getoption("--full") else WAYS[:1]
    for arguments in ({"mask": mask},) if kind is not each_example else ({},):
        wanted = told(kind, shared(stem, unroll=True), x, along, "eager", **arguments)
        for how in ways:
            if kind is pfor:
                with pytest.raises(
                    NotImplementedError, match=r"use tf.map_fn, tape.jacobian\(.*experimental_use_pfor=False"
                ):
                    told(kind, shared(stem, **how), x, along, mode, **arguments)
                continue
            close(told(kind, shared(stem, **how), x, along, mode, **arguments), wanted, 1e-8)


def test_forward_mode_inside_of_a_graph_is_refused():
    """TensorFlow's forward mode passes a custom gradient by there (Keras's own layers end in a TypeError)."""
    layer, (x, _, along) = made("lstm"), drawn(2, 5)
    inside = tf.function(lambda x: forward(layer, x, along, []))
    with pytest.raises(Exception, match="call the tf.function in the ForwardAccumulator"):
        inside(x)


def test_few_steps_at_a_time():
    """Called eagerly for one step, it is no loop, with the same numbers."""
    layer, (x, _, along) = made("simple_rnn"), drawn(2, 1)
    graph = tf.function(lambda x: plain(layer, x, along, layer.trainable_weights))
    close(plain(layer, x, along, layer.trainable_weights), graph(x))


@pytest.mark.parametrize("steps", [1, 4])
def test_a_few_steps_a_call_run_as_they_stand(steps, monkeypatch):
    """Eagerly a loop, or a trace of one, would cost more than it saves."""
    module = committed("lstm")
    for where, name in ((module.recurrent.Scan, "all_steps"), (module.recurrent, "traced")):
        monkeypatch.setattr(where, name, lambda *_, name=name, **how: pytest.fail(f"{name} is called"))
    monkeypatch.setattr(tf, "while_loop", lambda *_, **how: pytest.fail("a loop is run"))
    layer = layer_class(module)(64)
    layer.build([1, steps, 64])
    d_x, d_kernel, *_ = plain(
        functools.partial(layer, training=True), tf.random.normal([1, steps, 64]), None, layer.trainable_weights
    )
    assert np.any(d_x) and np.any(d_kernel)


class Penalised(keras.Sequential):
    """A step of training of one's own, with a tape that is asked twice."""

    def train_step(self, data):
        x, y = (tf.cast(each, tf.float64) for each in data)
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(x)
            loss = tf.reduce_mean(tf.square(self(x, training=True) - y))
            loss += tf.reduce_mean(tf.square(tape.gradient(loss, x)))
        self.optimizer.apply(tape.gradient(loss, self.trainable_weights), self.trainable_weights)
        return {"loss": loss, "twice": tf.reduce_sum(tape.gradient(loss, x))}


@pytest.mark.parametrize("how", [{}, pytest.param({"jit_compile": True}, marks=full)], ids=str)
@pytest.mark.parametrize("eagerly", [False, pytest.param(True, marks=full)], ids=["graph", "eager"])
def test_fit_with_a_persistent_tape(how, eagerly):
    """In Keras's `fit`, at a length from which on XLA is chosen."""
    x, _, y = drawn(2, 70)
    found = []
    for each in (how, {"jit_compile": False}):
        model = Penalised([keras.Input((70, 2), dtype="float64"), made("simple_rnn", **each)])
        model.layers[-1].set_weights(made("simple_rnn").get_weights())
        model.compile(keras.optimizers.SGD(0.1), run_eagerly=eagerly, jit_compile=False)
        history = model.fit(x, tf.concat([y, y[..., :1]], -1), batch_size=2, epochs=2, verbose=0).history
        found.append([history["loss"], history["twice"], *model.get_weights()])
    close(*found, 1e-6)


@pytest.mark.parametrize("how", [{"unroll": True}, {"debug": True}, {}], ids=str)
def test_no_steps(how):
    layer = made("lstm", return_state=True, **how)
    x = tf.zeros([2, 0, 2], tf.float64)
    values = layer(x)
    assert [value.shape for value in values] == [(2, 0, 3), (2, 3), (2, 3)] and not any(np.any(v) for v in values)


def test_traces_go_with_their_layers():
    module = committed("simple_rnn")
    before = {*module.recurrent._TRACES}

    def new():
        return {*module.recurrent._TRACES} - before

    for units in (11, 12):
        layer = module.SimpleRNN(units, jit_compile=False)
        held = new()
        layer(tf.zeros([1, 64, 2]), training=True)
        assert new() - held
    twin, held = module.SimpleRNN(12, jit_compile=False), new()
    twin(tf.zeros([1, 64, 2]), training=True)
    assert new() <= held  # layers of one width share
    del layer, twin
    gc.collect()
    assert not new()


MODELS = """
import gc, sys
import keras, numpy as np, tensorflow as tf
from lstm import LSTM

def resident():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS")) / 1024

Layer, marks = {"ours": LSTM, "keras": keras.layers.LSTM}[WHICH], []
for units in range(8, 36):
    model = keras.Sequential([keras.Input((20, 4)), Layer(units), keras.layers.Dense(1)])
    model.compile("sgd", "mse", jit_compile=False)
    model.fit(np.zeros((8, 20, 4)), np.zeros((8, 1)), verbose=0)
    del model
    keras.backend.clear_session()
    gc.collect()
    marks.append(resident())
print((marks[-1] - marks[3]) / 24)
"""


@pytest.mark.full
@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="asks Linux for the memory of a process")
def test_what_models_leave_behind(tmp_path):
    """MiB for each of 24 models of other sizes that were trained and are gone: 9 here, 4 of Keras's LSTM. TensorFlow
    never forgets a graph that a gradient of its own stands in, and Keras's optimizers have one: what is more here is
    the size of the graph.
    """
    ours, theirs = (float(child(f"WHICH = {which!r}\n{MODELS}", tmp_path, GENERATED)) for which in ("ours", "keras"))
    assert ours < 2.5 * theirs + 2


def test_threads_call_one_layer():
    layer, found = made("simple_rnn", jit_compile=False), {}
    inputs = [drawn(2, steps)[0] for steps in (5, 64, 70, 64)]

    def run(index):
        found[index] = plain(layer, inputs[index], None, layer.trainable_weights)

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(inputs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for index, x in enumerate(inputs):
        close(found[index], plain(layer, x, None, layer.trainable_weights))
