"""Finds, for mutants of the compiler that no test sees, the smallest random cell of which they change something:

    python -m tests.distinguish STATE [--cells 300] [--seed 1] [--kept FOLDER]

STATE is what `tests.mutate_compiler` wrote. What is compared is the generated file, the ranges and what the
interpreter computes. A mutant that no cell tells from the compiler, though some come to its lines, may change nothing.
"""

import argparse
import hashlib
import json
import multiprocessing
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from cellgen.fuzz.random_spec import Case, case
from cellgen.fuzz.shrink import shrink
from tests.checkout import CHECKOUT
from tests.compiler_mutants import mutants
from tests.mutate_compiler import AREAS, Job, forgotten, known, path_of, prepare, readers
from tests.reach import module_of

SECONDS = 40  # for one cell


def said(text: str) -> str:
    """What the compiler says of a cell, shortened; the code of what it refuses, the name of what it dies of."""
    from random import Random

    import numpy as np

    from cellgen.compiler import Spec
    from cellgen.diagnostics.diagnostic import SpecError
    from cellgen.fuzz.random_run import run_of
    from cellgen.ir.program import Program
    from cellgen.prove.symbols import Table
    from cellgen.prove.traits import traits

    try:
        spec = Spec.of(text)
        typed = spec.typed(laws=False)
        parts = [*spec.build(tests=False).values()]
        for variant in typed.variants[:3]:
            parts.append(repr(traits(typed, Program(typed, variant), Table()).ranges))
            run = run_of(typed, variant, Random(1))
            with np.errstate(all="ignore"):
                parts.append(repr(run.instance.step(run.weights, run.steps[0], run.state, run.training)))
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
    except SpecError as error:
        return " ".join(each.code for each in error.diagnostics)
    except Exception as error:
        return type(error).__name__


def serve(pipe, module: str, read_by: dict) -> None:
    """Says of each cell what a compiler says that was changed on disk in the meantime."""
    forgotten(module, read_by)
    for text in iter(pipe.recv, None):
        pipe.send(said(text))


class Compiler:
    """A process with the compiler as it now lies there."""

    def __init__(self, module: str, read_by: dict):
        context = multiprocessing.get_context("fork")
        self.pipe, other = context.Pipe()
        self.process = context.Process(target=serve, args=(other, module, read_by), daemon=True)
        self.process.start()
        self.before: dict[str, str] = {}

    def says(self, text: str) -> str:
        if text not in self.before:
            try:
                self.pipe.send(text)
                self.before[text] = self.pipe.recv() if self.pipe.poll(SECONDS) else "nothing, for too long"
            except (EOFError, BrokenPipeError):
                self.before[text] = "nothing"
        return self.before[text]

    def end(self) -> None:
        self.process.kill()
        self.process.join()


def reached(cells: list[Case], kept: Path) -> dict[str, dict[int, list[int]]]:
    """Which of the cells come to each line of each module."""
    digest = hashlib.sha256("\n".join(each.text for each in cells).encode())
    for source in sorted((CHECKOUT / "cellgen").rglob("*.py")):
        digest.update(source.read_bytes())
    path = kept / f"cells-{digest.hexdigest()[:24]}.json"
    if not path.exists():
        import coverage

        found: dict[str, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
        for at, each in enumerate(cells):
            recorder = coverage.Coverage(data_file=None, include=["*/cellgen/*"])
            with recorder.collect():
                said(each.text)
            data = recorder.get_data()
            for file in data.measured_files():
                for line in data.lines(file) or ():
                    found[module_of(Path(file))][line].append(at)
        path.write_text(json.dumps(found), encoding="utf-8")
    found = json.loads(path.read_text(encoding="utf-8"))
    return {name: {int(line): those for line, those in rows.items()} for name, rows in found.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("state", type=Path)
    parser.add_argument("--cells", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kept", type=Path, help="a folder that keeps which cells come to which lines")
    given = parser.parse_args()
    survivors = {key for key, outcome in known(given.state).items() if outcome.by is None}
    modules = {key.partition(" ")[0] for key in survivors}
    every = (
        Job(area, module, mutant)
        for area in AREAS
        for module in modules.intersection(AREAS[area].modules)
        for mutant in mutants(path_of(CHECKOUT, module).read_text(encoding="utf-8"))
    )
    todo = [job for job in every if job.key in survivors and not job.computes_the_same]
    cells = [each for number in range(given.cells) if not (each := case(given.seed, number)).beside]
    kept = given.kept or Path(tempfile.mkdtemp())
    kept.mkdir(parents=True, exist_ok=True)
    lines = reached(cells, kept)
    with tempfile.TemporaryDirectory(prefix="distinguish-") as temporary:
        folder = Path(temporary)
        prepare(folder)
        read_by = readers(folder)
        sound = Compiler("diagnostics.span", read_by)
        for job in todo:
            own, here = lines.get(job.module, {}), job.mutant.lines
            those = range(len(cells)) if here is None else sorted({at for line in here for at in own.get(line, ())})
            path = path_of(folder, job.module)
            path.write_text(job.mutant.text, encoding="utf-8")
            changed = Compiler(job.module, read_by)

            def differs(each: Case) -> bool:
                was = sound.says(each.text)
                return len(was) == 16 and changed.says(each.text) != was  # noqa: B023

            found = next((cells[at] for at in those[:60] if differs(cells[at])), None)
            print(f"--- {job.area} {job.key}: {len(those)} cells come there", flush=True)
            if found:
                small = shrink(found, differs, 150)
                print(f"{small.text}# {changed.says(small.text)}", flush=True)
            changed.end()
            path.write_text(job.mutant.source, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
