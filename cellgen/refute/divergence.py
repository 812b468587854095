"""Numbers that refute `reduces to`: a step from which the other cell goes on otherwise than ours.

As in `refute`, what float64 shows is done again in intervals: the run of our cell, and the other's step from there.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from itertools import product
from math import inf

import numpy as np

from cellgen.interpret import Instance, Scope, evaluate
from cellgen.ir import IDENTITY, Algebra, Interval, Path, ReducesTo, Shape, Type, TypedCell, TypedVariant, precise
from cellgen.refute.confirm import ENCLOSED, UNDEFINED, UNSURE, number, numbers
from cellgen.refute.counterexamples import TOLERANCE, Court, Refutation, no_number, short, suspects, unlike
from cellgen.refute.random_runs import BATCH, Moment, Trial, moments, quiet

__all__ = ["Trial", "contrast"]

Types = Mapping[Path, Type]


@quiet()
def contrast(
    trial: Trial,
    facts: list[Types],
    other: TypedCell,
    variant: TypedVariant,
    pairs: Mapping[str, str],
    claim: ReducesTo,
) -> Refutation | None:
    """`pairs` gives the other cell's names in ours. facts: the types of what the conditions name."""
    court, ours = Court(trial, facts), trial.typed.cell
    told = [*((state.name, pairs[state.name]) for state in other.cell.states), (other.cell.output, ours.output)]
    for moment in moments(trial):
        both, rows = _Both(moment, trial.variant, other, variant, pairs, claim), court.rows(moment)
        found = both.theirs(moment.env)
        for name, our_name in told:
            a, b = both.mine(moment.env, name, our_name), both.shown(found, name)
            size = abs(a - b) - TOLERANCE * (1 + abs(b))
            for place in suspects(a - b, size, rows):
                said = _confirmed(court, both, (name, our_name), place)
                if said:
                    return Refutation(said, moment.where)
    return None


def _confirmed(court: Court, both: "_Both", names: tuple[str, str], place: int) -> str | None:
    """What is otherwise there, if it is so. names: the other cell's, and ours."""
    (name, our_name), moment, once = names, both.moment, replace(both, exact=True)
    width = both.mine(moment.env, *names).size // BATCH
    again = moment.exactly(place // width, court.trial.imposed(moment.instance))
    for digits in court.digits(len(again.envs) * len(both.ours.live) + len(both.variant.live)):
        with precise(digits):
            env = again.env()
            if not court.applies(again, env):
                return None
            a, b = once.mine(env, *names).flat[place % width], once.shown(once.theirs(env), name).flat[place % width]
        if UNSURE not in (a, b):
            if not unlike(a, b):
                return None
            there = no_number(name) if b is UNDEFINED else f"{name} = {_short(b)}"
            here = no_number(our_name) if a is UNDEFINED else f"{our_name} = {_short(a)}"
            return f"{here}, but {there} in {both.other.cell.name}"
    return None


def _short(a: Interval) -> str:
    try:
        return short(float(a.low))
    except OverflowError:
        return short(inf if a.low > 0 else -inf)


@dataclass(frozen=True)
class _Both:
    """A step of ours, and what the other cell makes of it: of floats for all samples, or `exact`, in intervals for one.

    ours, variant: the variants of our cell and of the other.
    """

    moment: Moment
    ours: TypedVariant
    other: TypedCell
    variant: TypedVariant
    pairs: Mapping[str, str]
    claim: ReducesTo
    exact: bool = False

    @cached_property
    def given(self) -> Mapping[str, bool | Fraction | str | None]:
        """What options and weights of the other cell are given."""
        return dict(self.claim.theirs)

    @cached_property
    def instance(self) -> Instance:
        """Of the other cell."""
        cell, settings = self.other.cell, self.moment.instance.settings
        dims = [dim.name for dim in cell.dims if dim.kind != "quotient" and self.variant.variant.get(dim.name, True)]
        mine = {name: self.pairs[name] for name in (*dims, *(option.name for option in cell.options))}
        known = {**settings.sizes, **settings.options}
        chosen = {name: known[our_name] for name, our_name in mine.items() if our_name in known}
        for name in mine.keys() & self.given.keys():
            chosen[name] = float(self.given[name]) if isinstance(self.given[name], Fraction) else self.given[name]
        return Instance(self.other, chosen)

    def _scope(self, instance: Instance, variant: TypedVariant) -> Scope:
        in_intervals = {"operations": ENCLOSED, "number": number} if self.exact else {}
        return Scope(instance.settings, variant, variant.types, 1 if self.exact else BATCH, **in_intervals)

    def theirs(self, env: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The values of the other cell's step, from those of a step of ours."""
        cell, names, found = self.other.cell, self.variant.names, {}
        for name, value in self.instance.settings.options.items():
            if isinstance(value, float):
                found[name] = self._option(name, env)
        found |= {name: self._array(Fraction(size)) for name, size in self.instance.settings.sizes.items()}
        for name in self.instance.weights:
            found[name] = self._weight(name, env)
        for port in (*cell.inputs, *cell.noises):
            if port.name in names and self.pairs[port.name] in env:
                found[port.name] = self._read(port.name, names[port.name].shape, env)
        for state in cell.states:
            found[f"{state.name}[t-1]"] = self._read(state.name, state.shape, env, ago=True)
        return evaluate(self.instance.settings.live(self.variant), found, self._scope(self.instance, self.variant))

    def _option(self, name: str, env: Mapping) -> np.ndarray:
        """As exactly as it is said."""
        if name not in self.given and self.pairs[name] in env:
            return env[self.pairs[name]]
        default = next(each.default for each in self.other.cell.options if each.name == name)
        return self._array(Fraction(self.given.get(name, default)))

    def _weight(self, name: str, env: Mapping) -> np.ndarray:
        if name not in self.given:
            return self._read(name, self.variant.names[name].shape, env)
        shape, said = self.instance.weights[name], self.given[name]
        return self._array(np.eye(*shape)) if said == IDENTITY else np.full(shape, self._array(said))

    def _negative(self, array: np.ndarray) -> np.ndarray:
        return ENCLOSED["neg"](array) if self.exact else -array

    def _array(self, value) -> np.ndarray:
        return numbers(value) if self.exact else np.asarray(value, np.float64)

    def mine(self, env: Mapping, name: str, our_name: str) -> np.ndarray:
        """A value of ours as the other cell has it that it calls `name`: of all samples."""
        instance = self.moment.instance
        have, kept = self.ours.names[our_name], instance._carried(our_name, self.ours)
        array = self._scope(instance, self.ours).fit(env[our_name], have, kept)
        shape = self.instance._carried(name, self.variant).shape
        return self._filled(shape, lambda labels, _: (array, kept.shape, [self.pairs[each] for each in labels]))

    def shown(self, found: Mapping, name: str) -> np.ndarray:
        """A state or the output of the other cell."""
        kept = self.instance._carried(name, self.variant)
        return self._scope(self.instance, self.variant).fit(found[name], self.variant.names[name], kept)

    def _read(self, name: str, shape: Shape, env: Mapping, ago: bool = False) -> np.ndarray:
        """What the other cell reads under a name, which may be several of ours, a label each."""

        def source(labels: list[str], sizes: list[int]) -> tuple[np.ndarray, Shape | None, list[str]]:
            given = next((self.given[f"{name}.{each}"] for each in labels if f"{name}.{each}" in self.given), None)
            if given is not None:
                return self._array(np.eye(*sizes) if given == IDENTITY else given), None, []
            label = next((each for each in labels if f"{name}.{each}" in self.pairs), None)
            called = f"{name}.{label}" if label else name
            mine, *picked = self.pairs[called].split(".")
            picked += [self.pairs[each] for each in labels if each != label]
            own = self.moment.instance.cell.state(mine).shape if ago else self.ours.names[mine].shape
            array = env[f"{mine}[t-1]" if ago else mine]
            return self._negative(array) if called in self.claim.negated else array, own, picked

        return self._filled(shape, source)

    def _filled(self, shape: Shape, source: Callable[[list[str], list[int]], tuple]):
        """An array of the other cell, label by label: of each, one of ours, its shape, and the labels of the part; or a
        matrix of the sizes that have no labels, or a number, and no shape.
        """
        theirs, out, lead = self.instance, None, ()
        atoms = Algebra.of(theirs.cell, self.variant.same).flat(shape)
        for place in _places(theirs, atoms):
            sizes = [theirs.settings.length(atom) for atom, label in zip(atoms, place) if label is None]
            array, own, labels = source(_labels(place), sizes)
            if out is None:
                lead = () if own is None else array.shape[: array.ndim - len(self.moment.instance.settings.shape(own))]
                out = np.empty((*lead, *(theirs.settings.length(atom) for atom in atoms)), array.dtype)
            part = out[(..., *(_slice(theirs, *each) for each in zip(atoms, place)))]
            mine = array if own is None else self._part(array, own, lead, labels)
            part[...] = mine.reshape(part.shape) if own or mine.ndim == len(sizes) else mine  # a number is spread
        return out.reshape((*lead, *theirs.settings.shape(shape)))

    def _part(self, array: np.ndarray, shape: Shape, lead: tuple[int, ...], labels: list[str]) -> np.ndarray:
        """Of an array of ours, the part of some labels."""
        ours = self.moment.instance
        atoms = Algebra.of(ours.cell, self.ours.same).flat(shape)
        whole = array.reshape((*lead, *(ours.settings.length(atom) for atom in atoms)))
        places = [each for each in _places(ours, atoms) if sorted(_labels(each)) == sorted(labels)]
        place = next((each for each in places if _labels(each) == labels), places[0])  # an axis may stand twice
        return whole[(..., *(_slice(ours, *each) for each in zip(atoms, place)))]


def _places(instance: Instance, atoms: tuple) -> Iterator[tuple[str | None, ...]]:
    """Every choice of labels: one for each atom that is a labelled axis, None for the others."""
    labels = {axis.name: axis.labels for axis in instance.cell.axes}
    return product(*(labels.get(atom, (None,)) for atom in atoms))


def _labels(place: tuple[str | None, ...]) -> list[str]:
    return [label for label in place if label is not None]


def _slice(instance: Instance, atom, label: str | None) -> slice:
    if label is None:
        return slice(None)
    start, width = instance.settings.parts[atom][label]
    return slice(start, start + width)
