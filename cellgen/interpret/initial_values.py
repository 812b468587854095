"""What weights start from, in numpy float64: Keras's initialisers by their definitions, and formulas.

A value goes with its shape in dims, by which it broadcasts.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import prod

import numpy as np

from cellgen.interpret.evaluation import Scope
from cellgen.interpret.settings import Settings
from cellgen.ir import (
    Apply,
    Choose,
    EitherInitialiser,
    Formula,
    Initial,
    Initialiser,
    LabelAxis,
    Level,
    Node,
    Number,
    Param,
    Pick,
    Ref,
    Shape,
    Test,
    Type,
    holds,
)

Value = tuple[np.ndarray, Shape]
Draw = Callable[[str, tuple[float, ...], tuple[int, ...]], np.ndarray]  # a name, its arguments, a shape

ELEMENTWISE: dict[str, Callable] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "neg": np.negative,
    "pow": np.power,
    **{name: getattr(np, name) for name in "log exp sqrt square abs sin cos tanh floor minimum maximum mod".split()},
}


def drawing(rng: np.random.Generator) -> Draw:
    """Draws by the definitions of Keras's initialisers."""

    def draw(name: str, arguments: tuple[float, ...], shape: tuple[int, ...]) -> np.ndarray:
        kind, _, law = name.partition("_")
        match name, arguments:
            case "zeros" | "ones", ():
                return np.full(shape, float(name == "ones"))
            case "constant", (value,):
                return np.full(shape, value)
            case "identity", _:
                return np.eye(*shape) * (*arguments, 1.0)[0]
            case "uniform", (low, high):
                return rng.uniform(low, high, shape)
            case "normal", (stddev,):
                return rng.normal(0, stddev, shape)
            case "bernoulli", (probability,):
                return (rng.random(shape) < probability) * 1.0
            case "orthogonal", _:
                return _orthogonal(rng, shape) * (*arguments, 1.0)[0]
            case "random_uniform", ():
                return rng.uniform(-0.05, 0.05, shape)
            case "random_normal", ():
                return rng.normal(0, 0.05, shape)
            case "truncated_normal", ():
                return _truncated(rng, 0.05, shape)
        variance = {"glorot": 2 / sum(_fans(shape)), "he": 2 / _fans(shape)[0], "lecun": 1 / _fans(shape)[0]}[kind]
        if law == "uniform":
            return rng.uniform(-1, 1, shape) * np.sqrt(3 * variance)
        return _truncated(rng, np.sqrt(variance) / 0.87962566103423978, shape)

    return draw


def _fans(shape: tuple[int, ...]) -> tuple[int, int]:
    if len(shape) < 2:
        return (shape or (1,))[0], (shape or (1,))[0]
    return prod(shape[:-1]), prod(shape[:-2]) * shape[-1]


def _orthogonal(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    rows, columns = prod(shape[:-1]), shape[-1]
    q, r = np.linalg.qr(rng.normal(size=(max(rows, columns), min(rows, columns))))
    q *= np.sign(np.diag(r))
    return (q if rows >= columns else q.T).reshape(shape)


def _truncated(rng: np.random.Generator, stddev: float, shape: tuple[int, ...]) -> np.ndarray:
    """Within two standard deviations."""
    found = rng.normal(size=shape)
    while (far := np.abs(found) > 2).any():
        found[far] = rng.normal(size=int(far.sum()))
    return found * stddev


# --- linear systems: x' = A x + B u -----------------------------------------------------------------------------------


def _legs(size: int) -> tuple[np.ndarray, np.ndarray]:
    a = np.zeros((size, size))
    for n in range(size):
        for k in range(n):
            a[n, k] = -np.sqrt((2 * n + 1) * (2 * k + 1))
        a[n, n] = -(n + 1)
    return a, np.array([np.sqrt(2 * n + 1) for n in range(size)])


def _legt(size: int) -> tuple[np.ndarray, np.ndarray]:
    a = np.zeros((size, size))
    for i in range(size):
        for j in range(size):
            a[i, j] = (2 * i + 1) * (-1 if i < j else (-1) ** (i - j + 1))
    return a, np.array([(2 * i + 1) * (-1.0) ** i for i in range(size)])


def _exponential(a: np.ndarray) -> np.ndarray:
    """Of a matrix, by its series after it is halved, and squared as often."""
    halvings = max(0, int(np.ceil(np.log2(max(np.abs(a).sum(1).max(), 1e-30)))) + 4)
    term = total = np.eye(len(a))
    for power in range(1, 20):
        term = term @ a / (power * 2.0**halvings)
        total = total + term
    return np.linalg.matrix_power(total, 2**halvings)


SYSTEMS = {"hippo_legs": _legs, "hippo_legt": _legt}


def _discrete(kind: str, a: np.ndarray, b: np.ndarray, step: float) -> tuple[np.ndarray, np.ndarray]:
    one = np.eye(len(a))
    if kind == "zoh":
        moved = _exponential(a * step)
        return moved, np.linalg.solve(a, (moved - one) @ b)
    inverse = np.linalg.inv(one - a * step / 2)
    return inverse @ (one + a * step / 2), inverse @ b * step


# --- weights ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Starting:
    """What the weights of an instance start from; `draw` draws what is random."""

    settings: Settings
    draw: Draw

    def weights(self) -> dict[str, np.ndarray]:
        """All of them, in their order."""
        found: dict[str, np.ndarray] = {}
        for param in self.settings.cell.params:
            if param.name in self.settings.weights:
                found[param.name] = self.weight(param, found)
        return found

    def weight(self, param: Param, above: Mapping[str, np.ndarray], come: np.ndarray | None = None) -> np.ndarray:
        """One of them; `above` are those that its formulas may read. come: where what no formula says is looked up."""
        return _Weight(self, param, above, come).value()

    def holds(self, test: Test) -> bool:
        """Whether a test holds of what the instance was given."""
        settings = self.settings
        kinds = {option.name: option.kind for option in settings.cell.options}
        answers = {name: name in settings.given for name in (*settings.sizes, *settings.given)}
        for name, value in settings.options.items():
            answers[name] = value is not None if kinds[name] == "maybe" else value
        return holds(test, {**answers, **settings.variants[False].variant})


@dataclass
class _Weight:
    starting: Starting
    param: Param
    above: Mapping[str, np.ndarray]
    come: np.ndarray | None
    found: dict[int, np.ndarray] = field(default_factory=dict)

    def __post_init__(self):
        settings = self.starting.settings
        weights = {weight.name: weight.shape for variant in settings.variants.values() for weight in variant.weights}
        self.settings, self.shapes = settings, weights
        self.scope = Scope(settings, settings.variants[False], {}, 1)
        self.shape = self.part = weights[self.param.name]
        self.chosen = dict(self.param.init)
        self.rest = self.chosen.pop(None, Initialiser("zeros"))
        self.labels: tuple[str, ...] = ()
        if self.chosen:
            self.at, axis = self.place(next(iter(self.chosen)), self.shape)
            self.labels, self.part = axis.labels, self.of_label(self.shape, self.at)

    def value(self) -> np.ndarray:
        if self.labels:
            return np.concatenate([self.own(label) for label in self.labels], self.at)
        init = self.decided(self.rest)
        return self.drawn(init) if isinstance(init, Initialiser) else self.of(init)

    def own(self, label: str) -> np.ndarray:
        """The part of a label; what Keras draws of several, it draws of all at once."""
        index = self.labels.index(label)
        if index not in self.found:
            init, rest = self.decided(self.chosen.get(label, self.rest)), self.decided(self.rest)
            if isinstance(init, Formula):
                self.found[index] = self.of(init)
            elif self.come is not None or init == rest:
                self.found[index] = self.split(self.whole(rest), len(self.labels), index, self.at)
            else:
                self.found[index] = self.draw(init, self.part)
        return self.found[index]

    def whole(self, rest: Initialiser) -> np.ndarray:
        if -1 not in self.found:
            self.found[-1] = self.drawn(rest)
        return self.found[-1]

    def drawn(self, init: Initialiser) -> np.ndarray:
        """All of a weight; of one that is a stack of weights each by itself."""
        counted = [(axis.name,) for axis in self.settings.cell.axes if axis.counted]
        if self.come is not None:
            return self.come
        at = next((at for at, axis in enumerate(self.shape) if axis in counted and len(self.shape) > 1), None)
        if at is None:
            return self.draw(init, self.shape)
        one = *self.shape[:at], *self.shape[at + 1 :]
        return np.stack([self.draw(init, one) for _ in range(self.settings.size(self.shape[at]))], at)

    def draw(self, init: Initialiser, shape: Shape) -> np.ndarray:
        return self.starting.draw(init.name, tuple(map(float, init.arguments)), self.settings.shape(shape))

    @staticmethod
    def split(array: np.ndarray, count: int, index: int, axis: int) -> np.ndarray:
        return np.split(array, count, axis)[index]

    def decided(self, init: Initial) -> Initialiser | Formula:
        while isinstance(init, EitherInitialiser):
            init = init.a if self.starting.holds(init.test) else init.b
        return init

    def of(self, init: Formula) -> np.ndarray:
        value, shape = self.formula(init.value)
        return self.fitted(value, shape, self.part)

    # --- formulas

    def formula(self, node: Node) -> Value:
        sizes = self.settings.shape(self.part)
        match node:
            case Number(value):
                return np.asarray(float(value)), ()
            case Ref(name) if name in self.above:
                return self.above[name], self.shapes[name]
            case Ref(name) if name in self.settings.options:
                return np.asarray(self.settings.options[name]), ()
            case Ref(name):
                return np.asarray(float(self.settings.length(name))), ()
            case Pick(Ref(name), label):
                shape = self.shapes[name]
                at, axis = self.place(label, shape)
                if name == self.param.name:
                    return self.own(label), self.part
                index = axis.labels.index(label)
                return self.split(self.above[name], len(axis.labels), index, at), self.of_label(shape, at)
            case Choose(test, a, b):
                return self.formula(a if self.starting.holds(test) else b)
            case Apply("range", _, ((_, axis),)):
                return np.arange(self.settings.size(axis)) * 1.0, (axis,)
            case Apply(op, args) if op in ELEMENTWISE:
                values = [self.formula(arg) for arg in args]
                out = max((shape for _, shape in values), key=len)
                return ELEMENTWISE[op](*(self.fitted(value, shape, out) for value, shape in values)), out
            case Apply("spectral_radius", (value, radius)):
                value = self.fitted(*self.formula(value), self.part)
                largest = np.abs(np.linalg.eigvals(value)).max()
                return value * (self.number(radius) / largest if largest else 0), self.part
            case Apply(op, ()) if op in SYSTEMS:
                return self.of_system(*SYSTEMS[op](sizes[0]))
            case Apply("zoh" | "bilinear" as op, (step,), ((_, system),)):
                return self.of_system(*_discrete(op, *SYSTEMS[system](sizes[0]), self.number(step)))
            case Apply(op, args):
                return self.starting.draw(op, tuple(map(self.number, args)), sizes), self.part

    def number(self, node: Node) -> float:
        return float(self.formula(node)[0])

    def of_system(self, a: np.ndarray, b: np.ndarray) -> Value:
        return (a if len(self.part) == 2 else b), self.part

    # --- shapes

    def fitted(self, value: np.ndarray, have: Shape, want: Shape) -> np.ndarray:
        return self.scope.fit(value, Type(have, Level.CONSTANT), Type(want, Level.CONSTANT))

    def place(self, label: str, shape: Shape) -> tuple[int, LabelAxis]:
        return next(self.settings.cell.places(label, shape))

    @staticmethod
    def of_label(shape: Shape, at: int) -> Shape:
        return (*shape[:at], shape[at][1:] or (1,), *shape[at + 1 :])
