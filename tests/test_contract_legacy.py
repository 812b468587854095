"""A generated cell where TensorFlow 1 and its Keras are still in use."""

import numpy as np
import pytest
import tensorflow as tf

from tests.generated import BATCH, GENERATED, STEPS, WIDTH, child, close, five_subjects, sequences, two_subjects

v1 = tf.compat.v1
LEGACY = {"TF_USE_LEGACY_KERAS": "1"}


@two_subjects
def test_dynamic_rnn(subject):
    """Under Keras 3, eager and in a graph; past a sample's end the output is zero and the state stands still."""
    layer, x, lengths = subject.layer(return_sequences=True, return_state=True), sequences(), [2, 6, 0, 1]
    wanted, *last = layer(x)
    y, state = v1.nn.dynamic_rnn(layer.cell, x, dtype=tf.float64)
    close([y, *state], [wanted, *last])
    start = layer.cell.zero_state(BATCH, tf.float64)
    inside = np.arange(STEPS) < np.array(lengths)[:, None]
    alone = [layer(x[index : index + 1, :length])[1:] for index, length in enumerate(lengths)]
    ends = [tf.concat(values, 0) for values in zip(*alone)]

    @tf.function
    def run(x, lengths):
        return v1.nn.dynamic_rnn(layer.cell, x, sequence_length=lengths, initial_state=start)

    for call in (run, run.python_function):
        y, state = call(tf.constant(x), tf.constant(lengths))
        assert type(state) is subject.State
        close([y, *state], [wanted * inside[..., None], *ends])


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
