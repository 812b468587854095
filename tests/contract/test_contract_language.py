"""What the language can say and no shipped spec does: `tests/specs/`, built, held to the oracle and to Keras."""

import subprocess
import sys
from types import ModuleType

import keras
import numpy as np
import pytest
import tensorflow as tf

from cellgen import testing
from cellgen.compiler import Spec
from cellgen.diagnostics.diagnostic import SpecError
from tests.generated import (
    BATCH,
    CHECKOUT,
    EVERYTHING,
    MASK,
    STEPS,
    WIDTH,
    build,
    child,
    close,
    gradients,
    imported,
    layer_class,
)

SPECS = CHECKOUT / "tests" / "specs"
STEMS = sorted(path.stem for path in SPECS.glob("*.yaml") if path.stem != "every_operation")
UNITS = 4


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """All of these specs, built."""
    folder = tmp_path_factory.mktemp("built")
    for stem in STEMS:
        build(SPECS / f"{stem}.yaml", folder)
    return folder


@pytest.fixture
def built(folder):
    return lambda stem: imported(stem, folder)


def layer_of(module: ModuleType, *args, width=WIDTH, dtype="float64", **arguments):
    """The module's layer, built, with random weights."""
    layer = next(
        each for each in vars(module).values() if isinstance(each, type) and issubclass(each, keras.layers.RNN)
    )
    layer = layer(*args, dtype=dtype, **arguments)
    layer.build((BATCH, STEPS, width))
    rng = np.random.default_rng(11)
    layer.set_weights([w.numpy() + rng.normal(scale=0.4, size=w.shape) for w in layer.weights])
    return layer


def sequences(width=WIDTH, seed=0):
    return np.random.default_rng(seed).normal(size=(BATCH, STEPS, width))


# --- all of them ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stem", STEMS)
def test_the_cell_agrees_with_the_oracle(stem, folder, tmp_path):
    """A part of its own generated tests; all of them below."""
    tests = imported(f"test_{stem}", folder)
    for case in (tests.SUBJECT.cases[0], tests.SUBJECT.cases[-1])[: len(tests.SUBJECT.cases)]:
        tests.test_step(case, tests.SUBJECT.sizes[0])
        if hasattr(tests, "test_masks"):
            tests.test_masks(case)
        else:
            tests.test_scan(case)
    tests.test_save_and_load(case, tmp_path)  # the last, which has most that is not the default


@pytest.mark.full
def test_all_generated_tests_pass(folder):
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-c", "/dev/null", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=CHECKOUT)
    assert done.returncode == 0, done.stdout[-4000:]


@pytest.mark.full
def test_everything_loads_side_by_side_in_a_fresh_process(folder, tmp_path):
    """A model of each, saved here and loaded there, where neither the specs nor the compiler are."""
    wanted = {}
    for stem in STEMS:
        tests = imported(f"test_{stem}", folder)
        trial = testing.Trial(tests.SUBJECT, tests.SUBJECT.cases[-1], return_state=False, return_all_states=False)
        model = keras.Sequential([keras.Input((None, *trial.x.shape[2:]), dtype="float64"), trial.layer])
        model.save(tmp_path / f"{stem}.keras")
        wanted |= {f"{stem}_x": trial.x, f"{stem}_y": model(trial.x)}
    np.savez(tmp_path / "wanted.npz", **wanted)
    code = f"""
    import importlib, sys, keras, numpy as np
    stems, wanted = {STEMS!r}, np.load("wanted.npz")
    modules = [importlib.import_module(stem) for stem in stems]
    assert "cellgen" not in sys.modules
    for stem, module in zip(stems, modules):
        model = keras.models.load_model(stem + ".keras")
        assert type(model.layers[-1]).__module__ == stem
        assert abs(model(wanted[stem + "_x"]) - wanted[stem + "_y"]).numpy().max() < 1e-12
    """
    child(code, tmp_path, folder)


# --- masks ----------------------------------------------------------------------------------------------------------


def test_no_rule_for_masks(built):
    layer, x = layer_of(built("unmasked"), UNITS), sequences()
    for wrong in ({"mask": MASK}, {"lengths": [1, 2, 3, 4]}):
        with pytest.raises(ValueError, match="has no rule for a masked step"):
            layer(x, **wrong)
    with pytest.raises(ValueError, match="has no rule for a masked step"):
        keras.Sequential([keras.layers.Masking(dtype="float64"), layer])(x)


@pytest.mark.parametrize("stem", ["fast_weights", "fast_weights_reset", "initial", "initial_hold"])
def test_masks_step_by_step(stem, built):
    """The cell in a plain loop over samples and time."""
    layer, x = layer_of(built(stem), UNITS, **EVERYTHING), sequences()
    rng = np.random.default_rng(1)
    given = [rng.normal(size=np.shape(value)) for value in layer.get_initial_state(BATCH)]
    for start in (layer.get_initial_state(BATCH), given):
        outputs, *_, states = layer(x, mask=MASK, initial_state=start)
        for row in range(BATCH):
            own = [tf.convert_to_tensor(value)[row : row + 1] for value in layer.get_initial_state(BATCH)]
            state, output = (
                [tf.convert_to_tensor(value)[row : row + 1] for value in start],
                0 * outputs[row : row + 1, 0],
            )
            for t in range(STEPS):
                if stem.endswith("reset") and not MASK[row, t]:
                    state[0] = own[0]
                elif stem == "initial" and not MASK[row, t]:
                    state[:2] = own[:2]
                if MASK[row, t] or stem not in ("fast_weights", "initial_hold"):
                    output, state = layer.cell(x[row : row + 1, t], state)
                close(outputs[row : row + 1, t], output)
                close([value[row : row + 1, t] for value in states], state)


# --- states ---------------------------------------------------------------------------------------------------------


def test_states_that_are_matrices(built):
    layer, x = layer_of(built("fast_weights"), UNITS, **EVERYTHING), sequences()
    assert list(layer.cell.state_size) == [(3, UNITS), (UNITS,)]
    y, S, h, states = layer(x)
    assert (y.shape, S.shape, h.shape) == ((BATCH, STEPS, UNITS), (BATCH, 3, UNITS), (BATCH, UNITS))
    assert states._fields == ("S", "h") and states.S.shape == (BATCH, STEPS, 3, UNITS)
    close([states.S[:, -1], states.h[:, -1], states.h], [S, h, y])
    with pytest.raises(ValueError, match=r"`state` must be S \(batch, 3, 4\), h \(batch, 4\)"):
        layer(x, initial_state=[h, S])
    first = layer(x[:, :2])
    close(layer(x[:, 2:], initial_state=first[1:3])[1:3], [S, h])


def test_states_that_are_matrices_stay_in_a_stateful_layer(built):
    layer, x = layer_of(built("fast_weights"), UNITS, stateful=True, **EVERYTHING), sequences()
    whole = layer(x)
    layer.reset_state()
    layer(x[:, :3])
    close(layer(x[:, 3:])[1:3], whole[1:3])
    layer.reset_state()
    close(layer(x), whole)


@pytest.mark.parametrize("stem", ["fast_weights", "matrix_output", "rows"])
def test_matrices_in_a_model(stem, built):
    shape = (2, WIDTH) if stem == "rows" else (WIDTH,)
    x = np.random.default_rng(2).normal(size=(BATCH, STEPS, *shape))
    module = built(stem)
    layer = layer_class(module)(UNITS, dtype="float64", **EVERYTHING)
    given = keras.Input((None, *shape), dtype="float64")
    start = [keras.Input(np.shape(value)[1:], dtype="float64") for value in layer.get_initial_state(BATCH)]
    symbolic = layer(given, initial_state=start)
    model = keras.Model([given, start], tf.nest.flatten(symbolic))
    state = [np.random.default_rng(3).normal(size=(BATCH, *value.shape[1:])) for value in start]
    values = model([x, state])
    close(values, layer(x, initial_state=state))
    assert [(None, *value.shape[1:]) for value in values[1 : -len(state)]] == [
        s.shape for s in model.outputs[1 : -len(state)]
    ]
    assert type(symbolic[-1]) is type(layer(x)[-1])
    both = keras.layers.Bidirectional(
        layer_class(module)(UNITS, return_sequences=True, dtype="float64"), dtype="float64"
    )
    assert both(x).shape == (*np.shape(values[0])[:-1], 2 * UNITS)


def test_the_initial_state(built):
    module = built("initial")
    layer = layer_of(module, UNITS, **EVERYTHING)
    h, m, n = layer.get_initial_state(BATCH)
    close(h, np.broadcast_to(layer.cell.h_0, [BATCH, UNITS]))
    assert np.all(m == -1.5) and np.all(n == 1) and n.shape == (BATCH, 1)
    assert layer.cell.get_initial_state(inputs=sequences()[:2, 0])[0].shape == (2, UNITS)
    zero = layer.cell.zero_state(2, tf.float32)
    assert type(zero) is module.InitialState and zero.h.dtype == tf.float32
    close(layer(sequences(), initial_state=[h, m, n]), layer(sequences()))
    with pytest.raises(ValueError, match="build the cell before"):
        module.InitialCell(2).zero_state(2, tf.float32)
    rnn = keras.layers.RNN(layer.cell, return_sequences=True, dtype="float64")
    close(rnn(sequences()), layer(sequences())[0])


@pytest.mark.parametrize("stem", ["initial", "initial_hold"])
def test_the_initial_state_is_trained(stem, built):
    layer, x = layer_of(built(stem), UNITS, **EVERYTHING), sequences()
    count = len(tf.nest.flatten(layer(x)))
    at = layer.cell.h_0.numpy()
    slope = gradients(layer, x, mask=MASK)[count + 1]
    along, step = np.random.default_rng(4).normal(size=at.shape), 1e-6

    def loss(h_0):
        layer.cell.h_0.assign(h_0)
        values = tf.nest.flatten(layer(x, mask=MASK))
        return sum(float(tf.reduce_sum(tf.sin((3 + index) * value))) for index, value in enumerate(values))

    wanted = (loss(at + step * along) - loss(at - step * along)) / (2 * step)
    np.testing.assert_allclose(np.sum(slope * along), wanted, rtol=1e-6)


@pytest.mark.parametrize("stem", ["initial", "initial_hold"])
def test_a_stateful_layer_goes_back_to_its_initial_state(stem, built):
    plain, x = layer_of(built(stem), UNITS, **EVERYTHING), sequences()
    layer = type(plain)(UNITS, stateful=True, dtype="float64", **EVERYTHING)
    layer.build((BATCH, STEPS, WIDTH))
    for ours, theirs in zip(layer.trainable_weights, plain.trainable_weights, strict=True):
        ours.assign(theirs)
    layer.reset_state()
    wanted = plain(x)
    for _ in range(2):
        close(layer(x), wanted)
        close(layer.states, wanted[1:4])
        layer.reset_state()


# --- sizes and options ----------------------------------------------------------------------------------------------


def test_an_option_with_a_range(built):
    average, counted = built("average").AverageCell, built("counted").CountedCell
    for decay in (0, 1, 0.25):
        assert average(3, decay=decay).get_config()["decay"] == decay
    for wrong in (-0.1, 1.01, "0.5", None, float("nan")):
        with pytest.raises(ValueError, match="`decay` must be a number from 0.0 to 1.0. Received"):
            average(3, decay=wrong)
    with pytest.raises(ValueError, match="`floor` must be a number, or None. Received: 'low'"):
        counted(3, floor="low")
    with pytest.raises(ValueError, match="`cap` must be a number from 1.0 to 3.0. Received: 4"):
        counted(3, cap=4)


def test_a_quotient_divides(built):
    heads = built("heads").HeadsCell
    assert heads(6, heads=3).state_size == [(3, 2, 2), (6,)]
    assert heads(6, heads=3, value=5).state_size == [(3, 2, 5), (6,)]
    with pytest.raises(ValueError, match="`units` must be a multiple of heads. Received: 5"):
        heads(5)
    layer = built("halves").Halves(UNITS)
    with pytest.raises(ValueError, match="`x` must be of a size divisible by 2 in axis -1"):
        layer.build((BATCH, STEPS, 5))
    assert layer_of(built("halves"), UNITS, width=6)(sequences(6)).shape == (BATCH, UNITS)


def test_an_input_as_wide_as_the_state(built):
    for stem in ("average", "counted"):
        layer = layer_of(built(stem), UNITS, width=UNITS)
        assert layer(sequences(UNITS)).shape == (BATCH, UNITS)
        with pytest.raises(ValueError, match="expected shape"):
            layer(sequences(UNITS + 1))
        with pytest.raises(ValueError, match="`x` must be of size 4 in axis -1"):
            type(layer)(UNITS)(sequences(UNITS + 1))
    rows = built("rows").Rows(UNITS, rows=3)
    with pytest.raises(ValueError, match="`x` must be of size 3 in axis -2"):
        rows(np.zeros([BATCH, STEPS, 2, WIDTH]))


def test_a_state_and_an_output_as_wide_as_the_input(built, tmp_path):
    """Their width is there from `build` on; Keras's own loop takes the cell before."""
    module, x = built("last_input"), sequences()
    cell = module.LastInputCell(UNITS, dtype="float64")
    assert tuple(cell.state_size) == (UNITS, None) and cell.output_size is None
    with pytest.raises(ValueError, match="as wide as the input here: build the cell"):
        cell.get_initial_state(batch_size=2)
    layer = layer_of(module, UNITS, return_sequences=True, return_state=True)
    assert layer.cell.output_size == WIDTH and layer.state_size == [UNITS, WIDTH]
    assert [each.shape for each in layer.get_initial_state(2)] == [(2, UNITS), (2, WIDTH)]
    shapes = layer.compute_output_shape(x.shape)
    assert shapes == ((BATCH, STEPS, WIDTH), (BATCH, UNITS), (BATCH, WIDTH))
    wanted = layer(x, mask=MASK)

    def same(rnn):
        rnn.build(x.shape)
        rnn.set_weights(layer.get_weights())
        return rnn

    rnn = same(keras.layers.RNN(cell, return_sequences=True, return_state=True, dtype="float64"))
    close(rnn(x, mask=MASK), wanted)
    cells = keras.layers.StackedRNNCells([module.LastInputCell(UNITS), module.LastInputCell(2)])
    assert keras.layers.RNN(cells)(x.astype("float32")).shape == (BATCH, WIDTH)
    rnn = same(keras.layers.RNN(module.LastInputCell(UNITS, dtype="float64"), return_sequences=True, dtype="float64"))
    both = keras.layers.Bidirectional(module.LastInput(UNITS, return_sequences=True, dtype="float64"), dtype="float64")
    given = keras.Input((None, WIDTH), dtype="float64")
    model = keras.Model(given, both(rnn(given)))
    model.save(tmp_path / "model.keras")
    close(keras.models.load_model(tmp_path / "model.keras")(x), model(x))
    stateful = module.LastInput(UNITS, stateful=True, dtype="float64")
    stateful.build((BATCH, STEPS, WIDTH))
    stateful(x)
    close(stateful.states[1], x[:, -1])


def test_an_inferred_dim_in_a_product_is_refused():
    text = "cell: Pairs\ninputs: {x: [2*n]}\nstate: {h: units}\nparams: {W: [2*n, units]}\nequations: |\n"
    with pytest.raises(SpecError) as caught:
        Spec.of(text + "  h = 0.5 * h[t-1] + x @ W\n").build()
    (only,) = caught.value.diagnostics
    assert only.code == "CG601" and only.message.endswith("an inferred dim in a product, `2*n`")


def test_a_cell_without_weights(built):
    layer = layer_of(built("average"), WIDTH, return_sequences=True)
    x = sequences()
    assert layer.weights == []
    wanted, h = [], 0
    for t in range(STEPS):
        h = 0.9 * h + (1 - 0.9) * x[:, t]
        wanted.append(h)
    close(layer(x), np.stack(wanted, 1))
    model = keras.Sequential([keras.Input((None, WIDTH)), built("average").Average(WIDTH), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(x, np.ones([BATCH, 1]), verbose=0)


def test_norms_under_options(built):
    module = built("norms")
    for options, wanted in [
        ({}, ["W", "U"]),
        ({"rescaled": True}, ["W", "U", "scaled_scale", "shifted_shift"]),
        ({"rescaled": True, "normalised": False}, ["W", "U", "shifted_shift"]),
    ]:
        layer = layer_of(module, UNITS, **options)
        assert [w.path.split("/cell/")[1] for w in layer.weights] == wanted
        again = module.Norms.from_config(layer.get_config())
        again.build((BATCH, STEPS, WIDTH))
        again.set_weights(layer.get_weights())
        close(again(sequences()), layer(sequences()))


def test_options_that_decide_on_whole_equations(built):
    module = built("whole_equations")
    for options, wanted in [
        ({}, "W U b"),
        ({"use_bias": False}, "W U"),
        ({"kind": "gated", "proj": 3}, "W G U P b"),
        ({"kind": "double", "use_bias": False}, "W G U"),
    ]:
        layer = layer_of(module, UNITS, **options)
        assert [w.path.split("/cell/")[1] for w in layer.weights] == wanted.split()
    plain, gated = (layer_of(module, UNITS, kind=kind) for kind in ("plain", "gated"))
    for ours in plain.weights:
        theirs = next(w for w in gated.weights if w.path.endswith(ours.path.rsplit("/", 1)[1]))
        ours.assign(theirs)
    assert not np.allclose(plain(sequences()), gated(sequences()))
    with pytest.raises(ValueError, match="`kind` must be one of plain, gated, double. Received: 'none'"):
        module.WholeEquations(3, kind="none")


# --- two of one name ------------------------------------------------------------------------------------------------

LSTM = """
cell: LSTM
gates: [{gates}]
state: {{h: units, c: units}}
equations: |
  z: [gates, units] = affine(x, h[t-1])
  c = sigmoid(z.f) * c[t-1] + sigmoid(z.i) * tanh(z.g)
  h = sigmoid(z.o) * tanh(c)
"""


def test_two_cells_of_one_name_side_by_side(tmp_path):
    """In one process that saves and one that loads, beside Keras's own LSTM: classes go by the file's name."""
    for stem, gates in {"keras_order": "i, f, g, o", "other_order": "f, i, o, g"}.items():
        (tmp_path / f"{stem}.yaml").write_text(LSTM.format(gates=gates))
        build(tmp_path / f"{stem}.yaml", tmp_path)
    one, two = imported("keras_order", tmp_path), imported("other_order", tmp_path)
    layers = [each(UNITS, return_sequences=True) for each in (one.LSTM, two.LSTM, keras.layers.LSTM)]
    model = keras.Sequential([keras.Input((None, WIDTH)), *layers, keras.layers.RNN(two.LSTMCell(2))])
    rng = np.random.default_rng(5)
    model.set_weights([rng.normal(size=w.shape) for w in model.get_weights()])
    x = sequences().astype("float32")
    model.save(tmp_path / "model.keras")
    np.savez(tmp_path / "wanted.npz", x=x, y=model(x))
    code = """
    import sys, keras, numpy as np, other_order, keras_order
    assert "cellgen" not in sys.modules
    model, wanted = keras.models.load_model("model.keras"), np.load("wanted.npz")
    classes = [type(layer) for layer in model.layers]
    assert classes == [keras_order.LSTM, other_order.LSTM, keras.layers.LSTM, keras.layers.RNN]
    assert type(model.layers[-1].cell) is other_order.LSTMCell
    assert abs(model(wanted["x"]) - wanted["y"]).numpy().max() < 1e-6
    """
    child(code, tmp_path)


# --- choices --------------------------------------------------------------------------------------------------------


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize(
    ("options", "act", "low", "limit"),
    [
        ({}, np.tanh, -1.0, 1.5),
        ({"act": "relu", "limit": 0.2}, lambda x: np.maximum(x, 0), -1.0, 0.2),
        ({"act": keras.activations.relu, "limit": None, "low": -0.1}, lambda x: np.maximum(x, 0), -0.1, np.inf),
    ],
    ids=["default", "given", "none"],
)
def test_what_an_instance_chooses(built, options, act, low, limit):
    layer = layer_of(built("choices"), UNITS, **options)
    (kernel, recurrent, bias), x = layer.get_weights(), 3 * sequences()
    elapsed, h = np.random.default_rng(1).uniform(size=(BATCH, STEPS, 1)), np.zeros((BATCH, UNITS))
    for step in range(STEPS):
        t, n = np.split(x[:, step] @ kernel + h @ recurrent + bias, 2, axis=1)
        k = sigmoid(t - elapsed[:, step])
        h = np.clip(k * h + (1 - k) * act(n), low, limit)
    close(layer((x, elapsed)), h)
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()


@pytest.mark.parametrize(
    ("option", "wrong", "wanted"),
    [
        ("act", "gelu", "`act` must be one of relu, tanh. Received: 'gelu'"),
        ("gate", "tanh", "`gate` must be one of sigmoid, hard_sigmoid"),
        ("limit", -0.1, "`limit` must be a number from 0.0 on, or None"),
        ("low", 0.1, "`low` must be a number up to 0.0"),
        ("low", None, "`low` must be a number up to 0.0"),
    ],
)
def test_what_an_instance_cannot_choose(built, option, wrong, wanted):
    with pytest.raises(ValueError, match=wanted):
        built("choices").Choices(UNITS, **{option: wrong})


def test_parts_of_parts(built):
    heads, units = 2, 12
    layer = layer_of(built("parts"), units, heads=heads, halves=3)
    (w, r, v), x, h = layer.get_weights(), sequences(), np.zeros((BATCH, units))

    def softmax(a):
        e = np.exp(a - a.max(-1, keepdims=True))
        return (e / e.sum(-1, keepdims=True)).reshape(BATCH, units)

    for step in range(STEPS):
        z = (x[:, step] @ w).reshape(BATCH, heads, 2, -1) + np.einsum("bhk,hkgo->bhgo", h.reshape(BATCH, heads, -1), r)
        i, f = np.tanh(z[:, :, 0]).reshape(BATCH, units), sigmoid(z[:, :, 1]).reshape(BATCH, units)
        u = x[:, step] @ v
        h = f * h + i + softmax(u.reshape(BATCH, heads, 3, -1)) * softmax(u.reshape(BATCH, 3, -1))
    close(layer(x), h)
    with pytest.raises(ValueError, match="`units` must be a multiple of heads\\*halves. Received: 10"):
        built("parts").Parts(10, heads=2)


# --- weights that are not trained -------------------------------------------------------------------------------------


def test_a_frozen_weight_is_no_variable_of_training(built):
    """It is a weight like others to all that saves and sets them, and nothing is derived by it."""
    module = built("frozen")
    layer = layer_of(module, UNITS)
    assert [w.name for w in layer.trainable_weights] == ["W", "V"]
    assert [w.name for w in layer.non_trainable_weights] == ["U", "here", "h_0", "bias"]
    assert module.FrozenCell.scan.differentiated() == ["W", "V"]
    x, frozen = tf.constant(sequences()), layer.non_trainable_weights
    with tf.GradientTape() as tape:
        tape.watch([each.value for each in frozen])
        loss = tf.reduce_sum(layer(x) ** 2)
    found = tape.gradient(loss, [*layer.trainable_weights, *(each.value for each in frozen)])
    assert [slope is None for slope in found] == [False, False, True, True, False, True]  # the first state is no step's
    assert "U_initializer" in layer.get_config() and "U_regularizer" not in layer.get_config()
    with pytest.raises(ValueError, match="U_regularizer"):
        module.Frozen(UNITS, U_regularizer="l2")


def test_a_frozen_weight_stays_as_it_was_while_others_are_trained(built):
    layer = layer_of(built("frozen"), UNITS)
    before = layer.get_weights()
    model = keras.Sequential([keras.Input((None, WIDTH), dtype="float64"), layer])
    model.compile("sgd", "mse")
    model.fit(sequences(), np.ones((BATCH, UNITS)), verbose=0)
    still = [np.array_equal(a, b) for a, b in zip(before, layer.get_weights(), strict=True)]
    assert still == [False, False, True, True, True, True]


# --- what weights start from ------------------------------------------------------------------------------------------


def started(module, seed=3, width=WIDTH, **arguments):
    """A layer of these specs that starts from formulas, as it was made, by name."""
    keras.utils.set_random_seed(seed)
    layer = module.Started(UNITS, **arguments)
    layer.build((BATCH, STEPS, width))
    return layer, {weight.name: np.asarray(weight) for weight in layer.weights}


def test_one_seed_makes_the_same_weights(built):
    module = built("started")
    (_, one), (_, same), (_, other) = (started(module, seed) for seed in (3, 3, 4))
    assert all(np.array_equal(one[name], same[name]) for name in one)
    assert not np.array_equal(one["R"], other["R"]) and np.array_equal(one["A"], other["A"])
    assert np.array_equal(one["b"][:UNITS], -one["b"][UNITS : 2 * UNITS])


def test_an_initializer_stands_instead_of_a_formula(built):
    layer, weights = started(built("started"), decay_initializer="ones", b_initializer=keras.initializers.Constant(2.0))
    assert np.array_equal(weights["decay"], [1, 1]) and np.array_equal(weights["b"][-UNITS:], [2.0] * UNITS)
    np.testing.assert_allclose(weights["rate"], np.log([[1, 1], [2, 2]]) + 0.01 - 1, atol=1e-6)  # what reads it
    config = layer.get_config()
    assert config["R_initializer"] is None and config["decay_initializer"] is not None
    again = type(layer).from_config(config)
    again.build((BATCH, STEPS, WIDTH))
    assert np.array_equal(again.cell.decay, [1, 1])


@pytest.mark.parametrize("dtype", ["float64", "mixed_bfloat16", "bfloat16", "float16"])
def test_formulas_are_computed_in_every_dtype(built, dtype):
    _, weights = started(built("started"), dtype=dtype)
    for name, value in weights.items():
        assert np.isfinite(value.astype("float64")).all(), name
    radius = np.abs(np.linalg.eigvals(weights["R"].astype("float64"))).max()
    assert radius == pytest.approx(0.9, abs=1e-2)
    if dtype == "float64":
        assert radius == pytest.approx(0.9, abs=1e-12)


def test_a_layer_may_be_built_where_a_function_is_traced(built):
    module, layers = built("started"), []

    @tf.function
    def run(x):
        if not layers:
            layers.append(module.Started(UNITS))
        return layers[0](x)

    x = tf.constant(sequences().astype("float32"))
    np.testing.assert_allclose(run(x), layers[0](x), atol=1e-6)
    b = np.asarray(layers[0].cell.b)
    assert np.array_equal(b[:UNITS], -b[UNITS : 2 * UNITS])
    assert np.array_equal(layers[0].cell.peephole, -2 * b[UNITS : 2 * UNITS])


# --- inputs that are always given -------------------------------------------------------------------------------------


def test_an_input_that_is_not_given_is_asked_for(built):
    layer = built("elapsed").Elapsed(UNITS, dtype="float64")
    x = {"x": sequences(), "elapsed": sequences(1), "near": sequences(2), "who": sequences(3)[:, 0]}
    for name in ("elapsed", "near", "who"):
        some = {other: value for other, value in x.items() if other != name}
        with pytest.raises(ValueError, match=f"`{name}` must be given"):
            layer(some)
    whole = layer(x)
    assert whole.shape == (BATCH, UNITS)
    for name in ("elapsed", "near", "who"):
        some = {other: value for other, value in x.items() if other != name}
        with pytest.raises(ValueError, match=f"`{name}` must be given"):
            layer(some)
    np.testing.assert_array_equal(layer({**x, "on": np.ones((BATCH, STEPS, 1))}), whole)
    cell = built("elapsed").ElapsedCell(UNITS)
    with pytest.raises(ValueError, match="`elapsed` must be given"):
        keras.layers.RNN(cell)(sequences())
