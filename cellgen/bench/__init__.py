"""Generated layers against what else there is, on one machine."""

from cellgen.bench.command import bench
from cellgen.bench.run import ENVIRONMENT, machine

__all__ = ["ENVIRONMENT", "bench", "machine"]
