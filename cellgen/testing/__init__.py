"""What generated tests do: a cell as TensorFlow runs it, held to the interpreter of its spec.

A generated test file says what is tested, a module and its spec, sizes and cases, and names what holds of it: each
`test_...` of it is one of the checks here.

    SUBJECT = testing.Subject(built=built, spec=SPEC, checksum="...", bound=1e-11, sizes=[...], cases=[...])

    test_step = SUBJECT.test(testing.step)
    test_scan = SUBJECT.test(testing.scan)

A check looks at the spec for what the cell has: its inputs, its rule for masked steps, what training draws. What is off
is told with its place, both numbers, and the command that runs the test again.
"""

from cellgen.testing.difference import Difference
from cellgen.testing.fused import on_cudnn
from cellgen.testing.masked import (
    a_mask_is_refused,
    a_masked_step_is_as_if_deleted,
    a_masked_step_starts_anew,
    masks,
)
from cellgen.testing.precision import arguments_are_checked, float32, mixed_precision
from cellgen.testing.started import initial_values
from cellgen.testing.subject import Subject, rates
from cellgen.testing.training import (
    training_draws_by_seed,
    training_every_way,
    training_scan,
    training_step,
    what_is_scheduled_is_set_while_running,
    what_is_traced,
)
from cellgen.testing.trial import BATCH, EVERYTHING, LENGTHS, MASK, STEPS, Trial
from cellgen.testing.values_and_gradients import gradients, scan, step
from cellgen.testing.ways import (
    as_a_cell_of_keras,
    every_way,
    one_trace_for_all_lengths,
    samples_do_not_mix,
    save_and_load,
)

__all__ = [
    "BATCH",
    "Difference",
    "EVERYTHING",
    "LENGTHS",
    "MASK",
    "STEPS",
    "Subject",
    "Trial",
    "a_mask_is_refused",
    "a_masked_step_is_as_if_deleted",
    "a_masked_step_starts_anew",
    "arguments_are_checked",
    "as_a_cell_of_keras",
    "every_way",
    "float32",
    "gradients",
    "initial_values",
    "masks",
    "mixed_precision",
    "on_cudnn",
    "one_trace_for_all_lengths",
    "rates",
    "samples_do_not_mix",
    "save_and_load",
    "scan",
    "step",
    "training_draws_by_seed",
    "training_every_way",
    "training_scan",
    "training_step",
    "what_is_scheduled_is_set_while_running",
    "what_is_traced",
]
