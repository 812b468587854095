"""Which tests come to which lines of the compiler, and how long each of them takes.

`recorded` runs tests in a process of their own, under coverage.py (`pip install coverage`), with a context for each
test. What is cached is let go of before each, so that a test comes to all that it would come to alone. What runs while
a file is collected, and what a fixture makes for several tests, is for all tests of the file.
"""

import functools
import gc
import json
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest


def module_of(path: Path) -> str:
    """A module of cellgen by its package and name: `prove.law`; a package by its own."""
    parts = path.with_suffix("").parts
    own = parts[len(parts) - parts[::-1].index("cellgen") :]
    return ".".join(own[:-1] if own[-1] == "__init__" else own)


@dataclass(frozen=True)
class Reach:
    """seconds: of each test. lines: of each module of cellgen, by line, which tests come there (by their places)."""

    seconds: dict[str, float]
    lines: dict[str, dict[int, tuple[int, ...]]]

    def tests(self, module: str, lines: Iterable[int]) -> dict[str, float]:
        """Those that come to one of the lines, and their seconds."""
        here, names = self.lines.get(module, {}), list(self.seconds)
        found = {index for line in lines for index in here.get(line, ())}
        return {names[index]: self.seconds[names[index]] for index in sorted(found)}


def recorded(checkout: Path, group: tuple[str, ...], kept: Path) -> Reach:
    """What a group of tests, as pytest is given it, comes to. `kept` holds it as long as nothing has changed."""
    files = [checkout / each.partition("::")[0] for each in group if each.startswith("tests/")]
    digest = sha256(repr(group).encode())
    for path in (*sorted((checkout / "cellgen").rglob("*.py")), *files):
        digest.update(path.read_bytes())
    path = kept / f"{digest.hexdigest()[:24]}.json"
    if not path.exists():
        kept.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.reach", "-p", "no:cacheprovider"]
        subprocess.run([*command, f"--reach={path}", *group], cwd=checkout, check=True, stdout=subprocess.DEVNULL)
    found = json.loads(path.read_text(encoding="utf-8"))
    lines = {name: {int(at): tuple(those) for at, those in rows.items()} for name, rows in found["lines"].items()}
    return Reach(found["seconds"], lines)


# --- in the process that runs the tests -------------------------------------------------------------------------------


def pytest_addoption(parser):
    parser.addoption("--reach", type=Path, help="write there which lines of the compiler each test comes to")


def pytest_configure(config):
    if path := config.getoption("--reach"):
        config.pluginmanager.register(_Recorder(path, Path(str(config.rootpath))))


class _Recorder:
    def __init__(self, path: Path, checkout: Path):
        import coverage

        self.path, self.seconds, self.context = path, {}, ""
        self.coverage = coverage.Coverage(data_file=None, source=[str(checkout / "cellgen")])
        self.coverage.start()

    def within(self, context: str) -> str:
        """Says what runs from now on; what ran before is handed back."""
        before, self.context = self.context, context
        self.coverage.switch_context(context)
        return before

    @pytest.hookimpl(hookwrapper=True)
    def pytest_make_collect_report(self, collector):
        before = self.within(collector.nodeid.partition("::")[0])
        yield
        self.within(before)

    @pytest.hookimpl(hookwrapper=True)
    def pytest_fixture_setup(self, fixturedef, request):
        before = self.context
        if fixturedef.scope != "function":
            self.within(request.node.nodeid.partition("::")[0])
        yield
        self.within(before)

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item):
        gc.unfreeze()  # what is frozen is not among the objects
        for each in gc.get_objects():
            if isinstance(each, functools._lru_cache_wrapper) and str(each.__module__).startswith(("cellgen", "tests")):
                each.cache_clear()
        self.within(item.nodeid)
        start = time.monotonic()
        yield
        self.seconds[item.nodeid] = round(time.monotonic() - start, 3)
        self.within("")

    def pytest_sessionfinish(self):
        self.coverage.stop()
        data, places = self.coverage.get_data(), {name: [at] for at, name in enumerate(self.seconds)}
        for at, name in enumerate(self.seconds):
            places.setdefault(name.partition("::")[0], []).append(at)
        lines = {
            module_of(Path(file)): {
                line: sorted({at for name in contexts for at in places.get(name, ())})
                for line, contexts in data.contexts_by_lineno(file).items()
            }
            for file in data.measured_files()
        }
        self.path.write_text(json.dumps({"seconds": self.seconds, "lines": lines}), encoding="utf-8")
