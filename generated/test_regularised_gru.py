"""Tests of regularised_gru.py, generated from regularised_gru.yaml; run them with pytest.

The oracle is cellgen's interpreter, numpy float64, which reads the spec below.
"""

import numpy as np
import pytest
import tensorflow as tf
import regularised_gru as built

from cellgen import interpret
from cellgen.compiler import Spec

keras = tf.keras

SPEC = """\
language: 1
cell: RegularisedGRU
about: |
  GRU with dropout and recurrent_dropout, one draw for all steps, and with zoneout, anew at every step; all at rest by
  default. What is dropped of h[t-1] is dropped of the matmul alone: z * h[t-1] keeps all of it. One mask serves all
  gates; keras.layers.GRU draws one a gate where it has a recurrent_dropout.
papers: ["Gal & Ghahramani 2016, arXiv:1512.05287, eq. 8, with one mask for all gates", "Krueger et al. 2016, arXiv:1606.01305"]
dims: {input: inferred, units: required}
gates: [z, r, h]
axes:
  side: [input, recurrent]
options:
  activation: {one_of: activations, default: tanh}
  recurrent_activation: {one_of: activations, default: sigmoid}
  use_bias: true
  dropout: {default: 0.0, in: [0, 1]}
  recurrent_dropout: {default: 0.0, in: [0, 1]}
  zoneout: {default: 0.0, in: [0, 1]}
inputs:
  x: [input]
state:
  h: [units]
output: h
params:
  kernel: {shape: [input, gates*units], init: glorot_uniform}
  recurrent_kernel: {shape: [units, gates*units], init: orthogonal}
  bias: {shape: [side, gates*units], init: zeros}
mask: hold
equations: |
  a = dropout(x, dropout, per=sequence) @ kernel + (bias.input if use_bias else 0)
  b = dropout(h[t-1], recurrent_dropout, per=sequence) @ recurrent_kernel + (bias.recurrent if use_bias else 0)
  z = recurrent_activation(a.z + b.z)
  r = recurrent_activation(a.r + b.r)
  n = activation(a.h + r * b.h)
  h = zoneout(z * h[t-1] + (1 - z) * n, h[t-1], zoneout, per=step)
laws: |
  h == h[t-1]         when z == 1
  h in (-1, 1)
  reduces to gru with dropout = 0, recurrent_dropout = 0, zoneout = 0
"""

TYPED = Spec.of(SPEC, "regularised_gru").typed(laws=False)
INFERRED = {"input"}
SIZES = [
    {"input": 3, "units": 4},
    {"input": 2, "units": 3},
]
CASES = [
    {},
    {"activation": "softsign"},
    {"recurrent_activation": "tanh"},
    {"use_bias": False},
    {"dropout": 0.5},
    {"recurrent_dropout": 0.5},
    {"zoneout": 0.5},
    {
        "activation": "softsign",
        "recurrent_activation": "tanh",
        "use_bias": False,
        "dropout": 0.5,
        "recurrent_dropout": 0.5,
        "zoneout": 0.5,
    },
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
        layer = built.RegularisedGRU(**self.arguments, **arguments)
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
        built.RegularisedGRUCell(**trial.arguments, dtype="float64"),
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
            built.RegularisedGRUCell(**wrong)


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
            for name, came in zip(["z", "r", "n"], tf.nest.flatten(told), strict=True):
                wanted = np.broadcast_to(named[name], came[:, t].shape)
                on = MASK[:, t] if masks else np.ones(BATCH, bool)
                close(came[:, t], wanted * on.reshape(BATCH, *[1] * (wanted.ndim - 1)))


# --- what training draws --------------------------------------------------------------------------------------------

RATES = {"dropout": 0.4, "recurrent_dropout": 0.4, "zoneout": 0.4}
DROPPED = {"_keep_x": 0.4, "_keep_h_prev": 0.4, "_zone_h": 0.4}  # how often


def drawn(trial, monkeypatch):
    """What the layer of a trial draws, the same at each call from now on, by name."""
    noise = trial.layer.cell.noise(BATCH, STEPS)
    monkeypatch.setattr(built.RegularisedGRUCell, "noise", lambda cell, *sizes: noise)
    return arrays(noise)


def arrays(noise):
    """What is drawn, by the oracle's names."""
    return {name: np.asarray(value) for name, value in noise.items()}


def test_training_step():
    trial = Trial(RATES)
    noise = trial.layer.cell.noise(BATCH)
    assert list(noise) == list(DROPPED) and all(map(tf.is_tensor, noise.values()))
    x = trial.x[:, 0]
    came = trial.layer.cell(x, trial.state, training=True, noise=noise)
    x = {"x": x, **arrays(noise)}
    close(came, trial.oracle.step(trial.weights, x, trial.state, training=True))


def test_training_scan(monkeypatch):
    """Given what is drawn, as the oracle has it."""
    trial = Trial(RATES, **EVERYTHING)
    x = {"x": trial.x, **drawn(trial, monkeypatch)}
    masks = {"mask": MASK}
    came = trial.layer(trial.x, initial_state=trial.state, training=True, **masks)
    close(came, scanned(trial.oracle, trial.weights, x, trial.state, training=True, **masks))


def test_training_every_way(monkeypatch):
    """The same values and derivatives, given what is drawn."""
    trial = Trial(RATES, **EVERYTHING)
    drawn(trial, monkeypatch)
    masks = {"mask": MASK}
    every_way(trial, (trial.x, trial.state, {"training": True, **masks}), monkeypatch)


def test_training_draws_by_seed():
    """As many as the rates say, the same in every way for one seed, anew at each call."""
    trial = Trial(RATES, return_sequences=True, seed=7)
    first = trial.layer(trial.x, training=True)
    assert not np.allclose(trial.layer(trial.x, training=True), first)
    for way in ({"unroll": True}, {"debug": True}, {"memory": "low"}, {"jit_compile": True}):
        close(trial.twin(return_sequences=True, seed=7, **way)(trial.x, training=True), first, 1e-9)
    again = built.RegularisedGRU.from_config({**trial.layer.get_config()})
    again.build(trial.x.shape)
    set_weights(again, trial.weights)
    close(again(trial.x, training=True), first)
    for name, value in trial.layer.cell.noise(4000, 2).items():
        value = np.asarray(value)
        assert abs(np.mean(value == ("_zone" in name)) - DROPPED[name]) < 5 * (0.25 / value.size) ** 0.5
