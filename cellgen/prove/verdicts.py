"""The laws of a cell, and what is looked at in every cell, by sympy.

Input: a `TypedCell` and its `Facts`. Output: `Verdicts`, with diagnostics (CG401 to CG403, CG405, CG406, CG408 to
CG410, CG412). Nothing that is written depends on them. Sympy is imported when `laws` runs.

The work is bounded by counts, never by a clock: 128 terms a polynomial, 64 cases a claim, 1024 terms to split
(`symbols`, `law`, `enclose`), and MAX_WORK equations interpreted for all laws together (`refute`).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import reduce
from itertools import zip_longest

from cellgen.analyse import Facts, condition_suffix, tell
from cellgen.diagnostics import Diagnostic, Report, Span
from cellgen.ir import Interval, Law, Program, ReducesTo, Ref, TypedCell, intervals, walk
from cellgen.prove.law import ABSENT, ILL_TYPED, PROVED, REFUTED, UNKNOWN, VACUOUS, Outcome, Prover, said_of, spoken
from cellgen.prove.meaning import defaults
from cellgen.prove.reduction import reduces
from cellgen.prove.symbols import SYMPY, Table
from cellgen.prove.traits import Traits, traits
from cellgen.shapes import shapes, speaks_of

MAX_WORK = 20_000

_GRAVEST = (REFUTED, ILL_TYPED, UNKNOWN, PROVED, VACUOUS, ABSENT)

__all__ = ["SYMPY", "Verdict", "Verdicts", "judge", "laws"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known of one claim, each a line or less.

    about: `law`, or what is looked at unasked: `mask`, `range`, `always`, `mix`, `gradient`.
    status: `proved`, `refuted`, `unknown`, `vacuous` or `not applicable`. why: under what, or by what; or empty.
    """

    about: str
    status: str
    claim: str
    why: str = ""
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Verdicts:
    """In the order of the laws; then of what is looked at in every cell."""

    laws: tuple[Verdict, ...]
    traits: tuple[Verdict, ...]
    diagnostics: tuple[Diagnostic, ...]


def laws(typed: TypedCell, facts: Facts, strict: bool = False) -> Verdicts:
    """Every law in every variant. A law that is unknown is a warning, or an error if `strict`. Raises nothing."""
    court = _Court(typed, facts.programs, strict)
    judged = tuple(court.judge(law) for law in typed.cell.laws)
    looked = court.look()
    return Verdicts(judged, looked, court.report.diagnostics)


def judge(typed: TypedCell, facts: Facts, some: Iterable[Law]) -> tuple[Verdict, ...]:
    """The verdicts on some laws of the cell alone, without a look at what else there is. Raises nothing."""
    court = _Court(typed, facts.programs, strict=False)
    return tuple(map(court.judge, some))


class _Court:
    def __init__(self, typed: TypedCell, programs: tuple[Program, ...], strict: bool):
        self.typed, self.programs, self.strict = typed, programs, strict
        self.report, self.table = Report(), Table()
        work = iter(range(MAX_WORK))
        self.provers = {id(each): Prover(typed, each, self.table, self.report, work) for each in self.programs}
        self.others: dict[str, TypedCell] = {}

    # --- variants

    def each(self, names: Iterable[str], find: Callable[[Program], object], also: Sequence = ()) -> list:
        """What is found in each variant; found once for variants in which the names come from the same equations.

        also: of each variant, what else must be the same.
        """
        known: dict[tuple, object] = {}
        keys = [(self._signature(program, names), more) for program, more in zip_longest(self.programs, also)]
        for program, key in zip(self.programs, keys):
            if key not in known:
                known[key] = find(program)
        return [known[key] for key in keys]

    def _signature(self, program: Program, names: Iterable[str]) -> tuple:
        """All that the meaning of some names depends on."""
        cone = set()
        for name in names:
            for each in (name, *program.carried(name)):
                cone.update(program.cone(each))
        live = tuple((name, self.table.recall.made(program, name)) for name in program.equations if name in cone)
        reads = sorted({ref.name for name, _ in live for ref in program.reads(name)} | set(names))
        types = tuple((name, program.variant.names.get(name)) for name in reads)
        return live, types, program.cell.ends(program.variant.variant), tuple(sorted(program.variant.same.items()))

    def where(self, found: list, holds: Callable[[object], bool]) -> str:
        """` where TEST`: the variants in which it holds; nothing if it is all of them."""
        return condition_suffix([(program.variant.variant, holds(each)) for program, each in zip(self.programs, found)])

    # --- laws

    def judge(self, law: Law) -> Verdict:
        found = self._outcomes(law)
        status = next(each for each in _GRAVEST if any(outcome.status == each for outcome in found))
        mine = [outcome for outcome in found if outcome.status == status]
        why = "; ".join(dict.fromkeys(each.why for each in mine if each.why)) if status == PROVED else mine[0].why
        settled = isinstance(law.claim, ReducesTo) and status == PROVED  # the law says in which variants
        where = "" if settled else self.where(found, lambda each: each.status == status)
        self._tell(law, mine[0], where)
        return Verdict("law", UNKNOWN if status == ILL_TYPED else status, law.text, (why + where).strip(), law.span)

    def _tell(self, law: Law, outcome: Outcome, where: str) -> None:
        """The outcome is that of the first variant in which it is as grave."""
        says_nothing = "the law says nothing: "
        inherited = law.span.source is not self.typed.cell.source
        dropped = f"it is inherited: `drop {law.text}` under `laws:` leaves it out" if inherited else ""
        match outcome.status:
            case "refuted":
                message = f"the law does not hold{where}: {outcome.why}"
                self.report.add("CG401", message, law.span, outcome.where, help=(outcome.help, dropped))
            case "unknown":
                severity = "error" if self.strict else "warning"
                message = f"the law is open{where}: {outcome.why}"
                self.report.add("CG402", message, law.span, help=outcome.help, severity=severity)
            case "vacuous":
                self.report.add("CG403", says_nothing + outcome.why, law.span, "no case is left")
            case "not applicable":
                self.report.add("CG403", says_nothing + "no variant has all that it names", law.span)

    def _outcomes(self, law: Law) -> list[Outcome]:
        if isinstance(law.claim, ReducesTo):
            if law.claim.stem not in self.others:
                self.others[law.claim.stem] = shapes(law.claim.other)
            return [reduces(prover, law, self.others[law.claim.stem]) for prover in self.provers.values()]
        names = [node.name for each in spoken(law) for _, node in walk(each) if isinstance(node, Ref)]
        speaks = [speaks_of(law, program.variant.variant) for program in self.programs]
        return self.each(names, lambda program: self.provers[id(program)].outcome(law), speaks)

    # --- traits

    def look(self) -> tuple[Verdict, ...]:
        cell = self.typed.cell
        names = [*(state.name for state in cell.states), *cell.outputs, *(cell.trace or ())]
        found = self.each(names, lambda program: traits(self.typed, program, self.table))
        self.remark(found)
        return (
            *self._shown("mask", found, lambda each: (each.mask,)),
            *self._ranges(found),
            *self._shown("always", found, lambda each: tuple((True, _fixed(*fixed)) for fixed in each.fixed)),
            *self._shown("mix", found, lambda each: tuple((True, mix) for mix in each.mixes)),
            *self._gradients(found),
        )

    def remark(self, found: list[Traits]) -> None:
        tell(self.report, [program.variant.variant for program in self.programs], [each.remarks for each in found])

    def _shown(self, about: str, found: list[Traits], lines: Callable[[Traits], tuple]) -> Iterator[Verdict]:
        every = [lines(each) for each in found]
        for line in dict.fromkeys(line for each in every for line in each):
            where = self.where([line in each for each in every], bool)
            yield Verdict(about, PROVED if line[0] else UNKNOWN, line[1], where.strip())

    def _ranges(self, found: list[Traits]) -> Iterator[Verdict]:
        """One range for all variants where there is one; names of one range stand together."""
        together: dict[tuple[Interval, str], list[str]] = {}
        states = self.programs[0].states
        for name in (equation.name for equation in self.typed.cell.equations):
            mine = [dict(each.ranges).get(name) for each in found]
            there = [interval for interval in mine if interval is not None]
            whole = reduce(intervals.hull, there)
            for interval in dict.fromkeys(there) if whole == intervals.REAL else (whole,):
                known = interval != intervals.REAL and (interval.low is None or interval.low != interval.high)
                if known or name in states:
                    where = self.where([each == interval for each in mine], bool) if whole == intervals.REAL else ""
                    together.setdefault((interval, where), []).append(name)
        chosen = said_of(tuple(defaults(self.typed.cell)), defaults(self.typed.cell))
        for (interval, where), names in together.items():
            listed = ", ".join(names)
            if interval == intervals.REAL:
                yield Verdict("range", UNKNOWN, f"no bound is shown for {listed}", where.strip())
            else:
                claim = f"{listed} in {intervals.interval_text(interval)}"
                yield Verdict("range", PROVED, claim, (chosen + where).strip())

    def _gradients(self, found: list[Traits]) -> Iterator[Verdict]:
        params = {param.name: param for param in self.typed.cell.params}
        dead = dict.fromkeys(name for each in found for name in each.dead)
        together: dict[str, list[str]] = {}
        for name in dead:
            together.setdefault(self.where([name in each.dead for each in found], bool), []).append(name)
        for where, names in together.items():
            shown = names if len(names) < 5 else [*names[:3], ""]
            listed = listing([f"`{name}`" if name else f"{len(names) - 3} more" for name in shown])
            message = f"the gradient of {listed} is zero, whatever the loss{where}"
            span = params[names[0].split(".")[0]].span
            self.report.add("CG409", message, span, "no derivative of the output leads here", severity="warning")
            yield Verdict("gradient", PROVED, f"the gradient of {listing(names)} is zero", where.strip())
        frozen = self.typed.cell.frozen
        if not dead and not (frozen and frozen >= params.keys()):
            yield Verdict("gradient", PROVED, f"every {'trained ' if frozen else ''}weight can get a gradient")


def _fixed(name: str, value: Fraction) -> str:
    return f"{name} == {intervals.number_text(value)}"


def listing(words: list[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last
