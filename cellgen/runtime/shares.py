"""A batch in shares, scanned side by side, one on each core of a CPU."""

import os

import tensorflow as tf

keras = tf.keras


def in_shares(run, shares, given, *more, **how):
    """The batch in shares, each run by itself, and TensorFlow runs them side by side."""
    *given, arguments = given
    batch_size = keras.ops.shape(given[2][0])[0]
    sizes = [batch_size // shares] * (shares - 1)
    sizes.append(batch_size - sum(sizes))

    def split(values, axis):
        parts = [
            [None] * shares if value is None else tf.split(value, sizes, axis) for value in tf.nest.flatten(values)
        ]
        return [tf.nest.pack_sequence_as(values, [part[share] for part in parts]) for share in range(shares)]

    def together(parts, axis):
        return tf.nest.map_structure(lambda *values: tf.concat(values, axis), *parts)

    given = [(*part, arguments) for part in split(given, 0)]
    if not more:  # `all_steps`
        results, kept, solved = zip(*(run(part, **how) for part in given))
        output, state, sequences = zip(*results)
        solved = tf.nest.map_structure(lambda *values: tf.reduce_max(tf.stack(values)), *solved)
        return (together(output, 0), together(state, 0), together(sequences, 1)), list(kept), solved
    kept, (d_output, d_state, d_sequences) = more
    d_results = zip(split(d_output, 0), split(d_state, 0), split(d_sequences, 1))
    slopes = [run(*part, **how) for part in zip(given, kept or [None] * shares, d_results)]
    d_xs, d_state, d_fresh, d_weights = zip(*slopes)
    d_weights = tf.nest.map_structure(lambda *values: tf.add_n(values), *d_weights)
    return together(d_xs, 0), together(d_state, 0), together(d_fresh, 0), d_weights


def shares_of(batch_size, least):
    """How many shares of a batch are scanned side by side: most of what XLA makes for a CPU runs on one core, so one a
    core, but of `least` samples or more, and of one size, which XLA compiles once.
    """
    if tf.config.list_logical_devices("GPU"):
        return 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = tf.config.threading.get_inter_op_parallelism_threads() or cores
    most = min(cores, threads, batch_size // least)
    return max((shares for shares in range(2, most + 1) if batch_size % shares == 0), default=1)
