"""README says what is so: its specs and commands are run, and their output compared."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from cellgen.ir.ops import WRITTEN
from cellgen.resolve.weight_initialisers import CALLED, INITIALISERS

README = (Path(__file__).resolve().parent.parent / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"(?:<!-- (?P<file>\S+) -->\n)?```(?P<kind>\w*)\n(?P<text>.*?)```", re.S)
BLOCKS = [match.groupdict() for match in BLOCK.finditer(README)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """README's specs, in a folder of their own, after all its console commands were run there."""
    path = tmp_path_factory.mktemp("readme")
    specs = [block["text"] for block in BLOCKS if block["kind"] == "yaml" and "equations: |" in block["text"]]
    for text in specs:
        name = match[1] if (match := re.match(r"# (\S+\.yaml)\n", text)) else "my_lstm.yaml"
        (path / name).write_text(text, encoding="utf-8")
    assert len(specs) == 3
    return path


def ran(command: str, folder: Path) -> str:
    words = shlex.split(command)
    assert words[0] == "cellgen"
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parent.parent)}
    done = subprocess.run([sys.executable, "-m", *words], cwd=folder, capture_output=True, text=True, env=env)
    summary = re.compile(r"^\d+ specs?, \d+ errors?, .*$", re.M)  # how long it took
    return summary.sub("", done.stdout + done.stderr).strip()


def test_consoles_show_what_is_printed(folder):
    consoles = [block["text"] for block in BLOCKS if block["kind"] == "console"]
    assert len(consoles) >= 4
    for text in consoles:
        command, _, shown = text.removeprefix("$ ").partition("\n")
        start, dots, shown = shown.rpartition("...\n")
        assert not start and shown.strip()
        printed = ran(command, folder)
        assert printed.endswith(shown.strip()) and (dots or printed == shown.strip())


def test_excerpts_are_of_the_generated_files(folder):
    ran("cellgen build my_lstm.yaml", folder)
    excerpts = [block for block in BLOCKS if block["file"]]
    assert excerpts
    for block in excerpts:
        assert block["text"] in (folder / block["file"]).read_text(encoding="utf-8")


def test_the_reference_names_every_function_and_initialiser():
    words = set(re.findall(r"`(\w+)", README))
    assert set(WRITTEN) | set(INITIALISERS) | set(CALLED) - {"constant"} <= words


def test_every_test_of_the_contract_is_there():
    """The tables name tests by file; `::name` alone is of the file before it."""
    section = README[README.index("## The contract") : README.index("## Speed")]
    file, count = None, 0
    for name, test in re.findall(r"`(\w+\.py)?::(\w+)`", section):
        file = name or file
        text = (Path(__file__).parent / file).read_text(encoding="utf-8")
        assert f"\ndef {test}(" in text, f"{file}::{test}"
        count += 1
    generated = (Path(__file__).parent.parent / "generated" / "test_regularised_lstm.py").read_text(encoding="utf-8")
    for test in re.findall(r"the generated `(\w+)`", section):
        assert f"\ndef {test}(" in generated
    assert count > 40
