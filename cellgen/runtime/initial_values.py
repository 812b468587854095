"""What weights start from: formulas of a spec, and initializers of the parts of a weight."""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

keras = tf.keras


class New:
    """What is new, a weight or a part of one, as a formula of its initial value asks for it.

    shape, dtype: its own. part: the other parts of the weight, by their number.
    """

    def __init__(self, shape: Sequence[int], dtype: Any, part: Callable | None = None):
        self.shape, self.dtype, self.part = shape, dtype, part

    # --- drawn at random, of the shape of what is new; each call draws anew

    def initializer(self, name: str, **config: Any):
        """By an initializer of Keras's."""
        said = {"class_name": name, "config": config} if config else name
        return keras.initializers.get(said)(self.shape, self.dtype)

    def uniform(self, low: float, high: float):
        return self.initializer("RandomUniform", minval=low, maxval=high)

    def normal(self, stddev: float):
        return self.initializer("RandomNormal", stddev=stddev)

    def orthogonal(self, gain: float):
        return self.initializer("Orthogonal", gain=gain)

    def identity(self, gain: float):
        return self.initializer("Identity", gain=gain)

    def bernoulli(self, probability: float):
        """1 with this probability, else 0."""
        return tf.cast(self.uniform(0.0, 1.0) < probability, self.dtype)

    # --- numbers

    def range(self, size: int):
        """0, 1, 2, ..."""
        return tf.cast(tf.range(size), self.dtype)

    def value(self, weight: Any, part: int | None = None, of: int = 1, axis: int = -1):
        """What another weight started from, or one of so many equal parts of it along an axis."""
        if not tf.compat.v1.executing_eagerly_outside_functions():  # in a graph of TensorFlow 1 it has no value yet
            weight = weight.initial_value
        value = tf.cast(tf.convert_to_tensor(weight), self.dtype)
        return value if part is None else tf.split(value, of, axis)[part]

    # --- linear systems, x' = A x + B u: of a square matrix A, of a vector B

    def hippo_legs(self):
        """HiPPO-LegS: Gu et al. 2020, arXiv:2008.07669, theorem 2, of the time 1."""
        return self._of_system(*_legs(self.shape[0]))

    def hippo_legt(self):
        """HiPPO-LegT, of a window of 1: the same, theorem 1; Voelker et al. 2019, equations 1 and 2."""
        return self._of_system(*_legt(self.shape[0]))

    def zoh(self, system: str, step: float):
        """Its form in steps, the input held between them."""
        a, b = _SYSTEMS[system](self.shape[0])
        whole = tf.concat([tf.concat([a, b[:, None]], 1), tf.zeros([1, self.shape[0] + 1], a.dtype)], 0)
        moved = tf.linalg.expm(whole * step)
        return self._of_system(moved[:-1, :-1], moved[:-1, -1])

    def bilinear(self, system: str, step: float):
        """Its form in steps by the trapezoidal rule."""
        a, b = _SYSTEMS[system](self.shape[0])
        one = tf.eye(self.shape[0], dtype=a.dtype)
        moved = tf.linalg.solve(one - a * (step / 2), tf.concat([one + a * (step / 2), b[:, None] * step], 1))
        return self._of_system(moved[:, :-1], moved[:, -1])

    def _of_system(self, a, b):
        return tf.cast(a if len(self.shape) == 2 else b, self.dtype)

    def spectral_radius(self, value: Any, radius: float):
        """A matrix in the multiple of which the largest eigenvalue has this absolute value; zeros stay so."""
        largest = tf.reduce_max(tf.abs(tf.linalg.eigvals(value)))
        return value * tf.math.divide_no_nan(tf.convert_to_tensor(radius, value.dtype), largest)


def _legs(size: int):
    n = tf.range(size, dtype=tf.float64)
    roots = tf.sqrt(2 * n + 1)
    below = tf.linalg.band_part(roots[:, None] * roots, -1, 0)
    return -tf.linalg.set_diag(below, n + 1), roots


def _legt(size: int):
    n = tf.range(size, dtype=tf.float64)
    odd, signs = 2 * n + 1, 1 - 2 * (n % 2)
    lower = tf.linalg.band_part(-signs[:, None] * signs, -1, 0)
    return odd[:, None] * (lower - tf.cast(n[:, None] < n, tf.float64)), odd * signs


_SYSTEMS = {"hippo_legs": _legs, "hippo_legt": _legt}


def by_formula(formula: Callable, part: Callable | None = None) -> Callable:
    """An initializer that computes a formula, in float32 at least, of the values of the weight's other parts."""

    def initialize(shape, dtype: Any = None):
        value = tf.convert_to_tensor(formula(New(tuple(shape), dtype, part)), dtype)
        return tf.broadcast_to(value, shape)

    return initialize


def in_float32(initializer):
    """An initializer that draws in float32 and rounds: in half precision there is no QR decomposition, for one."""

    def initialize(shape, dtype: Any = None):
        return tf.cast(initializer(shape, dtype="float32"), dtype)

    return initialize


def in_parts(whole, parts, axis, formula=None):
    """An initializer of a weight of equal parts: those with one of their own, a function being a formula, by it; the
    others by `formula`, each by itself, else as `whole` draws them all at once.
    """

    def initialize(shape, dtype=None):
        drawn = [None] * len(parts) if whole is None else tf.split(whole(shape, dtype=dtype), len(parts), axis)
        found = {}
        sizes = list(shape)
        sizes[axis] //= len(parts)

        def part(index):
            own = parts[index] or (formula if whole is None else None)
            if index not in found:
                found[index] = drawn[index] if own is None else initializer(own)(sizes, dtype=dtype)
            return found[index]

        def initializer(own):
            return by_formula(own, part) if callable(own) else keras.initializers.get(own)

        return tf.concat([part(index) for index in range(len(parts))], axis)

    return initialize


def in_slices(whole, axis):
    """An initializer that draws each slice of a weight along an axis by itself, as large as it is."""

    def initialize(shape, dtype=None):
        shape, drawn = list(shape), []
        at = axis % len(shape)
        for index in range(shape.pop(at)):
            own = whole
            if isinstance(whole, keras.initializers.Initializer):  # an instance draws the same numbers each time
                config = whole.get_config()
                if isinstance(config.get("seed"), int):
                    config["seed"] += index
                own = type(whole).from_config(config)
            drawn.append(own(shape, dtype=dtype))
        return tf.stack(drawn, at)

    return initialize
