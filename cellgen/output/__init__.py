"""Text to files, all or none; to a module in memory; and to the verdict of its tests."""

from cellgen.output.files import Obstructed, changes, create, put, sweep, update
from cellgen.output.in_memory import module
from cellgen.output.pytest_run import verify
from cellgen.output.stamp import checksum, stamped

__all__ = ["Obstructed", "changes", "checksum", "create", "module", "put", "stamped", "sweep", "update", "verify"]
