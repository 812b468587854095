"""Stacks: a step of all layers from the functions of one, and a cell whose weights stand in a part for each layer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import tensorflow as tf

from cellgen.runtime.cell import Cell, Size, own_names, shape_of
from cellgen.runtime.constructors import parameters
from cellgen.runtime.scan import Scan

keras = tf.keras

_AGO = "[t-1]"


@dataclass(frozen=True, eq=False, kw_only=True)
class Stack(Scan):
    """The scan of a stack of layers, of which the functions are those of one layer. Its state is flat: that of layer 1
    first.

    `step` and `forward` give instead of the output what a layer shows besides its state, by name; `backward` takes the
    derivatives by that, and gives those by what it read of its neighbours after those by the state.

    below, above: of what a layer reads of its neighbours, by the name that it has there, the name that it has in the
    neighbour: as `h` in this step, as `h[t-1]` before it. output: what of the last layer is the output. inputs: where
    a layer has another name for an input of the stack, that, by the stack's. shown: the sizes of what a layer shows, by
    name, from the sizes of the layer. readout: instead of `output`, a function of states of all layers, a list each,
    and of weights by name.
    """

    output: str
    below: Mapping[str, str] = field(default_factory=dict)
    above: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    shown: Mapping[str, Callable] = field(default_factory=dict)
    readout: Any = None

    @property
    def holds_output(self) -> bool:
        return self.readout is None

    def pack(self, values):
        return tuple(values)

    def by_layer(self, values: Sequence) -> list:
        """Something of each state, flat -> the named tuple of each layer."""
        return [self.state(*values[at : at + self.states]) for at in range(0, len(values), self.states)]

    def carry(self, named):
        return tuple(value for state in named for value in state)

    def reads(self, function: Callable) -> tuple[str, ...]:
        names = parameters(function)
        return (*names, *(outer for outer, own in self.inputs.items() if own in names))

    def run_step(self, *, state, **values):
        old, new, shown, told = self.by_layer(state), [], [], []
        for index, layer in enumerate(self.layers(values)):
            also, after, *trace = self.step(state=old[index], **self.neighbours(index, old, new, shown), **layer)
            new.append(after)
            shown.append(also)
            told += trace
        return self.output_of(new, shown), self.carry(new), tuple(told)

    def run_once(self, **arguments):
        return self.each(self.once, arguments)

    def run_before(self, **values):
        return self.each(self.before, values)

    def run_forward(self, state, **values):
        """The first layer first."""
        old, new, shown, kept = self.by_layer(state), [], [], {}
        for index, layer in enumerate(self.layers(values)):
            also, after, more = self.forward(old[index], **self.neighbours(index, old, new, shown), **layer)
            new.append(after)
            shown.append(also)
            kept |= of_layer(index, more)
        return self.output_of(new, shown), self.carry(new), kept

    def run_backward(self, d_output, d_state, **values):
        """The last layer first: what a layer read of a neighbour's is a derivative by that one's state."""
        layers = self.layers(values)
        d_new = [state._asdict() for state in self.by_layer(d_state)]
        front = [tf.shape(d_output)[0]]
        d_shown = [
            {name: tf.zeros([*front, *sizes(layer)], d_output.dtype) for name, sizes in self.shown.items()}
            for layer in layers
        ]
        if self.readout is None:
            (d_shown if self.output in self.shown else d_new)[-1][self.output] += d_output
        d_old, d_late, sent = [{} for _ in layers], [], {}
        for index, layer in reversed(list(enumerate(layers))):
            after = self.state(**d_new[index])
            d_before, d_ports, more = self.backward(*d_shown[index].values(), after, **layer)
            d_old[index] = d_before._asdict()
            sent |= of_layer(index, more)
            for port, name in self.below.items() if index > 0 else ():
                if name.endswith(_AGO):  # that layer's turn comes later
                    d_late.append((index - 1, name.removesuffix(_AGO), d_ports[port]))
                else:
                    (d_shown if name in self.shown else d_new)[index - 1][name] += d_ports[port]
            for port, name in self.above.items() if index + 1 < len(layers) else ():
                d_old[index + 1][name.removesuffix(_AGO)] += d_ports[port]
        for index, name, d in d_late:
            d_old[index][name] += d
        return self.carry(self.state(**d) for d in d_old), sent

    def run_after(self, **values):
        d_xs, d_weights = {}, {}
        outer = {own: name for name, own in self.inputs.items()}
        for index, layer in enumerate(self.layers(values)):
            d_inputs, d_own = self.after(**layer)
            for name, d in d_inputs.items():
                name = outer.get(name, name)
                d_xs[name] = d_xs[name] + d if name in d_xs else d
            d_weights |= of_layer(index, d_own)
        return d_xs, d_weights

    def turned(self, **arguments):
        return self.each(super().turned, arguments)

    def weights(self, **arguments) -> list[str]:
        found = enumerate(self.layers(arguments))
        return [f"layer{index + 1}/{name}" for index, layer in found for name in self.differentiated(**layer)]

    # --- layers

    def each(self, function: Callable | None, values: Mapping[str, Any]) -> dict[str, Any]:
        """A function of a layer's values, of each layer -> its results by flat name."""
        found = {}
        if function is not None:
            for index, layer in enumerate(self.layers(values)):
                found |= of_layer(index, function(**layer))
        return found

    def layers(self, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Values by flat name, as in `layer2/W` -> by the layer's own name, a mapping a layer; others are for all."""
        shared = {self.inputs.get(name, name): value for name, value in values.items() if "/" not in name}
        found = [dict(shared) for _ in range(values["depth"])]
        for name, value in values.items():
            layer, _, own = name.partition("/")
            if own:
                found[int(layer.removeprefix("layer")) - 1][own] = value
        return found

    def neighbours(self, index: int, old: Sequence, new: Sequence, shown: Sequence) -> dict[str, Any]:
        """What a layer reads of its neighbours: of the one below what it has or had, of the one above what it had."""
        found = {}
        for port, name in self.below.items() if index > 0 else ():
            if name in self.shown:
                found[port] = shown[index - 1][name]
            else:
                found[port] = getattr((old if name.endswith(_AGO) else new)[index - 1], name.removesuffix(_AGO))
        for port, name in self.above.items() if index + 1 < len(old) else ():
            found[port] = getattr(old[index + 1], name.removesuffix(_AGO))
        return found

    def output_of(self, new: Sequence, shown: Sequence):
        """The output of the last layer."""
        return shown[-1][self.output] if self.output in self.shown else getattr(new[-1], self.output)


def of_layer(index: int, values: Mapping[str, Any]) -> dict[str, Any]:
    """Values by a layer's own names -> by flat name."""
    return {f"layer{index + 1}/{name}": value for name, value in values.items()}


class StackCell(Cell):
    """One step of all layers: `Cell` for a stack, of which `scan` is a `Stack`.

    The state is flat, that of layer 1 first, in any container; `named(state)` is a tuple of named tuples, one a layer.
    A subclass sets `depth` in its constructor, and declares `sizes` and `build_layer` instead of `build`.
    """

    depth: int

    def _sizes(self, index: int, _has_below: bool, _has_above: bool) -> dict[str, Any]:
        """The sizes of a layer by name: its own, and those of what it reads."""
        raise NotImplementedError

    def _build_layer(self, layer, **sizes) -> None:
        """Gives a part its weights."""
        raise NotImplementedError

    def _build_readout(self, readout) -> None:
        """Gives the readout its weights."""

    def _split_weights_of(self, layer, **sizes) -> dict[str, Any]:
        """Weights that the step takes by label, by name."""
        return {}

    def _of_layer(self, index: int) -> dict[str, Any]:
        """The sizes of a layer, and which neighbours it has."""
        has = {"_has_below": index > 0, "_has_above": index + 1 < self.depth}
        return self._sizes(index, **has) | has

    def build(self, input_shape):
        self._given(input_shape)
        self.parts = []
        for index in range(self.depth):
            part: Any = keras.layers.Layer(name=f"layer{index + 1}", dtype=self.dtype_policy)
            with tf.name_scope(part.name):  # Keras 2 names a weight after the scope it is made in
                self._build_layer(part, **self._of_layer(index))
            part.built = True
            self.parts.append(part)
        if self.scan.readout is not None:
            readout: Any = keras.layers.Layer(name="readout", dtype=self.dtype_policy)
            with tf.name_scope("readout"):
                self._build_readout(readout)
            readout.built = True
            self.readout = readout
        super().build(input_shape)

    @property
    def _alone(self) -> bool:
        return False

    def _arguments(self, names: Sequence[str]) -> dict[str, Any]:
        """What all layers take by name, and by flat name what each does."""
        taken = own_names(type(self))
        wanted = [name for name in names if name in taken]
        layers = [self._of_layer(index) for index in range(self.depth)]
        options = [name for name in wanted if hasattr(self, name) and name not in layers[0]]
        found = {"depth": self.depth} | {name: self._argument(name) for name in options}
        for index, (part, sizes) in enumerate(zip(self.parts, layers)):
            own = {name: getattr(part, name) for name in wanted if hasattr(part, name)}
            own = {name: value if value is None else self._cast(value) for name, value in own.items()}
            found |= of_layer(index, {**sizes, **own, **self._split_weights_of(part, **sizes)})
        return found

    def _wanted_state(self) -> str:
        names = ", ".join(self.scan.state._fields)
        return f"of {self.depth} layers, {names} of each, with sizes {list(self.state_sizes)}"

    def _structured(self, values: Sequence):
        return tuple(self.scan.by_layer(values))

    def _read_out_of(self, state, output):
        if self.scan.readout is None:
            return output
        layers = self.scan.by_layer(state)
        return self.read_out(*([getattr(layer, name) for layer in layers] for name in self.states_read_out))

    @property
    def states_read_out(self) -> list[str]:
        """The states that the output is read from."""
        return [name for name in parameters(self.scan.readout) if name in self.scan.state._fields]

    def read_out(self, *states: Sequence[tf.Tensor]) -> tf.Tensor:
        """States of each layer, a list for each of their names, (batch, size) or (batch, time, size) -> the output, the
        same.
        """
        front = keras.ops.shape(states[0][0])[:-1]
        flat = [[tf.reshape(value, [-1, value.shape[-1]]) for value in each] for each in states]
        weights = (name for name in parameters(self.scan.readout) if name not in self.scan.state._fields)
        output = self.scan.readout(*flat, **{name: self._cast(getattr(self.readout, name)) for name in weights})
        return tf.reshape(output, [*front, output.shape[-1]])

    def gate_shapes(self, *front):
        layers = [self._gate_sizes(**self._of_layer(index)) for index in range(self.depth)]
        return tuple(self.scan.gates(*((*front, *shape_of(size)) for size in sizes)) for sizes in layers)

    def _gate_sizes(self, **sizes) -> Sequence[Size]:
        raise NotImplementedError

    def _initial_states(self) -> list[tuple[int, Any, str]]:
        places = [(self.scan.state._fields.index(name), name) for name in self.scan.initial]
        parts = enumerate(self.parts if self.built else [self] * self.depth)
        return [(index * self.scan.states + at, part, name) for index, part in parts for at, name in places]

    def _noisy_parts(self) -> list[tuple[str, dict]]:
        return [(f"layer{index + 1}/", part.noise_sizes) for index, part in enumerate(self.parts)]
