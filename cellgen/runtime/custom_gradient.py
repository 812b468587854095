"""Derivatives of any order, for every kind of tape: functions of tensors that say what their derivative is."""

import functools

import tensorflow as tf


def known(results, derivative, tensors):
    """Results that were computed from tensors, with `derivative(tensors, d_results)` as their derivative by these."""

    @tf.custom_gradient
    def known(*given):
        def backward(*d_results):
            d_results = tf.nest.pack_sequence_as(results, d_results)
            return tf.nest.flatten(derivative(tf.nest.pack_sequence_as(tensors, given), d_results))

        return tf.nest.flatten(results), backward

    return tf.nest.pack_sequence_as(results, known(*map(tf.identity, tf.nest.flatten(tensors))))


def vectorised():
    """Whether this is traced for `tf.vectorized_map`, or for a jacobian by it: in the name scope that it opens."""
    graph = None if tf.executing_eagerly() else tf.compat.v1.get_default_graph()
    while graph is not None and not any(each.startswith("loop_body") for each in graph.get_name_scope().split("/")):
        graph = getattr(graph, "outer_graph", None)
    return graph is not None


def refuse_vectorised():
    if vectorised():
        raise NotImplementedError(
            "tf.vectorized_map cannot convert the scan's loops: use tf.map_fn, tape.jacobian(...,"
            " experimental_use_pfor=False), or a layer with unroll=True."
        )


def hidden(values):
    """The same, but for tapes, and in the graph that is being built: what a derivative reads of another, TensorFlow's
    forward mode does not find.
    """
    return tf.nest.map_structure(lambda value: tf.stop_gradient(value) if tf.is_tensor(value) else value, values)


@functools.cache
def derivative(function):
    """The derivatives of a function of tensors like `Scan.slopes`, of these and the cotangents of its results."""

    def derivative(given, tensors, **how):
        tensors, d_results = tensors
        results = tf.nest.flatten(function(given, tensors, **how))
        # no tape, for in forward mode tapes see nothing while a derivative is computed
        slopes = tf.gradients(
            results, tf.nest.flatten(tensors), tf.nest.flatten(d_results), unconnected_gradients="zero"
        )
        return tf.nest.pack_sequence_as(tensors, slopes)

    return derivative
