"""The character models of `cellgen demo`: the hierarchical stack, and plain stacks of generated layers beside it.

A model takes symbols (batch, time) as one-hot vectors and gives logits (batch, time, symbols) of the next. Its state is
a flat list of tensors, layer 1 first. It is trained by layers as they are made by default, whose scans XLA runs, and
read by others with the same weights, which keep what training has no use for and are compiled by whoever reads.
"""

import functools
from hashlib import sha256
from types import ModuleType

import tensorflow as tf

from cellgen.compiler import Spec
from cellgen.emit import runtime_file
from cellgen.output import module

keras = tf.keras

LAYERS = 3
STACK = "hm_lstm_stack"
STEEPEST = 5.0  # of the detectors' straight-through gradients


@functools.cache
def text_of(stem: str) -> str:
    """The generated module of a shipped spec. Raises `SpecError`."""
    return Spec.at(stem).build(tests=False)[f"{stem}.py"]


def generated(stem: str) -> ModuleType:
    return module(stem, text_of(stem))


def digest(*stems: str) -> str:
    """Tells whether two runs trained the same generated code, and what it shares with all other."""
    return sha256("".join([*map(text_of, stems), runtime_file()]).encode()).hexdigest()[:12]


def slope(epoch: int) -> float:
    """Chung, Ahn & Bengio's annealing on the Penn Treebank."""
    return min(STEEPEST, 1 + 0.04 * epoch)


class HierarchicalModel:
    """The HM-LSTM; its output, of as many units as a layer, is the gated sum of all layers."""

    title = short = "HM-LSTM"
    detectors = LAYERS - 1  # the top layer has none

    def __init__(self, units: int, symbols: int, z_on_copy: str):
        self.units, self._symbols = units, symbols
        make = functools.partial(
            generated(STACK).HMLSTMStack,
            units=[units] * LAYERS,
            embedding=units,
            z_on_copy=z_on_copy,
            return_sequences=True,
            return_state=True,
        )
        self._layer = _built(make(), symbols)
        self._readout = _built(keras.layers.Dense(symbols), units)
        self._reader = _built(make(return_all_states=True, jit_compile=False), symbols)
        self.weights = [*self._layer.trainable_variables, *self._readout.trainable_variables]

    def start(self, batch: int) -> list[tf.Tensor]:
        return list(tf.nest.flatten(self._layer.cell.get_initial_state(batch_size=batch)))

    def anneal(self, epoch: int) -> None:
        self._layer.slope.assign(slope(epoch))

    def run(self, inputs: tf.Tensor, state: list[tf.Tensor]) -> tuple[tf.Tensor, list[tf.Tensor]]:
        outputs, *state = self._layer(tf.one_hot(inputs, self._symbols), initial_state=state)
        return self._readout(outputs), state

    def look(self) -> None:
        """Makes `read` see the weights as they are now."""
        _copy([self._layer], [self._reader])

    def read(self, inputs: tf.Tensor, state: list[tf.Tensor]) -> tuple[tf.Tensor, list[tf.Tensor], list[tf.Tensor]]:
        """`run`, and of each detector what it did, (batch, time)."""
        outputs, *state, states = self._reader(tf.one_hot(inputs, self._symbols), initial_state=state)
        return self._readout(outputs), state, [layer.z[:, :, 0] for layer in states[: self.detectors]]


class PlainModel:
    """Layers of a generated cell on each other; its output is that of the last one."""

    detectors = 0

    def __init__(self, stem: str, name: str, title: str, short: str, units: int, symbols: int):
        self.title, self.short, self.units, self._symbols = title, short, units, symbols
        make = functools.partial(getattr(generated(stem), name), units, return_sequences=True, return_state=True)
        widths = symbols, *[units] * (LAYERS - 1)
        self._layers = [_built(make(), width) for width in widths]
        self._readout = _built(keras.layers.Dense(symbols), units)
        self._readers = [_built(make(jit_compile=False), width) for width in widths]
        self.weights = [weight for layer in (*self._layers, self._readout) for weight in layer.trainable_variables]

    def start(self, batch: int) -> list[tf.Tensor]:
        return [
            value for layer in self._layers for value in tf.nest.flatten(layer.cell.get_initial_state(batch_size=batch))
        ]

    def anneal(self, epoch: int) -> None:
        pass

    def run(self, inputs: tf.Tensor, state: list[tf.Tensor]) -> tuple[tf.Tensor, list[tf.Tensor]]:
        return self._through(self._layers, inputs, state)

    def look(self) -> None:
        _copy(self._layers, self._readers)

    def read(self, inputs: tf.Tensor, state: list[tf.Tensor]) -> tuple[tf.Tensor, list[tf.Tensor], list[tf.Tensor]]:
        return *self._through(self._readers, inputs, state), []

    def _through(self, layers, inputs, state):
        values, after = tf.one_hot(inputs, self._symbols), []
        each = len(state) // LAYERS
        for number, layer in enumerate(layers):
            values, *own = layer(values, initial_state=state[number * each : (number + 1) * each])
            after += own
        return self._readout(values), after


def _built(layer, width: int):
    layer.build((None, None, width))
    return layer


def _copy(layers, readers) -> None:
    for layer, reader in zip(layers, readers, strict=True):
        for ours, theirs in zip(reader.trainable_variables, layer.trainable_variables, strict=True):
            ours.assign(theirs)


Model = HierarchicalModel | PlainModel
PLAIN = {  # the class, the title, and that in short
    "lstm": ("LSTM", "LSTM", "LSTM"),
    "layer_norm_lstm": ("LayerNormLSTM", "layer-normalised LSTM", "LN-LSTM"),
}
NAMES = (STACK, *PLAIN)


def parameters(model: Model) -> int:
    return sum(weight.shape.num_elements() for weight in model.weights)


def models(units: int, symbols: int, seed: int, z_on_copy: str) -> dict[str, Model]:
    """By the stems of their specs; each starts from the seed, whoever else there is."""
    keras.utils.set_random_seed(seed)
    out: dict[str, Model] = {STACK: HierarchicalModel(units, symbols, z_on_copy)}
    for stem, names in PLAIN.items():
        make = functools.partial(PlainModel, stem, *names, symbols=symbols)
        size = matched([parameters(make(units=few)) for few in (1, 2, 3)], parameters(out[STACK]))
        keras.utils.set_random_seed(seed)
        out[stem] = make(units=size)
    return out


def matched(first: list[int], wanted: int) -> int:
    """The units with which a stack comes nearest to a number of weights.

    first: how many it has with 1, 2 and 3 units. The number is quadratic in the units, so these tell all.
    """
    one, two, three = first
    bend, rise = three - 2 * two + one, two - one

    def weights(units: int) -> int:
        return one + rise * (units - 1) + bend * (units - 1) * (units - 2) // 2

    units = 1
    while weights(units + 1) <= wanted:
        units += 1
    return min(units, units + 1, key=lambda size: abs(weights(size) - wanted))
