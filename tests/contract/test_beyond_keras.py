"""What generated layers do that Keras's RNN does not: constants, the step's number, gates, ragged input and more."""

import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf

from cellgen.compiler import Spec
from tests.generated import (
    BATCH,
    EVERYTHING,
    MASK,
    STEPS,
    WIDTH,
    close,
    each_subject,
    gradients,
    imported,
    layer_class,
    one_subject,
    sequences,
    set_weights,
    two_subjects,
)

BOTH = {"return_sequences": True, "return_state": True}
LENGTHS = [3, 6, 1, 5]


# --- every layer ----------------------------------------------------------------------------------------------------


@each_subject
def test_gates_of_every_step(subject):
    """Each named value, of every step, as the cell's own step computes it from the state before."""
    if f"{subject.Layer.__name__}Gates" not in vars(subject.module):
        pytest.skip("every value of a step is a state")
    layer, x, start = subject.layer(return_gates=True, return_all_states=True), sequences(), subject.state()
    arguments = layer.cell.step_arguments()
    if "training" in inspect.signature(subject.module._step).parameters:
        arguments["training"] = False
    _, states, gates = layer(x, initial_state=start)
    assert type(gates).__name__ == f"{subject.Layer.__name__}Gates" and len(gates) > 0
    for t in range(STEPS):
        before = start if t == 0 else [value[:, t - 1] for value in states]
        now = tf.constant(x[:, t])
        inputs = layer.cell._inputs(now) if subject.many else {"x": now}
        named = subject.module._step(state=layer.cell.named(before), **inputs, **arguments)[2]
        close([value[:, t] for value in gates], named)
    symbolic = layer.compute_output_spec(keras.Input((STEPS, WIDTH), BATCH, dtype="float64"))
    assert [value.shape for value in symbolic[-1]] == [value.shape for value in gates]
    assert layer.get_config()["return_gates"] is True


@two_subjects
def test_time_major(subject):
    layer, x, state = subject.layer(**EVERYTHING), sequences(), subject.state()
    turned = subject.layer(time_major=True, weights=layer.trainable_weights, **EVERYTHING)

    def swap(value):
        return tf.transpose(value, [1, 0, 2])

    y, *rest = layer(x, mask=MASK, initial_state=state)
    came, *others = turned(swap(x), mask=MASK.T, initial_state=state)
    close([came, *others], [swap(y), *rest[:-1], *map(swap, tf.nest.flatten(rest[-1]))])
    close(turned(swap(x), lengths=LENGTHS)[0], swap(layer(x, lengths=LENGTHS)[0]))
    assert turned.compute_output_shape((STEPS, BATCH, WIDTH))[0] == came.shape
    again = subject.Layer.from_config(turned.get_config())
    assert again.time_major is True


@two_subjects
def test_keras_turns_the_batch_of_a_time_major_layer(subject):
    """Bidirectional turns axis 1 of what runs backwards, whatever axis 1 is: the guide says to keep it batch-major."""
    x = sequences()
    wrapped, plain = (
        keras.layers.Bidirectional(subject.layer(time_major=major, return_sequences=True), dtype="float64")
        for major in (True, False)
    )
    for each, given in ((wrapped, x.transpose(1, 0, 2)), (plain, x)):
        each.build(given.shape)
        set_weights(each)
    forth, back = tf.split(tf.transpose(wrapped(x.transpose(1, 0, 2)), [1, 0, 2]), 2, axis=-1)
    wanted, turned = tf.split(plain(x), 2, axis=-1)
    close(forth, wanted)
    assert not np.allclose(back, turned)
    close(tf.reverse(back, [0, 1]), turned)


def flat(every):
    """The ragged states of every step, of a stack layer by layer."""
    return [value for each in every for value in ([each] if isinstance(each, tf.RaggedTensor) else each)]


@two_subjects
def test_ragged_sequences(subject):
    layer, x = subject.layer(**EVERYTHING), sequences()
    ragged = tf.RaggedTensor.from_tensor(x, lengths=LENGTHS)
    if subject.resets:
        with pytest.raises(ValueError, match="`sequences` must be all of one length: a masked step runs"):
            layer(ragged)
        return
    y, *rest = layer(ragged)
    assert isinstance(y, tf.RaggedTensor) and y.row_lengths().numpy().tolist() == LENGTHS
    whole, *others = layer(x, lengths=LENGTHS)
    count = len(tf.nest.flatten(layer.cell.state_size))
    close(rest[:count], others[:count])
    for index, length in enumerate(LENGTHS):
        every = [value[index] for each in rest[count:] for value in flat(each)]
        wanted = [value[index, :length] for value in tf.nest.flatten(others[count:])]
        close([y[index], *every], [whole[index, :length], *wanted])
    close(subject.layer()(ragged), subject.layer()(x, lengths=LENGTHS))
    close(tf.function(layer)(ragged)[0].to_tensor(), y.to_tensor())
    model = keras.Sequential([keras.Input((None, WIDTH), ragged=True, dtype="float64"), subject.layer()])
    close(model(ragged), subject.layer()(x, lengths=LENGTHS))


@two_subjects
def test_ragged_sequences_backwards(subject):
    """Each row as by itself: it begins with its own last step, and ends with its first."""
    if subject.resets:
        pytest.skip("it takes no ragged sequences")
    every = {
        **EVERYTHING,
        **({"return_gates": True} if f"{subject.Layer.__name__}Gates" in vars(subject.module) else {}),
    }
    layer, x = subject.layer(go_backwards=True, **every), sequences()
    ragged = tf.RaggedTensor.from_tensor(x, lengths=LENGTHS)
    for call in (layer, tf.function(layer)):
        came = [value for each in call(ragged) for value in ([each] if tf.is_tensor(each) else tf.nest.flatten(each))]
        for index, length in enumerate(LENGTHS):
            alone = tf.nest.flatten(layer(x[index : index + 1, :length]))
            close([value[index] for value in came], [value[0] for value in alone])
    both = keras.layers.Bidirectional(subject.layer(return_sequences=True), dtype="float64")
    both.build(x.shape)
    set_weights(both)
    came = both(ragged)
    for index, length in enumerate(LENGTHS):
        close(came[index], both(x[index : index + 1, :length])[0])


@two_subjects
def test_the_mask_goes_on_in_the_order_of_what_goes_on(subject):
    """Behind a layer that runs backwards the next sees the mask reversed, as its input is (Keras keeps it)."""
    first, then = subject.layer(go_backwards=True, return_sequences=True), subject.made(dtype="float64")
    x, mask = sequences(), np.array([[1, 1, 1, 1, 0, 0], [1, 1, 1, 0, 0, 0], [0, 1, 1, 1, 1, 0], [1] * 6], bool)
    hidden = np.where(mask[..., None], x, 0)
    wanted = then(first(hidden, mask=mask), mask=mask[:, ::-1])
    for call in (lambda x: then(first(keras.layers.Masking(dtype="float64")(x))), lambda x: then(first(x, mask=mask))):
        close(call(hidden), wanted)
    model = keras.Sequential(
        [keras.Input((None, WIDTH), dtype="float64"), keras.layers.Masking(dtype="float64"), first, then]
    )
    close(model(hidden), wanted)
    assert not np.allclose(then(first(hidden, mask=mask), mask=mask), wanted)
    if not subject.many:
        turned = subject.layer(go_backwards=True, return_sequences=True, time_major=True)
        np.testing.assert_array_equal(turned.compute_mask(None, mask.T), mask.T[::-1])


@one_subject
def test_partial_unrolling(subject):
    """So many steps at once, and the rest one by one, give what one by one gives, forward and back."""
    x, state, plain = sequences(), subject.state(), subject.layer(**BOTH)
    wanted = gradients(plain, x, state, mask=MASK)
    for count in (4, 100):
        layer = subject.layer(unroll=count, **BOTH)
        close(gradients(layer, x, state, mask=MASK), wanted)
        assert subject.Layer.from_config(layer.get_config()).unroll == count
    compiled = subject.layer(unroll=3, jit_compile=True, **BOTH)
    close(compiled(x, mask=MASK, initial_state=state), plain(x, mask=MASK, initial_state=state))
    with pytest.raises(ValueError, match="`unroll` must be True, False or a number of steps. Received: -1"):
        subject.layer(unroll=-1)


# --- more than one input a step -------------------------------------------------------------------------------------

CONDITIONED = """\
cell: Conditioned
state: {h: units}
inputs:
  x: [input]
  context: {shape: [side], per: sequence}
  n: {shape: [1], index: true}
  gain: {shape: [1], per: sequence, default: 2.0}
params:
  W: [input, units]
  V: [side, units]
  U: [units, units]
equations: |
  a = x @ W + context @ V + h[t-1] @ U + 0.1 * n
  h = gain * tanh(a)
"""


@pytest.fixture(scope="module")
def conditioned(tmp_path_factory):
    folder = tmp_path_factory.mktemp("conditioned")
    (folder / "conditioned.yaml").write_text(CONDITIONED)
    for name, text in Spec.at(folder / "conditioned.yaml").build().items():
        (folder / name).write_text(text, encoding="utf-8")
    return imported("conditioned", folder), imported("test_conditioned", folder)


def by_hand(weights, x, context, gain=2.0, n=None):
    W, V, U = map(np.asarray, weights)
    h, outputs = np.zeros([len(x), W.shape[1]]), []
    for t in range(x.shape[1]):
        number = t if n is None else n[:, t]
        h = gain * np.tanh(x[:, t] @ W + context @ V + h @ U + 0.1 * number)
        outputs.append(h)
    return np.stack(outputs, 1)


def test_constants_and_the_number_of_the_step(conditioned, tmp_path):
    layer = layer_class(conditioned[0])(5, return_sequences=True, dtype="float64")
    x, context = sequences(), np.random.default_rng(1).normal(size=(BATCH, 4))
    layer.build([x.shape, context.shape])
    set_weights(layer)
    close(layer([x, context]), by_hand(layer.get_weights(), x, context))
    n, gain = np.random.default_rng(2).normal(size=(BATCH, STEPS, 1)), np.random.default_rng(3).normal(size=(BATCH, 1))
    given = {"x": x, "context": context, "n": n, "gain": gain}
    close(layer(given), by_hand(layer.get_weights(), x, context, gain, n))
    assert not np.allclose(layer([x, context]), layer(given))
    for way in ({"unroll": True}, {"debug": True}, {"memory": "low"}, {"unroll": 2}):  # by XLA: below
        other = layer_class(conditioned[0])(5, return_sequences=True, dtype="float64", **way)
        other.build([x.shape, context.shape])
        set_weights(other)
        close(other([x, context]), layer([x, context]))
    inputs = [keras.Input((None, WIDTH), dtype="float64"), keras.Input((4,), dtype="float64")]
    model = keras.Model(inputs, layer(inputs))
    model.compile("sgd", "mse")
    model.fit([x, context], np.zeros([BATCH, STEPS, 5]), verbose=0)
    model.save(tmp_path / "model.keras")
    close(keras.models.load_model(tmp_path / "model.keras")([x, context]), layer([x, context]))


def test_what_constants_are_refused(conditioned):
    layer = layer_class(conditioned[0])(5)
    x, context = tf.ones([2, 3, 4]), tf.ones([2, 6])
    layer([x, context])
    with pytest.raises(ValueError, match="`context` must be of 2 axes"):
        layer([x, tf.ones([2, 3, 6])])
    with pytest.raises(ValueError, match="`context` must be as wide as when the cell was built"):
        layer([x, tf.ones([2, 7])])
    with pytest.raises(ValueError, match="`context` must be given"):
        layer(x)
    with pytest.raises(ValueError, match="`n` must be given: a cell by itself does not know the number of the step"):
        layer.cell([x[:, 0], context], layer.cell.get_initial_state(batch_size=2))


def test_other_inputs_are_as_long_as_the_first(conditioned):
    layer = layer_class(conditioned[0])(5, return_sequences=True, dtype="float64")
    x, context, n = np.ones([2, 5, 3]), np.ones([2, 4]), np.ones([2, 5, 1])
    layer([x, context, n])
    for short in (n[:, :3], np.ones([2, 7, 1]), n[:1]):
        with pytest.raises(ValueError, match=r"`n` must be of \(2, 5\) samples and steps, as x is"):
            layer([x, context, short])
    shapes = [tf.TensorSpec([None, None, 3], tf.float64), tf.TensorSpec([None, 4]), tf.TensorSpec([None, None, 1])]
    run = tf.function(layer, input_signature=[shapes])
    run([tf.ones([2, 5, 3], tf.float64), tf.ones([2, 4]), tf.ones([2, 5, 1])])
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"`n` must be of \(2, 5\) samples and steps, as x is"):
        run([tf.ones([2, 5, 3], tf.float64), tf.ones([2, 4]), tf.ones([2, 3, 1])])
    with pytest.raises(ValueError, match=r"`context` must be of \(2,\) samples, as x is"):
        layer([x, np.ones([1, 4]), n])
    with pytest.raises(ValueError, match=r"`initial_state` must be of 2 samples. Received: \(3, 5\)"):
        layer([x, context, n], initial_state=[np.ones([3, 5])])
    with pytest.raises(ValueError, match=r"`x` must be of 3 axes. Received: \(2, 3\)"):
        layer_class(conditioned[0])(5)([x[:, 0], context])


def test_several_ragged_inputs(conditioned):
    layer = layer_class(conditioned[0])(5, return_sequences=True, dtype="float64")
    x, context, n = sequences(), np.ones([BATCH, 4]), np.random.default_rng(0).normal(size=(BATCH, STEPS, 1))
    ragged, counts = (tf.RaggedTensor.from_tensor(value, lengths=LENGTHS) for value in (x, n))
    given = {"n": counts, "x": ragged, "context": context}
    y = layer(given)
    assert y.row_lengths().numpy().tolist() == LENGTHS
    whole = layer({"x": x, "n": n, "context": context}, lengths=LENGTHS)
    for index, length in enumerate(LENGTHS):
        close(y[index], whole[index, :length])
    wrong = tf.RaggedTensor.from_tensor(n, lengths=[2] * BATCH)
    with pytest.raises(tf.errors.InvalidArgumentError, match="`n` must be as long as `x`"):
        layer({**given, "n": wrong})
    for mixed in ({**given, "n": n}, {**given, "x": x}, {**given, "context": wrong}):
        with pytest.raises(ValueError, match="must be x and all that has steps ragged, or nothing"):
            layer(mixed)
    with pytest.raises(ValueError, match="`lengths` must be None: ragged sequences have their own"):
        layer(given, lengths=[1] * BATCH)


def test_generated_tests_of_it(conditioned):
    tests = conditioned[1]
    for case in tests.SUBJECT.cases:
        tests.test_step(case, tests.SUBJECT.sizes[1])
        tests.test_scan(case)
        tests.test_gradients(case)
        tests.test_masks(case)
    with pytest.MonkeyPatch.context() as patched:
        tests.test_every_way(patched)
    tests.test_a_masked_step_is_as_if_deleted()
    tests.test_samples_do_not_mix()
    tests.test_one_trace_for_all_lengths()
    tests.test_what_is_traced()


def test_where_keras_itself_cannot():
    """Keras 3's RNN takes no second input of a step and no constants: what our layer does, it refuses."""

    class Pair(keras.layers.Layer):
        state_size, output_size = 2, 2

        def call(self, inputs, states):
            x, t = inputs
            return x * t + states[0], [states[0]]

    with pytest.raises(AttributeError, match="'tuple' object has no attribute 'shape'"):
        keras.layers.RNN(Pair())((tf.ones([1, 3, 2]), tf.ones([1, 3, 1])))
    with pytest.raises(TypeError, match="unexpected keyword argument 'constants'"):
        keras.layers.RNN(keras.layers.GRUCell(2))(tf.ones([1, 3, 2]), constants=tf.ones([1, 2]))


LEARNED = """\
cell: Learned
state: {h: {shape: units, initial: h0}}
params: {h0: {shape: [units], init: normal(1.0)}, W: [input, units], U: [units, units]}
equations: |
  h = tanh(x @ W + h[t-1] @ U)
"""
STACK = "stack: Learneds\ncell: learned\nlayers: units\n"


def test_a_learned_initial_state_in_every_layer_of_a_stack(tmp_path):
    (tmp_path / "learned.yaml").write_text(LEARNED)
    (tmp_path / "learneds.yaml").write_text(STACK)
    for name, text in Spec.at(tmp_path / "learneds.yaml").build().items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    layer = layer_class(imported("learneds", tmp_path))([3, 4], dtype="float64", **BOTH)
    x = sequences()
    layer.build(x.shape)
    set_weights(layer)
    weights = {w.path.split("/cell/")[1]: w for w in layer.trainable_weights}
    start = layer.get_initial_state(BATCH)
    close(start, [np.tile(weights[f"layer{n}/h0"], (BATCH, 1)) for n in (1, 2)])
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.sin(layer(x)[0]))
    found = tape.gradient(loss, list(weights.values()))
    for (name, variable), slope in zip(weights.items(), found):
        if name.endswith("h0"):
            step = np.zeros(variable.shape)
            step[0] = 1e-5
            old = variable.numpy()
            variable.assign(old + step)
            above = tf.reduce_sum(tf.sin(layer(x)[0]))
            variable.assign(old - step)
            below = tf.reduce_sum(tf.sin(layer(x)[0]))
            variable.assign(old)
            np.testing.assert_allclose(slope[0], (above - below) / 2e-5, rtol=1e-6)
    zeros = [tf.zeros_like(value) for value in start]
    assert not np.allclose(layer(x, initial_state=zeros)[0], layer(x)[0])


@two_subjects
def test_dtype_and_rank_of_inputs(subject):
    """The message says what came and what is wanted."""
    if subject.many:
        pytest.skip("it says the same in other words")
    layer = subject.layer()
    state = layer.get_initial_state(BATCH)
    with pytest.raises(ValueError, match="expected ndim=2, found ndim=3"):
        subject.cell()(sequences(), state)
    with pytest.raises(ValueError, match=r"expected shape=\(None, 3\), found shape=\(4, 4\)"):
        layer.cell(np.zeros([BATCH, WIDTH + 1]), state)
    with pytest.raises(ValueError, match="`x` must be of a floating dtype, as .*Received: 'int64'"):
        layer.cell(np.zeros([BATCH, WIDTH], "int64"), state)
