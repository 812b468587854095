"""What other dtypes come to, and what is refused."""

import numpy as np
import tensorflow as tf

from cellgen.testing.check import check
from cellgen.testing.difference import refuses, same
from cellgen.testing.subject import HALVES, Subject, jumps


@check
def float32(subject: Subject) -> None:
    """Within 5e-5 of float64 over these steps: some hundred roundings of 6e-8, and room for what they grow to."""
    trial = subject.trial({}, dtype="float32")
    x = trial.each(lambda x: x.astype("float32"))
    trial.close(trial.layer(x), trial.scanned(with_state=False), bound=5e-5, how="dtype='float32'")


@check
def mixed_precision(subject: Subject, policy) -> None:
    """The outputs are near, or finite where a rounding may flip a step or a where."""
    trial = subject.trial({}, dtype=policy, return_state=False, return_all_states=False)
    came = trial.layer(trial.each(lambda x: x.astype("float32")))
    same("the dtype of the outputs", came.dtype, trial.layer.compute_dtype)
    same("the dtypes of the weights", {weight.dtype for weight in trial.layer.weights}, {"float32"})
    came = tf.cast(came, tf.float64)
    if jumps(trial.cell):
        same("whether the outputs are finite", bool(np.isfinite(came).all()), True)
        return
    wanted = trial.scanned(with_state=False)[0]
    trial.close(came, wanted, trial.everything[:1], HALVES[policy], f"dtype={policy!r}")


@check
def arguments_are_checked(subject: Subject) -> None:
    """Each by a sentence that names it."""
    trial = subject.trial({})
    whole = trial.each(lambda x: tf.cast(x, "int32"))
    # not __call__: some Keras casts
    refuses("an input of integers", lambda: trial.layer.call(whole), "must be of a floating dtype")
    short = [s[..., :-1] for s in trial.state]
    refuses("states that are too short", lambda: trial.layer(trial.x, initial_state=short), "`state` must be")
    for name in trial.arguments:
        wrong = {**trial.arguments, name: "no such thing"}
        refuses(f"{name}='no such thing'", lambda: subject.Cell(**wrong), f"`{name}` must be")  # noqa: B023
