"""What coverage-guided fuzzing found worth keeping, replayed: a diagnostic or nothing, in bounded time and memory.

`fuzz_loader.py` looks for such inputs. Beside them stand files as large as is allowed, all of one thing.
"""

import json
import os
import subprocess
import sys

import pytest

from cellgen.text import intake
from tests.checkout import CHECKOUT
from tests.fuzz import fuzz_loader
from tests.fuzz.fuzz_loader import CORPUS

MEMORY = 256 * 1024 * 1024  # bytes that reading and typing a spec may take, Python and cellgen included

SEED = b"cell: X\nstate: {h: units}\nequations: |\n  h = h[t-1] + x\n"
FULL = {  # how a file begins, and what it is filled with
    "a comment": (SEED, b"#"),
    "comments": (SEED, b"# a word\n"),
    "spaces": (SEED, b" "),
    "empty lines": (SEED, b"\n"),
    "words": (SEED + b"about: w", b" w"),
    "lines of words": (SEED + b"about:\n", b"  some words\n"),
    "a block": (SEED + b"about: |\n", b"  some words\n"),
    "a quoted text": (SEED + b'about: "', b"words "),
    "escapes": (SEED + b'about: "', b"\\n"),
    "a key": (SEED, b"k"),
    "a list": (SEED + b"papers: [", b"a, "),
    "brackets": (SEED + b"papers: ", b"["),
    "braces": (SEED + b"papers: ", b"{a: "),
    "a key again": (SEED, b"k: 1\n"),
    "equations": (SEED, b"  a = b\n"),
    "an equation": (SEED[:-1], b"+x"),
    "an open bracket": (SEED + b"  a = (", b"(\n  "),
    "laws": (SEED + b"laws: |\n", b"  h in [0, 1]\n"),
    "laws of nothing": (SEED + b"laws: |\n", b"  ((((\n"),
    "laws of others": (SEED + b"laws: |\n", b"  reduces to lstm\n"),
    "digits": (SEED + b"papers: [1", b"9"),
    "sixties": (SEED + b"papers: [1", b":1"),
    "documents": (b"", b"---\n"),
    "directives": (b"", b"%YAML 1.2\n"),
    "questions": (b"", b"? "),
    "dashes": (b"", b"- "),
    "lists of one": (b"", b"- a\n"),
    "colons": (b"", b":"),
    "open keys": (b"", b"a:\n"),
    "quotes": (b"", b'"'),
    "bars": (b"", b"|\n"),
    "returns": (b"", b"\r"),
    "zeros": (b"", b"\0"),
    "marks": (b"", "\ufeff".encode()),
    "separators": (b"", "\u2028".encode()),
    "beyond": (b"", "\U0001f642".encode()),
    "no text": (b"", b"\xff"),
}


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    folder = tmp_path_factory.mktemp("full")
    for name, (head, unit) in FULL.items():
        data = head + unit * ((intake.MAX_BYTES - len(head)) // len(unit))
        assert intake.MAX_BYTES - 16 < len(data) <= intake.MAX_BYTES
        (folder / name).write_bytes(data)
    return folder


@pytest.mark.skipif(sys.platform == "win32", reason="bounds are the system's")
@pytest.mark.parametrize("target", ["spec", "text", "full"])
def test_whatever_the_bytes_a_spec_is_told_of_in_bounds(target, full):
    """In a process of its own, which stops at an input that takes long, or raises anything but a diagnostic."""
    folder = full if target == "full" else CORPUS / target
    names = {path.name for path in folder.iterdir()}
    command = [sys.executable, fuzz_loader.__file__, "replay", str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    if target == "text":
        command.append("text")
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=600)
    assert done.returncode == 0, (done.stdout[-300:], done.stderr[-3000:])
    *seen, memory = map(json.loads, done.stdout.splitlines())
    assert {each["name"] for each in seen} == names and len(names) > 20
    assert memory["bytes"] < MEMORY
    told = {code for each in seen for code in each["told"]}
    if target == "full":
        assert all(each["told"] for each in seen if each["name"] not in ("a comment", "spaces")), seen
    else:
        assert len(told) > 20, told  # the corpus reaches far


def test_the_corpus_is_small():
    files = [path for path in CORPUS.rglob("*") if path.is_file()]
    assert len(files) <= 150 and sum(path.stat().st_size for path in files) <= 300_000
