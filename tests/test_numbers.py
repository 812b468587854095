"""Odd cells in numpy alone: the derived and the planned step beside the equations, derivatives beside differences.

It takes a tenth of a second a cell. What writes code is tried elsewhere.
"""

from functools import cache
from pathlib import Path

import pytest

from cellgen.compiler import Spec, planned
from cellgen.trial import Outcome, numerical
from tests.test_derived import CELLS as OF_GRADIENTS
from tests.test_every_cell import CELLS, NUMBERS, of_number

HERE = Path(__file__).resolve().parent
SPECS = {
    **{name: Spec.of(text) for name, text in CELLS.items()},
    **{name: Spec.of(f"cell: Odd\n{text}") for name, text in OF_GRADIENTS.items()},
    **{value: Spec.of(of_number(value)) for value in NUMBERS},
    **{path.stem: Spec.at(path) for folder in ("specs", "regressions") for path in sorted((HERE / folder).glob("*"))},
}
SLOW = {"every_operation": pytest.mark.full}


@cache
def plan_of(name):
    return planned(SPECS[name].typed(laws=False))


@pytest.mark.parametrize("name", [pytest.param(name, marks=SLOW.get(name, ())) for name in SPECS])
def test_what_is_derived_and_planned_is_right(name):
    typed, outcome = SPECS[name].typed(laws=False), Outcome()
    numerical(typed, plan_of(name), 0, outcome)
    assert not outcome.failures, outcome.failures
    assert outcome.notes["forward compared"] and outcome.notes["gradient compared"]
