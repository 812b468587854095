"""IndRNN, generated from indrnn.yaml. Edit the spec, not this file.

Independently recurrent network: every unit sees only its own past, through one weight. relu as in the paper and its
authors' code (torchrecurrent defaults to tanh); one bias. For sequences of length T the authors also keep |u| below
a bound such as 2^(1/T): a constraint on recurrent_kernel, left to the user.
Li et al. 2018, Independently Recurrent Neural Network (IndRNN), arXiv:1803.04831, CVPR 2018, 5457-5466

    h = activation(x @ kernel + recurrent_kernel * h[t-1] + bias)

State: `IndRNNState(h)`, h (batch, units). Output: h (batch, units).
A masked step holds state and output (the output is zero before the first step that counts).

    layer = IndRNN(128, return_sequences=True)
    y = layer(x, mask=mask)  # x (batch, time, input), mask (batch, time) -> y (batch, time, 128)
    rnn = keras.layers.RNN(IndRNNCell(128))  # the cell alone, here or wherever a cell goes
"""

import functools
import numbers
import os
from typing import NamedTuple

import tensorflow as tf

keras = tf.keras


class IndRNNState(NamedTuple):
    """What is carried from step to step."""

    h: tf.Tensor  # (batch, units)


# --- the equations --------------------------------------------------------------------------------------------------


def _step(x, state, *, kernel, recurrent_kernel, bias, activation):
    """One step: x (batch, input) and the state before it -> the output and the state after it."""
    (h_prev,) = state
    # h = activation(x @ kernel + recurrent_kernel * h[t-1] + bias)
    h = activation(x @ kernel + recurrent_kernel * h_prev + bias)
    return h, IndRNNState(h)


# --- the equations, as the scan runs them --------------------------------------------------------------------------


def _before(*, x, kernel, bias, **_):
    """All steps at once: what reads no state -> values by name, each (steps, ...)."""
    # h = activation(x @ kernel + recurrent_kernel * h[t-1] + bias)
    _h_x = x @ kernel + bias
    return {"_h_x": _h_x}


def _forward(state, *, _h_x, recurrent_kernel, activation, **_):
    """One step of the loop -> output, state, and what the way back reads."""
    (h_prev,) = state
    # h = activation(x @ kernel + recurrent_kernel * h[t-1] + bias)
    _h_in = _h_x + recurrent_kernel * h_prev
    h = activation(_h_in)
    return h, IndRNNState(h), {"h_prev": h_prev, "h": h}


def _backward(_d_output, _d_state, *, _h_x, h_prev, h, recurrent_kernel, _activation_gradient, **_):
    """One step back: the derivatives of the loss by output and state -> that by the state before, and what `_after` reads.

    `_d_c` is the derivative by `c`, and stands under the equation of `c`; `_d_c_in` that by what its activation is given.
    """
    (_d_h_next,) = _d_state
    # h = activation(x @ kernel + recurrent_kernel * h[t-1] + bias)
    _h_in = _h_x + recurrent_kernel * h_prev
    _d_h = _d_h_next + _d_output
    _d_h_in = _activation_gradient(_d_h, _h_in, h)
    _d_h_prev = _d_h_in * recurrent_kernel
    return IndRNNState(_d_h_prev), {"_d_h_in": _d_h_in}


def _after(*, x, h_prev, _d_h_in, kernel_T, **_):
    """All steps at once: the derivatives of the loss by the input and by each weight, by name."""
    # h = activation(x @ kernel + recurrent_kernel * h[t-1] + bias)
    _d_x = _d_h_in @ kernel_T
    _d_kernel = tf.matmul(x, _d_h_in, transpose_a=True)
    _d_recurrent_kernel = tf.reduce_sum(_d_h_in * h_prev, axis=0)
    _d_bias = tf.reduce_sum(_d_h_in, axis=0)
    return {"x": _d_x}, {"kernel": _d_kernel, "recurrent_kernel": _d_recurrent_kernel, "bias": _d_bias}


def _turned(*, kernel=None, **_):
    """Weights with their axes swapped: once, since every step back multiplies by them."""
    return {
        "kernel_T": tf.transpose(kernel),
    }


def _differentiated(**_):
    """The names of the weights that are differentiated."""
    return ["kernel", "recurrent_kernel", "bias"]


# --- the scan -------------------------------------------------------------------------------------------------------


def _scan(
    xs,
    mask,
    state,
    fresh,
    arguments,
    *,
    return_sequences,
    return_all_states,
    zero_output,
    steps=None,
    low_memory=False,
    unroll=1,
    stacked=False,
):
    """All steps, in chunks that stay in cache, differentiated by `_backward`.

    xs: x (batch, time, input), by name; mask (batch, time, 1) or None, state and fresh: IndRNNState
    -> last output, last state, a list of the sequences wanted, (time, batch, ...): outputs, then each state.
    steps: how many run, if not all. low_memory: keep the state before each chunk alone, and run its steps again on the
    way back. unroll: how many steps the loop takes at once. stacked: hand tensors on to the way back, not arrays of
    them, which XLA cannot.
    """
    weights = {name: value for name, value in arguments.items() if tf.is_tensor(value)}
    options = {name: value for name, value in arguments.items() if not tf.is_tensor(value)}
    wanted = {
        "return_sequences": return_sequences,
        "return_all_states": return_all_states,
        "zero_output": zero_output,
        "unroll": unroll,
    }

    def layout():
        """The batch, the time, the steps that run, those of a chunk, the chunks, those that run. The way back asks anew:
        handed on, they would be no constants to XLA, or make those of all that they were counted from.
        """
        batch_size, time = keras.ops.shape(whole_xs["x"])[:2]
        size = _chunk_size(batch_size, time, low_memory)
        runs = time if steps is None else steps
        chunks = (time + size - 1) // size
        return (
            batch_size,
            time,
            runs,
            size,
            tf.maximum(1, chunks) if tf.is_tensor(chunks) else max(1, chunks),
            tf.maximum(1, (runs + size - 1) // size),
        )

    _of_one_batch(*xs.values(), *state, *fresh, *([] if mask is None else [mask]))
    whole_xs = xs
    _, time, runs, size, chunks, _ = layout()
    whole = steps is None and not tf.is_tensor(time) and not tf.is_tensor(size) and time > 0 and time % size == 0
    alone = whole and time == size  # one chunk is all
    mask = None if mask is None else _filled(mask, chunks * size, 1)

    def chunk(values, index, size):
        """(batch, time, ...) -> the steps of a chunk in front."""
        rank = len(values.shape)
        part = tf.slice(
            values, [0, index * size, *[0] * (rank - 2)], [keras.ops.shape(values)[0], size, *values.shape[2:]]
        )
        part.set_shape([values.shape[0], None if tf.is_tensor(size) else size, *values.shape[2:]])
        return tf.transpose(part, [1, 0, *range(2, rank)])

    @tf.custom_gradient
    def scan(*tensors):
        xs, tensors = dict(zip(whole_xs, tensors)), tensors[len(whole_xs) :]
        state, fresh, rest = IndRNNState(*tensors[:1]), IndRNNState(*tensors[1:2]), tensors[2:]
        arguments = {**options, **dict(zip(weights, rest))}
        batch_size, time, runs, size, chunks, count = layout()
        xs = {name: _filled(values, chunks * size, 1) for name, values in xs.items()}

        masked = {} if mask is None else {name: _stand_in(values, mask) for name, values in xs.items()}

        def part(index, size):
            steps = {name: chunk(values, index, size) for name, values in xs.items()}
            for name, other in masked.items():
                steps[name] = _where(chunk(mask, index, size), steps[name], other)
            return steps

        def run(index, output, state, size):
            on = None if mask is None else chunk(mask, index, size)
            length = size if whole else tf.minimum(size, runs - index * size)
            return _chunk_forward(part(index, size), length, on, output, state, fresh, arguments, likely, **wanted)

        def forward(index, output, state, starts, rooms, results):
            starts = [room.write(index, value) for room, value in zip(starts, [output, *state])]
            output, state, sequences, kept = run(index, output, state, size)
            rooms = {name: room.write(index, kept[name]) for name, room in rooms.items()}
            results = [room.write(index, values) for room, values in zip(results, sequences)]
            return index + 1, output, state, starts, rooms, results

        output, likely = _likely({name: values[:, 0] for name, values in xs.items()}, state, arguments)
        output = tf.zeros_like(output)
        starts = [output, *state]
        if alone:
            output, final, results, rooms = run(0, output, state, size)
        else:
            starts = [_room(value, chunks, batch_size) for value in starts]
            rooms = {
                name: _room(_steps(value, size), chunks, size, batch_size)
                for name, value in likely.items()
                if not low_memory
            }
            results = [*([output] if return_sequences else []), *(state if return_all_states else [])]
            results = [_room(_steps(value, size), chunks, size, batch_size) for value in results]
            loop = 0, output, state, starts, rooms, results
            loop = tf.while_loop(lambda index, *_: index < count, forward, loop, maximum_iterations=chunks)
            _, output, final, starts, rooms, results = loop
            results = [_joined(room, time) for room in results]
            if stacked:
                starts, rooms = [room.stack() for room in starts], {name: room.stack() for name, room in rooms.items()}

        def backward(d_output, *d_results):
            batch_size, time, runs, size, chunks, count = layout()
            d_state, d_sequences = IndRNNState(*d_results[:1]), [_filled(d, chunks * size, 0) for d in d_results[1:]]
            turned = {**arguments, **_turned(**arguments)}
            arrays = stacked and not alone
            before = [_array(values) if arrays else values for values in starts]
            held = {name: _array(values) if arrays else values for name, values in rooms.items()}

            def back(index, d_output, d_state, d_fresh):
                kept = {name: values if alone else values.read(index) for name, values in held.items()}
                if low_memory:
                    output, *state = [values if alone else values.read(index) for values in before]
                    kept = run(index, output, IndRNNState(*state), size)[-1]
                kept = {**kept, **part(index, size)}
                on = None if mask is None else chunk(mask, index, size)
                length = size if whole else tf.minimum(size, runs - index * size)
                d_parts = [_part(d, index, size) for d in d_sequences]
                return _chunk_back(d_output, d_state, d_fresh, d_parts, kept, length, on, turned, **wanted)

            def body(index, d_output, d_state, d_fresh, d_xs, d_weights):
                d_output, d_state, d_fresh, d_part, more = back(index, d_output, d_state, d_fresh)
                d_xs = {name: room.write(index, d_part[name]) for name, room in d_xs.items()}
                d_weights = {name: value + more[name] for name, value in d_weights.items()}
                return index - 1, d_output, d_state, d_fresh, d_xs, d_weights

            d_fresh = IndRNNState(*(tf.zeros_like(value) for value in state))
            if alone:
                _, d_state, d_fresh, d_xs, d_weights = back(0, d_output, d_state, d_fresh)
            else:
                d_xs = {name: _room(values, chunks, size, batch_size) for name, values in part(0, size).items()}
                d_weights = {name: tf.zeros_like(weights[name]) for name in _differentiated(**turned)}
                loop = count - 1, d_output, d_state, d_fresh, d_xs, d_weights
                loop = tf.while_loop(lambda index, *_: index >= 0, body, loop, maximum_iterations=chunks)
                _, _, d_state, d_fresh, d_xs, d_weights = loop
                d_xs = {name: _joined(room, time) for name, room in d_xs.items()}
            d_xs = [tf.transpose(d_xs[name], [1, 0, *range(2, len(d_xs[name].shape))]) for name in xs]
            return *d_xs, *d_state, *d_fresh, *(d_weights.get(name) for name in weights)

        return [output, *final, *results], backward

    last_output, *results = scan(*xs.values(), *state, *fresh, *weights.values())
    return last_output, IndRNNState(*results[:1]), list(results[1:])


@functools.cache
def _traced(scan, widths, eager, **how):
    """A scan as a function of TensorFlow's, for weights and values of some widths and any batch and time.

    eager: whether it is called eagerly; TensorFlow mixes up the gradients of a trace that serves both.
    """
    return tf.function(scan, autograph=False, reduce_retracing=True, **how)


def _widths(xs, state, arguments):
    """What is known of the shapes of all that a scan takes, but for batch and time."""
    shapes = [*(values.shape[2:] for values in xs.values()), *(value.shape[1:] for value in state)]
    shapes += (value.shape for value in arguments.values() if tf.is_tensor(value))
    return tuple(map(tuple, shapes))


def _scan_in_graph(xs, mask, state, fresh, arguments, **wanted):
    """`_scan`, traced: called eagerly, its steps run as a graph."""
    scan = _traced(_scan, _widths(xs, state, arguments), tf.executing_eagerly())
    return scan(xs, mask, state, fresh, arguments, **wanted)


def _scan_compiled(xs, mask, state, fresh, arguments, **wanted):
    """`_scan`, compiled by XLA for each batch and time."""
    widths, eager = _widths(xs, state, arguments), tf.executing_eagerly()
    shares = _shares(xs["x"].shape[0])
    if shares > 1:
        scan = _traced(_scan_shared, widths, eager) if eager else _scan_shared
        return scan(xs, mask, state, fresh, arguments, shares=shares, **wanted)
    scan = _traced(_scan, widths, eager, jit_compile=True)
    return scan(xs, mask, state, fresh, arguments, stacked=True, **wanted)


def _scan_shared(xs, mask, state, fresh, arguments, *, shares, **wanted):
    """The batch in shares, each scanned by itself, and TensorFlow runs them side by side."""
    scan = _traced(_scan, _widths(xs, state, arguments), False, jit_compile=True)
    batch_size = keras.ops.shape(xs["x"])[0]
    sizes = [batch_size // shares] * (shares - 1)
    sizes.append(batch_size - sum(sizes))
    whole = xs, mask, state, fresh
    split = [[None] * shares if value is None else tf.split(value, sizes) for value in tf.nest.flatten(whole)]
    found = [scan(*tf.nest.pack_sequence_as(whole, part), arguments, stacked=True, **wanted) for part in zip(*split)]
    outputs, states, sequences = zip(*found)
    state = IndRNNState(*(tf.concat(values, 0) for values in zip(*states)))
    return tf.concat(outputs, 0), state, [tf.concat(values, 1) for values in zip(*sequences)]


def _shares(batch_size):
    """How many shares of a batch are scanned side by side: most of what XLA makes for a CPU runs on one core, so one a
    core, but of 8 or more, and of one size, which XLA compiles once. A batch that is not known is taken for 32.
    """
    if tf.config.list_logical_devices("GPU"):
        return 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = tf.config.threading.get_inter_op_parallelism_threads() or cores
    likely = 32 if batch_size is None else batch_size
    most = min(cores, threads, likely // 8)
    return max((shares for shares in range(2, most + 1) if likely % shares == 0), default=1)


def _scan_in_bucket(xs, mask, state, fresh, arguments, **wanted):
    """`_scan`, compiled by XLA for a few lengths only: a sequence is filled up to the next, and its own steps run."""
    time = keras.ops.shape(xs["x"])[1]
    bucket = _bucket(time)
    xs = {name: _filled(values, bucket, 1) for name, values in xs.items()}
    mask = None if mask is None else _filled(mask, bucket, 1)
    steps = tf.convert_to_tensor(time)
    output, state, sequences = _scan_compiled(xs, mask, state, fresh, arguments, steps=steps, **wanted)
    return output, state, [values[:time] for values in sequences]


def _bucket(time):
    """The next of 16, 24, 32, 48, 64, ...: at most half as long again."""
    if tf.is_tensor(time):
        exponent = tf.math.ceil(tf.math.log(tf.cast(time, tf.float32) - 0.5) / tf.math.log(2.0))
        power = tf.maximum(16, tf.cast(tf.pow(2.0, exponent), tf.int32))
    else:
        power = max(16, 1 << (max(1, time) - 1).bit_length())
    less = power // 4 * 3
    if tf.is_tensor(time):
        return tf.where((time <= less) & (power > 16), less, power)
    return less if time <= less and power > 16 else power


def _likely(xs, state, arguments):
    """The output of a step and what is kept of it, for their dtypes and shapes alone."""
    ready = _before(**xs, **arguments)
    output, _, kept = _forward(state, **xs, **ready, **arguments)
    return output, {**ready, **kept}


def _chunk_forward(
    xs, length, on, output, state, fresh, arguments, likely, *, return_sequences, return_all_states, zero_output, unroll
):
    """`length` steps of a chunk, time in front -> last output, last state, the sequences wanted, what is kept."""
    size, batch_size = keras.ops.shape(xs["x"])[:2]
    ready = _together(_before, xs, arguments)
    values = {**xs, **ready}
    each = {name: _array(values[name]) for name in ["_h_x"] if name in values}
    ons = None if on is None else _array(on)
    rooms = {name: _room(value, size, batch_size) for name, value in likely.items() if name not in ready}
    wanted = [*([output] if return_sequences else []), *(state if return_all_states else [])]
    sequences = [_room(value, size, batch_size) for value in wanted]

    def step(t, output, state, rooms, sequences):
        new_output, new_state, kept = _forward(
            state, **{name: array.read(t) for name, array in each.items()}, **arguments
        )
        if on is not None:  # mask: hold
            here = ons.read(t)
            held = tf.zeros_like(output) if zero_output else output
            new_output = tf.where(here, new_output, held)
            new_state = IndRNNState(*(tf.where(here, new, old) for new, old in zip(new_state, state)))
        rooms = {name: room.write(t, kept[name]) for name, room in rooms.items()}
        wanted = [*([new_output] if return_sequences else []), *(new_state if return_all_states else [])]
        sequences = [room.write(t, value) for room, value in zip(sequences, wanted)]
        return t + 1, new_output, new_state, rooms, sequences

    loop = _repeated(lambda t, count: t + count <= length, step, (0, output, state, rooms, sequences), size, unroll)
    _, output, state, rooms, sequences = loop
    kept = {**ready, **{name: _finite(room.stack(), length) for name, room in rooms.items()}}
    return output, state, [room.stack() for room in sequences], kept


def _chunk_back(
    d_output,
    d_state,
    d_fresh,
    d_sequences,
    kept,
    length,
    on,
    arguments,
    *,
    return_sequences,
    return_all_states,
    zero_output,
    unroll,
):
    """The steps of a chunk in reverse, then `_after` -> the derivatives by output, state, fresh, x and weights."""
    size, batch_size = keras.ops.shape(kept["x"])[:2]
    d_wanted = [_array(values) for values in d_sequences]
    each = {name: _array(kept[name]) for name in ["_h_x", "h_prev", "h"] if name in kept}
    ons = None if on is None else _array(on)
    likely = {name: tf.zeros_like(kept[name][0]) for name in each}
    sent = _backward(d_output, d_state, **likely, **arguments)[1]  # for dtypes and shapes
    rooms = {name: _room(value, size, batch_size) for name, value in sent.items()}

    def step(t, d_output, d_state, d_fresh, rooms):
        d_here = [array.read(t) for array in d_wanted]
        if return_sequences:
            d_output += d_here.pop(0)
        if return_all_states:
            d_state = IndRNNState(*(a + b for a, b in zip(d_state, d_here)))
        d_before = tf.zeros_like(d_output)
        d_later = d_state
        d_state, sent = _backward(
            d_output, d_state, **{name: array.read(t) for name, array in each.items()}, **arguments
        )
        if on is not None:  # mask: hold. Chosen, not multiplied by 0: a masked step may overflow
            here = ons.read(t)
            if not zero_output:
                d_before = tf.where(here, d_before, d_output)
            d_state = IndRNNState(*(tf.where(here, d, later) for d, later in zip(d_state, d_later)))
            sent = {name: _where(here, d, tf.zeros_like(d)) for name, d in sent.items()}
        rooms = {name: room.write(t, sent[name]) for name, room in rooms.items()}
        return t - 1, d_before, d_state, d_fresh, rooms

    loop = length - 1, d_output, d_state, d_fresh, rooms
    loop = _repeated(lambda t, count: t >= count - 1, step, loop, size, unroll)
    _, d_output, d_state, d_fresh, rooms = loop
    values = {**kept, **{name: room.stack() for name, room in rooms.items()}}
    values = {name: _flat(values[name]) for name in ["x", "h_prev", "_d_h_in"] if name in values}
    d_xs, d_weights = _after(**values, **arguments)
    d_xs = {name: tf.reshape(d, tf.shape(kept[name])) for name, d in d_xs.items()}
    return d_output, d_state, d_fresh, d_xs, d_weights


def _repeated(goes_on, step, loop, size, unroll):
    """A loop of at most `size` steps, `unroll` of them at once while so many are left, then one by one."""
    for count in dict.fromkeys((min(unroll, size) if isinstance(size, int) else unroll, 1)):

        def steps(*loop, count=count):
            for _ in range(count):
                loop = step(*loop)
            return loop

        loop = tf.while_loop(lambda t, *_, count=count: goes_on(t, count), steps, loop, maximum_iterations=size)
    return loop


def _unrolled(xs, mask, state, fresh, arguments, *, return_sequences, return_all_states, zero_output, **_):
    """`_scan` step by step in Python, for breakpoints; differentiated by TensorFlow."""
    xs = _counting(xs, mask)
    output, lists = None, []
    for t in range(xs["x"].shape[1]):
        new_output, new_state = _step(state=state, **{name: values[:, t] for name, values in xs.items()}, **arguments)
        if mask is not None:  # mask: hold
            held = tf.zeros_like(new_output) if zero_output or output is None else output
            new_output = tf.where(mask[:, t], new_output, held)
            new_state = IndRNNState(*(tf.where(mask[:, t], new, old) for new, old in zip(new_state, state)))
        output, state = new_output, new_state
        lists.append([*([output] if return_sequences else []), *(state if return_all_states else [])])
    return output, state, [tf.stack(values) for values in zip(*lists)]


def _chunk_size(batch_size, time, low_memory):
    """How many steps run between two looks at main memory: about 512 rows; for low memory the root of all, if more."""
    if tf.is_tensor(time) and not tf.is_tensor(batch_size) and not low_memory:
        return max(1, 512 // max(1, batch_size))  # a number: TFLite must know what a list holds
    if tf.is_tensor(batch_size) or tf.is_tensor(time):
        size = tf.maximum(1, 512 // tf.maximum(1, batch_size))
        root = tf.cast(tf.sqrt(tf.cast(time, tf.float32)), tf.int32)
        return tf.maximum(size, root) if low_memory else size
    size = max(1, 512 // max(1, batch_size), int(time**0.5) if low_memory else 1)
    if size >= time:
        return max(1, time)
    even = [each for each in range(size // 2 + 1, 2 * size) if time % each == 0]  # no chunk is shorter then
    return min(even, key=lambda each: abs(each - size), default=size)


def _of_one_batch(*values):
    """What is known of the batch of one value holds for all; a trace that serves other batches may have lost it."""
    known = [value.shape[0] for value in values if value.shape[0] is not None]
    for value in values:
        value.set_shape([known[0] if known else None, *value.shape[1:]])


def _part(values, index, size):
    """(time, ...) -> the steps of a chunk."""
    part = tf.slice(values, [index * size, *[0] * (len(values.shape) - 1)], [size, *keras.ops.shape(values)[1:]])
    part.set_shape([None if tf.is_tensor(size) else size, *values.shape[1:]])
    return part


def _counting(xs, mask):
    """Inputs by name, each masked step replaced by one that counts: nothing of it reaches anything then, not even a NaN,
    which a product with 0 would let through.
    """
    if mask is None:
        return xs
    time = keras.ops.shape(mask)[1]
    some = tf.maximum(1, time) if tf.is_tensor(time) else max(1, time)

    def counting(values):
        other = _stand_in(_filled(values, some, 1), _filled(mask, some, 1))
        return _where(mask, values, tf.expand_dims(other, 1))

    return xs | {name: counting(values) for name, values in xs.items()}


def _stand_in(values, mask):
    """(batch, time, ...) -> of each sample a step that counts, or ones: (batch, ...)."""
    found = tf.gather(values, tf.argmax(tf.cast(tf.squeeze(mask, -1), tf.int32), 1), axis=1, batch_dims=1)
    return tf.stop_gradient(_where(tf.reduce_any(mask, 1), found, tf.ones([], values.dtype)))


def _where(on, a, b):
    """`a` where `on` (..., 1), else `b`, which may have more axes."""
    if len(a.shape) > len(on.shape):
        on = tf.reshape(on, [*keras.ops.shape(on), *[1] * (len(a.shape) - len(on.shape))])
    return tf.where(on, a, b)


def _filled(values, time, axis):
    """With the last step again and again, up to a length: nothing comes of those, but they are no worse than it."""
    shape = keras.ops.shape(values)
    missing, none = time - shape[axis], 1 - tf.minimum(1, shape[axis])
    if not tf.is_tensor(missing) and missing == 0:
        return values
    last = values[:, -1:] if axis else values[-1:]
    last = tf.concat([last, tf.zeros([*shape[:axis], none, *shape[axis + 1 :]], values.dtype)], axis)
    return tf.concat([values, tf.broadcast_to(last, [*shape[:axis], missing, *shape[axis + 1 :]])], axis)


def _finite(values, length):
    """The steps that did not run as the last one that did, so that a derivative of zero is zero there too."""
    size = keras.ops.shape(values)[0]
    if not tf.is_tensor(length) and length == size:
        return values
    rows = tf.maximum(0, tf.minimum(tf.range(size), length - 1))
    return tf.cond(length < size, lambda: tf.gather(values, rows), lambda: values)


def _array(values):
    """(steps, ...) -> an array to read more than once."""
    array = tf.TensorArray(
        values.dtype, size=tf.shape(values)[0], element_shape=values.shape[1:], clear_after_read=False
    )
    return array.unstack(values)


def _room(value, count, *sizes):
    """An array for `count` values like this one, whose first sizes are these."""
    room = tf.TensorArray(value.dtype, size=count, element_shape=value.shape, clear_after_read=False)
    if None in value.shape:  # what nothing is written to must know its shape
        room = room.write(0, tf.zeros([*sizes, *value.shape[len(sizes) :]], value.dtype))
    return room


def _steps(value, size):
    """What a chunk holds of a value of one step, as dtype and shape."""
    return tf.TensorSpec([None if tf.is_tensor(size) else size, *value.shape], value.dtype)


def _joined(room, time):
    """Chunks of steps -> (time, ...)."""
    chunks = room.stack()
    return tf.reshape(chunks, [-1, *keras.ops.shape(chunks)[2:]])[:time]


def _flat(values):
    """(steps, batch, ...) -> (steps * batch, ...)."""
    return tf.reshape(values, [-1, *values.shape[2:]])


def _together(function, values, arguments):
    """Applies a function of all steps to values (steps, batch, ...) -> the same of its results, by name."""
    steps, batch_size = keras.ops.shape(values["x"])[:2]
    results = function(**{name: _flat(value) for name, value in values.items()}, **arguments)
    return {name: tf.reshape(value, [steps, batch_size, *value.shape[1:]]) for name, value in results.items()}


# --- arguments ------------------------------------------------------------------------------------------------------

_INITIALIZERS = {
    "kernel": "glorot_uniform",
    "recurrent_kernel": {"class_name": "RandomUniform", "config": {"minval": 0.0, "maxval": 1.0}},
    "bias": "zeros",
}
_KINDS = "initializer", "regularizer", "constraint"
_WEIGHT_ARGUMENTS = {  # `kernel_initializer` and so on, with their defaults
    f"{weight}_{kind}": initializer if kind == "initializer" else None
    for weight, initializer in _INITIALIZERS.items()
    for kind in _KINDS
}

_ACTIVATIONS = {
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
_GRADIENTS = {  # of each, by d, its argument x and its value y
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


_FLOATING = "of a floating dtype, as `tf.cast(x, 'float32')` gives (an Embedding takes integers)"


def _require(fits, name, wanted, value):
    """Refuses an argument in words that say what is wanted and what came."""
    if not fits:
        raise ValueError(f"`{name}` must be {wanted}. Received: {value!r}")


def _of_sizes(name, value, sizes, wanted):
    """A tensor, refused if its first axes have other sizes than these, None for any; `{}` in `wanted` stand for them."""
    came = keras.ops.shape(value)
    pairs = [(a, b) for a, b in zip(came, sizes) if b is not None]
    later = [tf.equal(a, b) for a, b in pairs if tf.is_tensor(a) or tf.is_tensor(b)]
    fits = len(came) >= len(sizes) and all(a == b for a, b in pairs if not (tf.is_tensor(a) or tf.is_tensor(b)))
    shape = f"({', '.join('{}' for _ in came)}{',' * (len(came) == 1)})"
    fits = tf.reduce_all(tf.stack(later)) if fits and later else fits
    return _if(fits, value, f"`{name}` must be {wanted}. Received: {shape}", *sizes, *came)


def _if(fits, value, sentence, *numbers):
    """A tensor, if it fits; else the sentence with the numbers for `{}`, as an exception, or where a graph knows them only
    when it runs, as an assertion.
    """
    eager = tf.executing_eagerly()
    if tf.is_tensor(fits) and not eager:
        with tf.control_dependencies([tf.debugging.Assert(fits, [tf.strings.format(sentence, list(numbers))])]):
            return tf.identity(value)
    if not fits:
        raise ValueError(sentence.format(*(each if eager or not tf.is_tensor(each) else None for each in numbers)))
    return value


def _is_whole(value):
    """Whether it is an integer, NumPy's too."""
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def _is_size(value):
    return _is_whole(value) and value > 0


def _is_number(value):
    """Whether it is a real number, NumPy's too."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and value == value


def _swapped(values):
    """(time, batch, ...) -> (batch, time, ...), or back."""
    return None if values is None else tf.transpose(values, [1, 0, *range(2, len(values.shape))])


def _batch_first(shape):
    """(time, batch, ...) -> (batch, time, ...)."""
    return (shape[1], shape[0], *shape[2:])


def _dense(values):
    """Ragged sequences, filled up with zeros; others as they are."""
    if not isinstance(values, tf.RaggedTensor):
        return values
    _require(values.ragged_rank == 1, "sequences", "ragged in time alone", values.shape)
    return values.to_tensor()


def _registry(argument):
    """Where Keras looks a `kernel_initializer` or its like up: keras.initializers, regularizers or constraints."""
    return getattr(keras, argument.rsplit("_", 1)[1] + "s")


def _activation_name(name, value):
    """An activation's name, given it, or Keras's function of that name, or None for linear."""
    word = "linear" if value is None else getattr(value, "__name__", value)
    known = isinstance(word, str) and word in _ACTIVATIONS
    fits = known and (value is None or value == word or value is keras.activations.get(word))
    _require(fits, name, f"one of {', '.join(_ACTIVATIONS)}", value)
    return word


# --- Keras ----------------------------------------------------------------------------------------------------------


@keras.utils.register_keras_serializable("indrnn")
class IndRNNCell(keras.layers.Layer):
    """One step of IndRNN, for `keras.layers.RNN` and everything else that takes a cell.

    call(x, state) -> (output, state): x (batch, input); state is a `IndRNNState` or its tensors, in order,
    in another container, and the new one is like it.
    Each weight takes Keras's three arguments, as in `kernel_initializer`,
    `kernel_regularizer`, `kernel_constraint`.
    state_is_tuple=False: the state comes and goes as one tensor, its parts side by side in their order.
    Raises ValueError where an argument does not fit.
    """

    def __init__(self, units, activation="relu", state_is_tuple=True, **kwargs):
        _given = {name: kwargs.pop(name, default) for name, default in _WEIGHT_ARGUMENTS.items()}
        super().__init__(**kwargs)
        _require(_is_size(units), "units", "a positive integer", units)
        self.units = int(units)
        self.activation = _activation_name("activation", activation)
        self.weight_arguments = {name: _registry(name).get(value) for name, value in _given.items()}
        self._state_sizes = [units]
        _require(isinstance(state_is_tuple, bool), "state_is_tuple", "True or False", state_is_tuple)
        self.state_is_tuple = state_is_tuple
        self.state_size = self._state_sizes if state_is_tuple else sum(self._state_sizes)
        self.output_size = units
        self.input_spec = keras.layers.InputSpec(ndim=2)

    def build(self, input_shape):
        _require(input_shape[-1] is not None, "x", "of known width (its last axis)", tuple(input_shape))
        self.kernel = self.add_weight(name="kernel", shape=[input_shape[-1], self.units], **self._arguments("kernel"))
        self.recurrent_kernel = self.add_weight(
            name="recurrent_kernel", shape=[self.units], **self._arguments("recurrent_kernel")
        )
        self.bias = self.add_weight(name="bias", shape=[self.units], **self._arguments("bias"))
        self.input_spec = keras.layers.InputSpec(shape=(None, *input_shape[1:]))
        self.built = True

    def _arguments(self, weight):
        return {kind: self.weight_arguments[f"{weight}_{kind}"] for kind in _KINDS}

    def step_arguments(self):
        """What `_step` takes besides x and the state: weights in the compute dtype, split by label, and options."""

        def cast(weight):
            return tf.cast(tf.convert_to_tensor(weight), self.compute_dtype)

        return {
            "kernel": cast(self.kernel),
            "recurrent_kernel": cast(self.recurrent_kernel),
            "bias": cast(self.bias),
            "activation": _ACTIVATIONS[self.activation],
        }

    def named(self, state):
        """A state in any container, by position -> IndRNNState in the compute dtype."""
        values = [tf.cast(tf.convert_to_tensor(value), self.compute_dtype) for value in tf.nest.flatten(state)]
        if not self.state_is_tuple:
            fits = len(values) == 1 and values[0].shape.is_compatible_with([None, self.state_size])
            _require(fits, "state", f"(batch, {self.state_size})", [tuple(value.shape) for value in values])
            values = tf.split(values[0], self._state_sizes, axis=-1)
        shapes = [[None, size] for size in self._state_sizes]
        wanted = ", ".join(f"{name} (batch, {size})" for name, size in zip(IndRNNState._fields, self._state_sizes))
        fits = len(values) == len(shapes) and all(v.shape.is_compatible_with(s) for v, s in zip(values, shapes))
        _require(fits, "state", wanted, [tuple(value.shape) for value in values])
        return IndRNNState(*values)

    def call(self, x, state, training=False, scope=None):  # scope: TensorFlow 1's wrappers pass it
        _require(x.dtype.is_floating, "x", _FLOATING, x.dtype.name)
        output, new_state = _step(x, self.named(state), **self.step_arguments())
        return output, tf.nest.pack_sequence_as(state, self._joined(new_state))

    def _joined(self, state):
        """The tensors of a state; one, side by side, where state_is_tuple is False."""
        return list(state) if self.state_is_tuple else [tf.concat(state, axis=-1)]

    def get_initial_state(self, inputs=None, batch_size=None, dtype=None):
        """Zeros, in a list."""
        batch_size = tf.shape(inputs)[0] if batch_size is None else batch_size
        state = [tf.zeros([batch_size, size], dtype or self.compute_dtype) for size in self._state_sizes]
        return state if self.state_is_tuple else self._joined(state)[0]

    def zero_state(self, batch_size, dtype):
        """`get_initial_state` by TensorFlow 1's name -> IndRNNState."""
        state = self.get_initial_state(batch_size=batch_size, dtype=dtype)
        return IndRNNState(*state) if isinstance(state, list) else state

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "activation": self.activation,
            **{name: _registry(name).serialize(value) for name, value in self.weight_arguments.items()},
            "state_is_tuple": self.state_is_tuple,
        }


@keras.utils.register_keras_serializable("indrnn")
class IndRNN(keras.layers.RNN):
    """IndRNN over a sequence: (batch, time, input) -> (batch, units).

    Takes the arguments of `IndRNNCell` and of `keras.layers.RNN`, and more:
    return_all_states adds a `IndRNNState` of sequences (batch, time, size) at the end of the result;
    time_major: (time, batch, ...) comes and goes, masks too;
    unroll: all steps as one graph (True), or so many at once in the loop; debug runs step by step in Python;
    jit_compile: XLA runs the scan, or not, or where it was measured to be faster ("auto");
    memory="low" keeps about the square root of what the way back reads, and computes the rest again.
    """

    def __init__(
        self,
        units,
        activation="relu",
        return_sequences=False,
        return_state=False,
        return_all_states=False,
        go_backwards=False,
        stateful=False,
        time_major=False,
        unroll=False,
        debug=False,
        jit_compile="auto",
        memory="normal",
        **kwargs,
    ):
        cell = IndRNNCell(
            units,
            activation,
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
            unroll=unroll is True,
            **kwargs,
        )
        fits = isinstance(unroll, numbers.Integral) and unroll >= 0
        _require(fits, "unroll", "True, False or a number of steps", unroll)
        self.unroll = unroll if isinstance(unroll, bool) else int(unroll)
        self.time_major = time_major
        self.return_all_states = return_all_states
        self.debug = debug
        _require(jit_compile in ("auto", True, False), "jit_compile", '"auto", True or False', jit_compile)
        _require(memory in ("normal", "low"), "memory", '"normal" or "low"', memory)
        self.jit_compile = jit_compile
        self.memory = memory
        self.input_spec = keras.layers.InputSpec(ndim=3)

    def build(self, sequences_shape, initial_state_shape=None):
        shape = _batch_first(sequences_shape) if self.time_major else sequences_shape
        super().build(shape)
        batch_size = shape[0] if self.stateful else None
        axes = (None, batch_size) if self.time_major else (batch_size, None)
        self.input_spec = keras.layers.InputSpec(shape=(*axes, *shape[2:]))

    @tf.autograph.experimental.do_not_convert
    def __call__(self, sequences, *args, **kwargs):
        """Ragged sequences run as long as each is; what is returned of every step is ragged then."""
        ragged = sequences
        if not isinstance(ragged, tf.RaggedTensor):
            return super().__call__(sequences, *args, **kwargs)
        sequences = _dense(sequences)
        _require(not self.time_major, "sequences", "no ragged tensor for time_major=True", ragged.shape)
        _require(
            kwargs.get("lengths") is None, "lengths", "None: ragged sequences have their own", kwargs.get("lengths")
        )
        lengths = ragged.row_lengths()
        result = super().__call__(sequences, *args, **{**kwargs, "lengths": lengths})
        counts = tf.sequence_mask(lengths, tf.shape(sequences)[1])
        if self.go_backwards:  # what a row was filled up with comes first then
            counts = tf.reverse(counts, [1])
        found = list(result) if isinstance(result, tuple) else [result]
        whole = 1 + self.return_state * len(self.cell.state_size)
        for index in (*([0] if self.return_sequences else []), *range(whole, len(found))):
            found[index] = tf.nest.map_structure(
                lambda values: ragged.with_values(tf.boolean_mask(values, counts)), found[index]
            )
        return tuple(found) if isinstance(result, tuple) else found[0]

    def call(self, sequences, initial_state=None, mask=None, lengths=None, training=False):
        """sequences (batch, time, input), or ragged -> output; with return_state, then each state; with return_all_states,
        then all of them over time. initial_state: like the cell's state; mask: (batch, time); lengths: (batch,).
        A step counts if mask and lengths both allow it. Raises ValueError where an argument does not fit.
        """
        _require(sequences.dtype.is_floating, "sequences", _FLOATING, sequences.dtype.name)
        if mask is None:  # Keras itself passes a mask on only if `sequences` is the one tensor given
            mask = getattr(sequences, "_keras_mask", None)
        if self.time_major:
            mask = None if mask is None else tf.transpose(mask)
            sequences = _swapped(sequences)
        batch_size, steps = keras.ops.shape(sequences)[:2]
        if self.unroll is True:
            _require(sequences.shape[1] is not None, "sequences", "of known length for unroll=True", sequences.shape)
        if self.debug and not tf.executing_eagerly():
            raise ValueError("debug=True needs eager mode: compile(..., run_eagerly=True) and no tf.function.")
        if mask is not None:
            mask = tf.cast(mask, tf.bool)
            _require(len(mask.shape) == 2, "mask", "of shape (batch, time)", tuple(mask.shape))
            mask = _of_sizes("mask", mask, (batch_size, steps), "of shape (batch, time), ({}, {}) here")
        if lengths is not None:
            lengths = tf.convert_to_tensor(lengths)
            _require(lengths.dtype.is_integer, "lengths", "integers", lengths.dtype.name)
            _require(len(lengths.shape) == 1, "lengths", "of shape (batch,)", tuple(lengths.shape))
            lengths = _of_sizes("lengths", tf.cast(lengths, tf.int64), (batch_size,), "of shape (batch,), ({},) here")
            least, most = tf.reduce_min(lengths), tf.reduce_max(lengths)
            fits = (least >= 0) & (most <= tf.cast(steps, tf.int64))
            sentence = "`lengths` must be from 0 to {}, the number of steps. Received: {} to {}"
            lengths = _if(fits, lengths, sentence, steps, least, most)
            in_length = tf.sequence_mask(lengths, steps)
            mask = in_length if mask is None else mask & in_length
        given = initial_state is not None or self.stateful
        if initial_state is None:
            initial_state = self.states if self.stateful else self.get_initial_state(batch_size)
        start = self.cell.named(initial_state)
        if given:
            start = tf.nest.map_structure(
                lambda value: _of_sizes("initial_state", value, (batch_size,), "of {} samples"), start
            )
        last_output, outputs, state, states = self.inner_loop(sequences, start, mask, training)
        if self.stateful:
            for variable, value in zip(self.states, state):
                variable.assign(value)
        if self.time_major:
            outputs, states = tf.nest.map_structure(_swapped, (outputs, states))
        result = [outputs if self.return_sequences else last_output]
        if self.return_state:
            result += state
        if self.return_all_states:
            result.append(states)
        return tuple(result) if len(result) > 1 else result[0]

    def compute_mask(self, sequences, mask):
        """What is handed on with the outputs, in their order."""
        mask = tf.nest.flatten(mask)[0]
        if mask is not None and self.go_backwards:
            mask = keras.ops.flip(mask, 0 if self.time_major else 1)
        return super().compute_mask(sequences, mask)

    def inner_loop(self, sequences, initial_state, mask, training=False):
        """The scan -> last output, outputs, last state, all states; None for sequences that are not wanted."""
        batch_size, steps = keras.ops.shape(sequences)[:2]
        step_arguments = self.cell.step_arguments()

        xs = {"x": tf.cast(sequences, self.compute_dtype)}
        masks = None if mask is None else tf.expand_dims(mask, -1)
        if self.go_backwards:
            xs = {name: tf.reverse(values, [1]) for name, values in xs.items()}
            masks = None if mask is None else tf.reverse(masks, [1])
        wanted = {"return_sequences": self.return_sequences, "return_all_states": self.return_all_states}
        zero_output = bool(self.zero_output_for_mask)
        if not (self.unroll is True or self.debug):
            wanted |= {"low_memory": self.memory == "low", "unroll": max(1, self.unroll)}
            step_arguments["_activation_gradient"] = _GRADIENTS[self.cell.activation]
        scan = self._scan(batch_size, steps, training)
        output, state, sequences = scan(
            xs, masks, initial_state, initial_state, step_arguments, zero_output=zero_output, **wanted
        )
        sequences = [tf.transpose(values, [1, 0, 2]) for values in sequences]
        outputs = sequences.pop(0) if self.return_sequences else None
        return output, outputs, state, IndRNNState(*sequences) if self.return_all_states else None

    def _scan(self, batch_size, steps, training):
        """Which scan runs, for sizes that are known (integers) or not (tensors)."""
        if self.unroll is True or self.debug:
            return _unrolled
        long = tf.is_tensor(steps) or steps >= 64
        if tf.is_tensor(batch_size):  # XLA compiles for each: in training they are few, and it pays most
            pays = long and training is True and not tf.is_tensor(steps)
        else:
            pays = long and batch_size <= 512
        eager = tf.executing_eagerly()
        if pays if self.jit_compile == "auto" else self.jit_compile:
            return _scan_in_bucket if eager or tf.is_tensor(steps) else _scan_compiled
        if eager and long:
            return _scan_in_graph
        if training is True and not eager:
            return _scan
        # a SavedModel saves the way back as well, with the tensors that it reads, but no arrays
        return functools.partial(_scan, stacked=True)

    def compute_output_shape(self, sequences_shape, initial_state_shape=None):
        front = tuple(sequences_shape[:2])
        batch_size = front[1] if self.time_major else front[0]
        size, sizes = self.cell.output_size, self.cell.state_size
        result = [(*front, size) if self.return_sequences else (batch_size, size)]
        if self.return_state:
            result += [(batch_size, size) for size in sizes]
        if self.return_all_states:
            result.append(IndRNNState(*((*front, size) for size in sizes)))
        return tuple(result) if len(result) > 1 else result[0]

    def get_config(self):
        config = {**self.cell.get_config(), **super().get_config()}
        del config["cell"]
        del config["state_is_tuple"]
        return {
            **config,
            "time_major": self.time_major,
            "return_all_states": self.return_all_states,
            "debug": self.debug,
            "jit_compile": self.jit_compile,
            "memory": self.memory,
        }

    @classmethod
    def from_config(cls, config):
        return cls(**config)
