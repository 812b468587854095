"""Looks for bytes that make the reading of a spec raise anything but a diagnostic, or take long: coverage-guided.

    python tests/fuzz/fuzz_loader.py spec FOLDER -max_total_time=1200    whole files, from bytes to typed values
    python tests/fuzz/fuzz_loader.py text FOLDER -max_total_time=1200    equations, laws and shapes within a good file

    python tests/fuzz/fuzz_loader.py replay FOLDER [text]                every input of a folder, once; needs no atheris

FOLDER keeps what was found interesting; `corpus` holds such folders, and `test_corpus.py` replays them every day.
What follows FOLDER is libFuzzer's, which atheris brings. `... text SMALL FOLDER -merge=1` makes what was found small.
"""

import json
import signal
import sys
import time
from pathlib import Path

CORPUS = Path(__file__).resolve().parent / "corpus"
SLOW = 4.0  # seconds of a processor, instrumented: such an input is kept beside the corpus to be looked at
GUARD = 8.0  # seconds of a processor after which an input is given up: one is what it may take on a machine of its own
PARTS = b"\0"  # between the equations, the laws and the shape of a weight
SIZES = {"spec": 6000, "text": 600}  # bytes of an input, at most

HEAD = """cell: X
gates: [f, i]
dims: {input: inferred, units: required, heads: 2, size: units/heads, k: units}
options: {use_bias: true, alpha: 0.5, act: {one_of: activations, default: tanh}}
inputs: {x: [input]}
state: {h: units, c: [heads, size]}
norms: {ln: {kind: layer, over: [units], epsilon: 1.0e-5, scale: ones, shift: zeros}}
"""


def described(data: bytes) -> bytes:
    """The file that an input of the target `text` stands for."""
    equations, laws, shape = (*data.split(PARTS, 2), b"", b"")[:3]
    text = HEAD.encode() + b"params:\n  W: {shape: [" + (shape or b"input, gates*units") + b"], init: zeros}\n"
    for key, part in ((b"equations", equations), (b"laws", laws)):
        if part:
            text += key + b": |\n" + b"".join(b"  " + line + b"\n" for line in part.split(b"\n"))
    return text


def attempt(data: bytes) -> tuple:
    """What is told of a file of these bytes. Whatever is raised besides is a find."""
    from cellgen.compiler import Spec, shipped
    from cellgen.diagnostics.diagnostic import FORMATS, SpecError, render
    from cellgen.document.extends import Library, expand
    from cellgen.text.intake import decoded

    try:
        spec = Spec(decoded("fuzz.yaml", data), "fuzz", Library((shipped(),)))
        expand(spec.expanded())
        spec.typed()
    except SpecError as error:
        for each in error.diagnostics:
            for label in (each.label, *each.context):
                span = label.span
                assert 0 <= span.start <= span.end <= len(span.source.text)
                assert 1 <= span.line <= len(span.source.lines)
                assert 1 <= span.column <= len(span.source.lines[span.line - 1]) + 1
        for format in FORMATS:
            text = render(error.diagnostics, format)
            assert all(char.isprintable() or char == "\n" for char in text)
            text.encode()
        assert error.diagnostics
        return error.diagnostics
    return ()


def replay(folder: Path, target: str) -> None:
    """Prints what is told of each input, and how much memory that took. What takes long ends the process."""
    attempt(b"cell: X")  # what is imported is no part of an input's time
    for path in sorted(folder.iterdir()):
        signal.setitimer(signal.ITIMER_PROF, GUARD)
        data = path.read_bytes()
        told = attempt(described(data) if target == "text" else data)
        signal.setitimer(signal.ITIMER_PROF, 0)
        print(json.dumps({"name": path.name, "told": sorted({each.code for each in told})}), flush=True)
    print(json.dumps({"bytes": most_memory()}))


def most_memory() -> int:
    """The most bytes that this process has held; getrusage tells on Linux what the process that started it has too."""
    status = Path("/proc/self/status")
    if status.exists():
        return next(int(line.split()[1]) * 1024 for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def main() -> None:
    target, folder, *options = sys.argv[1:]
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    if target == "replay":
        return replay(Path(folder), *options or ["spec"])

    import atheris

    with atheris.instrument_imports(include=["cellgen", "ruamel"]):
        import cellgen.compiler  # noqa: F401

    Path(folder).mkdir(parents=True, exist_ok=True)
    slow = Path(f"{folder}.slow")

    def one(data: bytes) -> None:
        began = time.process_time()
        attempt(described(data) if target == "text" else data)
        spent = time.process_time() - began
        if spent > SLOW:
            slow.mkdir(exist_ok=True)
            (slow / f"{spent:06.1f}-{abs(hash(data)):016x}").write_bytes(data)

    given = [str(CORPUS / target)] if (CORPUS / target).is_dir() and "-merge=1" not in options else []
    dictionary = [f"-dict={CORPUS / 'words.txt'}"] if (CORPUS / "words.txt").is_file() else []
    command = [sys.argv[0], folder, *given, *dictionary, f"-max_len={SIZES[target]}", "-rss_limit_mb=1500", *options]
    atheris.Setup(command, one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
