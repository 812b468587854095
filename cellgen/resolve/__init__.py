"""A document to a `Cell`: every name in it is found."""

from cellgen.resolve.binding import bind
from cellgen.resolve.declarations import Declared, declare
from cellgen.resolve.equations import initialisers, resolve
from cellgen.resolve.options import called, choices
from cellgen.resolve.scope import Scope
from cellgen.resolve.weight_initialisers import plain

__all__ = ["Declared", "Scope", "bind", "called", "choices", "declare", "initialisers", "plain", "resolve"]
