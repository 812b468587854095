"""What is the same for every cell: the scan and its derivatives, arguments and messages, noise.

`cellgen build` copies it beside the cells that it writes, as one file (`emit.RUNTIME`); classes that `cellgen.compile`
makes use it in place. It imports TensorFlow and the standard library alone.
"""

import sys

from cellgen.runtime.arguments import (
    FLOATING,
    activation_name,
    batch_first,
    by_port,
    dense,
    given_state,
    if_fits,
    in_float32,
    in_parts,
    is_number,
    is_size,
    is_whole,
    of_sizes,
    once_all_fit,
    one_mask,
    own_arguments,
    registry,
    require,
    swapped,
    with_lengths,
)
from cellgen.runtime.arrays import flat, where
from cellgen.runtime.derivatives import vectorised
from cellgen.runtime.noise import KERAS_2, Drawing, in_reach, keep, zone
from cellgen.runtime.revision import needs
from cellgen.runtime.scan import Scan
from cellgen.runtime.traces import TRACES_OF

recurrent_1 = sys.modules[__name__]  # as a generated file imports it

__all__ = [
    "Drawing",
    "FLOATING",
    "KERAS_2",
    "Scan",
    "TRACES_OF",
    "activation_name",
    "batch_first",
    "by_port",
    "dense",
    "flat",
    "given_state",
    "if_fits",
    "in_float32",
    "in_parts",
    "in_reach",
    "is_number",
    "is_size",
    "is_whole",
    "keep",
    "needs",
    "of_sizes",
    "once_all_fit",
    "one_mask",
    "own_arguments",
    "recurrent_1",
    "registry",
    "require",
    "swapped",
    "vectorised",
    "where",
    "with_lengths",
    "zone",
]
