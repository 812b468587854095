"""`reduces to SPEC with ...`: whether, under the law's settings and facts, a cell computes what another one does.

The other cell's inputs, states, parameters, labels, dims and options are ours of the same name, or those that the law
pairs, of a weight perhaps with the sign turned; its first input is our first. An option that we lack has its default,
or what the law says, and so may a weight, or a part of one. Its states' new values and its output must be ours. What of
it has no counterpart here refutes the law.
"""

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from functools import partial, reduce

from cellgen.ir import (
    Atom,
    Axis,
    Cell,
    Fact,
    Law,
    Pick,
    Program,
    ReducesTo,
    Ref,
    TypedCell,
    TypedVariant,
    default_variant,
    shape_text,
)
from cellgen.prove.domains import Demand, TooMany, demands
from cellgen.prove.enclose import Enclosure
from cellgen.prove.equate import wherever, zero
from cellgen.prove.invariants import start
from cellgen.prove.law import (
    ABSENT,
    ILL_TYPED,
    OPEN,
    PROVED,
    REFUTED,
    TOO_MANY,
    UNKNOWN,
    VACUOUS,
    Outcome,
    Prover,
    TooManyCases,
    said_of,
)
from cellgen.prove.meaning import Meaning, Under, Value, defaults
from cellgen.prove.symbols import SYMPY, Expr, Table
from cellgen.shapes import exists, speaks_of


class Missing(Exception):
    """Something of the other cell has no counterpart in ours."""

    def __init__(self, what: str, help: str = ""):
        super().__init__(what)
        self.help = help


class Theirs(Meaning):
    """The other cell, as a program over the values of ours."""

    def __init__(self, program: Program, table: Table, ours: Meaning, pairs: Mapping[str, str], claim: ReducesTo):
        chosen = {name: value for name, value in claim.theirs if isinstance(value, str)}
        super().__init__(program, table, Under(activations=_activations(program.cell, ours, pairs) | chosen))
        self.ours, self.pairs, self.set, self.claim = ours, pairs, dict(claim.theirs), claim
        self.stem = claim.stem

    @property
    def about(self) -> tuple:
        """Also of what the law says, and of the values that ours has: none is another's."""
        return (self,)

    def called(self, names: tuple) -> tuple:
        return tuple(self.pairs.get(name, name) for name in names)

    def length(self, atom: Atom) -> Expr:
        mine = self.pairs.get(atom, atom)
        if isinstance(mine, int) or any(dim.name == mine for dim in self.ours.program.cell.dims):
            return self.arithmetic.number(mine) if isinstance(mine, int) else self.ours.size(mine)
        raise Missing(f"the size `{atom}` of {self.stem} is not here")

    def _named(self, ref: Ref) -> Value:
        program = self.program
        if not ref.ago and (ref.name in program.equations or any(dim.name == ref.name for dim in program.cell.dims)):
            return super()._named(ref)
        shape = program.cell.state(ref.name).shape if ref.ago else program.variant.names[ref.name].shape
        option = next((each for each in program.cell.options if each.name == ref.name), None)
        own = self.ours.program.cell.options
        if ref.name in self.set:
            number = self.number(self.set[ref.name])
            return self._value(shape, dict.fromkeys(self.paths(shape), number))
        if option and all(each.name != self.pairs.get(ref.name, ref.name) for each in own):
            return self._single(self.arithmetic.number(Fraction(option.default)))
        axes = self.axes(shape)
        return self._value(shape, {path: self._ours(ref, axes, path) for path in self.paths(shape)})

    def _ours(self, ref: Ref, axes: tuple[str, ...], labels: tuple[str, ...]) -> Expr:
        """Our lane for theirs, which is at a label of each axis; an axis may stand twice."""
        given = next((self.set[f"{ref.name}.{label}"] for label in labels if f"{ref.name}.{label}" in self.set), None)
        if given is not None:
            return self.number(given)
        label = next((label for label in labels if f"{ref.name}.{label}" in self.pairs), None)
        called = f"{ref.name}.{label}" if label else ref.name
        mine, *picked = self.pairs[called].split(".")
        picked += self.called(tuple(each for each in labels if each != label))
        ours = self.ours.program
        if mine not in (ours.states if ref.ago else ours.variant.names):
            parts = any(each.startswith(f"{ref.name}.") for each in self.pairs)
            name = ".".join((ref.name, *labels)) if parts else ref.name
            raise Missing(f"`{name}` of {self.stem} is not here", self._help(name))
        value = self.ours.name(Ref(mine, ref.ago))
        paths = [path for path in value.lanes if sorted(path) == sorted(picked)]
        path = next((path for path in paths if path == tuple(picked)), paths[0] if paths else None)
        if path is None:
            here, there = _listed(self.ours.labels, value.axes), _listed(self.labels, axes)
            raise Missing(_unlike(mine, here, ref.name, there, self.stem))
        shape = self.dims.flat(self._shape(ref))
        their_width = self.called(self.without(shape, dict(zip(axes, labels))))
        our_width = self.ours.without(value.shape, dict(zip(value.axes, path)))
        if their_width != our_width:
            there, here = (shape_text(tuple((atom,) for atom in width)) for width in (their_width, our_width))
            raise Missing(f"`{mine}` is {here} here, and {there} in {self.stem}")
        lane = value.lanes[path]
        return self.arithmetic.product(self.number(Fraction(-1)), lane) if called in self.claim.negated else lane

    def _shape(self, ref: Ref) -> tuple[Axis, ...]:
        cell = self.program.cell
        return cell.state(ref.name).shape if ref.ago else self.program.variant.names[ref.name].shape

    def _help(self, name: str) -> str:
        weight = any(param.name == name.split(".")[0] for param in self.program.cell.params)
        pair = f"say what it is here: `with ours = {name}`"
        return (pair if "." in name else f"{pair}, or set it: `with {name} = 0`") if weight else ""

    def _activated(self, option: str, expr: Expr) -> Expr:
        chosen = self.under.activations.get(option)
        if chosen:
            return SYMPY[chosen](self.arithmetic, expr)
        return self.arithmetic.atom(f"{self.pairs.get(option, option)}()", expr)


def _listed(labels: Mapping[str, tuple[str, ...]], axes: tuple[str, ...]) -> str:
    words = [label for axis in axes for label in labels[axis]]
    return f"the label{'s' * (len(words) > 1)} {', '.join(words)}" if words else "no labels"


def _unlike(mine: str, here: str, name: str, there: str, stem: str) -> str:
    """How the labels of ours are not those of the other cell's."""
    return f"`{mine}` has {here} here, and {there if name == mine else f'`{name}` has {there}'} in {stem}"


class _Pairs(dict):
    """The other cell's names to ours; a name that no pair has is the same."""

    def __missing__(self, name: str) -> str:
        return name


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
    pairs = _Pairs((theirs, mine) for mine, theirs in claim.renames)
    first = other.inputs[0].name
    if all(port.name != pairs.get(first, first) for port in ours.inputs):
        pairs[first] = ours.inputs[0].name
    return pairs


def matching(other: TypedCell, pairs: Mapping[str, str], claim: ReducesTo, variant: TypedVariant) -> TypedVariant:
    """The other cell's variant that makes the choices of ours, and those of the law."""
    like = other.variants[0].variant
    wanted = default_variant(other.cell, like)
    wanted |= {name: variant.variant[mine] for name in like if (mine := pairs.get(name, name)) in variant.variant}
    kinds = {option.name: option.kind for option in other.cell.options}
    for name, value in claim.theirs:
        if name in like:
            wanted[name] = value if kinds.get(name) in ("flag", "word") else value is not None
    found = next((each for each in other.variants if each.variant == wanted), None)
    if found is None:
        raise Missing(f"{other.cell.name} has no such variant")
    return found


def reduces(prover: Prover, law: Law, other: TypedCell) -> Outcome:
    """The outcome in one variant of ours."""
    try:
        return _reduces(prover, law, other)
    except TooManyCases:
        return TOO_MANY
    except Missing as missing:
        return Outcome(REFUTED, str(missing), "this can never hold", missing.help)


def _reduces(prover: Prover, law: Law, other: TypedCell) -> Outcome:
    program, claim = prover.program, law.claim
    if not speaks_of(law, program.variant.variant):
        return Outcome(ABSENT)
    facts, chosen = list(law.facts), dict(law.choices)
    for name, value in claim.settings:
        answers = program.variant.variant
        if name in answers and answers[name] != (value if isinstance(value, (bool, str)) else value is not None):
            return Outcome(ABSENT)
        option = next((each for each in program.cell.options if each.name == name), None)
        if option is not None and option.kind == "activation":
            chosen[name] = value
        elif option is None and isinstance(value, str) or isinstance(value, Fraction):
            base, *labels = name.split(".")
            facts.append(Fact(reduce(Pick, labels, Ref(base, 0, law.span)), value, law.span))
    facts = [fact for fact in facts if exists(prover.typed, program.variant, fact.name)]
    if not prover.well_said(facts):
        return Outcome(ILL_TYPED, "its shapes do not agree")
    pairs = pairs_of(claim, program.cell, other.cell)
    theirs = Program(other, matching(other, pairs, claim, program.variant))
    free = tuple(name for name in prover.activations([Ref(state) for state in program.states]) if name not in chosen)
    for activations in (chosen, defaults(program.cell) | chosen) if free else (chosen,):
        cases = prover.cases(tuple(facts), activations)
        if not cases:
            return Outcome(VACUOUS, "its facts contradict each other")
        both = [(case, Theirs(theirs, prover.table, case, pairs, claim)) for case in cases]
        needed = _same(both, partial(prover.enclosure, facts, cases))
        if needed is not None:
            said = filter(None, (said_of(free, {} if activations == chosen else activations), needed))
            return Outcome(PROVED, ", ".join(said))
    from cellgen import refute  # and with it numpy: only where numbers are looked for

    trial = prover.trial(tuple(facts), chosen)
    types = [prover.types(fact.name, "fact") for fact in trial.conditions()]
    found = refute.contrast(trial, types, other, theirs.variant, pairs, claim)
    return Outcome(REFUTED, found.what, found.where) if found else Outcome(UNKNOWN, OPEN)


def _same(both: list[tuple[Meaning, Theirs]], enclosed: Callable[[], Enclosure]) -> str | None:
    """None, or where it is shown in every case that states start and go on alike, and the output is the same."""
    apart = [(ours, a, b) for ours, theirs in both for a, b in _pairs(ours, theirs) if a != b]
    try:
        asked = [each for ours, theirs in both for each in _asked(ours, theirs)]
    except TooMany:
        return None
    if not apart and not any(some for _, some in asked):
        return ""
    enclosure = enclosed()
    shown = all(zero(ours, enclosure, ours.arithmetic.difference(a, b)) for ours, a, b in apart)
    return wherever(enclosure, asked) if shown else None


def _pairs(ours: Meaning, theirs: Theirs) -> Iterator[tuple[Expr, Expr]]:
    """The lanes of each state and of the output, theirs and ours. Raises `Missing`."""
    mine, other = ours.program.cell, theirs.program.cell
    names = [(name, theirs.pairs[name]) for name in theirs.program.states]
    for name, our_name in names:
        if our_name not in ours.program.states:
            raise Missing(f"there is no state `{our_name}` here", f"`with ours = {name}` says what it is called here")
        if start(other, name) != start(mine, our_name):
            raise Missing(f"`{our_name}` starts otherwise")
    if other.mask.kind != mine.mask.kind:
        raise Missing(f"its mask is `{other.mask.kind}`, here it is `{mine.mask.kind}`")
    for name, our_name in (*names, (other.output, mine.output)):
        a, b = theirs.name(Ref(name)), ours.name(Ref(our_name))
        here = {tuple(sorted(path)): expr for path, expr in b.lanes.items()}
        there = {tuple(sorted(theirs.called(path))): expr for path, expr in a.lanes.items()}
        if theirs.called(a.shape) != b.shape:
            shapes = (shape_text(tuple((atom,) for atom in shape)) for shape in (b.shape, theirs.called(a.shape)))
            raise Missing(f"`{our_name}` is {' here, and '.join(shapes)} in {theirs.stem}")
        if here.keys() != there.keys():
            axes = [_listed(each.labels, value.axes) for each, value in ((ours, b), (theirs, a))]
            raise Missing(_unlike(our_name, axes[0], name, axes[1], theirs.stem))
        yield from ((expr, here[path]) for path, expr in there.items())


def _asked(ours: Meaning, theirs: Theirs) -> list[tuple[Meaning, list[Demand]]]:
    """What must hold for one of the cells to be a number, and not for the other."""
    states = theirs.program.states
    found = []
    for meaning, names in ((ours, [theirs.pairs[name] for name in states]), (theirs, states)):
        names, types = dict.fromkeys((*names, meaning.program.cell.output)), meaning.program.variant.types
        found.append([each for name in names for each in demands(meaning, Ref(name), (name,), types)])
    said = [{_of_what(each) for each in some} for some in found]
    return [
        (meaning, [each for each in some if _of_what(each) not in others])
        for meaning, some, others in zip((ours, theirs), found, said[::-1])
    ]


def _of_what(demand: Demand) -> tuple:
    return demand.kind, frozenset(demand.lanes), demand.guards
