"""Breaks the compiler on purpose, one place at a time, and lists what no test sees:

    python -m tests.mutate_compiler [--area derivatives] [--kind condition] [--sample 200] [--jobs 2] [--state FILE]

Each worker has a copy of the checkout and a process that has the libraries and the modules ready. For each mutant it
writes the changed module there, and a fork imports that and its readers anew and runs those of the area's tests that
come to the changed lines (`reach`), the quick ones first, until one fails; without a mutant all must pass. What is in
the state file is not tried again, so a run that was stopped goes on. Exit code 1: there are survivors that `EQUIVALENT`
does not explain.
"""

import argparse
import ast
import importlib
import json
import multiprocessing
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType

from tests.checkout import CHECKOUT
from tests.compiler_mutants import KINDS, Mutant, mutants
from tests.reach import Reach, module_of, recorded

COPIED = ("cellgen", "templates", "specs", "tests", "generated", "pyproject.toml", "README.md")
SECONDS, TIMES = 60, 4  # of processor time that tests may take: some, and so many times what they took
SOON = 6  # seconds of the tests that are collected first
FOREIGN = ("bench.jax_peers", "bench.torch_peers")  # they import libraries that need not be there


@dataclass(frozen=True)
class Area:
    """What is broken, and the tests that must see it: groups of what pytest is given, the quick ones first."""

    modules: tuple[str, ...]
    tests: tuple[tuple[str, ...], ...]


def _written(*stems: str) -> tuple[str, ...]:
    return tuple(f"tests/emit/test_build.py::test_the_committed_files_are_what_build_writes[{stem}]" for stem in stems)


FEW = _written("simple_rnn", "lstm", "layer_norm_lstm")
WRITTEN = ("tests/emit/test_build.py::test_the_committed_files_are_what_build_writes",)
NUMBERS = ("tests/schedule/test_numbers.py",)
CELLS = ("tests/contract/test_every_cell.py", "-k", "not shown")
GRADIENTS = ("tests/derive/test_derived.py",)
PLANS = ("tests/schedule/test_plans.py",)
SCHEDULES = ("tests/schedule/test_schedule.py", "-k", "not inference_keeps and not hm_lstm")
RUN = ("tests/fuzz/test_fuzz.py", "-k", "where_it_ran")
DIAGNOSTICS = ("tests/diagnostics/test_diagnostics.py",)

AREAS = {
    "derivatives": Area(
        (
            "derive.derivative_rules",
            "derive.reverse_mode",
            "derive.sums",
            "derive.stored_values",
            "derive.occurrence",
            "derive.commuting",
            "derive.centring",
        ),
        (
            FEW,
            ("tests/derive/test_adjoint.py",),
            PLANS,
            WRITTEN,
            NUMBERS,
            SCHEDULES,
            (*GRADIENTS, "-k", "plain_loop or kink"),
            ("tests/derive/test_rederive.py",),
        ),
    ),
    "shapes": Area(
        ("shapes.rules", "ir.algebra", "shapes.infer", "resolve.dims", "shapes.context"),
        (
            ("tests/shapes/test_shapes.py",),
            FEW,
            ("tests/text/test_bounds.py", "-k", "labels or dims or factors or rank"),
            ("tests/interpret/test_interpret.py",),
            DIAGNOSTICS,
            PLANS,
            WRITTEN,
            NUMBERS,
            CELLS,
        ),
    ),
    "ranges": Area(
        ("ir.intervals", "ir.op_ranges", "ir.elementary", "prove.enclose", "prove.bounding", "analyse.gating"),
        (
            ("tests/prove/test_intervals.py",),
            ("tests/prove/test_range_table.py",),
            ("tests/prove/test_law_ranges.py", "tests/analyse/test_analyse.py"),
            ("tests/prove/test_law_soundness.py", "tests/prove/test_hazards.py"),
            ("tests/prove/test_laws.py", "-k", "a_range_is or ends or polynomial or gate"),
            DIAGNOSTICS,
            ("tests/prove/test_law_faults.py",),
            ("tests/text/test_bounds.py", "-k", "chain_of_values or digits or work"),
        ),
    ),
    "emission": Area(
        (
            "emit.expressions",
            "schedule.lowering",
            "schedule.products",
            "emit.statements",
            "emit.scan_view",
            "schedule.parts",
            "ir.free_names",
        ),
        (
            FEW,
            PLANS,
            WRITTEN,
            CELLS,
            NUMBERS,
            SCHEDULES,
            (*GRADIENTS, "-k", "plain_loop"),
            (*DIAGNOSTICS, "-k", "CG601"),
            ("tests/test_cli.py", "-k", "of_a_folder_build_leaves_out"),
            RUN,
        ),
    ),
    "schedule": Area(
        (
            "schedule.plan",
            "derive.hoisting",
            "schedule.widen",
            "schedule.gather",
            "schedule.packing",
            "schedule.flow",
            "shapes.join",
        ),
        (FEW, PLANS, WRITTEN, NUMBERS, SCHEDULES, CELLS),
    ),
    "meaning": Area(
        ("interpret.evaluation", "interpret.arithmetic", "interpret.instance"),
        (
            ("tests/interpret/test_arithmetic.py", "tests/interpret/test_interpret.py"),
            NUMBERS,
            ("tests/interpret/test_oracles.py",),
            ("tests/contract/test_noise.py", "-k", "hand or checked or mistake or law or dropped"),
        ),
    ),
}

# survivors that compute the same, each with the reason: the module, and what it has with the mutant alone
EQUIVALENT: dict[tuple[str, str], str] = {
    ("interpret.instance", "at: int=1"): "the number of a single step only has to be the same each time",
    (
        "interpret.evaluation",
        "and have.level.has_batch == want.level.has_batch:",
    ): "a way around work that changes nothing",
    (
        "emit.expressions",
        "return size if not alone else f'({size})'",
    ): "parentheses: a product by a quotient that divides",
    ("ir.op_ranges", "'matmul': lambda x, epsilon: REAL"): "two rules that are the same",
    ("ir.op_ranges", "value = end[0] if end[0] > 3 else"): "both arms are 3 there",
    ("ir.algebra", "for at in range(len(axis) + 1):"): "what is shorter than two is no quotient by a dim",
    ("schedule.lowering", "self.node(value, (*path, 0), True, sure)"): "whether a norm in a view has a line of its own",
}


def path_of(checkout: Path, module: str) -> Path:
    return checkout.joinpath("cellgen", *module.split(".")).with_suffix(".py")


@dataclass(frozen=True)
class Job:
    area: str
    module: str
    mutant: Mutant

    @property
    def key(self) -> str:
        return f"{self.module} {self.mutant.name}"

    @property
    def computes_the_same(self) -> bool:
        """Whether `EQUIVALENT` says so."""
        changed = {*self.mutant.text.splitlines()} - {*self.mutant.original.splitlines()}
        return any(module == self.module and any(said in line for line in changed) for module, said in EQUIVALENT)


@dataclass(frozen=True)
class Outcome:
    """by: the test that failed, or did not come to an end; None if it survived."""

    area: str
    key: str
    by: str | None
    seconds: float


def jobs(area: str, sample: int | None, seed: int, kinds: Collection[str] = tuple(KINDS)) -> list[Job]:
    """The mutants of an area, of some kinds; a sample of them is the same at each call."""
    found = [
        Job(area, module, mutant)
        for module in AREAS[area].modules
        for mutant in mutants(path_of(CHECKOUT, module).read_text(encoding="utf-8"))
        if mutant.kind in kinds
    ]
    if sample is not None and sample < len(found):
        chosen = sorted(random.Random(f"{seed} {area}").sample(range(len(found)), sample))
        found = [found[index] for index in chosen]
    return [job for job in found if not job.mutant.says_the_same]


# --- a worker ----------------------------------------------------------------


def prepare(folder: Path) -> None:
    """Copies the checkout and imports what it needs, compiled, so that a fork imports anew what a mutant changes."""
    for name in COPIED:
        source = CHECKOUT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, folder / name)
    os.chdir(folder)
    sys.path[:] = [str(folder), *(path for path in sys.path if path not in ("", str(CHECKOUT)))]
    os.environ |= {"PYTHONPATH": str(folder), "TF_CPP_MIN_LOG_LEVEL": "3", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    files = {group[0].partition("::")[0] for area in AREAS.values() for group in area.tests}
    collecting = [sys.executable, "-m", "pytest", "-q", "--collect-only", "-p", "no:cacheprovider", *sorted(files)]
    subprocess.run(collecting, stdout=subprocess.DEVNULL, check=True)  # it leaves the tests as pytest compiles them
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    for name in [name for name in sys.modules if _ours(name)]:
        del sys.modules[name]
    import hypothesis  # noqa: F401 - what a fork need not import again
    import jinja2  # noqa: F401
    import keras  # noqa: F401
    import pydantic  # noqa: F401
    import pytest  # noqa: F401
    import ruamel.yaml  # noqa: F401
    import sympy  # noqa: F401
    import tensorflow  # noqa: F401

    for path in sorted((folder / "cellgen").rglob("[a-z]*.py")):
        if (name := module_of(path)) not in FOREIGN:
            importlib.import_module(f"cellgen.{name}")
    sys.dont_write_bytecode = True


def _ours(name: str) -> bool:
    return name.partition(".")[0] in ("tests", "cellgen")


def readers(folder: Path) -> dict[str, set[str]]:
    """Of each module of cellgen, those that read it, directly or not, and itself."""
    reads = {}
    for path in (folder / "cellgen").rglob("*.py"):
        found = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.ImportFrom(module="cellgen"):
                    found |= {alias.name for alias in node.names}
                case ast.ImportFrom(module=str(module)) if _ours(module):
                    name = module.partition(".")[2]
                    found |= {name, *(f"{name}.{alias.name}" for alias in node.names)}
        reads[module_of(path)] = found
    return {name: _above(name, reads) for name in reads}


def _above(name: str, reads: dict[str, set[str]]) -> set[str]:
    found, count = {name}, 0
    while len(found) > count:
        count = len(found)
        found |= {each for each, below in reads.items() if below & found}
    return found


def forgotten(module: str, read_by: dict[str, set[str]]) -> None:
    """Lets go of a module, and of all that read it."""
    for name in read_by[module]:
        sys.modules.pop(f"cellgen.{name}", None)
        package, _, last = f"cellgen.{name}".rpartition(".")
        if isinstance(getattr(sys.modules.get(package), last, None), ModuleType):
            delattr(sys.modules[package], last)


class Chosen:
    """Of what is collected, the chosen tests in their order; says in a pipe which it was that failed."""

    def __init__(self, names: Collection[str], tell: int):
        self.place, self.tell = {name: at for at, name in enumerate(names)}, tell

    def pytest_collection_modifyitems(self, items):
        items[:] = sorted(
            (each for each in items if each.nodeid in self.place), key=lambda each: self.place[each.nodeid]
        )

    def pytest_runtest_logstart(self, nodeid):
        os.write(self.tell, f"{nodeid}\n".encode())


def killer(module: str, read_by: dict[str, set[str]], tests: dict[str, float]) -> str | None:
    """The test in which a fork does not end well; None if it passes them all."""
    with tempfile.TemporaryFile() as told:
        child = os.fork()
        if child == 0:
            quiet = os.open(os.devnull, os.O_WRONLY)
            os.dup2(quiet, 1)
            os.dup2(quiet, 2)
            survives = False
            try:
                forgotten(module, read_by)
                survives = all(passed(names, sum(map(tests.get, names)), told.fileno()) for names in stages(tests))
            finally:
                os._exit(0 if survives else 1)
        _, status = os.waitpid(child, 0)
        told.seek(0)
        begun = told.read().decode().splitlines()
    return None if status == 0 else begun[-1] if begun else "collecting"


def stages(tests: dict[str, float]) -> Iterator[list[str]]:
    """Those that take SOON together, and the rest: to collect what is not needed takes time."""
    soon, spent = [], 0.0
    for name, seconds in tests.items():
        if soon and (spent := spent + seconds) > SOON:
            break
        soon.append(name)
    yield from filter(None, (soon, [name for name in tests if name not in {*soon}]))


def passed(names: list[str], seconds: float, tell: int) -> bool:
    import pytest

    allowed = int(time.process_time() + SECONDS + TIMES * seconds)
    resource.setrlimit(resource.RLIMIT_CPU, (allowed, resource.RLIM_INFINITY))
    files = dict.fromkeys(name.partition("::")[0] for name in names)
    return pytest.main(["-x", "-q", "-p", "no:cacheprovider", *files], plugins=[Chosen(names, tell)]) == 0


def work(todo, done) -> None:
    with tempfile.TemporaryDirectory(prefix="mutants-") as temporary:
        folder = Path(temporary)
        prepare(folder)
        read_by, sound = readers(folder), set()
        while (asked := todo.get()) is not None:
            job, tests = asked
            path = path_of(folder, job.module)
            before = path.read_text(encoding="utf-8")
            quick = dict(list(tests.items())[:3])
            if quick and job.module not in sound and (by := killer(job.module, read_by, quick)):
                done.put(f"the tests of {job.key} fail without a mutant: {by}")
                return
            sound.add(job.module)
            start = time.monotonic()
            path.write_text(job.mutant.text, encoding="utf-8")
            try:
                by = killer(job.module, read_by, tests) if tests else None
            finally:
                path.write_text(before, encoding="utf-8")
            done.put(Outcome(job.area, job.key, by, round(time.monotonic() - start, 1)))
        done.put(None)


# --- the run ----------------------------------------------------------------


def known(state: Path | None) -> dict[str, Outcome]:
    if state is None or not state.exists():
        return {}
    found = (Outcome(**json.loads(line)) for line in state.read_text(encoding="utf-8").splitlines())
    return {outcome.key: outcome for outcome in found}


def reaches(areas: Collection[str], count: int, kept: Path) -> dict[str, list[Reach]]:
    """Of each area what its groups of tests come to, recorded by so many processes at once."""
    groups = list(dict.fromkeys(group for area in areas for group in AREAS[area].tests))
    with ThreadPoolExecutor(count) as pool:
        found = dict(zip(groups, pool.map(lambda group: recorded(CHECKOUT, group, kept), groups)))
    return {area: [found[group] for group in AREAS[area].tests] for area in areas}


def tests_of(job: Job, found: list[Reach]) -> dict[str, float]:
    """The tests that come to what a mutant changes, in the order in which they are tried; of a table, all of them."""
    lines = job.mutant.lines
    parts = [each.seconds if lines is None else each.tests(job.module, lines) for each in found]
    first = {name: parts[0][name] for name in parts[0] if name in FEW}
    return first | dict(sorted((item for part in parts for item in part.items()), key=lambda item: item[1]))


def run(todo: list[Job], found: dict[str, list[Reach]], count: int, state: Path | None) -> Iterator[Outcome]:
    context = multiprocessing.get_context("spawn")
    asked, answered = context.Queue(), context.Queue()
    for job in todo:
        asked.put((job, tests_of(job, found[job.area])))
    for _ in range(count):
        asked.put(None)
    workers = [context.Process(target=work, args=(asked, answered), daemon=True) for _ in range(count)]
    for worker in workers:
        worker.start()
    left = count
    while left:
        outcome = answered.get()
        if isinstance(outcome, str):
            raise SystemExit(outcome)
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
    parser.add_argument("--kind", action="append", choices=KINDS, help="may be given again; all of them otherwise")
    parser.add_argument("--sample", type=int, help="how many of each area; all of them otherwise")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--state", type=Path, help="outcomes so far, a line each")
    parser.add_argument("--reach", type=Path, help="a folder that keeps which tests come to which lines")
    given = parser.parse_args()
    todo = [
        job for area in given.area or AREAS for job in jobs(area, given.sample, given.seed, given.kind or tuple(KINDS))
    ]
    outcomes = known(given.state)
    wanted = {job.key for job in todo}
    fresh = [job for job in todo if job.key not in outcomes]
    random.Random(given.seed).shuffle(fresh)  # what was tried when a run is stopped is a sample
    print(f"{len(todo)} mutants, {len(fresh)} of them not tried yet", flush=True)
    areas = list(dict.fromkeys(job.area for job in fresh))
    found = reaches(areas, given.jobs, given.reach or Path(tempfile.mkdtemp(prefix="reach-")))
    for outcome in run(fresh, found, given.jobs, given.state):
        outcomes[outcome.key] = outcome
        if outcome.by is None:
            print(f"survives: {outcome.key} ({outcome.seconds} s)", flush=True)
    mine = [outcome for key, outcome in outcomes.items() if key in wanted]
    same = {job.key for job in todo if job.computes_the_same}
    open_ = [each for each in mine if each.by is None and each.key not in same]
    for area, count in Counter(each.area for each in mine).items():
        print(f"{area}: {count} mutants, {sum(each.area == area for each in open_)} survivors")
    return 1 if open_ else 0


if __name__ == "__main__":
    sys.exit(main())
