"""Layers that see each other: a stack's wiring and readout become equations of its layers."""

from cellgen.stack.layer import ROLES, Stack
from cellgen.stack.readout import ALL, EACH, LAYERS, Readout, Step
from cellgen.stack.unrolled import flatten, unrolled
from cellgen.stack.wiring import wire

__all__ = ["ALL", "EACH", "LAYERS", "ROLES", "Readout", "Stack", "Step", "flatten", "unrolled", "wire"]
