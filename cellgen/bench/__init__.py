"""Generated layers against what else there is, on one machine."""

from cellgen.bench.command import bench

__all__ = ["ENVIRONMENT", "bench", "machine"]


def __getattr__(name: str):
    if name in ("ENVIRONMENT", "machine"):
        from cellgen.bench import run  # and with it all that measures: only where something is run

        return getattr(run, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
