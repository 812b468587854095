"""A layer of TensorFlow to the two functions that are timed: the forward pass, and a training step."""

from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from cellgen.bench.lineup import Runners

tf.get_logger().setLevel("ERROR")  # that functions made here are traced often is what is measured


def functions(
    call: Callable[..., tf.Tensor],
    weights: Mapping[str, Any],
    jit_compile: bool = False,
    trained: Callable[..., tf.Tensor] | None = None,
) -> Runners:
    """call: x (batch, steps, input) and a mask or None -> outputs (batch, steps, units). trained: the same, as it is
    called in a training step, if that is otherwise.

    Of other lengths than the first they are traced once more, for all of them. The gradients are those of the weights
    and of x, as a layer below this one would need it.
    """

    @tf.function(jit_compile=jit_compile, reduce_retracing=True)
    def forward(x, mask):
        return call(x, mask)

    @tf.function(jit_compile=jit_compile, reduce_retracing=True)
    def training(x, mask):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_mean(tf.square((trained or call)(x, mask)))
        return tape.gradient(loss, {"x": x, **weights})

    return Runners(forward, training, tf.constant)
