"""Generated tests to a verdict: pytest runs them in a process of its own, so that nothing here imports TensorFlow."""

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

PASSED, FAILED, BROKEN, EMPTY = 0, 1, 2, 5  # exit codes of pytest; BROKEN: a file could not be collected


def verify(tests: Iterable[Path]) -> bool:
    """Whether all tests of some generated files pass; pytest's report goes to standard output.

    No configuration and no plugin of a project around them takes part, and nothing is left in their folder. Raises
    `RuntimeError` if pytest itself fails.
    """
    tests = list(tests)
    here = str(Path(__file__).resolve().parents[2])
    environment = {
        "TF_CPP_MIN_LOG_LEVEL": "3",
        **os.environ,
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH")])),  # this cellgen, no other
    }
    options = [
        "--quiet",
        "-p",
        "no:cacheprovider",
        "-c",
        os.devnull,
        f"--rootdir={tests[0].parent}",
        "--disable-warnings",
    ]
    done = subprocess.run([sys.executable, "-m", "pytest", *options, *map(str, tests)], env=environment, check=False)
    if done.returncode not in (PASSED, FAILED, BROKEN, EMPTY):
        raise RuntimeError(f"pytest ended with exit code {done.returncode}")
    return done.returncode == PASSED
