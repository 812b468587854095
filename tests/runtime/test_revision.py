"""What cells read of the runtime, written down: it does not change unless its number does."""

import inspect
from pathlib import Path

import pytest

from cellgen import runtime
from cellgen.emit.runtime_file import RUNTIME, runtime_view
from cellgen.runtime import revision

READ = Path(__file__).with_name("read_by_cells.txt")


def told():
    """The file's text: the names, functions with their parameters."""
    yield f"{RUNTIME}, revision {revision.REVISION}"
    for name in sorted(runtime.__all__):
        value = getattr(runtime, name)
        parameters = ", ".join(inspect.signature(value).parameters) if inspect.isfunction(value) else ""
        if hasattr(value, "__dataclass_fields__"):
            parameters = ", ".join(value.__dataclass_fields__)
        yield f"{name}({parameters})" if callable(value) else name


def test_what_cells_read_is_what_is_written_down():
    """Where this fails: one more for `REVISION` if there is more to read, for `INTERFACE` if something was changed or
    is no longer there; then the file is to say what is there now.
    """
    assert READ.read_text(encoding="utf-8").splitlines() == [*told()]


def test_a_cell_says_which_revision_it_needs():
    assert (runtime_view().module, runtime_view().revision) == (RUNTIME, revision.REVISION)


def test_older_ones_are_needed_too():
    revision.needs(0), revision.needs(revision.REVISION)
    with pytest.raises(ImportError, match=f"this is revision {revision.REVISION}, not 99") as told:
        revision.needs(99)
    assert told.value.name == "needs"
