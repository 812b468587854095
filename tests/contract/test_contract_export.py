"""A generated layer outside Python: SavedModel and TFLite with built-in operations only."""

import functools
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.generated import (
    GENERATED,
    STEPS,
    WIDTH,
    child,
    close,
    committed,
    five_subjects,
    layer_class,
    sequences,
    set_weights,
)


def model_of(subject, steps=None, masked=False, **arguments):
    masking = [keras.layers.Masking()] if masked else []
    layers = [subject.made(return_sequences=True), subject.made()]
    model = keras.Sequential([keras.Input((steps, WIDTH), **arguments), *masking, *layers])
    set_weights(model)
    return model


@five_subjects
def test_export(subject, tmp_path):
    """A SavedModel for any batch and length, in a process that does not have the cell's file."""
    model, x = model_of(subject, masked=True), sequences().astype("float32")
    x[:, 2] = 0
    model.export(tmp_path / "exported", verbose=False)
    np.savez(tmp_path / "wanted.npz", x=x, y=model(x), short=model(x[:2, :3]))
    code = """
    import numpy as np, tensorflow as tf
    wanted, model = np.load("wanted.npz"), tf.saved_model.load("exported")
    assert abs(model.serve(wanted["x"]) - wanted["y"]).numpy().max() < 1e-6
    assert abs(model.serve(wanted["x"][:2, :3]) - wanted["short"]).numpy().max() < 1e-6
    """
    child(code, tmp_path)


@five_subjects
@pytest.mark.parametrize("steps", [STEPS, None], ids=["fixed", "free"])
@pytest.mark.parametrize("masked", [False, True], ids=["unmasked", "masked"])
def test_tflite(subject, steps, masked):
    model = model_of(subject, steps, masked, batch_size=1)
    agrees(tf.lite.TFLiteConverter.from_keras_model(model), model, STEPS, steps or 9)


def agrees(converter, model, *lengths) -> None:
    """What is converted gives what the model gives, of one sequence of each length."""
    interpreter = tf.lite.Interpreter(model_content=converter.convert())
    (given,), (result,) = interpreter.get_input_details(), interpreter.get_output_details()
    for length in lengths:
        x = sequences(1, length).astype("float32")
        x[:, 2] = 0
        interpreter.resize_tensor_input(given["index"], x.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(given["index"], x)
        interpreter.invoke()
        close(interpreter.get_tensor(result["index"]), model(x), 2e-6)


# --- sequences so long that XLA runs them where the batch is known --------------------------------------------------

LONG = 100
CASES = [
    pytest.param(stem, masked, id=f"{stem}-{masked}", marks=() if (stem, masked) == everyday else pytest.mark.full)
    for stem in ("lstm", "gru", "hm_lstm_stack")
    for masked in ("masked", "unmasked")
    for everyday in [("lstm", "masked")]
]
each_case = pytest.mark.parametrize(("stem", "masked"), CASES)


def long_model(stem, masked, steps=LONG, batch_size=1, **arguments):
    """For one batch and one length."""
    sizes = {"units": [3, 4], "embedding": 5} if stem == "hm_lstm_stack" else {"units": 6}
    masking = [keras.layers.Masking()] if masked == "masked" else []
    layer = layer_class(committed(stem))(**sizes, **arguments)
    model = keras.Sequential(
        [keras.Input((steps, WIDTH), batch_size=batch_size), *masking, layer, keras.layers.Dense(2)]
    )
    set_weights(model)
    return model


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A model, and the folder of what is exported for the batch that it is for: unless told so, Keras does for any."""

    @functools.cache
    def exported(stem, masked):
        model, path = long_model(stem, masked), tmp_path_factory.mktemp("exported") / "one"
        signature = [keras.InputSpec(shape=(1, LONG, WIDTH), dtype="float32")]
        model.export(path, verbose=False, input_signature=signature)
        return model, path

    return exported


@each_case
def test_export_of_long_sequences(stem, masked, exported, tmp_path):
    """Values and gradients: the way back is in the SavedModel too. For any batch, and for one, where XLA is in it."""
    (model, one), x = exported(stem, masked), sequences(3, LONG).astype("float32")
    x[:, 2] = 0
    model.export(tmp_path / "any", verbose=False)
    wanted, given = long_model(stem, masked, batch_size=3, jit_compile=False), tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(given)
        y = wanted(given)
    np.savez(tmp_path / "wanted.npz", x=x, y=y, slope=tape.gradient(y, given))
    code = f"""
    import sys, numpy as np, tensorflow as tf
    wanted = np.load("wanted.npz")
    models = {{"any": tf.saved_model.load("any"), "one": tf.saved_model.load({str(one)!r})}}
    for name, batch, compiled in (("any", 3, False), ("any", 2, False), ("one", 1, True)):
        model = models[name]
        x, y, slope = (wanted[each][:batch] for each in ("x", "y", "slope"))
        given = tf.constant(x)
        with tf.GradientTape() as tape:
            tape.watch(given)
            came = model.serve(given)
        assert abs(came - y).numpy().max() < 2e-6, name
        assert abs(model.signatures["serving_default"](given)["output_0"] - y).numpy().max() < 2e-6, name
        assert abs(tape.gradient(came, given) - slope).numpy().max() < 2e-6, name
        functions = model.signatures["serving_default"].graph.as_graph_def().library.function
        assert any(each.attr["_XlaMustCompile"].b for each in functions) == compiled, name
    assert not {{"cellgen", {stem!r}}} & set(sys.modules)
    """
    child(code, tmp_path)


@each_case
def test_tflite_of_long_sequences(stem, masked, exported):
    """From a model, also of any length, and from a SavedModel. What XLA would compile is converted like the rest."""
    model, one = exported(stem, masked)
    agrees(tf.lite.TFLiteConverter.from_keras_model(model), model, LONG)
    agrees(tf.lite.TFLiteConverter.from_saved_model(str(one)), model, LONG)
    free = long_model(stem, masked, steps=None)
    agrees(tf.lite.TFLiteConverter.from_keras_model(free), free, 9, LONG, 600)  # one chunk, and several


@pytest.mark.full
def test_export_for_any_batch_through_xla(tmp_path):
    """Where XLA was asked for, it is in the SavedModel, and compiles for each batch that comes."""
    model, x = long_model("lstm", "masked", jit_compile=True), sequences(3, LONG).astype("float32")
    model.export(tmp_path / "any", verbose=False)
    np.savez(tmp_path / "wanted.npz", x=x, y=tf.concat([model(x[index : index + 1]) for index in range(3)], 0))
    code = """
    import numpy as np, tensorflow as tf
    wanted, model = np.load("wanted.npz"), tf.saved_model.load("any")
    for batch in (1, 3):
        assert abs(model.serve(wanted["x"][:batch]) - wanted["y"][:batch]).numpy().max() < 2e-6
    """
    child(code, tmp_path)


@each_case
def test_a_model_of_long_sequences_loads(stem, masked, tmp_path):
    """In a process that has the file, what all cells share, and nothing else of ours."""
    model, x = long_model(stem, masked), sequences(1, LONG).astype("float32")
    x[:, 2] = 0
    model.save(tmp_path / "model.keras")
    np.savez(tmp_path / "wanted.npz", x=x, y=model(x), traced=model.predict(x, verbose=0))
    for name in (stem, "recurrent_1"):
        shutil.copy(GENERATED / f"{name}.py", tmp_path)
    code = f"""
    import sys, keras, numpy as np, {stem}
    wanted, model = np.load("wanted.npz"), keras.models.load_model("model.keras")
    assert abs(model(wanted["x"]) - wanted["y"]).numpy().max() < 2e-6
    assert abs(model.predict(wanted["x"], verbose=0) - wanted["traced"]).max() < 2e-6
    assert abs(wanted["traced"] - wanted["y"]).max() < 2e-6
    assert sys.modules[type(model.layers[-2]).__module__] is {stem} and "cellgen" not in sys.modules
    """
    child(code, tmp_path)


# --- ONNX -----------------------------------------------------------------------------------------------------------


@each_case
@pytest.mark.parametrize("steps", [STEPS, LONG])  # one chunk and several
def test_onnx(stem, masked, steps):
    """For one batch and one length, without XLA: the guide says what else tf2onnx cannot do."""
    tf2onnx, onnxruntime = pytest.importorskip("tf2onnx"), pytest.importorskip("onnxruntime")
    model = long_model(stem, masked, steps, batch_size=8)
    model.layers[-2].jit_compile = False
    call = tf.function(lambda x: model(x), input_signature=[tf.TensorSpec([8, steps, WIDTH], tf.float32, "x")])
    converted, _ = tf2onnx.convert.from_function(call, input_signature=call.input_signature, opset=18)
    assert {node.domain for node in converted.graph.node} <= {"", "ai.onnx.ml"}
    x = sequences(8, steps).astype("float32")
    x[:, 2] = 0
    session = onnxruntime.InferenceSession(converted.SerializeToString())
    close(session.run(None, {"x": x}), [model(x)], 2e-6)
