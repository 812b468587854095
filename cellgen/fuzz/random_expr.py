"""Random expressions, each of a wanted shape, and the declarations of what they read."""

import re
from dataclasses import dataclass
from random import Random

from cellgen.fuzz.random_starts import declared
from cellgen.fuzz.random_text import Dims, bare, shape_text
from cellgen.ir import ACTIVATIONS

NUMBERS = ("0.5", "2", "1", "0.1", "-1", "0", "3", "1 / 3", "0.25", "-0.7", "1.5", "1.0e-3")
SMOOTH = ("tanh", "sigmoid", "softsign", "sin", "cos", "hard_tanh", "hard_sigmoid")  # bounded
RISKY = (
    *("exp(-square({}))", "log(2 + abs({}))", "sqrt(1 + square({}))", "step({})", "exponential(minimum({}, 1))"),
    *("sqrt(exp({}))", "log(sigmoid({}))", "exp({})"),
)
ELEMENTWISE = tuple(name for name in ACTIVATIONS if name not in ("exponential",)) + ("square", "abs", "sin", "cos")


@dataclass(frozen=True)
class Value:
    """A name that an equation may read. level: 0 weights alone, 2 this step's input, 3 a state."""

    text: str
    dims: Dims
    level: int
    binary: bool = False


class Expressions:
    """One cell while it is written: what is declared so far, the equations in their order, and expressions of a shape.

    What an expression reads is declared when it is read. A text that is given may stand as an operand.
    """

    def __init__(self, rng: Random, plain: bool = False):
        self.rng = rng
        self.sections: dict[str, dict[str, str]] = {
            name: {} for name in ("dims", "axes", "options", "inputs", "state", "params", "norms")
        }
        self.gates: tuple[str, ...] = ()
        self.equations: list[tuple[str, str, str]] = []  # name, annotation or empty, text
        self.values: list[Value] = []
        self.binary: list[Value] = []
        self.scalars: list[str] = []  # numeric options
        self.counts: dict[str, int] = {}
        self.tests: list[str] = []
        self.budget = rng.choice((4, 8, 12, 20))
        self.affine = False
        self.plain = plain
        self.choosing = False
        self.loose = 0  # above zero where a plain number may stand for a value of any shape

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def new(self, stem: str) -> str:
        self.counts[stem] = self.counts.get(stem, 0) + 1
        return f"{stem}{self.counts[stem]}"

    def weight(self, shape: Dims, stem: str = "W") -> str:
        name = self.new(stem)
        self.sections["params"][name] = declared(self.rng, shape)
        return name

    # --- expressions: each gives a text that may stand as an operand

    def exact(self, dims: Dims, depth: int) -> str:
        """An expression that has this shape in every variant."""
        loose, self.loose = self.loose, 0
        text = self.expr(dims, depth)
        self.loose = loose
        return text

    def expr(self, dims: Dims, depth: int) -> str:
        self.budget -= 1
        if depth <= 0 or self.budget <= 0:
            return self.leaf(dims)
        ways = [
            (self.leaf, 4), (self.binary_op, 8), (self.unary, 8), (self.named, 4), (self.select, 1.5),
            (self.bound, 1.5), (self.choice, 1.5), (self.power, 0.7), (self.gradient, 0.8), (self.quotient, 0.8),
            (self.reduced, 1), (self.activated, 0.7), (self.product, 3), (self.blend, 1),
        ]  # fmt: skip
        if dims != ("1",):
            ways += [(self.along, 0.8), (self.normed, 0.9)]
        if len(dims) > 1:
            ways += [(self.outer, 1.5), (self.convolved, 2.5)]
        if self.scalars or self.chance(0.2):
            ways += [(self.optioned, 0.7)]
        if not self.plain:
            ways += [(self.dropped, 0.25)]
        ((way, _),) = self.rng.choices(ways, [weight for _, weight in ways])
        return way(dims, depth - 1)

    def here(self, dims: Dims) -> list[Value]:
        return [value for value in self.values if value.dims == dims]

    def leaf(self, dims: Dims, depth: int = 0) -> str:
        found = self.here(dims)
        if found and self.chance(0.75):
            late = [value for value in found if value.level == 3]
            return self.rng.choice(late if late and self.chance(0.5) else found).text
        if dims == ("1",) and self.chance(0.3):
            return f"mean({self.leaf(('units',))})"
        if self.chance(0.25) and dims != ("1",):
            return self.weight(dims, "b")
        return self.projected(dims)

    def projected(self, dims: Dims) -> str:
        """A vector through a weight."""
        vectors = [value for value in self.values if len(value.dims) == 1 and value.dims != ("1",)]
        vector = self.rng.choice(vectors)
        if len(dims) == 2 and dims[0] in ("gates", "side") and self.chance(0.6):
            return self.viewed(dims, vector)
        if dims == ("1",):
            return f"({vector.text} @ {self.weight((*vector.dims, '1'))})"
        return f"({vector.text} @ {self.weight((*vector.dims, *dims))})"

    def viewed(self, dims: Dims, vector: Value) -> str:
        """An equation for a flat product, which is viewed apart."""
        name = self.new("z")
        if not self.affine and self.chance(0.5) and dims == ("gates", "units"):
            self.affine = True
            self.sections["params"] |= {"kernel": "", "recurrent_kernel": "", "bias": ""}
            text = "affine(x, h[t-1])" if self.affine_fits() else ""
            if text:
                self.equation(name, dims, text, 3)
                return name
        kernel = self.new("W")
        self.sections["params"][kernel] = f"[{vector.dims[0]}, {dims[0]}*{dims[1]}]"
        self.equation(name, dims, f"{vector.text} @ {kernel}", vector.level)
        return name

    def affine_fits(self) -> bool:
        """Whether `affine(x, h[t-1])` has two vectors."""
        return self.states["h"] == ("units",) and self.sections["inputs"]["x"] == "[input]"

    def equation(self, name: str, dims: Dims, text: str, level: int, annotated: bool = True) -> None:
        self.equations.append((name, shape_text(dims) if annotated else "", text))
        if dims[0] in ("gates", "side"):
            for label in self.gates if dims[0] == "gates" else ("left", "right"):
                self.values.append(Value(f"{name}.{label}", dims[1:], level))
        self.values.append(Value(name, dims, level))

    def named(self, dims: Dims, depth: int) -> str:
        """A value with a name of its own."""
        if dims == ("units",) and self.gates and self.chance(0.5):
            whole = self.projected(("gates", "units")) if self.chance(0.7) else self.exact(("gates", "units"), depth)
            if not whole.isidentifier():
                name = self.new("z")
                self.equation(name, ("gates", "units"), bare(whole), 3, annotated=self.chance(0.3))
                whole = name
            return f"{whole}.{self.rng.choice(self.gates)}" if f"{whole}[" not in whole else self.leaf(dims)
        text = self.exact(dims, depth)
        name = self.new("a")
        self.equation(name, dims, bare(text), 3, annotated=False)
        return name

    def part(self, dims: Dims) -> Dims:
        """A shape that broadcasts to this one."""
        subs = [dims, dims, dims, ("1",)]
        if len(dims) > 1:
            subs += [dims[:1], dims[-1:]]
        return self.rng.choice([each for each in subs if "gates" not in each[:1] or len(each) > 1 or True])

    def number(self) -> str:
        if self.scalars and self.chance(0.3):
            return self.rng.choice(self.scalars)
        text = self.rng.choice(NUMBERS)
        return f"({text})" if "/" in text or "-" in text else text

    def operand(self, dims: Dims, depth: int) -> str:
        """What broadcasts beside a value of this shape."""
        if self.chance(0.25):
            return self.number()
        self.loose += 1
        text = self.expr(self.part(dims), depth)
        self.loose -= 1
        return text

    def binary_op(self, dims: Dims, depth: int) -> str:
        one, other = self.expr(dims, depth), self.operand(dims, depth)
        if self.chance(0.4):
            one, other = other, one
        return f"({one} {self.rng.choice('+-*+*')} {other})"

    def unary(self, dims: Dims, depth: int) -> str:
        if self.chance(0.07):
            return f"(-{self.expr(dims, depth)})"
        if self.chance(0.04):  # of a number
            return f"({self.expr(dims, depth)} * {self.rng.choice(ELEMENTWISE)}({bare(self.number())}))"
        if self.chance(0.12):
            inner = self.expr(dims, depth)
            return self.rng.choice(RISKY).format(bare(inner))
        names = SMOOTH if self.chance(0.5) else ELEMENTWISE
        return f"{self.rng.choice(names)}({bare(self.expr(dims, depth))})"

    def power(self, dims: Dims, depth: int) -> str:
        powers = ("2", "3", "1", "0", "2", "power")
        return f"({self.expr(dims, depth)} ** {self.exponent(self.rng.choice(powers))})"

    def exponent(self, text: str) -> str:
        if text == "power":
            self.sections["options"]["power"] = "2"
        return text

    def quotient(self, dims: Dims, depth: int) -> str:
        below = self.operand(dims, depth)
        low = self.rng.choice(("(1 + abs({}))", "(1 + square({}))", "(0.5 + sigmoid({}))", "(2 + tanh({}))", "{}"))
        if low == "{}":
            low, below = "{}", self.rng.choice(("2", "3", "(1 / 3)"))
        return f"({self.expr(dims, depth)} / {low.format(bare(below) if low != '{}' else below)})"

    def bound(self, dims: Dims, depth: int) -> str:
        one = bare(self.expr(dims, depth))
        if self.chance(0.35):
            low, high = self.rng.choice((("-1", "1"), ("0", "1"), ("-0.5", "0.7"), ("0", "2")))
            if self.scalars and self.chance(0.3):
                high = self.rng.choice(self.scalars)
            return f"clip({one}, {low}, {high})"
        pair = [one, bare(self.operand(dims, depth))]
        self.rng.shuffle(pair)
        return f"{self.rng.choice(('minimum', 'maximum'))}({', '.join(pair)})"

    def condition(self, dims: Dims, depth: int) -> str:
        binary = [value for value in self.binary if value.dims in (dims, ("1",))]
        if binary and self.chance(0.6):
            return self.rng.choice(binary).text
        if self.chance(0.2):
            return f"step({bare(self.expr(self.part(dims), depth - 1))})"
        sign = self.rng.choice(("<", "<=", ">", ">="))
        return f"{self.expr(self.part(dims), depth - 1)} {sign} {self.operand(dims, depth - 1)}"

    def select(self, dims: Dims, depth: int) -> str:
        arms = [bare(self.expr(dims, depth)), bare(self.operand(dims, depth))]
        self.rng.shuffle(arms)
        return f"where({self.condition(dims, depth)}, {', '.join(arms)})"

    def blend(self, dims: Dims, depth: int) -> str:
        """A convex mix by a gate with a name."""
        gate = self.new("f")
        self.equation(gate, dims, f"sigmoid({bare(self.exact(dims, depth))})", 3, annotated=False)
        return f"({gate} * {self.exact(dims, depth)} + (1 - {gate}) * {self.exact(dims, depth)})"

    def test(self) -> str:
        """A question that an instance answers."""
        if (len(self.tests) < 2 and self.chance(0.6)) or not self.tests:
            kind = self.rng.choice(("flag", "flag", "word", "maybe"))
            options = self.sections["options"]
            if kind == "flag":
                name = self.new("flag")
                options[name] = self.rng.choice(("true", "false"))
                self.tests.append(name)
            elif kind == "word":
                name = self.new("mode")
                options[name] = "{one_of: [one, two]}"
                self.tests.append(f"{name} == {self.rng.choice(('one', 'two'))}")
            else:
                name = self.new("bound")
                options[name] = "none"
                self.tests.append(name)
        test = self.rng.choice(self.tests)
        if len(self.tests) > 1 and self.chance(0.15):
            test = f"{test} {self.rng.choice(('and', 'or'))} {self.rng.choice(self.tests)}"
        return test

    def choice(self, dims: Dims, depth: int) -> str:
        if self.choosing:
            return self.leaf(dims)
        self.choosing, test = True, self.test()
        arm = self.expr(dims, depth)
        if test == "e":
            arm = f"{arm} + e @ {self.weight(('extra', *dims), 'V')}"
        elif test.startswith("bound") and test.isidentifier():
            arm = self.rng.choice((f"clip({bare(arm)}, -{test}, {test})", f"minimum({bare(arm)}, {test})", arm))
        other = self.expr(dims, depth) if not self.loose or self.chance(0.7) else self.number()
        if other == arm:
            other = f"(2 * {arm})"
        self.choosing = False
        flips = self.chance(0.1) and test != "e" and not test.startswith("bound")
        return f"({arm} if {'not ' * flips}{test} else {other})"

    def gradient(self, dims: Dims, depth: int) -> str:
        inner = self.expr(dims, depth)
        if self.chance(0.5):
            return f"stop_gradient({bare(inner)})"
        soft = self.rng.choice(("sigmoid", "clip", "linear"))
        text = f"clip({bare(inner)}, 0, 1)" if soft == "clip" else f"{soft}({bare(inner)})"
        return f"straight_through(step({bare(inner)}), {text})"

    def reduced(self, dims: Dims, depth: int) -> str:
        """A sum or mean over an axis that the result does not have."""
        axes = [a for shape in self.shapes for a in shape if a != "1" and a not in dims and a != "gates"]
        axis = self.rng.choice(axes) if axes else None
        if axis is None:
            return self.leaf(dims)
        bigger = (axis,) if dims == ("1",) else (*dims, axis) if self.chance(0.5) else (axis, *dims)
        if len(bigger) > 3 or "proj" in bigger and "units" in bigger and self.sections["dims"].get("proj") == "units":
            return self.leaf(dims)
        over = f", over={axis}" if bigger[-1] != axis or self.chance(0.6) else ""
        return f"{self.rng.choice(('sum', 'mean'))}({bare(self.exact(bigger, depth))}{over})"

    def along(self, dims: Dims, depth: int) -> str:
        axis = self.rng.choice(dims)
        over = f", over={axis}" if axis != dims[-1] or self.chance(0.5) else ""
        return f"{self.rng.choice(('softmax', 'softmax', 'cumsum'))}({bare(self.exact(dims, depth))}{over})"

    def normed(self, dims: Dims, depth: int) -> str:
        name = self.new("ln")
        over = dims[-1:] if self.chance(0.8) else dims
        extra = "".join(
            self.rng.choice(("", f", {key}: {init}")) for key, init in (("scale", "ones"), ("shift", "zeros"))
        )
        epsilon = self.rng.choice(("1.0e-3", "1.0e-2", "0.1"))
        kind = self.rng.choice(("layer", "rms"))
        self.sections["norms"][name] = f"{{kind: {kind}, over: {shape_text(over)}, epsilon: {epsilon}{extra}}}"
        return f"{name}({bare(self.exact(dims, depth))})"

    def outer(self, dims: Dims, depth: int) -> str:
        if len(dims) == 2:
            return f"outer({bare(self.exact(dims[:1], depth))}, {bare(self.exact(dims[1:], depth))})"
        return f"outer({bare(self.exact(dims[:2], depth))}, {bare(self.exact((dims[0], dims[2]), depth))})"

    def convolved(self, dims: Dims, depth: int) -> str:
        """A convolution along all axes but the last."""
        *along, filters = dims
        every, channels = along == ["half"] and self.chance(0.6), self.rng.choice((filters, "2", "3"))
        value = bare(self.exact(("rows", channels) if every else (*along, channels), depth))
        if not re.search(r"\[t-1\]", value):  # weights alone are not convolved
            state = "h[t-1]"
            for _ in self.states["h"] if self.states["h"] != ("1",) else ():
                state = f"mean({state})"
            value = f"{value} + {state}"
        sizes = [self.rng.choice(("1", "2", "3", axis)) for axis in along]
        how = ", stride=2" * every + ", dilation=2" * self.chance(0.2)
        return f"conv({value}, {self.weight((*sizes, channels, filters), 'K')}{how})"

    def product(self, dims: Dims, depth: int) -> str:
        """A matmul."""
        vectors = [value for value in self.values if len(value.dims) == 1 and value.dims != ("1",)]
        vector = self.rng.choice(vectors)
        if dims == ("1",) and self.chance(0.6):
            return f"({vector.text} @ {self.leaf(vector.dims)})"
        if dims == ("heads", "units") and ("heads", "key") in self.shapes:
            return f"({self.leaf(('heads', 'key'))} @ {self.leaf(('heads', 'key', 'units'))})"
        if len(dims) == 1 and self.chance(0.25) and vector.dims != dims:
            matrix = self.leaf((*vector.dims, *dims))
            return f"({vector.text} @ {matrix})"
        if len(dims) == 1 and self.chance(0.2):
            inner = self.exact(vector.dims, depth)
            return f"({inner} @ {self.weight((*vector.dims, *dims))})"
        if len(dims) == 1 and self.chance(0.15) and vector.dims != dims:  # `W @ x`
            return f"({self.weight((*dims, *vector.dims))} @ {vector.text})"
        return self.projected(dims)

    def activated(self, dims: Dims, depth: int) -> str:
        options = self.sections["options"]
        names = [name for name in options if name.startswith("act")]
        if not names or len(names) < 2 and self.chance(0.3):
            name = self.new("act")
            options[name] = f"{{one_of: activations, default: {self.rng.choice(ACTIVATIONS)}}}"
            names.append(name)
        return f"{self.rng.choice(names)}({bare(self.expr(dims, depth))})"

    def optioned(self, dims: Dims, depth: int) -> str:
        if not self.scalars or len(self.scalars) < 2 and self.chance(0.4):
            name = self.new("alpha")
            self.sections["options"][name] = self.rng.choice(
                (
                    "0.5",
                    "{default: 0.9, in: [0, 1]}",
                    "{default: 0.3, in: [-1, 2]}",
                    "{default: 0.5, in: [0, inf]}",
                    "{default: -0.5, in: [-inf, 1]}",
                    "{default: 0.2, in: [0.1, 0.9]}",
                    "{default: 1.0, scheduled: true}",
                )
            )
            self.scalars.append(name)
        return f"({self.rng.choice(self.scalars)} * {self.expr(dims, depth)})"

    def rate(self) -> str:
        if self.chance(0.4):
            return "0.3"
        self.sections["options"].setdefault(
            "rate", self.rng.choice(("{default: 0.2, in: [0, 1]}", "{default: 0.3, in: [0, 0.9]}"))
        )
        return "rate"

    def dropped(self, dims: Dims, depth: int) -> str:
        values = [value for value in self.here(dims) if value.level]
        if not values:
            return self.leaf(dims)
        value = self.rng.choice(values)
        return f"dropout({value.text}, {self.rate()}, per={self.rng.choice(('step', 'sequence'))})"
