"""A generated cell where TensorFlow 1 and its Keras are still in use."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.generated import (
    BATCH,
    GENERATED,
    STEPS,
    WIDTH,
    build,
    child,
    close,
    each_subject,
    five_subjects,
    sequences,
    subject,
    two_subjects,
)

v1 = tf.compat.v1
LEGACY = {"TF_USE_LEGACY_KERAS": "1"}
BOTH = {"return_sequences": True, "return_state": True}


@two_subjects
def test_dynamic_rnn(subject):
    """Under Keras 3, eager and in a graph; past a sample's end the output is zero and the state stands still."""
    layer, x, lengths = subject.layer(return_sequences=True, return_state=True), sequences(), [2, 6, 0, 1]
    wanted, *last = layer(x)
    y, state = v1.nn.dynamic_rnn(layer.cell, x, dtype=tf.float64)
    close([y, *tf.nest.flatten(state)], [wanted, *last])
    start = layer.cell.zero_state(BATCH, tf.float64)
    inside = np.arange(STEPS) < np.array(lengths)[:, None]
    alone = [layer(x[index : index + 1, :length])[1:] for index, length in enumerate(lengths)]
    ends = [tf.concat(values, 0) for values in zip(*alone)]

    @tf.function
    def run(x, lengths):
        return v1.nn.dynamic_rnn(layer.cell, x, sequence_length=lengths, initial_state=start)

    for call in (run, run.python_function):
        y, state = call(tf.constant(x), tf.constant(lengths))
        tf.nest.assert_same_structure(state, start)
        close([y, *tf.nest.flatten(state)], [wanted * inside[..., None], *ends])


@two_subjects
def test_bidirectional_dynamic_rnn(subject):
    """Each direction is the layer's, a sample's steps in reverse as far as it goes."""
    forth, back = (subject.layer(**BOTH) for _ in range(2))
    back.set_weights([w + 0.1 for w in back.get_weights()])
    x, lengths = sequences(), np.array([2, 6, 4, 1])
    run = tf.function(
        lambda x: v1.nn.bidirectional_dynamic_rnn(
            forth.cell, back.cell, x, sequence_length=lengths, dtype=tf.float64, scope="both"
        )
    )
    (one, other), (ended, began) = run(tf.constant(x))
    for index, length in enumerate(lengths):
        alone = x[index : index + 1, :length]
        y, *state = forth(alone)
        close(
            [one[index, :length], *(value[index] for value in tf.nest.flatten(ended))],
            [y[0], *(value[0] for value in state)],
        )
        y, *state = back(alone[:, ::-1])
        close(
            [other[index, :length], *(value[index] for value in tf.nest.flatten(began))],
            [y[0, ::-1], *(value[0] for value in state)],
        )


@two_subjects
def test_scan_and_raw_rnn(subject):
    """tf.scan gives every state; raw_rnn and static_rnn run the cell too."""
    layer, x = subject.layer(return_sequences=True, return_all_states=True), sequences()
    y, states = layer(x)
    states = tf.nest.flatten(states)  # of a stack, a tuple a layer
    start = layer.cell.zero_state(BATCH, tf.float64)

    def step(carry, x):
        output, state = layer.cell(x, carry[1])
        return output, state

    first = tf.zeros([BATCH, layer.cell.output_size], tf.float64)
    scanned, every = tf.scan(step, tf.constant(x.transpose(1, 0, 2)), (first, start))
    close([scanned, *tf.nest.flatten(every)], [tf.transpose(value, [1, 0, 2]) for value in (y, *states)])
    outputs, state = v1.nn.static_rnn(layer.cell, tf.unstack(tf.constant(x), axis=1), initial_state=start)
    close([tf.stack(outputs, 1), *tf.nest.flatten(state)], [y, *(value[:, -1] for value in states)])

    @tf.function(autograph=False)
    def raw(x):
        steps = tf.TensorArray(tf.float64, STEPS).unstack(tf.transpose(x, [1, 0, 2]))

        def loop(time, output, state, loop_state):
            done = tf.fill([BATCH], time >= STEPS)
            here = tf.cond(time >= STEPS, lambda: tf.zeros([BATCH, WIDTH], tf.float64), lambda: steps.read(time))
            return done, here, start if output is None else state, output, None

        outputs, state, _ = v1.nn.raw_rnn(layer.cell, loop)
        return outputs.stack(), state

    stacked, state = raw(tf.constant(x))
    tf.nest.assert_same_structure(state, start)
    close([stacked, *tf.nest.flatten(state)], [tf.transpose(y, [1, 0, 2]), *(value[:, -1] for value in states)])


@two_subjects
def test_wrappers(subject):
    """TensorFlow's own wrappers around a generated cell. They build it themselves: it must not be built before."""
    layer, x = subject.layer(return_sequences=True, dtype="float32"), sequences().astype("float32")

    def run(wrap):
        cell = subject.cell()
        wrapped = wrap(cell)
        v1.nn.dynamic_rnn(wrapped, x, dtype=tf.float32)
        cell.set_weights(layer.get_weights())
        return np.asarray(v1.nn.dynamic_rnn(wrapped, x, dtype=tf.float32)[0])

    wanted = np.asarray(layer(x))
    nothing = run(lambda cell: tf.nn.RNNCellDeviceWrapper(tf.nn.RNNCellDropoutWrapper(cell, 1.0, 1.0, 1.0), "/cpu:0"))
    close(nothing, wanted, 1e-6)
    added = run(lambda cell: tf.nn.RNNCellResidualWrapper(cell, lambda x, y: y + tf.reduce_sum(x, -1, keepdims=True)))
    close(added, wanted + x.sum(-1, keepdims=True), 1e-5)
    dropped = run(lambda cell: tf.nn.RNNCellDropoutWrapper(cell, output_keep_prob=0.5))
    kept = np.isclose(dropped, 2 * wanted, 1e-4, 1e-6)
    assert np.all(kept | (dropped == 0)) and 0 < np.mean(kept) < 1


def test_one_state_is_no_list_of_one():
    """As TensorFlow 1's GRUCell and Keras 2's have it."""
    layer, x = subject("gru").layer(**BOTH), sequences()
    y, state = v1.nn.dynamic_rnn(layer.cell, x, dtype=tf.float64)
    assert layer.cell.state_size == 6 and state.shape == (BATCH, 6)
    close([y, state], layer(x))
    output, state = layer.cell(x[:, 0], layer.cell.get_initial_state(batch_size=BATCH))
    close(output, state)
    rnn = keras.layers.RNN([layer.cell, subject("gru").cell(dtype="float64")], dtype="float64")
    assert rnn(x).shape == (BATCH, 6)


@two_subjects
def test_the_names_of_keras_and_of_tensorflow_1(subject):
    layer, x = subject.layer(), sequences()[:, 0]
    state = subject.state_of([tf.constant(value) for value in subject.state()])
    wanted = layer.cell(x, state)
    for given in ({"states": state}, {"state": state}):
        close(layer.cell(x, **given), wanted)
        close(layer.cell(inputs=x, **given), wanted)
    with pytest.raises(ValueError, match="`states` must be given. Received: None"):
        layer.cell(x)
    with pytest.raises(ValueError, match="`batch_size` must be given, or `inputs`. Received: None"):
        layer.cell.get_initial_state(None, None, None)


@each_subject
def test_a_state_as_one_tensor(subject):
    """state_is_tuple=False: as TensorFlow 1 had it, the parts side by side."""
    layer, x = subject.layer(**BOTH), sequences()
    cell = subject.cell(dtype="float64", state_is_tuple=False)
    sizes, state = tf.nest.flatten(layer.cell.state_size), subject.state()
    assert cell.state_size == sum(sizes) and type(cell).from_config(cell.get_config()).state_size == sum(sizes)
    rnn = keras.layers.RNN(cell, dtype="float64", **BOTH)
    rnn.build(x.shape)
    rnn.set_weights(layer.get_weights())
    joined = np.concatenate(state, 1)
    y, *last = layer(x, initial_state=state)
    close(rnn(x, initial_state=joined), [y, np.concatenate(last, 1)])
    output, new = cell(x[:, 0], tf.constant(joined))
    assert isinstance(new, tf.Tensor)
    wanted, parts = layer.cell(x[:, 0], [tf.constant(value) for value in state])
    close([output, new], [wanted, tf.concat(parts, 1)])
    assert cell.get_initial_state(batch_size=2).shape == cell.zero_state(2, tf.float32).shape == (2, sum(sizes))
    y, end = v1.nn.dynamic_rnn(cell, x, initial_state=tf.constant(joined))
    close(end, np.concatenate(last, 1))
    with pytest.raises(ValueError, match=rf"`state` must be \(batch, {sum(sizes)}\)"):
        cell(x[:, 0], tf.constant(joined[:, 1:]))
    with pytest.raises(ValueError, match="`state_is_tuple` must be True or False. Received: 'no'"):
        subject.cell(state_is_tuple="no")


STACKS = """
import numpy as np, tensorflow as tf
from {stem} import {name}, {name}Cell
v1, rng = tf.compat.v1, np.random.default_rng(1)
assert tf.keras.layers.Layer.__module__.startswith("tf_keras.")
wrap, cell = v1.nn.rnn_cell, lambda units={units}: {name}Cell(units, **{arguments!r})
x = tf.constant(rng.normal(size=({batch}, {steps}, {width})), tf.float32)
width = cell().output_size

plain = lambda: [cell(), wrap.LSTMCell(3), cell()]
wrapped = lambda: [
    wrap.DropoutWrapper(cell(), 0.9, 0.9, 0.9),
    wrap.ResidualWrapper(wrap.DropoutWrapper(wrap.GRUCell(width), output_keep_prob=0.5)),
    wrap.DeviceWrapper(wrap.ResidualWrapper(wrap.GRUCell(width)), "/cpu:0"),
    cell(),
]
for cells in (plain, wrapped):
    stack = wrap.MultiRNNCell(cells())
    start = stack.zero_state({batch}, tf.float32)
    y, state = v1.nn.dynamic_rnn(stack, x, dtype=tf.float32)
    assert y.shape == ({batch}, {steps}, width)
    assert [type(each) for each in state] == [type(each) for each in start]
    y, state = v1.nn.dynamic_rnn(stack, x, initial_state=start, sequence_length=[1, 2, 3, 4])
    assert not np.any(y[0, 1:]) and np.any(y[3, 3])
    tf.function(lambda x: v1.nn.dynamic_rnn(stack, x, dtype=tf.float32))(x)
    v1.nn.static_rnn(stack, tf.unstack(x, axis=1), dtype=tf.float32)

pair = wrap.MultiRNNCell([cell(), cell()])
y, (first, second) = v1.nn.dynamic_rnn(pair, x, dtype=tf.float32)
one, left = v1.nn.dynamic_rnn(pair._cells[0], x, dtype=tf.float32)
two, right = v1.nn.dynamic_rnn(pair._cells[1], one, dtype=tf.float32)
for came, wanted in zip(tf.nest.flatten([y, first, second]), tf.nest.flatten([two, left, right])):
    assert abs(came - wanted).numpy().max() < 1e-6

joined = lambda: {name}Cell({units}, state_is_tuple=False, **{arguments!r})
flat = wrap.MultiRNNCell([joined(), joined()], state_is_tuple=False)
y, state = v1.nn.dynamic_rnn(flat, x, dtype=tf.float32)
assert state.shape == ({batch}, 2 * joined().state_size)

for each in (cell(), pair):
    def loop(time, output, state, _, each=each):
        done, first = tf.fill([{batch}], time >= {steps}), each.zero_state({batch}, tf.float32)
        return done, x[:, tf.minimum(time, {steps} - 1)], first if output is None else state, output, None

    @tf.function(autograph=False)
    def run(each=each, loop=loop):
        outputs, last, _ = v1.nn.raw_rnn(each, loop)
        return outputs.stack(), last

    outputs, last = run()
    y, state = v1.nn.dynamic_rnn(each, x, initial_state=each.zero_state({batch}, tf.float32))
    tf.nest.assert_same_structure(last, state)
    for came, wanted in zip(tf.nest.flatten([tf.transpose(outputs, [1, 0, 2]), last]), tf.nest.flatten([y, state])):
        assert abs(came - wanted).numpy().max() < 1e-6

with tf.Graph().as_default(), v1.Session() as session:
    given = v1.placeholder(tf.float32, [None, None, {width}])
    y, _ = v1.nn.dynamic_rnn(cell(), given, dtype=tf.float32)
    session.run(v1.global_variables_initializer())
    assert session.run(y, {{given: np.ones([2, 5, {width}])}}).shape == (2, 5, width)
"""

LEGACY_KERAS = """
import numpy as np, tensorflow as tf
from {stem} import {name}Cell
layers, rng = tf.keras.layers, np.random.default_rng(1)
x = rng.normal(size=({batch}, {steps}, {width})).astype("float32")
cell = {name}Cell({units}, **{arguments!r})
layer = layers.RNN(cell, return_sequences=True, return_state=True)
layer(x, mask=tf.constant(rng.random(x.shape[:2]) > 0.5))
assert [w.name for w in layer.weights] and type(cell).from_config(cell.get_config()).get_config() == cell.get_config()
model = tf.keras.Sequential([layers.Input((None, {width})), layers.Masking(), layers.RNN(cell), layers.Dense(1)])
model.compile("adam", "mse")
model.fit(x, np.ones([len(x), 1]), verbose=0)
model.save("model.keras")
again = tf.keras.models.load_model("model.keras")
assert type(again.layers[-2].cell) is {name}Cell
assert abs(again(x) - model(x)).numpy().max() < 1e-6
model.save_weights("model.weights.h5")
again.set_weights([w + 1 for w in again.get_weights()])
again.load_weights("model.weights.h5")
assert abs(again(x) - model(x)).numpy().max() < 1e-6
assert len({{w.name for w in model.weights}}) == len(model.weights)
"""


@five_subjects
@pytest.mark.parametrize("code", [STACKS, LEGACY_KERAS], ids=["tensorflow_1", "legacy_keras"])
def test_legacy(subject, code, tmp_path):
    sizes = {"batch": BATCH, "steps": STEPS, "width": WIDTH, "units": 6}
    name = subject.Layer.__name__
    child(
        code.format(stem=subject.stem, name=name, arguments=subject.arguments, **sizes), tmp_path, GENERATED, **LEGACY
    )


DRAWN = """
import numpy as np, tensorflow as tf
from regularised_lstm import RegularisedLSTMCell
layers, x = tf.keras.layers, tf.ones([8, 3, 40])
assert tf.keras.layers.Layer.__module__.startswith("tf_keras.")

def steps(cell, unroll, graph):
    # what a step gives where nothing but x, dropped, is read, and nothing is carried
    rnn = layers.RNN(cell, return_sequences=True, unroll=unroll)
    call = tf.function(rnn) if graph else rnn
    return call(x, training=True).numpy(), call(x, training=True).numpy(), call(x).numpy()

for unroll in (False, True):
    for graph in (False, True):
        cell = RegularisedLSTMCell(
            40, dropout=0.5, activation="linear", recurrent_activation="linear", kernel_initializer="identity",
            recurrent_initializer="zeros", bias_initializer={{"class_name": "Constant", "config": {{"value": 1.0}}}},
        )
        cell.build((None, 40))
        kernel = np.zeros(cell.kernel.shape, "float32")
        kernel[:, 80:120] = np.eye(40)  # of g
        bias = np.concatenate([np.ones(40), np.zeros(80), np.ones(40)])  # i and o are 1, f is 0
        cell.set_weights([kernel, np.zeros([40, 160]), bias])
        first, second, rest = steps(cell, unroll, graph)
        assert np.all(first == first[:, :1]) and np.all(second == second[:, :1]), (unroll, graph)
        assert set(np.unique(first)) == {{0.0, 2.0}} and not np.array_equal(first, second)
        assert np.all(rest == 1)
        state = cell.zero_state(3, tf.float32)
        cell.reset_dropout_mask()
        one = [cell(x[:3, 0], state, training=True)[0].numpy() for _ in range(2)]
        assert np.array_equal(*one)  # kept until it is reset, as Keras 2's cells keep it
alone = RegularisedLSTMCell(40, dropout=0.5)
one, other = (alone(x[:3, 0], alone.zero_state(3, tf.float32), training=True)[0].numpy() for _ in range(2))
assert not np.array_equal(one, other)
model = tf.keras.Sequential([layers.Input((None, 40)), layers.RNN(alone), layers.Dense(1)])
model.compile("adam", "mse")
model.fit(x, np.ones([8, 1]), verbose=0)
model.save("drawn.keras")
"""

LAYOUT = """
import tensorflow as tf
from cellgen.convert import layout_of
from lstm import LSTMCell
cell = LSTMCell(4)
cell.build((None, 3))
assert cell.weights[0].name.endswith("kernel:0")
found = layout_of("lstm", cell)
print(found.sizes, [block.name for block in found.blocks])
"""


def test_what_holds_for_a_sequence_is_drawn_once_in_keras_2_too(tmp_path):
    child(DRAWN.format(), tmp_path, GENERATED, **LEGACY)


def test_the_layout_of_a_cell_of_keras_2(tmp_path):
    printed = child(LAYOUT, tmp_path, GENERATED, GENERATED.parent, **LEGACY)
    assert "Sizes(input=3, units=4, hidden=4) ['kernel', 'recurrent_kernel', 'bias']" in printed


STARTED = """
import numpy as np, tensorflow as tf
from chrono import ChronoCell
with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    cell = ChronoCell(4)
    y, _ = cell(tf.ones([2, 3]), cell.zero_state(2, tf.float32))
    session.run(tf.compat.v1.global_variables_initializer())
    bias, peephole = session.run([cell.bias, cell.peephole])
    assert np.array_equal(bias[:4], -bias[4:8]) and np.array_equal(peephole, 2 * bias[4:8]) and bias[4:8].min() > 0
    assert session.run(y).shape == (2, 4)
"""

CHRONO = """
cell: Chrono
gates: [i, f, g]
state: {h: units}
params:
  bias: {shape: [gates*units], init: {f: "log(uniform(2, 9))", i: -bias.f, else: zeros}}
  peephole: {shape: [units], init: 2 * bias.f}
equations: |
  z: [gates, units] = affine(x, h[t-1])
  h = sigmoid(z.f + peephole * h[t-1]) * h[t-1] + sigmoid(z.i) * tanh(z.g)
"""


def test_weights_start_from_each_other_in_a_graph_of_tensorflow_1(tmp_path):
    (tmp_path / "chrono.yaml").write_text(CHRONO)
    build(tmp_path / "chrono.yaml", tmp_path)
    child(STARTED, tmp_path, tmp_path, **LEGACY)
