"""Tests of layer_norm_lstm_per_gate.py, generated from layer_norm_lstm_per_gate.yaml; run them with pytest.

The oracle is cellgen's interpreter, numpy float64, which reads the spec below.
"""

import numpy as np
import pytest
import tensorflow as tf
import layer_norm_lstm_per_gate as built

from cellgen import interpret
from cellgen.compiler import Spec

keras = tf.keras

SPEC = """\
language: 1
cell: LayerNormLSTMPerGate
about: |
  LSTM with layer normalisation of each gate by itself, after the two projections are added, and of the cell state
  where it is read for h; the carried c is not normalised. As in the HyperNetworks paper's code (supercell, where a
  bias stands inside the norm: use_bias) and Magenta. TensorFlow's contrib LayerNormBasicLSTMCell carries the
  normalised c instead and has no bias. forget_bias is added after the norm.
papers: ["Ba, Kiros & Hinton 2016, arXiv:1607.06450", "Ha, Dai & Le 2017, HyperNetworks, arXiv:1609.09106 (ICLR 2017)"]
dims: {input: inferred, units: required}
gates: [i, g, f, o]
options: {forget_bias: 1.0, use_bias: false, epsilon: 1.0e-3}
inputs:
  x: [input]
state:
  h: [units]
  c: [units]
output: h
params:
  kernel: {shape: [input, gates*units], init: glorot_uniform}
  recurrent_kernel: {shape: [units, gates*units], init: orthogonal}
  bias: {shape: [gates*units], init: zeros}
norms:
  ln_z: {kind: layer, over: [units], epsilon: epsilon, scale: ones, shift: zeros}
  ln_c: {kind: layer, over: [units], epsilon: epsilon, scale: ones, shift: zeros}
mask: hold
equations: |
  z: [gates, units] = x @ kernel + h[t-1] @ recurrent_kernel + (bias if use_bias else 0)
  n = ln_z(z)
  i = sigmoid(n.i)
  f = sigmoid(n.f + forget_bias)
  g = tanh(n.g)
  o = sigmoid(n.o)
  c = f * c[t-1] + i * g
  h = o * tanh(ln_c(c))
laws: |
  c == c[t-1]         when f == 1, i == 0
  h in (-1, 1)
"""

TYPED = Spec.of(SPEC, "layer_norm_lstm_per_gate").typed(laws=False)
INFERRED = {"input"}
SIZES = [
    {"input": 3, "units": 4},
    {"input": 2, "units": 3},
]
CASES = [
    {},
    {"forget_bias": 2.0},
    {"use_bias": True},
    {"epsilon": 0.2505},
    {"forget_bias": 2.0, "use_bias": True, "epsilon": 0.2505},
]
BATCH, STEPS = 4, 6
MASK = np.array([[1, 1, 1, 1, 1, 1], [0, 1, 0, 0, 1, 1], [1, 1, 1, 0, 0, 0], [0, 0, 0, 0, 0, 0]], bool)
LENGTHS = np.array([6, 4, 5, 0])

each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: ",".join(map(str, case)) or "default")


class Trial:
    """A layer and its oracle with the same random weights, and an input and a state to try them on."""

    def __init__(self, case, sizes=SIZES[0], draw=0, dtype="float64", **arguments):
        given = {**sizes, **case}
        self.oracle = interpret.Instance(TYPED, given)
        self.arguments = {name: value for name, value in given.items() if name not in INFERRED}
        rng = np.random.default_rng(draw)
        settings, cell = self.oracle.settings, self.oracle.cell

        def drawn(of, *lead):
            shape = *lead, *settings.shape(of.shape)
            return rng.integers(2, size=shape).astype("float64") if of.binary else rng.normal(size=shape)

        self.x = drawn(cell.inputs[0], BATCH, STEPS)
        self.state = [drawn(state, BATCH) for state in cell.states]
        keras.utils.set_random_seed(draw)
        self.layer = self.made(dtype=dtype, **arguments)
        self.weights = [np.asarray(w, np.float64) for w in self.layer.trainable_weights]
        self.weights = [w + rng.normal(scale=0.4, size=w.shape) for w in self.weights]
        set_weights(self.layer, self.weights)

    def made(self, **arguments):
        layer = built.LayerNormLSTMPerGate(**self.arguments, **arguments)
        layer.build(self.x.shape)
        return layer

    def twin(self, **arguments):
        """Another layer with the same weights."""
        layer = self.made(dtype="float64", **arguments)
        set_weights(layer, self.weights)
        return layer


def set_weights(layer, weights):
    """The trained ones, in the layer's order."""
    for variable, value in zip(layer.trainable_weights, weights, strict=True):
        variable.assign(value)


def close(came, wanted, bound=1e-11):
    came, wanted = tf.nest.flatten(came), tf.nest.flatten(wanted)
    assert len(came) == len(wanted) > 0
    for one, other in zip(came, wanted):
        one, other = np.asarray(one, np.float64), np.asarray(other, np.float64)
        assert one.shape == other.shape and np.isfinite(other).all()
        np.testing.assert_allclose(one, other, rtol=bound, atol=bound)


EVERYTHING = {"return_sequences": True, "return_state": True, "return_all_states": True}


def scanned(oracle, weights, x, state=None, **how):
    """What the layer returns under EVERYTHING, as the oracle has it."""
    outputs, states, final = oracle.scan(weights, x, initial_state=state, **how)
    return [outputs, *final, *states]


# --- the equations --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", SIZES, ids=["small", "other"])
@each_case
def test_step(case, sizes):
    trial = Trial(case, sizes)
    assert [w.shape for w in trial.weights] == list(trial.oracle.weights.values())
    for t in range(2):
        x = trial.x[:, t]
        close(trial.layer.cell(x, trial.state), trial.oracle.step(trial.weights, x, trial.state))


@each_case
def test_scan(case):
    trial = Trial(case, **EVERYTHING)
    close(trial.layer(trial.x), scanned(trial.oracle, trial.weights, trial.x))
    wanted = scanned(trial.oracle, trial.weights, trial.x, trial.state)
    close(trial.layer(trial.x, initial_state=trial.state), wanted)
    backwards = trial.twin(go_backwards=True, **EVERYTHING)
    close(backwards(trial.x[:, ::-1], initial_state=trial.state), wanted)
    last = trial.twin()
    close(last(trial.x, initial_state=trial.state), wanted[0][:, -1])


@each_case
def test_gradients(case):
    """Against finite differences, their step chosen so that no argument crosses a kink (of relu, clip, where...)."""
    point = max((Point(case, seed) for seed in range(3)), key=lambda point: point.reference.margin)
    step = min(1e-4, point.reference.margin / 300)
    assert step > 1e-8
    trial, rng = point.trial, np.random.default_rng(0)
    along = {name: rng.normal(size=array.shape) for name, array in point.arrays.items()}
    inputs = [tf.constant(trial.x), *map(tf.constant, trial.state)]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        values = tf.nest.flatten(trial.layer(inputs[0], initial_state=inputs[1:], **point.masks))
        loss = tf.add_n([tf.reduce_sum(value * cotangent) for value, cotangent in zip(values, point.cotangents)])
    came = tape.gradient(loss, [*trial.layer.trainable_weights, *inputs])
    slopes = {  # a gradient is None where the loss does not depend on it
        name: 0.0 if gradient is None else np.sum(np.asarray(gradient) * along[name])
        for name, gradient in zip(point.arrays, came)
    }
    directions = [along] if case else [along, *({name: along[name]} for name in along)]
    for direction in directions:
        wanted = interpret.derivative(point.loss, point.arrays, direction, step)
        np.testing.assert_allclose(sum(slopes[name] for name in direction), wanted, rtol=1e-6, atol=1e-6)


class Point:
    """Where a gradient is tried: weights, input and state by name, and a loss that weighs all that the layer returns."""

    def __init__(self, case, seed):
        self.trial, self.reference = Trial(case, draw=seed, **EVERYTHING), interpret.Reference()
        self.masks = {"mask": MASK}
        self.arrays = {f"weight {index}": w for index, w in enumerate(self.trial.weights)}
        self.arrays |= {"x": self.trial.x, **{f"state {index}": s for index, s in enumerate(self.trial.state)}}
        rng = np.random.default_rng(seed)
        self.cotangents = [rng.normal(size=value.shape) for value in self.outcome(self.arrays)]

    def outcome(self, at):
        weights, state = ([at[name] for name in at if name.startswith(kind)] for kind in ("weight", "state"))
        return scanned(self.trial.oracle, weights, at["x"], state, reference=self.reference, **self.masks)

    def loss(self, at):
        return sum(np.sum(value * cotangent) for value, cotangent in zip(self.outcome(at), self.cotangents))


# --- masks ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "masks", [{"mask": MASK}, {"lengths": LENGTHS}, {"mask": MASK, "lengths": LENGTHS}], ids="-".join
)
@each_case
def test_masks(case, masks):
    trial = Trial(case, **EVERYTHING)
    close(
        trial.layer(trial.x, initial_state=trial.state, **masks),
        scanned(trial.oracle, trial.weights, trial.x, trial.state, **masks),
    )
    close(trial.layer(trial.x, **masks), scanned(trial.oracle, trial.weights, trial.x, **masks))


def hidden(x):
    """With no numbers in the masked steps: of what is masked nothing reaches anything."""
    return np.where(MASK.reshape(BATCH, STEPS, *[1] * (x.ndim - 2)), x, np.nan)


def test_a_masked_step_is_as_if_deleted():
    trial = Trial({}, return_sequences=True, return_state=True)
    outputs, *final = trial.layer(hidden(trial.x), initial_state=trial.state, mask=MASK)
    for row in range(BATCH):
        steps = np.flatnonzero(MASK[row])
        state = [s[row : row + 1] for s in trial.state]
        if not len(steps):
            close([s[row : row + 1] for s in final], state)
            assert not np.any(outputs[row])
            continue
        alone, *ended = trial.layer(trial.x[row : row + 1, steps], initial_state=state)
        close([s[row : row + 1] for s in final], ended)
        close(np.asarray(outputs)[row, steps], alone[0])
        assert not np.any(outputs[row, : steps[0]])


# --- one result, however it is run ----------------------------------------------------------------------------------


def slopes(layer, x, state, masks):
    """What a layer returns, and the derivatives of a loss of all of it, by state, x and weights; and those of these."""
    x, state = tf.constant(x), [tf.constant(value) for value in state]
    xs = [x]
    with tf.GradientTape() as second:
        second.watch([*xs, *state])
        with tf.GradientTape() as tape:
            tape.watch([*xs, *state])
            values = tf.nest.flatten(layer(x, initial_state=state, **masks))
            loss = tf.add_n([tf.reduce_sum(tf.sin(value)) for value in values])
        first = tape.gradient(loss, [*state, *xs, *layer.trainable_weights], unconnected_gradients="none")
        size = tf.add_n([tf.reduce_sum(tf.square(slope)) for slope in first if slope is not None])
    more = second.gradient(size, [*state, *xs])
    return [*values, *(zeros(value, loss) for value in (*first, *more))]


def zeros(value, like):
    """A gradient is None where the loss does not depend on it."""
    return tf.zeros([], like.dtype) if value is None or not np.any(value) else value


def test_every_way(monkeypatch):
    """In chunks or with low memory, by XLA in two shares of the batch, unrolled and step by step in Python: values and
    two orders of gradients, whatever stands in masked steps.
    """
    trial = Trial({}, **EVERYTHING)
    every_way(trial, (hidden(trial.x), trial.state, {"mask": MASK}), monkeypatch)


def every_way(trial, at, monkeypatch):
    wanted = slopes(trial.twin(unroll=True, **EVERYTHING), *at)
    close(slopes(trial.layer, *at), wanted, 1e-9)
    close(slopes(trial.twin(memory="low", **EVERYTHING), *at), wanted, 1e-9)
    in_python = tf.nest.flatten(trial.twin(debug=True, **EVERYTHING)(at[0], initial_state=at[1], **at[2]))
    close(in_python, wanted[: len(in_python)])
    monkeypatch.setattr(built, "_shares", lambda batch_size: 2)
    compiled = trial.twin(jit_compile=True, **EVERYTHING)
    with tf.GradientTape() as tape:
        values = tf.nest.flatten(compiled(at[0], initial_state=at[1], **at[2]))
        loss = tf.add_n([tf.reduce_sum(tf.sin(value)) for value in values])
    came = [zeros(slope, loss) for slope in tape.gradient(loss, compiled.trainable_weights)]
    count = len(values) + len(trial.state) + 1
    close([*values, *came], [*wanted[: len(values)], *wanted[count : count + len(came)]], 1e-9)


def test_as_a_cell_of_keras():
    trial = Trial({}, return_sequences=True, return_state=True)
    rnn = keras.layers.RNN(
        built.LayerNormLSTMPerGateCell(**trial.arguments, dtype="float64"),
        return_sequences=True,
        return_state=True,
        dtype="float64",
    )
    x = trial.x
    rnn.build(x.shape)
    set_weights(rnn, trial.weights)
    masks = {"mask": MASK}
    close(rnn(x, **masks), trial.layer(x, **masks))


def test_one_trace_for_all_lengths():
    trial, traces = Trial({}, return_sequences=True), []
    specs = tf.TensorSpec([None, None, *trial.x.shape[2:]], tf.float64)

    @tf.function(input_signature=[specs])
    def run(x):
        traces.append(x)
        return trial.layer(x)

    for steps in (1, 3, STEPS):
        x = trial.x[:, :steps]
        close(run(x), trial.layer(x))
    assert len(traces) == 1


def test_samples_do_not_mix():
    trial = Trial({}, **EVERYTHING)
    order = np.random.default_rng(1).permutation(BATCH)
    came = trial.layer(trial.x[order], initial_state=[s[order] for s in trial.state])
    close(
        came, [np.asarray(value)[order] for value in tf.nest.flatten(trial.layer(trial.x, initial_state=trial.state))]
    )


@each_case
def test_save_and_load(case, tmp_path):
    trial = Trial(case, return_sequences=True)
    model = keras.Sequential([keras.Input((None, *trial.x.shape[2:]), dtype="float64"), trial.layer])
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    close(loaded(trial.x), trial.layer(trial.x))
    assert loaded.layers[-1].get_config() == trial.layer.get_config()


def test_float32():
    """Within 5e-5 of float64 over these steps: some hundred roundings of 6e-8, and room for what they grow to."""
    trial = Trial({}, dtype="float32", **EVERYTHING)
    close(trial.layer(trial.x.astype("float32")), scanned(trial.oracle, trial.weights, trial.x), 5e-5)


@pytest.mark.parametrize("policy, bound", [("mixed_bfloat16", 0.2), ("mixed_float16", 0.03)])
def test_mixed_precision(policy, bound):
    trial = Trial({}, dtype=policy, return_sequences=True)
    came = trial.layer(trial.x.astype("float32"))
    assert came.dtype == trial.layer.compute_dtype and all(w.dtype == "float32" for w in trial.layer.weights)
    close(tf.cast(came, tf.float64), scanned(trial.oracle, trial.weights, trial.x)[0], bound)


def test_arguments_are_checked():
    trial = Trial({})
    with pytest.raises(ValueError, match="must be of a floating dtype"):
        trial.layer(trial.x.astype("int32"))
    with pytest.raises(ValueError, match="`state` must be"):
        trial.layer(trial.x, initial_state=[s[..., :-1] for s in trial.state])
    for name, value in trial.arguments.items():
        wrong = {**trial.arguments, name: "no such thing"}
        with pytest.raises(ValueError, match=f"`{name}` must be"):
            built.LayerNormLSTMPerGateCell(**wrong)


def test_what_is_traced():
    """Of every step what the oracle computes from the state before it, and zeros of a masked one."""
    for masks in [{}, {"mask": MASK}]:
        trial = Trial({}, return_gates=True, return_all_states=True)
        _, states, told = trial.layer(trial.x, initial_state=trial.state, **masks)
        states = [np.asarray(value) for value in tf.nest.flatten(states)]
        before = [np.concatenate([first[:, None], value[:, :-1]], 1) for first, value in zip(trial.state, states)]
        for t in range(STEPS):
            x = trial.x[:, t]
            named = trial.oracle.evaluate(trial.weights, x, [value[:, t] for value in before])
            for name, came in zip(["z", "i", "f", "g", "o"], tf.nest.flatten(told), strict=True):
                wanted = np.broadcast_to(named[name], came[:, t].shape)
                on = MASK[:, t] if masks else np.ones(BATCH, bool)
                close(came[:, t], wanted * on.reshape(BATCH, *[1] * (wanted.ndim - 1)))
