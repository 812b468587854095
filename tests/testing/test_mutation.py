"""The generated tests see every slip: each mutant of a generated cell fails them."""

import ast
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import keras
import pytest

from cellgen import testing
from tests.checkout import CHECKOUT
from tests.shipped import in_turn
from tests.testing.mutants import mutants, mutants_of_the_runtime

GENERATED = CHECKOUT / "generated"
STEMS = sorted(path.stem for path in GENERATED.glob("*.py") if not path.stem.startswith(("test_", "recurrent_")))

# survivors, by spec and mutant, with the proof that they compute the same
STABILISER = "`old` and `now` are divided by exp(top), numerator and denominator alike: y is the same for any top"
EQUIVALENT: dict[tuple[str, str], str] = {
    ("rwkv4", "sign _step:91 (11)"): STABILISER,
    ("rwkv4", "scan-sign _forward:149 (15)"): STABILISER,
}


def run_as(module: ModuleType, tree: ast.Module, patched: pytest.MonkeyPatch) -> None:
    """Its classes run what a changed text of it says, so that layers that are built need not be built anew. A state is
    of the named tuple that it was.
    """
    names = {**vars(module)}
    rest = [each for each in tree.body if not (isinstance(each, ast.ClassDef) and hasattr(names[each.name], "_fields"))]
    exec(compile(ast.Module(rest, []), module.__file__, "exec"), names)  # noqa: S102 - our own generated file
    for name, changed in names.items():
        if isinstance(changed, type) and changed is not (there := vars(module)[name]):
            for each in vars(changed):
                if each == "scan" or each.startswith("_split_weights"):
                    patched.setattr(there, each, vars(changed)[each])


def subject_of(stem: str) -> testing.Subject:
    """What the generated tests of a cell are of."""
    sys.path.insert(0, str(GENERATED))
    try:
        spec = importlib.util.spec_from_file_location(f"mutated_test_{stem}", GENERATED / f"test_{stem}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(GENERATED))
    return module.SUBJECT


def passes(subject: testing.Subject, kind: str) -> bool:
    """Whether the step test, or for a mask's mutant the mask test, passes in every case. A shape error is a death."""
    try:
        if kind.endswith("noise"):
            return passes_in_training(subject, kind)
        for case in subject.cases:
            if kind == "mask":
                testing.masks(subject, case)
            elif kind.startswith("fused"):
                with pytest.MonkeyPatch.context() as patched:
                    testing.on_cudnn(subject, case, patched)
            elif kind.startswith("scan"):
                testing.scan(subject, case)
                testing.gradients(subject, case)  # some of what the loop computes is kept for the way back alone
            elif kind.startswith("back"):
                testing.gradients(subject, case)
            else:
                testing.step(subject, case, subject.sizes[0])
        if kind in ("sign", "last") and "straight_through(" in Path(subject.built.__file__).read_text(encoding="utf-8"):
            for case in subject.cases:
                testing.gradients(subject, case)  # what stands behind it has a gradient only
    except Exception:  # whatever goes wrong is seen
        return False
    return True


def passes_in_training(subject: testing.Subject, kind: str) -> bool:
    """Whether the tests of what training draws do."""
    with pytest.MonkeyPatch.context() as patched:
        if kind.startswith("back"):
            testing.training_every_way(subject, patched)
        elif kind.startswith("scan"):
            testing.training_scan(subject, patched)
        else:
            testing.training_step(subject)
    return True


@pytest.mark.parametrize("stem", in_turn(STEMS, always=("hm_lstm", "lstm"), seldom=("weight_norm_lstm",)))
def test_every_mutant_dies(stem):
    survivors, kinds = judged(stem, lambda kind: not kind.startswith(("scan", "back")))
    assert "mask" in kinds and ("sign" in kinds or "last" in kinds)
    assert not survivors


@pytest.mark.parametrize("stem", in_turn(STEMS, always=(), seldom=("hm_lstm", "hm_lstm_stack", "weight_norm_lstm")))
def test_every_mutant_of_the_loop_dies(stem):
    """Those of what runs before the loop, in it, on the way back and after it."""
    survivors, kinds = judged(stem, lambda kind: kind.startswith(("scan", "back")))
    assert any(kind.startswith("back") for kind in kinds)
    assert not survivors


def test_every_mutant_of_the_runtime_dies(monkeypatch):
    """A masked step's values chosen the wrong way round, a derivative that a neighbour sent taken off: what one cell
    does not run, another's tests see.
    """
    alive: dict[str, bool] = {}
    for stem in ("layer_norm_lstm", "gru_stack", "hm_lstm_stack"):
        subject = subject_of(stem)
        scan = next(
            each.scan for each in vars(subject.built).values() if isinstance(each, type) and hasattr(each, "scan")
        )
        for name, owner, method, changed in mutants_of_the_runtime(scan):
            with monkeypatch.context() as patched:
                patched.setattr(owner, method, changed)
                alive[name] = alive.get(name, True) and passes(subject, name.split()[0])
    assert len(alive) == 6 and not any(alive.values())


# where the random numbers of generated tests hardly come, by spec the lines, which another test sees
SELDOM = dict.fromkeys(  # tests/contract/test_skip_cells.py
    ("skip_gru", "skip_lstm"), ("_d_w_minimum = _d_w_next * (1 - u)", "tf.where(w_prev + d <= 1, ")
)


def judged(stem, wanted):
    """The survivors among the mutants of some kinds, and the kinds that were found."""
    text = (GENERATED / f"{stem}.py").read_text(encoding="utf-8")
    subject = subject_of(stem)
    registered, survivors, kinds = dict(keras.saving.get_custom_objects()), [], set()

    def lives(tree: ast.Module, kind: str) -> bool:
        with pytest.MonkeyPatch.context() as patched:
            run_as(subject.built, tree, patched)
            return passes(subject, kind)

    for name, mutated in mutants(text, wanted):
        kind = name.split()[0]
        if kind not in {"sign", *kinds}:  # a sign is told by what tells the rest of a step
            assert lives(ast.parse(text), kind), f"what tells mutants of {kind} tells the sound file"
        kinds.add(kind)
        line = text.splitlines()[int(name.split(":")[1].split()[0]) - 1]
        known = (stem, name) in EQUIVALENT or any(seldom in line for seldom in SELDOM.get(stem, ()))
        if lives(mutated, kind) and not known:
            survivors.append(name)
    keras.saving.get_custom_objects().update(registered)  # a saved layer must not load as a mutant from now on
    return survivors, kinds
