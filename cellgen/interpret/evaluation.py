"""Expressions in numpy float64, one node at a time, as their author wrote them.

A value has the batch as its first axis if it depends on a sample (its level is above CONSTANT), and no batch otherwise.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from string import ascii_lowercase

import numpy as np

from cellgen.interpret.arithmetic import NUMPY, Reference
from cellgen.interpret.settings import Settings
from cellgen.ir import (
    EVERY,
    OPS,
    Activate,
    Apply,
    Atom,
    Axis,
    Choose,
    Equation,
    Node,
    Number,
    Path,
    Pick,
    Ref,
    Type,
    TypedVariant,
    View,
    axis_text,
    holds,
    walk,
)


@dataclass(frozen=True)
class Scope:
    """What expressions are evaluated in: the instance, the types of nodes by path, and the number of samples.

    reference, at: the program to be perturbed, if one is, and which of its steps this is. operations, number: of other
    elements than floats, what the operations are, and what a constant is.
    """

    settings: Settings
    variant: TypedVariant
    types: Mapping[Path, Type]
    batch: int
    reference: Reference | None = None
    at: int = 0
    operations: Mapping[str, Callable] = field(default_factory=lambda: NUMPY)
    number: Callable = float

    def stored(self, type: Type) -> tuple[int, ...]:
        """The shape of an array of this type."""
        return (*[self.batch] * type.level.has_batch, *self.settings.shape(type.shape))

    def value(self, node: Node, path: Path, env: Mapping[str, np.ndarray]) -> np.ndarray:
        """The value of an expression over the names in `env`, in which a carried value is called `h[t-1]`."""
        type = self.types[path]
        match node:
            case Number(number):
                value = np.asarray(self.number(number))
            case Ref(name, ago):
                value = env[f"{name}[t-1]" if ago else name]
            case View(inner):
                value = self.value(inner, (*path, 0), env)
            case Pick(inner, label):
                whole = self.value(inner, (*path, 0), env)
                value = self.part(whole, self.types[(*path, 0)], label)
            case Choose(test, a, b):
                index = 0 if holds(test, self.variant.variant) else 1
                value = self._fitted((a, b)[index], (*path, index), env, type)
            case Activate(option, inner):
                value = self._call(self.settings.options[option], self.value(inner, (*path, 0), env))
            case Apply("stop_gradient", (x,)) if self.reference:
                value = self._frozen(path, lambda fixed: fixed.value(x, (*path, 0), env))
            case Apply("straight_through", (f, g)) if self.reference:
                smooth = self._fitted(g, (*path, 1), env, type)
                value = smooth + self._frozen(path, lambda fixed: fixed._fitted(f, (*path, 0), env, type) - smooth)
            case Apply(op, args) if OPS[op].shape == "elementwise":
                below = [self._fitted(arg, (*path, index), env, type) for index, arg in enumerate(args)]
                # what is compared with itself, and what nothing moves, has no kink
                still = len(args) == 2 and args[0] == args[1] or self.reference and not self._moves(node)
                value = self.operations[op](*below) if still else self._call(op, *below)
            case Apply(op, args):
                below = [self.value(arg, (*path, index), env) for index, arg in enumerate(args)]
                types = [self.types[(*path, index)] for index in range(len(args))]
                value = self.operations[op](*below, **self._places(node, types))
        return value.reshape(self.stored(type))

    def _fitted(self, node: Node, path: Path, env: Mapping, want: Type) -> np.ndarray:
        return self.fit(self.value(node, path, env), self.types[path], want)

    def _call(self, op: str, *args: np.ndarray) -> np.ndarray:
        if self.reference:
            self.reference.pass_by(op, args)
        return self.operations[op](*args)

    def _moves(self, node: Node) -> bool:
        """Whether a value comes of weights, states or inputs."""
        moving = self.settings.moving
        return any(isinstance(each, Ref) and (each.ago or each.name in moving) for _, each in walk(node))

    def _frozen(self, path: Path, compute) -> np.ndarray:
        return self.reference.keep((self.at, path), lambda: compute(replace(self, reference=None)))

    def _places(self, node: Apply, types: list[Type]) -> dict[str, object]:
        """Where the axes that an operation couples are."""
        if node.op == "range":
            return {"size": self.settings.size(node.attr("over"))}
        shapes = [[self._plain(axis) for axis in type.shape] for type in types]
        batched = [type.level.has_batch for type in types]
        rank, attrs = batched[0] + len(shapes[0]), dict(node.attrs)
        match EVERY[node.op].shape:
            case "contract" | "outer":
                return {"axes": _einsum(*shapes, *batched, contract=node.op == "matmul")}
            case "convolve":
                return attrs
            case "reduce" | "along":
                over = node.over
                axis = rank - 1 if over is None else batched[0] + shapes[0].index(self._plain(over))
                return {"axis": axis, **({"by": attrs["by"]} if "by" in attrs else {})}
            case "normalize":
                return {"axes": tuple(range(rank - len(attrs["over"]), rank)), "kind": attrs["kind"]}
        raise TypeError(f"no rule for {node.op}")

    # shapes

    def fit(self, array: np.ndarray, have: Type, want: Type) -> np.ndarray:
        """Broadcasting by name: the axes of `have` are those of `want`, or some of them in order, or there are none."""
        if have.shape == want.shape and have.level.has_batch == want.level.has_batch:
            return array
        left, dims = [plain for plain in map(self._plain, have.shape) if plain], []
        for axis in want.shape:
            found = left[:1] == [self._plain(axis)]
            dims.append(self.settings.size(axis) if found else 1)
            left = left[found:]
        assert not left and have.level.has_batch <= want.level.has_batch, (have, want)
        lead = [self.batch if have.level.has_batch else 1] * want.level.has_batch
        return np.broadcast_to(array.reshape((*lead, *dims)), self.stored(want))

    def part(self, array: np.ndarray, type: Type, label: str) -> np.ndarray:
        """A label's part of an array; what is written to it is written to the array."""
        place, factor, name = self.settings.labelled(type.shape, label)
        start, width = self.settings.parts[name][label]
        axis, stored = type.shape[place], self.stored(type)
        before, after = self.settings.size(axis[:factor]), self.settings.size(axis[factor + 1 :])
        place += type.level.has_batch
        apart = array.reshape(*stored[:place], before, self.settings.length(name), after, *stored[place + 1 :])
        return apart[(slice(None),) * (place + 1) + (slice(start, start + width),)]

    def _first(self, atom: Atom) -> Atom:
        while atom in self.variant.same:
            atom = self.variant.same[atom]
        return atom

    def _plain(self, axis: Axis) -> Axis:
        """The axis by the dims' first names: second names and quotients replaced, ones left out."""
        axis, spelled = tuple(self._first(atom) for atom in axis), {}
        for dim in self.settings.cell.dims:
            if dim.kind == "quotient":
                pair, whole = (self._first(dim.divisor), dim.name), self._first(dim.value)
                # a second name is its whole only beside a 1; so is one whose whole is spelled by another quotient
                if dim.divisor == 1 or spelled.setdefault(whole, pair) != pair:
                    while (at := next((at for at in range(len(axis)) if axis[at : at + 2] == pair), -1)) >= 0:
                        axis = (*axis[:at], whole, *axis[at + 2 :])
        plain = ()
        for atom in axis:
            if atom in spelled:
                plain += self._plain(spelled[atom])
            elif isinstance(atom, int) and plain and isinstance(plain[-1], int):
                plain = (*plain[:-1], plain[-1] * atom)
            elif atom != 1:
                plain += (atom,)
        return plain


def _einsum(a: list[Axis], b: list[Axis], a_batched: bool, b_batched: bool, contract: bool) -> str:
    """After the leading axes that both share: `outer` has all others, `matmul` contracts a's last with b's next."""
    shared = 0
    while shared < min(len(a), len(b)) - 1 and a[shared] == b[shared]:
        shared += 1
    first = ascii_lowercase[: len(a)]
    second = first[:shared] + ascii_lowercase[len(a) : len(a) + len(b) - shared]
    rest = first + second[shared:]
    if contract:
        assert a[-1] == b[shared], f"{axis_text(a[-1])} is not contracted with {axis_text(b[shared])}"
        rest = first[:-1] + second[shared + 1 :]
        second = second[:shared] + first[-1] + second[shared + 1 :]
    return f"{'Z' * a_batched}{first},{'Z' * b_batched}{second}->{'Z' * (a_batched or b_batched)}{rest}"


@np.errstate(all="ignore")  # an arm that `where` does not take may be nan
def evaluate(
    statements: Iterable[Equation],
    env: Mapping[str, np.ndarray],
    scope: Scope,
    impose: Mapping[Node, float] | None = None,
) -> dict[str, np.ndarray]:
    """`env` and the value of each statement, in their order.

    impose: numbers for some `Ref`s and `Pick`s of one, in all places, as soon as the name has a value.
    """
    env = dict(env)

    def put(name: str, value: np.ndarray) -> None:
        env[name] = value
        for node, number in (impose or {}).items():
            base = node.value if isinstance(node, Pick) else node
            if name == (f"{base.name}[t-1]" if base.ago else base.name):
                env[name] = np.array(env[name])
                type = scope.variant.names[base.name]
                place = env[name] if node is base else scope.part(env[name], type, node.label)
                place[...] = number

    for name, value in tuple(env.items()):
        put(name, value)
    for equation in statements:
        path = (equation.name,)
        have = scope.types[path]
        value = scope.value(equation.value, path, env)
        put(equation.name, scope.fit(value, have, scope.variant.names.get(equation.name, have)))
    return env
