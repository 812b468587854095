"""`reduces to SPEC with ...`: whether, under the law's settings and facts, a cell computes what another one does.

The other cell's inputs, states, parameters, labels, dims and options are ours of the same name, or those that the law
pairs; its first input is our first. An option that we lack has its default. Its states' new values and its output
must be ours.
"""

from collections.abc import Mapping
from fractions import Fraction

from cellgen.cell import Cell, Fact, Law, ReducesTo, TypedCell, TypedVariant, default_variant
from cellgen.expr import Ref
from cellgen.invariants import start
from cellgen.lawtypes import exists
from cellgen.meaning import Meaning, Under, Value, defaults
from cellgen.program import Program
from cellgen.prove import ABSENT, OPEN, PROVED, REFUTED, UNKNOWN, VACUOUS, Outcome, Prover, said_of
from cellgen.symbols import SYMPY, Expr, Table


class Missing(Exception):
    """Something of the other cell has no counterpart in ours."""


class Theirs(Meaning):
    """The other cell, as a program over the values of ours."""

    def __init__(self, program: Program, table: Table, ours: Meaning, pairs: Mapping[str, str]):
        super().__init__(program, table, Under(activations=_activations(program.cell, ours, pairs)))
        self.ours, self.pairs = ours, pairs

    def called(self, names: tuple) -> tuple:
        return tuple(self.pairs.get(name, name) for name in names)

    def _named(self, ref: Ref) -> Value:
        program, ours = self.program, self.ours.program
        if not ref.ago and ref.name in program.equations:
            return super()._named(ref)
        mine = Ref(self.pairs.get(ref.name, ref.name), ref.ago)
        option = next((each for each in program.cell.options if each.name == ref.name), None)
        if option and all(each.name != mine.name for each in ours.cell.options):
            return self._single(self.arithmetic.number(Fraction(option.default)))
        if mine.name not in (ours.states if ref.ago else ours.variant.names):
            raise Missing(f"`{mine.name}` is not here")
        value = self.ours.name(mine)
        shape = program.cell.state(ref.name).shape if ref.ago else program.variant.names[ref.name].shape
        try:
            return self._value(shape, {path: value.lanes[self.called(path)] for path in self.paths(shape)})
        except KeyError as missing:
            raise Missing(f"`{mine.name}` has no label `{'.'.join(missing.args[0])}`") from None

    def _activated(self, option: str, expr: Expr) -> Expr:
        chosen = self.under.activations.get(option)
        if chosen:
            return SYMPY[chosen](self.arithmetic, expr)
        return self.arithmetic.atom(self.pairs.get(option, option), expr)


def _activations(cell: Cell, ours: Meaning, pairs: Mapping[str, str]) -> dict[str, str]:
    """What the other cell's options choose: what ours do, or their defaults."""
    own, chosen = defaults(ours.program.cell), {}
    for name, default in defaults(cell).items():
        mine = pairs.get(name, name)
        if mine in ours.under.activations or mine not in own:
            chosen[name] = ours.under.activations.get(mine, default)
    return chosen


def pairs_of(claim: ReducesTo, ours: Cell, other: Cell) -> dict[str, str]:
    """The other cell's names to ours."""
    pairs = {theirs: mine for mine, theirs in claim.renames}
    first = other.inputs[0].name
    if all(port.name != pairs.get(first, first) for port in ours.inputs):
        pairs[first] = ours.inputs[0].name
    return pairs


def matching(other: TypedCell, pairs: Mapping[str, str], variant: TypedVariant) -> TypedVariant:
    """The other cell's variant that makes the choices of ours."""
    like = other.variants[0].variant
    wanted = default_variant(other.cell, like)
    wanted |= {name: variant.variant[mine] for name in like if (mine := pairs.get(name, name)) in variant.variant}
    return next(each for each in other.variants if each.variant == wanted)


def reduces(prover: Prover, law: Law, other: TypedCell) -> Outcome:
    """The outcome in one variant of ours."""
    program, claim = prover.program, law.claim
    facts, chosen = list(law.facts), {}
    for name, value in claim.settings:
        answers = program.variant.variant
        if name in answers and answers[name] != (value if isinstance(value, (bool, str)) else value is not None):
            return Outcome(ABSENT)
        if isinstance(value, Fraction):
            facts.append(Fact(Ref(name, 0, law.span), value, law.span))
        elif isinstance(value, str) and program.cell.option(name).kind == "activation":
            chosen[name] = value
    facts = [fact for fact in facts if exists(prover.typed, program.variant, fact.name)]
    pairs = pairs_of(claim, program.cell, other.cell)
    theirs = Program(other, matching(other, pairs, program.variant))
    free = tuple(name for name in prover.activations([Ref(state) for state in program.states]) if name not in chosen)
    try:
        for activations in (chosen, defaults(program.cell) | chosen) if free else (chosen,):
            cases = prover.cases(tuple(facts), activations)
            if not cases:
                return Outcome(VACUOUS, "its facts contradict each other")
            if all(_same(case, Theirs(theirs, prover.table, case, pairs)) for case in cases):
                return Outcome(PROVED, said_of(free, {} if activations == chosen else activations))
    except Missing as missing:
        return Outcome(UNKNOWN, str(missing))
    from cellgen import refute  # and with it numpy: only where numbers are looked for

    trial = refute.Trial(prover.typed, program.variant, prover.work, tuple(facts), chosen)
    found = refute.refute_reduces(trial, other, theirs.variant, pairs)
    return Outcome(REFUTED, found.what, found.where) if found else Outcome(UNKNOWN, OPEN)


def _same(ours: Meaning, theirs: Theirs) -> bool:
    """Whether states start and go on alike, and the output is the same."""
    mine, other = ours.program.cell, theirs.program.cell
    names = [(name, theirs.pairs.get(name, name)) for name in theirs.program.states]
    for name, our_name in names:
        if our_name not in ours.program.states:
            raise Missing(f"there is no state `{our_name}` here")
        if start(other, name) != start(mine, our_name):
            raise Missing(f"`{our_name}` starts otherwise")
    if other.mask.kind != mine.mask.kind:
        raise Missing(f"its mask is `{other.mask.kind}`, here it is `{mine.mask.kind}`")
    for name, our_name in (*names, (other.output, mine.output)):
        a, b = theirs.name(Ref(name)), ours.name(Ref(our_name))
        if any(b.lanes.get(theirs.called(path)) != expr for path, expr in a.lanes.items()):
            return False
    return True
