"""That the derived backward step is the derivative of the equations: differentiated again, by sympy, and compared.

Input: a `TypedCell`, what `centre` and `hoist` made of it, and the `Joint` that `derive` made of that. Output: `Proof`.
Every value is an array of symbols at the least sizes that tell axes apart: a batch of 2, and 2 for each dim. The work
is bounded by counts (`symbolic`).

The program is cut where a cotangent has a name, at its *points*. For each point and each leaf, what the backward step
says is compared with the sum, over the points that read it, of their cotangent times `diff` of their expression. So
each claim is about one equation, and together they are the chain rule. A point whose cotangent nothing reads, or that
has none, claims nothing; what would go on from it goes on. Gradients are those of the reference program: in
`straight_through(f, g)` and `stop_gradient(x)` what has no gradient is frozen.

What sympy does not see to be the same is tried with numbers. Only numbers show that it is wrong; where they agree, it
is not shown, and the finite differences of the generated tests stand for it.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property, partial

import numpy as np

from cellgen.derive.array_cache import ArrayCache
from cellgen.derive.reverse_mode import Joint
from cellgen.derive.sampling import Sample, Undefined
from cellgen.derive.stored_values import said_again
from cellgen.derive.symbolic import Symbolic, TooMuch, objects
from cellgen.derive.symbolic_arrays import Lanes
from cellgen.interpret import Scope, Settings
from cellgen.ir import (
    NEIGHBOURS,
    Algebra,
    Equation,
    Level,
    Node,
    Path,
    Type,
    TypedCell,
    TypedVariant,
    children,
    multiples,
)

BATCH = SIZE = 2
SAMPLES = 4  # random points at which a claim is tried that is not shown
MAX_TRIED = 64  # claims that are tried so

SHOWN, OPEN, WRONG = "shown", "not shown", "wrong"


@dataclass(frozen=True)
class Proof:
    """compared: how many cotangents are shown to be derivatives, in all variants.

    unshown: the names of those that sympy does not see to be, but that no number contradicts. wrong: the names of those
    that numbers show to be none, and where. open: what there was too much of, or empty.
    """

    compared: int
    wrong: tuple[str, ...]
    open: str = ""
    unshown: tuple[str, ...] = ()


def rederive(typed: TypedCell, hoisted: TypedCell, joint: Joint) -> Proof:
    """Compares every cotangent in every variant. Sympy is imported here."""
    algebra, recall = Symbolic(), ArrayCache()
    found: dict[str, list[str]] = {SHOWN: [], OPEN: [], WRONG: []}
    too_much = ""
    for index, each in enumerate(typed.variants):
        where = f" where {each.variant}" if each.variant else ""
        tries = MAX_TRIED - len(found[OPEN]) - len(found[WRONG])
        try:
            for name, verdict in _Variant(typed, hoisted, joint, index, algebra, recall, tries).claims():
                found[verdict].append(name if verdict == OPEN else name + where)
        except TooMuch as error:
            too_much = str(error)
            break
    return Proof(len(found[SHOWN]), tuple(found[WRONG]), too_much, tuple(dict.fromkeys(found[OPEN])))


class _Variant:
    def __init__(
        self,
        typed: TypedCell,
        hoisted: TypedCell,
        joint: Joint,
        index: int,
        algebra: Symbolic,
        recall: ArrayCache,
        tries: int,
    ):
        self.typed, self.hoisted, self.joint, self.algebra, self.recall = typed, hoisted, joint, algebra, recall
        self.tries = tries
        self.cell = hoisted.cell
        self.own, self.variant, self.both = (each.variants[index] for each in (typed, hoisted, joint.typed))
        self.settings = Settings(hoisted, self.given())
        self.env = self.symbols()
        self.points = {
            path: self.array(
                "".join(f".{index}" if isinstance(index, int) else index for index in path), self.variant.types[path]
            )
            for path in joint.cotangents
            if len(path) > 1 and path in self.variant.types
        }
        equations = {equation.name: equation.value for equation in self.cell.equations}
        self.nodes = {path: _at(equations[path[0]], path[1:]) for path in (*joint.cotangents, *joint.named)}
        self.again = [path for path in self.points if said_again(self.nodes[path])]
        self.reads = Lanes(self.settings, self.variant, self.variant.types, BATCH, algebra=algebra, points=self.points)
        self.plain = Lanes(self.settings, self.variant, self.variant.types, BATCH, algebra=algebra)

    def given(self) -> Mapping[str, object]:
        """Settings of the variant, with dims as small as they can be."""
        variant, given, many = self.variant.variant, {}, multiples(self.cell.dims)
        for dim in self.cell.dims:
            if dim.kind != "quotient" and variant.get(dim.name, True):
                given[dim.name] = max(SIZE, many[dim.name])
        for option in self.cell.options:
            if option.name in variant and option.kind in ("flag", "word"):
                given[option.name] = variant[option.name]
            elif option.kind == "maybe":
                some = next(each for each in (option.low, option.high, 1) if each is not None)
                given[option.name] = some if variant.get(option.name) else None
        connected = (*(port.name for port in self.cell.inputs), *NEIGHBOURS)
        given.update({name: variant[name] for name in connected if name in variant})
        return given

    # --- symbols

    def array(self, name: str, type: Type) -> np.ndarray:
        return self.algebra.array(name, self.stored(type), type.binary)

    def stored(self, type: Type) -> tuple[int, ...]:
        return Scope(self.settings, self.variant, {}, BATCH).stored(type)

    def symbols(self) -> dict[str, np.ndarray]:
        """Of every name that has a value, and of the carried states."""
        names = {**self.both.names, **self.variant.names}
        env = {name: self.array(name, type) for name, type in names.items()}
        return env | {f"{name}[t-1]": self.array(f"{name}[t-1]", type) for name, type in self.states().items()}

    def states(self) -> dict[str, Type]:
        names = self.variant.names
        return {each.name: Type(each.shape, Level.CARRIED, names[each.name].binary) for each in self.cell.states}

    # --- what is claimed

    def claims(self) -> Iterator[tuple[str, str]]:
        """Each cotangent by name, and what is found of it; and each equation that was taken apart."""
        self.expressions = self.forward()
        totals = self.backward()
        yield from self.regrouped()
        self.still = self.numbers()
        moving = [path for path in self.expressions if path not in self.still]
        sums, readers = self.sums(moving)
        for path, name in self.joint.cotangents.items():
            if path in moving:
                came = [None if name in self.joint.given else totals.get(name), self.env.get(name)]
                came = [self.reaching(path, name, each) for each in came if each is not None]
                if came:
                    reached, within = self.reached(sums, path), partial(self.inside, readers, self.symbols_at(path))
                    yield name, self.verdict(came, reached, within)
        for name, leaf, came in self.leaves(totals):
            yield name, self.verdict([came], self.wanted(sums, leaf), partial(self.inside, readers, leaf))

    def numbers(self) -> set[Path]:
        """Where there is a number in this variant, or what comes of numbers alone: no cotangent of it matters."""
        symbols: set = set()
        found = set()
        for path, lanes in self.expressions.items():
            if all(lane.free_symbols <= symbols for lane in lanes.flat):
                symbols = symbols.union(*(symbol.free_symbols for symbol in self.symbols_at(path).flat))
                found.add(path)
        return found

    def regrouped(self) -> Iterator[tuple[str, str]]:
        """Equations of which `centre` and `hoist` took a part out: with that part put back they are the author's."""
        env = dict(self.env)
        authors = {equation.name: equation for equation in self.typed.cell.equations}
        scope, plain = (
            Lanes(self.settings, each, each.types, BATCH, algebra=self.algebra, centring=True)
            for each in (self.own, self.variant)
        )
        for equation in self.settings.live(self.variant):
            author = authors.get(equation.name)
            if author is None:
                env[equation.name] = self.named(equation, plain, self.variant, env)
            elif author.value != equation.value and equation.name in self.own.live:
                came = self.named(equation, plain, self.variant, env)
                yield equation.name, self.verdict([came], self.named(author, scope, self.own, env), dict)

    def forward(self) -> dict[Path, np.ndarray]:
        """The expression of each point, over the symbols of the points and leaves below it."""
        found, env = {}, self.env
        for equation in self.settings.live(self.variant):
            inner = (path for path in self.points if path[0] == equation.name)
            for path in sorted(inner, key=len, reverse=True):  # what another reads is before it
                found[path] = self.recall.of(self.reads.expression, self.nodes[path], path, env)
            found[equation.name,] = self.named(equation, self.reads, self.variant, env)
        for told, read in ((self.joint.named, self.reads.value), (self.joint.statistics, self.reads.rstd)):
            for path, name in told.items():
                if path in self.variant.types:
                    env[name] = self.recall.of(read, self.nodes[path], path, env)
        return found

    def named(self, equation: Equation, scope: Lanes, variant: TypedVariant, env: Mapping) -> np.ndarray:
        path = (equation.name,)
        want = variant.names.get(equation.name, scope.types[path])
        return self.recall.of(scope.expression, equation.value, path, env, want)

    def backward(self) -> dict[str, np.ndarray]:
        """The expression of each cotangent, over the symbols of those above it."""
        scope = Lanes(self.settings, self.both, self.both.types, BATCH, algebra=self.algebra)
        kept, found = set(self.joint.cotangents.values()), {}
        for equation in self.joint.typed.cell.equations[self.joint.forward :]:
            if equation.name in self.both.live:
                name = equation.name
                found[name] = self.named(equation, scope, self.both, self.env)
                if name in self.joint.lanes:  # what reads its lanes is about any lanes, of which it is the sum
                    lanes = self.joint.lanes[name]
                    if lanes in self.both.live:
                        self.env[lanes] = self.array(lanes, self.both.names[lanes])
                    self.env[name] = self.named(equation, scope, self.both, self.env)
                elif name not in kept:
                    self.env[name] = found[name]
        return found

    def sums(self, moving: list[Path]) -> tuple[dict, dict]:
        """For each symbol, the sum of what reaches it, and the points that it comes from."""
        sums, readers = defaultdict(list), defaultdict(set)
        for path in reversed(moving):
            lanes, name, sources = self.expressions[path], self.joint.cotangents.get(path), {path}
            if name in self.env:
                cotangent = self.reaching(path, name, self.env[name])
            else:  # nothing is said: what reaches it goes on
                cotangent = self.reached(sums, path)
                sources = sources.union(*(readers.get(symbol, ()) for symbol in self.symbols_at(path).flat))
            for symbol, terms in self.algebra.passed(tuple(cotangent.flat), tuple(lanes.flat)):
                sums[symbol] += terms
                readers[symbol] |= sources
        return sums, readers

    def reaching(self, path: Path, name: str, d: np.ndarray) -> np.ndarray:
        """What reaches a value by a cotangent, which may have more lanes or samples than it has in this variant."""
        if d.size > self.symbols_at(path).size:
            have = self.variant.names[path[0]] if len(path) == 1 else self.variant.types[path]
            d = self.plain.summed(d, *map(self.apart, (have, self.both.names[name])))
        return d.reshape(self.symbols_at(path).shape)

    def apart(self, type: Type) -> Type:
        """With an axis for each dim: however they are viewed, they are the same numbers in the same order."""
        atoms = Algebra.of(self.cell, self.variant.same).flat(type.shape)
        return replace(type, shape=tuple((atom,) for atom in atoms))

    def reached(self, sums: Mapping, path: Path) -> np.ndarray:
        """What reaches a value, by what reads it and from outside the step."""
        leaving = (*self.cell.outputs, *(state.name for state in self.cell.states))
        names = [given for name, given in zip(leaving, self.joint.given, strict=True) if path == (name,)]
        incoming = (self.reaching(path, name, self.env[name]) for name in names)
        return np.asarray(sum(incoming, self.wanted(sums, self.symbols_at(path))), dtype=object)

    def leaves(self, totals: Mapping[str, np.ndarray]) -> Iterator[tuple[str, np.ndarray, np.ndarray | None]]:
        """What the step takes from outside: the name of its cotangent, its symbols, and the cotangent."""
        for state, name in zip(self.cell.states, self.joint.carried):
            yield name, self.env[f"{state.name}[t-1]"], totals.get(name)
        sent = dict(self.joint.sent)
        weights = [weight.name for weight in self.variant.weights if weight.name not in self.cell.frozen]
        asked = self.variant.variant
        ports = [port.name for port in self.cell.inputs if port.there(asked)]
        for leaf in (*ports, *weights):
            type = self.variant.names[leaf]
            came = np.full(self.stored(type), self.algebra.zero, dtype=object)
            said = leaf
            for (name, _, label), cotangent in sent.items():
                if name == leaf and cotangent in totals:
                    said = cotangent
                    place = self.plain.part(came, type, label) if label else came
                    place += totals[cotangent].reshape(place.shape)
            yield said, self.env[leaf], came

    # --- comparing

    def symbols_at(self, path: Path) -> np.ndarray:
        return self.points[path] if len(path) > 1 else self.env[path[0]]

    def wanted(self, sums: Mapping, symbols: np.ndarray) -> np.ndarray:
        wanted = [self.algebra.total(sums.get(symbol, ())) for symbol in symbols.flat]
        return objects(wanted).reshape(symbols.shape)

    def inside(self, readers: Mapping, symbols: np.ndarray) -> dict:
        """The symbols of the points that read something, and of what has no name there, with what they stand for."""
        paths = {path for symbol in symbols.flat for path in readers.get(symbol, ())}
        near = {path[0] for path in paths}
        found: dict = {}
        for path in self.expressions:
            if path in paths or path in self.still or path in self.again and path[0] in near:
                lanes = [lane.xreplace(found) for lane in self.expressions[path].flat]
                found |= zip(self.symbols_at(path).flat, lanes)
        return found

    def verdict(self, came: Iterable[np.ndarray], wanted: np.ndarray, within: Callable[[], Mapping]) -> str:
        """Of what is said in one way or in several, of which one is enough; `within` as `inside` says."""
        if any(each.tolist() == wanted.tolist() for each in came):
            return SHOWN
        wrong, inside = [], within()
        for each in came:
            pairs = zip(each.flat, wanted.flat, strict=True)
            apart = [(a, b) for a, b in pairs if not self.equal(a, b, inside)]
            if not apart:
                return SHOWN
            wrong.append(apart)
        self.tries -= 1
        return WRONG if self.tries >= 0 and all(any(self.differ(*pair) for pair in apart) for apart in wrong) else OPEN

    def equal(self, a, b, inside: Mapping) -> bool:
        try:
            return self.algebra.equal(a, b, inside)
        except TooMuch:
            return False

    def differ(self, a, b) -> bool:
        """Whether numbers show that two expressions are not the same."""
        for sample in self.samples:
            try:
                if sample.differ(a, b):
                    return True
            except Undefined:
                continue
        return False

    @cached_property
    def samples(self) -> list[Sample]:
        """Numbers for all that the step reads, and what its values come to."""
        ranges = {option.name: (option.low, option.high) for option in self.cell.options}
        ranges |= {dim.name: (Fraction(1), None) for dim in self.cell.dims}
        samples = [Sample(seed, self.algebra.binary, ranges) for seed in range(SAMPLES)]
        for path, lanes in self.expressions.items():
            for symbol, lane in zip(self.symbols_at(path).flat, lanes.flat):
                for sample in samples:
                    sample.put(symbol, lane)
        return samples


def _at(node: Node, path: Path) -> Node:
    for index in path:
        node = children(node)[index]
    return node
