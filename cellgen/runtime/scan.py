"""All steps of a cell, and their derivatives: chunks that stay in cache, in a loop or compiled by XLA."""

import functools
from typing import Any

import tensorflow as tf

from cellgen.runtime.arrays import (
    array,
    asked_of,
    filled,
    finite,
    flat,
    joined,
    of_one_batch,
    part_of,
    repeated,
    room,
    sound,
    steps_of,
    where,
)
from cellgen.runtime.chunks import Chunks, size_of_chunk
from cellgen.runtime.custom_gradient import derivative, hidden, known, refuse_vectorised
from cellgen.runtime.declarations import own_name
from cellgen.runtime.parallel import InParallel, both_solved, nothing_solved
from cellgen.runtime.shares import in_shares, shares_of
from cellgen.runtime.traces import bucket, traced, widths

keras = tf.keras


class Scan(InParallel):
    """All steps of a cell, and their derivatives.

    Whatever a dict of values is by name, of a stack's a layer's name and `/` may stand in front.
    """

    def run(self, xs, mask, state, fresh, arguments, *, traces, way, keep, **how):
        """All steps. No tape sees inside: `way_back` is the derivative, and every derivative, of whatever order, is a
        function of tensors that has its own (`known`), so that all kinds of tapes and forward mode find the same,
        however it runs.

        xs: (batch, time, ...) by name; mask (batch, time, 1) or None; state and fresh: a state, of which each value is
        (batch, ...) -> last output, last state, a list of the sequences wanted, (time, batch, ...): outputs, states;
        and how it was solved, `Solved`, if it was.
        way: what runs a function, `inline`, `in_graph` or `by_xla`, and traces: where it holds on to what it traced.
        keep: whether what the way back reads is kept; else the steps run again for it. how: the further arguments of
        `all_steps`.
        """
        sources = self.sources(xs, state, fresh, arguments)
        refuse_vectorised()
        if not tf.executing_eagerly():
            for value in tf.nest.flatten(sources):  # raises in forward mode, which would silently find zeros
                tf.raw_ops.PreventGradient(
                    input=value, message="call the tf.function in the ForwardAccumulator, not this in that"
                )
        given = hidden((xs, mask, state, fresh, arguments))
        results, kept, solved = way(traces, self.all_steps, given, keep=keep, **how)
        kept = hidden(kept) if keep else None

        def slopes(sources, d_results):
            refuse_vectorised()
            here = hidden(given)
            found = way(traces, self.way_back, here, kept, hidden(d_results), **how)
            return known(found, derived(self.slopes, here), (sources, d_results))

        def derived(function, given):
            function = derivative(function)

            def higher(tensors, d_results):
                here = hidden(given)
                more = {**how, "low_memory": False, "solver": None}
                found = self.in_graph(traces, function, here, hidden((tensors, d_results)), **more)
                return known(found, derived(function, here), (tensors, d_results))

            return higher

        return *known(results, slopes, sources), solved

    def sources(self, xs, state, fresh, arguments):
        """What the scan is differentiated by: inputs by name, state, fresh, weights by name."""
        xs = {name: values for name, values in xs.items() if own_name(name) not in self.noises}
        return xs, state, fresh, {name: arguments[name] for name in self.weights(**arguments)}

    def slopes(self, given, tensors, **how):
        """The derivatives of the scan's results by its sources, from sources and cotangents."""
        (xs, state, fresh, weights), d_results = tensors
        given = {**given[0], **xs}, given[1], state, fresh, {**given[4], **weights}
        return self.way_back(given, None, d_results, **how)

    # --- both ways, in chunks

    def all_steps(self, given, *, keep, steps=None, low_memory=False, solver=None, **wanted):
        """All steps, in chunks that stay in cache -> what `run` gives; what the way back reads by name, of all chunks,
        (chunks, ...); and how they were solved, if they were.

        keep: whether anything is kept. steps: how many run, if not all. low_memory: keep the output and the state
        before each chunk alone, and run its steps again on the way back. solver: the steps of a chunk are solved for at
        once, else one by one. wanted: return_sequences, whether outputs are;
        return_states, the places of the states that are; zero_output, whether a masked step's output is zero, not held;
        unroll, how many steps the loop takes at once.
        """
        xs, mask, state, fresh, arguments = given
        of_one_batch(*xs.values(), *state, *fresh, *([] if mask is None else [mask]))
        arguments = self._with_once(xs, arguments, state)
        chunks = Chunks(self, xs, mask, steps, low_memory, solver=solver)
        size, batch_size = chunks.size, chunks.batch_size
        output, likely = self.example(chunks.first(), state, arguments)
        output, likely = tf.zeros_like(output), likely if keep and not low_memory else {}

        def run(index, output, state, solved):
            before = dict(enumerate([output, *state])) if keep else {}
            output, state, sequences, kept, *here = self._chunk_forward(
                *chunks[index], output, state, fresh, arguments, likely, solver, **wanted
            )
            kept = before if low_memory else {name: kept[name] for name in likely}
            return output, state, sequences, kept, both_solved(solved, *here) if here else ()

        def body(index, output, state, sequences, kept, solved):
            output, state, more, also, solved = run(index, output, state, solved)
            sequences = [room.write(index, values) for room, values in zip(sequences, more)]
            return (
                index + 1,
                output,
                state,
                sequences,
                {name: room.write(index, also[name]) for name, room in kept.items()},
                solved,
            )

        solved = nothing_solved() if solver else ()
        if chunks.alone:
            output, state, sequences, kept, solved = run(0, output, state, solved)
            return (output, state, sequences), {name: values[None] for name, values in kept.items()}, solved
        kept = {name: room(steps_of(value, size), chunks.count, size, batch_size) for name, value in likely.items()}
        if keep and low_memory:
            kept = {name: room(value, chunks.count, batch_size) for name, value in enumerate([output, *state])}
        sequences = _wanted(output, state, **wanted)
        sequences = [room(steps_of(value, size), chunks.count, size, batch_size) for value in sequences]
        loop = 0, output, state, sequences, kept, solved
        loop = tf.while_loop(lambda index, *_: index < chunks.running, body, loop, maximum_iterations=chunks.count)
        _, output, state, sequences, kept, solved = loop
        sequences = [joined(values, chunks.time) for values in sequences]
        return (output, state, sequences), {name: values.stack() for name, values in kept.items()}, solved

    def way_back(self, given, kept, d_results, *, steps=None, low_memory=False, solver=None, **wanted):
        """The chunks in reverse, what `all_steps` kept of them, or None: it runs again -> the derivatives by each of
        `sources`.
        """
        xs, mask, state, fresh, arguments = given
        if kept is None:
            how = {"steps": steps, "low_memory": low_memory, "solver": solver}
            _, kept, _ = self.all_steps(given, keep=True, **how, **wanted)
        (d_output, d_state, d_sequences), weights = d_results, self.sources(xs, state, fresh, arguments)[-1]
        of_one_batch(*xs.values(), *state, *fresh, d_output, *d_state, *([] if mask is None else [mask]))
        arguments = self._with_once(xs, arguments, state)
        turned = {**arguments, **self.turned(**arguments)}
        chunks = Chunks(self, xs, mask, steps, low_memory, kept, solver)
        size, batch_size = chunks.size, chunks.batch_size
        d_sequences = [filled(d, chunks.count * size, 0) for d in d_sequences]
        held = {name: values[0] if chunks.alone else array(values) for name, values in kept.items()}
        likely = {}
        if low_memory:
            likely = self.example(chunks.first(), state, arguments)[1]

        def back(index, d_output, d_state, d_fresh):
            kept = {name: values if chunks.alone else values.read(index) for name, values in held.items()}
            xs, length, on = chunks[index]
            if low_memory:
                output, *before = kept.values()
                again = output, self.pack(before), fresh, arguments, likely, solver
                kept = self._chunk_forward(xs, length, on, *again, **wanted)[3]
            d_parts = [part_of(d, index, size) for d in d_sequences]
            here = d_parts, {**kept, **xs}, length, on, turned, solver
            return self._chunk_back(d_output, d_state, d_fresh, *here, **wanted)

        def body(index, d_output, d_state, d_fresh, d_xs, d_weights):
            d_output, d_state, d_fresh, d_part, more = back(index, d_output, d_state, d_fresh)
            d_xs = {name: room.write(index, d_part[name]) for name, room in d_xs.items()}
            d_weights = {name: value + more[name] for name, value in d_weights.items()}
            return index - 1, d_output, d_state, d_fresh, d_xs, d_weights

        d_fresh = self.pack([tf.zeros_like(value) for value in state])
        if chunks.alone:
            _, d_state, d_fresh, d_xs, d_weights = back(0, d_output, d_state, d_fresh)
        else:
            parts = {name: values for name, values in chunks[0][0].items() if own_name(name) not in self.noises}
            d_xs = {name: room(values, chunks.count, size, batch_size) for name, values in parts.items()}
            d_weights = {name: tf.zeros_like(value) for name, value in weights.items()}
            loop = chunks.running - 1, d_output, d_state, d_fresh, d_xs, d_weights
            loop = tf.while_loop(lambda index, *_: index >= 0, body, loop, maximum_iterations=chunks.count)
            _, _, d_state, d_fresh, d_xs, d_weights = loop
            d_xs = {name: joined(values, chunks.time) for name, values in d_xs.items()}
        if self.constants:
            d_xs = {
                name: tf.reduce_sum(d, 0, keepdims=True) if name in self.constants else d for name, d in d_xs.items()
            }
        d_xs = {name: tf.transpose(d, [1, 0, *range(2, len(d.shape))]) for name, d in d_xs.items()}
        return d_xs, d_state, d_fresh, {name: d_weights[name] for name in weights}

    def _with_once(self, xs, arguments, state):
        """The arguments and what is made of them alone, for which inputs say how large they are."""
        return {**arguments, **self.run_once(**xs, **arguments, dtype=state[0].dtype)}

    def example(self, xs, state, arguments):
        """The output of a step and what is kept of it, for their dtypes and shapes alone."""
        ready = self.run_before(**xs, **arguments)
        output, _, kept = self.run_forward(state, **xs, **ready, **arguments)
        return output, {**ready, **kept}

    def _chunk_forward(self, xs, length, on, output, state, fresh, arguments, likely, solver, **wanted):
        """`length` steps of a chunk, time in front -> last output, last state, the sequences wanted, what is kept."""
        if solver:
            return self.forward_at_once(xs, length, on, output, state, fresh, arguments, likely, solver, **wanted)
        size, batch_size = keras.ops.shape(xs[self.input])[:2]
        ready = self._together(self.run_before, xs, arguments)
        reads = self.reads(self.forward)
        each = {name: array(values) for name, values in {**xs, **ready}.items() if own_name(name) in reads}
        ons: Any = None if on is None else array(on)
        rooms = {name: room(value, size, batch_size) for name, value in likely.items() if name not in ready}
        sequences = [room(value, size, batch_size) for value in _wanted(output, state, **wanted)]

        def step(t, output, state, rooms, sequences):
            here = None if on is None else ons.read(t)
            before = state if on is None else self._start(here, state, fresh)
            values = {name: values.read(t) for name, values in each.items()}
            new_output, new_state, kept = self.run_forward(before, **values, **arguments)
            if on is not None:
                new_output, new_state = self._masked(here, new_output, new_state, output, before, wanted["zero_output"])
            rooms = {name: room.write(t, kept[name]) for name, room in rooms.items()}
            told = _wanted(new_output, new_state, **wanted)
            return t + 1, new_output, new_state, rooms, [room.write(t, value) for room, value in zip(sequences, told)]

        loop = 0, output, state, rooms, sequences
        loop = repeated(lambda t, count: t + count <= length, step, loop, size, wanted["unroll"])
        _, output, state, rooms, sequences = loop
        kept = {**ready, **{name: finite(values.stack(), length) for name, values in rooms.items()}}
        return output, state, [values.stack() for values in sequences], kept

    def _chunk_back(self, d_output, d_state, d_fresh, d_sequences, kept, length, on, arguments, solver, **wanted):
        """The steps of a chunk in reverse, then `after` -> derivatives by output, state, fresh, inputs and weights."""
        given = d_output, d_state, d_fresh, d_sequences, kept, length, on, arguments
        back = self.back_at_once(*given, solver, **wanted) if solver else self._steps_back(*given, **wanted)
        d_output, d_state, d_fresh, sent, asked = back
        values = {**kept, **sent}
        if asked is not None:
            values |= {name: sound(asked, value, 1) for name, value in kept.items()}
        values = {name: flat(value) for name, value in values.items() if own_name(name) in self.reads(self.after)}
        d_xs, d_weights = self.run_after(**values, **arguments)
        d_xs = {name: tf.reshape(d, tf.shape(kept[name])) for name, d in d_xs.items()}
        return d_output, d_state, d_fresh, d_xs, d_weights

    def _steps_back(self, d_output, d_state, d_fresh, d_sequences, kept, length, on, arguments, **wanted):
        """The steps of a chunk in reverse -> derivatives by output, state and fresh; what `after` reads, by name, time
        in front; and of a cell that resets, of which samples of each step anything was derived, else None.
        """
        size, batch_size = keras.ops.shape(kept[self.input])[:2]
        d_wanted = [array(values) for values in d_sequences]
        each = {name: array(values) for name, values in kept.items() if own_name(name) in self.reads(self.backward)}
        ons: Any = None if on is None else array(on)
        likely = {name: tf.zeros_like(kept[name][0]) for name in each}
        sent = self.run_backward(d_output, d_state, **likely, **arguments)[1]  # for dtypes and shapes
        rooms = {name: room(value, size, batch_size) for name, value in sent.items()}
        resets = on is not None and self.mask == "reset"
        if on is not None and resets:
            rooms[_ASKED] = room(on[0], size, batch_size)

        def step(t, d_output, d_state, d_fresh, rooms):
            d_here = [values.read(t) for values in d_wanted]
            if wanted["return_sequences"]:
                d_output += d_here.pop(0)
            if d_here:
                d_more = dict(zip(wanted["return_states"], d_here))
                d_state = self.pack([d + d_more[at] if at in d_more else d for at, d in enumerate(d_state)])
            d_before, d_later = tf.zeros_like(d_output), d_state
            asked = asked_of(d_output, *d_state) if resets else None
            values = {name: values.read(t) for name, values in each.items()}
            d_state, sent = self.run_backward(d_output, d_state, **values, **arguments)
            if on is not None and self.mask == "hold":
                here = ons.read(t)
                if not wanted["zero_output"]:
                    d_before = where(here, d_before, d_output)
                d_state, sent = self._held_back(here, d_state, d_later, sent)
            if resets:
                d_state, d_fresh, sent = self._reset_back(ons.read(t), asked, d_state, d_fresh, sent)
                sent |= {_ASKED: asked}
            rooms = {name: room.write(t, sent[name]) for name, room in rooms.items()}
            return t - 1, d_before, d_state, d_fresh, rooms

        loop = length - 1, d_output, d_state, d_fresh, rooms
        loop = repeated(lambda t, count: t >= count - 1, step, loop, size, wanted["unroll"])
        _, d_output, d_state, d_fresh, rooms = loop
        sent = {name: values.stack() for name, values in rooms.items()}
        return d_output, d_state, d_fresh, sent, sent.pop(_ASKED, None)

    def _together(self, function, values, arguments):
        """Applies a function of all steps to values (steps, batch, ...) -> the same of its results, by name."""
        steps, batch_size = keras.ops.shape(values[self.input])[:2]
        results = function(**{name: flat(value) for name, value in values.items()}, **arguments)
        return {name: tf.reshape(value, [steps, batch_size, *value.shape[1:]]) for name, value in results.items()}

    def chunk_size(self, batch_size, time, low_memory, solver):
        """How many steps run between two looks at main memory; all that are solved for at once, but for low memory."""
        if solver and not low_memory:
            return tf.maximum(1, time) if tf.is_tensor(time) else max(1, time)
        return size_of_chunk(self.rows, batch_size, time, low_memory)

    # --- how a function of tensors is run

    def inline(self, traces, function, given, *more, **how):
        """As it stands, in a graph or eagerly."""
        return function(given, *more, **how)

    def in_graph(self, traces, function, given, *more, **how):
        """As a graph: called eagerly, it is traced."""
        if tf.executing_eagerly():
            function = traced(traces, ("graph", function, widths(given)), function)
        return function(given, *more, **how)

    def by_xla(self, traces, function, given, *more, **how):
        """Compiled by XLA for each batch and time."""
        key, shares = widths(given), self.shares(given[0][self.input].shape[0])
        run = traced(traces, ("xla", function, key), function, jit_compile=True)
        if shares > 1:
            run = functools.partial(in_shares, run, shares)
            run = traced(traces, (shares, function, key), run) if tf.executing_eagerly() else run
        return run(given, *more, **how)

    def shares(self, batch_size):
        """How many shares of a batch are scanned side by side; a batch that is not known is taken for `likely`."""
        return shares_of(self.likely if batch_size is None else batch_size, self.share)

    def in_bucket(self, xs, mask, state, fresh, arguments, **how):
        """`run`, compiled by XLA for a few lengths only: a sequence is filled up to the next, and its own steps run."""
        time = keras.ops.shape(xs[self.input])[1]
        length = bucket(time)
        xs = {name: values if own_name(name) in self.held else filled(values, length, 1) for name, values in xs.items()}
        mask = None if mask is None else filled(mask, length, 1)
        how["steps"] = tf.convert_to_tensor(time)
        output, state, sequences, solved = self.run(xs, mask, state, fresh, arguments, **how)
        return output, state, [values[:time] for values in sequences], solved

    def unrolled(self, xs, mask, state, fresh, arguments, *, zero_output, **wanted):
        """`run` step by step in Python, for breakpoints; differentiated by TensorFlow."""
        xs, output, lists = self.counting(xs, mask), None, []
        for t in range(xs[self.input].shape[1]):
            here = None if mask is None else mask[:, t]
            before = state if mask is None else self._start(here, state, fresh)
            inputs = {name: values[:, 0 if values.shape[1] == 1 else t] for name, values in xs.items()}
            new_output, new_state, *_ = self.run_step(state=before, **inputs, **arguments)
            if mask is not None:
                output = tf.zeros_like(new_output) if output is None else output
                new_output, new_state = self._masked(here, new_output, new_state, output, before, zero_output)
            output, state = new_output, new_state
            lists.append(_wanted(output, state, **wanted))
        return output, state, [tf.stack(values) for values in zip(*lists)], ()


_ASKED = "_asked"  # of each sample of a step, whether anything is derived by it


def _wanted(output, state, *, return_sequences, return_states, **_):
    """Of a step, what is told of all steps."""
    return [*([output] if return_sequences else []), *(state[at] for at in return_states)]
