"""The collector of memory, which a command that makes much and soon ends has no use for."""

import atexit
import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Nothing is collected within it: what is made there stays, and the collector would look through all of it again
    and again. Nor is it at the end of the process, which gives everything back.
    """
    atexit.unregister(gc.freeze)
    atexit.register(gc.freeze)
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
