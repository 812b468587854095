"""The laws of a cell, and what is looked at in every cell: proved, refuted by numbers, or unknown."""

from cellgen.prove.law import PROVED, REFUTED, spoken
from cellgen.prove.meaning import defaults
from cellgen.prove.recognition import recognise
from cellgen.prove.verdicts import Verdict, Verdicts, judge, laws

__all__ = ["PROVED", "REFUTED", "Verdict", "Verdicts", "defaults", "judge", "laws", "recognise", "spoken"]
