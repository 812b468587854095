"""Whether the layer computes what the equations say, and whether its gradients are their derivatives."""

import numpy as np
import tensorflow as tf

from cellgen.interpret import Reference, derivative
from cellgen.testing.check import check
from cellgen.testing.difference import Difference, Value, same
from cellgen.testing.subject import Subject
from cellgen.testing.trial import EVERYTHING, Numbers, Trial, applies

STEP = 1e-4  # of finite differences, at most
FAR = 300  # steps that an argument keeps from a kink


@check
def step(subject: Subject, case, sizes) -> None:
    """The cell by itself, for two steps."""
    trial = subject.trial(case, sizes)
    same("the shapes of the weights", [w.shape for w in trial.weights], list(trial.oracle.weights.values()))
    for t in range(2):
        x = trial.at(t)
        came = trial.layer.cell(x, trial.state)
        trial.close(
            came, trial.oracle.step(trial.weights, x, trial.state), trial.stepped, how=f"of the input, step {t}"
        )


@check
def scan(subject: Subject, case) -> None:
    """The layer, from its own first state and from a given one; backwards, and the last output alone, where no option
    is given: none is asked for what to run.
    """
    trial = subject.trial(case)
    trial.close(trial.layer(trial.x), trial.scanned(with_state=False), how="from the cell's own first state")
    wanted = trial.scanned()
    trial.close(trial.layer(trial.x, initial_state=trial.state), wanted, how="from a given state")
    if case:
        return
    turned = trial.twin(go_backwards=True)(trial.each_step(lambda x: x[:, ::-1]), initial_state=trial.state)
    trial.close(turned, wanted, how="go_backwards=True, of the input turned")
    last = trial.twin(**dict.fromkeys(EVERYTHING, False))(trial.x, initial_state=trial.state)
    trial.close(last, wanted[0][:, -1], trial.stepped[:1], how="return_sequences=False")


@check
def gradients(subject: Subject, case) -> None:
    """Against finite differences, their step chosen so that no argument crosses a kink (of relu, clip, where...); and
    those that TensorFlow has of the steps against them, where what a surrogate says of a gradient is in no value.
    """
    trial = subject.trial(case)
    point = _far_from_kinks(trial)
    step = min(STEP, point.reference.margin / FAR)
    if step <= 1e-8:
        raise Difference("every point is at a kink, where differences do not tell the derivative")
    came, rng = point.gradients(), np.random.default_rng(0)
    along = {name: rng.normal(size=point.arrays[name].shape) for name in came}
    slopes = {name: np.sum(gradient * along[name]) for name, gradient in came.items()}

    def agree(*names: str) -> None:
        wanted = derivative(point.loss, point.arrays, {name: along[name] for name in names}, step)
        of = names[0] if len(names) == 1 else "all of them at once"
        value = Value(f"the gradient of {of}, along a random direction")
        how = f"of a loss that weighs all that is returned, by finite differences in steps of {step:.2g}"
        trial.close(sum(slopes[name] for name in names), wanted, [value], 1e-6, how)

    for name in along if not case else ():
        agree(name)
    try:
        agree(*along)
    except Difference:
        for name in along:  # it is one of them
            agree(name)
        raise
    if applies(trial.cell, "straight_through"):
        of_steps = point.gradients(unroll=True)
        reached = [name for name in came if np.any(came[name]) or np.any(of_steps[name])]
        values = [Value(f"the gradient of {name}") for name in reached]
        trial.close([of_steps[name] for name in reached], [came[name] for name in reached], values, 1e-9, "unroll=True")


def _far_from_kinks(trial: Trial) -> "Point":
    """The first point of three that lets a step be as long as it may, or else the one that lets it be longest."""
    tried = []
    for seed in range(3):
        tried.append(Point(trial, seed))
        if tried[-1].reference.margin >= FAR * STEP:
            return tried[-1]
    return max(tried, key=lambda point: point.reference.margin)


class Point:
    """Where a gradient is tried: all that a loss depends on by name. The loss weighs all that the layer returns."""

    def __init__(self, trial: Trial, seed: int):
        self.trial, self.reference = trial, Reference()
        self.numbers = trial.drawn(seed) if seed else trial.numbers
        x, state, weights = self.numbers
        self._x = {f"input `{name}`": array for name, array in trial.by_name(x).items()}
        self._state = {f"state `{name}`": array for name, array in zip(trial.states, state)}
        self._weights = {f"weight `{name}`": array for name, array in zip(trial.oracle.weights, weights, strict=True)}
        self.arrays = {**self._weights, **self._x, **self._state}
        rng = np.random.default_rng(seed)
        self.cotangents = [rng.normal(size=value.shape) for value in self.outcome(self.arrays)]

    def outcome(self, at) -> list[np.ndarray]:
        x = dict(zip(self.trial.by_name(self.numbers.x), (at[name] for name in self._x)))
        numbers = Numbers(
            self.trial.as_given(x), [at[name] for name in self._state], [at[name] for name in self._weights]
        )
        return self.trial.scanned(numbers, reference=self.reference, **self.trial.masks)

    def loss(self, at) -> float:
        return sum(np.sum(value * cotangent) for value, cotangent in zip(self.outcome(at), self.cotangents))

    def gradients(self, **arguments) -> dict[str, np.ndarray]:
        """The layer's, or those of one with further arguments, of all but what is not trained. One is None where the
        loss does not depend on it.
        """
        own = self.numbers is self.trial.numbers and not arguments
        layer = self.trial.layer if own else self.trial.twin(self.numbers.weights, **arguments)
        x, state = self.trial.each(tf.constant, self.numbers.x), [*map(tf.constant, self.numbers.state)]
        inputs = [*self.trial.by_name(x).values(), *state]
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            values = tf.nest.flatten(layer(x, initial_state=state, **self.trial.masks))
            loss = tf.add_n([tf.reduce_sum(value * cotangent) for value, cotangent in zip(values, self.cotangents)])
        came = tape.gradient(loss, [*layer.trainable_weights, *inputs])
        names = [*(f"weight `{name}`" for name in self.trial.trained), *self._x, *self._state]
        return {name: np.zeros(1) if slope is None else np.asarray(slope) for name, slope in zip(names, came)}
