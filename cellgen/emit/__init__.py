"""A plan to the text of a generated file and of its tests."""

from cellgen.emit.cell_view import view
from cellgen.emit.expressions import Emitter
from cellgen.emit.records import CellView, TestView
from cellgen.emit.rendering import page, render
from cellgen.emit.runtime_file import RUNTIME, defined_twice, in_one_file, runtime_file
from cellgen.emit.stack_view import stackview
from cellgen.emit.test_view import stack_testview, testview

__all__ = [
    "CellView",
    "Emitter",
    "RUNTIME",
    "TestView",
    "defined_twice",
    "in_one_file",
    "page",
    "render",
    "runtime_file",
    "stack_testview",
    "stackview",
    "testview",
    "view",
]
