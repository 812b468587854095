"""What a user of TensorFlow would write by hand, and what it comes with."""

import tensorflow as tf

from cellgen.bench.functions import functions
from cellgen.bench.lineup import Runners
from cellgen.bench.problem import EPSILON, Problem

keras = tf.keras


def _norm(x, scale, shift):
    mean, variance = tf.nn.moments(x, [-1], keepdims=True)
    return (x - mean) * tf.math.rsqrt(variance + EPSILON) * scale + shift


def _layer_norm_lstm(x, h, c, w):
    """One step of the layer-normalised LSTM -> h and c after it. w: the weights by name."""
    z = _norm(x @ w["x_w"], w["ln_x_scale"], w["ln_x_shift"]) + _norm(h @ w["h_w"], w["ln_h_scale"], w["ln_h_shift"])
    f, i, o, u = tf.split(z, 4, axis=-1)
    c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(u)
    return tf.sigmoid(o) * tf.tanh(_norm(c, w["ln_c_scale"], w["ln_c_shift"])), c


class LayerNormCell(keras.layers.Layer):
    """The layer-normalised LSTM as a cell for `keras.layers.RNN`, which has no mask that resets: with `masked` the last
    feature of x is the mask.
    """

    def __init__(self, units, masked, **kwargs):
        super().__init__(**kwargs)
        self.masked = masked
        self.state_size = [units, units]
        self.output_size = units

    def build(self, input_shape):
        units = self.output_size
        width = input_shape[-1] - self.masked
        norms = {"ln_x": 4 * units, "ln_h": 4 * units, "ln_c": units}
        self.w = {"x_w": self.add_weight(shape=[width, 4 * units]), "h_w": self.add_weight(shape=[units, 4 * units])}
        for norm, size in norms.items():
            self.w[f"{norm}_scale"] = self.add_weight(shape=[size], initializer="ones")
            self.w[f"{norm}_shift"] = self.add_weight(shape=[size], initializer="zeros")

    def call(self, x, states):
        h, c = states
        if self.masked:
            x, mask = x[:, :-1], x[:, -1:]
            h, c = h * mask, c * mask
        h, c = _layer_norm_lstm(x, h, c, self.w)
        return h, [h, c]


class MinGRUCell(keras.layers.Layer):
    """The minGRU as a cell for `keras.layers.RNN`."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = self.output_size = units

    def build(self, input_shape):
        units = self.output_size
        self.w = {
            "kernel": self.add_weight(shape=[input_shape[-1], 2 * units]),
            "bias": self.add_weight(shape=[2 * units], initializer="zeros"),
        }

    def call(self, x, states):
        z, candidate = tf.split(x @ self.w["kernel"] + self.w["bias"], 2, axis=-1)
        z = tf.sigmoid(z)
        h = (1 - z) * states[0] + z * candidate
        return h, [h]


def over(cell, call, problem: Problem, jit_compile: bool) -> Runners:
    """A layer over a cell, with the problem's weights. call: the layer, x and the mask -> outputs."""
    layer = keras.layers.RNN(cell, return_sequences=True)
    layer.build((None, None, problem.shape.input + getattr(cell, "masked", False)))
    for name, weight in cell.w.items():
        weight.assign(problem.weights[name])
    return functions(lambda x, mask: call(layer, x, mask), dict(cell.w), jit_compile)


def layer_norm_rnn(problem: Problem, jit_compile: bool = False) -> Runners:
    masked = problem.mask is not None

    def call(layer, x, mask):
        return layer(tf.concat([x, tf.cast(mask, x.dtype)[:, :, tf.newaxis]], -1) if masked else x)

    return over(LayerNormCell(problem.shape.units, masked), call, problem, jit_compile)


def layer_norm_unrolled(problem: Problem) -> Runners:
    """A Python loop over the time steps, as in the question that W1 is from: every step is in the graph once more."""
    weights = {name: tf.Variable(value) for name, value in problem.weights.items()}

    def call(x, mask):
        h = c = tf.zeros([problem.shape.batch, problem.shape.units])
        outputs = []
        for at, on in zip(tf.unstack(x, axis=1), tf.unstack(tf.cast(mask, x.dtype)[:, :, tf.newaxis], axis=1)):
            h, c = _layer_norm_lstm(at, h * on, c * on, weights)
            outputs.append(h)
        return tf.stack(outputs, 1)

    return functions(call, weights)


def lstm(problem: Problem) -> Runners:
    layer = keras.layers.LSTM(problem.shape.units, return_sequences=True)
    layer.build((None, None, problem.shape.input))
    weights = {weight.name: weight for weight in layer.trainable_variables}
    return functions(lambda x, mask: layer(x, mask=mask), weights)


def mingru_rnn(problem: Problem, jit_compile: bool = False) -> Runners:
    return over(MinGRUCell(problem.shape.units), lambda layer, x, mask: layer(x), problem, jit_compile)


def mingru_scan(problem: Problem, jit_compile: bool = False) -> Runners:
    """`tf.scan`; gate and candidate, which read no state, are computed for all steps before it."""
    weights = {name: tf.Variable(value) for name, value in problem.weights.items()}

    def call(x, mask):
        x = tf.transpose(x, [1, 0, 2])
        z, candidates = tf.split(x @ weights["kernel"] + weights["bias"], 2, axis=-1)
        z = tf.sigmoid(z)
        start = tf.zeros([problem.shape.batch, problem.shape.units])
        outputs = tf.scan(lambda h, step: step[0] * h + step[1], (1 - z, z * candidates), start)
        return tf.transpose(outputs, [1, 0, 2])

    return functions(call, weights, jit_compile)
