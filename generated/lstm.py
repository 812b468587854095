"""LSTM, generated from lstm.yaml. Edit the spec, not this file.

Long short-term memory with a forget gate. Weights and options are those of keras.layers.LSTM: columns in the order
i, f, g, o (Keras writes c for g), one bias, and unit_forget_bias in the bias's initial value, where TensorFlow 1
adds a forget_bias at every step.
Hochreiter & Schmidhuber 1997, Long Short-Term Memory, Neural Computation 9(8), 1735-1780
Gers, Schmidhuber & Cummins 2000, Learning to Forget, Neural Computation 12(10), 2451-2471: the forget gate

    z = x @ kernel + h[t-1] @ recurrent_kernel + (bias if use_bias else 0)
    i = recurrent_activation(z.i)
    f = recurrent_activation(z.f)
    g = activation(z.g)
    c = f * c[t-1] + i * g
    o = recurrent_activation(z.o)
    h = o * activation(c)

Labels: gates = i, f, g, o.
State: `LSTMState(h, c)`, h (batch, units), c (batch, units). Output: h (batch, units).
A masked step holds state and output (the output is zero before the first step that counts).

    layer = LSTM(128, return_sequences=True)
    y = layer(x, mask=mask)  # x (batch, time, input), mask (batch, time) -> y (batch, time, 128)
    rnn = keras.layers.RNN(LSTMCell(128))  # the cell alone, here or wherever a cell goes
"""

from typing import NamedTuple

import tensorflow as tf

keras = tf.keras


class LSTMState(NamedTuple):
    """What is carried from step to step."""

    h: tf.Tensor  # (batch, units)
    c: tf.Tensor  # (batch, units)


# --- the equations --------------------------------------------------------------------------------------------------


def _step(x, state, *, kernel, recurrent_kernel, bias, activation, recurrent_activation, use_bias):
    """One step: x (batch, input) and the state before it -> the output and the state after it."""
    h_prev, c_prev = state
    # z = x @ kernel + h[t-1] @ recurrent_kernel + (bias if use_bias else 0)
    z = x @ kernel + h_prev @ recurrent_kernel + (bias if use_bias else 0)
    z_i, z_f, z_g, z_o = tf.split(z, 4, axis=-1)
    # i = recurrent_activation(z.i)
    i = recurrent_activation(z_i)
    # f = recurrent_activation(z.f)
    f = recurrent_activation(z_f)
    # g = activation(z.g)
    g = activation(z_g)
    # c = f * c[t-1] + i * g
    c = f * c_prev + i * g
    # o = recurrent_activation(z.o)
    o = recurrent_activation(z_o)
    # h = o * activation(c)
    h = o * activation(c)
    return h, LSTMState(h, c)


# --- arguments ------------------------------------------------------------------------------------------------------

_INITIALIZERS = {
    "kernel": "glorot_uniform",
    "recurrent_kernel": "orthogonal",
    "bias": "zeros",
}
_KINDS = "initializer", "regularizer", "constraint"
_WEIGHT_ARGUMENTS = {  # `kernel_initializer` and so on, with their defaults
    f"{weight}_{kind}": initializer if kind == "initializer" else None
    for weight, initializer in _INITIALIZERS.items()
    for kind in _KINDS
}

_ACTIVATIONS = {
    "linear": tf.identity,
    "sigmoid": tf.sigmoid,
    "tanh": tf.tanh,
    "relu": tf.nn.relu,
    "relu6": tf.nn.relu6,
    "leaky_relu": lambda x: tf.nn.leaky_relu(x, alpha=0.2),
    "elu": tf.nn.elu,
    "selu": tf.nn.selu,
    "softplus": tf.nn.softplus,
    "softsign": tf.nn.softsign,
    "silu": tf.nn.silu,
    "gelu": tf.nn.gelu,
    "mish": lambda x: x * tf.tanh(tf.nn.softplus(x)),
    "exponential": tf.exp,
    "log_sigmoid": tf.math.log_sigmoid,
    "hard_sigmoid": lambda x: tf.nn.relu6(x + 3) / 6,
    "hard_silu": lambda x: x * tf.nn.relu6(x + 3) / 6,
    "hard_tanh": lambda x: tf.clip_by_value(x, -1, 1),
}


def _require(fits, name, wanted, value):
    """Refuses an argument in words that say what is wanted and what came."""
    if not fits:
        raise ValueError(f"`{name}` must be {wanted}. Received: {value!r}")


def _registry(argument):
    """Where Keras looks a `kernel_initializer` or its like up: keras.initializers, regularizers or constraints."""
    return getattr(keras, argument.rsplit("_", 1)[1] + "s")


def _activation_name(name, value):
    """An activation's name, given it, or Keras's function of that name, or None for linear."""
    word = "linear" if value is None else getattr(value, "__name__", value)
    known = isinstance(word, str) and word in _ACTIVATIONS
    fits = known and (value is None or value == word or value is keras.activations.get(word))
    _require(fits, name, f"one of {', '.join(_ACTIVATIONS)}", value)
    return word


def _in_parts(whole, parts, axis):
    """An initializer that draws a weight whole, then anew each of its equal parts that has one of its own."""

    def initialize(shape, dtype=None):
        drawn = tf.split(whole(shape, dtype=dtype), len(parts), axis)
        for index, own in enumerate(parts):
            if own:
                drawn[index] = keras.initializers.get(own)(drawn[index].shape, dtype=dtype)
        return tf.concat(drawn, axis)

    return initialize


# --- Keras ----------------------------------------------------------------------------------------------------------


@keras.utils.register_keras_serializable("lstm")
class LSTMCell(keras.layers.Layer):
    """One step of LSTM, for `keras.layers.RNN` and everything else that takes a cell.

    call(x, state) -> (output, state): x (batch, input); state is a `LSTMState` or its tensors, in order,
    in another container, and the new one is like it.
    Each weight takes Keras's three arguments, as in `kernel_initializer`,
    `kernel_regularizer`, `kernel_constraint`.
    Raises ValueError where an argument does not fit.
    """

    def __init__(
        self, units, activation="tanh", recurrent_activation="sigmoid", use_bias=True, unit_forget_bias=True, **kwargs
    ):
        _given = {name: kwargs.pop(name, default) for name, default in _WEIGHT_ARGUMENTS.items()}
        super().__init__(**kwargs)
        _require(isinstance(units, int) and units > 0, "units", "a positive integer", units)
        _require(isinstance(use_bias, bool), "use_bias", "True or False", use_bias)
        _require(isinstance(unit_forget_bias, bool), "unit_forget_bias", "True or False", unit_forget_bias)
        self.units = units
        self.activation = _activation_name("activation", activation)
        self.recurrent_activation = _activation_name("recurrent_activation", recurrent_activation)
        self.use_bias = use_bias
        self.unit_forget_bias = unit_forget_bias
        self.weight_arguments = {name: _registry(name).get(value) for name, value in _given.items()}
        self.state_size = [units, units]
        self.output_size = units
        self.input_spec = keras.layers.InputSpec(ndim=2)

    def build(self, input_shape):
        _require(input_shape[-1] is not None, "x", "of known width (its last axis)", tuple(input_shape))
        self.kernel = self.add_weight(
            name="kernel", shape=[input_shape[-1], 4 * self.units], **self._arguments("kernel")
        )
        self.recurrent_kernel = self.add_weight(
            name="recurrent_kernel", shape=[self.units, 4 * self.units], **self._arguments("recurrent_kernel")
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias",
                shape=[4 * self.units],
                **self._arguments("bias", [None, "ones" if self.unit_forget_bias else None, None, None], -1),
            )
        self.input_spec = keras.layers.InputSpec(shape=(None, *input_shape[1:]))
        self.built = True

    def _arguments(self, weight, parts=(), axis=-1):
        """Keras's arguments for a weight; `parts` are initializers by label, None for the weight's own."""
        found = {kind: self.weight_arguments[f"{weight}_{kind}"] for kind in _KINDS}
        if any(parts):
            found["initializer"] = _in_parts(found["initializer"], parts, axis)
        return found

    def step_arguments(self):
        """What `_step` takes besides x and the state: weights in the compute dtype, split by label, and options."""

        def cast(weight):
            return tf.cast(tf.convert_to_tensor(weight), self.compute_dtype)

        return {
            "kernel": cast(self.kernel),
            "recurrent_kernel": cast(self.recurrent_kernel),
            "bias": cast(self.bias) if self.use_bias else None,
            "activation": _ACTIVATIONS[self.activation],
            "recurrent_activation": _ACTIVATIONS[self.recurrent_activation],
            "use_bias": self.use_bias,
        }

    def named(self, state):
        """A state in any container, by position -> LSTMState in the compute dtype."""
        values = [tf.cast(tf.convert_to_tensor(value), self.compute_dtype) for value in tf.nest.flatten(state)]
        shapes = [[None, size] for size in self.state_size]
        wanted = ", ".join(f"{name} (batch, {size})" for name, size in zip(LSTMState._fields, self.state_size))
        fits = len(values) == len(shapes) and all(v.shape.is_compatible_with(s) for v, s in zip(values, shapes))
        _require(fits, "state", wanted, [tuple(value.shape) for value in values])
        return LSTMState(*values)

    def call(self, x, state, training=False, scope=None):  # scope: TensorFlow 1's wrappers pass it
        _require(x.dtype.is_floating, "x", "of a floating dtype", x.dtype.name)
        output, new_state = _step(x, self.named(state), **self.step_arguments())
        return output, tf.nest.pack_sequence_as(state, list(new_state))

    def get_initial_state(self, inputs=None, batch_size=None, dtype=None):
        """Zeros, in a list."""
        batch_size = tf.shape(inputs)[0] if batch_size is None else batch_size
        return [tf.zeros([batch_size, size], dtype or self.compute_dtype) for size in self.state_size]

    def zero_state(self, batch_size, dtype):
        """`get_initial_state` by TensorFlow 1's name -> LSTMState."""
        return LSTMState(*self.get_initial_state(batch_size=batch_size, dtype=dtype))

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "activation": self.activation,
            "recurrent_activation": self.recurrent_activation,
            "use_bias": self.use_bias,
            "unit_forget_bias": self.unit_forget_bias,
            **{name: _registry(name).serialize(value) for name, value in self.weight_arguments.items()},
        }


@keras.utils.register_keras_serializable("lstm")
class LSTM(keras.layers.RNN):
    """LSTM over a sequence: (batch, time, input) -> (batch, units).

    Takes the arguments of `LSTMCell` and of `keras.layers.RNN`, and two more:
    return_all_states adds a `LSTMState` of sequences (batch, time, size) at the end of the result;
    debug runs step by step in Python, for breakpoints.
    """

    def __init__(
        self,
        units,
        activation="tanh",
        recurrent_activation="sigmoid",
        use_bias=True,
        unit_forget_bias=True,
        return_sequences=False,
        return_state=False,
        return_all_states=False,
        go_backwards=False,
        stateful=False,
        unroll=False,
        debug=False,
        **kwargs,
    ):
        cell = LSTMCell(
            units,
            activation,
            recurrent_activation,
            use_bias,
            unit_forget_bias,
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
                state = LSTMState(*(tf.where(on, new, old) for new, old in zip(new_state, state)))
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
        return output, outputs, state, LSTMState(*stacked) if self.return_all_states else None

    def compute_output_shape(self, sequences_shape, initial_state_shape=None):
        batch_size, steps = sequences_shape[:2]
        size, sizes = self.cell.output_size, self.cell.state_size
        result = [(batch_size, steps, size) if self.return_sequences else (batch_size, size)]
        if self.return_state:
            result += [(batch_size, size) for size in sizes]
        if self.return_all_states:
            result.append(LSTMState(*((batch_size, steps, size) for size in sizes)))
        return tuple(result) if len(result) > 1 else result[0]

    def get_config(self):
        config = {**self.cell.get_config(), **super().get_config()}
        del config["cell"]
        return {**config, "return_all_states": self.return_all_states, "debug": self.debug}

    @classmethod
    def from_config(cls, config):
        return cls(**config)
