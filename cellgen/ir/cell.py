"""A cell between the stages: `Cell` is resolved (every name known), `TypedCell` has shapes, kinds and levels too."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from fractions import Fraction
from itertools import chain

from cellgen.diagnostics import Source, Span
from cellgen.ir.expr import (
    Atom,
    Axis,
    Equation,
    Given,
    Node,
    Number,
    Path,
    Pick,
    Ref,
    Shape,
    Test,
    Variant,
    asked,
    holds,
)
from cellgen.ir.initial_values import Initial
from cellgen.ir.laws import Law

NEIGHBOURS = ("below", "above")  # the layers beside one of a stack
PER = ("step", "sequence")  # what one value can hold for
IDENTITY = "identity"  # what a law can make of a weight


@dataclass(frozen=True, slots=True)
class Dim:
    """A named size.

    kind: `inferred` from the input, `required`, `optional` (exists with an optional port), `number` (the default in
    `value`), `alias` (not given, it is a second name for the dim in `value`), `quotient` (`value` over `divisor`), or
    `wired` (a second name for what the wiring of a stack gives the port that has it).
    """

    name: str
    kind: str
    value: str | int | None = None
    divisor: str | int | None = None
    span: Span = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class LabelAxis:
    """An axis whose places have names. `widths` gives each label a size of its own: then the axis is their sum.

    `tests` says for each label with a width of its own when an instance has it (None: always); `shapes` finds them.
    """

    name: str
    labels: tuple[str, ...]
    widths: tuple[Axis, ...] | None = None
    tests: tuple[Test | None, ...] = ()
    span: Span = field(default=None, compare=False, repr=False)
    spans: tuple[Span, ...] = field(default=(), compare=False, repr=False)  # of each label

    @property
    def counted(self) -> bool:
        """Whether its places have numbers, from 1."""
        return self.labels[:1] == ("1",)

    def width(self, label: str) -> Axis | None:
        """The size of one label's part; None where every label is one place."""
        return self.widths[self.labels.index(label)] if self.widths else None

    @property
    def parts(self) -> tuple[tuple[Axis, Test | None], ...]:
        """The width of each label's part, and when it is there."""
        return tuple(zip(self.widths or (), self.tests or (None,) * len(self.labels)))


@dataclass(frozen=True, slots=True)
class Option:
    """A constructor argument that is no size.

    kind: `flag`, `number`, `maybe` (a number or None), `word` (one of `words`), `activation`, or `scheduled` (a scalar
    that may be set while training). `low` and `high` bound a number.
    """

    name: str
    kind: str
    default: bool | Fraction | str | None
    words: tuple[str, ...] = ()
    low: Fraction | None = None
    high: Fraction | None = None
    span: Span = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Input:
    """A port. The first is the sequence; others may have a `default` or be `optional`.

    constant: one value holds for all steps of a sequence. index: where it is not given, it is the number of the step.
    inner: another layer of a stack gives it, within the step. when: the test under which an instance has it.
    """

    name: str
    shape: Shape
    binary: bool = False
    optional: bool = False
    default: Number | None = None
    constant: bool = False
    index: bool = False
    inner: bool = False
    when: Test | None = None
    span: Span = field(default=None, compare=False, repr=False)

    @property
    def required(self) -> bool:
        """Whether who calls the layer gives it."""
        return not (self.optional or self.index or self.inner or self.default is not None)

    @property
    def test(self) -> Test | None:
        """When it is there; None: always."""
        return Given(self.name) if self.optional else self.when

    def there(self, variant: Variant) -> bool:
        return self.test is None or all(q.name in variant for q in asked(self.test)) and holds(self.test, variant)


@dataclass(frozen=True, slots=True)
class Noise:
    """Random numbers that a call in training draws, and an equation reads under the test `training`.

    kind: `keep`, what dropout multiplies by: 0 with the probability `rate`, else 1 / (1 - rate); or `zone`, what
    zoneout leaves as it was: 1 with the probability `rate`, else 0. rate: a number or an option. held: one draw for all
    steps of a sequence. like: the value whose shape it has.
    """

    name: str
    kind: str
    rate: Number | Ref
    held: bool
    like: Ref | Pick
    span: Span = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class State:
    """A carried value. `initial` is a number or a parameter's name; zeros if not said."""

    name: str
    shape: Shape
    binary: bool = False
    initial: Number | Ref | None = None
    span: Span = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Param:
    """A weight. `init` holds (label, initialiser) pairs; the label None is for everything not named.

    `name` is the spec's, for a norm's weights `ln_x/scale` and `ln_x/shift`. The shape of a norm's weights is that of
    the value it is applied to: None until `shapes` has seen it.
    """

    name: str
    shape: Shape | None
    init: tuple[tuple[str | None, Initial], ...]
    trainable: bool = True
    span: Span = field(default=None, compare=False, repr=False)
    shape_span: Span = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Norm:
    """`kind` is `layer` or `rms`; `over` are the trailing axes whose statistics are shared.

    A use `ln_x(v)` is `normalize(v, epsilon) * ln_x/scale + ln_x/shift` in the equations.
    """

    name: str
    kind: str
    over: Shape
    epsilon: Node
    scale: bool
    shift: bool
    span: Span = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Mask:
    """`hold`, `reset` (the states named) or `none`."""

    kind: str
    states: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cell:
    """A resolved spec. All tuples are in the author's order; `params` ends with the norms' weights. `trace` are the
    values that a layer returns of every step, if it is asked to.

    Of a layer of a stack: `wired` are the ports that equations of the wiring give, `shown` the values that are no
    states and that other layers read, `read` all that they read, and when. Of a cell by itself, `shown` is None: its
    output leaves the step. `flat`: it was made of all layers of a stack, which show each other these values; what no
    layer reads at this depth is no mistake.
    """

    name: str
    stem: str
    source: Source
    about: str
    family: str
    papers: tuple[str, ...]
    dims: tuple[Dim, ...]
    axes: tuple[LabelAxis, ...]
    options: tuple[Option, ...]
    inputs: tuple[Input, ...]
    states: tuple[State, ...]
    output: str
    params: tuple[Param, ...]
    norms: tuple[Norm, ...]
    mask: Mask
    equations: tuple[Equation, ...]
    laws: tuple[Law, ...]
    trace: tuple[str, ...] | None = ()
    noises: tuple[Noise, ...] = ()
    wired: tuple[Input, ...] = ()
    shown: tuple[str, ...] | None = None
    read: tuple[tuple[str, Test | None], ...] = ()
    flat: tuple[str, ...] | None = None

    def ends(self, variant: Variant) -> tuple[str, ...]:
        """What anyone else reads of a step: its output, or of a layer what other layers and the readout read."""
        if self.shown is None:
            return (self.output,)
        return tuple(dict.fromkeys(name for name, test in self.read if test is None or holds(test, variant)))

    @property
    def outputs(self) -> tuple[str, ...]:
        """What leaves the step besides the states."""
        return (self.output,) if self.shown is None else self.shown

    @property
    def frozen(self) -> frozenset[str]:
        """The weights that are not trained."""
        return frozenset(param.name for param in self.params if not param.trainable)

    @property
    def names(self) -> set[str]:
        """Every name that it declares or defines."""
        declared = chain(self.dims, self.options, self.inputs, self.noises, self.states, self.params, self.norms)
        return {each.name for each in chain(declared, self.equations)}

    def state(self, name: str) -> State:
        return next(state for state in self.states if state.name == name)

    def option(self, name: str) -> Option:
        return next(option for option in self.options if option.name == name)

    def axis(self, name: str) -> LabelAxis | None:
        return next((axis for axis in self.axes if axis.name == name), None)

    def places(self, label: str, shape: Shape) -> Iterator[tuple[int, LabelAxis]]:
        """The index of each axis of a shape that has the label, and the labelled axis in it."""
        axes = {axis.name: axis for axis in self.axes if label in axis.labels}
        return ((index, axes[atom]) for index, axis in enumerate(shape) for atom in axis if atom in axes)

    @property
    def connections(self) -> dict[str, str]:
        """For each name that a test asks whether it is connected, the argument that says so."""
        asked_for = [port.name for port in self.inputs if port.optional]
        return {name: f"_has_{name}" for name in (*asked_for, *NEIGHBOURS)}  # a neighbour is a layer beside this one

    def needed(self, axes: Iterable[Axis]) -> set[Atom]:
        """The dims and labelled axes of these axes, and all that their sizes are made of."""
        found: set[Atom] = set()
        todo = [atom for axis in axes for atom in axis]
        dims = {dim.name: dim for dim in self.dims}
        while todo:
            atom = todo.pop()
            if isinstance(atom, str) and atom not in found:
                found.add(atom)
                labels = self.axis(atom)
                todo += chain(*(labels.widths or ())) if labels else (dims[atom].value, dims[atom].divisor)
        return found


# --- types ----------------------------------------------------------------------------------------------------------


class Level(IntEnum):
    """What a value depends on, at most."""

    CONSTANT = 0  # parameters and options
    SEQUENCE = 1  # a sample, but not the step
    STEP = 2  # this step's inputs
    CARRIED = 3  # a state

    @property
    def has_batch(self) -> bool:
        return self > Level.CONSTANT


@dataclass(frozen=True, slots=True)
class Type:
    """`shape` is as stored, without the batch (which every level but CONSTANT has in front)."""

    shape: Shape
    level: Level
    binary: bool = False


@dataclass(frozen=True, slots=True)
class Weight:
    """A parameter as it exists in an instance."""

    name: str
    shape: Shape


@dataclass(frozen=True)
class TypedVariant:
    """What one choice of the tested options, dims and ports makes of a cell.

    `live` are the equations that exist, `types` the type of every node in them by path (the root's path is
    `(equation name,)`), `names` the type of every name: inputs, options, parameters, equations. A state's name maps to
    this step's value, which has the same shape as the carried one. `same` maps a dim that was not given to the one it
    is a second name for.
    """

    variant: Variant
    live: tuple[str, ...]
    weights: tuple[Weight, ...]
    names: Mapping[str, Type]
    types: Mapping[Path, Type]
    same: Mapping[str, str]


@dataclass(frozen=True)
class TypedCell:
    """A cell whose every variant is well-typed. The first variant is the most general: all that can be given is."""

    cell: Cell
    variants: tuple[TypedVariant, ...]

    @property
    def default(self) -> TypedVariant:
        """The variant that an instance built without options has."""
        return next(each for each in self.variants if each.variant == default_variant(self.cell, each.variant))


def default_variant(cell: Cell, like: Variant) -> Variant:
    """The variant of an instance to which only the required arguments were given, in inference."""
    options = {option.name: option for option in cell.options}
    return {
        name: (options[name].default is not None if options[name].kind == "maybe" else options[name].default)
        if name in options
        else False
        for name in like
    }
