"""What a cell means, in numpy float64: the oracle that generated code is compared with.

Input: a `TypedCell` and what an instance is built with. Output: arrays. It walks the equations as their author wrote
them, one node at a time, and loops over the steps in Python; it shares nothing with what writes code. A value has the
batch as its first axis if it depends on a sample (its level is above CONSTANT), and no batch otherwise.

    oracle = Instance(typed, {"input": 3, "units": 5})
    weights = {name: rng.normal(size=shape) for name, shape in oracle.weights.items()}
    output, state = oracle.step(weights, x, oracle.initial_state(weights, batch=2))
    outputs, states, final = oracle.scan(weights, xs, mask=mask)
"""

from collections import namedtuple
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from string import ascii_lowercase
from typing import NamedTuple

import numpy as np

from cellgen.arithmetic import NUMPY, Reference, derivative
from cellgen.cell import Level, Type, TypedCell, TypedVariant
from cellgen.expr import (
    Activate,
    Apply,
    Axis,
    Choose,
    Equation,
    Node,
    Number,
    Path,
    Pick,
    Ref,
    View,
    axis_text,
    holds,
    shape_text,
)
from cellgen.ops import OPS
from cellgen.settings import Settings, pick

__all__ = ["NUMPY", "Instance", "Reference", "Scan", "Scope", "derivative", "evaluate", "pick"]


# --- expressions ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Scope:
    """What expressions are evaluated in: the instance, the types of nodes by path, and the number of samples.

    reference, at: the program to be perturbed, if one is, and which of its steps this is.
    """

    settings: Settings
    variant: TypedVariant
    types: Mapping[Path, Type]
    batch: int
    reference: Reference | None = None
    at: int = 0

    def stored(self, type: Type) -> tuple[int, ...]:
        """The shape of an array of this type."""
        return (*[self.batch] * type.level.has_batch, *self.settings.shape(type.shape))

    def value(self, node: Node, path: Path, env: Mapping[str, np.ndarray]) -> np.ndarray:
        """The value of an expression over the names in `env`, in which a carried value is called `h[t-1]`."""
        type = self.types[path]
        match node:
            case Number(number):
                value = np.asarray(float(number))
            case Ref(name, ago):
                value = env[f"{name}[t-1]" if ago else name]
            case View(inner):
                value = self.value(inner, (*path, 0), env)
            case Pick(inner, label):
                whole = self.value(inner, (*path, 0), env)
                value = self.part(whole, self.types[*path, 0], label)
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
                value = self._call(op, *below)
            case Apply(op, args):
                below = [self.value(arg, (*path, index), env) for index, arg in enumerate(args)]
                types = [self.types[*path, index] for index in range(len(args))]
                value = NUMPY[op](*below, **self._places(node, types))
        return value.reshape(self.stored(type))

    def _fitted(self, node: Node, path: Path, env: Mapping, want: Type) -> np.ndarray:
        return self.fit(self.value(node, path, env), self.types[path], want)

    def _call(self, op: str, *args: np.ndarray) -> np.ndarray:
        if self.reference:
            self.reference.pass_by(op, args)
        return NUMPY[op](*args)

    def _frozen(self, path: Path, compute) -> np.ndarray:
        return self.reference.keep((self.at, path), lambda: compute(replace(self, reference=None)))

    def _places(self, node: Apply, types: list[Type]) -> dict[str, object]:
        """Where the axes that an operation couples are."""
        shapes = [[self._plain(axis) for axis in type.shape] for type in types]
        batched = [type.level.has_batch for type in types]
        rank, attrs = batched[0] + len(shapes[0]), dict(node.attrs)
        match OPS[node.op].shape:
            case "contract" | "outer":
                return {"axes": _einsum(*shapes, *batched, contract=node.op == "matmul")}
            case "reduce" | "along" if "over" in attrs:
                return {"axis": batched[0] + shapes[0].index(self._plain(attrs["over"]))}
            case "reduce" | "along":
                return {"axis": rank - 1}
            case "normalize":
                return {"axes": tuple(range(rank - len(attrs["over"]), rank)), "kind": attrs["kind"]}
        raise TypeError(f"no rule for {node.op}")

    # shapes

    def fit(self, array: np.ndarray, have: Type, want: Type) -> np.ndarray:
        """Broadcasting by name: the axes of `have` are those of `want`, or some of them in order, or there are none."""
        left, dims = [plain for plain in map(self._plain, have.shape) if plain], []
        for axis in want.shape:
            found = left[:1] == [self._plain(axis)]
            dims.append(self.settings.size(axis) if found else 1)
            left = left[found:]
        if left or have.level.has_batch > want.level.has_batch:
            raise TypeError(f"{shape_text(have.shape)} does not broadcast to {shape_text(want.shape)}")
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

    def _plain(self, axis: Axis) -> Axis:
        """The axis by the dims' first names: second names and quotients replaced, ones left out."""
        wholes = {dim.value: (dim.divisor, dim.name) for dim in self.settings.cell.dims if dim.kind == "quotient"}
        plain = ()
        for atom in axis:
            if atom in self.variant.same:
                plain += self._plain((self.variant.same[atom],))
            elif atom in wholes:
                plain += self._plain(wholes[atom])
            elif isinstance(atom, int) and plain and isinstance(plain[-1], int):
                plain = (*plain[:-1], plain[-1] * atom)
            elif atom != 1:
                plain += (atom,)
        return plain


def _einsum(a: list[Axis], b: list[Axis], a_batched: bool, b_batched: bool, contract: bool) -> str:
    """After the leading axes that both share: `outer` has all others, `matmul` contracts a's last with b's next."""
    shared = 0
    while shared < min(len(a), len(b)) - 1 and a[shared] == b[shared] and not (contract and a[shared] == a[-1]):
        shared += 1
    first = ascii_lowercase[: len(a)]
    second = first[:shared] + ascii_lowercase[len(a) : len(a) + len(b) - shared]
    rest = first + second[shared:]
    if contract:
        if a[-1] != b[shared]:
            raise TypeError(f"{axis_text(a[-1])} is not contracted with {axis_text(b[shared])}")
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


# --- instances ------------------------------------------------------------------------------------------------------


class Scan(NamedTuple):
    """All steps: `outputs` (batch, time, ...), `states`, each (batch, time, ...), and the last ones, `final`."""

    outputs: np.ndarray
    states: tuple[np.ndarray, ...]
    final: tuple[np.ndarray, ...]


class Instance:
    """A cell as a constructor call makes it, to be run.

    given: the size of each dim (inferred ones too), options, and True for each optional port that is connected (the
    size of an optional dim of its says so too). Raises ValueError for names or values that the cell does not have.

    weights: name -> shape, in the order of the layer's. State: the named tuple of the states, in the spec's order.
    Where weights or states are arguments, mappings do as well as sequences in that order. An input is an array of the
    first one, or a mapping of several.
    """

    def __init__(self, typed: TypedCell, given: Mapping):
        self.cell = typed.cell
        self.settings = Settings(typed, given)
        self.weights = self.settings.weights
        self.State = namedtuple(f"{self.cell.name}State", [state.name for state in self.cell.states])

    def initial_state(self, weights: Mapping | Sequence, batch: int) -> tuple[np.ndarray, ...]:
        """What each state starts from, (batch, ...): its `initial`, or zeros."""
        weights = self._named("weights", weights, self.weights)

        def start(state):
            shape = (batch, *self.settings.shape(state.shape))
            match state.initial:
                case None:
                    return np.zeros(shape)
                case Number(number):
                    return np.full(shape, float(number))
                case Ref(name):
                    value = weights[name] if name in weights else self.settings.options[name]
                    return np.array(np.broadcast_to(value, shape))

        return self.State(*map(start, self.cell.states))

    def evaluate(
        self,
        weights,
        x,
        state,
        training: bool = False,
        *,
        impose: Mapping[Node, float] | None = None,
        reference: Reference | None = None,
        at: int = 0,
    ) -> dict[str, np.ndarray]:
        """One step: the value of every name, and the carried ones as `h[t-1]`.

        x: (batch, ...). reference, at: the program to be perturbed, and which of its steps this is. impose: as for the
        function `evaluate`. Raises ValueError for arguments of another shape.
        """
        inputs = self._inputs(x, ("batch",))
        scope = self._scope(len(inputs[self.cell.inputs[0].name]), training, reference, at)
        carried = self._state(state, scope.batch)._asdict()
        options = {name: np.asarray(value) for name, value in self.settings.options.items() if isinstance(value, float)}
        env = {**options, **self._named("weights", weights, self.weights), **inputs}
        env |= {f"{name}[t-1]": value for name, value in carried.items()}
        return evaluate(self.settings.live(scope.variant), env, scope, impose)

    def value(
        self, node: Node, path: Path, env: Mapping[str, np.ndarray], types: Mapping[Path, Type], training: bool = False
    ) -> np.ndarray:
        """An expression over the values of a step, `env`; `types` of its nodes by path, `path` being its own."""
        scope = self._scope(len(env[self.cell.inputs[0].name]), training)
        return replace(scope, types=types).value(node, path, env)

    def step(
        self, weights, x, state, training: bool = False, *, reference: Reference | None = None, at: int = 0
    ) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
        """(output, state), each (batch, ...). The arguments are those of the method `evaluate`."""
        env = self.evaluate(weights, x, state, training, reference=reference, at=at)
        scope = self._scope(len(env[self.cell.inputs[0].name]), training)

        def carried(name):
            return scope.fit(env[name], scope.variant.names[name], self._carried(name, scope.variant))

        return carried(self.cell.output), self.State(*map(carried, self.State._fields))

    def scan(
        self,
        weights,
        x,
        initial_state=None,
        mask=None,
        lengths=None,
        training: bool = False,
        *,
        reference: Reference | None = None,
    ) -> Scan:
        """All steps of x (batch, time, ...).

        mask (batch, time) of 0 and 1, lengths (batch,): a step counts if both allow it. What becomes of one that does
        not is said by the cell's `mask`: `hold` keeps the state and the output, which is zero before any step counted;
        `reset` puts the states named back to their own initial value (not to `initial_state`), and runs the step;
        `none` refuses both arguments. Raises ValueError for arguments of another shape.
        """
        inputs = self._inputs(x, ("batch", "time"))
        batch, time = inputs[self.cell.inputs[0].name].shape[:2]
        counts = self._counts(mask, lengths, batch, time)
        own = self.initial_state(weights, batch)
        state = own if initial_state is None else self._state(initial_state, batch)
        scope = self._scope(batch, training)
        output = np.zeros(scope.stored(self._carried(self.cell.output, scope.variant)))
        outputs = np.zeros((batch, time, *output.shape[1:]))
        states = self.State(*(np.zeros((batch, time, *array.shape[1:])) for array in own))
        for t in range(time):
            on, now = counts[:, t], {name: array[:, t] for name, array in inputs.items()}
            if self.cell.mask.kind == "reset":
                back = {name: _rows(on, getattr(state, name), getattr(own, name)) for name in self.cell.mask.states}
                state = state._replace(**back)
            new_output, new_state = self.step(weights, now, state, training, reference=reference, at=t)
            if self.cell.mask.kind == "hold":
                new_output = _rows(on, new_output, output)
                new_state = self.State(*(_rows(on, new, old) for new, old in zip(new_state, state)))
            output, state = new_output, new_state
            outputs[:, t] = output
            for history, array in zip(states, state):
                history[:, t] = array
        return Scan(outputs, states, state)

    def _scope(self, batch: int, training: bool, reference: Reference | None = None, at: int = 0) -> Scope:
        variant = self.settings.variants[bool(training)]
        return Scope(self.settings, variant, variant.types, batch, reference, at)

    def _carried(self, name: str, variant: TypedVariant) -> Type:
        """The type of a state or an output, as the loop keeps it."""
        shapes = {state.name: state.shape for state in self.cell.states}
        return Type(shapes.get(name, variant.names[name].shape), Level.CARRIED)

    # arguments

    def _named(
        self, what: str, arrays: Mapping | Sequence, shapes: Mapping[str, tuple], lead: Sequence[str] = ()
    ) -> dict[str, np.ndarray]:
        """Arrays by name, in the order of `shapes`, in float64; further axes in front are called `lead`."""
        if not isinstance(arrays, Mapping):
            arrays = dict(zip(shapes, arrays)) if len(arrays) == len(shapes) else {f"({len(arrays)} arrays)": None}
        if set(arrays) != set(shapes):
            raise ValueError(f"{what} {', '.join(arrays)}; wanted {', '.join(shapes)}")
        named = {name: np.asarray(arrays[name], np.float64) for name in shapes}
        for name, array in named.items():
            if array.ndim < len(lead) or array.shape[len(lead) :] != tuple(shapes[name]):
                raise ValueError(f"{name} {array.shape}; wanted ({', '.join([*lead, *map(str, shapes[name])])})")
        return named

    def _state(self, state, batch: int) -> tuple[np.ndarray, ...]:
        shapes = {each.name: self.settings.shape(each.shape) for each in self.cell.states}
        named = self.State(**self._named("states", state, shapes, ["batch"]))
        for name, array in named._asdict().items():
            if len(array) != batch:
                raise ValueError(f"{name} {array.shape}; wanted a batch of {batch}")
        return named

    def _inputs(self, x, lead: Sequence[str]) -> dict[str, np.ndarray]:
        """Every connected port; one that is not given is filled with its default."""
        first = self.cell.inputs[0].name
        given = x if isinstance(x, Mapping) else {first: x}
        ports = [port for port in self.cell.inputs if not port.optional or self.settings.connected(port)]
        wanted = {port.name: port.shape for port in ports if port.name in given or not port.default}
        shapes = {name: self.settings.shape(shape) for name, shape in wanted.items()}
        arrays = self._named("inputs", given, shapes, lead)
        front = arrays[first].shape[: len(lead)]
        for name, array in arrays.items():
            if array.shape[: len(lead)] != front:
                raise ValueError(f"{name} {array.shape}; wanted ({', '.join(lead)}) = {front} as {first} has")
        for port in ports:
            if port.name not in arrays:
                arrays[port.name] = np.full((*front, *self.settings.shape(port.shape)), float(port.default.value))
        return arrays

    def _counts(self, mask, lengths, batch: int, time: int) -> np.ndarray:
        """Which steps count, (batch, time)."""
        if self.cell.mask.kind == "none" and (mask is not None or lengths is not None):
            raise ValueError(f"{self.cell.name} takes neither a mask nor lengths")
        counts = np.ones((batch, time), bool)
        if mask is not None:
            mask = np.asarray(mask)
            if mask.shape != counts.shape or not np.isin(mask, (0, 1)).all():
                raise ValueError(f"mask {mask.shape}; wanted (batch, time) = {counts.shape} of 0 and 1")
            counts &= mask.astype(bool)
        if lengths is not None:
            lengths = np.asarray(lengths)
            if lengths.shape != (batch,) or lengths.dtype.kind not in "iu" or ((lengths < 0) | (lengths > time)).any():
                raise ValueError(f"lengths {lengths.tolist()}; wanted {batch} integers from 0 to {time}")
            counts &= np.arange(time) < lengths[:, None]
        return counts


def _rows(on: np.ndarray, new: np.ndarray, old: np.ndarray) -> np.ndarray:
    """The new row of each sample that is on, the old row of the others."""
    return np.where(on.reshape(-1, *[1] * (new.ndim - 1)), new, old)
