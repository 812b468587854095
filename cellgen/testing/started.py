"""What weights start from, where formulas say it."""

import numpy as np
import tensorflow as tf

from cellgen.interpret import Starting
from cellgen.ir.initial_values import formulas
from cellgen.testing.check import check
from cellgen.testing.difference import Value, same
from cellgen.testing.subject import Subject
from cellgen.testing.trial import Trial

keras = tf.keras

# what a formula draws of, as Keras and the runtime call it, and its arguments in their order
DRAWN = {
    "RandomUniform": ("uniform", ("minval", "maxval")),
    "RandomNormal": ("normal", ("stddev",)),
    "Orthogonal": ("orthogonal", ("gain",)),
    "Identity": ("identity", ("gain",)),
}


@check
def initial_values(subject: Subject, case, monkeypatch) -> None:
    """As the oracle computes them of what was drawn, and of what other weights started from."""
    new, drawn = subject.built.recurrent.New, []
    plain, chance = new.initializer, new.bernoulli

    def initializer(self, name, **config):
        value = plain(self, name, **config)
        name, keys = DRAWN.get(name, (name, ()))
        drawn.append((name, tuple(float(config[key]) for key in keys), np.asarray(value)))
        return value

    def bernoulli(self, probability):
        value = chance(self, probability)
        drawn[-1] = "bernoulli", (float(probability),), np.asarray(value)  # it draws of a uniform one itself
        return value

    monkeypatch.setattr(new, "initializer", initializer)
    monkeypatch.setattr(new, "bernoulli", bernoulli)
    trial = Trial(subject, case)
    values = dict(zip(trial.oracle.weights, trial.initial))
    queue = iter(drawn)

    def draw(name, arguments, shape):
        came = next(queue)
        same("what is drawn", came[0], name)
        same("the shape of what is drawn", came[2].shape, shape)
        for one, other in zip(came[1], arguments, strict=True):
            trial.close([one], [other], [Value(f"an argument of `{name}`")], 1e-12)
        return came[2]

    starting = Starting(trial.oracle.settings, draw)
    for param in trial.cell.params:
        if param.name in values and any(map(formulas, (init for _, init in param.init))):
            wanted = starting.weight(param, values, values[param.name])
            trial.close([values[param.name]], [wanted], [Value(f"the initial value of `{param.name}`")], 1e-9)
