"""What a constructor call makes of a cell: the variant that is chosen, the size of every dim, the shapes of weights.

Input: a `TypedCell` and a mapping of what was given. Output: `Settings`. Numbers only; arrays are `interpret`'s.
"""

import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import cached_property
from itertools import chain
from numbers import Integral, Real

from cellgen.ir import (
    NEIGHBOURS,
    TRAINING,
    Atom,
    Axis,
    Dim,
    Equation,
    Input,
    Number,
    Option,
    Pick,
    Ref,
    Shape,
    TypedCell,
    TypedVariant,
    default_variant,
    live_walk,
    shape_text,
    walk,
)


def pick(typed: TypedCell, /, **settings) -> TypedVariant:
    """The variant of an instance that is given these options, dims and ports (True: connected), and `training`.

    The rest is as where nothing is given. A port is connected also if a size of an optional dim of its own is given.
    Names that no test asks about change nothing. Raises ValueError if no variant is so.
    """
    cell = typed.cell
    kinds = {option.name: option.kind for option in cell.options}
    kinds |= dict.fromkeys((*(port.name for port in cell.inputs), *NEIGHBOURS), "flag")
    optional = {dim.name for dim in cell.dims if dim.kind == "optional" and settings.get(dim.name) is not None}
    ports = {port.name: True for port in cell.inputs if port.optional and optional & {*chain(*port.shape)}}
    variant = default_variant(cell, typed.variants[0].variant)
    for name, value in {**ports, **settings}.items():
        if name in variant:
            match kinds.get(name):
                case "word":
                    variant[name] = value
                case "flag":
                    variant[name] = bool(value)
                case _:
                    variant[name] = bool(value) if name == TRAINING else value is not None
    for each in typed.variants:
        if each.variant == variant:
            return each
    raise ValueError(f"{cell.name} has no variant {variant}")


class Settings:
    """A cell with its sizes and options.

    given: the size of each dim (inferred ones too), options, and True for each optional port that is connected. None
    is not given. Raises ValueError for names and values that the cell does not have.

    given: the names of what was given. options: each option's value. variants: the variant in inference (False) and in
    training (True). sizes: of every dim that exists. parts: axis -> label -> (start, width). weights: name -> shape, in
    the order of the layer's.
    """

    def __init__(self, typed: TypedCell, given: Mapping):
        self.cell = cell = typed.cell
        known = [*(each.name for each in (*cell.dims, *cell.options, *cell.inputs)), *NEIGHBOURS]
        if unknown := [name for name in given if name not in known]:
            raise ValueError(f"{cell.name} has no {', '.join(unknown)}; it has {', '.join(known)}")
        self.given = {name for name, value in given.items() if value not in (None, False)}
        self.options = {each.name: _checked(each, given.get(each.name, each.default)) for each in cell.options}
        self.variants = {on: pick(typed, **{**given, TRAINING: on}) for on in (False, True)}
        self._axes, self._shapes = {axis.name: axis for axis in cell.axes}, {}
        self.sizes = self._sizes(given)
        self.parts = self._parts()
        shapes = {weight.name: weight.shape for variant in self.variants.values() for weight in variant.weights}
        self.weights = {param.name: self.shape(shapes[param.name]) for param in cell.params if param.name in shapes}

    @property
    def numbers(self) -> dict[str, float]:
        """What numeric options and the sizes of dims are, by name."""
        options = {name: value for name, value in self.options.items() if isinstance(value, float)}
        return {**options, **{name: float(size) for name, size in self.sizes.items()}}

    def exactly(self, said: Number | Ref) -> Fraction:
        """A number, a size, or an option's: the decimal that it is written as, to which its double is the nearest."""
        if isinstance(said, Number):
            return said.value
        if said.name in self.sizes:
            return Fraction(self.sizes[said.name])
        option = self.cell.option(said.name)
        ends = {float(end): end for end in (option.low, option.high) if end is not None}
        value = self.options[said.name]
        return ends[value] if value in ends else Fraction(repr(value))

    def size(self, axis: Axis) -> int:
        """The length of a flat axis."""
        return math.prod(map(self.length, axis))

    def shape(self, shape: Shape) -> tuple[int, ...]:
        """A shape in numbers, without the batch."""
        if shape not in self._shapes:
            self._shapes[shape] = tuple(map(self.size, shape))
        return self._shapes[shape]

    def length(self, atom: Atom) -> int:
        """The size of a dim or a labelled axis. Raises ValueError if it was not given."""
        if isinstance(atom, int):
            return atom
        if atom in self._axes:
            return sum(width for _, width in self.parts[atom].values())
        if atom not in self.sizes:
            raise ValueError(f"{self.cell.name} needs a size for {atom}")
        return self.sizes[atom]

    @cached_property
    def moving(self) -> frozenset[str]:
        """The names of values that come of weights, states or inputs, those too."""
        cell = self.cell
        found = {each.name for group in (cell.inputs, cell.params, cell.noises) for each in group}
        for equation in cell.equations:
            if any(isinstance(node, Ref) and (node.ago or node.name in found) for _, node in walk(equation.value)):
                found.add(equation.name)
        return frozenset(found)

    def live(self, variant: TypedVariant) -> list[Equation]:
        """The equations that exist in a variant, in the author's order."""
        return [equation for equation in self.cell.equations if equation.name in variant.live]

    def connected(self, port: Input) -> bool:
        """Whether an optional port is there."""
        return port.there(self.variants[False].variant)

    def labelled(self, shape: Shape, label: str) -> tuple[int, int, str]:
        """Which axis of a shape has the label, which of its factors, and that factor's name."""
        for place, axis in enumerate(shape):
            for factor, atom in enumerate(axis):
                if atom in self._axes and label in self._axes[atom].labels:
                    return place, factor, atom
        raise ValueError(f"{shape_text(shape)} has no label {label}")

    def _sizes(self, given: Mapping) -> dict[str, int]:
        dims, sizes = {dim.name: dim for dim in self.cell.dims}, {}

        def size(atom: Atom) -> int | None:
            if isinstance(atom, int):
                return atom
            if atom not in sizes:
                sizes[atom] = self._dim(dims[atom], given.get(atom), size)
            return sizes[atom]

        return {name: size(name) for name in dims if size(name) is not None}

    def _dim(self, dim: Dim, given: object, size: Callable) -> int | None:
        if given is not None and not (isinstance(given, Integral) and not isinstance(given, bool) and given > 0):
            raise ValueError(f"{dim.name}={given!r}; wanted a positive integer")
        if dim.kind == "quotient":
            whole, parts = size(dim.value), size(dim.divisor)
            if whole % parts or given not in (None, whole // parts):
                came = f", not {given}" if given is not None else ""
                raise ValueError(f"{dim.name} is {dim.value} / {dim.divisor} = {whole} / {parts}{came}")
            return whole // parts
        if dim.kind == "wired":
            same = self.variants[False].same
            return size(same[dim.name]) if dim.name in same else None
        if given is not None:
            return int(given)
        if dim.kind in ("inferred", "required"):
            raise ValueError(f"{self.cell.name} needs a size for {dim.name}")
        return size(dim.value) if dim.kind in ("number", "alias") else None

    def _parts(self) -> dict[str, dict[str, tuple[int, int]]]:
        """A label's own width exists only if some live equation reads the label, or none of its axis."""
        read = {
            (self.labelled(variant.types[(*path, 0)].shape, node.label)[2], node.label)
            for variant in self.variants.values()
            for equation in self.live(variant)
            for path, node in live_walk(equation.value, variant.variant, (equation.name,))
            if isinstance(node, Pick)
        }
        apart, parts = {name for name, _ in read}, {}
        for axis in self.cell.axes:
            start, parts[axis.name] = 0, {}
            for label in axis.labels:
                there = (axis.name, label) in read or axis.name not in apart
                width = 1 if not axis.widths else self.size(axis.width(label)) if there else 0
                parts[axis.name][label] = start, width
                start += width
        return parts


def _checked(option: Option, value: object) -> object:
    """The option's value, a number as a float."""
    match option.kind:
        case "flag":
            right, wanted = isinstance(value, bool), "True or False"
        case "word" | "activation":
            right, wanted = value in option.words, f"one of {', '.join(option.words)}"
        case _:
            # as doubles, which are what a layer is given: that of 9/10 is a little more than 9/10
            low = -math.inf if option.low is None else float(option.low)
            high = math.inf if option.high is None else float(option.high)
            right = isinstance(value, Real) and not isinstance(value, bool) and low <= value <= high
            right = right or (option.kind == "maybe" and value is None)
            wanted = f"a number in [{low:g}, {high:g}]" + " or None" * (option.kind == "maybe")
            value = float(value) if right and value is not None else value
    if not right:
        raise ValueError(f"{option.name}={value!r}; wanted {wanted}")
    return value
