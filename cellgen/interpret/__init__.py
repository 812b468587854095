"""What a cell means, in numpy float64: the oracle that generated code is compared with."""

from cellgen.interpret.arithmetic import NUMPY, Reference, derivative, met, shifted, windows
from cellgen.interpret.evaluation import Scope, evaluate
from cellgen.interpret.initial_values import Starting
from cellgen.interpret.instance import Instance
from cellgen.interpret.settings import Settings

__all__ = [
    "Instance",
    "NUMPY",
    "Reference",
    "Scope",
    "Settings",
    "Starting",
    "derivative",
    "evaluate",
    "met",
    "shifted",
    "windows",
]
