"""How much of the runtime its own tests run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

LEAST = 95  # per cent of the lines


@pytest.mark.full  # it runs this folder once more
def test_the_runtimes_own_tests_run_it(tmp_path):
    here = Path(__file__).resolve().parent
    environment = {**os.environ, "COVERAGE_FILE": str(tmp_path / "coverage")}

    def coverage(*arguments):
        command = [sys.executable, "-m", "coverage", *arguments]
        done = subprocess.run(command, cwd=here.parents[1], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]

    coverage("run", "--source=cellgen.runtime", "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", str(here))
    coverage("report", "--show-missing", f"--fail-under={LEAST}")
