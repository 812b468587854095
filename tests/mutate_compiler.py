"""Breaks the compiler on purpose, one place at a time, and lists what no test sees:

    python -m tests.mutate_compiler [--area derivatives] [--sample 200] [--jobs 2] [--state FILE]

Each worker has a copy of the checkout and a process that has the libraries ready. For each mutant it writes the changed
module there, and a fork runs the area's tests, the quick ones first, until one fails. What is in the state file is not
tried again, so a run that was stopped goes on. Exit code 1: there are survivors that `EQUIVALENT` does not explain.
"""

import argparse
import json
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.compiler_mutants import Mutant, mutants

CHECKOUT = Path(__file__).resolve().parent.parent
COPIED = ("cellgen", "templates", "specs", "tests", "generated", "pyproject.toml", "README.md")
SECONDS = 240  # of one mutant; the tests of an area take less than a quarter of it


@dataclass(frozen=True)
class Area:
    """What is broken, and the tests that must see it, the quick ones first."""

    modules: tuple[str, ...]
    tests: tuple[str, ...]


BUILT = (
    "tests/test_build.py::test_the_committed_files_are_what_build_writes",
    "tests/test_derived.py",
    "tests/test_build.py::test_every_operation_runs_as_the_oracle_says",
)

AREAS = {
    "derivatives": Area(
        ("adjoint", "derive", "sums", "values", "place", "commute", "centre"),
        ("tests/test_adjoint.py", "tests/test_rederive.py::test_every_cotangent_is_a_derivative", *BUILT),
    ),
    "shapes": Area(
        ("rules", "algebra", "infer", "dims", "context"),
        (
            "tests/test_interpret.py",
            "tests/test_diagnostics.py",
            "tests/test_oracles.py",
            "tests/test_bounds.py",
            *BUILT,
        ),
    ),
    "ranges": Area(
        ("ranges", "enclose", "gates"),
        ("tests/test_analyse.py", "tests/test_laws.py", "tests/test_diagnostics.py"),
    ),
    "emission": Area(
        ("emit", "lower", "through", "statements", "scanview", "parts"),
        ("tests/test_schedule.py", *BUILT),
    ),
    "schedule": Area(
        ("schedule", "hoist", "widen", "gather", "slab", "flow", "merged"),
        ("tests/test_schedule.py", "tests/test_rederive.py::test_every_cotangent_is_a_derivative", *BUILT),
    ),
    "meaning": Area(
        ("evaluate", "arithmetic", "interpret"),
        ("tests/test_arithmetic.py", "tests/test_interpret.py", "tests/test_oracles.py", "tests/test_noise.py"),
    ),
}

# survivors that compute the same, each with the reason: (module, name)
EQUIVALENT: dict[tuple[str, str], str] = {}


@dataclass(frozen=True)
class Job:
    area: str
    module: str
    mutant: Mutant

    @property
    def key(self) -> str:
        return f"{self.module} {self.mutant.name}"


@dataclass(frozen=True)
class Outcome:
    """died: whether a test failed, or the mutant did not come to an end."""

    area: str
    key: str
    died: bool
    seconds: float


def jobs(area: str, sample: int | None, seed: int) -> list[Job]:
    """The mutants of an area; a sample of them is the same at each call."""
    found = [
        Job(area, module, mutant)
        for module in AREAS[area].modules
        for mutant in mutants((CHECKOUT / "cellgen" / f"{module}.py").read_text(encoding="utf-8"))
    ]
    if sample is not None and sample < len(found):
        chosen = sorted(random.Random(f"{seed} {area}").sample(range(len(found)), sample))
        found = [found[index] for index in chosen]
    return found


# --- a worker ----------------------------------------------------------------


def prepare(folder: Path) -> None:
    """Copies the checkout and compiles it, so that a fork compiles the changed module alone."""
    for name in COPIED:
        source = CHECKOUT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, folder / name)
    os.chdir(folder)
    sys.path[:] = [str(folder), *(path for path in sys.path if path not in ("", str(CHECKOUT)))]
    os.environ |= {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    import compileall

    compileall.compile_dir(folder / "cellgen", quiet=1)
    for name in [name for name in sys.modules if name.partition(".")[0] in ("tests", "cellgen")]:
        del sys.modules[name]
    import hypothesis  # noqa: F401 - what a fork need not import again
    import jinja2  # noqa: F401
    import keras  # noqa: F401
    import pydantic  # noqa: F401
    import pytest  # noqa: F401
    import ruamel.yaml  # noqa: F401
    import sympy  # noqa: F401
    import tensorflow  # noqa: F401

    sys.dont_write_bytecode = True


def killed(tests: tuple[str, ...]) -> bool:
    """Whether a fork that runs the tests ends in anything but success."""
    child = os.fork()
    if child == 0:
        os.setsid()
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        survives = False
        try:
            survives = all(passed(test) for test in tests)
        finally:
            os._exit(0 if survives else 1)
    limit = time.monotonic() + SECONDS
    while time.monotonic() < limit:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status != 0
        time.sleep(0.02)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return True


def passed(test: str) -> bool:
    import pytest

    return pytest.main(["-x", "-q", "-p", "no:cacheprovider", test]) == 0


def work(todo, done) -> None:
    with tempfile.TemporaryDirectory(prefix="mutants-") as temporary:
        folder = Path(temporary)
        prepare(folder)
        while (job := todo.get()) is not None:
            path = folder / "cellgen" / f"{job.module}.py"
            before, start = path.read_text(encoding="utf-8"), time.monotonic()
            path.write_text(job.mutant.text, encoding="utf-8")
            try:
                died = killed(AREAS[job.area].tests)
            finally:
                path.write_text(before, encoding="utf-8")
            done.put(Outcome(job.area, job.key, died, round(time.monotonic() - start, 1)))
        done.put(None)


# --- the run ----------------------------------------------------------------


def known(state: Path | None) -> dict[str, Outcome]:
    if state is None or not state.exists():
        return {}
    found = (Outcome(**json.loads(line)) for line in state.read_text(encoding="utf-8").splitlines())
    return {outcome.key: outcome for outcome in found}


def run(todo: list[Job], count: int, state: Path | None) -> Iterator[Outcome]:
    context = multiprocessing.get_context("spawn")
    asked, answered = context.Queue(), context.Queue()
    for job in (*todo, *[None] * count):
        asked.put(job)
    workers = [context.Process(target=work, args=(asked, answered), daemon=False) for _ in range(count)]
    for worker in workers:
        worker.start()
    left = count
    while left:
        outcome = answered.get()
        if outcome is None:
            left -= 1
            continue
        if state is not None:
            with state.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(outcome)) + "\n")
        yield outcome
    for worker in workers:
        worker.join()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--area", action="append", choices=AREAS, help="may be given again; all of them otherwise")
    parser.add_argument("--sample", type=int, help="how many of each area; all of them otherwise")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--state", type=Path, help="outcomes so far, a line each")
    given = parser.parse_args()
    todo = [job for area in given.area or AREAS for job in jobs(area, given.sample, given.seed)]
    outcomes = known(given.state)
    wanted = {job.key for job in todo}
    fresh = [job for job in todo if job.key not in outcomes]
    print(f"{len(todo)} mutants, {len(fresh)} of them not tried yet", flush=True)
    for outcome in run(fresh, given.jobs, given.state):
        outcomes[outcome.key] = outcome
        if not outcome.died:
            print(f"survives: {outcome.key} ({outcome.seconds} s)", flush=True)
    mine = [outcome for key, outcome in outcomes.items() if key in wanted]
    open_ = [each for each in mine if not each.died and tuple(each.key.split(" ", 1)) not in EQUIVALENT]
    for area, count in Counter(each.area for each in mine).items():
        print(f"{area}: {count} mutants, {sum(each.area == area for each in open_)} survivors")
    return 1 if open_ else 0


if __name__ == "__main__":
    sys.exit(main())
