"""Programs in processes of their own are fresh: they find what an interpreter that imported TensorFlow has, no more."""

import json
import signal

from tests import programs
from tests.programs import child, ran

FOUND = """
import importlib.util, json, os, sys
from tensorflow.python.eager import context
names = ("cellgen", "tests", "pytest", "mine", "other")
print(json.dumps({
    "imported": [name for name in sys.modules if name.partition(".")[0] in names],
    "there": [name for name in ("tests", "mine", "other") if importlib.util.find_spec(name)],
    "started": context._context is not None,  # devices, threads
    "keras": [name for name in ("keras", "tf_keras") if name in sys.modules],
    "main": sorted(name for name in vars(sys.modules["__main__"]) if not name.startswith("__")),
    "variable": os.environ.get("OURS"),
}))
"""


def test_a_program_finds_nothing_of_ours_or_of_those_before(tmp_path):
    """It may find a cellgen that is installed, but nobody imported it."""
    (tmp_path / "mine.py").write_text("import sys; sys.other = True\n")
    child("import os, mine, tensorflow as tf; tf.ones(3); os.environ['OURS'] = 'left'", tmp_path)
    found = json.loads(child(FOUND, tmp_path))
    names = ["context", "importlib", "json", "names", "os", "sys"]
    nothing = {"imported": [], "started": False, "keras": ["keras"], "main": names, "variable": None}
    assert found == {**nothing, "there": ["mine"]}


def test_its_own_variables_are_there_and_it_may_fail(tmp_path):
    code = "import os; print(os.environ['OURS'], end=''); input()"
    for done, name in zip(ran(code, tmp_path, each=[{"OURS": "a"}, {"OURS": "b"}]), "ab", strict=True):
        assert (done.returncode, done.stdout) == (1, name)
        assert done.stderr.rstrip().endswith("EOFError: EOF when reading a line")
    assert [done.returncode for done in ran("raise SystemExit(3)", tmp_path)] == [3]


def test_the_keras_that_its_variables_ask_for(tmp_path):
    assert json.loads(child(FOUND, tmp_path, TF_USE_LEGACY_KERAS="1"))["keras"] == ["tf_keras"]


def test_a_late_one_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(programs, "LATE", 0.2)
    (done,) = ran("import time; time.sleep(60)", tmp_path)
    assert done.returncode == -signal.SIGALRM
