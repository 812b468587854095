"""One law in one variant: proved, refuted, unknown, vacuous, or not applicable.

A fact on what is 0 or 1 is a condition: its cases are enumerated, and those that contradict it dropped. Any other fact
is an intervention. Each claim is first tried for every activation that options may choose, then for their defaults.
At most MAX_CASES cases are looked at.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cellgen import ranges
from cellgen.cell import Equal, Fact, FreeOf, Law, TypedCell, Within
from cellgen.diagnostics import Report
from cellgen.enclose import Enclosure, invariants, start
from cellgen.expr import Activate, Apply, Node, Pick, Ref, walk
from cellgen.lawtypes import exists, expression_types
from cellgen.meaning import Meaning, Under, defaults
from cellgen.notation import notation
from cellgen.ops import Interval
from cellgen.program import Program
from cellgen.ranges import interval_text, number_text
from cellgen.symbols import Expr, Table

MAX_CASES = 64

PROVED, REFUTED, UNKNOWN, VACUOUS, ABSENT = "proved", "refuted", "unknown", "vacuous", "not applicable"
ILL_TYPED = "ill-typed"  # told by its shapes


@dataclass(frozen=True, slots=True)
class Outcome:
    """`where` numbers were seen that refute the law; `help` is what can be said instead."""

    status: str
    why: str = ""
    where: str = ""
    help: str = ""


class _TooMany(Exception):
    """More cases than are looked at."""


@dataclass
class Prover:
    """The laws of one variant. What is wrong with the shapes of a law is reported."""

    typed: TypedCell
    program: Program
    table: Table
    report: Report
    _leaves: dict[tuple, dict[Expr, Interval]] = field(default_factory=dict, repr=False)

    def outcome(self, law: Law) -> Outcome:
        """What can be said of a law that is no `reduces to`."""
        nodes = [*claimed(law), *(fact.name for fact in law.facts)]
        if not all(exists(self.typed, self.program.variant, node) for node in nodes):
            return Outcome(ABSENT)
        try:
            return self._outcome(law)
        except _TooMany:
            return Outcome(UNKNOWN, f"more than {MAX_CASES} cases")

    def _outcome(self, law: Law) -> Outcome:
        match law.claim:
            case Equal(a, b):
                claim = Apply("sub", (a, b), (), law.span)
            case Within(value) | FreeOf(value):
                claim = value
        types = self.types(claim, "law")
        if types is None or any(self.types(fact.name, "fact") is None for fact in law.facts):
            return Outcome(ILL_TYPED, "its shapes do not agree")
        chosen, shown_range = self.activations([*claimed(law), *(fact.name for fact in law.facts)]), ""
        for activations in ({}, defaults(self.program.cell)) if chosen else ({},):
            cases = self.cases(law.facts, activations)
            if not cases:
                return Outcome(VACUOUS, "its facts contradict each other")
            match law.claim:
                case Equal():
                    shown = all(expr == 0 for case in cases for expr in case.of(claim, ("law",), types).lanes.values())
                case FreeOf(_, of):
                    leaves = {leaf for case in cases for leaf in self.table.reads(case.of(claim, ("law",), types).lanes.values())}
                    shown = not any(self.table.atoms[leaf].place[:2] == (of.name, of.ago) for leaf in leaves)
                case Within() as within:
                    shown, shown_range = self._within(law, within, cases, types, activations)
            if shown:
                return Outcome(PROVED, said_of(chosen, activations))
        help = f"what is shown is `{notation(claim)} in {shown_range}`" if shown_range and "inf, inf" not in shown_range else ""
        return self._refuted(law, claim, types, help) or Outcome(UNKNOWN, "neither proved, nor refuted by numbers", help=help)

    def types(self, node: Node, root: str) -> Mapping | None:
        return expression_types(self.typed, self.program.variant, node, (root,), self.report)

    # --- cases

    def cases(self, facts: tuple[Fact, ...], activations: Mapping[str, str]) -> list[Meaning]:
        """The program under the facts, once for each case of its conditions that is left."""
        cell, variant = self.program.cell, self.program.variant
        numeric = {option.name: option for option in cell.options}
        options, conditions, imposed = {}, [], []
        for fact in facts:
            base = fact.name.value if isinstance(fact.name, Pick) else fact.name
            if base.name in numeric:
                options[base.name] = fact.value
                if not ranges.inside(ranges.point(fact.value), ranges.closed(numeric[base.name].low, numeric[base.name].high)):
                    return []
            elif variant.names[base.name].binary:
                conditions.append(fact)
            else:
                imposed.append((fact.name, fact.value))
        found, todo, tried = [], [{}], 0
        while todo:
            tried += 1
            if tried > 2 * MAX_CASES:
                raise _TooMany
            assumed = todo.pop()
            meaning = Meaning(self.program, self.table, Under(tuple(imposed), assumed, options, activations))
            lanes = [(expr, fact.value) for fact in conditions for expr in _lanes(meaning, fact.name)]
            open_lanes = [expr for expr, _ in lanes if not expr.is_Rational]
            if any(expr.is_Rational and expr != meaning.arithmetic.number(value) for expr, value in lanes):
                continue
            if open_lanes:
                symbol = min(open_lanes[0].free_symbols, key=str)
                todo += [{**assumed, symbol: 0}, {**assumed, symbol: 1}]
                continue
            for name, _ in imposed:
                meaning.name(name.value if isinstance(name, Pick) else name)
            if not meaning.contradicted:
                found.append(meaning)
        return found

    def activations(self, nodes: list[Node]) -> tuple[str, ...]:
        """The activations that options choose, in what the nodes come from; through carried states as well."""
        names = [ref.name for node in nodes for _, ref in walk(node) if isinstance(ref, Ref)]
        names += [state for name in names for state in self.program.carried(name)]
        equations = dict.fromkeys(each for name in names for each in self.program.cone(name))
        found = {node.option for each in equations for node, _ in self.program.walk(*self.program.root(each)) if isinstance(node, Activate)}
        return tuple(option.name for option in self.program.cell.options if option.name in found)

    # --- ranges

    def _within(self, law: Law, claim: Within, cases: list[Meaning], types, activations) -> tuple[bool, str]:
        """Whether it is shown, and the range that is."""
        base = Meaning(self.program, self.table, Under(activations=activations))
        if law.facts:
            leaves = invariants(self.program.cell, self.table, [base, *cases])
        else:
            leaves = self.carried(base)
        return self._encloses(Enclosure(self.table, leaves), law, claim, cases, types)

    def carried(self, base: Meaning) -> dict[Expr, Interval]:
        """Ranges that carried states keep to, also by the laws themselves.

        All range laws of states are assumed at t-1 and shown at t; those that are not shown are dropped, and the rest
        tried again.
        """
        key = tuple(sorted(base.under.activations.items()))
        if key not in self._leaves:
            cell = self.program.cell
            found = invariants(cell, self.table, [base])
            able = [law for law in cell.laws if not law.facts and isinstance(law.claim, Within) and self.state_of(law.claim.value)]
            able = [(law, types) for law in able if (types := self.types(law.claim.value, "law"))]
            while True:
                leaves = dict(found)
                for law, _ in able:
                    for leaf in _lanes(base, _before(law.claim.value)):
                        leaves[leaf] = ranges.meet(leaves.get(leaf, ranges.REAL), self._interval(base, law.claim))
                enclosure = Enclosure(self.table, leaves)
                kept = [(law, types) for law, types in able if self._encloses(enclosure, law, law.claim, [base], types)[0]]
                if kept == able:
                    break
                able = kept
            self._leaves[key] = leaves
        return self._leaves[key]

    def _interval(self, meaning: Meaning, claim: Within) -> Interval:
        """Of a claim whose ends are numbers; an end that is an option is left out."""
        low, high = (None if end is None else _single(meaning, end) for end in (claim.low, claim.high))
        low, high = (ranges.exact(end) if end is not None and end.is_Rational else None for end in (low, high))
        return Interval(low, high, low is None or claim.low_open, high is None or claim.high_open)

    def _encloses(self, enclosure: Enclosure, law: Law, claim: Within, cases: list[Meaning], types) -> tuple[bool, str]:
        cell, shown, whole = self.program.cell, True, None
        for case in cases:
            low, high = (None if end is None else _single(case, end) for end in (claim.low, claim.high))
            values = list(case.of(claim.value, ("law",), types).lanes.values())
            state = self.state_of(claim.value)
            if state and not law.facts:
                first = start(cell, state)
                if not ranges.bounded(first):
                    return False, ""
                values.append(case.arithmetic.number(first.low))
            for expr in values:
                whole = ranges.hull(whole or enclosure.of(expr), enclosure.of(expr))
                shown &= low is None or self._at_most(enclosure, low, expr, claim.low_open)
                shown &= high is None or self._at_most(enclosure, expr, high, claim.high_open)
        return shown, interval_text(whole)

    def _at_most(self, enclosure: Enclosure, a: Expr, b: Expr, strictly: bool) -> bool:
        """Whether `a <= b`, or `a < b`."""
        difference = enclosure.of(b - a)
        if difference.low is not None and (difference.low > 0 or difference.low == 0 and (difference.low_open or not strictly)):
            return True
        for side, enough in ((a, "minimum"), (b, "maximum")):
            atom = self.table.atoms.get(side)
            if atom and atom.op in ("minimum", "maximum"):
                parts = (self._at_most(enclosure, *((part, b) if side is a else (a, part)), strictly) for part in atom.operands)
                return any(parts) if atom.op == enough else all(parts)
        return False

    def state_of(self, node: Node) -> str | None:
        """The state, if the expression is its value of this step, or a label of it."""
        node = node.value if isinstance(node, Pick) else node
        return node.name if isinstance(node, Ref) and not node.ago and node.name in self.program.states else None

    # --- numbers

    def _refuted(self, law: Law, claim: Node, types, help: str) -> Outcome | None:
        from cellgen import refute  # and with it numpy: only where numbers are looked for

        trial = refute.Trial(self.typed, self.program.variant, law.facts)
        facts = [self.types(fact.name, "fact") for fact in trial.conditions()]
        match law.claim:
            case Equal():
                found = refute.refute_equal(trial, claim, types, facts)
            case FreeOf(value, of):
                found = refute.refute_free(trial, value, of, types, facts)
            case Within(value) as within:
                interval = self._interval(self.cases(law.facts, {})[0], within)
                state = self.state_of(value)
                first = start(self.program.cell, state) if state and not law.facts else ranges.REAL
                if ranges.bounded(first) and not ranges.inside(first, interval):
                    return Outcome(REFUTED, f"{notation(value)} starts at {number_text(first.low)}", "before the first step", help)
                found = refute.refute_within(trial, value, interval, types, facts)
        return Outcome(REFUTED, found.what, found.where, help) if found else None


def claimed(law: Law) -> list[Node]:
    """The expressions of a claim."""
    match law.claim:
        case Equal(a, b):
            return [a, b]
        case Within(value, low, high):
            return [node for node in (value, low, high) if node is not None]
        case FreeOf(value, of):
            return [value, of]
    return []


def _before(name: Node) -> Node:
    """The carried value of a state, or of a label of one."""
    return Pick(_before(name.value), name.label) if isinstance(name, Pick) else Ref(name.name, 1)


def _lanes(meaning: Meaning, name: Node) -> list[Expr]:
    base = name.value if isinstance(name, Pick) else name
    return [expr for path, expr in meaning.name(base).lanes.items() if base is name or name.label in path]


def _single(meaning: Meaning, bound: Node) -> Expr:
    """A bound: a number, an option or its negative."""
    match bound:
        case Apply("neg", (inner,)):
            return -_single(meaning, inner)
        case Ref():
            (expr,) = meaning.name(bound).lanes.values()
            return expr
    return meaning.arithmetic.number(bound.value)


def said_of(chosen: tuple[str, ...], activations: Mapping[str, str]) -> str:
    """For which activations a law is proved that comes from these options."""
    if not chosen:
        return ""
    return "with " + ", ".join(f"{name} = {activations[name]}" for name in chosen) if activations else "for every activation"
