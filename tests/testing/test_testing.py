"""What generated tests say of a cell that is not what its spec says: where, both numbers, and how to see it again."""

import functools
import os
import re
import shlex
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from cellgen import testing
from cellgen.cli import main
from cellgen.testing.difference import Value, close, refuses, same
from cellgen.testing.values_and_gradients import Point
from tests.generated import CHECKOUT, committed, imported
from tests.programs import ran

SPEC = """\
cell: Leaky
state: {h: units, c: units}
options: {rate: 0.5}
equations: |
  z: [units] = affine(x, h[t-1])
  c = rate * c[t-1] + z
  h = tanh(c)
"""


def test_a_wrong_cell_is_told_with_its_place_and_again_by_the_command_that_is_told(tmp_path, monkeypatch, capfd):
    """By the front door: a build, the sign before what is carried turned over, which the second step is the first to
    see, and the tests that it came with.
    """
    (tmp_path / "leaky.yaml").write_text(SPEC)
    monkeypatch.chdir(tmp_path)
    assert main(["build", "leaky.yaml"]) == 0
    file = tmp_path / "generated" / "leaky.py"
    text = file.read_text(encoding="utf-8")
    place = text.index("c = rate * c_prev + ", text.index("def _forward"))
    file.write_text(text[:place] + text[place:].replace("rate *", "-rate *", 1), encoding="utf-8")

    monkeypatch.setenv("PYTEST_ADDOPTS", "-k 'scan and rate'")
    assert main(["test"]) == 1
    out = capfd.readouterr().out
    assert " failed" in out
    report = out.partition("_ test_scan[rate] _")[2].partition("\nAll traceback")[0]
    words = ["E", "case", "how", "value", "came", "wanted", "apart", "also", "again"]
    assert [line.split()[0] for line in report.splitlines()[2:]] == words
    assert "case    Leaky(input=3, units=4, rate=0.75)\n" in report
    number = r"-?0\.\d+\n"
    assert re.search(rf"value   outputs, step 1, sample \d, \[\d\]\n +came    {number} +wanted  {number}", report)
    again = report.partition("again   ")[2].strip()
    assert again == "python -m pytest 'generated/test_leaky.py::test_scan[rate]'"

    python, *options = shlex.split(again)
    assert (python, options[:2]) == ("python", ["-m", "pytest"])
    arguments = ["pytest", *options[2:], "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir=."]
    program = f"import runpy, sys; sys.argv = {arguments}; runpy.run_module('pytest', None, '__main__', alter_sys=True)"
    (done,) = ran(program, tmp_path, CHECKOUT)
    assert done.returncode == 1 and "1 failed" in done.stdout
    assert report.partition("value   ")[2] in done.stdout


@pytest.fixture(scope="module")
def subject():
    committed("simple_rnn")
    return imported("test_simple_rnn", CHECKOUT / "generated").SUBJECT


def told(check, *arguments) -> dict[str, str]:
    """The lines of what a check finds, by their first words."""
    with pytest.raises(testing.Difference) as caught:
        check(*arguments)
    return dict(line.split(maxsplit=1) for line in str(caught.value).splitlines())


def test_the_place_of_a_masked_step(subject, monkeypatch):
    """The first step that is off, though a later one is off by more."""
    trial = subject.trial({})
    sound = type(trial.layer).__call__

    def off(layer, *arguments, **how):
        outputs, *rest = sound(layer, *arguments, **how)
        wrong = np.zeros(outputs.shape)
        wrong[3, 2, 1], wrong[0, 4, 0] = 1e-3, 2.0
        return [outputs + wrong, *rest]

    monkeypatch.setattr(type(trial.layer), "__call__", off)
    found = told(testing.masks, subject, {})
    assert found["value"] == "outputs, step 2, sample 3, [1]"
    assert float(found["came"]) - float(found["wanted"]) == pytest.approx(1e-3)
    assert found["apart"] == "0.001, more than 1e-11, as are 2 of 80 numbers"
    assert found["again"].endswith("test_simple_rnn.py::test_masks[default]'")


def test_the_weight_whose_gradient_is_wrong(subject, monkeypatch):
    """In a case where all are tried at once first."""
    sound = Point.gradients
    bias = "weight `bias`"
    monkeypatch.setattr(Point, "gradients", lambda point: {**sound(point), bias: np.ones(4)})
    case = next(case for case in subject.cases if "activation" in case and len(case) == 1)
    assert told(testing.gradients, subject, case)["value"] == f"the gradient of {bias}, along a random direction"


def test_the_way_that_differs(subject, monkeypatch):
    """Against the same weights, those of memory='low' being others."""
    sound = testing.Trial.twin

    def twin(trial, weights=None, **how):
        return sound(trial, [2 * w for w in trial.weights] if how == {"memory": "low"} else weights, **how)

    monkeypatch.setattr(testing.Trial, "twin", twin)
    found = told(testing.every_way, subject, monkeypatch)
    assert found["how"] == "memory='low', against unroll=True"
    assert found["also"].endswith("the gradient of weight `bias`")


def test_a_way_back_that_is_right_once(subject, monkeypatch):
    """Values and gradients are right, but what the way back reads of the step is taken for a number."""
    scan = subject.Cell.scan

    @functools.wraps(scan.backward)
    def backward(*d, **values):
        return scan.backward(*d, **{n: tf.stop_gradient(v) if tf.is_tensor(v) else v for n, v in values.items()})

    monkeypatch.setattr(subject.Cell, "scan", replace(scan, backward=backward))
    found = told(testing.every_way, subject, monkeypatch)
    assert found["how"] == "in chunks, the way back differentiated, against unroll=True"
    assert found["value"].startswith("the second gradient of state `h`")


def test_tests_of_another_build(subject):
    with pytest.raises(ImportError, match="simple_rnn.py is not of the same build as these tests: run `cellgen build`"):
        replace(subject, checksum="0123456789abcdef")


@pytest.mark.parametrize(
    "came, wanted, line",
    [
        ([[1.0, np.nan]], [[1.0, 2.0]], "value   y, sample 0, [1]"),
        ([[1.0, 2.0]], [[1.0, np.inf]], "value   y, sample 0, [1]"),
        ([[1.0, np.inf]], [[1.0, np.inf]], "value   y, sample 0, [1]"),
        ([1.0], [[1.0]], "value   y, its shape"),
        ([[1.0]], [[1.0 + 3e-11]], "apart   3e-11, more than 1e-11, as are 1 of 1 numbers"),
    ],
)
def test_what_is_not_close(came, wanted, line):
    with pytest.raises(testing.Difference) as caught:
        close([np.array(came)], [np.array(wanted)], [Value("y", ("sample",))], 1e-11)
    assert line in str(caught.value).splitlines()


def test_what_is_close():
    close([np.array([1e6])], [np.array([1e6 + 1e-6])], [Value("y")], 1e-11)
    with pytest.raises(testing.Difference, match="how many values\ncame    0\nwanted  0"):
        close([], [], [], 1e-11)
    same("a name", 1, 1)
    with pytest.raises(testing.Difference, match="value   a name\ncame    1\nwanted  2"):
        same("a name", 1, 2)


def test_what_is_refused():
    refuses("a name", lambda: int("three"), "invalid literal")
    for call, came in ((lambda: int("three"), "ValueError: invalid"), (lambda: int("3"), "no error")):
        with pytest.raises(testing.Difference, match=f"value   a name\ncame    {came}.*\nwanted  ValueError: ...a sen"):
            refuses("a name", call, "a sentence")
