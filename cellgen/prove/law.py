"""One law in one variant: proved, refuted, unknown, vacuous, or not applicable.

A fact on what is 0 or 1 is a condition: its cases are enumerated, and those that contradict it dropped. Any other fact
is an intervention. Each claim is first tried for every activation that options may choose, then for their defaults.
At most MAX_CASES cases are looked at.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from cellgen.diagnostics import Report
from cellgen.ir import (
    REAL,
    ZERO,
    Activate,
    Apply,
    Equal,
    Fact,
    FreeOf,
    Interval,
    Law,
    Node,
    Path,
    Pick,
    Program,
    Ref,
    Said,
    Type,
    TypedCell,
    Within,
    interval_text,
    intervals,
    number_text,
    walk,
)
from cellgen.prove.domains import demands
from cellgen.prove.enclose import Enclosure
from cellgen.prove.equate import wherever, zero
from cellgen.prove.invariants import invariants, start
from cellgen.prove.meaning import Meaning, Under, defaults
from cellgen.prove.symbols import Expr, Table
from cellgen.shapes import exists, expression_types, speaks_of
from cellgen.text import notation

MAX_CASES = 64

PROVED, REFUTED, UNKNOWN, VACUOUS, ABSENT = "proved", "refuted", "unknown", "vacuous", "not applicable"
ILL_TYPED = "ill-typed"  # its shapes are reported

OPEN = "neither proved, nor refuted by numbers"

Types = Mapping[Path, Type]


@dataclass(frozen=True, slots=True)
class Outcome:
    """`where` numbers were seen that refute the law; `help` is what can be said instead."""

    status: str
    why: str = ""
    where: str = ""
    help: str = ""


TOO_MANY = Outcome(UNKNOWN, f"more than {MAX_CASES} cases")


class TooManyCases(Exception):
    """More cases than are looked at."""


@dataclass
class Prover:
    """The laws of one variant. Wrong shapes in a law are reported; the search for numbers takes from `work`."""

    typed: TypedCell
    program: Program
    table: Table
    report: Report
    work: Iterator[int]
    _leaves: dict[tuple, dict[Expr, Interval]] = field(default_factory=dict, repr=False)

    def outcome(self, law: Law) -> Outcome:
        """What can be said of a law that is no `reduces to`."""
        if not self.has(law):
            return Outcome(ABSENT)
        types = self.types(_value(law), "law")
        if types is None or not self.well_said(law.facts):
            return Outcome(ILL_TYPED, "its shapes do not agree")
        try:
            return self._outcome(law, _value(law), types)
        except TooManyCases:
            return TOO_MANY

    def has(self, law: Law) -> bool:
        """Whether the law speaks of this variant, and all that it names is here."""
        variant = self.program.variant
        return speaks_of(law, variant.variant) and all(exists(self.typed, variant, node) for node in spoken(law))

    def well_said(self, facts: Iterable[Fact]) -> bool:
        """Whether each name of a fact has a shape, and what it is set to fits it; if not, it is reported."""
        return all(map(self._well_said, facts))

    def _well_said(self, fact: Fact) -> bool:
        name = self.types(fact.name, "fact")
        if name is None or isinstance(fact.value, (Fraction, str)):
            return name is not None
        base, report = _base(fact.name), self.report
        read = [ref.name for _, ref in walk(fact.value) if isinstance(ref, Ref) and not ref.ago]
        if not base.ago and any(base.name == each or base.name in self.program.cone(each) for each in read):
            report.add("CG206", f"`{base.name}` is set to what comes from it", fact.span)
            return False
        if self._is_condition(fact):
            report.add("CG202", f"`{base.name}` is 0 or 1, and a fact says which", fact.span)
            return False
        both = self.types(Apply("sub", (fact.name, fact.value), (), fact.span), "fact")
        if both is not None and both["fact",].shape != name["fact",].shape:
            report.add("CG302", f"`{base.name}` is set to a value of another shape", fact.span)
        return both is not None and both["fact",].shape == name["fact",].shape

    def trial(self, facts: tuple[Fact, ...], choices: Mapping[str, str]):
        """What numbers are looked for under."""
        from cellgen.refute import Trial  # and with it numpy: only where numbers are looked for

        said = {each.name: self._said(each) for each in facts}
        said = {name: each for name, each in said.items() if isinstance(each, Said)}
        return Trial(self.typed, self.program.variant, self.work, facts, choices, said)

    def _said(self, fact: Fact) -> Fraction | str | Said:
        """What the name is set to."""
        plain = isinstance(fact.value, (Fraction, str))
        return fact.value if plain else Said(fact.value, self.types(fact.value, "fact"))

    def _outcome(self, law: Law, claim: Node, types: Types) -> Outcome:
        given, found = dict(law.choices), REAL
        chosen = tuple(name for name in self.activations(spoken(law)) if name not in given)
        for activations in (given, defaults(self.program.cell) | given) if chosen else (given,):
            cases = self.cases(law.facts, activations)
            if not cases:
                return Outcome(VACUOUS, "its facts contradict each other")
            values = [case.of(claim, ("law",), types).lanes.values() for case in cases]
            match law.claim:
                case Equal():
                    enclosure = self.enclosure(law.facts, cases)
                    lanes = [(case, expr) for case, lanes in zip(cases, values) for expr in lanes]
                    shown = all(zero(case, enclosure, expr) or enclosure.of(expr) == ZERO for case, expr in lanes)
                case FreeOf(_, of):
                    leaves = self.table.reads([expr for lanes in values for expr in lanes])
                    shown = not any(self.table.atoms[leaf].place[:2] == (of.name, of.ago) for leaf in leaves)
                case Within():
                    enclosure = self.enclosure(law.facts, cases)
                    shown, found = self._encloses(enclosure, law, cases, types)
            needed = self._needed(law, cases, types) if shown else None
            if needed is not None:
                by = said_of(chosen, {} if activations == given else activations)
                said = filter(None, (by, needed, self._masked(law, cases[0])))
                return needed and self.refuted(law) or Outcome(PROVED, ", ".join(said))
        help = "" if found == REAL else f"what is shown is `{notation(claim)} in {interval_text(found)}`"
        return self.refuted(law, help) or Outcome(UNKNOWN, OPEN, help=help)

    def types(self, node: Node, root: str) -> Types | None:
        return expression_types(self.typed, self.program.variant, node, (root,), self.report)

    def activations(self, nodes: list[Node]) -> tuple[str, ...]:
        """The options that choose activations in what the nodes come from, in this step and before."""
        names = [ref.name for node in nodes for _, ref in walk(node) if isinstance(ref, Ref)]
        names += [state for name in names for state in self.program.carried(name)]
        cone = dict.fromkeys(each for name in names for each in self.program.cone(name))
        found = {node.option for name in cone for node, _ in self.program.nodes(name) if isinstance(node, Activate)}
        return tuple(option.name for option in self.program.cell.options if option.name in found)

    def _needed(self, law: Law, cases: list[Meaning], types: Types) -> str | None:
        """Under which conditions all that the law comes from is a number, where that is not shown; None if it is in no
        part of a case. What comes before the step counts for a range.
        """
        enclosure = self.enclosure(law.facts, cases)
        asked = [(case, demands(case, _value(law), ("law",), types)) for case in cases]
        if isinstance(law.claim, Within):
            under = cases[0].under
            base = Meaning.given(self.program, self.table, Under(options=under.options, activations=under.activations))
            names = [ref.name for _, ref in walk(law.claim.value) if isinstance(ref, Ref)]
            for state in dict.fromkeys(each for name in names for each in self.program.carried(name)):
                root = self.program.root(state)
                asked.append((base, demands(base, *root, self.program.variant.types, carried=True)))
        return wherever(enclosure, asked)

    def _masked(self, law: Law, meaning: Meaning) -> str:
        """What a range law of the output leaves out: before the first step that runs, a masked one gives 0."""
        cell, claim = self.program.cell, law.claim
        if not isinstance(claim, Within) or claim.value != Ref(cell.output) or cell.output in self.program.states:
            return ""
        if cell.mask.kind != "hold" or intervals.inside(ZERO, self._interval(meaning, claim)):
            return ""
        return "of steps that run; a masked one before them gives 0"

    # --- cases

    def cases(self, facts: tuple[Fact, ...], activations: Mapping[str, str]) -> list[Meaning]:
        """The program under the facts, once for each case of its conditions that is left. Raises `TooManyCases`."""
        options = {option.name: option for option in self.program.cell.options}
        numbers, conditions, imposed = {}, [], []
        for fact in facts:
            base = _base(fact.name)
            if base.name in options:
                numbers[base.name] = fact.value
                allowed = intervals.closed(options[base.name].low, options[base.name].high)
                if not intervals.inside(intervals.point(fact.value), allowed):
                    return []
            elif self._is_condition(fact):
                conditions.append(fact)
            else:
                imposed.append((fact.name, self._said(fact)))
        found, todo, tried = [], [{}], 0
        while todo:
            tried += 1
            if tried > 2 * MAX_CASES:
                raise TooManyCases
            assumed = todo.pop()
            meaning = Meaning.given(self.program, self.table, Under(tuple(imposed), assumed, numbers, activations))
            undecided = self._decided(meaning, conditions)
            if isinstance(undecided, bool):
                for name, _ in imposed:
                    meaning.name(_base(name))
                if undecided and not meaning.contradicted:
                    found.append(meaning)
            else:
                todo += [{**assumed, undecided: 0}, {**assumed, undecided: 1}]
        return found

    def _is_condition(self, fact: Fact) -> bool:
        """A fact on what is 0 or 1 is one."""
        return self.program.variant.names[_base(fact.name).name].binary

    @staticmethod
    def _decided(meaning: Meaning, conditions: list[Fact]) -> bool | Expr:
        """Whether the conditions hold; or a symbol on which it depends."""
        lanes = [(expr, fact.value) for fact in conditions for expr in _lanes(meaning, fact.name)]
        if any(expr.is_Rational and intervals.exact(expr) != value for expr, value in lanes):
            return False
        undecided = next((expr for expr, _ in lanes if not expr.is_Rational), None)
        return True if undecided is None else min(undecided.free_symbols, key=lambda symbol: symbol.name)

    # --- ranges

    def enclosure(self, facts: Iterable[Fact], cases: list[Meaning]) -> Enclosure:
        """From the ranges of what is carried into a step of a run. What a fact sets holds in the step alone, an option
        throughout.

        All range laws of states that hold under them are assumed at t-1 and shown at t; those that are not shown are
        dropped, and the rest tried again.
        """
        options = {option.name for option in self.program.cell.options}
        facts = tuple(fact for fact in facts if _base(fact.name).name in options)
        under = Under(options=cases[0].under.options, activations=cases[0].under.activations)
        key = facts, tuple(sorted(under.activations.items()))
        if key not in self._leaves:
            chosen = under.activations.items()
            able = [
                law for law in self.program.cell.laws if law.facts in ((), facts) and set(law.choices) <= set(chosen)
            ]
            able = [law for law in able if speaks_of(law, self.program.variant.variant) and self._is_of_state(law)]
            self._leaves[key] = self._joint(Meaning.given(self.program, self.table, under), able)
        return Enclosure.given(self.table, self._leaves[key])

    def _joint(self, base: Meaning, able: list[Law]) -> dict[Expr, Interval]:
        cell, found = self.program.cell, invariants(self.program.cell, self.table, base)
        while True:
            leaves = dict(found)
            for law in able:
                claimed = intervals.hull(self._interval(base, law.claim), start(cell, self.state(law.claim.value)))
                for leaf in _lanes(base, _before(law.claim.value)):
                    if leaf.is_Symbol:
                        leaves[leaf] = intervals.meet(leaves.get(leaf, REAL), claimed)
            enclosure = Enclosure.given(self.table, leaves)
            kept = [
                law for law in able if self._encloses(enclosure, law, [base], self.types(law.claim.value, "law"))[0]
            ]
            if kept == able:
                return leaves
            able = kept

    def _is_of_state(self, law: Law) -> bool:
        """Whether the law gives a range to a state, and its shapes agree."""
        if not isinstance(law.claim, Within) or not self.state(law.claim.value):
            return False
        return self.types(law.claim.value, "law") is not None

    def state(self, node: Node) -> str | None:
        """The state, if the expression is its value of this step, or a label of it."""
        base = _base(node)
        return base.name if isinstance(base, Ref) and not base.ago and base.name in self.program.states else None

    @staticmethod
    def _interval(meaning: Meaning, claim: Within) -> Interval:
        """Of a claim whose ends are numbers; an end that is an option is left out."""
        low, high = (_single(meaning, end) for end in (claim.low, claim.high))
        low, high = (intervals.exact(end) if end is not None and end.is_Rational else None for end in (low, high))
        return Interval(low, high, low is None or claim.low_open, high is None or claim.high_open)

    def _encloses(self, enclosure: Enclosure, law: Law, cases: list[Meaning], types: Types) -> tuple[bool, Interval]:
        """Whether a range law is shown, and what range is."""
        claim, shown, whole = law.claim, True, None
        state = self.state(claim.value) if not law.facts else None
        first = start(self.program.cell, state) if state else None
        if first == REAL:
            return False, REAL
        for case in cases:
            low, high = (_single(case, end) for end in (claim.low, claim.high))
            lanes = [*case.of(claim.value, ("law",), types).lanes.values()]
            for expr in lanes + ([case.arithmetic.number(first.low)] if first else []):
                whole = intervals.hull(whole or enclosure.of(expr), enclosure.of(expr))
                shown &= low is None or self._at_most(enclosure, low, expr, claim.low_open)
                shown &= high is None or self._at_most(enclosure, expr, high, claim.high_open)
        return shown, whole

    @staticmethod
    def _at_most(enclosure: Enclosure, a: Expr, b: Expr, strictly: bool) -> bool:
        """Whether `a <= b`, or `a < b`."""
        if b.is_Rational and intervals.inside(enclosure.of(a), Interval(None, intervals.exact(b), True, strictly)):
            return True
        if a.is_Rational and intervals.inside(enclosure.of(b), Interval(intervals.exact(a), None, strictly, True)):
            return True
        return intervals.inside(enclosure.of(b - a), Interval(Fraction(0), None, strictly, True))

    # --- numbers

    def refuted(self, law: Law, help: str = "") -> Outcome | None:
        """What numbers say against a law that is well-typed here and not vacuous."""
        from cellgen import refute  # and with it numpy: only where numbers are looked for

        types = self.types(_value(law), "law")
        trial = self.trial(law.facts, dict(law.choices))
        facts = [self.types(fact.name, "fact") for fact in trial.conditions()]
        match law.claim:
            case Equal():
                found = refute.refute_equal(trial, _value(law), types, facts)
            case FreeOf(value, of):
                found = refute.refute_free(trial, value, of, types, facts)
            case Within(value) as within:
                interval = self._interval(self.cases(law.facts, dict(law.choices))[0], within)
                state = self.state(value) if not law.facts else None
                first = start(self.program.cell, state) if state else REAL
                if intervals.bounded(first) and not intervals.inside(first, interval):
                    what = f"{notation(value)} starts at {number_text(first.low)}"
                    return Outcome(REFUTED, what, "before any step", help)
                found = refute.refute_within(trial, within, types, facts)
        return Outcome(REFUTED, found.what, found.where, help) if found else None


def _value(law: Law) -> Node:
    """What a claim is about; of an equality, the difference."""
    claim = law.claim
    return Apply("sub", (claim.a, claim.b), (), law.span) if isinstance(claim, Equal) else claim.value


def spoken(law: Law) -> list[Node]:
    """The expressions of a law."""
    facts = [fact.name for fact in law.facts]
    facts += [fact.value for fact in law.facts if not isinstance(fact.value, (Fraction, str))]
    match law.claim:
        case Equal(a, b):
            return [a, b, *facts]
        case Within(value, low, high):
            return [*(node for node in (value, low, high) if node is not None), *facts]
        case FreeOf(value, of):
            return [value, of, *facts]
    return facts


def said_of(chosen: tuple[str, ...], activations: Mapping[str, str]) -> str:
    """For which activations a law is proved that comes from these options."""
    if not chosen:
        return ""
    if not activations:
        return "for every activation"
    return "with " + ", ".join(f"{name} = {activations[name]}" for name in chosen)


def _base(name: Node) -> Node:
    """Of a label of a name, the name."""
    return name.value if isinstance(name, Pick) else name


def _before(name: Node) -> Node:
    """The carried value of a state, or of a label of one."""
    return Pick(_before(name.value), name.label) if isinstance(name, Pick) else Ref(name.name, 1)


def _lanes(meaning: Meaning, name: Node) -> list[Expr]:
    lanes = meaning.name(_base(name)).lanes
    return [expr for path, expr in lanes.items() if not isinstance(name, Pick) or name.label in path]


def _single(meaning: Meaning, bound: Node | None) -> Expr | None:
    """A bound: a number, an option or its negative; None where there is none."""
    match bound:
        case None:
            return None
        case Apply("neg", (inner,)):
            return -_single(meaning, inner)
        case Ref():
            (expr,) = meaning.name(bound).lanes.values()
            return expr
    return meaning.arithmetic.number(bound.value)
