"""What weights start from: an initialiser of Keras's, or a formula of numbers, options, sizes, other weights' initial
values, and what is drawn or named below.

A formula is a `Node`: a `Ref` is an option, the size of a dim or of a labelled axis, or a weight; an `Apply` one of
`FORMULAS` or an arithmetic operation. `interpret.initial_values` and `emit.initial_view` are total over the table.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from cellgen.ir.expr import (
    Apply,
    Choose,
    Given,
    Is,
    Node,
    Ref,
    Shape,
    Test,
    Variant,
    asked,
    children,
    holds,
    rebuild,
    walk,
)


@dataclass(frozen=True, slots=True)
class Initialiser:
    """`name` of Keras's table with `arguments`."""

    name: str
    arguments: tuple[Fraction, ...] = ()

    @classmethod
    def of(cls, shape: Shape) -> "Initialiser":
        """That of a weight which is given none."""
        return cls("glorot_uniform" if len(shape) > 1 else "zeros")


@dataclass(frozen=True, slots=True)
class Formula:
    """An expression; one that draws nothing of the weight's own shape broadcasts to it."""

    value: Node


@dataclass(frozen=True, slots=True)
class EitherInitialiser:
    """One of two, under a test."""

    test: Test
    a: "Initial"
    b: "Initial"


Initial = Initialiser | Formula | EitherInitialiser


@dataclass(frozen=True, slots=True)
class Named:
    """What a formula may call. kind: `elementwise`; `drawn`, in the shape of what starts, from numbers; `range`;
    `system`, the matrix of a linear system where a square matrix starts, or what its input has where a vector does;
    `discrete`, of such a system, by name, its form in steps; `scaled`, of a square matrix.
    """

    form: str
    kind: str

    @property
    def arguments(self) -> int:
        return self.form.count(",") + ("(" in self.form)


# initialisers of Keras that take no argument here, and those written as calls
INITIALISERS = (
    "zeros",
    "ones",
    "identity",
    "glorot_uniform",
    "glorot_normal",
    "he_uniform",
    "he_normal",
    "lecun_uniform",
    "lecun_normal",
    "orthogonal",
    "random_normal",
    "random_uniform",
    "truncated_normal",
)
CALLED = {
    "uniform": "uniform(low, high)",
    "normal": "normal(stddev)",
    "orthogonal": "orthogonal(gain)",
    "identity": "identity(gain)",
    "constant": "constant(value)",
}
FORMULAS = {
    **{name: Named(f"{name}(x)", "elementwise") for name in "log exp sqrt square abs sin cos tanh floor".split()},
    **{name: Named(f"{name}(a, b)", "elementwise") for name in ("minimum", "maximum", "mod")},
    **{name: Named(form, "drawn") for name, form in CALLED.items() if name != "constant"},
    "bernoulli": Named("bernoulli(probability)", "drawn"),
    "range": Named("range(dim)", "range"),
    "hippo_legs": Named("hippo_legs", "system"),
    "hippo_legt": Named("hippo_legt", "system"),
    "zoh": Named("zoh(hippo_legt, step)", "discrete"),
    "bilinear": Named("bilinear(hippo_legs, step)", "discrete"),
    "spectral_radius": Named("spectral_radius(value, radius)", "scaled"),
}
SYSTEMS = tuple(name for name, each in FORMULAS.items() if each.kind == "system")
ARITHMETIC = ("add", "sub", "mul", "div", "neg", "pow")
PI = "pi"  # a number that a formula may name


def leaves(init: Initial) -> Iterator[Initialiser | Formula]:
    """Without the tests."""
    if isinstance(init, EitherInitialiser):
        yield from leaves(init.a)
        yield from leaves(init.b)
    else:
        yield init


def remade(init: Initial, test: Callable[[Test], Test | bool], value: Callable[[Node], Node]) -> Initial:
    """The same, its tests and the values of its formulas made over; a test may be decided."""
    match init:
        case Formula(node):
            return Formula(value(node))
        case EitherInitialiser(asked_for, a, b):
            a, b, asked_for = remade(a, test, value), remade(b, test, value), test(asked_for)
            return (a if asked_for else b) if isinstance(asked_for, bool) else EitherInitialiser(asked_for, a, b)
    return init


def decided(init: Initial, variant: Variant) -> Initial:
    """Without the arms that a variant does not take; of what it does not say, both."""

    def test(asked_for: Test) -> Test | bool:
        known = all(question.name in variant for question in asked(asked_for))
        return holds(asked_for, variant) if known else asked_for

    def value(node: Node) -> Node:
        arm = test(node.test) if isinstance(node, Choose) else None
        if isinstance(arm, bool):
            return value(node.a if arm else node.b)
        return rebuild(node, tuple(map(value, children(node))))

    return remade(init, test, value)


def questions(init: Initial) -> Iterator[Given | Is]:
    """What its tests ask."""
    match init:
        case EitherInitialiser(test, a, b):
            yield from asked(test)
            yield from questions(a)
            yield from questions(b)
        case Formula(value):
            for _, node in walk(value):
                if isinstance(node, Choose):
                    yield from asked(node.test)


def formulas(init: Initial) -> bool:
    """Whether there is a formula in it."""
    return any(isinstance(leaf, Formula) for leaf in leaves(init))


def nodes(init: Initial) -> Iterator[Node]:
    """Everything in its formulas."""
    for leaf in leaves(init):
        if isinstance(leaf, Formula):
            yield from (node for _, node in walk(leaf.value))


def names(init: Initial) -> set[str]:
    """The options, dims and weights that it reads or asks for."""
    found = {question.name for question in questions(init)}
    for node in nodes(init):
        match node:
            case Ref(name):
                found.add(name)
            case Apply("range", _, ((_, axis),)):
                found.update(atom for atom in axis if isinstance(atom, str))
    return found
