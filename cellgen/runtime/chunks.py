"""A sequence in chunks of steps that stay in cache."""

import math

import tensorflow as tf

from cellgen.runtime.arrays import chunk, filled, spread, stand_in, where
from cellgen.runtime.declarations import own_name

keras = tf.keras


class Chunks:
    """A sequence, in chunks of some steps; a size that is not known is a tensor."""

    def __init__(self, scan, xs, mask, steps, low_memory, kept=None, solver=None):
        self.scan = scan
        self.batch_size, self.time = keras.ops.shape(xs[scan.input])[:2]
        places = math.prod(xs[scan.input].shape[2:-1])  # of a picture each counts as a sample does
        self.size = size = scan.chunk_size(self.batch_size * places, self.time, low_memory, solver)
        if kept and not low_memory:  # another trace may have known less of the sizes
            self.size = size = keras.ops.shape(next(iter(kept.values())))[1]
        self.runs = self.time if steps is None else steps
        count = (self.time + size - 1) // size
        self.count = tf.maximum(1, count) if tf.is_tensor(count) else max(1, count)
        self.running = tf.maximum(1, (self.runs + size - 1) // size)
        sized = not (tf.is_tensor(self.time) or tf.is_tensor(size))
        self.whole = steps is None and sized and self.time > 0 and self.time % size == 0  # no chunk is shorter
        self.alone = self.whole and self.time == size  # one chunk is all
        whole = self.count * size
        held = {name for name in xs if own_name(name) in scan.held}
        self.xs = {name: values if name in held else filled(values, whole, 1) for name, values in xs.items()}
        self.mask = None if mask is None else filled(mask, whole, 1)
        holds = mask is not None and scan.mask == "hold"
        counted = {name: values for name, values in self.xs.items() if holds and scan.is_of_steps(name)}
        self.instead = {name: stand_in(values, self.mask) for name, values in counted.items()}

    def first(self):
        """The inputs of the first step, by name, for their dtypes and shapes."""
        return {name: values[:, 0] for name, values in self.xs.items()}

    def __getitem__(self, index):
        """A chunk -> its part of the inputs and how many of its steps run, and of the mask; time is in front."""
        length = self.size if self.whole else tf.minimum(self.size, self.runs - index * self.size)
        on = None if self.mask is None else chunk(self.mask, index, self.size)
        part = {}
        for name, values in self.xs.items():
            held = own_name(name) in self.scan.held
            part[name] = spread(values, self.size) if held else chunk(values, index, self.size)
        part |= {name: where(on, part[name], other) for name, other in self.instead.items()}
        return part, length, on


def size_of_chunk(rows, batch_size, time, low_memory):
    """How many steps run between two looks at main memory: about `rows` rows; for low memory the root, if more."""
    if tf.is_tensor(time) and not tf.is_tensor(batch_size) and not low_memory:
        return max(1, rows // max(1, batch_size))  # a number: TFLite must know what a list holds
    if tf.is_tensor(batch_size) or tf.is_tensor(time):
        size = tf.maximum(1, rows // tf.maximum(1, batch_size))
        root = tf.cast(tf.sqrt(tf.cast(time, tf.float32)), tf.int32)
        return tf.maximum(size, root) if low_memory else size
    size = max(1, rows // max(1, batch_size), int(time**0.5) if low_memory else 1)
    if size >= time:
        return max(1, time)
    if low_memory:
        return size
    even = [each for each in range(size // 2 + 1, 2 * size) if time % each == 0]  # no chunk is shorter then
    return min(even, key=lambda each: abs(each - size), default=size)
