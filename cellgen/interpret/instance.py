"""What a cell means, in numpy float64: the oracle that generated code is compared with.

Input: a `TypedCell` and what an instance is built with. Output: arrays. `evaluate` walks the equations as their author
wrote them; the loop over the steps is Python's. Nothing here is shared with what writes code.

    oracle = Instance(typed, {"input": 3, "units": 5})
    weights = {name: rng.normal(size=shape) for name, shape in oracle.weights.items()}
    output, state = oracle.step(weights, x, oracle.initial_state(weights, batch=2))
    outputs, states, final = oracle.scan(weights, xs, mask=mask)
"""

from collections import namedtuple
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from cellgen.interpret.arithmetic import NUMPY, Reference, derivative
from cellgen.interpret.evaluation import Scope, evaluate
from cellgen.interpret.initial_values import Starting, drawing
from cellgen.interpret.settings import Settings, pick
from cellgen.ir import Input, Level, Node, Number, Path, Ref, Type, TypedCell, TypedVariant

__all__ = ["NUMPY", "Instance", "Reference", "Scan", "Scope", "derivative", "evaluate", "pick"]


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

    def initial_weights(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """What the weights start from, by name in their order."""
        return Starting(self.settings, drawing(rng)).weights()

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

        x: (batch, ...); in training, with what is drawn by name.
        reference, at: the program to be perturbed, and which of its steps this is. impose: as for the
        function `evaluate`. Raises ValueError for arguments of another shape.
        """
        inputs = self._inputs(x, ("batch",), training)
        scope = self._scope(len(inputs[self.cell.inputs[0].name]), training, reference, at)
        carried = self._state(state, scope.batch)._asdict()
        numbers = {name: np.asarray(value) for name, value in self.settings.numbers.items()}
        env = {**numbers, **self._named("weights", weights, self.weights), **inputs}
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
        inputs = self._inputs(x, ("batch", "time"), training)
        batch, time = inputs[self.cell.inputs[0].name].shape[:2]
        counts = self._counts(mask, lengths, batch, time)
        whole = {name: inputs[name] for name, type in self._noises(training).items() if not type.level.has_batch}
        own = self.initial_state(weights, batch)
        state = own if initial_state is None else self._state(initial_state, batch)
        scope = self._scope(batch, training)
        output = np.zeros(scope.stored(self._carried(self.cell.output, scope.variant)))
        outputs = np.zeros((batch, time, *output.shape[1:]))
        states = self.State(*(np.zeros((batch, time, *array.shape[1:])) for array in own))
        for t in range(time):
            on, now = counts[:, t], {name: array[:, t] for name, array in inputs.items() if name not in whole}
            if self.cell.mask.kind == "reset":
                back = {name: _rows(on, getattr(state, name), getattr(own, name)) for name in self.cell.mask.states}
                state = state._replace(**back)
            new_output, new_state = self.step(weights, now | whole, state, training, reference=reference, at=t)
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

    def _noises(self, training: bool) -> dict[str, Type]:
        """What is drawn at random."""
        names = self.settings.variants[bool(training)].names
        return {each.name: names[each.name] for each in self.cell.noises if each.name in names}

    def _inputs(self, x, lead: Sequence[str], training: bool) -> dict[str, np.ndarray]:
        """Every connected port; one that is not given is filled with its default. In training, what is drawn too: for
        one step or for all, as numbers or arrays that broadcast.
        """
        first = self.cell.inputs[0].name
        given = x if isinstance(x, Mapping) else {first: x}
        noises = self._noises(training)
        if missing := [name for name in noises if name not in given]:
            raise ValueError(f"inputs {', '.join(given)}; wanted {', '.join(missing)} too, which training draws")
        drawn = {name: np.asarray(given[name], np.float64) for name in noises}
        given = {name: value for name, value in given.items() if name not in noises}
        ports = [port for port in self.cell.inputs if self.settings.connected(port)]
        arrays = self._given([port for port in ports if port.name in given or not self._fills(port, lead)], given, lead)
        front = arrays[first].shape[: len(lead)]
        for port in ports:
            if port.name not in arrays:
                steps = (
                    np.arange(front[1]).reshape(-1, *[1] * len(port.shape)) if port.index else float(port.default.value)
                )
                arrays[port.name] = np.array(np.broadcast_to(steps, (*front, *self.settings.shape(port.shape))), float)
        for name, type in noises.items():
            shape = self.settings.shape(type.shape)
            arrays[name] = np.broadcast_to(drawn[name], (*front, *shape) if type.level.has_batch else shape)
        return arrays

    def _fills(self, port: Input, lead: Sequence[str]) -> bool:
        """Whether a port that is not given has a value: its default, or of many steps their number."""
        return port.default is not None or port.index and len(lead) > 1

    def _given(self, ports: Sequence[Input], given: Mapping, lead: Sequence[str]) -> dict[str, np.ndarray]:
        """What is given for these ports, each (*lead, ...); a constant comes without the steps."""
        shapes = {port.name: self.settings.shape(port.shape) for port in ports}
        if set(given) != set(shapes):
            raise ValueError(f"inputs {', '.join(given)}; wanted {', '.join(shapes)}")
        arrays, front = {}, None
        for port in ports:
            name, axes = port.name, lead[:1] if port.constant else lead
            array = self._named("inputs", {name: given[name]}, {name: shapes[name]}, axes)[name]
            front = array.shape[: len(axes)] if front is None else front
            if array.shape[: len(axes)] != front[: len(axes)]:
                raise ValueError(
                    f"{name} {array.shape}; wanted ({', '.join(axes)}) = {front[: len(axes)]} as {ports[0].name} has"
                )
            if len(axes) < len(lead):
                array = np.broadcast_to(array[:, None], (*front, *shapes[name]))
            arrays[name] = array
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
