"""Activations by the names that a spec has for them, with their derivatives.

Each derivative is the one that the compiler derives of the activation where an equation names it: a test compares them.
"""

from collections.abc import Callable
from dataclasses import dataclass

import tensorflow as tf

from cellgen.runtime.arguments import require

keras = tf.keras


@dataclass(frozen=True, eq=False)
class Activation:
    """A function of one tensor, any shape -> the same shape.

    gradient(d, x, y): the derivative of the loss by its argument x, from d, that by its value y. reads_x: whether it
    reads x, so that x is kept for it.
    """

    name: str
    value: Callable[[tf.Tensor], tf.Tensor]
    gradient: Callable[[tf.Tensor, tf.Tensor | None, tf.Tensor], tf.Tensor]
    reads_x: bool

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        return self.value(x)


_VALUES: dict[str, Callable] = {
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
_GRADIENTS: dict[str, Callable] = {  # of each, by d, its argument x and its value y
    "linear": lambda d, x, y: d,
    "sigmoid": lambda d, x, y: d * y * (1 - y),
    "tanh": lambda d, x, y: d * (1 - tf.square(y)),
    "relu": lambda d, x, y: tf.where(y > 0, d, tf.zeros_like(d)),
    "relu6": lambda d, x, y: tf.where(y > 0, tf.where(y < 6, d, tf.zeros_like(d)), tf.zeros_like(d)),
    "leaky_relu": lambda d, x, y: tf.where(x > 0, d, 0.2 * d),
    "elu": lambda d, x, y: tf.where(x > 0, d, d * (y + 1)),
    "selu": lambda d, x, y: tf.where(x > 0, 1.0507009873554805 * d, d * (y + 1.7580993408473766)),
    "softplus": lambda d, x, y: d * tf.sigmoid(x),
    "softsign": lambda d, x, y: d / tf.square(1 + tf.abs(x)),
    "silu": lambda d, x, y: d * (y + tf.sigmoid(x) * (1 - y)),
    "gelu": lambda d, x, y: (
        d * ((1 + tf.math.erf(x * 0.7071067811865476)) / 2 + x * tf.exp(-0.5 * tf.square(x)) * 0.3989422804014327)
    ),
    "mish": lambda d, x, y: (
        d * (tf.tanh(tf.nn.softplus(x)) + x * tf.sigmoid(x) * (1 - tf.square(tf.tanh(tf.nn.softplus(x)))))
    ),
    "exponential": lambda d, x, y: d * y,
    "log_sigmoid": lambda d, x, y: d * tf.sigmoid(-x),
    "hard_sigmoid": lambda d, x, y: tf.where(
        x > -3, tf.where(x < 3, d / 6, tf.zeros_like(d / 6)), tf.zeros_like(d / 6)
    ),
    "hard_silu": lambda d, x, y: (
        d
        * (
            tf.nn.relu6(x + 3) / 6
            + tf.where(x > -3, tf.where(x < 3, x / 6, tf.zeros_like(x / 6)), tf.zeros_like(x / 6))
        )
    ),
    "hard_tanh": lambda d, x, y: tf.where(x < -1, tf.zeros_like(d), tf.where(x > 1, tf.zeros_like(d), d)),
}
_READING_X = frozenset(
    """leaky_relu elu selu softplus softsign silu gelu mish log_sigmoid hard_sigmoid hard_silu hard_tanh""".split()
)

ACTIVATIONS = {name: Activation(name, value, _GRADIENTS[name], name in _READING_X) for name, value in _VALUES.items()}


def activation(name: str, value, *words: str) -> Activation:
    """The activation that an argument names: by a word, or by Keras's or TensorFlow's function of that name; None for
    linear. Raises ValueError if it is none of `words`, or without them of all.
    """
    words = words or tuple(ACTIVATIONS)
    word = "linear" if value is None else getattr(value, "name", getattr(value, "__name__", value))
    known = isinstance(word, str) and word in words
    functions = [ACTIVATIONS[word], keras.activations.get(word), getattr(tf.nn, word, None)] if known else []
    fits = known and (value is None or value == word or any(value is each for each in functions))
    require(fits, name, f"one of {', '.join(words)}", value)
    return ACTIVATIONS[word]
