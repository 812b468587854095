"""Random cells: what is generated, what is tried of each, that the trial sees what is wrong, what once failed.

`python -m pytest tests/fuzz/test_fuzz.py --full` also runs some minutes' worth of the seed that is the date.
"""

import json
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from random import Random

import pytest

from cellgen import compiler, runtime
from cellgen.diagnostics.diagnostic import SpecError
from cellgen.fuzz import backward_run, campaign, edits, plan_run, shrink, trial_laws
from cellgen.fuzz.random_spec import Case, case
from cellgen.fuzz.trial import attempt, spec_of
from cellgen.interpret import instance
from cellgen.interpret.evaluation import evaluate
from cellgen.ir.ops import OPS
from tests.checkout import CHECKOUT
from tests.fuzz import served

SEED = 20260101
REGRESSIONS = CHECKOUT / "tests" / "regressions"


def attempted(tried, folder, number=0, **how):
    folder.mkdir(exist_ok=True)
    return attempt(tried, folder, number, **how)


# --- what is generated ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sample():
    return [case(SEED, number) for number in range(150)]


def test_almost_all_are_valid(sample, tmp_path_factory):
    refused = Counter()
    for each in sample:
        try:
            spec_of(each, tmp_path_factory.mktemp("spec")).typed()
        except SpecError as error:
            refused[error.diagnostics[0].code] += 1
    assert refused.total() <= 3, refused  # 98 % and more; the command's summary says how many were


def test_every_operation_and_every_section_appears():
    texts = [each.text + "".join(each.beside.values()) for each in (case(SEED, number) for number in range(1500))]
    found = set()
    for text in texts:
        found |= {*re.findall(r"\b([a-z_0-9]+)\(", text)} | {*re.findall(r"^([a-z]+):", text, re.M)}
        found |= {*re.findall(r" (\+|-|\*|/|@|\*\*|<|<=|>|>=|if|free of|when|==|in) ", text)}
    wanted = {name for name, op in OPS.items() if op.written} | {*"+ - * / @ ** < <= > >= if == in when".split()}
    wanted |= {"affine", "dropout", "zoneout", "free of"}
    wanted |= {*"dims gates axes options inputs state output params norms mask equations laws extends stack".split()}
    wanted |= {*"wiring readout layers".split()}
    assert wanted - found == set()


def test_the_same_number_is_the_same_spec_in_every_process():
    ask = "from cellgen.fuzz.random_spec import case; print([case(7, number) for number in range(40)])"
    runs = [
        subprocess.run(
            [sys.executable, "-c", ask], env={**_environment(), "PYTHONHASHSEED": each}, capture_output=True, text=True
        )
        for each in ("0", "1")
    ]
    assert runs[0].stdout == runs[1].stdout != ""


def _environment():
    import os

    return {**os.environ, "PYTHONPATH": str(CHECKOUT)}


# --- what is tried ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", (0, 1, 2, 3, 5))
def test_a_few_cells(number, tmp_path):
    outcome = attempted(case(SEED, number), tmp_path / "spec", number)
    assert not outcome.failures and not outcome.refused, outcome


PLAIN = Case("""cell: A
state: {h: units}
params: {W: [input, units], U: [units, units]}
equations: |
  a = sigmoid(x @ W)
  h = a * h[t-1] + (1 - a) * tanh(h[t-1] @ U + x @ W)
laws: |
  h in (-1, 1)
  a free of h[t-1]
  h == a * h[t-1] + (1 - a) * tanh(h[t-1] @ U + x @ W)
""")


def test_all_of_it_is_tried(tmp_path):
    outcome = attempted(PLAIN, tmp_path / "spec")
    assert not outcome.failures and not outcome.refused
    for what in ("checked", "built", "forward compared", "gradient compared", "laws tried", "ranges tried"):
        assert outcome.notes[what], what


def kinds(outcome):
    return {each.kind for each in outcome.failures}


def test_a_wrong_value_is_seen(tmp_path, monkeypatch):
    """The derived step runs on what `arithmetic` says, the author's equations too: one of them is broken."""
    monkeypatch.setattr(instance, "evaluate", lambda *a, **k: {n: v * 1.01 for n, v in evaluate(*a, **k).items()})
    assert "the derived step has other values" in kinds(attempted(PLAIN, tmp_path / "spec"))


def test_a_wrong_plan_is_seen(tmp_path, monkeypatch):
    value = plan_run._Statements.value
    monkeypatch.setattr(plan_run._Statements, "value", lambda self, node, env: 1.001 * value(self, node, env))
    found = kinds(attempted(PLAIN, tmp_path / "spec"))
    assert {"the planned step has another value", "the planned step has another gradient"} <= found


def test_a_wrong_gradient_is_seen(tmp_path, monkeypatch):
    mul = backward_run.Backward.value

    def broken(self, node, path, env):
        return mul(self, node, path, env) * (1.001 if path[0].startswith("_d_h_prev") and len(path) == 1 else 1)

    monkeypatch.setattr(backward_run.Backward, "value", broken)
    assert "the derived gradient is wrong" in kinds(attempted(PLAIN, tmp_path / "spec"))


@pytest.mark.parametrize(
    "law", ["h in (-0.001, 0.001)", "a in (0.6, 1)", "h free of h[t-1]", "h == h[t-1]", "a == sigmoid(x @ W) + h[t-1]"]
)
def test_a_verdict_that_is_wrong_is_seen(law, tmp_path):
    spec = spec_of(replace(PLAIN, text=PLAIN.text.split("laws:")[0] + f"laws: |\n  {law}\n"), tmp_path)
    checked = spec.check()
    (verdict,) = checked.verdicts.laws
    assert verdict.status != "proved"
    said = replace(checked, verdicts=replace(checked.verdicts, laws=(replace(verdict, status="proved", why=""),)))
    assert [kind for kind, _ in trial_laws.contradictions(said, 0, lambda *_: None)] == ["a proved law is contradicted"]


@pytest.mark.parametrize("span", ["(0, 1/4)", "[3/4, inf)", "(-inf, 1/4)"])
def test_a_range_that_is_wrong_is_seen(span, tmp_path):
    checked = spec_of(PLAIN, tmp_path).check()
    (stated, *_) = [each for each in checked.verdicts.traits if each.about == "range" and each.claim.startswith("a")]
    wrong = replace(checked, verdicts=replace(checked.verdicts, traits=(replace(stated, claim=f"a in {span}"),)))
    assert ("a stated range is contradicted") in [k for k, _ in trial_laws.contradictions(wrong, 0, lambda *_: None)]


REDUCING = Case(PLAIN.text.split("laws:")[0] + "laws: |\n  reduces to other\n", "cell", {"other": ""})


@pytest.mark.parametrize("change, wrong", [("", "refuted"), ("tanh(", "proved")])
def test_a_reduction_that_is_wrong_is_seen(change, wrong, tmp_path):
    """Another cell that is called the same, the same one that is called another."""
    other = PLAIN.text.split("laws:")[0].replace("cell: A", "cell: B").replace(change, change.replace("tanh", "sin"))
    checked = spec_of(replace(REDUCING, beside={"other": other}), tmp_path).check()
    (verdict,) = checked.verdicts.laws
    assert verdict.status == ("proved" if not change else "refuted")
    assert not list(trial_laws.contradictions(checked, 0, lambda *_: None))
    told = checked.verdicts.diagnostics
    said = replace(checked.verdicts, laws=(replace(verdict, status=wrong, why=""),), diagnostics=told)
    found = trial_laws.contradictions(replace(checked, verdicts=said), 0, lambda *_: None)
    kind = "a proved law is contradicted" if change else "a law is refuted by what does not contradict it"
    assert [each for each, _ in found] == [kind]


@pytest.mark.parametrize(
    "law", ["h in (-0.001, 0.001)", "h * a in [0, 2]", "h free of h[t-1]", "h == tanh(x @ W)", "a in (0.6, 1)"]
)
def test_numbers_that_refute_nothing_are_seen(law, tmp_path):
    """A counterexample passes; the same of another step, or with another number, does not."""
    checked = spec_of(replace(PLAIN, text=PLAIN.text.split("laws:")[0] + f"laws: |\n  {law}\n"), tmp_path).check()
    (verdict,) = checked.verdicts.laws
    assert verdict.status == "refuted" and not list(trial_laws.contradictions(checked, 0, lambda *_: None))
    (told,) = [each for each in checked.verdicts.diagnostics if each.code == "CG401"]
    claim, status = checked.typed.cell.laws[0], checked.verdicts
    elsewhere = replace(told, label=replace(told.label, text="step 7 of a run with units=1"))
    moved = replace(checked, verdicts=replace(status, diagnostics=(elsewhere,)))
    assert not trial_laws.seen(moved, claim, verdict.why, lambda *_: None)
    if " = " in verdict.why:
        assert not trial_laws.seen(checked, claim, re.sub(r" = [^, ]+", " = 77.5", verdict.why), lambda *_: None)


def test_an_internal_error_is_taken_down_by_its_place(tmp_path, monkeypatch):
    def broken(self):
        raise KeyError("no such thing")

    monkeypatch.setattr(compiler.Spec, "check", broken)
    assert [each.kind for each in attempted(PLAIN, tmp_path / "spec").failures] == ["check: KeyError in trial.stage"]


def test_generated_code_is_run_in_every_way(tmp_path):
    from cellgen.fuzz.trial_run import Runs

    outcome = attempted(PLAIN, tmp_path / "spec", runs=Runs(), only="run")
    assert not outcome.failures and outcome.notes["run as generated code"] == 1


NOISY = Case("""cell: A
state: {h: units}
params: {W: [input, units], U: [units, units]}
options: {rate: {default: 0.4, in: [0, 1]}}
equations: |
  a = tanh(dropout(h[t-1], 0.3, per=sequence) @ U + x @ W)
  h = zoneout(a, h[t-1], rate, per=step)
""")


def test_what_is_drawn_and_what_goes_through_a_file_is_compared(tmp_path, monkeypatch):
    from cellgen.fuzz.trial_run import Runs

    runs = Runs(compiled=True)
    runs.ways = {name: runs.ways[name] for name in ("loop", "graph", "XLA")}  # in every way: above
    outcome = attempted(NOISY, tmp_path / "spec", runs=runs, only="run")
    assert not outcome.failures, outcome.failures
    assert all(outcome.notes[what] == 1 for what in ("drawn by seed", "through a file", "run by XLA"))
    monkeypatch.setattr(runtime.Drawing, "_next_seed", lambda cell: [3, id(object())])
    runs = Runs()
    runs.ways = {"graph": runs.ways["graph"]}
    found = kinds(attempted(NOISY, tmp_path / "other", runs=runs, only="run"))
    assert "generated: what is drawn again is other" in found


def test_generated_code_that_is_wrong_is_seen(tmp_path, monkeypatch):
    from cellgen.fuzz.trial_run import Runs

    build = compiler.Spec.build
    monkeypatch.setattr(
        compiler.Spec,
        "build",
        lambda self, **how: {name: text.replace("tf.tanh(", "tf.sin(") for name, text in build(self, **how).items()},
    )
    found = kinds(attempted(PLAIN, tmp_path / "spec", runs=Runs(), only="run"))
    assert "generated: graph: other values" in found and "generated: loop: other values" in found


# --- invalid ones -----------------------------------------------------------------------------------------------------


def test_an_edit_is_told_where_it_is(sample, tmp_path_factory):
    told = Counter()
    for number, each in enumerate(sample):
        for draw in range(2):
            changed = edits.edit(each, Random(f"{number} {draw}"))
            assert changed.case.text != each.text
            failure, codes = edits.refused(changed, tmp_path_factory.mktemp("spec"))
            assert failure is None, (number, draw, changed.kind, failure, changed.case.text)
            told.update(codes)
    assert len(told) > 20


def test_an_edit_that_passes_is_seen(tmp_path):
    failure, _ = edits.refused(edits.Edit("nothing", PLAIN, 1), tmp_path)
    assert failure.kind == "edited: nothing: it passes"


def test_an_edit_that_is_told_elsewhere_is_seen(tmp_path):
    wrong = replace(PLAIN, text=PLAIN.text.replace("sigmoid(x", "sigmoyd(x"))
    failure, codes = edits.refused(edits.Edit("a slip", wrong, 2), tmp_path)
    assert failure.kind == "edited: a slip: told elsewhere (CG208)" and codes == ("CG208",)


# --- smaller ones -----------------------------------------------------------------------------------------------------


def test_a_spec_is_shrunk_to_what_fails():
    tried = next(each for each in (case(SEED, n) for n in range(500)) if "softplus(" in each.text and not each.beside)

    def same(smaller):
        try:
            compiler.Spec.of(smaller.text).typed()
        except SpecError:
            return False
        return "softplus(" in smaller.text

    small = shrink.shrink(tried, same)
    assert same(small) and len(small.text.splitlines()) <= 18 < len(tried.text.splitlines())


def test_an_edit_that_fails_is_shrunk(tmp_path, monkeypatch):
    """To the smallest valid spec that the same edit breaks, with the edit."""
    number = next(
        n for n in range(500) if edits.edit(case(3, n), campaign._drawn(campaign.Task(3, n, ""))).kind == "two signs"
    )
    monkeypatch.setattr(edits, "refused", lambda edit, folder: (edits.Failure("edited: bad"), ()))
    small = campaign._shrunk(campaign.Task(3, number, "numpy", "edited: bad"), tmp_path)
    assert "+ * 2" in small["text"] and len(small["text"].splitlines()) < len(case(3, number).text.splitlines())
    assert len(small["text"].splitlines()) <= 18


def test_parts_of_an_expression():
    assert {*shrink.parts_of("tanh(a + b[t-1]) * 2")} >= {"tanh(a + b[t-1])", "2", "tanh(a) * 2", "(a + b[t-1]) * 2"}


# --- a run ------------------------------------------------------------------------------------------------------------


def test_a_run_is_resumed_and_told(tmp_path, monkeypatch):
    done = {"refused": {}, "notes": {}, "told": {}, "edited": 1, "failures": []}
    with monkeypatch.context() as patched:
        patched.setattr(campaign, "each_done", lambda tasks, jobs: ((task, done) for task in tasks))
        campaign.fuzz(campaign.Tally(3), tmp_path / "fuzz.json", 2, float("inf"), 1, lambda _: None)
    command = [sys.executable, "-m", "cellgen", "fuzz", "--seed", "3", "--jobs", "1", "-o", str(tmp_path)]
    done = subprocess.run([*command, "--cells", "4"], env=_environment(), capture_output=True, text=True, cwd=tmp_path)
    tally = json.loads((tmp_path / "fuzz.json").read_text())
    assert done.returncode == bool(tally["failures"]), done.stderr
    assert tally["cells"] == tally["next"] == tally["edited"] == 4, done.stderr
    assert tally["notes"]["checked"] == 2  # those of this process
    assert "going on after 2 cells" in done.stderr and "seed 3: 4 random cells" in done.stdout


def test_some_are_run_as_generated_code_and_a_few_by_xla():
    assert [campaign.level_of(number) for number in (0, 7, 10, 50, 60)] == ["xla", "numpy", "graph", "xla", "graph"]
    assert campaign._runs("numpy") is None
    assert not campaign._runs("graph").compiled and campaign._runs("xla").compiled


def test_a_process_that_dies_or_hangs_is_a_failure_of_its_cell(tmp_path, monkeypatch):
    came = iter([campaign.DIES, campaign.HANGS])
    monkeypatch.setattr(
        campaign, "each_done", lambda tasks, jobs: ((task, next(came)) for task in tasks if not task.kind)
    )
    tally = campaign.Tally(1)
    campaign.fuzz(tally, tmp_path / "fuzz.json", 2, float("inf"), 1, lambda _: None)
    assert {*tally.failures} == {f"{campaign.DIES} (xla)", f"{campaign.HANGS} (numpy)"} and tally.next == 2


def test_processes_that_die_and_hang(monkeypatch):
    monkeypatch.setattr(campaign, "serve", served.serve)
    monkeypatch.setitem(campaign.LIMITS, "graph", 1)
    tasks = [campaign.Task(0, number, "graph" if number == 2 else "numpy") for number in range(4)]
    assert {task.number: came for task, came in campaign.each_done(iter(tasks), 1)} == {
        0: {},
        1: campaign.DIES,
        2: campaign.HANGS,
        3: {},
    }


# --- what once failed -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "stem",
    [
        "a_gathered_matrix_that_is_transposed",
        "a_size_that_an_optional_input_is_in",
        "an_input_of_which_the_way_back_reads_the_size",
    ],
)
def test_what_failed_where_it_ran(stem, tmp_path):
    """As generated code: what a function is not handed is not missed before."""
    from cellgen.fuzz.trial_run import Runs

    text = (REGRESSIONS / f"{stem}.yaml").read_text(encoding="utf-8")
    outcome = attempted(Case(text), tmp_path / "spec", runs=Runs(), only="run")
    assert not outcome.failures and outcome.notes["run as generated code"] == 1, outcome.failures


def test_a_neighbour_that_nothing_is_derived_by(tmp_path):
    """The way back of a stack sends it zero, of whatever shape: its value is not kept."""
    from cellgen.fuzz.trial_run import Runs

    cell = """
cell: Inner
state: {h: {shape: [units], initial: -1}}
params: {W: [input, units]}
equations: |
  h = where(1 < x @ W, 1, 1)
"""
    case = Case("stack: Outer\ncell: inner\nlayers: units\n", beside={"inner": cell})
    outcome = attempted(case, tmp_path / "spec", runs=Runs(), only="run")
    assert not outcome.failures and outcome.notes["run as generated code"] == 1, outcome.failures


@pytest.mark.parametrize("path", sorted(REGRESSIONS.glob("*.yaml")), ids=lambda path: path.stem)
def test_what_once_failed(path, tmp_path):
    outcome = attempted(Case(path.read_text(encoding="utf-8")), tmp_path / "spec")
    assert not outcome.failures and not outcome.refused, (outcome.failures, outcome.refused)
    assert outcome.notes["built"]


@pytest.mark.full
def test_some_minutes_of_today(tmp_path):
    command = [sys.executable, "-m", "cellgen", "fuzz", "--minutes", "5", "--jobs", "2", "-o", str(tmp_path)]
    done = subprocess.run(command, env=_environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr[-4000:]
