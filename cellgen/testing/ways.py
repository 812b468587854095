"""One result, however the layer is run."""

import numpy as np
import tensorflow as tf

from cellgen.testing.check import check
from cellgen.testing.difference import Value, same
from cellgen.testing.subject import Subject
from cellgen.testing.trial import BATCH, SAMPLES, SEQUENCE, STEPS, Trial, set_weights

keras = tf.keras


@check
def every_way(subject: Subject, monkeypatch) -> None:
    """In chunks or with low memory, by XLA in two shares of the batch, unrolled and step by step in Python: values and
    two orders of gradients, whatever stands in masked steps; by XLA one, for the next is a graph like that in chunks.
    """
    trial = subject.trial({})
    in_every_way(trial, trial.hidden(), monkeypatch, **trial.masks)


def in_every_way(trial: Trial, x, monkeypatch, **how) -> None:
    """The same, of a trial and further arguments of a call."""
    values, against = [*trial.everything, *_slopes_of(trial)], "against unroll=True"
    wanted = _slopes(trial.twin(unroll=True), trial, x, how)
    trial.close(_slopes(trial.layer, trial, x, how), wanted, values, 1e-9, f"in chunks, {against}")
    low = _slopes(trial.twin(memory="low"), trial, x, how)
    trial.close(low, wanted, values, 1e-9, f"memory='low', {against}")
    in_python = trial.twin(debug=True)(x, initial_state=trial.state, **how)
    trial.close(in_python, wanted[: len(trial.everything)], how=f"debug=True, {against}")
    monkeypatch.setattr(trial.subject.built.recurrent.Scan, "shares", lambda scan, batch_size: 2)
    by_xla = _slopes(trial.twin(jit_compile=True), trial, x, how, twice=False)
    few = len(by_xla)
    trial.close(by_xla, wanted[:few], values[:few], 1e-9, f"jit_compile=True, in two shares, {against}")


def _slopes(layer, trial: Trial, x, how, twice: bool = True) -> list[tf.Tensor]:
    """What a layer returns, and the derivatives of a loss of all of it, by state, x and weights; twice: and those of
    these.
    """
    x, state = trial.each(tf.constant, x), [tf.constant(value) for value in trial.state]
    sources = [*state, *trial.by_name(x).values()]
    with tf.GradientTape() as second:
        second.watch(sources if twice else [])
        with tf.GradientTape() as tape:
            tape.watch(sources)
            values = tf.nest.flatten(layer(x, initial_state=state, **how))
            loss = tf.add_n([tf.reduce_sum(tf.sin(value)) for value in values])
        first = tape.gradient(loss, [*sources, *layer.trainable_weights], unconnected_gradients="none")
        size = tf.add_n([tf.reduce_sum(tf.square(slope)) for slope in first if slope is not None])
    more = second.gradient(size, sources) if twice else []
    return [*values, *(_zeros(value, loss) for value in (*first, *more))]


def _zeros(value, like):
    """A gradient is None where the loss does not depend on it."""
    return tf.zeros([], like.dtype) if value is None or not np.any(value) else value


def _slopes_of(trial: Trial) -> list[Value]:
    """The derivatives among those."""
    sources = [Value(f"state `{name}`", SAMPLES) for name in trial.states]
    for port in trial.ports:
        sources.append(Value(f"input `{port.name}`", SAMPLES if port.constant else SEQUENCE))
    first = [*sources, *(Value(f"weight `{name}`") for name in trial.oracle.weights)]
    return [
        *(Value(f"the gradient of {each.name}", each.axes) for each in first),
        *(Value(f"the second gradient of {each.name}", each.axes) for each in sources),
    ]


@check
def as_a_cell_of_keras(subject: Subject) -> None:
    """In Keras's own loop, which knows one input, and masked steps that hold."""
    trial = subject.trial({})
    given = {"return_sequences": True, "return_state": True, "dtype": "float64"}
    rnn = keras.layers.RNN(subject.Cell(**trial.arguments, dtype="float64"), **given)
    x = next(iter(trial.by_name(trial.x).values()))
    rnn.build(x.shape)
    set_weights(rnn, trial.weights)
    masks = trial.masks if trial.cell.mask.kind == "hold" else {}
    values = trial.everything[: 1 + len(trial.states)]
    wanted = tf.nest.flatten(trial.layer(x, **masks))[: len(values)]
    trial.close(rnn(x, **masks), wanted, values, how="in keras.layers.RNN, against the layer")


@check
def one_trace_for_all_lengths(subject: Subject) -> None:
    """A tf.function that does not know batch and time."""
    trial, traces = subject.trial({}), []
    specs = trial.each(lambda x: tf.TensorSpec([None, *x.shape[1:]], tf.float64))
    specs = trial.each_step(lambda spec: tf.TensorSpec([None, None, *spec.shape[2:]], tf.float64), specs)

    @tf.function(input_signature=[specs])
    def run(x):
        traces.append(x)
        return trial.layer(x)

    for steps in (1, 3, STEPS):
        x = trial.each_step(lambda x: x[:, :steps])  # noqa: B023 - called at once
        trial.close(run(x), trial.layer(x), how=f"{steps} steps in a tf.function, against eagerly")
    same("how often it is traced", len(traces), 1)


@check
def samples_do_not_mix(subject: Subject) -> None:
    """In another order they come to the same."""
    trial, order = subject.trial({}), np.random.default_rng(1).permutation(BATCH)
    came = trial.layer(trial.each(lambda x: x[order]), initial_state=[s[order] for s in trial.state])
    wanted = tf.nest.flatten(trial.layer(trial.x, initial_state=trial.state))
    trial.close(came, [np.asarray(value)[order] for value in wanted], how=f"the samples in the order {order}")


@check
def save_and_load(subject: Subject, case, tmp_path) -> None:
    """As a model in a file of Keras's."""
    trial = Trial(subject, case, return_state=False, return_all_states=False)
    inputs = {
        name: keras.Input(x.shape[1:] if name in trial.constants else (None, *x.shape[2:]), dtype="float64", name=name)
        for name, x in trial.by_name(trial.x).items()
    }
    inputs = trial.as_given(inputs)
    keras.Model(inputs, trial.layer(inputs)).save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    trial.close(loaded(trial.x), trial.layer(trial.x), trial.everything[:1], how="saved and loaded, against as it was")
    same("the layer's config", loaded.layers[-1].get_config(), trial.layer.get_config())
