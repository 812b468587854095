"""A plan to the text of a generated file and of its tests."""

from cellgen.emit.cell_view import view
from cellgen.emit.expressions import Emitter
from cellgen.emit.records import TestView
from cellgen.emit.rendering import page, render
from cellgen.emit.runtime_file import RUNTIME, runtime_file
from cellgen.emit.stack_view import stackview
from cellgen.emit.test_view import stack_testview, testview

__all__ = [
    "Emitter",
    "RUNTIME",
    "TestView",
    "page",
    "render",
    "runtime_file",
    "stack_testview",
    "stackview",
    "testview",
    "view",
]
