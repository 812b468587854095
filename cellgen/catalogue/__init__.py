"""`cellgen list`: the table of specs, what is said of each, and the family tree."""

from cellgen.catalogue.command import catalogue

__all__ = ["catalogue"]
