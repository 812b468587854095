"""What all tests share."""

import gc
import os
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent / "generated"))  # for what generated code imports

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before anything imports TensorFlow


QUICK = "--xla_backend_optimization_level=0"  # what makes its code quick, not right, takes XLA long


def pytest_configure(config):
    if not config.getoption("--full"):
        os.environ.setdefault("XLA_FLAGS", QUICK)


def pytest_collection_finish(session):
    """What is imported stays: the collector need not look through a million objects again and again."""
    gc.collect()
    gc.freeze()


def pytest_addoption(parser):
    parser.addoption("--full", action="store_true", help="also run the tests marked `full`, which take minutes")


def pytest_collection_modifyitems(config, items):
    if config.getoption("--full"):
        return
    full = [item for item in items if item.get_closest_marker("full")]
    config.hook.pytest_deselected(items=full)
    items[:] = [item for item in items if item not in full]
