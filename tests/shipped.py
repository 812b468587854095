"""The shipped specs as the stages make them: each once for all tests of a process, which change nothing of them."""

from functools import cache

from cellgen.analyse.structure import Facts, analyse
from cellgen.compiler import Spec, planned, shipped
from cellgen.ir.cell import TypedCell
from cellgen.schedule.plan import Plan

SHIPPED = sorted(path.stem for path in shipped().glob("*.yaml"))


@cache
def typed_of(stem: str) -> TypedCell:
    return Spec.at(stem).typed()


@cache
def facts_of(stem: str) -> Facts:
    return analyse(typed_of(stem))


@cache
def plan_of(stem: str) -> Plan:
    return planned(typed_of(stem))
