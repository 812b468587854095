"""The expression core: what equations, laws and tests are made of.

Nodes are frozen and compare by what they say, not by where they stand (the span is outside equality). A node's place
in a program is its *path*: the name of the statement and the index of each child on the way down. Types are keyed by
path, since equal nodes may stand at several places.

Everything is at the level of tensors: `mul` is elementwise, `matmul` contracts, the batch is implicit.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from cellgen.diagnostics import Span

Path = tuple  # (statement name, child index, child index, ...)


def _span():
    return field(default=None, compare=False, repr=False)


# --- dimensions -----------------------------------------------------------------------------------------------------

Atom = str | int  # a dim's or label axis' name, or a positive number
Axis = tuple[Atom, ...]  # a product, row-major: one flat axis
Shape = tuple[Axis, ...]  # without the batch; () and ((1,),) are both scalars


def axis_text(axis: Axis) -> str:
    return "*".join(str(atom) for atom in axis) or "1"


def shape_text(shape: Shape) -> str:
    return f"[{', '.join(axis_text(axis) for axis in shape)}]"


# --- tests on what an instance is built with ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Given:
    """The flag is set, or the option, dim, or port was given (0.0 is given)."""

    name: str
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Is:
    """The option is this word."""

    name: str
    word: str
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Not:
    test: "Test"
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Both:
    """`a and b`."""

    a: "Test"
    b: "Test"
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Either:
    """`a or b`."""

    a: "Test"
    b: "Test"
    span: Span = _span()


Test = Given | Is | Not | Both | Either

TRAINING = "training"  # the one test that is decided at each call: Given("training")

Variant = dict[str, bool | str]  # for each name that tests ask about: was it given, or which word


def holds(test: Test, variant: Variant) -> bool:
    """Whether the test holds in the variant."""
    match test:
        case Given(name):
            return bool(variant[name])
        case Is(name, word):
            return variant[name] == word
        case Not(inner):
            return not holds(inner, variant)
        case Both(a, b):
            return holds(a, variant) and holds(b, variant)
        case Either(a, b):
            return holds(a, variant) or holds(b, variant)


def asked(test: Test) -> Iterator[Given | Is]:
    """The single questions of a test, in order."""
    match test:
        case Given() | Is():
            yield test
        case Not(inner):
            yield from asked(inner)
        case Both(a, b) | Either(a, b):
            yield from asked(a)
            yield from asked(b)


def one_word_of(test: Test) -> tuple[str, tuple[str, ...], bool] | None:
    """Of `w == a or w == b`: w, (a, b) and True; of `w != a and w != b`: w, (a, b) and False; else None."""
    words: dict[str, None] = {}
    names = set()

    def only(test: Test, joined: type) -> bool:
        match test:
            case Either(a, b) | Both(a, b) if isinstance(test, joined):
                return only(a, joined) and only(b, joined)
            case Is(name, word) if joined is Either:
                pass
            case Not(Is(name, word)) if joined is Both:
                pass
            case _:
                return False
        names.add(name)
        words[word] = None
        return True

    if not isinstance(test, (Either, Both)) or not only(test, type(test)) or len(names) > 1:
        return None
    return names.pop(), tuple(words), isinstance(test, Either)


def renamed(test: Test, names: Mapping[str, str]) -> Test:
    """The test with other names in its questions."""
    match test:
        case Given(name, span):
            return Given(names.get(name, name), span)
        case Is():
            return test
        case Not(inner, span):
            return Not(renamed(inner, names), span)
        case Both(a, b, span):
            return Both(renamed(a, names), renamed(b, names), span)
        case Either(a, b, span):
            return Either(renamed(a, names), renamed(b, names), span)


# --- expressions ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Number:
    """An exact rational; printed as the nearest float."""

    value: Fraction
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Ref:
    """A value by name: this step's (`ago=0`) or, for a state, the carried one (`ago=1`, written `c[t-1]`)."""

    name: str
    ago: int = 0
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Pick:
    """One label of a labelled axis: `z.f`."""

    value: "Node"
    label: str
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class View:
    """The same numbers, row-major, under another grouping of axes: what `z: [gates, units] = ...` does."""

    value: "Node"
    shape: Shape
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Apply:
    """An operation of the table in `ops`. `attrs` are static keywords: (name, value) pairs in a fixed order."""

    op: str
    args: tuple["Node", ...]
    attrs: tuple[tuple[str, object], ...] = ()
    span: Span = _span()

    def attr(self, name: str):
        return dict(self.attrs)[name]

    @property
    def over(self) -> Axis | None:
        """The axis that is named; None: it is the last one."""
        return dict(self.attrs).get("over")


@dataclass(frozen=True, slots=True)
class Activate:
    """An activation that the instance chooses: `activation(z)` where `activation` is an option."""

    option: str
    value: "Node"
    span: Span = _span()


@dataclass(frozen=True, slots=True)
class Choose:
    """`a if test else b`; decided when an instance is built, so an arm not chosen does not exist."""

    test: Test
    a: "Node"
    b: "Node"
    span: Span = _span()


Node = Number | Ref | Pick | View | Apply | Activate | Choose


@dataclass(frozen=True, slots=True)
class Equation:
    """`name = value`. `text` is the line as its author wrote it, without the comment; of a micro-step all of its loop,
    in lines, and `span` is that of its own.
    """

    name: str
    value: Node
    text: str = field(compare=False)
    span: Span = _span()
    name_span: Span = _span()


def written(equations: Iterable[Equation]) -> Iterator[str]:
    """The lines of equations as their author wrote them; a loop is written once."""
    last = ""
    for equation in equations:
        if equation.text != last or "\n" not in last:
            yield from equation.text.split("\n")
        last = equation.text


def children(node: Node) -> tuple[Node, ...]:
    match node:
        case Apply():  # the most of them first: this is asked more often than anything
            return node.args
        case Number() | Ref():
            return ()
        case Choose():
            return (node.a, node.b)
    return (node.value,)


def live_children(node: Node, variant: Variant) -> tuple[tuple[int, Node], ...]:
    """The children that exist in a variant, each with its index: of a choice, one."""
    if isinstance(node, Choose):
        return ((0, node.a),) if holds(node.test, variant) else ((1, node.b),)
    return tuple(enumerate(children(node)))


def walk(node: Node, path: Path = ()) -> Iterator[tuple[Path, Node]]:
    """Every node below and including this one with its path, parents first."""
    yield path, node
    for index, child in enumerate(children(node)):
        yield from walk(child, (*path, index))


def live_walk(node: Node, variant: Variant, path: Path = ()) -> Iterator[tuple[Path, Node]]:
    """As `walk`, without the arms that the variant does not choose."""
    yield path, node
    for index, child in live_children(node, variant):
        yield from live_walk(child, variant, (*path, index))


def rebuild(node: Node, new: tuple[Node, ...]) -> Node:
    """The same node over other children."""
    match node:
        case Number() | Ref():
            return node
        case Pick(_, label, span):
            return Pick(*new, label, span)
        case View(_, shape, span):
            return View(*new, shape, span)
        case Activate(option, _, span):
            return Activate(option, *new, span)
        case Apply(op, _, attrs, span):
            return Apply(op, new, attrs, span)
        case Choose(test, _, _, span):
            return Choose(test, *new, span)
