"""Weights of Keras, torch, TensorFlow 1 and ONNX to those of a generated LSTM, GRU or simple RNN, by name, and back.

    layer = LSTM(128)                                    # generated from lstm.yaml, built
    ours = layout_of("lstm.yaml", layer)                 # which column of which weight is which gate
    weights = import_weights(ours, Torch(layer=0), lstm.state_dict())
    layer.set_weights(list(weights.values()))
    arrays = export_weights(ours, Keras(), {weight.name: weight.numpy() for weight in layer.weights})

A format says which arrays there are, what each holds, and in which order the gates stand. Only weights are converted:
activations, clips and dropout are arguments of the layers, to be given alike on both sides.
"""

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from cellgen.convert.gate_columns import ROLES, Block, Layout, Piece, Refused, Sizes, layout, layout_of

__all__ = [
    "TF1",
    "Format",
    "Keras",
    "Layout",
    "Onnx",
    "Refused",
    "Torch",
    "checkpoint",
    "export_weights",
    "import_weights",
    "layout",
    "layout_of",
]

Arrays = Mapping[str, np.ndarray]

# --- formats --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Format:
    """Arrays of one layer, in one direction. scope: what stands in front of their names, without the separator.

    A format of one's own says its `called`, its `orders` and, in `_blocks`, what each array holds.
    """

    scope: str = ""

    called: ClassVar[str]
    orders: ClassVar[Mapping[str, str]]  # of the gates, by the kind of the cell
    lacks: ClassVar[Mapping[str, str]] = {}  # what it cannot say: "p" peepholes, "w" a projection; with a reason
    separator: ClassVar[str] = "/"
    lead: ClassVar[str] = ""  # axes in front of every array

    forget_bias = 0.0  # what its cells add to f besides the bias

    @property
    def front(self) -> str:
        return self.scope + self.separator if self.scope else ""

    def blocks(self, ours: Layout) -> tuple[Block, ...]:
        """What the arrays of such a layer hold, by their names without the scope. Raises `Refused`."""
        for part, instead in self.lacks.items():
            if part in ours.parts:
                raise Refused(f"{self.called} has no {_PARTS[part]}, and {ours.cell} has: {instead}")
        return tuple(self._blocks(ours, self.orders[ours.kind]))

    def _blocks(self, ours: Layout, order: str) -> Iterator[Block]:
        raise NotImplementedError

    def another(self, name: str, wanted: Container[str]) -> bool:
        """Whether an array in the scope belongs to another layer, or to none."""
        return False

    def without_lead(self, name: str, array: np.ndarray) -> np.ndarray:
        return array

    def with_lead(self, array: np.ndarray) -> np.ndarray:
        return array


_PARTS = {"p": "peepholes", "w": "projection"}


@dataclass(frozen=True)
class Keras(Format):
    """`kernel`, `recurrent_kernel`, `bias`: those of `keras.layers.LSTM`, `GRU` and `SimpleRNN`.

    The bias of a GRU that resets after the product is (2, 3*units), as with Keras's `reset_after=True`; of one that
    resets before it is (3*units,). Peepholes are called as in the PeepholeLSTMCell of TensorFlow's older Keras.
    scope: as in `bidirectional/forward_lstm/lstm_cell`. Source: keras/src/layers/rnn/lstm.py and gru.py.
    """

    called = "Keras"
    orders = {"lstm": "ifgo", "gru": "zrh", "rnn": "h"}
    lacks = {"w": "take a spec without a projection (`proj` not given), or TF1 or Torch"}

    def _blocks(self, ours, order):
        yield Block("kernel", ("x",), order)
        yield Block("recurrent_kernel", ("h",), order)
        if "b" in ours.parts:
            two = ours.reset == "after"
            yield Block("bias", ("b", "rb") if two else ("b",), order, "matrix" if two else "vector")
        if "p" in ours.parts:
            for role, gate in {"i": "input", "f": "forget", "o": "output"}.items():
                yield Block(f"{gate}_gate_peephole_weights", ("p",), role, "vector")


@dataclass(frozen=True)
class Torch(Format):
    """`weight_ih_l0`, `weight_hh_l0`, `bias_ih_l0`, `bias_hh_l0`, `weight_hr_l0`: those of `torch.nn.LSTM`, `GRU` and
    `RNN`, as their `state_dict` has them.

    layer, reverse: which of the layers, and its backward direction (`_l0_reverse`); others in the mapping are left
    alone. scope: of the module in a larger one, as in `encoder.rnn`. Source: the documentation of `torch.nn.LSTM`.
    """

    layer: int = 0
    reverse: bool = False

    called = "torch"
    orders = {"lstm": "ifgo", "gru": "rzh", "rnn": "h"}
    lacks = {"p": "take a spec without peepholes, or TF1, Onnx or Keras"}
    separator = "."

    def _blocks(self, ours, order):
        if ours.reset == "before":
            raise Refused(
                f"torch's GRU resets after the product with the recurrent weights, {ours.cell} before: take a spec "
                "that resets after, such as `gru`"
            )
        end = f"_l{self.layer}" + "_reverse" * self.reverse
        yield Block(f"weight_ih{end}", ("x",), order, "transposed")
        yield Block(f"weight_hh{end}", ("h",), order, "transposed")
        if "b" in ours.parts:
            yield Block(f"bias_ih{end}", ("b",), order, "vector")
            yield Block(f"bias_hh{end}", ("rb",), order, "vector")
        if "w" in ours.parts:
            yield Block(f"weight_hr{end}", ("w",), "m", "transposed")

    def another(self, name, wanted):
        kinds = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
        kind, _, rest = name.partition("_l")
        return kind in kinds and rest != f"{self.layer}" + "_reverse" * self.reverse


@dataclass(frozen=True)
class TF1(Format):
    """Variables of TensorFlow 1's `BasicLSTMCell`, `LSTMCell`, `GRUCell` and `BasicRNNCell`.

    `kernel` reads the input and the state in one product, [x, h]; `bias`; of an LSTMCell also `w_i_diag`, `w_f_diag`,
    `w_o_diag` and `projection/kernel`; of a GRUCell `gates/kernel`, `gates/bias`, `candidate/kernel` and
    `candidate/bias`. An optimizer's slots (`kernel/Adam`) are left alone.

    scope: as in `rnn/multi_rnn_cell/cell_0/lstm_cell`. forget_bias: the argument of the LSTM, which it adds to f at
    every step; it goes into the bias of an import and out of that of an export, except for what our own equations add.
    Source: tensorflow/python/ops/rnn_cell_impl.py.
    """

    forget_bias: float = 1.0

    called = "TensorFlow 1"
    orders = {"lstm": "igfo", "gru": "rzh", "rnn": "h"}  # a GRU's h has variables of its own

    def _blocks(self, ours, order):
        if ours.reset == "after":
            raise Refused(
                f"TensorFlow 1's GRUCell resets before the product with the recurrent weights, {ours.cell} after: take "
                "a spec that resets before, such as `gru_reset_before`"
            )
        if ours.kind == "gru":
            for name, roles in {"gates": order.replace("h", ""), "candidate": "h"}.items():
                yield Block(f"{name}/kernel", ("x", "h"), roles)
                yield Block(f"{name}/bias", ("b",), roles, "vector")
            return
        yield Block("kernel", ("x", "h"), order)
        yield Block("bias", ("b",), order, "vector")
        if "p" in ours.parts:
            for role in "ifo":
                yield Block(f"w_{role}_diag", ("p",), role, "vector")
        if "w" in ours.parts:
            yield Block("projection/kernel", ("w",), "m")

    def another(self, name, wanted):
        return any(name.startswith(f"{each}/") for each in wanted)


@dataclass(frozen=True)
class Onnx(Format):
    """The inputs `W`, `R`, `B` and `P` of a node LSTM, GRU or RNN, with the axis of the directions in front.

    Of an import, direction is the place on that axis (1: backward, in a bidirectional node); an export has one
    direction, and two are joined by `np.concatenate([forward["W"], backward["W"]])`, and so on. linear_before_reset:
    the node's attribute, 1 where a GRU resets after the product. As the standard says, a `B` or `P` that is not there
    is zeros. Source: the ONNX operators LSTM, GRU and RNN.
    """

    direction: int = 0
    linear_before_reset: int = 0

    called = "ONNX"
    orders = {"lstm": "iofg", "gru": "zrh", "rnn": "h"}
    lacks = {"w": "take a spec without a projection (`proj` not given), or TF1 or Torch"}
    lead = "directions, "

    def _blocks(self, ours, order):
        if ours.reset and (ours.reset == "after") != bool(self.linear_before_reset):
            right = int(ours.reset == "after")
            raise Refused(
                f"linear_before_reset={self.linear_before_reset}, but {ours.cell} resets {ours.reset} the product with "
                f"the recurrent weights: that is linear_before_reset={right}. If your node has it, say so here; else "
                f"take a spec that resets {'before' if right else 'after'}, such as "
                f"`{'gru_reset_before' if right else 'gru'}`"
            )
        yield Block("W", ("x",), order, "transposed")
        yield Block("R", ("h",), order, "transposed")
        if "b" in ours.parts:
            yield Block("B", ("b", "rb"), order, "vector", optional=True)
        if "p" in ours.parts:
            yield Block("P", ("p",), order.replace("g", ""), "vector", optional=True)

    def without_lead(self, name, array):
        if array.ndim == 0 or array.shape[0] not in (1, 2):
            raise Refused(f"{name} {array.shape}; wanted 1 or 2 directions on the first axis")
        if self.direction not in range(len(array)):
            raise Refused(f"{name} has no direction {self.direction}: its first axis is {len(array)} long")
        return array[self.direction]

    def with_lead(self, array):
        return array[None]


@dataclass(frozen=True)
class _Own(Format):
    """Our own weights."""

    ours: Layout | None = None

    @property
    def called(self):
        return self.ours.cell

    @property
    def forget_bias(self):
        return self.ours.forget_bias

    def blocks(self, ours):
        return ours.blocks


# --- there and back -------------------------------------------------------------------------------------------------


def import_weights(ours: Layout, format: Format, arrays: Arrays) -> dict[str, np.ndarray]:
    """Arrays of another framework, by its names -> the weights of our layer by theirs, in the layer's order.

    arrays: of the shapes that the framework's documentation has, or anything that `np.asarray` takes, such as torch's
    tensors on a CPU. Results are new, in the dtype of what they come from: `layer.set_weights(list(out.values()))`.

    Where two biases of theirs are one of ours their sum is kept, and how it was split is lost.

    Raises `Refused` where one side cannot say what the other does, and for names that are missing or unexpected and
    shapes that do not fit.
    """
    return _convert(ours, format, _Own(ours=ours), arrays)


def export_weights(ours: Layout, format: Format, weights: Arrays) -> dict[str, np.ndarray]:
    """The weights of our layer, by name -> arrays of another framework by its names. `import_weights` undoes it.

    weights: as in `{weight.name: weight.numpy() for weight in layer.weights}`. Where one bias of ours is two of theirs
    all of it is in the first, and the second is zeros. Raises `Refused` as `import_weights` does.
    """
    out = _convert(ours, _Own(ours=ours), format, weights)
    return {format.front + name: format.with_lead(array) for name, array in out.items()}


def checkpoint(path: str | Path, scope: str = "") -> dict[str, np.ndarray]:
    """The variables of a checkpoint of TensorFlow 1 whose names begin with a scope, by name, for `import_weights`.

    path: the checkpoint's prefix, or its folder, for the newest. Imports TensorFlow; raises what it raises where there
    is none.
    """
    import tensorflow as tf

    reader = tf.train.load_checkpoint(str(path))
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map() if name.startswith(scope)}


def _convert(ours: Layout, source: Format, target: Format, arrays: Arrays) -> dict[str, np.ndarray]:
    """Arrays of one format -> those of another, by their names without scopes."""
    given, wanted = source.blocks(ours), target.blocks(ours)
    found = _named(given, source, arrays, ours.sizes)
    pieces: dict[Piece, np.ndarray] = {}
    for block in given:
        if block.name in found:
            pieces |= block.unpack(found[block.name], ours.sizes)
    parts = {part for block in wanted for part in block.parts}
    added = source.forget_bias - target.forget_bias if ours.kind == "lstm" else 0.0
    like = next(iter(pieces.values()))
    for role in ROLES[ours.kind]:
        zeros = np.zeros((1, ours.sizes.units), like.dtype)
        b, rb = (pieces.pop((part, role), zeros) for part in ("b", "rb"))
        if role == "f" and added:
            b = b + added
        if "rb" not in parts:
            if (ours.reset, role) == ("after", "h") and rb.any():
                raise Refused(
                    f"the recurrent bias of h, inside the reset, is not zero, and {target.called} has none: take a "
                    "spec with a bias of its own there, such as `gru`"
                )
            b, rb = (b + rb if rb.any() else b), zeros
        if "b" not in parts and b.any():
            why = f" (with forget_bias={source.forget_bias:g})" if role == "f" and added else ""
            raise Refused(
                f"the bias of {role} is not zero{why}, and {target.called} here has none: take a layer with "
                "use_bias=True"
            )
        pieces |= {("b", role): b, ("rb", role): rb}
    for role in "ifo" * ("p" in parts):
        pieces.setdefault(("p", role), zeros)  # where ONNX has no P
    return {block.name: block.pack(pieces) for block in wanted}


def _named(blocks: tuple[Block, ...], format: Format, arrays: Arrays, sizes: Sizes) -> dict[str, np.ndarray]:
    """The arrays of these blocks, by their names without the scope, all of the right shape."""
    front, shapes = format.front, {block.name: block.shape(sizes) for block in blocks}
    wanted = {
        name: f"({format.lead}{', '.join(map(str, shape))})" if format.lead else f"{shape}"
        for name, shape in shapes.items()
    }
    inside = {
        name.removesuffix(":0").removeprefix(front): array for name, array in arrays.items() if name.startswith(front)
    }
    found = {name: array for name, array in inside.items() if name in shapes or not format.another(name, shapes)}
    missing = [block.name for block in blocks if block.name not in found and not block.optional]
    unexpected = [name for name in found if name not in shapes]
    if missing or unexpected:
        told = [f"{_listed(front, missing)} missing"] * bool(missing)
        told += [f"{_listed(front, unexpected)} not expected"] * bool(unexpected)
        raise Refused(
            f"{format.called}: {'; '.join(told)}. Wanted: {', '.join(f'{front}{n} {s}' for n, s in wanted.items())}"
            + _advice(missing, unexpected, arrays, format)
        )
    out = {}
    for name, array in found.items():
        came = np.asarray(array)
        out[name] = format.without_lead(front + name, came)
        if out[name].shape != shapes[name]:
            raise Refused(f"{format.called}: {front}{name} {came.shape}; wanted {wanted[name]}")
    return out


def _listed(front: str, names: list[str]) -> str:
    return ", ".join(front + name for name in names)


def _advice(missing: list[str], unexpected: list[str], arrays: Arrays, format: Format) -> str:
    """What to do about names, where that can be told."""
    for name in missing:
        end = format.separator + name
        scopes = [each.removesuffix(end) for each in (name.removesuffix(":0") for name in arrays) if each.endswith(end)]
        if scopes and isinstance(format, _Own):
            return ". Name them as `weight.name` does, not `weight.path`"
        if scopes:
            return f". Elsewhere it is: give scope={' or '.join(map(repr, scopes))}"
    biases = [name for name in missing + unexpected if "bias" in name or name == "B"]
    if biases and biases == missing:
        return ". A layer without a bias is one of ours with use_bias=False; zeros mean the same"
    if biases and biases == unexpected:
        return ". A layer with a bias is one of ours with use_bias=True"
    return ""
