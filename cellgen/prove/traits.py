"""What is looked at in every cell, whatever its author claims: masks, ranges, mixes, weights without a gradient."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce

from cellgen.analyse import Remark
from cellgen.ir import Interval, Level, Program, Ref, TypedCell, interval_text, intervals
from cellgen.prove.enclose import Enclosure
from cellgen.prove.hazards import hazards
from cellgen.prove.invariants import invariants, start
from cellgen.prove.meaning import Meaning, Under, defaults
from cellgen.prove.polynomials import polynomial
from cellgen.prove.symbols import Expr, Table

MAX_TEXT = 60


@dataclass(frozen=True, slots=True)
class Traits:
    """mask: whether it is shown, and what. ranges: of every value, by name. fixed: values that are always one number.
    dead: weights without a gradient. remarks: what ranges tell besides."""

    mask: tuple[bool, str]
    ranges: tuple[tuple[str, Interval], ...]
    fixed: tuple[tuple[str, Fraction], ...]
    mixes: tuple[str, ...]
    remarks: tuple[Remark, ...]
    dead: tuple[str, ...]


def traits(typed: TypedCell, program: Program, table: Table) -> Traits:
    """Of one variant. The activations that options choose are their defaults."""
    meaning = Meaning.given(program, table, Under(activations=defaults(typed.cell)))
    enclosure = Enclosure.given(table, invariants(typed.cell, table, meaning))
    words = _Words(meaning)
    states = [state.name for state in typed.cell.states if not state.binary]
    return Traits(
        _mask(program, table, meaning),
        tuple((name, _range(program, name, meaning, enclosure)) for name in program.equations),
        tuple(_fixed(program, meaning, enclosure)),
        tuple(mix for state in states if (mix := _mix(state, meaning, enclosure, words))),
        tuple(hazards(program, meaning, enclosure)),
        _dead(program, table),
    )


# --- masks ---


def _mask(program: Program, table: Table, meaning: Meaning) -> tuple[bool, str]:
    cell, states = program.cell, program.states
    if cell.mask.kind == "none":
        return True, "none: a mask is refused"
    if cell.mask.kind == "hold":
        s, kept = meaning.arithmetic, True
        for state in states:
            old, new = meaning.name(Ref(state, 1)).lanes, meaning.name(Ref(state)).lanes
            kept &= all(s.choose(s.zero, new[path], old[path]) == old[path] for path in old)
        return kept, f"hold: a masked step leaves {_and(states)} as {'they were' if len(states) > 1 else 'it was'}"
    first = {state: start(cell, state) for state in cell.mask.states}
    if not all(map(intervals.bounded, first.values())):
        return False, "reset: what the step then starts from is a parameter"
    imposed = tuple((Ref(state, 1), interval.low) for state, interval in first.items())
    after = Meaning.given(program, table, Under(imposed, activations=meaning.under.activations))
    values = [expr for name in (*states, cell.output) for expr in after.name(Ref(name)).lanes.values()]
    read = {table.atoms[leaf].place[0] for leaf in table.reads(values) if table.atoms[leaf].place[1]}
    left = [state for state in states if state in read]
    what = f"only {_and(left)}" if left else "nothing"
    return True, f"reset: where the mask is 0, a step reads {what} of what was carried"


def _and(names) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


# --- ranges ---


def _range(program: Program, name: str, meaning: Meaning, enclosure: Enclosure) -> Interval:
    """Over all lanes; of a state, its initial value as well."""
    lanes = [enclosure.of(expr) for expr in meaning.name(Ref(name)).lanes.values()]
    return reduce(intervals.hull, [*lanes, *([start(program.cell, name)] if name in program.states else ())])


def _fixed(program: Program, meaning: Meaning, enclosure: Enclosure) -> Iterator[tuple[str, Fraction]]:
    """What each step gives the same number, though it reads something."""
    for name in program.equations:
        found = intervals.hull_of(enclosure.of(expr) for expr in meaning.name(Ref(name)).lanes.values())
        if program.variant.names[name].level > Level.CONSTANT and found.low is not None and found.low == found.high:
            yield name, found.low


# --- mixes ---


class _Words:
    """Normal forms in the author's names, where they have one."""

    def __init__(self, meaning: Meaning):
        self.table, self.named, self.names = meaning.table, {}, meaning.program.variant.names
        for dim in meaning.program.cell.dims:
            if dim.name in self.names:
                size = meaning.size(dim.name)
                self.named.setdefault(size, dim.name)
                self.named.setdefault(meaning.arithmetic.inverse(size), f"1 / {dim.name}")
        for name in meaning.program.equations:
            for path, expr in meaning.name(Ref(name)).lanes.items():
                self.named.setdefault(expr, ".".join((name, *path)))

    def of(self, expr: Expr) -> str | None:
        """None if it has no short name."""
        if expr in self.named:
            return self.named[expr]
        if expr.is_Rational:
            return intervals.number_text(intervals.exact(expr))
        if 1 - expr in self.named:
            return f"1 - {self.named[1 - expr]}"
        if expr.is_Symbol:
            atom = self.table.atoms[expr]
            return ".".join((atom.place[0] + "[t-1]" * atom.place[1], *atom.place[2])) if atom.op == "leaf" else None
        parts = [(self._product(term), factor) for term, factor in polynomial(self.table, expr).items()]
        if any(text is None for text, _ in parts):
            return None
        out = " + ".join(_times(factor, text) for text, factor in parts).replace("+ -", "- ")
        return out if len(out) <= MAX_TEXT else None

    def free(self, letter: str) -> str:
        """For what has none: the letter, doubled as often as the cell has a name that is it."""
        while letter in self.names:
            letter += letter[0]
        return letter

    def _product(self, term) -> str | None:
        factors = [self.of(symbol) for symbol, _ in term]
        if any(each is None for each in factors):
            return None
        powers = [(_factor(text), power) for text, (_, power) in zip(factors, term)]
        return " * ".join(text if power == 1 else f"{text}**{power}" for text, power in powers)


def _times(factor: Fraction, text: str) -> str:
    number = intervals.number_text(factor)
    return number if not text else text if factor == 1 else f"-{text}" if factor == -1 else f"{number} * {text}"


def _mix(state: str, meaning: Meaning, enclosure: Enclosure, words: _Words) -> str | None:
    """The new value by the weight of the carried one, where that has a term of its own."""
    path, new = next(iter(meaning.name(Ref(state)).lanes.items()))
    leaf = meaning.name(Ref(state, 1)).lanes[path]
    if {dict(term).get(leaf, 0) for term in polynomial(meaning.table, new)} != {0, 1}:
        return None
    weight, rest = new.coeff(leaf, 1), new.coeff(leaf, 0)
    interval, name = enclosure.of(weight), words.of(weight) or words.free("w")
    first = f"{state}[t-1]" if name == "1" else f"{_factor(name)} * {state}[t-1]"
    where = "" if weight.is_Rational or interval == intervals.REAL else f", {name} in {interval_text(interval)}"
    other = _divided(meaning.table, rest, 1 - weight)
    if other is None:
        return f"{state} = {first} + ...{where}"
    convex = intervals.inside(interval, intervals.closed(Fraction(0), Fraction(1)))
    kind = "a convex mix" if convex else "weights that sum to 1"
    complement = words.of(1 - weight) or f"1 - {_factor(name)}"
    return f"{state} = {first} + {_factor(complement)} * {_factor(words.of(other) or words.free('v'))}{where}: {kind}"


def _factor(text: str) -> str:
    return f"({text})" if " " in text else text


def _divided(table: Table, a: Expr, b: Expr) -> Expr | None:
    """The polynomial `a / b`, if it is one."""
    if a == 0 or b.is_Rational:
        return None
    if any(each.is_Pow and each.exp < 0 for each in a.atoms(table.sympy.Pow) | b.atoms(table.sympy.Pow)):
        return None
    symbols = sorted(a.free_symbols | b.free_symbols, key=str)
    quotient, remainder = table.sympy.div(a, b, *symbols)
    return quotient.expand() if remainder == 0 else None


# --- gradients ---


def _dead(program: Program, table: Table) -> tuple[str, ...]:
    """The weights, or their labels, to which no derivative of what is read of the step leads, now or later."""
    cell = program.cell
    meaning = Meaning.given(program, table, Under(activations=defaults(cell), reference=True))
    reached, todo = set(), [*cell.ends(program.variant.variant)]
    parts: set[tuple[str, tuple]] = set()
    seen = {*todo}
    while todo:
        for leaf in table.reads(meaning.name(Ref(todo.pop())).lanes.values(), gradient=True):
            name, ago, path = table.atoms[leaf].place
            if not ago:
                reached.add(name)
                parts.add((name, path))
                continue
            first = cell.state(name).initial
            reached |= {first.name} if isinstance(first, Ref) else set()
            if name not in seen:
                seen.add(name)
                todo.append(name)
    found = []
    for weight in (each for each in program.variant.weights if each.name not in cell.frozen):
        lanes = meaning.name(Ref(weight.name)).lanes if weight.name in reached else {}
        if weight.name not in reached:
            found.append(weight.name)
        elif any((weight.name, path) in parts for path in lanes):
            there = [path for path in lanes if all(label in program.picked for label in path)]
            found += [".".join((weight.name, *path)) for path in there if (weight.name, path) not in parts]
    return tuple(found)
