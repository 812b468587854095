"""A generated layer outside Python: SavedModel and TFLite with built-in operations only."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.generated import STEPS, WIDTH, child, close, five_subjects, sequences, set_weights


def model_of(subject, steps=None, masked=False, **arguments):
    masking = [keras.layers.Masking()] if masked else []
    layers = [subject.Layer(6, return_sequences=True, **subject.arguments), subject.Layer(6, **subject.arguments)]
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
    interpreter = tf.lite.Interpreter(model_content=tf.lite.TFLiteConverter.from_keras_model(model).convert())
    (given,), (result,) = interpreter.get_input_details(), interpreter.get_output_details()
    for length in (STEPS, steps or 9):
        x = sequences(1, length).astype("float32")
        x[:, 2] = 0
        interpreter.resize_tensor_input(given["index"], x.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(given["index"], x)
        interpreter.invoke()
        close(interpreter.get_tensor(result["index"]), model(x), 2e-6)
