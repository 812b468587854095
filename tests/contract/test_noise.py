"""What training draws: against the papers, in Keras's own loop and beside Keras's own dropout, in stacks, by seed."""

import functools
from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf

from cellgen import testing
from cellgen.compiler import Spec
from cellgen.diagnostics.diagnostic import SpecError
from cellgen.interpret.instance import Instance
from tests.generated import (
    BATCH,
    GENERATED,
    STEPS,
    WIDTH,
    child,
    close,
    committed,
    imported,
    layer_class,
    sequences,
    set_weights,
)
from tests.oracles import regularised_gru, regularised_lstm

RATES = {
    "regularised_lstm": dict.fromkeys(
        ("dropout", "recurrent_dropout", "weight_dropout", "candidate_dropout", "zoneout_h", "zoneout_c"), 0.4
    ),
    "regularised_gru": dict.fromkeys(("dropout", "recurrent_dropout", "zoneout"), 0.4),
}
PAPERS = {"regularised_lstm": regularised_lstm, "regularised_gru": regularised_gru}
BOTH = {"return_sequences": True, "return_state": True}


def made(stem, **arguments):
    layer = layer_class(committed(stem))(6, dtype="float64", **arguments)
    layer.build((BATCH, STEPS, WIDTH))
    set_weights(layer)
    return layer


def held(layer, monkeypatch):
    """What the layer draws, the same from now on: {name: (batch, steps, ...)}, a weight's as it is."""
    noise = layer.cell.noise(BATCH, STEPS)
    monkeypatch.setattr(type(layer.cell), "noise", lambda cell, *sizes: noise)
    return {name: np.asarray(value) for name, value in noise.items()}


def at(drawn, t):
    """What is drawn of one step."""
    return {name: value if value.ndim == 2 else value[:, min(t, value.shape[1] - 1)] for name, value in drawn.items()}


@pytest.mark.parametrize("stem", RATES)
def test_as_the_papers_say(stem, monkeypatch):
    layer, x = made(stem, **RATES[stem], **BOTH), sequences()
    weights = dict(zip(("kernel", "recurrent_kernel", "bias"), map(np.asarray, layer.get_weights())))
    for training in (False, True):
        drawn = held(layer, monkeypatch) if training else None
        state = [np.zeros([BATCH, size]) for size in tf.nest.flatten(layer.cell.state_size)]
        outputs = []
        for t in range(STEPS):
            now = None if drawn is None else at(drawn, t)
            output, state = PAPERS[stem].step(weights, state, x[:, t], drawn=now, **RATES[stem])
            outputs.append(output)
        close(layer(x, training=training), [np.stack(outputs, 1), *state])


@pytest.mark.parametrize("stem", RATES)
def test_one_rate_alone(stem):
    """Each changes what training gives, and nothing else draws."""
    x, plain = sequences(), made(stem, **BOTH)
    assert not plain.cell.noisy
    close(plain(x, training=True), plain(x))
    for name, rate in RATES[stem].items():
        layer = made(stem, **{name: rate}, **BOTH)
        drawn = [value for value in layer.cell.noise(BATCH, STEPS).values() if tf.is_tensor(value)]
        assert len(drawn) == 1 and not np.allclose(layer(x, training=True)[0], plain(x)[0])
        if "zoneout" in name:
            assert not np.allclose(layer(x)[0], plain(x)[0])
        else:
            close(layer(x), plain(x))


@pytest.mark.parametrize("stem", RATES)
def test_rates_are_checked(stem):
    for bad in (-0.1, 1.5, "half"):
        with pytest.raises(ValueError, match="`dropout` must be a number from 0.0 to 1.0"):
            layer_class(committed(stem))(6, dropout=bad)
    assert np.isfinite(made(stem, dropout=1.0)(sequences(), training=True)).all()


def test_the_cell_in_kerass_loop(monkeypatch):
    """What holds for a sequence is drawn once, before the loop, and forgotten after it; the rest anew at each step."""
    layer = made("regularised_lstm", **RATES["regularised_lstm"], **BOTH)
    cell = type(layer.cell)(6, dtype="float64", **RATES["regularised_lstm"])
    theirs, x = keras.layers.RNN(cell, dtype="float64", **BOTH), sequences()
    theirs.build(x.shape)
    theirs.set_weights(layer.get_weights())
    close(theirs(x), layer(x))
    scan, seen = type(cell).scan, []
    step = functools.wraps(scan.step)(lambda *a, **k: seen.append(k) or scan.step(*a, **k))
    monkeypatch.setattr(type(cell), "scan", replace(scan, step=step))
    eager = keras.layers.RNN(cell, dtype="float64", unroll=True, **BOTH)
    eager(x, training=True)
    for name in ("_keep_x", "_keep_h_prev", "_keep_recurrent_kernel"):
        assert len({id(each[name]) for each in seen}) == 1
    for name in ("_keep_g", "_zone_c", "_zone_h"):
        assert len({np.asarray(each[name]).tobytes() for each in seen}) == STEPS
    assert not cell._held
    assert not np.allclose(eager(x, training=True)[0], eager(x, training=True)[0])
    stacked = keras.layers.RNN([type(cell)(6, **RATES["regularised_lstm"]), keras.layers.GRUCell(3, dropout=0.5)])
    assert np.isfinite(stacked(x, training=True)).all()
    graph = tf.function(lambda x: theirs(x, training=True)[0])
    assert not np.allclose(graph(x), graph(x))


def test_as_kerass_own_dropout(monkeypatch):
    """The same masks give what keras.layers.LSTM gives under `dropout` and `recurrent_dropout`."""
    rates = {"dropout": 0.3, "recurrent_dropout": 0.5}
    layer, x = made("regularised_lstm", **rates, **BOTH), sequences()
    theirs = keras.layers.LSTM(6, dtype="float64", **rates, **BOTH)
    theirs.build(x.shape)
    theirs.set_weights(layer.get_weights())
    drawn = held(layer, monkeypatch)
    masks = {name: [tf.constant(drawn[name][:, 0])] * 4 for name in ("_keep_x", "_keep_h_prev")}  # one a gate
    monkeypatch.setattr(theirs.cell, "get_dropout_mask", lambda step: masks["_keep_x"])
    monkeypatch.setattr(theirs.cell, "get_recurrent_dropout_mask", lambda state: masks["_keep_h_prev"])
    close(layer(x, training=True), theirs(x, training=True))


def test_by_seed_and_by_keras_seed():
    x, rates = sequences(), RATES["regularised_gru"]
    first, again, other = (made("regularised_gru", seed=seed, **rates)(x, training=True) for seed in (3, 3, 4))
    close(first, again)
    assert not np.allclose(first, other)
    drawn = []
    for _ in range(2):
        keras.utils.set_random_seed(5)
        drawn.append(made("regularised_gru", **rates)(x, training=True))
    close(*drawn)


@pytest.mark.parametrize(("jit_compile", "steps"), [(False, 20), (True, 70)])
def test_fit(jit_compile, steps):
    """Each step of a training draws anew, in a graph and in one for XLA; in evaluation nothing is drawn."""
    keras.utils.set_random_seed(0)
    x = np.random.default_rng(0).normal(size=(16, steps, WIDTH)).astype("float32")
    layer = layer_class(committed("regularised_lstm"))(8, **dict.fromkeys(RATES["regularised_lstm"], 0.1))
    model = keras.Sequential([keras.Input((steps, WIDTH)), layer, keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.0), "mse", jit_compile=jit_compile)
    y = x[:, -1, :1]
    losses = model.fit(x, y, batch_size=8, shuffle=False, epochs=3, verbose=0).history["loss"]
    assert len(set(losses)) == 3
    if not jit_compile:
        assert model.evaluate(x, y, verbose=0) == model.evaluate(x, y, verbose=0)


def test_each_device_draws_its_own(tmp_path):
    """Under MirroredStrategy, from one seed: what two devices drop is not the same."""
    code = """
    import keras, numpy as np, tensorflow as tf
    from regularised_lstm import RegularisedLSTM
    two = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], two)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    with strategy.scope():
        layer = RegularisedLSTM(4, dropout=0.3, recurrent_dropout=0.3, weight_dropout=0.1, zoneout_h=0.2, seed=1)
        model = keras.Sequential([keras.Input((20, 3)), layer, keras.layers.Dense(1)])
        model.compile("sgd", "mse", jit_compile=False)
    x = np.random.default_rng(0).normal(size=(16, 20, 3)).astype("float32")
    losses = model.fit(x, x[:, 0, :1], batch_size=8, epochs=2, verbose=0).history["loss"]
    assert np.isfinite(losses).all()
    draw = tf.function(lambda: layer.cell.noise(50)["_keep_x"])
    one, other = strategy.experimental_local_results(strategy.run(draw))
    assert 0 < np.mean(one.numpy() == other.numpy()) < 1
    """
    child(code, tmp_path, GENERATED)


def test_where_keras_is_older(tmp_path):
    """With TF_USE_LEGACY_KERAS the cell draws at each step, or takes what it is given."""
    code = """
    import numpy as np, tensorflow as tf
    from regularised_gru import RegularisedGRUCell
    cell, x = RegularisedGRUCell(6, dropout=0.5, zoneout=0.5), tf.ones([4, 3])
    state = cell.get_initial_state(batch_size=4, dtype=tf.float32)
    first, _ = cell(x, state, training=True)
    assert not np.allclose(first, cell(x, state, training=True)[0])
    noise = cell.noise(4)
    assert np.allclose(cell(x, state, training=True, noise=noise)[0], cell(x, state, training=True, noise=noise)[0])
    y = tf.keras.layers.RNN(cell)(tf.ones([4, 5, 3]), training=True)
    assert y.shape == (4, 6)
    """
    child(code, tmp_path, GENERATED, TF_USE_LEGACY_KERAS="1")


# --- stacks ---------------------------------------------------------------------------------------------------------

CELL = """\
cell: Small
state: {h: units}
options:
  rate: {default: 0.0, in: [0, 1]}
  stay: {default: 0.0, in: [0, 1]}
params:
  W: [input, units]
  U: [units, units]
equations: |
  h = zoneout(tanh(dropout(x, rate, per=sequence) @ W + h[t-1] @ dropout(U, 0.3, per=sequence)), h[t-1], stay, per=step)
"""
STACK = """\
stack: Smalls
cell: small
layers: units
"""


def test_the_interpreter_draws_nothing_of_its_own():
    """What is drawn of a weight holds for all steps, the rest is of each step; without it there is no training."""
    steps, units = 4, 4
    instance = Instance(Spec.of(CELL).typed(), {"units": units, "input": 2, "rate": 0.4, "stay": 0.3})
    rng = np.random.default_rng(0)
    w, u = weights = [rng.normal(size=shape) for shape in instance.weights.values()]
    keep_u = rng.integers(0, 2, (units, units)) / 0.7
    keep_x = np.broadcast_to(rng.integers(0, 2, (BATCH, 1, 2)) / 0.6, (BATCH, steps, 2))
    zone_h, x = rng.integers(0, 2, (BATCH, steps, units)), rng.normal(size=(BATCH, steps, 2))
    drawn = {"_keep_x": keep_x, "_keep_U": keep_u, "_zone_h": zone_h}
    h = np.zeros((BATCH, units))
    for t in range(steps):
        new = np.tanh((x[:, t] * keep_x[:, t]) @ w + h @ (u * keep_u))
        h = np.where(zone_h[:, t], h, new)
    np.testing.assert_allclose(instance.scan(weights, {"x": x} | drawn, training=True).final.h, h, atol=1e-12)
    with pytest.raises(ValueError, match="inputs x; wanted _keep_x, _keep_U, _zone_h too, which training draws"):
        instance.scan(weights, {"x": x}, training=True)


def test_a_stack_draws_for_each_layer(tmp_path):
    """The whole of its generated tests, which ask the layers as one cell, in training too."""
    (tmp_path / "small.yaml").write_text(CELL)
    (tmp_path / "smalls.yaml").write_text(STACK)
    for name, text in Spec.at(tmp_path / "smalls.yaml").build().items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    tests = imported("test_smalls", tmp_path)
    with pytest.MonkeyPatch.context() as patched:
        tests.test_training_every_way(patched)
    tests.test_training_step()
    tests.test_step(tests.SUBJECT.cases[-1], tests.SUBJECT.sizes[0])
    trial = tests.SUBJECT.trial(testing.rates(tests.SUBJECT.declared.layer))
    one, again, other = (trial.twin(seed=seed).cell.noise(20, 3) for seed in (7, 7, 8))
    assert len(one) == 9  # three a layer, and no two layers alike
    close([*again.values()], [*one.values()])
    assert not any(np.array_equal(one[name], other[name]) for name in one if "_keep_U" not in name)  # which is small
    assert len({np.asarray(value).tobytes() for value in one.values()}) == 9
    rnn = keras.layers.RNN(type(trial.layer.cell)(**trial.arguments))
    assert np.isfinite(rnn(tf.ones([2, 3, 3]), training=True)).all()


def test_a_wiring_leaves_rates_alone():
    wiring = "wiring: |\n  x = below.h if below else x\n  rate = 0.2 if below else 0.3\n"
    with pytest.raises(SpecError) as caught:
        Spec.of(STACK + wiring, "smalls", {"small": CELL}).typed()
    assert caught.value.diagnostics[0].code == "CG601"
    other = "cell: Other\nstate: {h: units}\noptions: {share: {default: 0.5, in: [0, 1]}}\n"
    other += "params: {W: [input, units]}\nequations: |\n  h = share * tanh(x @ W) + 0.5 * h[t-1]\n"
    wiring = "wiring: |\n  x = below.h if below else x\n  share = 1.5 if below else 0.3\n"
    with pytest.raises(SpecError) as caught:
        Spec.of("stack: Others\ncell: other\nlayers: units\n" + wiring, "others", {"other": other}).typed()
    assert [each.message for each in caught.value.diagnostics] == ["the option `share` is from 0 to 1"]


# --- by hand --------------------------------------------------------------------------------------------------------


def test_noise_by_hand():
    """What has no rate, or is not given, drops nothing."""
    cell, x = layer_class(committed("regularised_lstm"))(6, dropout=0.5, dtype="float64").cell, sequences()[:, 0]
    with pytest.raises(ValueError, match="`noise` must be asked for when the cell is built"):
        cell.noise(BATCH)
    state = cell.get_initial_state(batch_size=BATCH)
    plain, _ = cell(x, state)
    noise = cell.noise(BATCH)
    assert list(noise) == ["_keep_x"]
    close(cell(x, state, training=True, noise=noise)[0], cell(x * np.asarray(noise["_keep_x"]), state)[0])
    close(
        tf.function(lambda: cell(x, state, training=True, noise=noise)[0])(),
        cell(x, state, training=True, noise=noise)[0],
    )
    close(cell(x, state, training=True, noise={})[0], plain)


@pytest.mark.parametrize("rate", [0.1, 0.6])
def test_as_many_are_dropped_as_the_rate_says(rate):
    """Of tens of thousands of draws, within five standard deviations; what is kept is scaled, what stays is 1."""
    rates = dict.fromkeys(RATES["regularised_lstm"], rate)
    cell = layer_class(committed("regularised_lstm"))(100, dtype="float64", **rates).cell
    cell.build((None, 100))
    for name, value in cell.noise(300, 50).items():
        value = np.asarray(value)
        zone = "_zone" in name
        dropped = value == zone
        assert value.size >= 30_000 and abs(dropped.mean() - rate) < 5 * (rate * (1 - rate) / value.size) ** 0.5
        np.testing.assert_allclose(value[~dropped], 0 if zone else 1 / (1 - rate), rtol=1e-12)


def test_seeds_are_checked():
    for bad in (True, "1", 1.5):
        with pytest.raises(ValueError, match="`seed` must be an integer, or None"):
            layer_class(committed("regularised_lstm"))(6, seed=bad)


def test_a_law_of_a_rate_of_one_is_proved():
    text = CELL + "laws: |\n  h == h[t-1] when stay == 1\n"
    found = Spec.of(text).check()
    assert [verdict.status for verdict in found.verdicts.laws] == ["proved"]


# --- what is no draw ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("dropout(x, 0.5)", "`dropout` says how long a draw holds"),
        ("dropout(x, per=step)", "`dropout` takes 2 values, not 1"),
        ("dropout(x, 1.5, per=step)", "a rate is a number from 0 to 1"),
        ("dropout(x, h[t-1], per=step)", "a rate is a number or an option that is one"),
        ("dropout(x, wide, per=step)", "`wide` is a rate, so it is from 0 to 1"),
        ("dropout(x, 0.5, per=batch)", "`per` is `step` or `sequence`"),
        ("dropout(x, 0.5, over=units)", "`dropout` has the keyword `per` alone"),
        ("dropout(x + x, 0.5, per=step)", "`dropout` is of a value that has a name"),
        ("dropout(wide, 0.5, per=step)", "`wide` is no value of a step"),
        ("zoneout(x, 0.5, per=step)", "`zoneout` takes 3 values, not 2"),
        ("zoneout(x, x + x, 0.5, per=step)", "`zoneout` is of a value that has a name"),
    ],
)
def test_a_mistake_is_told(call, message):
    text = f"cell: A\noptions: {{wide: 1.0}}\nstate: {{h: input}}\nequations: |\n  h = {call} * wide + h[t-1]\n"
    with pytest.raises(SpecError) as caught:
        Spec.of(text).typed()
    assert message in [each.message for each in caught.value.diagnostics]
    assert {each.code for each in caught.value.diagnostics} == {"CG208"}


def test_a_law_draws_nothing():
    text = (
        "cell: A\nstate: {h: input}\nequations: |\n  h = tanh(x + h[t-1])\nlaws: |\n  h == dropout(h, 0.5, per=step)\n"
    )
    with pytest.raises(SpecError) as caught:
        Spec.of(text).typed()
    assert caught.value.diagnostics[0].message == "`dropout` stands in an equation of a cell only"


BITS = """
import hashlib
import keras, numpy as np, tensorflow as tf
import regularised_lstm

def bits(seed):
    keras.utils.set_random_seed(seed)
    rates = {"dropout": 0.3, "recurrent_dropout": 0.2, "weight_dropout": 0.2, "zoneout_h": 0.1, "zoneout_c": 0.1}
    layer = regularised_lstm.RegularisedLSTM(8, **rates, return_sequences=True, **HOW)
    x = tf.constant(np.random.default_rng(0).normal(size=(4, 12, 3)), tf.float32)
    with tf.GradientTape() as tape:
        y = layer(x, training=True)
        loss = tf.reduce_sum(tf.sin(y))
    values = [y, layer(x, training=True), *tape.gradient(loss, layer.trainable_weights), *layer.get_weights()]
    return hashlib.sha256(b"".join(np.asarray(value).tobytes() for value in values)).hexdigest()
"""


@pytest.mark.full
@pytest.mark.parametrize("how", [{}, {"jit_compile": True}], ids=str)
def test_the_same_seed_gives_the_same_bits(how, tmp_path):
    """Initial weights, what is dropped, outputs and gradients: twice in a process, and in two more."""
    code = f"HOW = {how!r}\n{BITS}\nprint(bits(3), bits(3), bits(4))"
    one, again, other = child(code, tmp_path, GENERATED, PYTHONHASHSEED="1").split()
    assert one == again != other
    assert child(code, tmp_path, GENERATED, PYTHONHASHSEED="2").split() == [one, one, other]  # of another start
