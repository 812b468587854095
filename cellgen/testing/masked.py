"""What becomes of a masked step."""

import numpy as np
import tensorflow as tf

from cellgen.testing.check import check
from cellgen.testing.difference import Value, close, refuses
from cellgen.testing.subject import Subject
from cellgen.testing.trial import BATCH, LENGTHS, MASK


@check
def a_mask_is_refused(subject: Subject) -> None:
    """Of a cell without a rule for masked steps."""
    trial = subject.trial({})
    for masks in ({"mask": MASK}, {"lengths": LENGTHS}):
        how = f"a call with {', '.join(masks)}"
        refuses(how, lambda: trial.layer(trial.x, **masks), "no rule for a masked step")  # noqa: B023 - called at once


@check
def masks(subject: Subject, case) -> None:
    """As the oracle runs them, from a given state and from the cell's own, which an option changes only where a masked
    step starts anew. Lengths are made a mask before anything asks for an option, so that they are tried without one.
    """
    trial = subject.trial(case)
    for given in ({"mask": MASK}, {"lengths": LENGTHS}, {"mask": MASK, "lengths": LENGTHS})[: 1 if case else None]:
        told = " and ".join(given)
        came = trial.layer(trial.x, initial_state=trial.state, **given)
        trial.close(came, trial.scanned(**given), how=f"{told}, from a given state")
        if case and trial.cell.mask.kind == "hold":
            continue
        own = trial.layer(trial.x, **given)
        trial.close(own, trial.scanned(with_state=False, **given), how=f"{told}, from the cell's own first state")


@check
def a_masked_step_is_as_if_deleted(subject: Subject) -> None:
    """Of a cell that holds its state: each sample by itself, with the steps alone that count."""
    trial = subject.trial({})
    outputs, final = _ended(trial, trial.layer(trial.hidden(), initial_state=trial.state, mask=MASK))
    states = [Value(f"final state `{name}`", ("the one sample",)) for name in trial.states]
    for row in range(BATCH):
        steps, how = np.flatnonzero(MASK[row]), f"sample {row}, its steps without the masked ones"
        state = [s[row : row + 1] for s in trial.state]
        first = steps[0] if len(steps) else MASK.shape[1]
        before = [Value("outputs before any step that counts", ("step",))]
        close(outputs[row, :first], np.zeros_like(outputs[row, :first]), before, 0.0, how)
        if not len(steps):
            close([s[row : row + 1] for s in final], state, states, subject.bound, how)
            continue
        x = trial.each_step(lambda x: x[:, steps], trial.each(lambda x: x[row : row + 1]))  # noqa: B023
        alone, ended = _ended(trial, trial.layer(x, initial_state=state))
        close([s[row : row + 1] for s in final], ended, states, subject.bound, how)
        close(outputs[row, steps], alone[0], [Value("outputs of the steps that count", ("step",))], subject.bound, how)


def _ended(trial, came) -> tuple[np.ndarray, list[np.ndarray]]:
    """Outputs and the final state."""
    outputs, *rest = map(np.asarray, tf.nest.flatten(came))
    return outputs, rest[: len(trial.state)]


@check
def a_masked_step_starts_anew(subject: Subject) -> None:
    """Of a cell that resets: as if the states named had been their own first ones."""
    trial = subject.trial({})
    x, fresh = trial.each_step(lambda x: x[:, :1]), trial.layer.get_initial_state(BATCH)
    reset = trial.cell.mask.states
    state = [fresh[at] if name in reset else given for at, (name, given) in enumerate(zip(trial.states, trial.state))]
    came = trial.layer(x, initial_state=trial.state, mask=np.zeros([BATCH, 1], bool))
    trial.close(came, trial.layer(x, initial_state=state), how="a masked step, and one that was given a first state")
