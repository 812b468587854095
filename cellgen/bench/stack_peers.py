"""The stack of HM-LSTM (Chung, Ahn & Bengio 2016) as one would write it by hand in TensorFlow.

Step boundaries with the straight-through gradient of the hard sigmoid at slope 1, which also goes through the choice of
an operation (`combine="blend"`).
"""

from collections.abc import Callable, Mapping

import tensorflow as tf

from cellgen.bench.functions import functions
from cellgen.bench.keras_peers import over
from cellgen.bench.lineup import Runners
from cellgen.bench.problem import Problem

keras = tf.keras

Weights = Mapping[str, tf.Tensor | tf.Variable]
State = tuple[tuple[tf.Tensor, tf.Tensor, tf.Tensor], ...]  # c, h, z of each layer


def step(state: State, x: tf.Tensor, slab: Callable[[int, dict[str, tf.Tensor]], tf.Tensor]) -> State:
    """One step of all layers. slab: a layer's number, and what its weights U, W and V are multiplied with -> s."""
    below, z_below, new = x, None, []
    for number, (c, h, z) in enumerate(state, 1):
        last = number == len(state)
        reads = {"U": h, "W": below if z_below is None else z_below * below}
        if not last:
            reads["V"] = z * state[number][1]
        s = slab(number, reads)
        n = c.shape[-1]
        fio, g, z_new = tf.split(s, [3 * n, n, s.shape[-1] - 4 * n], axis=-1)
        f, i, o = tf.split(tf.sigmoid(fio), 3, axis=-1)
        ig = i * tf.tanh(g)
        if z_below is None:  # there is always a boundary below: UPDATE or FLUSH
            c = (1 - z) * f * c + ig
            h = o * tf.tanh(c)
        else:
            copy, update = (1 - z) * (1 - z_below), (1 - z) * z_below
            c = (copy + update * f) * c + (1 - copy) * ig  # copy + update + flush = 1
            h = copy * h + (1 - copy) * (o * tf.tanh(c))
        if not last:  # else it stays 0
            soft = tf.clip_by_value((z_new + 1) / 2, 0, 1)
            z = soft + tf.stop_gradient(tf.cast(z_new > 0, s.dtype) - soft)
        new.append((c, h, z))
        below, z_below = h, z
    return tuple(new)


def readout(hs: list[tf.Tensor], w: Weights) -> tf.Tensor:
    """h of each layer, of all steps at once -> outputs."""
    gates = tf.split(tf.sigmoid(tf.concat(hs, -1) @ w["readout_gate"]), len(hs), axis=-1)
    gated = tf.concat([g * h for g, h in zip(gates, hs)], -1)
    return tf.nn.relu(gated @ tf.concat([w[f"readout_emb{number}"] for number in range(1, len(hs) + 1)], 0))


def scanned(x: tf.Tensor, w: Weights) -> tf.Tensor:
    """x (batch, steps, input) -> outputs (batch, steps, units), from a zero state.

    By `tf.scan`; a layer has one matmul, whose weights are put together before the loop, and the readout is after it.
    """
    units = [w[name].shape[0] for name in w if name.endswith("_U")]
    kernels = {
        number: tf.concat([w[name] for each in "UWV" if (name := f"layer{number}_{each}") in w], 0)
        for number in range(1, len(units) + 1)
    }

    def slab(number, reads):
        return tf.concat(list(reads.values()), -1) @ kernels[number] + w[f"layer{number}_b"]

    batch = tf.shape(x)[0]
    start = tuple(tuple(tf.zeros([batch, size], x.dtype) for size in (n, n, 1)) for n in units)
    states = tf.scan(lambda state, x: step(state, x, slab), tf.transpose(x, [1, 0, 2]), start)
    return tf.transpose(readout([h for _, h, _ in states], w), [1, 0, 2])


def scan(problem: Problem, jit_compile: bool = False) -> Runners:
    weights = {name: tf.Variable(value) for name, value in problem.weights.items()}
    return functions(lambda x, mask: scanned(x, weights), weights, jit_compile)


class StackCell(keras.layers.Layer):
    """All layers as a cell for `keras.layers.RNN`; its output is the h of all of them."""

    def __init__(self, units, shapes, **kwargs):
        super().__init__(**kwargs)
        self.state_size = [size for n in units for size in (n, n, 1)]
        self.output_size = sum(units)
        self.shapes = shapes

    def build(self, input_shape):
        self.w = {name: self.add_weight(shape=shape, name=name) for name, shape in self.shapes.items()}

    def call(self, x, states):
        def slab(number, reads):
            parts = [value @ self.w[f"layer{number}_{name}"] for name, value in reads.items()]
            return tf.add_n(parts) + self.w[f"layer{number}_b"]

        layers = tuple(tuple(states[at : at + 3]) for at in range(0, len(states), 3))
        new = step(layers, x, slab)
        return tf.concat([h for _, h, _ in new], -1), [value for layer in new for value in layer]


def rnn(problem: Problem, jit_compile: bool = False) -> Runners:
    layers = problem.workload.layers
    cell = StackCell([problem.shape.units] * layers, {name: each.shape for name, each in problem.weights.items()})

    def call(layer, x, mask):
        return readout(tf.split(layer(x), layers, axis=-1), cell.w)

    return over(cell, call, problem, jit_compile)
