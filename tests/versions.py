"""Tries Pythons and TensorFlows: `python tests/versions.py [--python 3.10] [--tensorflow 2.16] [--folder DIR] [TESTS]`.

Each pair gets a virtual environment with the project installed as README says, and that TensorFlow with its Keras; the
tests of the generated files run in it, or the tests that are named. A Python comes from `python3.X` on the path, from
pyenv, or from uv, which brings those that are missing. Environments in --folder are kept for the next run.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent

PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
# with the first Keras that it was released beside; "" is whatever pip takes
TENSORFLOWS = {"2.16": "3.3.3", "2.17": "3.5.0", "2.18": "3.6.0", "2.19": "3.9.2", "2.20": "3.11.3", "2.21": ""}
TESTS = ("generated",)


@dataclass(frozen=True)
class Trial:
    """One pair, and what came of it."""

    python: str
    tensorflow: str
    keras: str
    result: str

    def __str__(self) -> str:
        return f"| {self.python} | {self.tensorflow} | {self.keras} | {self.result} |"


def interpreter(python: str) -> str | None:
    """A Python of that version, or None."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = [*sorted(pyenv.glob(f"{python}.*/bin/python")), shutil.which(f"python{python}")]
    if uv := shutil.which("uv"):
        subprocess.run([uv, "python", "install", "--quiet", python], stdin=subprocess.DEVNULL, check=False)
        said = subprocess.run([uv, "python", "find", python], capture_output=True, text=True, stdin=subprocess.DEVNULL)
        found.append(said.stdout.strip())
    return next((str(each) for each in found if each and _version(each) == python), None)


def _version(program) -> str:
    command = [program, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout.strip()


def tried(python: str, tensorflow: str, folder: Path, tests: tuple[str, ...]) -> Trial:
    """What the tests say of one pair."""
    program = interpreter(python)
    if program is None:
        return Trial(python, tensorflow, "", "not tried: no such Python here")
    place, keras = folder / f"{python}-{tensorflow}", TENSORFLOWS[tensorflow]
    inner = place / "bin" / "python"
    wanted = [f"tensorflow=={tensorflow}.*", *([f"keras=={keras}"] if keras else [])]
    if not (place / "ready").exists():
        shutil.rmtree(place, ignore_errors=True)
        _run([program, "-m", "venv", place])
        done = _run([inner, "-m", "pip", "install", "--quiet", *wanted, f"{CHECKOUT}[test]"])
        if done.returncode:
            return Trial(python, tensorflow, keras, f"not tried: {_refusal(done.stderr)}")
        _run([inner, "-m", "pip", "uninstall", "--quiet", "--yes", "cellgen"])  # the checkout is what is tried
        (place / "ready").touch()
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [inner, "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider", *tests]
    done = _run(command, cwd=CHECKOUT, env=environment)
    (folder / f"{python}-{tensorflow}.log").write_text(done.stdout + done.stderr, encoding="utf-8")
    versions = _run([inner, "-c", "import keras, tensorflow as tf; print(tf.__version__, keras.__version__)"])
    return Trial(python, *(versions.stdout.split()[-2:] or (tensorflow, keras)), _last(done.stdout))


def _run(command, **how) -> subprocess.CompletedProcess:
    text = [str(part) for part in command]
    return subprocess.run(text, capture_output=True, text=True, stdin=subprocess.DEVNULL, **how)


def _refusal(said: str) -> str:
    """Why pip installed nothing."""
    if "No matching distribution found for tensorflow" in said:
        return "TensorFlow has no wheel for this Python"
    return _last(said)


def _last(text: str) -> str:
    return next((line.strip("= ") for line in reversed(text.splitlines()) if line.strip()), "nothing was said")


def trials(pythons, tensorflows, folder: Path, tests) -> Iterator[Trial]:
    for python in pythons:
        for tensorflow in tensorflows:
            yield tried(python, tensorflow, folder, tests)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", action="append", choices=PYTHONS, help="may be given again; all of them otherwise")
    parser.add_argument("--tensorflow", action="append", choices=TENSORFLOWS, help="may be given again")
    parser.add_argument("--folder", type=Path, help="where the environments are kept; a temporary one otherwise")
    parser.add_argument("tests", nargs="*", default=TESTS)
    given = parser.parse_args()
    failed = 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        print("| Python | TensorFlow | Keras | tests |\n|---|---|---|---|", flush=True)
        for trial in trials(given.python or PYTHONS, given.tensorflow or TENSORFLOWS, folder, tuple(given.tests)):
            print(trial, flush=True)
            failed += "passed" not in trial.result and "not tried" not in trial.result or "failed" in trial.result
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
