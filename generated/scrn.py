"""SCRN, generated from scrn.yaml. Edit the spec, not this file.

Structurally constrained recurrent network: a slow context s beside the hidden h. No bias, and h sees the new s, as
printed. (In the authors' own code h sees the old s, which its comment denies; RecurrentLayers.jl carries the output
y in the place of h.) alpha is a constant; the softmax over y stands outside the cell.
Mikolov et al. 2014, Learning Longer Memory in Recurrent Neural Networks, arXiv:1412.7753, section 3

    s = (1 - alpha) * (x @ B) + alpha * s[t-1]
    h = sigmoid(s @ P + x @ A + h[t-1] @ R)
    y = h @ U + s @ V

State: `SCRNState(s, h)`, s (batch, context), h (batch, units). Output: y (batch, width).
A masked step holds state and output (the output is zero before the first step that counts).

    layer = SCRN(128, return_sequences=True)
    y = layer(x, mask=mask)  # x (batch, time, input), mask (batch, time) -> y (batch, time, 128)
    rnn = keras.layers.RNN(SCRNCell(128))  # the cell alone, here or wherever a cell goes
"""

from typing import NamedTuple

import tensorflow as tf

keras = tf.keras


class SCRNState(NamedTuple):
    """What is carried from step to step."""

    s: tf.Tensor  # (batch, context)
    h: tf.Tensor  # (batch, units)


# --- the equations --------------------------------------------------------------------------------------------------


def _step(x, state, *, A, B, P, R, U, V, alpha):
    """One step: x (batch, input) and the state before it -> the output and the state after it."""
    s_prev, h_prev = state
    # s = (1 - alpha) * (x @ B) + alpha * s[t-1]
    s = (1 - alpha) * (x @ B) + alpha * s_prev
    # h = sigmoid(s @ P + x @ A + h[t-1] @ R)
    h = tf.sigmoid(s @ P + x @ A + h_prev @ R)
    # y = h @ U + s @ V
    y = h @ U + s @ V
    return y, SCRNState(s, h)


# --- arguments ------------------------------------------------------------------------------------------------------

_INITIALIZERS = {
    "A": "glorot_uniform",
    "B": "glorot_uniform",
    "P": "glorot_uniform",
    "R": "orthogonal",
    "U": "glorot_uniform",
    "V": "glorot_uniform",
}
_KINDS = "initializer", "regularizer", "constraint"
_WEIGHT_ARGUMENTS = {  # `A_initializer` and so on, with their defaults
    f"{weight}_{kind}": initializer if kind == "initializer" else None
    for weight, initializer in _INITIALIZERS.items()
    for kind in _KINDS
}


def _require(fits, name, wanted, value):
    """Refuses an argument in words that say what is wanted and what came."""
    if not fits:
        raise ValueError(f"`{name}` must be {wanted}. Received: {value!r}")


def _registry(argument):
    """Where Keras looks a `kernel_initializer` or its like up: keras.initializers, regularizers or constraints."""
    return getattr(keras, argument.rsplit("_", 1)[1] + "s")


# --- Keras ----------------------------------------------------------------------------------------------------------


@keras.utils.register_keras_serializable("scrn")
class SCRNCell(keras.layers.Layer):
    """One step of SCRN, for `keras.layers.RNN` and everything else that takes a cell.

    call(x, state) -> (output, state): x (batch, input); state is a `SCRNState` or its tensors, in order,
    in another container, and the new one is like it.
    Each weight takes Keras's three arguments, as in `A_initializer`,
    `A_regularizer`, `A_constraint`.
    Raises ValueError where an argument does not fit.
    """

    def __init__(self, units, context=40, width=None, alpha=0.95, **kwargs):
        _given = {name: kwargs.pop(name, default) for name, default in _WEIGHT_ARGUMENTS.items()}
        super().__init__(**kwargs)
        _require(isinstance(units, int) and units > 0, "units", "a positive integer", units)
        _require(isinstance(context, int) and context > 0, "context", "a positive integer", context)
        _require(
            width is None or isinstance(width, int) and width > 0,
            "width",
            "a positive integer, or None for units",
            width,
        )
        _require(isinstance(alpha, (int, float)) and 0.0 <= alpha <= 1.0, "alpha", "a number from 0.0 to 1.0", alpha)
        self.units = units
        self.context = context
        self.width = width
        self.alpha = alpha
        self.weight_arguments = {name: _registry(name).get(value) for name, value in _given.items()}
        width = units if width is None else width
        self.state_size = [context, units]
        self.output_size = width
        self.input_spec = keras.layers.InputSpec(ndim=2)

    def build(self, input_shape):
        _require(input_shape[-1] is not None, "x", "of known width (its last axis)", tuple(input_shape))
        width = self.units if self.width is None else self.width
        self.A = self.add_weight(name="A", shape=[input_shape[-1], self.units], **self._arguments("A"))
        self.B = self.add_weight(name="B", shape=[input_shape[-1], self.context], **self._arguments("B"))
        self.P = self.add_weight(name="P", shape=[self.context, self.units], **self._arguments("P"))
        self.R = self.add_weight(name="R", shape=[self.units, self.units], **self._arguments("R"))
        self.U = self.add_weight(name="U", shape=[self.units, width], **self._arguments("U"))
        self.V = self.add_weight(name="V", shape=[self.context, width], **self._arguments("V"))
        self.input_spec = keras.layers.InputSpec(shape=(None, *input_shape[1:]))
        self.built = True

    def _arguments(self, weight):
        return {kind: self.weight_arguments[f"{weight}_{kind}"] for kind in _KINDS}

    def step_arguments(self):
        """What `_step` takes besides x and the state: weights in the compute dtype, split by label, and options."""

        def cast(weight):
            return tf.cast(tf.convert_to_tensor(weight), self.compute_dtype)

        return {
            "A": cast(self.A),
            "B": cast(self.B),
            "P": cast(self.P),
            "R": cast(self.R),
            "U": cast(self.U),
            "V": cast(self.V),
            "alpha": self.alpha,
        }

    def named(self, state):
        """A state in any container, by position -> SCRNState in the compute dtype."""
        values = [tf.cast(tf.convert_to_tensor(value), self.compute_dtype) for value in tf.nest.flatten(state)]
        shapes = [[None, size] for size in self.state_size]
        wanted = ", ".join(f"{name} (batch, {size})" for name, size in zip(SCRNState._fields, self.state_size))
        fits = len(values) == len(shapes) and all(v.shape.is_compatible_with(s) for v, s in zip(values, shapes))
        _require(fits, "state", wanted, [tuple(value.shape) for value in values])
        return SCRNState(*values)

    def call(self, x, state, training=False, scope=None):  # scope: TensorFlow 1's wrappers pass it
        _require(x.dtype.is_floating, "x", "of a floating dtype", x.dtype.name)
        output, new_state = _step(x, self.named(state), **self.step_arguments())
        return output, tf.nest.pack_sequence_as(state, list(new_state))

    def get_initial_state(self, inputs=None, batch_size=None, dtype=None):
        """Zeros, in a list."""
        batch_size = tf.shape(inputs)[0] if batch_size is None else batch_size
        return [tf.zeros([batch_size, size], dtype or self.compute_dtype) for size in self.state_size]

    def zero_state(self, batch_size, dtype):
        """`get_initial_state` by TensorFlow 1's name -> SCRNState."""
        return SCRNState(*self.get_initial_state(batch_size=batch_size, dtype=dtype))

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "context": self.context,
            "width": self.width,
            "alpha": self.alpha,
            **{name: _registry(name).serialize(value) for name, value in self.weight_arguments.items()},
        }


@keras.utils.register_keras_serializable("scrn")
class SCRN(keras.layers.RNN):
    """SCRN over a sequence: (batch, time, input) -> (batch, width).

    Takes the arguments of `SCRNCell` and of `keras.layers.RNN`, and two more:
    return_all_states adds a `SCRNState` of sequences (batch, time, size) at the end of the result;
    debug runs step by step in Python, for breakpoints.
    """

    def __init__(
        self,
        units,
        context=40,
        width=None,
        alpha=0.95,
        return_sequences=False,
        return_state=False,
        return_all_states=False,
        go_backwards=False,
        stateful=False,
        unroll=False,
        debug=False,
        **kwargs,
    ):
        cell = SCRNCell(
            units,
            context,
            width,
            alpha,
            name="cell",
            dtype=kwargs.get("dtype"),
            trainable=kwargs.get("trainable", True),
            **{name: kwargs.pop(name) for name in _WEIGHT_ARGUMENTS if name in kwargs},
        )
        super().__init__(
            cell,
            return_sequences=return_sequences,
            return_state=return_state,
            go_backwards=go_backwards,
            stateful=stateful,
            unroll=unroll,
            **kwargs,
        )
        self.return_all_states = return_all_states
        self.debug = debug
        self.input_spec = keras.layers.InputSpec(ndim=3)

    def build(self, sequences_shape, initial_state_shape=None):
        super().build(sequences_shape)
        batch_size = sequences_shape[0] if self.stateful else None
        self.input_spec = keras.layers.InputSpec(shape=(batch_size, None, *sequences_shape[2:]))

    def call(self, sequences, initial_state=None, mask=None, lengths=None, training=False):
        """sequences (batch, time, input) -> output; with return_state, then each state; with return_all_states,
        then all of them over time. initial_state: like the cell's state; mask: (batch, time); lengths: (batch,).
        A step counts if mask and lengths both allow it. Raises ValueError where an argument does not fit.
        """
        _require(sequences.dtype.is_floating, "sequences", "of a floating dtype", sequences.dtype.name)
        batch_size, steps = keras.ops.shape(sequences)[:2]
        if self.unroll:
            _require(sequences.shape[1] is not None, "sequences", "of known length for unroll=True", sequences.shape)
        if self.debug and not tf.executing_eagerly():
            raise ValueError("debug=True needs eager mode: compile(..., run_eagerly=True) and no tf.function.")
        if mask is None:  # Keras itself passes a mask on only if `sequences` is the one tensor given
            mask = getattr(sequences, "_keras_mask", None)
        if mask is not None:
            mask = tf.cast(mask, tf.bool)
            fits = len(mask.shape) == 2 and mask.shape.is_compatible_with(sequences.shape[:2])
            _require(fits, "mask", f"of shape (batch, time), {sequences.shape[:2]} here", mask.shape)
        if lengths is not None:
            lengths = tf.convert_to_tensor(lengths)
            fits = len(lengths.shape) == 1 and lengths.shape.is_compatible_with(sequences.shape[:1])
            _require(fits, "lengths", f"of shape (batch,), {sequences.shape[:1]} here", lengths.shape)
            in_length = tf.sequence_mask(lengths, steps)
            mask = in_length if mask is None else mask & in_length
        if initial_state is None:
            initial_state = self.states if self.stateful else self.get_initial_state(batch_size)
        start = self.cell.named(initial_state)
        last_output, outputs, state, states = self.inner_loop(sequences, start, mask, training)
        if self.stateful:
            for variable, value in zip(self.states, state):
                variable.assign(value)
        result = [outputs if self.return_sequences else last_output]
        if self.return_state:
            result += state
        if self.return_all_states:
            result.append(states)
        return tuple(result) if len(result) > 1 else result[0]

    def inner_loop(self, sequences, initial_state, mask, training=False):
        """The scan -> last output, outputs, last state, all states; None for sequences that are not wanted."""
        batch_size, steps = keras.ops.shape(sequences)[:2]
        step_arguments = self.cell.step_arguments()

        def read(sequence):
            sequence = tf.transpose(sequence, [1, 0, 2])
            sequence = tf.reverse(sequence, [0]) if self.go_backwards else sequence
            return tf.TensorArray(sequence.dtype, size=steps, element_shape=sequence.shape[1:]).unstack(sequence)

        def kept(output, state):
            return [*([output] if self.return_sequences else []), *(state if self.return_all_states else [])]

        def step(t, output, state, arrays):
            new_output, new_state = _step(xs.read(t), state, **step_arguments)
            if mask is None:
                output, state = new_output, new_state
            else:  # mask: hold
                on = masks.read(t)
                held = tf.zeros_like(output) if self.zero_output_for_mask else output
                output = tf.where(on, new_output, held)
                state = SCRNState(*(tf.where(on, new, old) for new, old in zip(new_state, state)))
            arrays = tuple(array.write(t + 1, value) for array, value in zip(arrays, kept(output, state)))
            return t + 1, output, state, arrays

        xs = read(sequences)
        masks = None if mask is None else read(tf.expand_dims(mask, -1))
        output = tf.zeros([batch_size, self.cell.output_size], self.compute_dtype)
        arrays = tuple(  # one place more than steps, for what was before: no steps at all could not be stacked
            tf.TensorArray(value.dtype, size=steps + 1, element_shape=value.shape).write(0, value)
            for value in kept(output, initial_state)
        )
        loop = 0, output, initial_state, arrays
        if self.unroll or self.debug:
            for _ in range(steps):
                loop = step(*loop)
        else:
            loop = tf.while_loop(lambda t, *_: t < steps, step, loop, maximum_iterations=steps)
        _, output, state, arrays = loop
        stacked = [tf.transpose(array.stack()[1:], [1, 0, 2]) for array in arrays]
        outputs = stacked.pop(0) if self.return_sequences else None
        return output, outputs, state, SCRNState(*stacked) if self.return_all_states else None

    def compute_output_shape(self, sequences_shape, initial_state_shape=None):
        batch_size, steps = sequences_shape[:2]
        size, sizes = self.cell.output_size, self.cell.state_size
        result = [(batch_size, steps, size) if self.return_sequences else (batch_size, size)]
        if self.return_state:
            result += [(batch_size, size) for size in sizes]
        if self.return_all_states:
            result.append(SCRNState(*((batch_size, steps, size) for size in sizes)))
        return tuple(result) if len(result) > 1 else result[0]

    def get_config(self):
        config = {**self.cell.get_config(), **super().get_config()}
        del config["cell"]
        return {**config, "return_all_states": self.return_all_states, "debug": self.debug}

    @classmethod
    def from_config(cls, config):
        return cls(**config)
