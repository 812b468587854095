"""Work in a fresh process: what it takes from a cold start, and the memory that nothing else has touched."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

STATUS = Path("/proc/self/status")
HERE = str(Path(__file__).resolve().parents[2])  # this cellgen, no other
TAIL = "\nimport json\nfrom cellgen.bench.fresh_process import peak\nprint(json.dumps([{result}, peak()]))"


class Failed(Exception):
    """A program ended with an error; the message is the end of what it said."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What a program in a process of its own made of it. seconds: with the start of Python; peak: bytes, or None."""

    seconds: float
    peak: int | None
    result: Any


def peak() -> int | None:
    """The most memory that this program has held, in bytes; None where the system does not tell.

    Not `ru_maxrss`: a child process starts with its parent's.
    """
    return _status("VmHWM")


def held() -> int | None:
    """The memory that this program holds now, in bytes; None where the system does not tell."""
    return _status("VmRSS")


def _status(field: str) -> int | None:
    if not STATUS.exists():  # Linux has it
        return None
    return 1024 * int(re.search(rf"{field}:\s*(\d+) kB", STATUS.read_text())[1])


def fresh(program: str, result: str = "None", environment: Mapping[str, str] | None = None) -> Ran:
    """Runs a program text; `result` is an expression in its names, for a value of JSON.

    Raises `Failed`.
    """
    path = os.pathsep.join(filter(None, [HERE, os.environ.get("PYTHONPATH")]))
    settings = {"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ, "PYTHONPATH": path, **(environment or {})}
    began = perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", program + TAIL.format(result=result)],
        env=settings,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    seconds = perf_counter() - began
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise Failed(f"exit code {done.returncode}: {said[-1] if said else 'without a word'}")
    value, most = json.loads(done.stdout.splitlines()[-1])
    return Ran(seconds, most, value)
