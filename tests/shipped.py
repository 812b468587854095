"""The shipped specs as the stages make them, each once for all tests of a process, which change nothing of them; and
which of them are tried today: a few always, of the others a tenth that is another one every day, all with `--full`.
"""

import os
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from zlib import crc32

import pytest

from cellgen.analyse.structure import Facts, analyse
from cellgen.compiler import Spec, planned, shipped
from cellgen.ir.cell import TypedCell
from cellgen.schedule.plan import Plan

SHIPPED = sorted(path.stem for path in shipped().glob("*.yaml"))
ALWAYS = ("gru", "hm_lstm", "hm_lstm_stack", "layer_norm_lstm", "lstm", "lstmp", "scrn")
TOLD = {  # what `check` tells of a shipped spec beside its laws, and rightly
    "hm_lstm": {"CG409"},  # a detector that only chooses has no gradient; the cells say where that is
    "hm_lstm_stack": {"CG409"},
    "sgu": {"CG405"},  # the input weighs the state unsquashed, as in the paper
    "dsgu": {"CG405"},
    "cfc": {"CG406"},  # no input can be said to be positive, as elapsed time is
}
TENTH = os.environ.get("CELLGEN_TENTH", "all")  # `conftest` sets it


def everyday(stem: str, always: Iterable[str] = ALWAYS) -> bool:
    """Whether a shipped spec is tried today."""
    return TENTH == "all" or stem in always or str(crc32(stem.encode()) % 10) == TENTH


TODAY = [stem for stem in SHIPPED if everyday(stem)]


def in_turn(specs: Iterable[str | Path], always: Iterable[str] = ALWAYS, seldom: Iterable[str] = ()) -> list:
    """Parameters of a test: specs, by stem or path, those that are not tried today, and some that never are, behind
    `--full`.
    """
    found = []
    for each in specs:
        stem = each.stem if isinstance(each, Path) else each
        rests = stem in SHIPPED and not everyday(stem, always) or stem in seldom
        if not rests or TENTH == "all":  # thousands of items would be made to be left out
            found.append(pytest.param(each, id=stem, marks=pytest.mark.full if rests else ()))
    return found


each_shipped = pytest.mark.parametrize("stem", in_turn(SHIPPED))


@cache
def typed_of(stem: str) -> TypedCell:
    return Spec.at(stem).typed()


@cache
def facts_of(stem: str) -> Facts:
    return analyse(typed_of(stem))


@cache
def plan_of(stem: str) -> Plan:
    return planned(typed_of(stem))
