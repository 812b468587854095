"""Generated stacks of plain layers against Keras's own layers and against numpy written from the papers' equations."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import cellgen
from tests.generated import BATCH, EVERYTHING, MASK, STEPS, WIDTH, close, committed, sequences

UNITS = 4
STACKS = {"gru_stack": "GRUStack", "residual_lstm_stack": "ResidualLSTMStack", "highway_gru_stack": "HighwayGRUStack"}
EACH = {"residual_lstm_stack": 2, "highway_gru_stack": 1, "gru_stack": 1}  # states of a layer
each_stack = pytest.mark.parametrize("stem", STACKS)
each_depth = pytest.mark.parametrize("depth", [1, 2, 4])


def given(stem, depth):
    return {"units": [UNITS + at for at in range(depth)]} if stem == "gru_stack" else {"depth": depth, "units": UNITS}


def made(stem, depth=2, seed=0, like=None, **arguments):
    """A layer with random weights, or with those of another."""
    layer = getattr(committed(stem), STACKS[stem])(**given(stem, depth), **{"dtype": "float64", **arguments})
    layer.build((BATCH, STEPS, WIDTH))
    rng = np.random.default_rng(seed)
    values = [rng.normal(scale=0.6, size=each.shape) for each in layer.weights] if like is None else like.get_weights()
    layer.set_weights(values)
    return layer


def by_name(layer):
    return {"/".join(each.path.split("/")[-2:]): each for each in layer.trainable_weights}


def states(layer, seed=1):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(BATCH, size)) for size in tf.nest.flatten(layer.cell.state_size)]


def slopes(call, x, state, weights):
    """What it gives, and the gradients of a loss of all of it."""
    x, state = tf.constant(x), [tf.constant(each) for each in state]
    with tf.GradientTape() as tape:
        tape.watch([x, *state])
        values = tf.nest.flatten(call(x, state))
        loss = tf.add_n([tf.reduce_sum(tf.sin((2 + at) * each)) for at, each in enumerate(values)])
    return [*values, *tape.gradient(loss, [x, *state, *weights], unconnected_gradients="zero")]


# --- Keras's layers, one above the other ----------------------------------------------------------------------------


@each_depth
@pytest.mark.parametrize("mask", [None, MASK], ids=["unmasked", "masked"])
def test_a_stack_of_gru_is_that_of_keras(depth, mask):
    ours = made("gru_stack", depth, return_sequences=True, return_state=True)
    theirs = [
        keras.layers.GRU(size, return_sequences=True, return_state=True, dtype="float64") for size in ours.cell.units
    ]
    for at, layer in enumerate(theirs):
        layer.build((BATCH, STEPS, ours.cell.units[at - 1] if at else WIDTH))
        layer.set_weights(ours.get_weights()[3 * at : 3 * at + 3])

    def above_each_other(x, state):
        last = []
        for layer, start in zip(theirs, state):
            x, end = layer(x, initial_state=start, mask=mask)
            last.append(end)
        return [x, *last]

    x, state = sequences(), states(ours)
    weights = [each for layer in theirs for each in layer.trainable_weights]
    came = slopes(lambda x, state: ours(x, initial_state=state, mask=mask), x, state, ours.trainable_weights)
    close(came, slopes(above_each_other, x, state, weights))


# --- the papers' equations ------------------------------------------------------------------------------------------


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm(x, h, c, w, layer):
    z = x @ w[f"layer{layer}/kernel"] + h @ w[f"layer{layer}/recurrent_kernel"] + w[f"layer{layer}/bias"]
    i, f, g, o = np.split(z, 4, -1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def gru(x, h, w, layer):
    inner, outer = w[f"layer{layer}/bias"]
    a = np.split(x @ w[f"layer{layer}/kernel"] + inner, 3, -1)
    b = np.split(h @ w[f"layer{layer}/recurrent_kernel"] + outer, 3, -1)
    z, r = sigmoid(a[0] + b[0]), sigmoid(a[1] + b[1])
    return z * h + (1 - z) * np.tanh(a[2] + r * b[2])


def step(stem, w, state, x):
    """The output and the state of one step. Layers count from 1, as in the papers."""
    out, new = x, []
    for at in range(len(state) // EACH[stem]):
        own, layer = state[EACH[stem] * at : EACH[stem] * (at + 1)], at + 1
        if stem == "gru_stack":
            read = out
        elif layer == 1:
            read = x @ w["layer1/embed"]
        elif stem == "residual_lstm_stack":  # x^l = h^(l-1) + x^(l-1)
            read = out + read
        else:  # y = H(x) T(x) + x (1 - T(x)), of the layer below
            gate = sigmoid(read @ w[f"layer{layer}/transform_W"] + w[f"layer{layer}/transform_bias"])
            read = out * gate + read * (1 - gate)
        after = lstm(read, *own, w, layer) if stem == "residual_lstm_stack" else [gru(read, *own, w, layer)]
        out, new = after[0], [*new, *after]
    return out, new


def scan(stem, w, x, state, mask=None):
    """What a layer gives under EVERYTHING."""
    output, outputs, every = np.zeros_like(state[-1]), [], []
    for t in range(x.shape[1]):
        on = np.ones((len(x), 1), bool) if mask is None else mask[:, t, None]
        out, new = step(stem, w, state, x[:, t])
        output = np.where(on, out, output)
        state = [np.where(on, after, before) for after, before in zip(new, state)]
        outputs.append(output)
        every.append(state)
    return [np.stack(outputs, 1), *state, *(np.stack(each, 1) for each in zip(*every))]


@each_stack
@each_depth
@pytest.mark.parametrize("mask", [None, MASK], ids=["unmasked", "masked"])
def test_values_are_the_papers(stem, depth, mask):
    layer = made(stem, depth, **EVERYTHING)
    w = {name: each.numpy() for name, each in by_name(layer).items()}
    x, state = sequences(), states(layer)
    close(layer(x, initial_state=state, mask=mask), scan(stem, w, x, state, mask))
    close(layer.cell(tf.constant(x[:, 0]), state), step(stem, w, state, x[:, 0]))
    close(layer(x, mask=mask), scan(stem, w, x, [np.zeros_like(each) for each in state], mask))


@each_stack
@pytest.mark.parametrize("depth", [1, 3])
def test_gradients_are_the_papers(stem, depth):
    layer = made(stem, depth, **EVERYTHING)
    w = {name: each.numpy() for name, each in by_name(layer).items()}
    x, state = sequences(), states(layer)

    def call(x, state):
        return layer(x, initial_state=state, mask=MASK)

    count = len(tf.nest.flatten(call(x, state)))
    came = slopes(call, x, state, layer.trainable_weights)[count:]
    point = [x, *state, *w.values()]
    rng = np.random.default_rng(3)

    def loss(point):
        x, state, values = point[0], point[1 : 1 + len(state_sizes)], point[1 + len(state_sizes) :]
        found = scan(stem, dict(zip(w, values)), x, state, MASK)
        return sum(np.sum(np.sin((2 + at) * each)) for at, each in enumerate(found))

    state_sizes = layer.cell.state_size
    for chosen in range(len(point)):
        along = [rng.normal(size=each.shape) * (at == chosen) for at, each in enumerate(point)]
        ahead, back = (loss([a + sign * 1e-5 * b for a, b in zip(point, along)]) for sign in (1, -1))
        wanted = (ahead - back) / 2e-5
        np.testing.assert_allclose(np.sum(came[chosen] * along[chosen]), wanted, rtol=1e-6, atol=1e-7)


# --- what it is to Keras --------------------------------------------------------------------------------------------


@each_stack
def test_names_of_weights_and_states(stem):
    layer = made(stem, 3, **EVERYTHING)
    names = [name for name in by_name(layer) if name.endswith("/kernel")]
    assert names == ["layer1/kernel", "layer2/kernel", "layer3/kernel"]
    assert ("layer1/embed" in by_name(layer)) == (stem != "gru_stack") and "layer2/embed" not in by_name(layer)
    assert ("layer2/transform_W" in by_name(layer)) == (stem == "highway_gru_stack")
    assert "layer1/transform_W" not in by_name(layer)
    state = states(layer)
    named = layer.cell.named(state)
    assert [each._fields for each in named] == [("h", "c")[: EACH[stem]]] * 3
    close(named, state)
    _, *last, every = layer(sequences(), initial_state=state)
    assert len(last) == 3 * EACH[stem] and [each._fields for each in every] == [each._fields for each in named]
    close([each[:, -1] for layer in every for each in layer], last)


@each_stack
def test_windows_of_a_stateful_layer(stem):
    whole, x = made(stem, return_sequences=True), sequences()
    carried = made(stem, like=whole, return_sequences=True, stateful=True)
    close(tf.concat([carried(x[:, :2]), carried(x[:, 2:])], 1), whole(x))
    carried.reset_state()
    close(carried(x), whole(x))


@each_stack
def test_as_a_cell(stem):
    layer, x = made(stem, return_sequences=True), sequences()
    wanted = layer(x)
    cell = layer.cell
    close(keras.layers.RNN(cell, return_sequences=True, dtype="float64")(x), wanted)
    start = (tf.zeros([BATCH, cell.output_size], "float64"), cell.zero_state(BATCH, "float64"))
    outputs, _ = tf.scan(lambda before, x: cell(x, before[1]), tf.transpose(tf.constant(x), [1, 0, 2]), start)
    close(tf.transpose(outputs, [1, 0, 2]), wanted)


@each_stack
def test_save_and_load(stem, tmp_path):
    inputs = keras.Input((None, WIDTH), dtype="float64")
    layer = getattr(committed(stem), STACKS[stem])(**given(stem, 2), dtype="float64", memory="low")
    model = keras.Model(inputs, keras.layers.Dense(2, dtype="float64")(layer(inputs)))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    close(loaded(sequences()), model(sequences()))
    assert loaded.layers[1].get_config() == layer.get_config()


@pytest.mark.parametrize(
    "stem, arguments, said",
    [
        ("gru_stack", {"units": []}, "`units` must be a list of positive integers, one a layer"),
        ("gru_stack", {"units": 4}, "`units` must be a list of positive integers, one a layer"),
        ("gru_stack", {"units": [4, -1]}, "`units` must be a list of positive integers, one a layer"),
        ("gru_stack", {"units": [4, 2.0]}, "`units` must be a list of positive integers, one a layer"),
        ("gru_stack", {"units": "44"}, "`units` must be a list of positive integers, one a layer"),
        ("highway_gru_stack", {"depth": 0, "units": 4}, "`depth` must be a positive integer"),
        ("highway_gru_stack", {"depth": 2.0, "units": 4}, "`depth` must be a positive integer"),
        ("residual_lstm_stack", {"depth": 2, "units": [4, 4]}, "`units` must be a positive integer"),
        ("hm_lstm_stack", {"units": [4], "embedding": 0}, "`embedding` must be a positive integer"),
    ],
)
def test_arguments_that_do_not_fit(stem, arguments, said):
    name = {**STACKS, "hm_lstm_stack": "HMLSTMStack"}[stem]
    for suffix in ("", "Cell"):
        with pytest.raises(ValueError, match=said):
            getattr(committed(stem), name + suffix)(**arguments)


def test_a_layer_whose_weights_are_as_wide_as_an_input_that_only_one_variant_reads(tmp_path):
    """The wiring says how wide, also where nothing reads what comes by it."""
    (tmp_path / "inner.yaml").write_text(
        """\
cell: Inner
options: {bound: none}
inputs: {x: [input]}
state: {h: units}
params: {A: [units, input], B: [input, units], W: [units, input, units]}
equations: |
  f = sigmoid(h[t-1] @ A @ B)
  h = f * h[t-1] + (clip(x @ (f @ W), -bound, bound) if bound else f)
"""
    )
    (tmp_path / "outer.yaml").write_text(
        "stack: Outer\ncell: inner\nlayers: depth\nparams: {embed: [input, units]}\n"
        "wiring: |\n  x = below.h if below else x @ embed\n"
    )
    module, x = cellgen.compile(path=tmp_path / "outer.yaml"), sequences()
    for bound in (None, 0.5):
        layer = module.Outer(units=UNITS, depth=2, bound=bound, dtype="float64", return_sequences=True)
        layer.build(x.shape)
        rng = np.random.default_rng(0)
        layer.set_weights([rng.normal(size=weight.shape) for weight in layer.weights])
        named, h, outputs = by_name(layer), [np.zeros([BATCH, UNITS])] * 2, []
        for t in range(STEPS):
            given = x[:, t] @ np.asarray(named["layer1/embed"]) if bound else None
            for at in (0, 1):
                A, B = (np.asarray(named[f"layer{at + 1}/{name}"]) for name in "AB")
                f = 1 / (1 + np.exp(-h[at] @ A @ B))
                new = f
                if bound:
                    W = np.einsum("bi,ijk->bjk", f, np.asarray(named[f"layer{at + 1}/W"]))
                    new = np.clip(np.einsum("bj,bjk->bk", given, W), -bound, bound)
                h[at] = given = f * h[at] + new
            outputs.append(h[1])
        close(layer(x), np.stack(outputs, 1), 1e-12)
