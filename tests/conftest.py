"""What all tests share."""

import gc
import os
import sys
from datetime import date
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parent.parent / "generated"))  # for what generated code imports

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before anything imports TensorFlow


QUICK = "--xla_backend_optimization_level=0"  # what makes its code quick, not right, takes XLA long


def pytest_configure(config):
    full, day = config.getoption("--full"), config.getoption("--day")
    if not full:
        os.environ.setdefault("XLA_FLAGS", QUICK)
    os.environ.setdefault("CELLGEN_TENTH", "all" if full else str(day.toordinal() % 10))  # workers have it from here
    config.pluginmanager.register(InTurn())


class InTurn:
    """Of the tests of generated cells, those of the specs that are tried today; the others are not even imported."""

    @pytest.hookimpl
    def pytest_ignore_collect(self, collection_path: Path, config):
        from tests.shipped import SHIPPED, everyday

        stem = collection_path.stem.removeprefix("test_")
        asked = any(str(each).split("::")[0].endswith(collection_path.name) for each in config.invocation_params.args)
        if collection_path.parent.name == "generated" and stem in SHIPPED and not asked and not everyday(stem):
            return True


def pytest_collection_finish(session):
    """What is imported stays: the collector need not look through a million objects again and again."""
    gc.collect()
    gc.freeze()


def pytest_addoption(parser):
    parser.addoption("--full", action="store_true", help="also run the tests marked `full`, which take minutes")
    help = "the day of whose tenth of the shipped specs the tests run (default: today)"
    parser.addoption("--day", type=date.fromisoformat, default=date.today(), metavar="YYYY-MM-DD", help=help)


def pytest_collection_modifyitems(config, items):
    if config.getoption("--full"):
        return
    full = [item for item in items if item.get_closest_marker("full")]
    config.hook.pytest_deselected(items=full)
    items[:] = [item for item in items if item not in full]
