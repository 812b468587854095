"""What every generated cell and layer must satisfy: the step, the scan, masks, states, dtypes, gradients, messages."""

import functools
import inspect
from dataclasses import replace
from itertools import product

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.generated import (
    BATCH,
    EVERYTHING,
    MASK,
    STEPS,
    WIDTH,
    close,
    each_subject,
    gradients,
    one_subject,
    sequences,
    set_weights,
    subject,
    two_subjects,
)

BOTH = {"return_sequences": True, "return_state": True}


# --- the cell -------------------------------------------------------------------------------------------------------


@each_subject
def test_what_keras_asks_of_a_cell(subject):
    cell = subject.cell(dtype="float64")
    assert isinstance(cell, keras.layers.Layer)
    sizes = tf.nest.flatten(cell.state_size)
    assert all(isinstance(size, int) for size in (*sizes, cell.output_size))
    assert {"training", "scope"} <= set(inspect.signature(cell.call).parameters)
    cell.build((BATCH, WIDTH))  # one shape, of a step
    x, state = sequences()[:, 0], [tf.constant(value) for value in subject.state()]
    output, new = cell(x, state, training=True)
    assert output.shape == (BATCH, cell.output_size)
    assert [value.shape for value in new] == [(BATCH, size) for size in sizes]
    kind = subject.State if len(sizes) > 1 or subject.stack else None  # Keras and TensorFlow 1 have one state by itself
    assert type(cell.state_size) is (kind or int)
    assert subject.stack or len(subject.State._fields) == len(sizes)
    for given in ({"batch_size": 3}, {"inputs": np.zeros([3, WIDTH])}, {"batch_size": tf.constant(3)}):
        start = cell.get_initial_state(**given)
        assert isinstance(start, list if kind else tf.Tensor)
        start = tf.nest.flatten(start)
        assert [value.shape for value in start] == [(3, size) for size in sizes]
        assert {value.dtype.name for value in start} == {"float64"}
    zero = cell.zero_state(2, tf.float16)
    assert isinstance(zero, kind or tf.Tensor) and {value.dtype for value in tf.nest.flatten(zero)} == {tf.float16}
    weights = [w.path for w in cell.weights]
    assert [w.path for w in keras.layers.RNN(cell).weights] == weights and len(set(weights)) == len(weights) >= 2


@each_subject
def test_a_state_in_any_container(subject):
    layer, x = subject.layer(), sequences()
    state = [tf.constant(value) for value in subject.state()]
    output, wanted = layer.cell(x[:, 0], state)
    for box in (list, tuple, subject.state_of):
        came, new = layer.cell(x[:, 0], box(state))
        assert type(new) is type(box(state))
        close([came, new], [output, wanted])
        close(layer(x, initial_state=box(state)), layer(x, initial_state=state))
    if len(state) == 1:
        assert isinstance(layer.cell(x[:, 0], state[0])[1], tf.Tensor)
        close(layer(x, initial_state=state[0]), layer(x, initial_state=state))


@two_subjects
@pytest.mark.parametrize("unroll", [False, pytest.param(True, marks=pytest.mark.full)])
@pytest.mark.parametrize("mask", [None, MASK], ids=["unmasked", "masked"])
def test_the_cell_in_keras_own_loop(subject, mask, unroll):
    if mask is not None and subject.resets:
        pytest.skip("Keras's loop cannot reset")
    layer = subject.layer(**BOTH)
    theirs = keras.layers.RNN(subject.cell(dtype="float64"), dtype="float64", unroll=unroll, **BOTH)
    theirs.build((BATCH, STEPS, WIDTH))
    theirs.set_weights(layer.get_weights())
    x, state = sequences(), subject.state()
    close(gradients(layer, x, state, mask=mask), gradients(theirs, x, state, mask=mask))
    close(layer(x, mask=mask), theirs(x, mask=mask))


# --- the scan -------------------------------------------------------------------------------------------------------


def step_by_step(subject, layer, x, mask, start):
    """The cell in a plain loop over samples and time: outputs and states (batch, time, size)."""
    fresh = layer.get_initial_state(1)
    outputs, states = [], []
    for row, on in zip(x, mask):
        index = len(outputs)
        state, output = [value[index : index + 1] for value in start], np.zeros([1, layer.cell.output_size])
        outputs.append([])
        states.append([])
        for t in range(len(row)):
            if subject.resets and not on[t]:
                state = fresh
            if subject.resets or on[t]:
                output, state = layer.cell(row[None, t], [tf.convert_to_tensor(value) for value in state])
            outputs[-1].append(np.asarray(output)[0])
            states[-1].append([np.asarray(value)[0] for value in state])
    every = [np.array([[step[k] for step in row] for row in states]) for k in range(len(start))]
    return [np.array(outputs), *(values[:, -1] for values in every), *every]


MODES = ["graph", *(pytest.param(mode, marks=pytest.mark.full) for mode in ("loop", "unroll", "debug", "xla"))]


@two_subjects
@pytest.mark.parametrize("mode", MODES)
def test_masks_step_by_step(subject, mode):
    """Also that an output is zero before the first step that counts, where the state is not."""
    layer = subject.layer(unroll=mode == "unroll", debug=mode == "debug", **EVERYTHING)
    x, given = sequences(), subject.state()
    call = layer if mode not in ("graph", "xla") else tf.function(layer, jit_compile=mode == "xla")
    zero = [np.zeros_like(value) for value in given]
    for start, arguments in ((zero, {}), (given, {"initial_state": given})):
        came = call(x, mask=MASK, **arguments)
        close(came, step_by_step(subject, layer, x, MASK, start))
        assert type(came[-1]) is subject.State


@two_subjects
def test_masks_and_lengths(subject):
    layer, x, lengths = subject.layer(**BOTH), sequences(), [3, 0, 6, 2]
    inside = np.arange(STEPS) < np.array(lengths)[:, None]
    for given in (lengths, np.array(lengths), tf.constant(lengths, tf.int64)):
        close(layer(x, lengths=given), layer(x, mask=inside))
    close(layer(x, lengths=lengths, mask=MASK), layer(x, mask=inside & MASK))
    close(layer(x, mask=MASK.astype("float32")), layer(x, mask=MASK))
    close(layer(x, mask=np.ones_like(MASK)), layer(x))
    assert not np.allclose(layer(x, mask=MASK)[0], layer(x)[0])
    assert not np.allclose(layer(x, lengths=lengths)[0], layer(x)[0])


@two_subjects
def test_layer_arguments(subject):
    x, plain = sequences(), subject.layer(**EVERYTHING)
    backwards = subject.layer(go_backwards=True, **EVERYTHING)
    close(backwards(x, mask=MASK), plain(x[:, ::-1], mask=MASK[:, ::-1]))
    zeros = subject.layer(zero_output_for_mask=True, **EVERYTHING)(x, mask=MASK)
    outputs = plain(x, mask=MASK)
    close(zeros[0], outputs[0] if subject.resets else outputs[0] * MASK[..., None])
    close(zeros[1:], outputs[1:])
    for sequences_, state, every in product([False, True], repeat=3):
        arguments = {"return_sequences": sequences_, "return_state": state, "return_all_states": every}
        wanted = [outputs[0] if sequences_ else outputs[0][:, -1], *(outputs[1:-1] if state else ())]
        came = subject.layer(**arguments)(x, mask=MASK)
        close(came, [*wanted, outputs[-1]] if every else wanted)
        assert isinstance(came, tuple) == (state or every)
    order = [2, 0, 3, 1]
    close(plain(x[order], mask=MASK[order]), [tf.gather(value, order) for value in tf.nest.flatten(outputs)], 1e-12)


@two_subjects
def test_one_trace_for_all_lengths(subject, monkeypatch):
    layer = subject.layer(return_sequences=True, return_all_states=True)
    shape, traces, step = tf.TensorSpec([None, None, WIDTH], tf.float64), [], subject.Cell.scan.forward

    @functools.wraps(step)
    def counted(*args, **arguments):
        traces.append(args)
        return step(*args, **arguments)

    @tf.function(input_signature=[shape, tf.TensorSpec([None, None], tf.bool)])
    def run(x, mask):
        return layer(x), layer(x, mask=mask)

    monkeypatch.setattr(subject.Cell, "scan", replace(subject.Cell.scan, forward=counted))
    for batch, steps in [(4, 6), (1, 1), (2, 9), (0, 3), (3, 0), (0, 0)]:
        plain, masked = run(sequences(batch, steps), np.ones((batch, steps), bool))
        close(plain, masked)
        assert plain[0].shape == (batch, steps, layer.cell.output_size)
    assert run.experimental_get_tracing_count() == 1 and len(traces) == 4 * getattr(layer.cell, "depth", 1)
    monkeypatch.undo()
    close(run(sequences(2, 9), np.ones((2, 9), bool))[0], layer(sequences(2, 9)))
    assert not np.any(subject.layer()(sequences(2, 0)))


@each_subject
def test_no_feature_sees_the_future_or_another_sample(subject):
    layer, x = subject.layer(return_sequences=True), sequences()
    other = x.copy()
    other[1:, 3:] += 1
    y, z = np.asarray(layer(x)), np.asarray(layer(other))
    np.testing.assert_array_equal(y[0], z[0])
    np.testing.assert_array_equal(y[:, :3], z[:, :3])
    assert not np.allclose(y[1:, 3:], z[1:, 3:])


# --- gradients ------------------------------------------------------------------------------------------------------


@one_subject
@pytest.mark.parametrize("mode", ["graph", pytest.param("xla", marks=pytest.mark.full)])
def test_gradients_in_graphs(subject, mode):
    layer, x, state = subject.layer(**BOTH), sequences(), subject.state()

    def slopes(x, *state):
        with tf.GradientTape() as tape:
            tape.watch([x, *state])
            loss = tf.add_n([tf.reduce_sum(tf.sin(y)) for y in layer(x, initial_state=state, mask=MASK)])
        return tape.gradient(loss, [x, *state, *layer.trainable_weights])

    given = [tf.constant(value) for value in (x, *state)]
    close(tf.function(slopes, jit_compile=mode == "xla")(*given), slopes(*given))


@one_subject
def test_higher_derivatives(subject):
    """Second order by finite differences of the first, eager and graph; forward mode and the jacobian agree with it."""
    if subject.stem.startswith("hm_lstm"):
        pytest.skip("its detectors jump: finite differences of a gradient are none there")
    smooth = {name: None for name in ("cell_clip", "proj_clip") if name in subject.arguments}
    layer, x = subject.layer(**smooth), tf.constant(sequences(1, 3))
    along = np.random.default_rng(3).normal(size=x.shape)

    def gradient(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(tf.sin(layer(x)))
        return tape.gradient(loss, x)

    def second(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            product = tf.reduce_sum(gradient(x) * along)
        return tape.gradient(product, x)

    step = 1e-5
    wanted = (gradient(x + step * along) - gradient(x - step * along)) / (2 * step)
    close(second(x), wanted, 1e-7)
    close(tf.function(second)(x), wanted, 1e-7)
    with tf.autodiff.ForwardAccumulator(x, tf.constant(along)) as forward:
        pushed = forward.jvp(layer(x))
    with tf.GradientTape(
        persistent=True
    ) as tape:  # TensorFlow's vectorised map mixes up the ranks of what a loop carries
        tape.watch(x)
        y = layer(x)
    close(pushed, tf.tensordot(tape.jacobian(y, x, experimental_use_pfor=False), along, 3), 1e-9)


# --- states ---------------------------------------------------------------------------------------------------------


@two_subjects
def test_stateful(subject):
    layer, plain, x = subject.layer(stateful=True, **BOTH), subject.layer(**BOTH), sequences()
    whole = plain(x)
    first, second = layer(x[:, :2]), layer(x[:, 2:])
    close(tf.concat([first[0], second[0]], 1), whole[0])
    close([second[1:], layer.states], [whole[1:], whole[1:]])
    layer.reset_state()
    close(layer(x), whole)
    given = subject.state()
    close(layer(x, initial_state=given), plain(x, initial_state=given))
    with pytest.raises(ValueError, match="`initial_state` must be of 3 samples" if subject.many else "expected shape"):
        layer(sequences(3))
    masked = layer(x, mask=MASK)
    start = plain(x, initial_state=given)[1:]
    close(masked, step_by_step(subject, plain, x, MASK, start)[: 1 + len(given)])


# --- dtypes ---------------------------------------------------------------------------------------------------------

# what roundings of the type's epsilon grow to over these steps
BOUNDS = {"float32": 1e-5, "mixed_float16": 0.02, "float16": 0.02, "bfloat16": 0.15, "mixed_bfloat16": 0.15}


@two_subjects
@pytest.mark.parametrize(
    "dtype", [*list(BOUNDS)[:2], *(pytest.param(d, marks=pytest.mark.full) for d in list(BOUNDS)[2:])]
)
def test_dtypes(subject, dtype):
    if subject.stem.startswith("hm_lstm") and dtype != "float32":
        pytest.skip("a rounding may turn a detector over")
    exact, x = subject.layer(**EVERYTHING), sequences()
    weights = [w.numpy() / 3 for w in exact.trainable_weights]
    set_weights(exact, weights)
    layer = subject.layer(dtype=dtype, weights=weights, **EVERYTHING)
    assert {w.dtype for w in layer.weights} == {layer.variable_dtype}
    state = {"initial_state": [s.astype("float32") for s in subject.state()]}
    masked = {"mask": MASK}
    for call, given in ((layer, {}), (layer, masked), (layer, state), (tf.function(layer), {**masked, **state})):
        came = tf.nest.flatten(call(x, **given))
        assert {value.dtype.name for value in came} == {layer.compute_dtype}
        close([tf.cast(value, tf.float64) for value in came], exact(x, **given), BOUNDS[dtype])
    stateful = subject.layer(dtype=dtype, weights=weights, stateful=True)
    assert stateful(x).dtype == layer.compute_dtype
    assert {value.dtype for value in stateful.states} == {layer.variable_dtype}
    cell = subject.cell(dtype=dtype)
    assert cell(x[:, 0], cell.get_initial_state(batch_size=BATCH))[0].dtype == cell.compute_dtype


def test_norm_statistics_do_not_overflow_in_float16():
    norm, x = subject("layer_norm_lstm"), sequences() * 300  # squares beyond 65504
    came = norm.layer(dtype="mixed_float16")(x)
    close(tf.cast(came, tf.float64), norm.layer()(x), 0.02)


# --- messages -------------------------------------------------------------------------------------------------------


@two_subjects
def test_messages(subject):
    if subject.stack or subject.many:
        pytest.skip("it says the same in other words")
    Layer, x = subject.Layer, sequences()
    layer, unknown = subject.layer(), [tf.TensorSpec([None, None, WIDTH], tf.float64)]
    state = [tf.constant(value) for value in subject.state()]
    for units in (0, -1, "3", 2.0, None):
        with pytest.raises(ValueError, match=f"`units` must be a positive integer. Received: {units!r}"):
            Layer(units)
    for bad in ([*state, state[0]], [value[0] for value in state], [tf.ones([BATCH, 99])] * len(state)):
        with pytest.raises(ValueError, match=r"`state` must be .*\(batch, \d+\).* Received: \["):
            layer(x, initial_state=bad)
    with pytest.raises(ValueError, match="`sequences` must be of known length for unroll=True"):
        tf.function(subject.layer(unroll=True), input_signature=unknown)(x)
    with pytest.raises(ValueError, match="debug=True needs eager mode.*run_eagerly=True"):
        tf.function(subject.layer(debug=True), input_signature=unknown)(x)
    with pytest.raises(ValueError, match="expected ndim=3, found ndim=2"):
        Layer(6)(x[:, 0])
    for each in (lambda: layer(x.astype(int)), lambda: layer.cell(x[:, 0].astype(int), state)):
        with pytest.raises(ValueError, match="must be of a floating dtype, as `tf.cast.* gives .*Received: 'int"):
            each()
    with pytest.raises(ValueError, match=r"`mask` must be of shape \(batch, time\)"):
        layer(x, mask=MASK[0])
    with pytest.raises(ValueError, match="`x` must be of known width"):
        Layer(6)(keras.Input((None, None)))
    with pytest.raises(ValueError, match=r"expected shape=\(None, None, 3\)"):
        layer(np.zeros([BATCH, STEPS, WIDTH + 1]))
    with pytest.raises(ValueError, match="Unrecognized keyword"):
        Layer(6, kernal_initializer="zeros")
    with pytest.raises(ValueError, match="nonsense"):
        Layer(6, **{subject.weight_arguments[0]: "nonsense"})


def test_messages_about_options():
    gru, lstmp = subject("gru_reset_before").Layer, subject("lstmp").Layer
    for bad in ("tan", len, 3, keras.activations.log_softmax):
        with pytest.raises(ValueError, match="`activation` must be one of linear, sigmoid, tanh"):
            gru(3, activation=bad)
    assert gru(3, activation=None).cell.activation.name == "linear"
    with pytest.raises(ValueError, match="`use_bias` must be True or False. Received: 'no'"):
        gru(3, use_bias="no")
    with pytest.raises(ValueError, match="`proj` must be a positive integer, or None for units. Received: 0"):
        lstmp(3, proj=0)
    with pytest.raises(ValueError, match="`cell_clip` must be a number, or None. Received: 'x'"):
        lstmp(3, cell_clip="x")


# --- debugging ------------------------------------------------------------------------------------------------------


@two_subjects
def test_debug_is_a_plain_loop(subject, monkeypatch):
    if subject.stack or subject.many:
        pytest.skip("its step is called otherwise")
    x, step, seen = sequences(), subject.module._step, []
    layer, plain = subject.layer(debug=True, return_sequences=True), subject.layer(return_sequences=True)

    @functools.wraps(step)
    def watched(x, *args, **arguments):
        seen.append(x.numpy())  # an eager tensor
        return step(x, *args, **arguments)

    monkeypatch.setattr(subject.Cell, "scan", replace(subject.Cell.scan, step=watched))
    y = layer(x)
    np.testing.assert_array_equal(seen, x.transpose(1, 0, 2))
    close(y, plain(x))
    model = keras.Sequential([keras.Input((STEPS, WIDTH), dtype="float64"), layer, keras.layers.Dense(1)])
    model.compile("sgd", "mse", run_eagerly=True)
    model.fit(x, np.ones((BATCH, STEPS, 1)), verbose=0)


def test_layers_of_one_width_take_other_batches_in_turn():
    """TensorFlow traces them together, and then knows of one tensor's batch what it no longer knows of another's."""
    Layer = subject("simple_rnn").Layer
    layers = [Layer(9, return_sequences=True, return_state=True, jit_compile=True) for _ in range(2)]

    @tf.function(autograph=False)
    def run(x, state):
        for layer in layers:
            x, *state = layer(x, initial_state=state)
        return x

    for batch, steps in ((3, 70), (1, 70), (2, 80)):
        assert run(tf.zeros([batch, steps, 9]), [tf.zeros([batch, 9])]).shape == (batch, steps, 9)
