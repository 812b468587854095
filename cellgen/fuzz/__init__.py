"""Random cells against independent oracles."""

from cellgen.fuzz.command import fuzz

__all__ = ["fuzz"]
