"""LayerNormLSTMPerGate, generated from layer_norm_lstm_per_gate.yaml. Edit the spec, not this file.

LSTM with layer normalisation of each gate by itself, after the two projections are added, and of the cell state
where it is read for h; the carried c is not normalised. As in the HyperNetworks paper's code (supercell, where a
bias stands inside the norm: use_bias) and Magenta. TensorFlow's contrib LayerNormBasicLSTMCell carries the
normalised c instead and has no bias. forget_bias is added after the norm.
Ba, Kiros & Hinton 2016, arXiv:1607.06450
Ha, Dai & Le 2017, HyperNetworks, arXiv:1609.09106 (ICLR 2017)

    z: [gates, units] = x @ kernel + h[t-1] @ recurrent_kernel + (bias if use_bias else 0)
    n = ln_z(z)
    i = sigmoid(n.i)
    f = sigmoid(n.f + forget_bias)
    g = tanh(n.g)
    o = sigmoid(n.o)
    c = f * c[t-1] + i * g
    h = o * tanh(ln_c(c))

Labels: gates = i, g, f, o.
State: `LayerNormLSTMPerGateState(h, c)`, h (batch, units), c (batch, units). Output: h (batch, units).
A masked step holds state and output (the output is zero before the first step that counts).

    layer = LayerNormLSTMPerGate(128, return_sequences=True)
    y = layer(x, mask=mask)  # x (batch, time, input), mask (batch, time) -> y (batch, time, 128)
    rnn = keras.layers.RNN(LayerNormLSTMPerGateCell(128))  # the cell alone, here or wherever a cell goes
"""

from typing import NamedTuple

import tensorflow as tf

keras = tf.keras


class LayerNormLSTMPerGateState(NamedTuple):
    """What is carried from step to step."""

    h: tf.Tensor  # (batch, units)
    c: tf.Tensor  # (batch, units)


# --- the equations --------------------------------------------------------------------------------------------------


def _layer_norm(x, axes, epsilon):
    """Layer normalisation over the last `axes` axes, without scale and shift; in float32 where x is narrower."""
    wide = tf.cast(x, tf.float32) if x.dtype.size < 4 else x
    over = list(range(-axes, 0))
    centred = wide - tf.reduce_mean(wide, over, keepdims=True)
    variance = tf.reduce_mean(tf.square(centred), over, keepdims=True)
    return tf.cast(centred * tf.math.rsqrt(variance + epsilon), x.dtype)


def _step(
    x,
    state,
    *,
    kernel,
    recurrent_kernel,
    bias,
    ln_z_scale,
    ln_z_shift,
    ln_c_scale,
    ln_c_shift,
    units,
    forget_bias,
    use_bias,
    epsilon,
):
    """One step: x (batch, input) and the state before it -> the output and the state after it."""
    h_prev, c_prev = state
    # z: [gates, units] = x @ kernel + h[t-1] @ recurrent_kernel + (bias if use_bias else 0)
    z = tf.reshape(x @ kernel + h_prev @ recurrent_kernel + (bias if use_bias else 0), [-1, 4, units])
    # n = ln_z(z)
    n = _layer_norm(z, 1, epsilon) * ln_z_scale + ln_z_shift
    n_i, n_g, n_f, n_o = tf.unstack(n, axis=-2)
    # i = sigmoid(n.i)
    i = tf.sigmoid(n_i)
    # f = sigmoid(n.f + forget_bias)
    f = tf.sigmoid(n_f + forget_bias)
    # g = tanh(n.g)
    g = tf.tanh(n_g)
    # o = sigmoid(n.o)
    o = tf.sigmoid(n_o)
    # c = f * c[t-1] + i * g
    c = f * c_prev + i * g
    # h = o * tanh(ln_c(c))
    _ln_c = _layer_norm(c, 1, epsilon) * ln_c_scale + ln_c_shift
    h = o * tf.tanh(_ln_c)
    return h, LayerNormLSTMPerGateState(h, c)


# --- arguments ------------------------------------------------------------------------------------------------------

_INITIALIZERS = {
    "kernel": "glorot_uniform",
    "recurrent_kernel": "orthogonal",
    "bias": "zeros",
    "ln_z_scale": "ones",
    "ln_z_shift": "zeros",
    "ln_c_scale": "ones",
    "ln_c_shift": "zeros",
}
_KINDS = "initializer", "regularizer", "constraint"
_WEIGHT_ARGUMENTS = {  # `kernel_initializer` and so on, with their defaults
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


@keras.utils.register_keras_serializable("layer_norm_lstm_per_gate")
class LayerNormLSTMPerGateCell(keras.layers.Layer):
    """One step of LayerNormLSTMPerGate, for `keras.layers.RNN` and everything else that takes a cell.

    call(x, state) -> (output, state): x (batch, input); state is a `LayerNormLSTMPerGateState` or its tensors, in order,
    in another container, and the new one is like it.
    Each weight takes Keras's three arguments, as in `kernel_initializer`,
    `kernel_regularizer`, `kernel_constraint`.
    Raises ValueError where an argument does not fit.
    """

    def __init__(self, units, forget_bias=1.0, use_bias=False, epsilon=0.001, **kwargs):
        _given = {name: kwargs.pop(name, default) for name, default in _WEIGHT_ARGUMENTS.items()}
        super().__init__(**kwargs)
        _require(isinstance(units, int) and units > 0, "units", "a positive integer", units)
        _require(isinstance(forget_bias, (int, float)), "forget_bias", "a number", forget_bias)
        _require(isinstance(use_bias, bool), "use_bias", "True or False", use_bias)
        _require(isinstance(epsilon, (int, float)), "epsilon", "a number", epsilon)
        self.units = units
        self.forget_bias = forget_bias
        self.use_bias = use_bias
        self.epsilon = epsilon
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
            self.bias = self.add_weight(name="bias", shape=[4 * self.units], **self._arguments("bias"))
        self.ln_z = self._norm("ln_z", scale=[4, self.units], shift=[4, self.units])
        self.ln_c = self._norm("ln_c", scale=[self.units], shift=[self.units])
        self.input_spec = keras.layers.InputSpec(shape=(None, *input_shape[1:]))
        self.built = True

    def _arguments(self, weight):
        return {kind: self.weight_arguments[f"{weight}_{kind}"] for kind in _KINDS}

    def _norm(self, name, **shapes):
        """The sublayer that holds a norm's weights: so they are called `ln_z/scale` and come last."""
        norm = keras.layers.Layer(name=name, dtype=self.dtype_policy)
        with tf.name_scope(name):  # Keras 2 names a weight after the scope it is made in
            for part, shape in shapes.items():
                setattr(norm, part, norm.add_weight(name=part, shape=shape, **self._arguments(f"{name}_{part}")))
        norm.built = True
        return norm

    def step_arguments(self):
        """What `_step` takes besides x and the state: weights in the compute dtype, split by label, and options."""

        def cast(weight):
            return tf.cast(tf.convert_to_tensor(weight), self.compute_dtype)

        return {
            "kernel": cast(self.kernel),
            "recurrent_kernel": cast(self.recurrent_kernel),
            "bias": cast(self.bias) if self.use_bias else None,
            "ln_z_scale": cast(self.ln_z.scale),
            "ln_z_shift": cast(self.ln_z.shift),
            "ln_c_scale": cast(self.ln_c.scale),
            "ln_c_shift": cast(self.ln_c.shift),
            "units": self.units,
            "forget_bias": self.forget_bias,
            "use_bias": self.use_bias,
            "epsilon": self.epsilon,
        }

    def named(self, state):
        """A state in any container, by position -> LayerNormLSTMPerGateState in the compute dtype."""
        values = [tf.cast(tf.convert_to_tensor(value), self.compute_dtype) for value in tf.nest.flatten(state)]
        shapes = [[None, size] for size in self.state_size]
        wanted = ", ".join(
            f"{name} (batch, {size})" for name, size in zip(LayerNormLSTMPerGateState._fields, self.state_size)
        )
        fits = len(values) == len(shapes) and all(v.shape.is_compatible_with(s) for v, s in zip(values, shapes))
        _require(fits, "state", wanted, [tuple(value.shape) for value in values])
        return LayerNormLSTMPerGateState(*values)

    def call(self, x, state, training=False, scope=None):  # scope: TensorFlow 1's wrappers pass it
        _require(x.dtype.is_floating, "x", "of a floating dtype", x.dtype.name)
        output, new_state = _step(x, self.named(state), **self.step_arguments())
        return output, tf.nest.pack_sequence_as(state, list(new_state))

    def get_initial_state(self, inputs=None, batch_size=None, dtype=None):
        """Zeros, in a list."""
        batch_size = tf.shape(inputs)[0] if batch_size is None else batch_size
        return [tf.zeros([batch_size, size], dtype or self.compute_dtype) for size in self.state_size]

    def zero_state(self, batch_size, dtype):
        """`get_initial_state` by TensorFlow 1's name -> LayerNormLSTMPerGateState."""
        return LayerNormLSTMPerGateState(*self.get_initial_state(batch_size=batch_size, dtype=dtype))

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "forget_bias": self.forget_bias,
            "use_bias": self.use_bias,
            "epsilon": self.epsilon,
            **{name: _registry(name).serialize(value) for name, value in self.weight_arguments.items()},
        }


@keras.utils.register_keras_serializable("layer_norm_lstm_per_gate")
class LayerNormLSTMPerGate(keras.layers.RNN):
    """LayerNormLSTMPerGate over a sequence: (batch, time, input) -> (batch, units).

    Takes the arguments of `LayerNormLSTMPerGateCell` and of `keras.layers.RNN`, and two more:
    return_all_states adds a `LayerNormLSTMPerGateState` of sequences (batch, time, size) at the end of the result;
    debug runs step by step in Python, for breakpoints.
    """

    def __init__(
        self,
        units,
        forget_bias=1.0,
        use_bias=False,
        epsilon=0.001,
        return_sequences=False,
        return_state=False,
        return_all_states=False,
        go_backwards=False,
        stateful=False,
        unroll=False,
        debug=False,
        **kwargs,
    ):
        cell = LayerNormLSTMPerGateCell(
            units,
            forget_bias,
            use_bias,
            epsilon,
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
                state = LayerNormLSTMPerGateState(*(tf.where(on, new, old) for new, old in zip(new_state, state)))
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
        return output, outputs, state, LayerNormLSTMPerGateState(*stacked) if self.return_all_states else None

    def compute_output_shape(self, sequences_shape, initial_state_shape=None):
        batch_size, steps = sequences_shape[:2]
        size, sizes = self.cell.output_size, self.cell.state_size
        result = [(batch_size, steps, size) if self.return_sequences else (batch_size, size)]
        if self.return_state:
            result += [(batch_size, size) for size in sizes]
        if self.return_all_states:
            result.append(LayerNormLSTMPerGateState(*((batch_size, steps, size) for size in sizes)))
        return tuple(result) if len(result) > 1 else result[0]

    def get_config(self):
        config = {**self.cell.get_config(), **super().get_config()}
        del config["cell"]
        return {**config, "return_all_states": self.return_all_states, "debug": self.debug}

    @classmethod
    def from_config(cls, config):
        return cls(**config)
