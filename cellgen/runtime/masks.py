"""What a masked step does, forward and on the way back: it holds the state before it, or starts from a fresh one.

A sequence that runs backwards, and its mask, are reversed before (`Layer.inner_loop`): here a step is one of the scan.
"""

import tensorflow as tf

from cellgen.runtime.arrays import filled, sound, stand_in, where
from cellgen.runtime.declarations import Equations, own_name

keras = tf.keras


class Masks(Equations):
    """The rule of a cell, or of a stack, for masked steps: `mask` and `reset` say which."""

    def _start(self, here, state, fresh):
        """The state that a step starts from: a masked one that resets, from a fresh one."""
        if self.mask != "reset":
            return state
        pairs = enumerate(zip(state, fresh))
        return self.pack([where(here, old, new) if self.resets(at) else old for at, (old, new) in pairs])

    def _masked(self, here, new_output, new_state, output, state, zero_output):
        """What a step that may be masked leaves: one that holds, the output and the state before it."""
        if self.mask != "hold":
            return new_output, new_state
        if self.holds_output:
            new_output = where(here, new_output, tf.zeros_like(output) if zero_output else output)
        return new_output, self.pack([where(here, new, old) for new, old in zip(new_state, state)])

    def counting(self, xs, mask):
        """Inputs by name, each masked step that holds replaced by one that counts: nothing of it reaches anything then,
        not even a NaN, which a product with 0 would let through.
        """
        if mask is None or self.mask != "hold":
            return xs
        time = keras.ops.shape(mask)[1]
        some = tf.maximum(1, time) if tf.is_tensor(time) else max(1, time)

        def counting(values):
            other = stand_in(filled(values, some, 1), filled(mask, some, 1))
            return where(mask, values, tf.expand_dims(other, 1))

        return xs | {name: counting(values) for name, values in xs.items() if self.is_of_steps(name)}

    def is_of_steps(self, name):
        """Whether a step's mask is about it: it is neither drawn nor the same in all steps."""
        return own_name(name) not in self.noises and name not in self.constants

    def _held_back(self, here, d_state, d_later, sent):
        """Back through a step that may hold -> the derivatives by the state before it, and what `after` reads: chosen,
        not multiplied by 0, for a masked step may overflow. here: whether it counts, (batch, 1); d_later: the
        derivatives by the state after it.
        """
        d_state = self.pack([where(here, d, later) for d, later in zip(d_state, d_later)])
        return d_state, {name: where(here, d, tf.zeros_like(d)) for name, d in sent.items()}

    def _reset_back(self, here, asked, d_state, d_fresh, sent):
        """Back through a step that may start from a fresh state -> the derivatives by the state before it, by the fresh
        one, and what `after` reads. What was before a masked step may be no number, and nothing comes of it. asked: of
        which samples anything is derived.
        """
        d_state = [sound(asked, d) for d in d_state]
        sent = {name: sound(asked, d) for name, d in sent.items()}
        nothing = {at: tf.zeros_like(d) for at, d in enumerate(d_state) if self.resets(at)}
        d_fresh = self.pack(
            [d + where(here, nothing[at], d_state[at]) if at in nothing else d for at, d in enumerate(d_fresh)]
        )
        d_state = self.pack([where(here, d, nothing[at]) if at in nothing else d for at, d in enumerate(d_state)])
        return d_state, d_fresh, sent
