"""What training draws: of dropout and zoneout, and where Keras keeps what holds for all steps."""

import tensorflow as tf

keras = tf.keras

# Keras 3's RNN asks cells of this class to draw what holds for all steps before its loop, and to forget it after it;
# Keras 2's to forget it before: the first step draws it then
Drawing = next(each for each in keras.layers.LSTMCell.__mro__ if each.__name__.startswith("DropoutRNNCell"))
KERAS_2 = not hasattr(keras, "random")


def in_reach(value):
    """Whether a tensor can be read here: it is eager, or of this graph or one around it."""
    if not isinstance(value, tf.Tensor) or not hasattr(value, "graph"):
        return True
    graph = tf.compat.v1.get_default_graph()
    while graph is not None and graph is not value.graph:
        graph = getattr(graph, "outer_graph", None)
    return graph is not None


def keep(rate, shape, seed, dtype):
    """What dropout multiplies by: 0 with the probability `rate`, else 1 / (1 - rate). Without a rate, None."""
    if not rate:
        return None
    kept = tf.random.stateless_uniform(shape, seed(), alg="philox") >= rate
    return tf.cast(kept, dtype) * (1 / (1 - rate) if rate < 1 else 0)


def zone(rate, shape, seed, dtype):
    """What zoneout leaves as it was: 1 with the probability `rate`, else 0. Without a rate nothing is drawn."""
    if not rate:
        return None
    return tf.cast(tf.random.stateless_uniform(shape, seed(), alg="philox") < rate, dtype)
