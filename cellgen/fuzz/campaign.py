"""Many random cells, tried in processes of their own, and what became of them: resumable, with a state on disk.

A process that dies or hangs is a failure of the cell that it tried. What is written after each few seconds says how far
the run is, so the same seed goes on where it stopped.
"""

import json
import multiprocessing
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from random import Random
from time import monotonic

from cellgen import __version__
from cellgen.fuzz.random_spec import Case, case
from cellgen.output import put

EVERY_RUN, EVERY_COMPILED = 10, 50  # of these numbers, one runs as generated code, one by XLA as well
LIMITS = {"numpy": 90, "graph": 300, "xla": 600, "shrink": 600}  # seconds until a process counts as hanging
RENEWED = {"numpy": 400, "graph": 40, "xla": 40, "shrink": 20}  # tasks after which a process makes room for another
SAVED = 5  # seconds between two states on disk

HANGS, DIES, EDITED = "the process hangs", "the process dies", "edited: "


@dataclass(frozen=True)
class Task:
    """What a process is asked to do with the cell of a number. level: `numpy`, `graph`, `xla`, or `shrink` a kind."""

    seed: int
    number: int
    level: str
    kind: str = ""


@dataclass
class Tally:
    """What became of a run. `failures`: by kind, how many, which numbers, and the smallest spec."""

    seed: int
    version: str = __version__
    next: int = 0
    ahead: list[int] = field(default_factory=list)  # finished beyond `next`
    cells: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    notes: dict[str, int] = field(default_factory=dict)
    edited: int = 0
    told: dict[str, int] = field(default_factory=dict)
    failures: dict[str, dict] = field(default_factory=dict)
    seconds: float = 0.0

    def finished(self, number: int) -> None:
        self.ahead.append(number)
        while self.next in self.ahead:
            self.ahead.remove(self.next)
            self.next += 1

    def add(self, task: Task, result: dict) -> None:
        self.cells += 1
        for name in ("refused", "told", "notes"):
            own = getattr(self, name)
            for key, count in result[name].items():
                own[key] = own.get(key, 0) + count
        self.edited += result["edited"]
        for failure in result["failures"]:
            self.fail(task, **failure)
        self.finished(task.number)

    def fail(self, task: Task, kind: str, detail: str, text: str, beside: dict[str, str]) -> None:
        record = self.failures.setdefault(kind, {"count": 0, "numbers": [], "size": None})
        record["count"] += 1
        record["numbers"] = [*record["numbers"], task.number][:1000]
        size = len(text) + sum(map(len, beside.values()))
        if record["size"] is None or size < record["size"]:
            record |= {"size": size, "number": task.number, "detail": detail, "text": text, "beside": beside}


def level_of(number: int) -> str:
    """How a number's cell is tried."""
    return "xla" if number % EVERY_COMPILED == 0 else "graph" if number % EVERY_RUN == 0 else "numpy"


# --- in a process of its own ------------------------------------------------------------------------------------------


def serve(pipe: Connection) -> None:
    """Does tasks until there are no more."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"):
        os.environ.setdefault(name, "1")  # the processes are what runs side by side
    with tempfile.TemporaryDirectory() as folder:
        for index, task in enumerate(iter(pipe.recv, None)):
            here = Path(folder) / str(index)
            here.mkdir()
            pipe.send(_shrunk(task, here) if task.kind else done(task, here))


def done(task: Task, folder: Path) -> dict:
    """What became of one cell, and of one edit of it."""
    from cellgen.fuzz.edits import edit, refused
    from cellgen.fuzz.trial import attempt

    number, tried = task.number, case(task.seed, task.number)
    outcome = attempt(tried, folder, number, _runs(task.level))
    changed = edit(tried, _drawn(task))
    (folder / "edited").mkdir()
    failure, codes = refused(changed, folder / "edited")
    failures = [_record(each, tried) for each in {each.kind: each for each in outcome.failures}.values()]
    failures += [_record(failure, changed.case)] if failure else []
    return {
        "refused": dict.fromkeys(outcome.refused, 1),
        "notes": outcome.notes,
        "told": dict.fromkeys(codes, 1),
        "edited": 1,
        "failures": failures,
    }


def _drawn(task: Task) -> Random:
    """What draws the edit of a cell."""
    return Random(f"edit {task.seed} {task.number}")


def _record(failure, tried: Case) -> dict:
    return {**asdict(failure), "text": tried.text, "beside": dict(tried.beside)}


def _runs(level: str) -> Callable | None:
    if level == "numpy":
        return None
    from cellgen.fuzz.trial_run import Runs

    return Runs(compiled=level == "xla")


def _shrunk(task: Task, folder: Path) -> dict:
    """The smallest spec that fails in this way."""
    from cellgen.fuzz.edits import edit
    from cellgen.fuzz.shrink import shrink
    from cellgen.fuzz.trial import attempt

    runs, count = _runs(task.level), iter(range(10**6))

    def place() -> Path:
        here = folder / str(next(count))
        here.mkdir()
        return here

    def same(smaller: Case) -> bool:
        found = attempt(smaller, place(), task.number, runs, only=task.kind)
        return task.kind in {failure.kind for failure in found.failures}

    tried = case(task.seed, task.number)
    if task.kind.startswith(EDITED):
        small = _edited(tried, edit(tried, _drawn(task)).kind, task.kind, place)
    else:
        small = shrink(tried, same, 60 if runs else 300)
    return {"text": small.text, "beside": dict(small.beside)}


def _edited(tried: Case, edit: str, kind: str, place: Callable[[], Path]) -> Case:
    """The smallest valid spec that an edit breaks so that the answer is wrong in this way; with the edit."""
    from cellgen.diagnostics import SpecError
    from cellgen.fuzz.edits import edits, refused
    from cellgen.fuzz.shrink import shrink
    from cellgen.fuzz.trial import spec_of

    def broken(smaller: Case) -> Case | None:
        try:
            spec_of(smaller, place()).typed()
        except SpecError:
            return None
        for each in edits(smaller):
            failure, _ = refused(each, place()) if each.kind == edit else (None, ())
            if failure is not None and failure.kind == kind:
                return each.case
        return None

    small = shrink(tried, lambda smaller: broken(smaller) is not None, 300)
    return broken(small) or small


# --- the processes ----------------------------------------------------------------------------------------------------


class _Process:
    def __init__(self):
        context = multiprocessing.get_context("spawn")
        self.pipe, other = context.Pipe()
        self.process = context.Process(target=serve, args=(other,), daemon=True)
        self.process.start()
        other.close()
        self.task: Task | None = None
        self.worn = 0.0  # 1: it makes room for another

    def begin(self, task: Task) -> None:
        self.task, self.until = task, monotonic() + LIMITS["shrink" if task.kind else task.level]
        self.worn += 1 / RENEWED["shrink" if task.kind else task.level]
        self.pipe.send(task)

    def end(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()


def each_done(tasks: Iterator[Task], jobs: int) -> Iterator[tuple[Task, dict | str]]:
    """Each task with what came of it; `HANGS` or `DIES` where nothing came."""
    processes = [_Process() for _ in range(jobs)]
    try:
        while True:
            for index, each in enumerate(processes):
                if each.task is None and (task := next(tasks, None)) is not None:
                    if each.worn >= 1:
                        each.end()
                        processes[index] = each = _Process()
                    each.begin(task)
            busy = {each.pipe: each for each in processes if each.task is not None}
            if not busy:
                return
            ready = wait(list(busy), timeout=1)
            late = [each for pipe, each in busy.items() if pipe not in ready and monotonic() > each.until]
            for each in (*(busy[pipe] for pipe in ready), *late):
                task, each.task = each.task, None
                try:
                    came = HANGS if each in late else each.pipe.recv()
                except (EOFError, OSError):
                    came = DIES
                if isinstance(came, str):
                    each.end()
                    processes[processes.index(each)] = _Process()
                yield task, came
    finally:
        for each in processes:
            each.end()


# --- a run ------------------------------------------------------------------------------------------------------------


def fuzz(tally: Tally, path: Path, most: int, until: float, jobs: int, shown: Callable[[Tally], None]) -> None:
    """Tries cells until there are `most`, or the clock says `until`; then shrinks what failed. The tally is kept."""
    began, before, saved = monotonic(), tally.seconds, monotonic()
    known = {*tally.ahead}

    def tasks() -> Iterator[Task]:
        for number in range(tally.next, most):
            if monotonic() > until:
                return
            if number not in known:
                yield Task(tally.seed, number, level_of(number))

    def save() -> None:
        tally.seconds = before + monotonic() - began
        put(path, json.dumps(asdict(tally), indent=1).encode())

    try:
        for task, came in each_done(tasks(), jobs):
            if isinstance(came, str):
                tried = case(task.seed, task.number)
                tally.fail(task, f"{came} ({task.level})", "", tried.text, dict(tried.beside))
                tally.cells += 1
                tally.finished(task.number)
            else:
                tally.add(task, came)
            shown(tally)
            if monotonic() > saved + SAVED:
                save()
                saved = monotonic()
        save()
        for task, came in each_done(shrinking(tally), jobs):
            if isinstance(came, dict):
                tally.failures[task.kind] |= {"small": came}
                shown(tally)
    finally:
        save()


def shrinking(tally: Tally) -> Iterator[Task]:
    """What failed and is not shrunk yet. What hangs or dies stays as it is."""
    for kind, record in list(tally.failures.items()):
        if "small" not in record and not kind.startswith((HANGS, DIES)):
            level = level_of(record["number"]) if kind.startswith(("generated", "run")) else "numpy"
            yield Task(tally.seed, record["number"], level, kind)


def loaded(path: Path) -> Tally | None:
    """The tally of an earlier run, if there is one."""
    return Tally(**json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else None
