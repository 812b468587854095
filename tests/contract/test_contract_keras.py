"""A generated layer in Keras: arguments, configs, files, models, training, wrappers."""

import re
from itertools import product

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras.src.testing import TestCase

from tests.generated import (
    BATCH,
    GENERATED,
    MASK,
    OTHERS,
    SUBJECTS,
    WIDTH,
    child,
    close,
    each_subject,
    five_subjects,
    one_subject,
    sequences,
    set_weights,
    subject,
)

# --- weights and configs --------------------------------------------------------------------------------------------


@each_subject
def test_arguments_of_every_weight(subject):
    ending = "_initializer"
    names = [name.removesuffix(ending) for name in subject.weight_arguments if name.endswith(ending)]
    arguments = {f"{name}_initializer": keras.initializers.Constant(k + 1) for k, name in enumerate(names)}
    arguments |= {f"{name}_regularizer": keras.regularizers.L2(0.1 * (k + 1)) for k, name in enumerate(names)}
    arguments |= {f"{name}_constraint": "non_neg" for name in names}
    layer = subject.made(**arguments)
    layer.build((None, None, WIDTH))
    found = {w.path.split("/cell/")[1].replace("/", "_"): w for w in layer.trainable_weights}
    if subject.stack:  # `layer2/W`, `readout/emb1`: an argument is about those of all layers
        args = {name: re.sub(r"^(layer\d+|readout)_|(?<=emb)\d+$", "", name) for name in found}
    else:
        args = dict(zip(found, found))
        assert list(found) == [name for name in names if name in found]
    assert {*args.values()} <= {*names} and len(found) >= 2
    wanted = []
    for path, weight in found.items():
        k = names.index(args[path])
        assert np.all(weight.numpy() == k + 1)
        assert isinstance(weight.constraint, keras.constraints.NonNeg)
        assert weight.regularizer.l2 == pytest.approx(0.1 * (k + 1))
        wanted.append(0.1 * (k + 1) * (k + 1) ** 2 * np.prod(weight.shape))
    np.testing.assert_allclose(sorted(map(float, layer.losses)), sorted(wanted), rtol=1e-5)


@each_subject
def test_configs(subject):
    module, name = subject.module, subject.weight_arguments[0]
    arguments = {name: keras.initializers.RandomNormal(stddev=0.5), "zero_output_for_mask": True, "name": "mine"}
    layer = subject.layer(go_backwards=True, return_all_states=True, **arguments)
    config = layer.get_config()
    assert "cell" not in config  # `from_config` gives it to the constructor, as Bidirectional and loading do
    again = subject.Layer.from_config(config)
    assert again.get_config() == config and again.name == "mine" and again.dtype_policy.name == "float64"
    cell = subject.cell(**{name: "ones"})
    assert subject.Cell.from_config(cell.get_config()).get_config() == cell.get_config()
    for each in (layer, cell):
        kept = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(each))
        assert type(kept) is type(each) and kept.get_config() == each.get_config()
        assert keras.saving.get_registered_name(type(each)) == f"{module.__name__}>{type(each).__name__}"
    layer.trainable = False
    assert layer.trainable_weights == [] and layer.non_trainable_weights
    assert subject.made(trainable=False).get_config()["trainable"] is False


def test_weights_have_names_of_their_own_and_those_of_norms_come_last():
    layer = subject("layer_norm_lstm").layer()
    names = "x_w h_w ln_x_scale ln_x_shift ln_h_scale ln_h_shift ln_c_scale ln_c_shift".split()
    assert [w.name for w in layer.weights] == [w.path.split("/cell/")[1] for w in layer.weights] == names


# --- files ----------------------------------------------------------------------------------------------------------


def saved_model(subject):
    """A layer and a cell in Keras's own loop, with arguments that a config must keep."""
    weight = subject.weight_arguments[0].removesuffix("_initializer")
    layer = subject.made(return_sequences=True, **{f"{weight}_regularizer": "l2"})
    model = keras.Sequential([keras.Input((None, WIDTH)), layer, keras.layers.RNN(subject.cell())])
    set_weights(model)
    return model


LOADED = """
import importlib, sys, keras, numpy as np
wanted = np.load("wanted.npz")
x, names = wanted["x"], {names!r}
modules = {{stem: importlib.import_module(stem) for stem in names}}
assert "cellgen" not in sys.modules

def agrees(model, stem):
    return abs(model(x) - wanted[stem]).numpy().max() < 1e-6

for stem, name in names.items():
    for kind in ("keras", "h5"):
        model = keras.models.load_model(stem + "." + kind)
        assert agrees(model, stem) and type(model.layers[0]) is getattr(modules[stem], name)
    assert model.losses
    model.set_weights([w + 1 for w in model.get_weights()])
    assert not agrees(model, stem)
    model.load_weights(stem + ".weights.h5")
    assert agrees(model, stem)
"""


@pytest.mark.full
def test_models_of_all_cells_load_in_a_fresh_process(tmp_path):
    x, names = sequences().astype("float32"), {each.stem: each.Layer.__name__ for each in (*SUBJECTS, *OTHERS)}
    wanted = {"x": x}
    for stem in names:
        model = saved_model(subject(stem))
        for kind in ("keras", "h5"):
            model.save(tmp_path / f"{stem}.{kind}")
        model.save_weights(tmp_path / f"{stem}.weights.h5")
        wanted[stem] = model(x)
    np.savez(tmp_path / "wanted.npz", **wanted)
    child(LOADED.format(names=names), tmp_path, GENERATED)


@one_subject
def test_a_model_loads(subject, tmp_path):
    model, x = saved_model(subject), sequences().astype("float32")
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    close(again(x), model(x), 1e-6)
    for ours, theirs in zip((again.layers[0], again.layers[1].cell), (model.layers[0], model.layers[1].cell)):
        assert ours.get_config() == theirs.get_config()


# --- models ---------------------------------------------------------------------------------------------------------


@one_subject
def test_what_a_functional_model_expects(subject):
    """Keras asks `compute_output_shape` only: what comes must be what it says, whatever is returned."""
    x, state = sequences(), subject.state()
    for outputs, last, every in product([False, True], repeat=3):
        layer = subject.layer(return_sequences=outputs, return_state=last, return_all_states=every)
        given = keras.Input((None, WIDTH), dtype="float64")
        start = [keras.Input((size,), dtype="float64") for size in tf.nest.flatten(layer.cell.state_size)]
        symbolic = layer(given, initial_state=start)
        model = keras.Model([given, start], tf.nest.flatten(symbolic))
        values = model([x, state])
        close(values, layer(x, initial_state=state))
        for expected, value in zip(tf.nest.flatten(symbolic), tf.nest.flatten(values), strict=True):
            assert expected.dtype == value.dtype and tf.TensorShape(expected.shape).is_compatible_with(value.shape)
        eager = layer(x)
        tf.nest.assert_same_structure(eager, layer.compute_output_spec(given))
        assert not every or type(symbolic[-1]) is type(eager[-1]) is subject.State


@one_subject
def test_a_mask_from_below(subject):
    """Also where Keras itself would drop it: beside an initial state."""
    layer, x, state = subject.layer(return_sequences=True), sequences(), subject.state()
    x[~MASK] = 0
    masked = keras.layers.Masking(dtype="float64")(x)
    close(layer(masked), layer(x, mask=MASK))
    close(layer(masked, initial_state=state), layer(x, mask=MASK, initial_state=state))
    close(layer(masked, lengths=[2, 3, 4, 5]), layer(x, mask=MASK, lengths=[2, 3, 4, 5]))
    assert not np.allclose(layer(masked), layer(x))
    given = keras.Input((None, WIDTH), dtype="float64")
    start = [keras.Input((size,), dtype="float64") for size in tf.nest.flatten(layer.cell.state_size)]
    model = keras.Model([given, start], layer(keras.layers.Masking(dtype="float64")(given), initial_state=start))
    close(model([x, state]), layer(x, mask=MASK, initial_state=state))


@one_subject
@pytest.mark.parametrize("merge", ["concat", *(pytest.param(each, marks=pytest.mark.full) for each in ("sum", None))])
def test_bidirectional(subject, merge):
    x, mask = sequences(), None if subject.resets else MASK
    for arguments in ({}, {"return_sequences": True}, {"return_sequences": True, "return_state": True}):
        rnn = keras.layers.RNN(subject.cell(dtype="float64"), dtype="float64", **arguments)
        both, theirs = (
            keras.layers.Bidirectional(layer, merge_mode=merge, dtype="float64")
            for layer in (subject.layer(**arguments), rnn)
        )
        for each in (both, theirs):
            each.build(x.shape)
        set_weights(both)
        theirs.set_weights(both.get_weights())
        close(both(x), theirs(x))
        close(both(x, mask=mask), theirs(x, mask=mask))


@one_subject
def test_bidirectional_model(subject, tmp_path):
    """Behind an embedding with a mask, trained, saved and loaded."""
    layers = [
        keras.Input((None,)),
        keras.layers.Embedding(9, WIDTH, mask_zero=True),
        keras.layers.Bidirectional(subject.made()),
        keras.layers.Dense(2),
    ]
    model, words = keras.Sequential(layers), np.random.default_rng(2).integers(0, 9, (6, 5))
    model.compile("sgd", "mse", jit_compile=False)
    model.fit(words, np.ones((6, 2)), verbose=0)
    model.save(tmp_path / "model.keras")
    close(keras.models.load_model(tmp_path / "model.keras")(words), model(words), 1e-6)


@five_subjects
@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_fit(subject, dtype, jit_compile):
    """Two layers under a mask learn to repeat the first input; the last batch is smaller than the others."""
    keras.utils.set_random_seed(3)
    rng = np.random.default_rng(3)
    x = rng.normal(size=(20, 5, WIDTH)).astype("float32")
    y, x[7, 3:] = x[:, 0, :1], 0 if dtype != "mixed_float16" else 1
    model = keras.Sequential(
        [
            keras.Input((None, WIDTH)),
            keras.layers.Masking(),
            subject.made(return_sequences=True, dtype=dtype),
            subject.made(dtype=dtype),
            keras.layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.Adam(0.02), "mse", jit_compile=jit_compile)
    losses = model.fit(x, y, batch_size=8, epochs=25 if not jit_compile else 6, verbose=0).history["loss"]
    assert np.isfinite(losses).all() and losses[-1] < (0.8 if not jit_compile else 1) * losses[0]
    assert model.predict(x[:, :3], verbose=0).shape == (20, 1)


@one_subject
def test_wrappers_and_stacks(subject):
    x = sequences()
    stack = keras.layers.RNN([subject.cell(), subject.cell(), keras.layers.GRUCell(2)])
    assert stack(x).shape == (BATCH, 2)
    one_by_one = [subject.layer(return_sequences=True), keras.layers.GRU(2, reset_after=True, dtype="float64")]
    cells = [subject.cell(dtype="float64"), keras.layers.GRUCell(2, dtype="float64")]
    pair = keras.layers.RNN(keras.layers.StackedRNNCells(cells, dtype="float64"), dtype="float64")
    pair.build(x.shape)
    one_by_one[1].build((*x.shape[:2], one_by_one[0].cell.output_size))
    pair.set_weights([*one_by_one[0].get_weights(), *one_by_one[1].get_weights()])
    mask = np.arange(x.shape[1]) < [[3], [x.shape[1]], *[[x.shape[1] - 1]] * (BATCH - 2)]
    for masked in ({}, {"mask": mask}):  # a cell answers in the container that Keras carries its states in
        close(pair(x, **masked), one_by_one[1](one_by_one[0](x, **masked), **masked))
    layer, several = subject.layer(), np.stack([x, x[::-1]], 1)
    wrapped = keras.layers.TimeDistributed(layer, dtype="float64")(several)
    close(wrapped, np.stack([layer(x), layer(x[::-1])], 1))
    model = keras.Sequential([keras.Input((None, WIDTH)), subject.made()])
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    close(clone(x), model(x))


@pytest.mark.full
@each_subject
@pytest.mark.parametrize("return_sequences", [False, True])
def test_keras_own_test_of_layers(subject, return_sequences):
    size = subject.cell().output_size
    arguments = {"units": 6, **subject.arguments, "return_sequences": return_sequences}
    keras_test = TestCase()
    keras_test.run_layer_test(
        subject.Layer,
        init_kwargs=arguments,
        input_shape=(3, 2, 4),
        expected_output_shape=(3, 2, size) if return_sequences else (3, size),
        supports_masking=None,
    )
    keras_test.run_layer_test(
        keras.layers.RNN,
        init_kwargs={"cell": subject.cell()},
        input_shape=(3, 2, 4),
        expected_output_shape=(3, size),
        supports_masking=None,
    )
