"""The states of all steps at once, where the algebra of a cell allows it.

States that come of each other are a part (`Equations.parts`), and a part is solved when those before it are. What is
affine in its own carried states, lane by lane, is an affine recurrence. Of what is elementwise, all steps are one
system of equations, solved by Newton's steps, each of which is an affine recurrence with the Jacobian of the step
(arXiv 2309.12252, 2510.21450): `backward`, which is derived, of ones. The way back is affine in the derivatives,
whatever the cell.

Values have time in front: (steps, batch, ...).
"""

from typing import Any, NamedTuple

import tensorflow as tf

from cellgen.runtime.affine_scan import affine, sound_product
from cellgen.runtime.arguments import is_whole, require
from cellgen.runtime.arrays import array, asked_of, finite, flat, room, sound, where
from cellgen.runtime.declarations import own_name
from cellgen.runtime.masks import Masks

keras = tf.keras


_PRECISION = {tf.float16: 1e-3, tf.bfloat16: 8e-3, tf.float32: 1.2e-7, tf.float64: 2.3e-16}


class Solver(NamedTuple):
    """How the states of all steps are solved for at once.

    steps: at most so many of Newton's; tolerance: how far a state may be from what the step makes of the one before,
    relative to its size, or None: 64 times the precision of its dtype. From the first step on that is farther, the
    loop goes on. pairs: whether pairs of steps are joined, as is best where XLA compiles.
    """

    steps: int = 32
    tolerance: float | None = None
    pairs: bool = False


class Solved(NamedTuple):
    """How it went: Newton's steps, and how many steps of the sequence the loop took in their stead."""

    newton: Any
    looped: Any


def fits_parts(name, parts, parallel, newton_steps, newton_tolerance):
    """Raises ValueError where an argument of a layer does not fit its parts."""
    require(parallel in ("auto", "scan", "newton", False), "parallel", '"auto", "scan", "newton" or False', parallel)
    if parallel in ("scan", "newton"):
        words = f'"auto" or False: `cellgen check` says what of {name} stands in the way'
        require(bool(parts), "parallel", words, parallel)
        words = f'"newton", "auto" or False: the states of {name} are not affine in the states before'
        require(parallel == "newton" or "newton" not in parts.values(), "parallel", words, parallel)
    require(is_whole(newton_steps) and newton_steps > 0, "newton_steps", "a positive integer", newton_steps)
    number = isinstance(newton_tolerance, (int, float)) and newton_tolerance > 0
    require(newton_tolerance is None or number, "newton_tolerance", "a positive number or None", newton_tolerance)


def nothing_solved():
    return Solved(tf.zeros([], tf.int32), tf.zeros([], tf.int32))


def both_solved(one, other):
    """Of two stretches of a sequence: the most of Newton's steps, and all steps that the loop took."""
    return Solved(tf.maximum(one.newton, other.newton), one.looped + other.looped)


class InParallel(Masks):
    """Both ways through a chunk, all of its steps at once."""

    def forward_at_once(self, xs, length, on, output, state, fresh, arguments, likely, solver, **wanted):
        """As `Scan._chunk_forward`, and how it went."""
        return _Chunk(self, xs, length, on, arguments, solver).forward(output, state, fresh, likely, **wanted)

    def back_at_once(self, d_output, d_state, d_fresh, d_sequences, kept, length, on, arguments, solver, **wanted):
        """As `Scan._steps_back`."""
        return _Chunk(self, kept, length, on, arguments, solver).back(d_output, d_state, d_fresh, d_sequences, **wanted)


class _Chunk:
    """A chunk of steps. counts: which run and count, (steps, batch, 1), or None: all; restarts: those that start from
    a fresh state, or None: none.
    """

    def __init__(self, scan: Any, values, length, on, arguments, solver: Solver):
        self.scan, self.values, self.length, self.arguments = scan, values, length, arguments
        self.solver = solver
        self.size, self.batch_size = keras.ops.shape(values[scan.input])[:2]
        whole = not tf.is_tensor(length) and length == self.size
        runs = None if whole else tf.reshape(tf.range(self.size) < length, [-1, 1, 1])
        self.runs = None if runs is None else tf.broadcast_to(runs, [self.size, self.batch_size, 1])
        self.on = on
        self.counts, self.restarts = self.runs, None
        if on is not None and scan.mask == "hold":
            self.counts = on if self.runs is None else on & self.runs
        if on is not None and scan.mask == "reset":
            self.restarts = ~on if self.runs is None else ~on & self.runs
        self.product = tf.multiply if self.restarts is None else sound_product

    # --- a step, for all steps

    def apart(self, values):
        return tf.reshape(values, [self.size, self.batch_size, *values.shape[1:]])

    def step(self, before, values):
        """Of the states before each step: its output, the states after it, and what the way back reads, flat."""
        output, state, kept = self.scan.run_forward(self.scan.pack(map(flat, before)), **values, **self.arguments)
        return self.apart(output), list(map(self.apart, state)), kept

    def step_back(self, d_output, d_state, values):
        """The derivatives by the states before each step, and what `after` reads, flat."""
        d_state = self.scan.pack(map(flat, d_state))
        d_before, sent = self.scan.run_backward(flat(d_output), d_state, **values, **self.arguments)
        return list(map(self.apart, d_before)), sent

    def flat_values(self, function):
        reads = self.scan.reads(function)
        return {name: flat(values) for name, values in self.values.items() if own_name(name) in reads}

    def slopes(self, own, like, output, values):
        """The Jacobian of some states by themselves: [i][j] is of state i by state j, lane by lane."""
        found = []
        for i in own:
            ones = [tf.ones_like(value) if at == i else tf.zeros_like(value) for at, value in enumerate(like)]
            d_before, _ = self.step_back(tf.zeros_like(output), ones, values)
            found.append([d_before[j] for j in own])
        return found

    # --- forward

    def forward(self, output, state, fresh, likely, **wanted):
        scan, initial = self.scan, list(state)
        ready = scan._together(scan.run_before, self.values, self.arguments)
        self.values = {**self.values, **ready}
        self.arguments = {**self.arguments, **scan.turned(**self.arguments)}
        self.forward_values = self.flat_values(scan.forward)
        self.fresh = fresh
        after = [tf.broadcast_to(value[None], [self.size, *keras.ops.shape(value)]) for value in initial]
        solved = nothing_solved()
        for names, kind in scan.parts.items():
            own = [scan.state._fields.index(name) for name in names.split()]
            if kind == "newton":
                found, here = self.by_newton(own, initial, after)
                solved = Solved(tf.maximum(solved.newton, here.newton), tf.maximum(solved.looped, here.looped))
            elif kind == "scan":
                found = self.by_scan(own, initial, after)
            else:
                _, new, _ = self.step(self.before(initial, after), self.forward_values)
                found = [self.held(new[at], initial[at]) for at in own]
            for at, values in zip(own, found, strict=True):
                after[at] = values
        outputs, _, kept = self.step(self.before(initial, after), self.forward_values)
        told = outputs
        if scan.mask == "hold" and self.on is not None and scan.holds_output:
            nothing = tf.zeros_like(outputs)
            told = where(self.on, outputs, nothing) if wanted["zero_output"] else self.held(outputs, output)
        sequences = [*([told] if wanted["return_sequences"] else []), *(after[at] for at in wanted["return_states"])]
        kept = {**ready, **{name: self.apart(kept[name]) for name in likely if name not in ready}}
        return (
            self.last(told, output),
            scan.pack([self.last(values, first) for values, first in zip(after, initial)]),
            sequences,
            kept,
            solved,
        )

    def last(self, values, first):
        """The last step's that ran."""
        if self.runs is None:
            return values[-1]
        return tf.where(self.length > 0, values[tf.maximum(0, self.length - 1)], first)

    def before(self, initial, after):
        """The state that each step starts from."""
        found = [tf.concat([first[None], values[:-1]], 0) for first, values in zip(initial, after)]
        if self.restarts is None:
            return found
        resets = [self.scan.resets(at) for at in range(len(found))]
        return [
            where(self.restarts, self.fresh[at][None], values) if resets[at] else values
            for at, values in enumerate(found)
        ]

    def held(self, values, first):
        """Values of the steps that count, and of others that of the last one that did."""
        if self.counts is None:
            return values
        keeps = where(self.counts, tf.zeros_like(values), tf.ones_like(values))
        new = where(self.counts, values, tf.zeros_like(values))
        return affine([[keeps]], [new], [first], sound_product, self.solver.pairs)[0]

    def masked(self, slopes, own):
        """The slopes of what a step leaves: none by the state before one that restarts, one before one that holds."""

        def masked(slope, row, column):
            if self.restarts is not None and self.scan.resets(own[column]):
                slope = where(self.restarts, tf.zeros_like(slope), slope)
            if self.counts is not None:
                held = tf.ones_like(slope) if row == column else tf.zeros_like(slope)
                slope = where(self.counts, slope, held)
            return slope

        return [[masked(slope, row, column) for column, slope in enumerate(each)] for row, each in enumerate(slopes)]

    def by_scan(self, own, initial, after):
        """States that are affine in themselves: what a step makes of zeros, and its slopes."""
        zeros = [tf.zeros_like(values) if at in own else values for at, values in enumerate(after)]
        start = [tf.zeros_like(value) if at in own else value for at, value in enumerate(initial)]
        output, new, kept = self.step(self.before(start, zeros), self.forward_values)
        slopes = self.slopes(own, after, output, {**self.forward_values, **kept, **self.more(kept)})
        terms = [new[at] if self.counts is None else where(self.counts, new[at], tf.zeros_like(new[at])) for at in own]
        return affine(self.masked(slopes, own), terms, [initial[at] for at in own], self.product, self.solver.pairs)

    def more(self, kept):
        """What the way back reads besides: inputs, and what is computed of them before the loop; transposed weights."""
        return {name: value for name, value in self.flat_values(self.scan.backward).items() if name not in kept}

    def by_newton(self, own, initial, after):
        """States that are elementwise in themselves -> their values, Newton's steps, and how many the loop took."""
        dtype = initial[0].dtype
        tolerance = tf.cast(64 * _PRECISION[dtype] if self.solver.tolerance is None else self.solver.tolerance, dtype)

        def filled(values):
            found = list(after)
            for at, value in zip(own, values, strict=True):
                found[at] = value
            return found

        def residuals(values):
            """How far each state is from what the step makes of the one before."""
            output, new, kept = self.step(self.before(initial, filled(values)), self.forward_values)
            apart = [new[at] - value for at, value in zip(own, values)]
            if self.counts is not None:
                held = [tf.concat([initial[at][None], value[:-1]], 0) - value for at, value in zip(own, values)]
                apart = [where(self.counts, one, other) for one, other in zip(apart, held)]
            return apart, output, kept

        def far(apart, values):
            """Of each step, how far, relative to the states."""
            each = [tf.abs(d) / (1 + tf.abs(value)) for d, value in zip(apart, values)]
            return tf.reduce_max([tf.reduce_max(value, [*range(1, len(value.shape))]) for value in each], 0)

        def step(count, worst, values):
            apart, output, kept = residuals(values)
            slopes = self.slopes(own, filled(values), output, {**self.forward_values, **kept, **self.more(kept)})
            moves = affine(
                self.masked(slopes, own),
                apart,
                [tf.zeros_like(initial[at]) for at in own],
                self.product,
                self.solver.pairs,
            )
            new = [tf.where(tf.math.is_finite(d), value + d, value) for d, value in zip(moves, values)]
            for value, old in zip(new, values):
                value.set_shape(old.shape)
            return count + 1, tf.reduce_max(far(apart, values)), new

        loop = tf.zeros([], tf.int32), tf.constant(float("inf"), dtype), [after[at] for at in own]
        count, _, values = tf.while_loop(
            lambda count, worst, values: ~(worst <= tolerance), step, loop, maximum_iterations=self.solver.steps
        )
        fits = far(residuals(values)[0], values) <= tolerance
        good = tf.reduce_sum(tf.math.cumprod(tf.cast(fits, tf.int32)))
        return self.by_loop(own, initial, filled(values), good), Solved(count, tf.maximum(0, self.length - good))

    def by_loop(self, own, initial, after, good):
        """States of which so many steps are good; the others one by one."""
        scan = self.scan
        first = [tf.where(good > 0, after[at][tf.maximum(0, good - 1)], initial[at]) for at in own]
        known = {at: array(values) for at, values in enumerate(self.before(initial, after)) if at not in own}
        given = {name: array(self.apart(values)) for name, values in self.forward_values.items()}
        counts = None if self.counts is None else array(self.counts)
        restarts = None if self.restarts is None else array(self.restarts)

        def step(t, state, rooms):
            before = {at: values.read(t) for at, values in known.items()} | dict(zip(own, state))
            if restarts is not None:
                here = restarts.read(t)
                before |= {at: where(here, self.fresh[at], before[at]) for at in own if scan.resets(at)}
            values = {name: values.read(t) for name, values in given.items()}
            before = scan.pack([before[at] for at in range(len(initial))])
            _, new, _ = scan.run_forward(before, **values, **self.arguments)
            new = [new[at] for at in own]
            if counts is not None:
                here = counts.read(t)
                new = [where(here, value, old) for value, old in zip(new, state)]
            return t + 1, new, [room.write(t, value) for room, value in zip(rooms, new)]

        loop = good, first, [room(value, self.size, self.batch_size) for value in first]
        *_, rooms = tf.while_loop(lambda t, *_: t < self.length, step, loop, maximum_iterations=self.size)
        found = []
        for at, each in zip(own, rooms, strict=True):
            here = tf.reshape(tf.range(self.size) < good, [-1, *[1] * len(initial[at].shape)])
            found.append(tf.where(here, after[at], finite(each.stack(), self.length)))
        return found

    # --- the way back

    def back(self, d_output, d_state, d_fresh, d_sequences, *, zero_output, return_sequences, return_states, **_):
        scan = self.scan
        values = self.flat_values(scan.backward)
        d_wanted = [self.of_runs(d) for d in d_sequences]
        zeros = tf.zeros([self.size, *keras.ops.shape(d_output)], d_output.dtype)
        d_outputs = d_wanted.pop(0) if return_sequences else zeros
        d_outputs, d_before = self.outputs_back(d_outputs, d_output, zero_output)
        d_told: list[Any] = [None] * len(d_state)
        for at, d in zip(return_states, d_wanted, strict=True):
            d_told[at] = d if d_told[at] is None else d_told[at] + d
        d_after = [tf.zeros([self.size, *keras.ops.shape(d)], d.dtype) for d in d_state]
        first: list[Any] = [None] * len(d_state)  # the derivatives by the state before the first step
        for names in reversed(scan.parts):
            own = [scan.state._fields.index(name) for name in names.split()]
            kind = scan.parts[names]
            asked = None if self.restarts is None else asked_of(*map(flat, (d_outputs, *d_after)))
            d_old, _ = self.step_back(d_outputs, d_after, values)
            if asked is not None:
                d_old = [self.apart(sound(asked, flat(d))) for d in d_old]
            terms = [self.back_to(at, d_old[at]) for at in own]
            slopes = [[tf.zeros_like(d_old[j]) for j in own] for _ in own]
            if kind != "follows":
                slopes = self.slopes(own, d_after, d_outputs, values)
            slopes = self.masked(slopes, own)
            slopes = [[slopes[i][j] for i in range(len(own))] for j in range(len(own))]  # transposed
            more = [self.earlier(d_told[at], terms[row]) for row, at in enumerate(own)]
            ends = [d_state[at] if d_told[at] is None else d_state[at] + d_told[at][-1] for at in own]
            turned = [[slope[::-1] for slope in row] for row in slopes]
            found = affine(turned, [term[::-1] for term in more], ends, self.product, self.solver.pairs)
            for at, d, end in zip(own, found, ends, strict=True):
                d_after[at] = tf.concat([d[:-1][::-1], end[None]], 0)
                first[at] = d[-1]
        asked = None if self.restarts is None else asked_of(*map(flat, (d_outputs, *d_after)))
        d_old, sent = self.step_back(d_outputs, d_after, values)
        if asked is not None:
            d_old = [self.apart(sound(asked, flat(d))) for d in d_old]
            sent = {name: sound(asked, d) for name, d in sent.items()}
            resets = {at for at in range(len(d_state)) if scan.resets(at)}
            d_fresh = scan.pack(
                [
                    d + tf.reduce_sum(where(self.restarts, d_old[at], tf.zeros_like(d_old[at])), 0)
                    if at in resets
                    else d
                    for at, d in enumerate(d_fresh)
                ]
            )
        if self.counts is not None:
            counts = flat(self.counts)
            sent = {name: where(counts, d, tf.zeros_like(d)) for name, d in sent.items()}
        sent = {name: self.apart(d) for name, d in sent.items()}
        return d_before, scan.pack(first), d_fresh, sent, None if asked is None else self.apart(asked)

    def of_runs(self, d):
        """Derivatives by what steps gave, of those that ran."""
        return d if self.runs is None else where(self.runs, d, tf.zeros_like(d))

    def outputs_back(self, d_outputs, d_output, zero_output):
        """The derivatives by the output of each step that counts, and by the output before the first."""
        passes = None if self.runs is None else ~self.runs
        if self.counts is not None and self.scan.mask == "hold" and not zero_output:
            passes = ~self.counts
        if passes is None:
            last = tf.concat([tf.zeros_like(d_outputs[:-1]), d_output[None]], 0)
            return d_outputs + last, tf.zeros_like(d_output)
        keeps = where(passes, tf.ones_like(d_outputs), tf.zeros_like(d_outputs))
        # e_t = d_t + (e_{t+1} if step t+1 passes it on); the first of time comes last
        ends = d_outputs[-1] + d_output
        earlier = tf.concat([d_outputs[:-1][::-1], tf.zeros_like(d_output)[None]], 0)
        (found,) = affine([[keeps[::-1]]], [earlier], [ends], sound_product, self.solver.pairs)
        return tf.concat([found[:-1][::-1], ends[None]], 0), found[-1]

    def back_to(self, at, d_old):
        """What reaches the state before a step through the step itself."""
        if self.restarts is not None and self.scan.resets(at):
            d_old = where(self.restarts, tf.zeros_like(d_old), d_old)
        return d_old if self.counts is None else where(self.counts, d_old, tf.zeros_like(d_old))

    def earlier(self, d_told, term):
        """With the derivatives by the state before each step as it was told; of the first it was not."""
        return term if d_told is None else term + tf.concat([tf.zeros_like(d_told[:1]), d_told[:-1]], 0)
