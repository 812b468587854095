"""What `build` writes: the committed tree, the same bytes everywhere, and every operation meaning one thing."""

import ast
import functools
import hashlib
import json
import os
import re
import subprocess
import sys
from dataclasses import fields

import numpy as np
import pytest
import tensorflow as tf

import cellgen.runtime
from cellgen.compiler import Spec, shipped, templates
from cellgen.derive import reads
from cellgen.derive.derivative_rules import ADJOINTS, UNARY
from cellgen.emit.expressions import BACKWARD, FORMS, LOWERED, NORMS, TENSORFLOW, Emitter
from cellgen.emit.records import StackView, TestView
from cellgen.emit.rendering import undeclared
from cellgen.ir.expr import Apply, Ref, walk
from cellgen.ir.ops import ACTIVATIONS, ADJOINT, OPS
from tests.checkout import CHECKOUT
from tests.generated import imported
from tests.shipped import everyday, in_turn

GENERATED = CHECKOUT / "generated"
BUILT = sorted(shipped().glob("*.yaml"))
OTHERS = sorted(path for folder in ("specs", "regressions") for path in (CHECKOUT / "tests" / folder).glob("*.yaml"))
EVERY_OPERATION = CHECKOUT / "tests" / "specs" / "every_operation.yaml"


@functools.cache
def built(path):
    return Spec.at(path).build()


@pytest.mark.parametrize("path", in_turn(BUILT))
def test_the_committed_files_are_what_build_writes(path):
    for name, text in built(path).items():
        assert (GENERATED / name).read_text(encoding="utf-8") == text


@pytest.mark.parametrize("path", in_turn([*BUILT, *OTHERS]))
def test_generated_tests_are_the_spec_and_little_else(path):
    tests = built(path)[f"test_{path.stem}.py"]
    texts = [node.value.value for node in ast.parse(tests).body if isinstance(node, ast.Assign) and is_text(node.value)]
    assert 1 <= len(texts) <= 2  # of a stack, that of its cell too
    assert tests.count("\n") <= sum(text.count("\n") for text in texts) + 80


def is_text(node):
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


@pytest.mark.parametrize("stem, most", [("lstm", 300), ("hm_lstm_stack", 550)])
def test_a_generated_file_holds_little_but_its_cell(stem, most):
    assert len((GENERATED / f"{stem}.py").read_text(encoding="utf-8").splitlines()) <= most


def test_templates_hold_no_machinery():
    assert sum(len(path.read_text(encoding="utf-8").splitlines()) for path in templates().rglob("*.j2")) < 700


def test_nothing_else_is_committed():
    names = {name for path in BUILT for name in (f"{path.stem}.py", f"test_{path.stem}.py")}
    assert {path.name for path in GENERATED.glob("*.py")} == names | {"recurrent_1.py"}


def test_same_bytes_under_any_hash_seed_and_in_any_folder(tmp_path):
    """Another seed than that of this process, which builds all of them above, and another folder."""
    script = (
        "import hashlib, json, sys\nfrom cellgen.compiler import Spec\n"
        "files = {name: text for path in sys.argv[1:] for name, text in Spec.at(path).build().items()}\n"
        "print(json.dumps({name: hashlib.sha256(text.encode()).hexdigest() for name, text in files.items()}))"
    )
    other = tmp_path / "another folder"
    other.mkdir()
    for path in BUILT:
        (other / path.name).write_bytes(path.read_bytes())
    today = [path.name for path in BUILT if everyday(path.stem)]
    command = [sys.executable, "-c", script, *(str(other / name) for name in today)]
    seed = "1" if os.environ.get("PYTHONHASHSEED") == "0" else "0"
    env = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(CHECKOUT)}
    done = subprocess.run(command, capture_output=True, text=True, env=env, cwd=tmp_path, check=True)
    found = json.loads(done.stdout)
    assert len(found) == 2 * len(today) + 1
    for name, digest in found.items():
        assert hashlib.sha256((GENERATED / name).read_bytes()).hexdigest() == digest


@pytest.mark.parametrize("template, view", [("cell.py.j2", StackView), ("test_cell.py.j2", TestView)])
def test_a_template_reads_just_what_its_view_has(template, view):
    assert undeclared(template, templates()) == {field.name for field in fields(view)}


def test_every_operation_can_be_printed():
    assert TENSORFLOW.keys() == OPS.keys()
    assert not (LOWERED.keys() | BACKWARD.keys()) & OPS.keys() and not ADJOINT.keys() & OPS.keys()
    called = re.findall(r"recurrent\.(\w+)", " ".join([*(form.text for form in FORMS.values()), *NORMS.values()]))
    assert called and {*called} <= {*cellgen.runtime.__all__}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_gradient_of_a_chosen_activation_is_the_one_that_is_derived(name):
    """What the runtime has of it, and what an equation that names it is derived to."""
    chosen, value = cellgen.runtime.ACTIVATIONS[name], UNARY[name](Ref("d"), Ref("x"), Ref("y"))
    text = Emitter(Spec.at("lstm").cell()).text(value)
    x = tf.constant(np.random.default_rng(0).normal(scale=3, size=40))
    given = {"d": tf.sin(5 * x), "x": x, "y": chosen(x)}
    derived = eval(text, {"tf": tf, "recurrent": cellgen.runtime, **given})  # noqa: S307 - what we emit
    np.testing.assert_allclose(chosen.gradient(**given), derived, rtol=1e-13, atol=1e-15)
    assert chosen.reads_x == reads(name)[0]


def test_every_operation_can_be_differentiated():
    assert ADJOINTS.keys() == {*OPS, "zeros"}


def test_every_operation_runs_as_the_oracle_says(tmp_path):
    """One spec with all operations: its own generated tests hold each of them to the interpreter."""
    spec = Spec.at(EVERY_OPERATION)
    used = {
        node.op for equation in spec.cell().equations for _, node in walk(equation.value) if isinstance(node, Apply)
    }
    assert OPS.keys() - used == set()
    for name, text in spec.build().items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    tests = imported("test_every_operation", tmp_path)
    sizes, others = tests.SUBJECT.sizes
    for case in tests.SUBJECT.cases:  # the rest of the generated tests does not look into the step
        case = {**sizes, **case}  # gradients along one direction of all that there is
        tests.test_gradients(case)
        tests.test_step(case, sizes)
    tests.test_step({}, others)
    tests.test_a_masked_step_is_as_if_deleted()
