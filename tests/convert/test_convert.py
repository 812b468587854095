"""Weights of other frameworks in generated layers: the layers that they came from are the oracle.

Keras's layers and TensorFlow 1's cells run here, torch's where it is installed; what torch and ONNX document is also
written out in numpy. None of it shares code with cellgen.
"""

import re
import runpy
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

import cellgen
from cellgen.compiler import Spec
from cellgen.convert.weights import (
    TF1,
    Keras,
    Onnx,
    Refused,
    Torch,
    checkpoint,
    export_weights,
    import_weights,
    layout,
    layout_of,
)
from tests.generated import WIDTH, close, committed, layer_class, sequences

v1 = tf.compat.v1
UNITS, PROJ = 5, 4
GUIDE = Path(cellgen.__file__).parent / "guide"

# its labels, weights and states are in no framework's order, and none has a name that tells what it is
OWN_LSTM = """
cell: Own
dims: {words: inferred, size: required}
gates: [alpha, beta, gamma, delta]
state: {memory: [size], out: [size]}
output: out
params:
  see_3: {shape: [size], init: glorot_uniform}
  shift: {shape: [gates*size], init: zeros}
  R:     {shape: [size, gates*size], init: orthogonal}
  see_1: {shape: [size], init: glorot_uniform}
  W:     {shape: [words, gates*size], init: glorot_uniform}
  see_2: {shape: [size], init: glorot_uniform}
inputs: {x: [words]}
equations: |
  z = x @ W + out[t-1] @ R + shift
  keep = sigmoid(z.delta + see_1 * memory[t-1])
  memory = keep * memory[t-1] + tanh(z.alpha) * sigmoid(z.gamma + see_2 * memory[t-1])
  out = sigmoid(z.beta + see_3 * memory) * tanh(memory)
"""

# the bias of h is outside of the reset, as in Core ML
ONE_BIAS = """
cell: OneBias
gates: [r, h, z]
state: {h: [units]}
equations: |
  a: [gates, units] = x @ kernel + bias
  b: [gates, units] = h[t-1] @ recurrent_kernel
  z = sigmoid(a.z + b.z)
  n = tanh(a.h + sigmoid(a.r + b.r) * b.h)
  h = z * h[t-1] + (1 - z) * n
params:
  kernel: {shape: [input, gates*units], init: glorot_uniform}
  recurrent_kernel: {shape: [units, gates*units], init: orthogonal}
  bias: {shape: [gates*units], init: zeros}
"""

TWO_BIASES = """
cell: TwoBiases
gates: [o, g, f, i]
state: {h: [units], c: [units]}
equations: |
  z: [gates, units] = x @ kernel + h[t-1] @ recurrent_kernel + bias + second
  c = sigmoid(z.f) * c[t-1] + sigmoid(z.i) * tanh(z.g)
  h = sigmoid(z.o) * tanh(c)
params:
  kernel: {shape: [input, gates*units], init: glorot_uniform}
  recurrent_kernel: {shape: [units, gates*units], init: orthogonal}
  bias: {shape: [gates*units], init: zeros}
  second: {shape: [gates*units], init: zeros}
"""


@dataclass(frozen=True)
class Case:
    """A generated layer: a shipped spec or a text, and what it is built with."""

    stem: str
    arguments: dict = field(default_factory=dict)
    text: str | None = None
    sizes: tuple[str, str] = ("input", "units")

    @cached_property
    def spec(self) -> Spec:
        return Spec.of(self.text, self.stem) if self.text else Spec.at(self.stem)

    @cached_property
    def module(self):
        return cellgen.compile(text=self.text, stem=self.stem) if self.text else committed(self.stem)

    @cached_property
    def layout(self):
        return layout(self.spec, **dict(zip(self.sizes, (WIDTH, UNITS))), **self.arguments)

    def layer(self, **arguments):
        """Built, of random weights."""
        layer = layer_class(self.module)(UNITS, **self.arguments, dtype="float64", return_sequences=True, **arguments)
        layer.build((None, None, WIDTH))
        layer.set_weights([drawn(each.shape, n) for n, each in enumerate(layer.weights)])
        return layer


CASES = {
    "lstm": Case("lstm"),
    "lstm_without_bias": Case("lstm", {"use_bias": False}),
    "lstm_own": Case("own", text=OWN_LSTM, sizes=("words", "size")),
    "lstm_two_biases": Case("two_biases", text=TWO_BIASES),
    "peephole_lstm": Case("peephole_lstm"),
    "lstmp": Case("lstmp", {"proj": PROJ}),
    "lstmp_peepholes": Case("lstmp", {"proj": PROJ, "use_peepholes": True, "forget_bias": 0.25}),
    "lstmp_without_projection": Case("lstmp", {"use_peepholes": True}),
    "lstmp_plain": Case("lstmp"),
    "gru": Case("gru"),
    "gru_without_bias": Case("gru", {"use_bias": False}),
    "gru_one_bias": Case("one_bias", text=ONE_BIAS),
    "gru_turned": Case("turned", text=Spec.at("gru").source.text.replace("[input, recurrent]", "[recurrent, input]")),
    "gru_reset_before": Case("gru_reset_before"),
    "simple_rnn": Case("simple_rnn"),
}
PEEPHOLES = {"lstm_own", "peephole_lstm", "lstmp_peepholes", "lstmp_without_projection"}
PROJECTED = {"lstmp", "lstmp_peepholes"}
AFTER = {"gru", "gru_without_bias", "gru_one_bias", "gru_turned"}
FORMATS = {
    "keras": (Keras(), set(CASES) - PROJECTED),
    "torch": (Torch(), set(CASES) - PEEPHOLES - {"gru_reset_before"}),
    "tf1": (TF1(), set(CASES) - AFTER),
    "onnx": (Onnx(), set(CASES) - PROJECTED),
}
PAIRS = [(format, name) for format, (_, names) in FORMATS.items() for name in CASES if name in names]


def chosen(format: str, name: str):
    return Onnx(linear_before_reset=1) if format == "onnx" and name in AFTER else FORMATS[format][0]


def drawn(shape, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(scale=0.6, size=tuple(shape))


def named(layer) -> dict[str, np.ndarray]:
    return {weight.name: weight.numpy() for weight in layer.weights}


def random(format, ours, seed: int = 20) -> dict[str, np.ndarray]:
    """Arrays of a format, of random numbers: their names and shapes are those of an export."""
    zeros = {block.name: np.zeros(block.shape(ours.sizes)) for block in ours.blocks}
    exported = export_weights(ours, format, zeros)
    return {name: drawn(array.shape, seed + n) for n, (name, array) in enumerate(exported.items())}


# --- there and back -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format, name", PAIRS)
def test_back_from_there_they_are_what_they_were(format, name):
    case, format = CASES[name], chosen(format, name)
    weights = named(case.layer())
    if name == "lstm_two_biases" and not isinstance(format, Torch | Onnx):
        weights["bias"] += weights["second"]
        weights["second"] *= 0
    if name == "lstm_without_bias" and isinstance(format, TF1):
        format = TF1(forget_bias=0)
    ours = case.layout
    arrays = export_weights(ours, format, weights)
    again = import_weights(ours, format, arrays)
    assert list(again) == list(weights)
    for key, value in weights.items():
        np.testing.assert_allclose(again[key], value, rtol=0, atol=1e-15)
    given = random(format, ours)
    if name == "gru_one_bias":
        given = {key: value * ("hh" not in key or "bias" not in key) for key, value in arrays.items()}
    if name == "lstm_without_bias" and isinstance(format, TF1):
        given["bias"] *= 0
    once = export_weights(ours, format, import_weights(ours, format, given))
    twice = export_weights(ours, format, import_weights(ours, format, once))
    assert list(once) == list(given)
    for key in given:
        np.testing.assert_allclose(twice[key], once[key], rtol=0, atol=1e-15)
        if "bias" not in key and key != "B":  # a sum of two biases is not undone
            np.testing.assert_array_equal(once[key], given[key])


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_they_keep_their_dtype_and_share_no_memory(dtype):
    ours = CASES["lstmp"].layout
    weights = {key: value.astype(dtype) for key, value in named(CASES["lstmp"].layer()).items()}
    for format in (Torch(), TF1()):
        arrays = export_weights(ours, format, weights)
        again = import_weights(ours, format, arrays)
        assert {each.dtype.name for each in (*arrays.values(), *again.values())} == {dtype}
        assert not any(np.shares_memory(a, b) for a in arrays.values() for b in (*weights.values(), *again.values()))


# --- what a layer says of itself ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CASES)
def test_a_layer_tells_its_layout(name):
    case = CASES[name]
    layer = case.layer()
    assert layout_of(case.spec, layer) == layout_of(case.spec, layer.cell) == case.layout
    assert [block.name for block in case.layout.blocks] == [weight.name for weight in layer.weights]


def test_roles_are_found_whatever_they_are_called():
    blocks = {block.name: block for block in CASES["lstm_own"].layout.blocks}
    assert {blocks[name].roles for name in ("W", "R", "shift")} == {"goif"}
    assert [blocks[f"see_{n}"].roles for n in (1, 2, 3)] == ["f", "i", "o"]
    assert {block.roles for block in CASES["lstm_two_biases"].layout.blocks} == {"ogfi"}
    assert CASES["gru_one_bias"].layout.reset == "after" and CASES["gru_reset_before"].layout.reset == "before"


def test_clips_and_activations_do_not_hide_a_cell():
    arguments = {"cell_clip": 0.01, "proj_clip": 0.02, "activation": "relu", "proj": PROJ}
    ours = layout("lstmp", input=WIDTH, units=UNITS, **arguments)
    assert ours == CASES["lstmp"].layout


# --- Keras ----------------------------------------------------------------------------------------------------------

KERAS = {
    "lstm": keras.layers.LSTM,
    "lstm_without_bias": lambda *a, **k: keras.layers.LSTM(*a, use_bias=False, **k),
    "lstm_two_biases": keras.layers.LSTM,
    "lstmp_plain": keras.layers.LSTM,
    "gru": keras.layers.GRU,
    "gru_turned": keras.layers.GRU,
    "gru_reset_before": lambda *a, **k: keras.layers.GRU(*a, reset_after=False, **k),
    "gru_without_bias": lambda *a, **k: keras.layers.GRU(*a, use_bias=False, **k),
    "simple_rnn": keras.layers.SimpleRNN,
}


def of_keras(name):
    theirs = KERAS[name](UNITS, return_sequences=True, dtype="float64")
    theirs.build((None, None, WIDTH))
    theirs.set_weights([drawn(each.shape, n + 30) for n, each in enumerate(theirs.weights)])
    return theirs


def both_ways_with_keras(name):
    ours, theirs, x = CASES[name].layer(), of_keras(name), sequences()
    at = layout_of(CASES[name].spec, ours)
    theirs.set_weights(list(export_weights(at, Keras(), named(ours)).values()))
    close(ours(x), theirs(x))
    theirs = of_keras(name)
    ours.set_weights(list(import_weights(at, Keras(), named(theirs)).values()))
    close(ours(x), theirs(x))


@pytest.mark.parametrize("name", KERAS)
def test_keras(name):
    both_ways_with_keras(name)


@pytest.mark.parametrize("name", ["lstm_own", "peephole_lstm", "lstmp_without_projection"])
def test_the_peepholes_of_older_keras(name):
    from tensorflow.python.keras.layers import recurrent

    with pytest.warns(UserWarning, match="deprecated"):
        cell = recurrent.PeepholeLSTMCell(UNITS, recurrent_activation="sigmoid", dtype="float64", name="cell")
    theirs, x = recurrent.RNN(cell, return_sequences=True, dtype="float64", name="rnn"), tf.constant(sequences())
    theirs(x)
    theirs.set_weights([drawn(each.shape, n + 30) for n, each in enumerate(theirs.weights)])
    arrays = {weight.name: weight.numpy() for weight in theirs.weights}
    format = Keras(scope="rnn/cell")
    ours, at = CASES[name].layer(), CASES[name].layout
    exported = export_weights(at, format, named(ours))
    assert [f"{each}:0" for each in exported] == list(arrays)
    before = ours(x)
    ours.set_weights(list(import_weights(at, format, arrays).values()))
    close(ours(x), theirs(x))
    theirs.set_weights(list(exported.values()))
    close(before, theirs(x))


def test_both_directions_of_keras():
    theirs, x = keras.layers.Bidirectional(of_keras("gru"), dtype="float64"), sequences()
    theirs.build(x.shape)
    theirs.set_weights([drawn(each.shape, n + 40) for n, each in enumerate(theirs.weights)])
    wanted = theirs(x)
    arrays = {weight.path: weight.numpy() for weight in theirs.weights}
    scopes = list(dict.fromkeys(path.rpartition("/")[0] for path in arrays))
    forward, backward = CASES["gru"].layer(), CASES["gru"].layer(go_backwards=True)
    for layer, scope in zip((forward, backward), scopes, strict=True):
        layer.set_weights(list(import_weights(CASES["gru"].layout, Keras(scope=scope), arrays).values()))
    close(tf.concat([forward(x), tf.reverse(backward(x), [1])], -1), wanted)


# --- TensorFlow 1 ---------------------------------------------------------------------------------------------------

LEGACY = {
    "lstm": ("BasicLSTMCell", {"forget_bias": 0.5}),
    "lstmp_plain": ("LSTMCell", {"forget_bias": 0.5}),
    "peephole_lstm": ("LSTMCell", {"use_peepholes": True}),
    "lstm_own": ("LSTMCell", {"use_peepholes": True}),
    "lstmp": ("LSTMCell", {"num_proj": PROJ}),
    "lstmp_peepholes": ("LSTMCell", {"num_proj": PROJ, "use_peepholes": True, "forget_bias": 2.0}),
    "lstmp_without_projection": ("LSTMCell", {"use_peepholes": True}),
    "gru_reset_before": ("GRUCell", {}),
    "simple_rnn": ("BasicRNNCell", {}),
}


class InTensorFlow1:
    """TensorFlow 1's cell in a graph of its own, with its own random variables, saved in a folder while it trains."""

    def __init__(self, name, folder):
        from tensorflow.python.keras.layers.legacy_rnn import rnn_cell_impl

        kind, arguments = LEGACY[name]
        self.folder, self.forget_bias = folder, arguments.get("forget_bias", 1.0)
        with tf.Graph().as_default() as graph, pytest.warns(UserWarning, match="deprecated"):
            self._session = v1.Session(graph=graph)
            v1.set_random_seed(3)
            with v1.variable_scope("rnn", initializer=v1.random_normal_initializer(stddev=0.6, dtype=tf.float64)):
                cell = getattr(rnn_cell_impl, kind)(UNITS, **arguments, dtype=tf.float64)
                stack = rnn_cell_impl.MultiRNNCell([cell, rnn_cell_impl.BasicRNNCell(2, dtype=tf.float64)])
            y, _ = v1.nn.dynamic_rnn(stack, tf.constant(sequences()), dtype=tf.float64)
            self._outputs = v1.nn.dynamic_rnn(cell, tf.constant(sequences()), dtype=tf.float64)[0]
            step = v1.train.get_or_create_global_step()
            train = v1.train.AdamOptimizer().minimize(tf.reduce_sum(y), step)
            self._given = {each.op.name: v1.placeholder(tf.float64, each.shape) for each in cell.weights}
            self._assign = [each.assign(self._given[each.op.name]) for each in cell.weights]
            self._session.run(v1.global_variables_initializer())
            # what Keras of TensorFlow 1 calls zeros stays zeros; a bias that is not tells more
            self.own = {each.op.name: drawn(each.shape, n + 50) for n, each in enumerate(cell.weights)}
            self.wanted = self.outputs(self.own)
            assert train is not None
            self.saved = v1.train.Saver().save(self._session, str(folder / "model"), global_step=step)
            self.scope = cell.weights[0].op.name.split("/gates")[0].removesuffix("/kernel")

    def outputs(self, given):
        """Of the cell with given variables."""
        self._session.run(self._assign, {self._given[name]: given[name] for name in self._given})
        return self._session.run(self._outputs)


@pytest.fixture(scope="module")
def in_tensorflow_1(tmp_path_factory):
    """The cell by its name, which tests share."""
    return cache(lambda name: InTensorFlow1(name, tmp_path_factory.mktemp(name)))


def both_ways_with_tensorflow_1(name, theirs):
    x, ours, at = sequences(), CASES[name].layer(), CASES[name].layout
    assert theirs.scope.startswith("rnn/multi_rnn_cell/cell_0/")
    format = TF1(theirs.scope, theirs.forget_bias)
    before, weights = ours(x), named(ours)
    arrays = checkpoint(theirs.saved, theirs.scope)
    assert any(each.endswith("/Adam") for each in arrays)  # slots, which are left alone
    ours.set_weights(list(import_weights(at, format, arrays).values()))
    close(ours(x), theirs.wanted)
    assert "global_step" in checkpoint(theirs.folder)
    close(before, theirs.outputs(export_weights(at, format, weights)))


@pytest.mark.parametrize("name", LEGACY)
def test_tensorflow_1(name, in_tensorflow_1):
    both_ways_with_tensorflow_1(name, in_tensorflow_1(name))


# --- what torch and ONNX document, in numpy -------------------------------------------------------------------------


def sigmoid(value):
    return 1 / (1 + np.exp(-value))


def by_torch(name, arrays, x, end="_l0"):
    """torch.nn.LSTM, GRU and RNN as their documentation has them, of one layer in one direction, batch first."""
    W, U, hr = arrays[f"weight_ih{end}"], arrays[f"weight_hh{end}"], arrays.get(f"weight_hr{end}")
    b, d = (arrays.get(f"bias_{each}{end}", np.zeros(len(W))) for each in ("ih", "hh"))
    h, c, outputs = np.zeros((len(x), U.shape[1])), np.zeros((len(x), UNITS)), []
    for x_t in x.swapaxes(0, 1):
        a, u = x_t @ W.T + b, h @ U.T + d
        if "gru" in name:
            (a_r, a_z, a_n), (u_r, u_z, u_n) = np.split(a, 3, -1), np.split(u, 3, -1)
            r, z = sigmoid(a_r + u_r), sigmoid(a_z + u_z)
            n = np.tanh(a_n + r * u_n)
            h = (1 - z) * n + z * h
        elif "lstm" in name:
            i, f, g, o = np.split(a + u, 4, -1)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
            h = h if hr is None else h @ hr.T
        else:
            h = np.tanh(a + u)
        outputs.append(h)
    return np.stack(outputs, 1)


def by_onnx(name, arrays, x, direction=0, linear_before_reset=0):
    """The operators LSTM, GRU and RNN as the standard has them, one direction, batch first; f, g, h its defaults."""
    W, R = arrays["W"][direction], arrays["R"][direction]
    B = arrays["B"][direction] if "B" in arrays else np.zeros(2 * len(W))
    P = arrays["P"][direction] if "P" in arrays else np.zeros(3 * UNITS)
    Wb, Rb = np.split(B, 2)
    h, c, outputs = np.zeros((len(x), UNITS)), np.zeros((len(x), UNITS)), []
    for x_t in x.swapaxes(0, 1):
        if "gru" in name:
            (Wz, Wr, Wh), (Rz, Rr, Rh) = np.split(W, 3), np.split(R, 3)
            (Wbz, Wbr, Wbh), (Rbz, Rbr, Rbh) = np.split(Wb, 3), np.split(Rb, 3)
            z = sigmoid(x_t @ Wz.T + h @ Rz.T + Wbz + Rbz)
            r = sigmoid(x_t @ Wr.T + h @ Rr.T + Wbr + Rbr)
            if linear_before_reset:
                n = np.tanh(x_t @ Wh.T + r * (h @ Rh.T + Rbh) + Wbh)
            else:
                n = np.tanh(x_t @ Wh.T + (r * h) @ Rh.T + Rbh + Wbh)
            h = (1 - z) * n + z * h
        elif "lstm" in name:
            i, o, f, g = np.split(x_t @ W.T + h @ R.T + Wb + Rb, 4, -1)
            Pi, Po, Pf = np.split(P, 3)
            i, f = sigmoid(i + Pi * c), sigmoid(f + Pf * c)
            c = f * c + i * np.tanh(g)
            h = sigmoid(o + Po * c) * np.tanh(c)
        else:
            h = np.tanh(x_t @ W.T + h @ R.T + Wb + Rb)
        outputs.append(h)
    return np.stack(outputs, 1)


def both_ways_with_what_is_documented(format, name):
    x, ours, at, how = sequences(), CASES[name].layer(), CASES[name].layout, chosen(format, name)
    extra = {"linear_before_reset": how.linear_before_reset} if format == "onnx" else {}
    run = by_onnx if format == "onnx" else by_torch
    close(ours(x), run(name, export_weights(at, how, named(ours)), x, **extra))
    arrays = random(how, at)
    if name == "gru_one_bias":  # it has none inside the reset
        kept = {key: value for key, value in export_weights(at, how, named(ours)).items() if key in ("B", "bias_hh_l0")}
        arrays |= kept
    ours.set_weights(list(import_weights(at, how, arrays).values()))
    close(ours(x), run(name, arrays, x, **extra))


@pytest.mark.parametrize("format, name", [pair for pair in PAIRS if pair[0] in ("torch", "onnx")])
def test_what_is_documented(format, name):
    both_ways_with_what_is_documented(format, name)


@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_both_directions_of_onnx(name):
    x, at, extra = sequences(), CASES[name].layout, {"linear_before_reset": int(name == "gru")}
    directions = [random(Onnx(**extra), at, seed) for seed in (60, 70)]
    arrays = {key: np.concatenate([each[key] for each in directions]) for key in directions[0]}
    for direction, array in enumerate(directions):
        layer = CASES[name].layer()
        layer.set_weights(list(import_weights(at, Onnx(direction=direction, **extra), arrays).values()))
        close(layer(x), by_onnx(name, arrays, x, direction, **extra))
        close(layer(x), by_onnx(name, array, x, **extra))


def test_what_onnx_leaves_out_is_zeros():
    arrays, at = random(Onnx(), CASES["peephole_lstm"].layout), CASES["peephole_lstm"].layout
    weights = import_weights(at, Onnx(), {key: arrays[key] for key in "WR"})
    assert not any(np.any(weights[key]) for key in ("bias", "p_i", "p_f", "p_o")) and np.any(weights["kernel"])


@pytest.mark.parametrize("name", ["lstm", "lstmp", "gru"])
def test_the_other_layers_and_directions_of_torch(name):
    """Their arrays stand in the same mapping, and only what was asked for is read."""
    x, ours, at, arrays = sequences(), CASES[name].layer(), CASES[name].layout, {}
    formats = [Torch("encoder.rnn", layer, reverse) for layer in (0, 1, 10) for reverse in (False, True)]
    for seed, format in enumerate(formats):
        arrays |= random(format, at, 10 * seed)
    for format in formats:
        end = f"_l{format.layer}{'_reverse' * format.reverse}"
        weights = import_weights(at, format, arrays)
        ours.set_weights(list(weights.values()))
        theirs = {key.removeprefix("encoder.rnn."): value for key, value in arrays.items()}
        close(ours(x), by_torch(name, theirs, x, end))
        assert set(export_weights(at, format, weights)) == {key for key in arrays if key.endswith(end)}


# --- torch ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype, bound", [("float64", 1e-10), ("float32", 1e-5)])
@pytest.mark.parametrize("name", ["lstm", "lstm_without_bias", "lstmp", "lstm_two_biases", "gru", "simple_rnn"])
def test_torch(name, dtype, bound):
    """Two layers, both directions, inside a larger module: each of the four is converted."""
    torch = pytest.importorskip("torch")
    kind = {"lstm": "LSTM", "gru": "GRU", "simple": "RNN"}[name.split("_")[0].removesuffix("p")]
    case, size = CASES[name], PROJ if name in PROJECTED else UNITS
    arguments = {"proj_size": PROJ} if name in PROJECTED else {"bias": "without_bias" not in name}
    rnn = getattr(torch.nn, kind)(
        WIDTH, UNITS, num_layers=2, bidirectional=True, batch_first=True, dtype=getattr(torch, dtype), **arguments
    )
    arrays = torch.nn.ModuleDict({"encoder": rnn, "head": torch.nn.Linear(2, 2)}).state_dict()
    x = sequences()
    with torch.no_grad():
        wanted = rnn(torch.tensor(x, dtype=rnn.weight_ih_l0.dtype))[0].numpy()
    y = x
    for number in (0, 1):
        at = layout(case.spec, input=y.shape[-1], units=UNITS, **case.arguments)
        both = []
        for reverse in (False, True):
            layer = layer_class(case.module)(
                UNITS, **case.arguments, dtype="float64", return_sequences=True, go_backwards=reverse
            )
            layer.build(y.shape)
            format = Torch("encoder", layer=number, reverse=reverse)
            weights = import_weights(at, format, arrays)
            layer.set_weights(list(weights.values()))
            both.append(tf.reverse(layer(y), [1]) if reverse else layer(y))
            exported = export_weights(at, format, weights)
            assert set(exported) < set(arrays)
            rnn.load_state_dict(
                {key.removeprefix("encoder."): torch.tensor(each) for key, each in exported.items()}, strict=False
            )
        y = np.concatenate(both, -1)
    assert y.shape[-1] == 2 * size
    close(y, wanted, bound)
    with torch.no_grad():  # the same with what was exported in its place
        close(rnn(torch.tensor(x, dtype=rnn.weight_ih_l0.dtype))[0].numpy(), wanted, bound)


# --- mutants --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind, orders", [("lstm", 6), ("gru", 3)])
@pytest.mark.parametrize("format", [Keras, Torch, TF1, Onnx], ids=lambda format: format.__name__)
def test_two_gates_that_change_places_are_noticed(format, kind, orders, monkeypatch, in_tensorflow_1):
    right, mutants = format.orders[kind], 0
    name = "gru_reset_before" if (format, kind) == (TF1, "gru") else kind
    check = {
        Keras: lambda: both_ways_with_keras(name),
        TF1: lambda: both_ways_with_tensorflow_1(name, in_tensorflow_1(name)),
        Torch: lambda: both_ways_with_what_is_documented("torch", name),
        Onnx: lambda: both_ways_with_what_is_documented("onnx", name),
    }[format]
    for one in range(len(right)):
        for other in range(one):
            order = list(right)
            order[one], order[other] = order[other], order[one]
            if format is TF1 and kind == "gru" and "h" in (right[one], right[other]):
                continue  # it stands alone: what comes of it is another set of arrays
            monkeypatch.setattr(format, "orders", {**format.orders, kind: "".join(order)})
            with pytest.raises(AssertionError):
                check()
            mutants += 1
    assert mutants == (1 if (format, kind) == (TF1, "gru") else orders)


# --- what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, format, text",
    [
        (
            "peephole_lstm",
            Torch(),
            "torch has no peepholes, and PeepholeLSTM has: take a spec without peepholes, or TF1, Onnx or Keras",
        ),
        (
            "lstmp",
            Keras(),
            "Keras has no projection, and LSTMP has: take a spec without a projection (`proj` not given), or TF1 or "
            "Torch",
        ),
        (
            "lstmp",
            Onnx(),
            "ONNX has no projection, and LSTMP has: take a spec without a projection (`proj` not given), or TF1 or "
            "Torch",
        ),
        (
            "gru_reset_before",
            Torch(),
            "torch's GRU resets after the product with the recurrent weights, GRUResetBefore before: take a spec that "
            "resets after, such as `gru`",
        ),
        (
            "gru",
            TF1(),
            "TensorFlow 1's GRUCell resets before the product with the recurrent weights, GRU after: take a spec that "
            "resets before, such as `gru_reset_before`",
        ),
        (
            "gru",
            Onnx(),
            "linear_before_reset=0, but GRU resets after the product with the recurrent weights: that is "
            "linear_before_reset=1. If your node has it, say so here; else take a spec that resets before, such as "
            "`gru_reset_before`",
        ),
        (
            "gru_reset_before",
            Onnx(linear_before_reset=1),
            "linear_before_reset=1, but GRUResetBefore resets before the product with the recurrent weights: that is "
            "linear_before_reset=0. If your node has it, say so here; else take a spec that resets after, such as "
            "`gru`",
        ),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else "",
)
def test_what_a_format_cannot_say(name, format, text):
    at, weights = CASES[name].layout, named(CASES[name].layer())
    for convert, given in ((import_weights, {}), (export_weights, weights)):
        with pytest.raises(Refused, match=f"^{re.escape(text)}$"):
            convert(at, format, given)


def without(*names):
    return lambda arrays: {key: value for key, value in arrays.items() if key not in names}


@pytest.mark.parametrize(
    "name, format, change, text",
    [
        (
            "lstm",
            Keras(),
            without("kernel"),
            "Keras: kernel missing. Wanted: kernel (3, 20), recurrent_kernel (5, 20), bias (20,)",
        ),
        (
            "lstm",
            Keras(),
            without("bias"),
            "Keras: bias missing. Wanted: kernel (3, 20), recurrent_kernel (5, 20), bias (20,). A layer without a "
            "bias is one of ours with use_bias=False; zeros mean the same",
        ),
        (
            "lstm_without_bias",
            Torch(),
            lambda arrays: {**arrays, "bias_ih_l0": np.ones(20), "bias_hh_l0": np.ones(20)},
            "torch: bias_ih_l0, bias_hh_l0 not expected. Wanted: weight_ih_l0 (20, 3), weight_hh_l0 (20, 5). A layer "
            "with a bias is one of ours with use_bias=True",
        ),
        (
            "lstm",
            Torch(),
            lambda arrays: {**arrays, "weight_hr_l0": np.ones((4, 5))},
            "torch: weight_hr_l0 not expected. Wanted: weight_ih_l0 (20, 3), weight_hh_l0 (20, 5), bias_ih_l0 (20,), "
            "bias_hh_l0 (20,)",
        ),
        (
            "lstm",
            Torch(),
            lambda arrays: {f"encoder.{key}": value for key, value in arrays.items()},
            "torch: weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0 missing; encoder.weight_ih_l0, "
            "encoder.weight_hh_l0, encoder.bias_ih_l0, encoder.bias_hh_l0 not expected. Wanted: weight_ih_l0 (20, 3), "
            "weight_hh_l0 (20, 5), bias_ih_l0 (20,), bias_hh_l0 (20,). Elsewhere it is: give scope='encoder'",
        ),
        (
            "lstm",
            TF1(),
            lambda arrays: {f"rnn/lstm_cell/{key}:0": value for key, value in arrays.items()},
            "TensorFlow 1: kernel, bias missing; rnn/lstm_cell/kernel, rnn/lstm_cell/bias not expected. Wanted: "
            "kernel (8, 20), bias (20,). Elsewhere it is: give scope='rnn/lstm_cell'",
        ),
        (
            "lstm",
            TF1(),
            lambda arrays: {**arrays, "w_i_diag": np.ones(5)},
            "TensorFlow 1: w_i_diag not expected. Wanted: kernel (8, 20), bias (20,)",
        ),
        (
            "lstm",
            Keras(),
            lambda arrays: {**arrays, "kernel": np.ones((20, 3))},
            "Keras: kernel (20, 3); wanted (3, 20)",
        ),
        ("gru", Keras(), lambda arrays: {**arrays, "bias": np.ones(15)}, "Keras: bias (15,); wanted (2, 15)"),
        (
            "lstm",
            Onnx(),
            lambda arrays: {**arrays, "R": np.ones((1, 20, 4))},
            "ONNX: R (1, 20, 4); wanted (directions, 20, 5)",
        ),
        (
            "lstm",
            Onnx(),
            lambda arrays: {**arrays, "R": np.ones((20, 5))},
            "R (20, 5); wanted 1 or 2 directions on the first axis",
        ),
        (
            "lstm",
            Onnx(),
            lambda arrays: {**arrays, "P": np.ones((1, 15))},
            "ONNX: P not expected. Wanted: W (directions, 20, 3), R (directions, 20, 5), B (directions, 40)",
        ),
        (
            "lstm_without_bias",
            TF1(forget_bias=0),
            None,
            "the bias of i is not zero, and LSTM here has none: take a layer with use_bias=True",
        ),
        ("lstm", Onnx(direction=1), None, "W has no direction 1: its first axis is 1 long"),
        (
            "gru_one_bias",
            Torch(),
            None,
            "the recurrent bias of h, inside the reset, is not zero, and OneBias has none: take a spec with a bias of "
            "its own there, such as `gru`",
        ),
        (
            "lstm_without_bias",
            TF1(),
            lambda arrays: {key: value * (key != "bias") for key, value in arrays.items()},
            "the bias of f is not zero (with forget_bias=1), and LSTM here has none: take a layer with use_bias=True",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and " " not in value else type(value).__name__,
)
def test_arrays_that_do_not_fit(name, format, change, text):
    at = CASES[name].layout
    arrays = random(TF1(forget_bias=0) if isinstance(format, TF1) else format, at)
    with pytest.raises(Refused, match=f"^{re.escape(text)}$"):
        import_weights(at, format, change(arrays) if change else arrays)


def test_our_own_weights_that_do_not_fit():
    at, weights = CASES["lstm"].layout, named(CASES["lstm"].layer())
    with pytest.raises(Refused, match=r"^LSTM: bias missing\. Wanted: kernel \(3, 20\), .*"):
        export_weights(at, Torch(), without("bias")(weights))
    paths = {f"lstm/cell/{name}": value for name, value in weights.items()}
    with pytest.raises(Refused, match=r"Name them as `weight\.name` does, not `weight\.path`$"):
        export_weights(at, Torch(), paths)
    with pytest.raises(Refused, match=r"^LSTM: kernel \(4, 20\); wanted \(3, 20\)$"):
        export_weights(at, Torch(), {**weights, "kernel": np.ones((4, 20))})


LIKE_LSTM = """
cell: Like
gates: [i, f, g, o]
state: {h: [units], c: [units]}
equations: |
  z: [gates, units] = affine(x, h[t-1])
  c = sigmoid(z.f%s) * c[t-1] + sigmoid(z.i) * %s(z.g)
  h = sigmoid(z.o) * tanh(c)
"""


@pytest.mark.parametrize(
    "spec, text",
    [
        (
            Spec.of(LIKE_LSTM % ("", "softsign")),
            "Like does not compute what an LSTM does, whichever gates its labels `i, f, g, o` are: weights of other "
            "frameworks would mean something else in it. Convert to a spec that it `reduces to`",
        ),
        (
            Spec.of(LIKE_LSTM % (" + 1", "tanh")),
            "Like does not compute what an LSTM does, whichever gates its labels `i, f, g, o` are: weights of other "
            "frameworks would mean something else in it. Convert to a spec that it `reduces to`",
        ),
        (
            "coupled_lstm",
            "CoupledLSTM is no LSTM, GRU or simple RNN of other frameworks: kernel [input, gates*units] is no weight "
            "of theirs. Those have the gates side by side, 4 in an LSTM, 3 in a GRU, in one weight for the input and "
            "one for the state",
        ),
        (
            "indrnn",
            "IndRNN is no LSTM, GRU or simple RNN of other frameworks: it has kernel, recurrent_kernel, bias. Those "
            "have one weight for the input, one for the state, at most two biases, and three peepholes or none",
        ),
        (
            "scrn",
            "SCRN is no LSTM, GRU or simple RNN of other frameworks: those read one input, and carry their output and "
            "at most one memory",
        ),
        ("gru_stack", "`gru_stack` is a stack: convert the weights of each layer with the spec of its cell"),
    ],
    ids=["softsign", "forget_bias", "coupled_lstm", "indrnn", "scrn", "gru_stack"],
)
def test_cells_that_are_none(spec, text):
    with pytest.raises(Refused, match=f"^{re.escape(text)}$"):
        layout(spec, input=WIDTH, units=UNITS)


def test_a_layer_that_is_of_another_spec_or_not_built():
    lstm = committed("lstm").LSTM(UNITS)
    with pytest.raises(Refused, match="^this LSTM has no weights yet: build it, or call it once$"):
        layout_of("lstm", lstm)
    with pytest.raises(Refused, match="^the layer is of LSTMCell, the spec of GRUCell: give the layer's own$"):
        layout_of("gru", CASES["lstm"].layer())
    changed = Spec.of(Spec.at("lstm").source.text.replace("recurrent_kernel", "U"), "lstm")
    with pytest.raises(
        Refused, match=r"^the layer has the weights kernel .*; the spec says kernel \(3, 20\), U \(5, 20\)"
    ):
        layout_of(changed, CASES["lstm"].layer())


# --- the guide ------------------------------------------------------------------------------------------------------


def test_the_guide_has_the_gate_orders_and_an_example_that_runs(tmp_path, monkeypatch):
    page = (GUIDE / "conversion.md").read_text(encoding="utf-8")
    for format in (Keras, Torch, TF1, Onnx):
        row = next(line for line in page.splitlines() if line.startswith(f"| `{format.__name__}("))
        for kind in ("lstm", "gru"):
            assert f" {', '.join(format.orders[kind])} " in row.replace("|", " ").replace(";", " ")
    language = (GUIDE / "language.md").read_text(encoding="utf-8")
    spec = re.search(r"```yaml\n(cell: MyLSTM.*?)```", language, re.S)[1]
    (tmp_path / "my_lstm.yaml").write_text(spec, encoding="utf-8")
    (tmp_path / "example.py").write_text(re.search(r"```python\n(.*?)```", page, re.S)[1], encoding="utf-8")
    layer = cellgen.compile(path=tmp_path / "my_lstm.yaml").MyLSTM(UNITS, return_sequences=True, dtype="float64")
    layer.build((None, None, WIDTH))
    arrays, x = random(Torch(), CASES["lstm"].layout), sequences()
    monkeypatch.chdir(tmp_path)
    runpy.run_path("example.py", {"layer": layer, "lstm": SimpleNamespace(state_dict=lambda: arrays)})
    close(layer(x), by_torch("lstm", arrays, x))
