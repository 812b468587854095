"""What is set, shown and drawn while a layer trains."""

import numpy as np
import tensorflow as tf

from cellgen.testing.check import check
from cellgen.testing.difference import Value, close, same
from cellgen.testing.subject import Subject, dropped, rates
from cellgen.testing.trial import BATCH, MASK, SAMPLES, STEPS, Trial
from cellgen.testing.ways import in_every_way

OUTPUTS = {"return_state": False, "return_all_states": False}


@check
def what_is_scheduled_is_set_while_running(subject: Subject) -> None:
    """In one trace, with the gradients of a layer that was made with the new value."""
    trial, traces = Trial(subject, {}, **OUTPUTS), []
    x = trial.each(tf.constant)
    values = [Value(f"the gradient of weight `{name}`") for name in trial.oracle.weights]

    def gradients(layer):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.sin(layer(x)))
        return tape.gradient(loss, layer.trainable_weights, unconnected_gradients="zero")

    @tf.function
    def step():
        traces.append(trial)
        return gradients(trial.layer)

    for value in (0.5, 1.5):
        for name in subject.scheduled:
            variable = getattr(trial.layer, name)
            trained = any(weight is variable for weight in trial.layer.trainable_weights)
            same(f"whether `{name}` is trained", trained, False)
            variable.assign(value)
        other = Trial(subject, dict.fromkeys(subject.scheduled, value), **OUTPUTS)
        trial.close(step(), gradients(other.layer), values, how=f"set to {value}, against made with {value}")
    same("how often the step is traced", len(traces), 1)


@check
def what_is_traced(subject: Subject) -> None:
    """Of every step what the oracle computes from the state before it; of a masked one that holds, zeros."""
    trial = Trial(subject, {}, return_sequences=False, return_state=False, return_gates=True)
    for masks in [{}, *([trial.masks] if trial.masks else [])]:
        _, states, told = trial.layer(trial.x, initial_state=trial.state, **masks)
        told = [np.asarray(value) for value in tf.nest.flatten(told)]
        before = _before(trial, [np.asarray(value) for value in tf.nest.flatten(states)], masks)
        for t in range(STEPS):
            named = trial.oracle.evaluate(trial.weights, trial.at(t), [value[:, t] for value in before])
            for name, came in zip(trial.cell.trace, told, strict=True):
                wanted = np.broadcast_to(named[name], came[:, t].shape)
                if masks and trial.cell.mask.kind == "hold":
                    wanted = wanted * MASK[:, t].reshape(BATCH, *[1] * (wanted.ndim - 1))
                value = Value(f"`{name}` as it is traced, step {t}", SAMPLES)
                trial.close(came[:, t], wanted, [value], how="with a mask" if masks else "")


def _before(trial: Trial, states: list[np.ndarray], masks) -> list[np.ndarray]:
    """The state that each step starts from."""
    before = [np.concatenate([first[:, None], value[:, :-1]], 1) for first, value in zip(trial.state, states)]
    if not masks or trial.cell.mask.kind != "reset":
        return before
    fresh = [np.asarray(value)[:, None] for value in tf.nest.flatten(trial.layer.get_initial_state(BATCH))]
    return [
        np.where(MASK.reshape(BATCH, STEPS, *[1] * (value.ndim - 2)), value, own)
        if name in trial.cell.mask.states
        else value
        for name, value, own in zip(trial.states, before, fresh)
    ]


# what training draws


def _dropping(subject: Subject, **arguments) -> Trial:
    """A layer of its own, which draws from its beginning."""
    return Trial(subject, rates(subject.trial({}).cell), **arguments)


def _as_arrays(noise) -> dict[str, np.ndarray]:
    """What is drawn, by the oracle's names."""
    return {name.replace("/", "_"): np.asarray(value) for name, value in noise.items()}


def _held(trial: Trial, monkeypatch) -> dict[str, np.ndarray]:
    """What the layer of a trial draws, the same at each call from now on, by name."""
    noise = trial.layer.cell.noise(BATCH, STEPS)
    monkeypatch.setattr(trial.subject.Cell, "noise", lambda cell, *sizes: noise)
    return _as_arrays(noise)


@check
def training_step(subject: Subject) -> None:
    """The cell by itself, given what is drawn."""
    trial = _dropping(subject)
    noise = trial.layer.cell.noise(BATCH)
    same("what is drawn", list(_as_arrays(noise)), list(dropped(trial.cell)))
    same("whether tensors are drawn", all(map(tf.is_tensor, noise.values())), True)
    x = trial.at(0)
    came = trial.layer.cell(x, trial.state, training=True, noise=noise)
    x = {**trial.by_name(x), **_as_arrays(noise)}
    trial.close(came, trial.oracle.step(trial.weights, x, trial.state, training=True), trial.stepped, how="training")


@check
def training_scan(subject: Subject, monkeypatch) -> None:
    """Given what is drawn, as the oracle has it."""
    trial = _dropping(subject)
    numbers = trial.numbers._replace(x={**trial.by_name(trial.x), **_held(trial, monkeypatch)})
    came = trial.layer(trial.x, initial_state=trial.state, training=True, **trial.masks)
    trial.close(came, trial.scanned(numbers, training=True, **trial.masks), how="training")


@check
def training_every_way(subject: Subject, monkeypatch) -> None:
    """The same values and derivatives, given what is drawn."""
    trial = _dropping(subject)
    _held(trial, monkeypatch)
    in_every_way(trial, trial.x, monkeypatch, training=True, **trial.masks)


@check
def training_draws_by_seed(subject: Subject) -> None:
    """As many as the rates say, the same in every way for one seed, anew at each call."""
    how = {"seed": 7, **OUTPUTS}
    trial = _dropping(subject, **how)
    outputs = trial.everything[:1]
    first = trial.layer(trial.x, training=True)
    same("whether it draws the same at its second call", np.allclose(trial.layer(trial.x, training=True), first), False)
    for way in ({"unroll": True}, {"debug": True}, {"memory": "low"}, {"jit_compile": True}):
        came = trial.twin(**how, **way)(trial.x, training=True)
        trial.close(came, first, outputs, 1e-9, f"{way}, against in chunks")
    again = subject.Layer.from_config({**trial.layer.get_config()})
    again.build(trial.each(np.shape))
    trial.set_weights(again)
    trial.close(again(trial.x, training=True), first, outputs, how="made from its config")
    for name, rate in dropped(trial.cell).items():
        value = _as_arrays(trial.layer.cell.noise(4000, 2))[name]
        often, bound = np.mean(value == ("_zone" in name)), 5 * (0.25 / value.size) ** 0.5
        close(often, rate, [Value(f"how often `{name}` drops")], bound / (1 + rate))
