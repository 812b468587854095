"""What a build leaves where it is killed, refused, out of room or not alone: all it was, or all it is to be."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from cellgen.cli import main
from cellgen.output import files
from cellgen.output.files import READY, WRITING
from cellgen.output.stamp import STAMP, changed
from tests.checkout import CHECKOUT
from tests.generated import imported

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(CHECKOUT)}

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="children are forked")


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """What `faults.py` saw, by the way that something went wrong."""
    command = [sys.executable, str(CHECKOUT / "tests" / "faults.py"), str(tmp_path_factory.mktemp("faults"))]
    done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, timeout=300)
    assert done.returncode == 0, done.stderr
    return {(each["way"], each.get("fresh", False)): each for each in map(json.loads, done.stdout.splitlines())}


WAYS = [(way, fresh) for way in ("killed", "denied", "full", "frozen", "vanished") for fresh in (False, True)]


@pytest.mark.parametrize("way, fresh", WAYS)
def test_a_build_that_goes_wrong_anywhere_leaves_the_old_or_the_new(seen, way, fresh):
    """At each of its events. `0` are the files from before, `1` those that were to come."""
    found = seen[way, fresh]
    old, new, mixed = ("['none']", "[1]", "[1, 'none']") if fresh or way == "vanished" else ("[0]", "[1]", "[0, 1]")
    assert found["places"] > 15
    assert set(found["healed"]) == {old, new}  # after the next build, of whatever
    assert found["left"] == []
    assert set(found["after"]) <= {old, new, mixed}  # no file is torn
    if way in ("denied", "vanished"):
        assert mixed not in found["after"]
    assert set(found["codes"]) <= ({-signal.SIGKILL} if way == "killed" else {1, 2})
    assert found["mixed"] <= 2  # of all places; there the tests say that they are not of this cell


def test_a_file_that_cannot_grow_is_not_begun(seen):
    found = seen["limited", False]
    assert (found["code"], found["after"], found["left"]) == (2, ["[0]"], [])


def test_a_new_spec_that_is_killed_anywhere_is_whole_or_not_there(seen):
    found = seen["new", False]
    assert found["places"] >= 4 and found["codes"] == [-signal.SIGKILL]
    assert (found["after"], found["left"]) == (["none", "whole"], ["mine.yaml"])


def test_builds_at_once_never_mix(seen):
    found = seen["at once", False]
    assert found["codes"] == [0] * 4 and found["looks"] and found["mixes"] == 0
    assert found["left"] == ["alpha.py", "beta.py", "test_alpha.py", "test_beta.py"]


def test_a_build_that_does_not_end_is_waited_for_and_then_told_of(tmp_path, monkeypatch):
    fcntl = pytest.importorskip("fcntl")
    monkeypatch.setattr(files, "PATIENCE", 1)
    handle = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        with pytest.raises(OSError, match="another build has been writing here for 1 seconds"):
            files.update({"a.py": "a\n"}, tmp_path)
    finally:
        os.close(handle)
    assert not list(tmp_path.iterdir())
    assert len(files.update({"a.py": "a\n"}, tmp_path)) == 1


def test_where_there_are_no_locks_a_folder_shows_that_it_is_written_to(tmp_path, monkeypatch):
    """What stands there for a minute is of a build that was killed."""
    monkeypatch.setitem(sys.modules, "fcntl", None)
    monkeypatch.setattr(files.time, "sleep", lambda seconds: moments.append(seconds))
    moments = []
    monkeypatch.setattr(files.time, "time", lambda: written + len(moments) / 10)
    (tmp_path / WRITING).mkdir()
    written = (tmp_path / WRITING).stat().st_mtime
    assert len(files.update({"a.py": "a\n"}, tmp_path)) == 1
    assert files.PATIENCE * 10 - 2 <= len(moments) <= files.PATIENCE * 10
    assert [path.name for path in tmp_path.iterdir()] == ["a.py"]


def test_tests_of_another_build_say_so(tmp_path, monkeypatch):
    """Whoever runs them between two moves, or after a kill, gets a sentence and no result: they are not imported."""
    spec = tmp_path / "unmatched.yaml"
    cell = "cell: Leaky\nstate: {h: units}\nequations: |\n  h = 0.5 * h[t-1] + affine(x)\n"
    spec.write_text(cell.replace("affine(x)", "mean(x)"))
    monkeypatch.chdir(tmp_path)
    assert main(["build", "unmatched.yaml"]) == 0
    built = tmp_path / "generated" / "unmatched.py"
    old = built.read_bytes()
    spec.write_text(cell.replace("affine(x)", "mean(x)").replace("0.5", "0.25"))
    assert main(["build", "unmatched.yaml"]) == 0
    assert STAMP.match(old)[1] != STAMP.match(built.read_bytes())[1]
    built.write_bytes(old)
    with pytest.raises(ImportError, match="unmatched.py is not of the same build as these tests"):
        imported("test_unmatched", built.parent)


@pytest.mark.parametrize("kills", [3, pytest.param(200, marks=pytest.mark.full)])
def test_the_command_is_killed_at_any_moment(tmp_path, monkeypatch, kills):
    """The whole command, as a user has it; half of the times while it writes. What is not killed is run here."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "generated"
    build = ["build", "leaky.yaml", "other.yaml"]
    chance = random.Random(0)
    names = {"leaky.py", "test_leaky.py", "other.py", "test_other.py", "recurrent_1.py"}

    def write(number):
        for stem in ("leaky", "other"):
            text = f"cell: Leaky\nstate: {{h: units}}\nequations: |\n  h = 0.{number} * h[t-1] + mean(x)\n"
            (tmp_path / f"{stem}.yaml").write_text(text)

    def killed(stop):
        command = [sys.executable, "-m", "cellgen", *build]
        process = subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        stop(process)
        process.wait()

    def while_writing(process):
        while process.poll() is None and not any((folder / name).exists() for name in (WRITING, READY)):
            time.sleep(0.0005)
        time.sleep(chance.random() * 0.01)
        process.kill()

    def anywhere(process):
        time.sleep(chance.random() * 3)
        process.kill()

    write(1)
    assert main(build) == 0
    for number in range(2, 2 + kills):
        write(number)
        killed(anywhere if number % 2 else while_writing)
        data = {name: (folder / name).read_bytes() for name in names}
        assert not any(map(changed, data.values()))
        assert {path.name for path in folder.iterdir()} <= {*names, WRITING, READY}
        if number % 10 == 2 or kills < 10:
            assert main(build) == 0
            assert {path.name for path in folder.iterdir()} == names
            for stem in ("leaky", "other"):
                mark = STAMP.match((folder / f"{stem}.py").read_bytes())[1]
                assert mark in (folder / f"test_{stem}.py").read_bytes()
