"""What generated cells have in common: a Keras layer for one step, of which a subclass declares weights and states."""

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import tensorflow as tf

from cellgen.runtime.activations import Activation
from cellgen.runtime.arguments import (
    FLOATING,
    by_port,
    flag,
    given_state,
    of_sizes,
    require,
)
from cellgen.runtime.arrays import flat
from cellgen.runtime.constructors import KINDS, declared, of_weight, own_arguments, parameters, registry
from cellgen.runtime.initial_values import by_formula, in_float32, in_parts, in_slices

keras = tf.keras

Size = Any  # of one sample: a number, of an array a tuple; None where it is not known before the cell is built


def shape_of(size: Size) -> tuple[int | None, ...]:
    return size if isinstance(size, tuple) else (size,)


class Cell(keras.layers.Layer):
    """One step, for `keras.layers.RNN` and everything else that takes a cell.

    call(inputs, states) -> (output, states). The states are the tensors of the state in any container, and the new ones
    are in one like it; with state_is_tuple=False they are one tensor, side by side.

    A subclass declares `scan`; in its constructor `state_sizes` and `output_size`, of one sample each, besides an
    attribute for each of its arguments; and in `build` its weights.
    """

    scan: Any  # a `Scan`
    keywords: ClassVar[dict] = {}  # of a layer of Keras's that it may stand for, besides `KEYWORDS`
    state_sizes: Sequence[Size]
    output_size: Size

    def __init__(self, **arguments: Any):
        names = declared(type(self), "scan")
        arguments = own_arguments(arguments, names, type(self).keywords)
        super().__init__(**{name: value for name, value in arguments.items() if name not in names})
        weights = {name: arguments[name] for name in names if of_weight(name)}
        self.weight_arguments = {name: registry(name).get(value) for name, value in weights.items()}
        self.state_is_tuple = flag("state_is_tuple", arguments.get("state_is_tuple", True))
        self.scheduled: dict[str, float] = {}  # what is set while training: what it was at first
        if not self.scan.many:
            self.input_spec = keras.layers.InputSpec(ndim=1 + self.scan.rank)

    # --- what a subclass builds of

    def _schedule(self, name: str, value: float):
        """A number that is set while training: a variable that is not trained."""
        self.scheduled[name] = value
        return self.add_weight(name=name, shape=(), initializer=keras.initializers.Constant(value), trainable=False)

    def _weight(
        self, name: str, shape: Sequence[int], parts=(), axis=-1, of=None, called="", initial=None, trainable=True
    ):
        """A weight of the cell, or of a part of it, with Keras's three arguments, of one that is not trained the first.

        parts: initializers or formulas of its equal parts along an axis, None for what the weight starts from
        otherwise; or the number of its slices, each drawn by itself. initial: where no initializer is given, a formula
        of what is `New`.
        """
        how = {kind: self.weight_arguments[f"{name}_{kind}"] for kind in (KINDS if trainable else KINDS[:1])}
        if isinstance(parts, int):
            how["initializer"] = in_slices(how["initializer"], axis)
        elif any(parts):
            how["initializer"] = in_parts(how["initializer"], parts, axis, initial)
        elif how["initializer"] is None and initial is not None:
            how["initializer"] = by_formula(initial)
        if tf.as_dtype(self.variable_dtype).size < 4:
            how["initializer"] = in_float32(how["initializer"])
        layer = self if of is None else of
        return layer.add_weight(name=called or name, shape=shape, trainable=trainable, **how)

    def _weights(self, name: str, shapes: Sequence[Sequence[int]], **how) -> list:
        """A weight for each layer of a stack, called `name1` and so on."""
        return [self._weight(name, shape, called=f"{name}{at}", **how) for at, shape in enumerate(shapes, 1)]

    def _given(self, input_shape) -> dict[str, tuple[int | None, ...]]:
        """The shapes of the inputs by name, (batch, ...), which must be known but for the batch."""
        scan = self.scan
        if not scan.many:
            words = "of known width (its last axis)" if scan.rank == 1 else "of known sizes (all axes but the batch)"
            require(None not in input_shape[1:], scan.input, words, tuple(input_shape))
            self.input_spec = keras.layers.InputSpec(shape=(None, *input_shape[1:]))
            return {scan.input: tuple(input_shape)}
        shapes = by_port(input_shape, list(scan.ports))
        for name, shape in shapes.items():
            axes = 1 + scan.ports[name].rank
            require(None not in shape[1:], name, "of known sizes (all axes but the batch)", tuple(shape))
            require(len(shape) == axes, name, f"of {axes} axes", tuple(shape))
        self._port_shapes = {name: tuple(shape) for name, shape in shapes.items()}
        for name, port in scan.ports.items():
            if port.optional:
                setattr(self, f"_has_{name}", name in shapes)
            elif port.fill is None and not port.index:
                require(name in shapes, name, "given", list(shapes))
        return self._port_shapes

    def build(self, input_shape):
        self.built = True

    # --- sizes and types

    @property
    def _flat(self) -> bool:
        """Whether every state and the output are vectors."""
        return not any(isinstance(size, tuple) for size in (*self.state_sizes, self.output_size))

    @property
    def _alone(self) -> bool:
        """Whether the state is one vector, which needs no container."""
        return len(self.state_sizes) == 1 and self._flat

    @property
    def state_size(self):
        """The sizes of the states, None for one that is an input's until the cell is built; where state_is_tuple is
        False, of all together.
        """
        sizes = list(self.state_sizes)
        if self._alone:
            return sizes if sizes[0] is None else sizes[0]
        if not self._flat:
            return sizes
        if not self.state_is_tuple and None in sizes:
            raise ValueError(
                "The size of the state is known when there is an input: build the cell before it is asked for it."
            )
        return self._of_states(sizes) if self.state_is_tuple else sum(sizes)

    def _of_states(self, values: Sequence):
        """Something of each state, in what the state is carried in."""
        return self.scan.pack(values)

    @property
    def step_dtype(self) -> str:
        """What a step is computed in: the compute dtype, but no half precision where a step has an exponential, which
        ends at 11 in it.
        """
        narrow = self.scan.wide and tf.as_dtype(self.compute_dtype).size < 4
        return "float32" if narrow else self.compute_dtype

    def _cast(self, value):
        """A weight, or a list of them, in the step's dtype."""
        if isinstance(value, (list, tuple)):
            return [self._cast(each) for each in value]
        return tf.cast(tf.convert_to_tensor(value), self.step_dtype)

    # --- a step

    if TYPE_CHECKING:

        def __call__(self, *args: Any, **kwargs: Any) -> Any: ...

    def step_arguments(self) -> dict[str, Any]:
        """What the step takes besides inputs and state: weights in the step's dtype, split by label, and options."""
        return self._arguments(parameters(self.scan.step))

    def _scan_arguments(self) -> dict[str, Any]:
        """The same for all functions of the scan."""
        return self._arguments(self.scan.asks)

    def _arguments(self, names: Sequence[str]) -> dict[str, Any]:
        own = own_names(type(self))
        found = {name: self._argument(name) for name in names if name in own}
        return found | {name: value for name, value in self._split_weights().items() if name in names}

    def _argument(self, name: str):
        value = getattr(self, name)
        return self._cast(value) if hasattr(value, "assign") else value

    def _split_weights(self) -> dict[str, Any]:
        """Weights that the step takes by label, by name."""
        return {}

    def named(self, state):
        """A state in any container, by position -> the named tuple of the state, in the step's dtype."""
        sizes = self.state_sizes
        values = [tf.cast(tf.convert_to_tensor(value), self.step_dtype) for value in tf.nest.flatten(state)]
        if not self.state_is_tuple:
            fits = len(values) == 1 and values[0].shape.is_compatible_with([None, sum(sizes)])
            require(fits, "state", f"(batch, {sum(sizes)})", [tuple(value.shape) for value in values])
            values = tf.split(values[0], sizes, axis=-1)
        shapes = [[None, *shape_of(size)] for size in sizes]
        fits = len(values) == len(shapes) and all(v.shape.is_compatible_with(s) for v, s in zip(values, shapes))
        require(fits, "state", self._wanted_state(), [tuple(value.shape) for value in values])
        return self._structured(values)

    def _wanted_state(self) -> str:
        shapes = (", ".join(map(str, shape_of(size))) for size in self.state_sizes)
        return ", ".join(f"{name} (batch, {shape})" for name, shape in zip(self.scan.state._fields, shapes))

    def _structured(self, values: Sequence):
        """Something of each state, in the named tuple of the state."""
        return self.scan.state(*values)

    def _inputs(self, inputs, lead: int = 1) -> dict[str, tf.Tensor]:
        """What is given for the inputs -> by name, in the step's dtype, defaults filled in; `lead` axes before theirs.
        What holds for all steps has the batch alone, and one step in what comes.
        """
        scan = self.scan
        if not scan.many:
            require(inputs.dtype.is_floating, scan.input, FLOATING, inputs.dtype.name)
            return {scan.input: tf.cast(inputs, self.step_dtype)}
        found = {name: tf.convert_to_tensor(value) for name, value in by_port(inputs, list(scan.ports)).items()}
        for name, value in found.items():
            require(value.dtype.is_floating, name, FLOATING, value.dtype.name)
            axes, rank = 1 if name in scan.constants else lead, scan.ports[name].rank
            require(len(value.shape) == axes + rank, name, f"of {axes + rank} axes", tuple(value.shape))
            fits = value.shape[axes:] == self._port_shapes.get(name, value.shape[axes - 1 :])[1:]
            require(fits, name, "as wide as when the cell was built", tuple(value.shape))
            if name != scan.input:
                first = found[scan.input]  # of one step what is known will do
                front = tuple(first.shape if lead == 1 else keras.ops.shape(first))[:axes]
                words = "({}, {}) samples and steps" if axes == 2 else "({},) samples"
                found[name] = of_sizes(name, value, front, f"of {words}, as {scan.input} is")
        for name, port in scan.ports.items():
            if port.optional:
                fits = (name in found) == getattr(self, f"_has_{name}")
                require(fits, name, "given if it was when the cell was built, else not", list(found))
            elif port.fill is None and not port.index:
                require(name in found, name, "given", list(found))
        front = keras.ops.shape(found[scan.input])[:lead]
        for name in scan.constants:
            if lead == 2 and name in found:
                found[name] = tf.expand_dims(found[name], 1)
        for name, port in scan.ports.items():
            if name not in found and (port.index or port.fill is not None):
                found[name] = self._filled(name, front, list(found))
        return {name: tf.cast(value, self.step_dtype) for name, value in found.items()}

    def _filled(self, name: str, front: Sequence, found: list[str]):
        """What an input is that is not given: its number, or the number of the step."""
        port, sizes = self.scan.ports[name], self._port_sizes[name]
        if port.index:
            wanted = "given: a cell by itself does not know the number of the step"
            require(len(front) == 2, name, wanted, found)
            steps = tf.cast(tf.range(front[1]), self.step_dtype)
            return tf.broadcast_to(tf.reshape(steps, [1, -1, *[1] * port.rank]), [*front, *sizes])
        if port.constant:
            front = [front[0], *[1] * (len(front) - 1)]
        return tf.fill([*front, *sizes], tf.constant(port.fill, self.step_dtype))

    def call(self, inputs, states=None, training=False, noise=None, scope=None, state=None):
        states = given_state(states, state)  # `scope` too is TensorFlow 1's
        given = self._inputs(inputs)
        noise = self._noise_of_a_step(states, training, noise)
        before = self.scan.carry(self.named(states))
        how = {"training": bool(training)} if self.scan.asks_for_training else {}
        output, new, *_ = self.scan.run_step(state=before, **given, **noise, **how, **self.step_arguments())
        output = self._read_out_of(new, output)
        if self.scan.wide:
            output, *new = (tf.cast(value, self.compute_dtype) for value in (output, *new))
        return output, tf.nest.pack_sequence_as(states, self._joined(new))

    def _noise_of_a_step(self, states, training, noise) -> dict[str, Any]:
        """What a step draws: nothing here, all that `Drawing` says there."""
        require(noise is None, "noise", "None: nothing is drawn", noise)
        return {}

    def _noisy_parts(self) -> list[tuple[str, dict]]:
        """Of each part that draws, what stands before its names, and its sizes by name."""
        return [("", self.noise_sizes)]

    def _read_out_of(self, state, output):
        """The output of a step; of a stack it may be read from the states of all layers."""
        return output

    def gates(self, xs: dict, state: Sequence, training=False):
        """The named values of some steps, all at once: inputs by name and the state before each, (batch, time, ...)."""
        front = keras.ops.shape(xs[self.scan.input])[:2]
        same = {name: value for name, value in xs.items() if not tf.is_tensor(value) or self.scan.drops_weight(name)}
        each = {name: value for name, value in xs.items() if name not in same}
        if self.scan.draws or self.scan.constants:
            each = {name: tf.broadcast_to(value, [*front, *value.shape[2:]]) for name, value in each.items()}
        each = {name: flat(value) for name, value in each.items()}
        how = {"training": bool(training)} if self.scan.asks_for_training else {}
        before = self.scan.pack([flat(value) for value in state])
        told = self.scan.run_step(state=before, **each, **same, **how, **self.step_arguments())[2]
        return tf.nest.map_structure(lambda value: tf.reshape(value, [*front, *value.shape[1:]]), told)

    def _gate_sizes(self):
        """The size of each named value, of one sample."""
        raise NotImplementedError

    def gate_shapes(self, *front):
        """The shapes of the named values of every step; `front` are batch and time."""
        return self.scan.gates(*((*front, *shape_of(size)) for size in self._gate_sizes()))

    # --- the state before the first step

    def _joined(self, state: Sequence) -> list:
        """The tensors of a state; one, side by side, where state_is_tuple is False."""
        return list(state) if self.state_is_tuple else [tf.concat(list(state), axis=-1)]

    def get_initial_state(self, inputs=None, batch_size=None, dtype=None):
        """The state before the first step: a list, as of Keras's cells, or one tensor if there is one vector; the named
        tuple for TensorFlow 1, which says a dtype. Raises ValueError if it cannot be known before the cell is built.
        """
        learned = any(isinstance(each, str) for each in self.scan.initial.values())
        if not self.built and (learned or any(None in shape_of(size) for size in self.state_sizes)):
            words = "a weight" if learned else "as wide as the input"
            raise ValueError(f"An initial state is {words} here: build the cell before it is asked for one.")
        if batch_size is None:
            require(inputs is not None, "batch_size", "given, or `inputs`", None)
            batch_size = tf.shape(tf.nest.flatten(inputs)[0])[0]
        kind = dtype or self.compute_dtype
        state = [tf.zeros([batch_size, *shape_of(size)], kind) for size in self.state_sizes]
        for at, of, name in self._initial_states():
            value = self.scan.initial[name]
            state[at] += tf.cast(getattr(of, value), kind) if isinstance(value, str) else value
        if not self.state_is_tuple:
            return self._joined(state)[0]
        return self._initial(state, dtype)

    def _initial_states(self) -> list[tuple[int, Any, str]]:
        """Of each state that is not zero at first, where it stands, what has its weight, and its name."""
        return [(self.scan.state._fields.index(name), self, name) for name in self.scan.initial]

    def _initial(self, state: list, dtype):
        if self._alone:
            return state[0]
        return state if dtype is None else self._of_states(state)

    def zero_state(self, batch_size, dtype):
        """`get_initial_state` by TensorFlow 1's name."""
        return self.get_initial_state(batch_size=batch_size, dtype=dtype)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        for name in declared(type(self), "scan"):
            if of_weight(name):
                config[name] = registry(name).serialize(self.weight_arguments[name])
            else:
                config[name] = self._plain(name)
        return config

    def _plain(self, name: str):
        """An argument as a file can hold it."""
        value = self.scheduled.get(name, getattr(self, name))
        if isinstance(value, Activation):
            return value.name
        return list(value) if isinstance(value, tuple) else value


@functools.cache
def own_names(kind: type[Cell]) -> frozenset[str]:
    """The attributes that a step of such a cell may take: options and sizes, weights, which inputs there are."""
    names = declared(kind, "scan")
    weights = (name.removesuffix("_initializer") for name in names if of_weight(name))
    return frozenset([*names, *weights, *(f"_has_{name}" for name, port in kind.scan.ports.items() if port.optional)])
