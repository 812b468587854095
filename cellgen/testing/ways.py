"""One result, however the layer is run."""

import json

import numpy as np
import tensorflow as tf

from cellgen.testing.check import check
from cellgen.testing.difference import Value, same
from cellgen.testing.subject import Subject
from cellgen.testing.trial import BATCH, SAMPLES, SEQUENCE, STEPS, Trial

keras = tf.keras


@check
def every_way(subject: Subject, monkeypatch) -> None:
    """In chunks or with low memory, all steps at once where that can be, by XLA in two shares of the batch, unrolled
    and step by step in Python: values and gradients, whatever stands in masked steps; and the derivatives of the way
    back, which the unrolled loop has by TensorFlow.
    """
    trial = subject.trial({})
    in_every_way(trial, trial.hidden(), monkeypatch, **trial.masks)


def in_every_way(trial: Trial, x, monkeypatch, **how) -> None:
    """The same, of a trial and further arguments of a call."""
    values, against = [*trial.everything, *_slopes_of(trial)], "against unroll=True"
    scan, traced = trial.subject.built.recurrent.Scan, {"autograph": False, "jit_compile": True}
    wanted = _told(_slopes(trial.twin(unroll=True), trial, x, how, twice=True))

    def agrees(slopes, way: str) -> None:
        came = _told(slopes)
        trial.close(came, wanted[: len(came)], values[: len(came)], 1e-9, f"{way}, {against}")

    agrees(_slopes(trial.twin(memory="low"), trial, x, how), "memory='low'")
    agrees(trial.twin(debug=True)(x, initial_state=trial.state, **how), "debug=True")
    agrees(_slopes(trial.layer, trial, x, how), "in chunks")
    with monkeypatch.context() as patched:
        patched.setattr(scan, "run", _openly)
        agrees(_slopes(trial.layer, trial, x, how, twice=True), "in chunks, the way back differentiated")
    if kinds := set(trial.layer.scan.parts.values()):
        parallel = "newton" if "newton" in kinds else "scan"
        agrees(_slopes(trial.twin(parallel=parallel), trial, x, how), f"parallel={parallel!r}")
    monkeypatch.setattr(scan, "shares", lambda scan, batch_size: 2)
    by_xla = trial.twin(jit_compile=True)
    agrees(tf.function(lambda: _slopes(by_xla, trial, x, how), **traced)(), "jit_compile=True, in two shares")


def _openly(scan, xs, mask, state, fresh, arguments, *, traces, way, keep, **how):
    """`Scan.run`, whose way back a tape sees operation by operation: what a cell's own functions are differentiated to.
    That a graph of them has the same derivatives is the runtime's matter, not one cell's.
    """
    sources = scan.sources(xs, state, fresh, arguments)
    given = tf.nest.map_structure(
        lambda value: tf.stop_gradient(value) if tf.is_tensor(value) else value, (xs, mask, state, fresh, arguments)
    )
    results, _, _ = scan.all_steps(given, keep=False, **how)

    @tf.custom_gradient
    def run(*tensors):
        def back(*d_results):
            here = tf.nest.pack_sequence_as(sources, tensors), tf.nest.pack_sequence_as(results, d_results)
            return tf.nest.flatten(scan.slopes(given, here, **how))

        return tf.nest.flatten(results), back

    return *tf.nest.pack_sequence_as(results, run(*map(tf.identity, tf.nest.flatten(sources)))), ()


def _slopes(layer, trial: Trial, x, how, twice: bool = False) -> list[tf.Tensor]:
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
    return [*values, *first, *more]


def _told(slopes) -> list[np.ndarray]:
    """A gradient is None where the loss does not depend on it."""
    flat = tf.nest.flatten(slopes)
    return [np.zeros([]) if value is None or not np.any(value) else np.asarray(value) for value in flat]


def _slopes_of(trial: Trial) -> list[Value]:
    """The derivatives among those."""
    sources = [Value(f"state `{name}`", SAMPLES) for name in trial.states]
    for port in trial.ports:
        sources.append(Value(f"input `{port.name}`", SAMPLES if port.constant else SEQUENCE))
    first = [*sources, *(Value(f"weight `{name}`") for name in trial.trained)]
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
    trial.set_weights(rnn)
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
    """From what is saved of its arguments; with all options together, as a model in a file of Keras's."""
    if case != subject.cases[-1]:
        trial = subject.trial(case)
        saved = json.dumps(keras.layers.serialize(trial.layer))
        loaded = keras.layers.deserialize(json.loads(saved))
        loaded.build(trial.each(np.shape))
        trial.set_weights(loaded)
        trial.close(loaded(trial.x), trial.layer(trial.x), how="made from its config, against as it was")
        same("the layer's config", loaded.get_config(), trial.layer.get_config())
        return
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
