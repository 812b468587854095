"""NAS, generated from nas.yaml. Edit the spec, not this file.

The cell that neural architecture search found on Penn Treebank, as the NASCell of TensorFlow's contrib and Addons
computes it. Eight branches; b3 multiplies the two projections where the others add them, so that the bias, which
stands on the recurrent side, is multiplied there too. The state order is (c, h); recurrent_kernel is the first
weight; no bias unless asked; the projection (not in the paper) has no bias.
Zoph & Le 2017, Neural Architecture Search with Reinforcement Learning, arXiv:1611.01578 (ICLR 2017), appendix A

    u = x @ kernel
    v = h[t-1] @ recurrent_kernel + (bias if use_bias else 0)
    a0 = sigmoid(u.b0 + v.b0)
    a1 = relu(u.b1 + v.b1)
    a2 = sigmoid(u.b2 + v.b2)
    a3 = relu(u.b3 * v.b3)
    a4 = tanh(u.b4 + v.b4)
    a5 = sigmoid(u.b5 + v.b5)
    a6 = tanh(u.b6 + v.b6)
    a7 = sigmoid(u.b7 + v.b7)
    l0 = tanh(a0 * a1)
    l1 = tanh(a2 + a3)
    l2 = tanh(a4 * a5)
    l3 = sigmoid(a6 + a7)
    c = tanh(l0 + c[t-1]) * l1
    m = tanh(c * tanh(l2 + l3))
    h = m @ projection_weights if proj else m

Labels: gates = b0, b1, b2, b3, b4, b5, b6, b7.
State: `NASState(c, h)`, c (batch, units), h (batch, proj). Output: h (batch, proj).
A masked step holds state and output (the output is zero before the first step that counts).

    layer = NAS(128, return_sequences=True)
    y = layer(x, mask=mask)  # x (batch, time, input), mask (batch, time) -> y (batch, time, 128)
    rnn = keras.layers.RNN(NASCell(128))  # the cell alone, here or wherever a cell goes
"""

from typing import NamedTuple

import tensorflow as tf

keras = tf.keras


class NASState(NamedTuple):
    """What is carried from step to step."""

    c: tf.Tensor  # (batch, units)
    h: tf.Tensor  # (batch, proj)


# --- the equations --------------------------------------------------------------------------------------------------


def _step(x, state, *, recurrent_kernel, kernel, bias, projection_weights, proj, use_bias):
    """One step: x (batch, input) and the state before it -> the output and the state after it."""
    c_prev, h_prev = state
    # u = x @ kernel
    u = x @ kernel
    u_b0, u_b1, u_b2, u_b3, u_b4, u_b5, u_b6, u_b7 = tf.split(u, 8, axis=-1)
    # v = h[t-1] @ recurrent_kernel + (bias if use_bias else 0)
    v = h_prev @ recurrent_kernel + (bias if use_bias else 0)
    v_b0, v_b1, v_b2, v_b3, v_b4, v_b5, v_b6, v_b7 = tf.split(v, 8, axis=-1)
    # a0 = sigmoid(u.b0 + v.b0)
    a0 = tf.sigmoid(u_b0 + v_b0)
    # a1 = relu(u.b1 + v.b1)
    a1 = tf.nn.relu(u_b1 + v_b1)
    # a2 = sigmoid(u.b2 + v.b2)
    a2 = tf.sigmoid(u_b2 + v_b2)
    # a3 = relu(u.b3 * v.b3)
    a3 = tf.nn.relu(u_b3 * v_b3)
    # a4 = tanh(u.b4 + v.b4)
    a4 = tf.tanh(u_b4 + v_b4)
    # a5 = sigmoid(u.b5 + v.b5)
    a5 = tf.sigmoid(u_b5 + v_b5)
    # a6 = tanh(u.b6 + v.b6)
    a6 = tf.tanh(u_b6 + v_b6)
    # a7 = sigmoid(u.b7 + v.b7)
    a7 = tf.sigmoid(u_b7 + v_b7)
    # l0 = tanh(a0 * a1)
    l0 = tf.tanh(a0 * a1)
    # l1 = tanh(a2 + a3)
    l1 = tf.tanh(a2 + a3)
    # l2 = tanh(a4 * a5)
    l2 = tf.tanh(a4 * a5)
    # l3 = sigmoid(a6 + a7)
    l3 = tf.sigmoid(a6 + a7)
    # c = tanh(l0 + c[t-1]) * l1
    c = tf.tanh(l0 + c_prev) * l1
    # m = tanh(c * tanh(l2 + l3))
    m = tf.tanh(c * tf.tanh(l2 + l3))
    # h = m @ projection_weights if proj else m
    h = m @ projection_weights if proj is not None else m
    return h, NASState(c, h)


# --- arguments ------------------------------------------------------------------------------------------------------

_INITIALIZERS = {
    "recurrent_kernel": "glorot_uniform",
    "kernel": "glorot_uniform",
    "bias": "zeros",
    "projection_weights": "glorot_uniform",
}
_KINDS = "initializer", "regularizer", "constraint"
_WEIGHT_ARGUMENTS = {  # `recurrent_kernel_initializer` and so on, with their defaults
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


@keras.utils.register_keras_serializable("nas")
class NASCell(keras.layers.Layer):
    """One step of NAS, for `keras.layers.RNN` and everything else that takes a cell.

    call(x, state) -> (output, state): x (batch, input); state is a `NASState` or its tensors, in order,
    in another container, and the new one is like it.
    Each weight takes Keras's three arguments, as in `recurrent_kernel_initializer`,
    `recurrent_kernel_regularizer`, `recurrent_kernel_constraint`.
    Raises ValueError where an argument does not fit.
    """

    def __init__(self, units, proj=None, use_bias=False, **kwargs):
        _given = {name: kwargs.pop(name, default) for name, default in _WEIGHT_ARGUMENTS.items()}
        super().__init__(**kwargs)
        _require(isinstance(units, int) and units > 0, "units", "a positive integer", units)
        _require(
            proj is None or isinstance(proj, int) and proj > 0, "proj", "a positive integer, or None for units", proj
        )
        _require(isinstance(use_bias, bool), "use_bias", "True or False", use_bias)
        self.units = units
        self.proj = proj
        self.use_bias = use_bias
        self.weight_arguments = {name: _registry(name).get(value) for name, value in _given.items()}
        proj = units if proj is None else proj
        self.state_size = [units, proj]
        self.output_size = proj
        self.input_spec = keras.layers.InputSpec(ndim=2)

    def build(self, input_shape):
        _require(input_shape[-1] is not None, "x", "of known width (its last axis)", tuple(input_shape))
        proj = self.units if self.proj is None else self.proj
        self.recurrent_kernel = self.add_weight(
            name="recurrent_kernel", shape=[proj, 8 * self.units], **self._arguments("recurrent_kernel")
        )
        self.kernel = self.add_weight(
            name="kernel", shape=[input_shape[-1], 8 * self.units], **self._arguments("kernel")
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(name="bias", shape=[8 * self.units], **self._arguments("bias"))
        self.projection_weights = None
        if self.proj is not None:
            self.projection_weights = self.add_weight(
                name="projection_weights", shape=[self.units, proj], **self._arguments("projection_weights")
            )
        self.input_spec = keras.layers.InputSpec(shape=(None, *input_shape[1:]))
        self.built = True

    def _arguments(self, weight):
        return {kind: self.weight_arguments[f"{weight}_{kind}"] for kind in _KINDS}

    def step_arguments(self):
        """What `_step` takes besides x and the state: weights in the compute dtype, split by label, and options."""

        def cast(weight):
            return tf.cast(tf.convert_to_tensor(weight), self.compute_dtype)

        return {
            "recurrent_kernel": cast(self.recurrent_kernel),
            "kernel": cast(self.kernel),
            "bias": cast(self.bias) if self.use_bias else None,
            "projection_weights": cast(self.projection_weights) if self.proj is not None else None,
            "proj": self.proj,
            "use_bias": self.use_bias,
        }

    def named(self, state):
        """A state in any container, by position -> NASState in the compute dtype."""
        values = [tf.cast(tf.convert_to_tensor(value), self.compute_dtype) for value in tf.nest.flatten(state)]
        shapes = [[None, size] for size in self.state_size]
        wanted = ", ".join(f"{name} (batch, {size})" for name, size in zip(NASState._fields, self.state_size))
        fits = len(values) == len(shapes) and all(v.shape.is_compatible_with(s) for v, s in zip(values, shapes))
        _require(fits, "state", wanted, [tuple(value.shape) for value in values])
        return NASState(*values)

    def call(self, x, state, training=False, scope=None):  # scope: TensorFlow 1's wrappers pass it
        _require(x.dtype.is_floating, "x", "of a floating dtype", x.dtype.name)
        output, new_state = _step(x, self.named(state), **self.step_arguments())
        return output, tf.nest.pack_sequence_as(state, list(new_state))

    def get_initial_state(self, inputs=None, batch_size=None, dtype=None):
        """Zeros, in a list."""
        batch_size = tf.shape(inputs)[0] if batch_size is None else batch_size
        return [tf.zeros([batch_size, size], dtype or self.compute_dtype) for size in self.state_size]

    def zero_state(self, batch_size, dtype):
        """`get_initial_state` by TensorFlow 1's name -> NASState."""
        return NASState(*self.get_initial_state(batch_size=batch_size, dtype=dtype))

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "proj": self.proj,
            "use_bias": self.use_bias,
            **{name: _registry(name).serialize(value) for name, value in self.weight_arguments.items()},
        }


@keras.utils.register_keras_serializable("nas")
class NAS(keras.layers.RNN):
    """NAS over a sequence: (batch, time, input) -> (batch, proj).

    Takes the arguments of `NASCell` and of `keras.layers.RNN`, and two more:
    return_all_states adds a `NASState` of sequences (batch, time, size) at the end of the result;
    debug runs step by step in Python, for breakpoints.
    """

    def __init__(
        self,
        units,
        proj=None,
        use_bias=False,
        return_sequences=False,
        return_state=False,
        return_all_states=False,
        go_backwards=False,
        stateful=False,
        unroll=False,
        debug=False,
        **kwargs,
    ):
        cell = NASCell(
            units,
            proj,
            use_bias,
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
                state = NASState(*(tf.where(on, new, old) for new, old in zip(new_state, state)))
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
        return output, outputs, state, NASState(*stacked) if self.return_all_states else None

    def compute_output_shape(self, sequences_shape, initial_state_shape=None):
        batch_size, steps = sequences_shape[:2]
        size, sizes = self.cell.output_size, self.cell.state_size
        result = [(batch_size, steps, size) if self.return_sequences else (batch_size, size)]
        if self.return_state:
            result += [(batch_size, size) for size in sizes]
        if self.return_all_states:
            result.append(NASState(*((batch_size, steps, size) for size in sizes)))
        return tuple(result) if len(result) > 1 else result[0]

    def get_config(self):
        config = {**self.cell.get_config(), **super().get_config()}
        del config["cell"]
        return {**config, "return_all_states": self.return_all_states, "debug": self.debug}

    @classmethod
    def from_config(cls, config):
        return cls(**config)
