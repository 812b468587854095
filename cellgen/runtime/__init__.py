"""What is the same for every cell: the scan and its derivatives, the classes for Keras, arguments and messages, noise.

`cellgen build` copies it beside the cells that it writes, as one file (`emit.RUNTIME`); classes that `cellgen.compile`
makes use it in place. It imports TensorFlow and the standard library alone.
"""

import sys

from cellgen.runtime.activations import ACTIVATIONS, Activation, activation
from cellgen.runtime.arguments import (
    flag,
    number,
    number_or_none,
    require,
    size,
    size_or,
    sizes,
    word,
)
from cellgen.runtime.cell import Cell
from cellgen.runtime.constructors import ActivationLike, Constraint, Initializer, Regularizer, given
from cellgen.runtime.declarations import Port
from cellgen.runtime.functions import (
    conv_back,
    conv_kernel_back,
    dilated,
    gelu,
    hard_silu,
    heaviside,
    layer_norm,
    layer_norm_back,
    layer_norm_parts,
    leaky_relu,
    mish,
    rms_norm,
    rms_norm_back,
    rms_norm_parts,
    shift,
    softmax_back,
    softsign,
    straight_through,
)
from cellgen.runtime.fused import Fused
from cellgen.runtime.initial_values import New
from cellgen.runtime.layer import Layer, serializable
from cellgen.runtime.noise import Draw, Drawing, keep, zone
from cellgen.runtime.revision import needs
from cellgen.runtime.scan import Scan
from cellgen.runtime.stack import Stack, StackCell
from cellgen.runtime.stack_layer import StackLayer

recurrent_1 = sys.modules[__name__]  # as a generated file imports it

__all__ = [
    "ACTIVATIONS",
    "Activation",
    "ActivationLike",
    "Cell",
    "Constraint",
    "Draw",
    "Drawing",
    "Fused",
    "Initializer",
    "Layer",
    "New",
    "Port",
    "Regularizer",
    "Scan",
    "Stack",
    "StackCell",
    "StackLayer",
    "activation",
    "conv_back",
    "conv_kernel_back",
    "dilated",
    "flag",
    "gelu",
    "given",
    "hard_silu",
    "heaviside",
    "keep",
    "layer_norm",
    "layer_norm_back",
    "layer_norm_parts",
    "leaky_relu",
    "mish",
    "needs",
    "number",
    "number_or_none",
    "recurrent_1",
    "require",
    "rms_norm",
    "rms_norm_back",
    "rms_norm_parts",
    "serializable",
    "shift",
    "size",
    "size_or",
    "sizes",
    "softmax_back",
    "softsign",
    "straight_through",
    "word",
    "zone",
]
