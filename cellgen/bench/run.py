"""`cellgen bench`: workloads to a report.

Everything runs on the CPU, float32. A training step is the gradient of mean(square(outputs)) with respect to all
weights and the input; the optimizer, the same for everyone, is left out.
"""

import os
import platform
from collections.abc import Callable
from dataclasses import astuple, dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from cellgen.bench import goals
from cellgen.bench.fresh_process import Failed, Ran, fresh
from cellgen.bench.lineup import LINEUPS, LOW, OURS, RNN, UNROLLING, Contestant, chosen
from cellgen.bench.results import LeftOut, Limit, Report, Row
from cellgen.bench.stopwatch import Timing, turns
from cellgen.bench.workloads import WORKLOADS, Shape, Workload, resized

ENVIRONMENT = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "CUDA_VISIBLE_DEVICES": "-1",
    "JAX_PLATFORMS": "cpu",
}
LIBRARIES = "tensorflow", "keras", "torch", "jax"
RUNS_OUT = 4000  # steps: what TensorFlow itself keeps for the backward pass of longer loops fills the memory
SMALL, LARGE = 512, 4096  # the matmul that the limit is told by, with `--quick` and without
FEWER = 3  # times: processes take seconds to start


@dataclass(frozen=True, slots=True)
class Settings:
    """How much is run: see `Contestant` for who, `stopwatch.race` for repeats and patience (seconds)."""

    quick: bool = False
    repeats: int = 7
    patience: float = 10.0
    only: tuple[str, ...] = ()
    peers: bool = True
    batches: tuple[int, ...] = ()
    units: int | None = None

    def workload(self, name: str) -> Workload:
        found = WORKLOADS[name]
        found = replace(found, shapes=found.quick) if self.quick else found
        return resized(found, self.batches, self.units) if name == "W6" else found

    def lineup(self, workload: Workload, shape: Shape | None = None) -> tuple[Contestant, ...]:
        """Those who are wanted, whether or not they are installed."""
        lineup = LINEUPS[workload.name]
        if workload.name == "W1" and shape == workload.shapes[-1]:
            lineup = UNROLLING
        if workload.name == "W6" and shape is not None and shape.steps > RUNS_OUT:
            lineup = tuple(each for each in lineup if not each.peer)
        return chosen(lineup, self.only, self.peers)


@dataclass(frozen=True, slots=True)
class Found:
    """What one workload adds to the report."""

    rows: tuple[Row, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    limits: tuple[Limit, ...] = ()

    def to(self, report: Report) -> Report:
        peaks = [each.peak for each in (*report.limits, *self.limits)]
        return replace(
            report,
            peak=median(peaks) if peaks else None,
            rows=report.rows + self.rows,
            left_out=report.left_out + self.left_out,
            limits=report.limits + self.limits,
        )


Begin = Callable[[str], object]


def machine() -> dict[str, str]:
    """What it runs on."""
    known = Path("/proc/cpuinfo")
    lines = known.read_text().splitlines() if known.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    out = {
        "processor": models[0] if models else platform.processor() or platform.machine(),
        "cores": str(cores),
        "system": platform.system(),
        "Python": platform.python_version(),
    }
    for library in LIBRARIES:
        try:
            out[library] = version(library)
        except PackageNotFoundError:
            out[library] = "not installed"
    return out


def begin() -> Report:
    """The report's head. What the frameworks read from the environment is set before they are imported."""
    os.environ.update({name: os.environ.get(name, value) for name, value in ENVIRONMENT.items()})
    return Report(machine())


def tasks(name: str, settings: Settings) -> int:
    """How often `measure` says that it begins something."""
    workload = settings.workload(name)
    if name == "W7":
        return len(_commands("")) * _fewer(settings)
    if name == "lengths":
        return len(settings.lineup(workload))
    contests = [len(_present(settings.lineup(workload, shape))) for shape in workload.shapes]
    total = len(workload.measures) * sum(count + 2 for count in contests if count)  # the matmul, and the rounds
    return total + (len(_climbers(workload, settings)) if name == "W6" else 0)


def measure(name: str, settings: Settings, begin: Begin) -> Found:
    """One workload. begin: called with what is begun."""
    workload = settings.workload(name)
    if name == "W7":
        return _run_commands(settings, begin)
    if name == "lengths":
        return _vary(workload, settings, begin)
    found = _contests(workload, settings, begin)
    return _with_memory(found, workload, settings, begin) if name == "W6" else found


def apart(name: str, settings: Settings, begin: Begin) -> Found:
    """`measure` in a process of its own: what another workload left behind, threads and memory, costs it some per cent.

    A process that ends without a word, of memory say, leaves its workload out. Raises what `measure` raises.
    """
    spawn = get_context("spawn")
    ours, theirs = spawn.Pipe(duplex=False)
    process = spawn.Process(target=_child, args=(theirs, name, settings))
    process.start()
    theirs.close()
    try:
        while not isinstance(came := ours.recv(), Found):
            if isinstance(came, Exception):
                raise came
            begin(came)
    except EOFError:
        process.join()
        return Found(
            left_out=(LeftOut(name, "all of it", f"its process ended, exit code {process.exitcode}", failed=True),)
        )
    finally:
        process.kill()
        process.join()
    return came


def _child(connection: Connection, name: str, settings: Settings) -> None:
    try:
        connection.send(measure(name, settings, connection.send))
    except Exception as error:
        connection.send(error)


# --- layers against layers ------------------------------------------------------------------------------------------


def _present(lineup: tuple[Contestant, ...]) -> tuple[Contestant, ...]:
    return tuple(each for each in lineup if not each.missing)


def _contests(workload: Workload, settings: Settings, begin: Begin) -> Found:
    from cellgen.bench.contest import contest

    reference = next(each for each in LINEUPS[workload.name] if each.name == RNN)
    rows, left_out, limits = [], [], []
    for shape in workload.shapes:
        lineup = settings.lineup(workload, shape)
        left_out += [LeftOut(workload.name, each.name, each.missing) for each in lineup if each.missing]
        if not _present(lineup):
            continue
        more, others, ends = contest(
            workload,
            shape,
            _present(lineup),
            reference,
            repeats=settings.repeats,
            patience=settings.patience,
            size=SMALL if settings.quick else LARGE,
            begin=begin,
        )
        rows += more
        left_out += others
        limits += ends
    return Found(tuple(rows), tuple(dict.fromkeys(left_out)), tuple(limits))


# --- processes of their own -----------------------------------------------------------------------------------------


def _fewer(settings: Settings) -> int:
    return max(1, settings.repeats // FEWER)


def _climbers(workload: Workload, settings: Settings) -> tuple[Contestant, ...]:
    return tuple(each for each in _present(settings.lineup(workload)) if each.name in (OURS, LOW, RNN))


def _with_memory(found: Found, workload: Workload, settings: Settings, begin: Begin) -> Found:
    """The rows with the most memory of a training step, each contestant in a process of its own."""
    peaks: dict[tuple, int | None] = {}
    left_out = []
    for each in _climbers(workload, settings):
        begin(f"{workload.name} memory: {each.name}")
        at = [row.shape for row in found.rows if row.contestant == each.name]
        shapes = sorted({s for s in at if s.batch == workload.shapes[0].batch}, key=lambda shape: shape.steps)
        if shapes:
            call = f"climb({workload.name!r}, {each.name!r}, {[astuple(shape) for shape in shapes]})"
            try:
                ran = fresh("from cellgen.bench.in_own_process import climb", call)
            except Failed as error:
                left_out.append(LeftOut(workload.name, f"memory of {each.name}", str(error), failed=True))
                continue
            peaks |= {(each.name, shape): most for shape, most in zip(shapes, ran.result, strict=True)}
    rows = tuple(replace(row, peak=peaks.get((row.contestant, row.shape))) for row in found.rows)
    return replace(found, rows=rows, left_out=(*found.left_out, *left_out))


def _vary(workload: Workload, settings: Settings, begin: Begin) -> Found:
    """Traces and compilations where no two lengths are the same."""
    rows, left_out = [], []
    sizes = [astuple(shape) for shape in workload.shapes]
    for each in settings.lineup(workload):
        begin(f"{workload.name}: {each.name}")
        with TemporaryDirectory() as folder:
            flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_dump_to={folder}".strip()
            call = f"pass_through({each.name!r}, {sizes}, {6 * settings.patience})"
            try:
                ran = fresh("from cellgen.bench.in_own_process import pass_through", call, {"XLA_FLAGS": flags})
            except Failed as error:
                left_out.append(LeftOut(workload.name, each.name, str(error), failed=True))
                continue
            compilations = len(list(Path(folder).glob("*before_optimizations.txt")))  # XLA dumps one for each
        first, again, traces = (ran.result[name] for name in ("first", "again", "traces"))
        done = f"{len(first)} lengths" if len(first) == len(sizes) else f"only {len(first)} of {len(sizes)} lengths"
        note = f"{done}: {traces} traced, {compilations} compiled; first call: all of them"
        timing = Timing(sum(first), tuple(again))
        rows.append(Row(workload.name, workload.shapes[-1], each.name, "training", timing, note, ran.peak))
    return Found(tuple(rows), tuple(left_out))


def _commands(folder: str) -> dict[str, tuple[str, str]]:
    """What W7 runs: a program, and an expression for the seconds that count; None: all of it."""
    command = "from cellgen.cli import main\nassert main({}) == 0"
    path = f"import sys\nsys.path.insert(0, {folder!r})\n"
    imported = (
        f"{path}from time import perf_counter\nimport tensorflow\ntensorflow.keras.layers\nbegan = perf_counter()"
    )
    return {
        goals.IMPORT_SYMPY: ("import sympy", "None"),
        goals.CHECK: (command.format(["check", "layer_norm_lstm"]), "None"),
        goals.BUILD: (command.format(["build", "layer_norm_lstm", "-o", folder]), "None"),
        goals.IMPORT: (f"{imported}\nimport layer_norm_lstm\nseconds = perf_counter() - began", "seconds"),
    }


def _run_commands(settings: Settings, begin: Begin) -> Found:
    """Each in a process of its own, by turns."""
    with TemporaryDirectory() as folder:
        programs = _commands(folder)
        fresh(*programs[goals.BUILD])  # there is something to import, and byte code of cellgen
        ran: dict[str, list[Ran]] = {name: [] for name in programs}
        for round in range(_fewer(settings)):
            for name in turns(list(programs), round):
                begin(f"W7: {name}")
                ran[name].append(fresh(*programs[name]))
    notes = {goals.IMPORT: "beyond TensorFlow and its Keras"}
    rows = []
    for name, all_of_them in ran.items():
        seconds = [each.seconds if each.result is None else each.result for each in all_of_them]
        peak = all_of_them[0].peak
        rows.append(Row("W7", None, name, "run", Timing(seconds[0], tuple(seconds)), notes.get(name, ""), peak))
    return Found(tuple(rows))


def finish(report: Report) -> Report:
    """With the verdicts on the goals."""
    return replace(report, verdicts=goals.verdicts(report))
