"""What training draws: of dropout and zoneout, and where Keras keeps what holds for all steps."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from cellgen.runtime.arguments import require, whole_or_none

keras = tf.keras

# Keras 3's RNN asks cells of this class to draw what holds for all steps before its loop, and to forget it after it;
# Keras 2's to forget it before: the first step draws it then
_Asked = next(each for each in keras.layers.LSTMCell.__mro__ if each.__name__.startswith("DropoutRNNCell"))
KERAS_2 = not hasattr(keras, "random")


def keep(rate: float, shape, seed: Callable, dtype):
    """What dropout multiplies by: 0 with the probability `rate`, else 1 / (1 - rate). Without a rate, None."""
    if not rate:
        return None
    kept = tf.random.stateless_uniform(shape, seed(), alg="philox") >= rate
    return tf.cast(kept, dtype) * (1 / (1 - rate) if rate < 1 else 0)


def zone(rate: float, shape, seed: Callable, dtype):
    """What zoneout leaves as it was: 1 with the probability `rate`, else 0. Without a rate nothing is drawn."""
    if not rate:
        return None
    return tf.cast(tf.random.stateless_uniform(shape, seed(), alg="philox") < rate, dtype)


@dataclass(frozen=True)
class Draw:
    """Something that training draws. by: `keep` or `zone`; rate: the option that says how much is dropped, or a number.
    held: once for all steps; of_weight: once for all samples too.
    """

    by: Callable
    rate: str | float
    held: bool = False
    of_weight: bool = False


def in_reach(value) -> bool:
    """Whether a tensor can be read here: it is eager, or of this graph or one around it."""
    if not isinstance(value, tf.Tensor) or not hasattr(value, "graph"):
        return True
    graph = tf.compat.v1.get_default_graph()
    while graph is not None and graph is not value.graph:
        graph = getattr(graph, "outer_graph", None)
    return graph is not None


class Drawing(_Asked):
    """A cell that draws in training, to stand before `Cell` or `StackCell` among the classes that a cell is made of.

    What it draws comes of `seed`, anew at each call, or is given: `noise=cell.noise(batch_size)`. In Keras's RNN what
    is drawn for a sequence holds for all of its steps. In `build` a subclass says `noise_sizes`, by name.
    """

    noise_sizes: dict[str, list[int]]

    def __init__(self, *, seed: int | None = None, **arguments: Any):
        super().__init__(**arguments, seed=seed)
        self.seed = whole_or_none("seed", seed)
        self.seed_generator = None if KERAS_2 else keras.random.SeedGenerator(self.seed)
        self._hold({})
        self._holding = False  # whether the next draw for all steps is kept

    @property
    def noisy(self) -> bool:
        """Whether training draws anything."""
        return any(self._rate(each) for each in self.scan.draws.values())

    def _rate(self, each: Draw) -> float:
        return getattr(self, each.rate) if isinstance(each.rate, str) else each.rate

    def noise(self, batch_size, steps=None) -> dict[str, tf.Tensor]:
        """What a call in training draws, by name: (batch, steps, ...), or (batch, ...) for one step; what holds for all
        steps has one. What has no rate is not among them.
        """
        require(self.built, "noise", "asked for when the cell is built", "a cell that is not")
        found = {}
        for lead, sizes in self._noisy_parts():
            for name, each in self.scan.draws.items():
                front = [] if each.of_weight else [batch_size] if steps is None else [batch_size, steps]
                if each.held and steps is not None and front:
                    front = [batch_size, 1]
                drawn = each.by(self._rate(each), [*front, *sizes[name]], self._next_seed, self.step_dtype)
                found |= {} if drawn is None else {lead + name: drawn}
        return found

    def _undrawn(self, noise) -> dict[str, float]:
        """Numbers for what is not drawn, by name: with them nothing is dropped."""
        names = [(lead + name, each) for lead, _ in self._noisy_parts() for name, each in self.scan.draws.items()]
        return {name: 1.0 if each.by is keep else 0.0 for name, each in names if name not in noise}

    def _next_seed(self):
        if self.seed_generator is None:
            return tf.random.uniform([2], maxval=2**31 - 1, dtype=tf.int32, seed=self.seed)
        seed, replica = tf.cast(self.seed_generator.next(), tf.int32), tf.distribute.get_replica_context()
        if replica is None:
            return seed
        return seed + tf.stack([tf.cast(replica.replica_id_in_sync_group, tf.int32), 0])  # each device draws its own

    def _noise_of_a_step(self, states, training, noise) -> dict[str, Any]:
        """What a step draws, if it is not given, and what was drawn before for all steps."""
        if not training:
            return {}
        if noise is None:
            noise = self.noise(tf.shape(tf.nest.flatten(states)[0])[0])
            if self._holding and not (self._held and all(map(in_reach, self._held.values()))):
                self._hold(noise)
            noise = {**noise, **self._held}
        return {**self._undrawn(noise), **noise}

    def _hold(self, noise) -> None:
        """Keeps what holds for all steps; Keras would track it."""
        draws = self.scan.draws
        held = {name: value for name, value in noise.items() if draws[name.rpartition("/")[2]].held}
        object.__setattr__(self, "_held", held)

    def get_dropout_mask(self, step_input):
        """Keras 3's RNN calls it before its loop."""
        self._hold(self.noise(keras.ops.shape(step_input)[0]))

    def get_recurrent_dropout_mask(self, state):
        """It was drawn with the other."""

    def reset_dropout_mask(self):
        """Keras 3's RNN calls it after its loop, Keras 2's before."""
        self._hold({})
        self._holding = KERAS_2

    def reset_recurrent_dropout_mask(self):
        """It was forgotten with the other."""
