"""What a weight starts from, as code: an initializer of Keras's, or a function of what is `new`, for a formula."""

from collections.abc import Iterator
from fractions import Fraction
from math import pi
from typing import TYPE_CHECKING

from cellgen.emit.argument_view import literal
from cellgen.ir import (
    Algebra,
    Apply,
    Choose,
    EitherInitialiser,
    Formula,
    Initial,
    Initialiser,
    Node,
    Number,
    Param,
    Pick,
    Ref,
    Shape,
)
from cellgen.ir.initial_values import FORMULAS, INITIALISERS, names
from cellgen.schedule import Slot
from cellgen.text import INFIX

if TYPE_CHECKING:
    from cellgen.emit.cell_view import Viewing

SYMBOLS = {op: INFIX[op] for op in ("add", "sub", "mul", "div", "pow")}
LOW, UNARY, CALL = 0, 4, 6  # how tightly code binds, as `INFIX` counts
KERAS = {
    "uniform": ("RandomUniform", "minval", "maxval"),
    "normal": ("RandomNormal", "stddev"),
    "constant": ("Constant", "value"),
    "orthogonal": ("Orthogonal", "gain"),
    "identity": ("Identity", "gain"),
}
# of tensors, and of Python's numbers
FUNCTIONS = {
    "log": ("tf.math.log", "math.log"),
    "exp": ("tf.exp", "math.exp"),
    "sqrt": ("tf.sqrt", "math.sqrt"),
    "abs": ("tf.abs", "abs"),
    "sin": ("tf.sin", "math.sin"),
    "cos": ("tf.cos", "math.cos"),
    "tanh": ("tf.tanh", "math.tanh"),
    "floor": ("tf.floor", "math.floor"),
    "minimum": ("tf.minimum", "min"),
    "maximum": ("tf.maximum", "max"),
}


def keras_text(init: Initialiser) -> str:
    """An initializer as Keras takes it: a name, or a config (an instance would draw the same numbers each time)."""
    if not init.arguments:
        return f'"{init.name}"'
    kind, *keys = KERAS[init.name]
    config = ", ".join(f'"{name}": {literal(value)}' for name, value in zip(keys, init.arguments, strict=True))
    return f'{{"class_name": "{kind}", "config": {{{config}}}}}'


def read_at_the_start(param: Param) -> Iterator[str]:
    """The names that what it starts from reads, in the order in which they are told."""
    for _, init in param.init:
        yield from sorted(names(init))


class InitialView:
    """initializer: the default of the weight's argument, `None` where a formula stands for it. formula: the function.
    parts: of labels that start otherwise, an initializer or a function each, None for the weight's own. along: the axis
    that they divide.
    """

    def __init__(self, viewing: "Viewing", slot: Slot):
        self.viewing, self.slot, self.cell = viewing, slot, viewing.cell
        chosen = dict(slot.param.init)
        rest = chosen.pop(None, Initialiser("zeros"))
        self.own = rest
        while isinstance(self.own, EitherInitialiser):
            self.own = self.own.b
        self.parts, self.along, self.labels = "", 0, ()
        self.shape = shape = slot.shape
        if chosen:
            index, axis = next(self.cell.places(next(iter(chosen)), shape))
            self.labels, self.along = axis.labels, index - len(shape)
            self.shape = (*shape[:index], shape[index][1:] or (1,), *shape[index + 1 :])
            self.parts = f"[{', '.join(self.part(chosen.get(label, rest)) for label in axis.labels)}]"
        elif self.own is not rest:
            self.parts, self.along = f"[{self.part(rest)}]", -1
        elif isinstance(rest, Initialiser) and (stacked := viewing.stacked(shape)) is not None:
            self.parts, self.along = viewing.size(shape[stacked]), stacked - len(shape)
        plain = isinstance(self.own, Initialiser)
        self.initializer = keras_text(self.own) if plain else "None"
        self.formula = "" if plain else self.function(self.own)

    def part(self, init: Initial) -> str:
        if init == self.own:
            return "None"
        if isinstance(init, EitherInitialiser):
            a, b = (f"({code})" if code.startswith("lambda") else code for code in map(self.part, (init.a, init.b)))
            return f"{a} if {self.viewing.outside.test(init.test)} else {b}"
        return self.function(init) if isinstance(init, Formula) else keras_text(init)

    def function(self, formula: Formula) -> str:
        return _Formula(self.viewing, self.slot.param, self.labels, self.shape).function(formula.value)


class _Formula:
    """The code of a formula; `labels` are those of the weight's own parts, of which others may be read."""

    def __init__(self, viewing: "Viewing", param: Param, labels: tuple[str, ...], whole: Shape):
        self.viewing, self.cell, self.param, self.labels, self.whole = viewing, viewing.cell, param, labels, whole
        self.algebra = Algebra.of(self.cell, {})
        self.shapes = {slot.param.name: slot.shape for slot in viewing.step.slots}

    def function(self, node: Node) -> str:
        return f"lambda new: {self.spread(node, self.whole)[0]}"

    def code(self, node: Node) -> str:
        return self.text(node)[0]

    def text(self, node: Node) -> tuple[str, int]:
        """The code, and how tightly it binds."""
        match node:
            case Number(value) if value == Fraction(pi):
                return "math.pi", CALL
            case Number(value):
                text = str(value) if value.denominator == 1 and abs(value) < 10**9 else literal(value)
                return text, CALL if value >= 0 else UNARY
            case Ref(name):
                return self.ref(name), CALL
            case Pick(Ref(name), label) if name == self.param.name:
                return f"new.part({self.labels.index(label)})", CALL
            case Pick(Ref(name), label):
                index, axis = next(self.cell.places(label, self.shapes[name]))
                at = f"{axis.labels.index(label)}, of={len(axis.labels)}, axis={index - len(self.shapes[name])}"
                return f"new.value({self.viewing.part_name}.{name}, part={at})", CALL
            case Choose(test, a, b):
                test = self.viewing.outside.test(test)
                return f"{self.fitted(a, node, LOW + 1)} if {test} else {self.fitted(b, node, LOW)}", LOW
            case Apply("neg", (value,)):
                return f"-{self.fitted(value, node, UNARY)}", UNARY
            case Apply("square", (value,)):
                return f"{self.fitted(value, node, CALL)} ** 2", SYMBOLS["pow"][1]
            case Apply("mod", (a, b)):
                return f"{self.fitted(a, node, 3)} % {self.fitted(b, node, 4)}", 3
            case Apply(op, (a, b)) if op in SYMBOLS:
                symbol, binding = SYMBOLS[op]
                left, right = (binding + 1, UNARY) if op == "pow" else (binding, binding + 1)
                return f"{self.fitted(a, node, left)} {symbol} {self.fitted(b, node, right)}", binding
            case Apply(op, args) if op in FUNCTIONS:
                function = FUNCTIONS[op][self.plain(node)]
                return f"{function}({', '.join(self.fitted(arg, node, LOW) for arg in args)})", CALL
        return f"new.{self.call(node)}", CALL

    def call(self, node: Apply) -> str:
        """What is drawn or named."""
        match node:
            case Apply("range", _, ((_, axis),)):
                return f"range({self.viewing.size(axis)})"
            case Apply("zoh" | "bilinear" as op, (step,), ((_, system),)):
                return f'{op}("{system}", {self.code(step)})'
            case Apply(op, args) if args or op not in INITIALISERS:
                return f"{op}({', '.join(map(self.code, args))})"
        return f'initializer("{node.op}")'

    def ref(self, name: str) -> str:
        if name in self.shapes:
            return f"new.value({self.viewing.part_name}.{name})"
        if any(option.name == name for option in self.cell.options):
            return f"self.{name}"
        return self.viewing.size((name,))

    def plain(self, node: Node) -> bool:
        """Whether it is a number of Python's."""
        match node:
            case Ref(name):
                return name not in self.shapes
            case Pick():
                return False
            case Choose(_, a, b):
                return self.plain(a) and self.plain(b)
            case Apply(op, args):
                elementwise = op not in FORMULAS or FORMULAS[op].kind == "elementwise"
                return elementwise and op not in INITIALISERS and all(map(self.plain, args))
        return True

    # --- shapes

    def shape(self, node: Node) -> Shape:
        match node:
            case Ref(name):
                return self.shapes.get(name, ())
            case Pick(Ref(name), label):
                shape = self.shapes[name]
                index, _ = next(self.cell.places(label, shape))
                return (*shape[:index], shape[index][1:] or (1,), *shape[index + 1 :])
            case Apply("range", _, ((_, axis),)):
                return (axis,)
            case Choose(_, a, b):
                return self.algebra.broadcast(self.shape(a), self.shape(b))
            case Apply(op, args):
                if op in INITIALISERS or op in FORMULAS and FORMULAS[op].kind != "elementwise":
                    return self.whole
                out: Shape = ()
                for arg in args:
                    out = self.algebra.broadcast(out, self.shape(arg))
                return out
        return ()

    def fitted(self, node: Node, above: Node, binding: int) -> str:
        """An operand, in parentheses where it needs them."""
        text, own = self.spread(node, self.shape(above))
        return text if own >= binding else f"({text})"

    def spread(self, node: Node, want: Shape) -> tuple[str, int]:
        """The code of a value, with axes of one where it lacks some that others have behind its first."""
        (text, own), have = self.text(node), self.shape(node)
        if not have or len(have) == len(want):
            return text, own
        places = self.algebra.places(have, want)
        index = [":" if at in places else "None" for at in range(places[0], len(want))]
        if "None" not in index:
            return text, own
        return f"{text if own >= CALL else f'({text})'}[{', '.join(index)}]", CALL
