"""Numbers that refute `reduces to`: a step from which the other cell goes on otherwise than ours."""

from collections.abc import Iterable, Mapping
from fractions import Fraction

import numpy as np

from cellgen.algebra import Algebra
from cellgen.cell import IDENTITY, TypedCell, TypedVariant
from cellgen.interpret import Instance
from cellgen.moments import BATCH, Moment, Trial, moments
from cellgen.refute import TOLERANCE, Refutation, short, worst

__all__ = ["Trial", "contrast"]

Set = Mapping[str, bool | Fraction | str | None]  # what options and weights of the other cell are given


def contrast(
    trial: Trial, other: TypedCell, variant: TypedVariant, pairs: Mapping[str, str], given: Set
) -> Refutation | None:
    """`pairs` gives the other cell's names in ours."""
    cell, ours = other.cell, trial.typed.cell

    def named(names: Iterable[str], mine: Mapping) -> dict:
        return {name: mine[pairs[name]] for name in names if pairs[name] in mine}

    options = {each.name for each in (*cell.options, *cell.dims)}
    chosen = {
        name: float(value) if isinstance(value, Fraction) else value for name, value in given.items() if name in options
    }
    dims = [dim.name for dim in cell.dims if dim.kind != "quotient" and variant.variant.get(dim.name, True)]
    for moment in moments(trial):
        settings = moment.instance.settings
        sizes = named(dims, settings.sizes)
        mine = named((option.name for option in cell.options), settings.options)
        theirs = Instance(other, {**sizes, **mine, **chosen})
        weights = {name: _weight(moment, theirs, variant, name, pairs, given) for name in theirs.weights}
        inputs = named((each.name for each in (*cell.inputs, *cell.noises)), moment.env)
        state = named((each.name for each in cell.states), moment.state)
        found = theirs.evaluate(weights, inputs, state, moment.training)
        for name, our_name in (*((name, pairs[name]) for name in state), (cell.output, ours.output)):
            place = worst(abs(found[name] - moment.env[our_name]), [True] * BATCH)
            if place is None:
                continue
            here, there = moment.env[our_name].flat[place], found[name].flat[place]
            if abs(here - there) > TOLERANCE * (1 + abs(there)):
                said = f"{our_name} = {short(here)}, but"
                return Refutation(f"{said} {name} = {short(there)} in {cell.name}", moment.where)
    return None


def _weight(moment: Moment, theirs: Instance, variant: TypedVariant, name: str, pairs: Mapping, given: Set):
    """The other cell's weight, of ours: label by label."""
    shape = theirs.weights[name]
    if name in given:
        return np.eye(*shape) if given[name] == IDENTITY else np.full(shape, float(given[name]))
    atoms = Algebra.of(theirs.cell, variant.same).flat(variant.names[name].shape)
    out = np.zeros([theirs.settings.length(atom) for atom in atoms])
    for place in _places(theirs, atoms):
        label = next((each for each in place.values() if f"{name}.{each}" in pairs), None)
        mine, *picked = pairs[f"{name}.{label}" if label else name].split(".")
        picked += [pairs[each] for each in place.values() if each != label]
        part = out[tuple(_slice(theirs, atom, place.get(atom)) for atom in atoms)]
        part[...] = _part(moment, mine, picked).reshape(part.shape)
    return out.reshape(shape)


def _part(moment: Moment, name: str, labels: list[str]):
    """Of our weight, the part of some labels."""
    instance = moment.instance
    variant = instance.settings.variants[moment.training]
    atoms = Algebra.of(instance.cell, variant.same).flat(variant.names[name].shape)
    whole = moment.env[name].reshape([instance.settings.length(atom) for atom in atoms])
    place = next(each for each in _places(instance, atoms) if sorted(each.values()) == sorted(labels))
    return whole[tuple(_slice(instance, atom, place.get(atom)) for atom in atoms)]


def _places(instance: Instance, atoms: tuple) -> list[dict[str, str]]:
    """Every choice of a label of each labelled axis."""
    places: list[dict[str, str]] = [{}]
    for axis in instance.cell.axes:
        if axis.name in atoms:
            places = [{**place, axis.name: label} for place in places for label in axis.labels]
    return places


def _slice(instance: Instance, atom, label: str | None) -> slice:
    if label is None:
        return slice(None)
    start, width = instance.settings.parts[atom][label]
    return slice(start, start + width)
