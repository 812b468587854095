"""The generated tests see every slip: each mutant of a generated cell fails them."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import keras
import pytest

from tests.mutants import mutants

GENERATED = Path(__file__).resolve().parent.parent / "generated"
STEMS = sorted(path.stem for path in GENERATED.glob("*.py") if not path.stem.startswith("test_"))

# survivors, by spec and mutant, with the proof that they compute the same
EQUIVALENT: dict[tuple[str, str], str] = {}


def loaded(name: str, text: str, path: Path) -> ModuleType:
    module = ModuleType(name)
    module.__file__ = str(path)
    exec(compile(text, str(path), "exec"), module.__dict__)  # noqa: S102 - our own generated file
    return module


def suite_of(stem: str) -> ModuleType:
    sys.path.insert(0, str(GENERATED))
    try:
        spec = importlib.util.spec_from_file_location(f"mutated_test_{stem}", GENERATED / f"test_{stem}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(GENERATED))
    return module


def passes(tests: ModuleType, kind: str) -> bool:
    """Whether the step test, or for a mask's mutant the mask test, passes in every case. A shape error is a death."""
    try:
        for case in tests.CASES:
            if kind == "mask":
                tests.test_masks(case, {"mask": tests.MASK})
            elif kind.startswith("scan"):
                tests.test_scan(case)
            elif kind.startswith("back"):
                tests.test_gradients(case)
            else:
                tests.test_step(case, tests.SIZES[0])
    except Exception:  # whatever goes wrong is seen
        return False
    return True


@pytest.mark.parametrize("stem", STEMS)
def test_every_mutant_dies(stem):
    path = GENERATED / f"{stem}.py"
    text = path.read_text(encoding="utf-8")
    tests = suite_of(stem)
    assert passes(tests, "step")
    found = list(mutants(text))
    kinds = {name.split()[0] for name, _ in found}
    assert "mask" in kinds and ("sign" in kinds or "last" in kinds)
    registered, survivors = dict(keras.saving.get_custom_objects()), []
    for name, mutated in found:
        tests.built = loaded(stem, mutated, path)
        if passes(tests, name.split()[0]) and (stem, name) not in EQUIVALENT:
            survivors.append(name)
    keras.saving.get_custom_objects().update(registered)  # a saved layer must not load as a mutant from now on
    assert not survivors
