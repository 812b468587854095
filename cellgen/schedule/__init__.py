"""A `TypedCell` to a `Plan`: what runs before the loop, in it, on the way back and after it."""

from cellgen.schedule.lowering import GIVEN, Block, Slot, Step, lower, statements
from cellgen.schedule.parts import Line, measured, uses
from cellgen.schedule.plan import Plan, Run, Segment, schedule

__all__ = [
    "Block",
    "GIVEN",
    "Line",
    "Line",
    "Plan",
    "Run",
    "Segment",
    "Slot",
    "Step",
    "lower",
    "measured",
    "schedule",
    "statements",
    "uses",
]
