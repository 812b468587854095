"""TensorFlow Addons's cells, seen with 0.23.0, TensorFlow 2.21 and tf_keras 2.21.

They were written for TensorFlow 2.12 to 2.14 and Keras 2: they run in a process of their own, with tf_keras for Keras,
and a module of it where they look for one that Keras 3 has not.
"""

import importlib.util

import numpy as np
import pytest

from tests.peers.ours import BATCH, UNITS, draw, instance, near, run, sequence
from tests.programs import child

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(
        not all(map(importlib.util.find_spec, ("tensorflow_addons", "tf_keras"))), reason="tensorflow_addons, tf_keras"
    ),
]

PROGRAM = """
    import sys, types, warnings
    import numpy as np
    import tensorflow as tf
    from tf_keras.src.engine import keras_tensor
    sys.modules["keras.src.engine"] = types.ModuleType("keras.src.engine")
    sys.modules["keras.src.engine"].keras_tensor = keras_tensor
    warnings.simplefilter("ignore")
    from tensorflow_addons import rnn

    tf.keras.backend.set_floatx("float64")  # norms inside are not given a type
    given = dict(np.load("given.npz"))
    x, state = given["x"], [tf.constant(given[f"state{index}"]) for index in range(int(given["states"]))]
    cell = getattr(rnn, CELL)(UNITS, **ARGUMENTS)
    cell.build(x[:, 0].shape)
    weights = {name[6:]: given[name] for name in given if name.startswith("weight")}
    for weight in cell.weights:
        path = "/" + weight.name.split(":")[0]
        (array,) = (array for name, array in weights.items() if path.endswith(name))
        weight.assign(array)
    outputs = []
    for t in range(x.shape[1]):
        output, state = cell(x[:, t], state)
        state = state if isinstance(state, list) else [state]
        outputs.append(np.asarray(output))
    last = {f"state{index}": np.asarray(each) for index, each in enumerate(state)}
    np.savez("came.npz", output=np.stack(outputs, 1), **last)
"""
PEEPHOLES = {f"p_{gate[0]}": f"{gate}_gate_peephole_weights" for gate in ("input", "forget", "output")}


def norms(*names):
    return {
        f"{name}/{ours}": f"{name}/{theirs}"
        for name in names
        for ours, theirs in (("scale", "gamma"), ("shift", "beta"))
    }


CELLS = {  # spec -> their class, states in their order, arguments of theirs and ours, names that are not ours
    "esn": ("ESNCell", ("h",), {"leaky": 0.3}, {"leak": 0.3}, {}),
    "layer_norm_lstm_tfa": (
        "LayerNormLSTMCell",
        ("h", "c"),
        {"norm_epsilon": 0.1},
        {"epsilon": 0.1},
        norms("kernel_norm", "recurrent_norm", "state_norm"),
    ),
    "layer_norm_simple_rnn": (
        "LayerNormSimpleRNNCell",
        ("h",),
        {"layernorm_epsilon": 0.1},
        {"epsilon": 0.1},
        {"ln/scale": "gamma"},
    ),
    "nas": ("NASCell", ("c", "h"), {"use_bias": True, "projection": 3}, {"use_bias": True, "proj": 3}, {}),
    "peephole_lstm": ("PeepholeLSTMCell", ("h", "c"), {}, {}, PEEPHOLES),
}


@pytest.mark.parametrize("spec", CELLS)
def test_the_same(spec, tmp_path):
    name, order, arguments, given, names = CELLS[spec]
    ours, rng, x = instance(spec, **given), np.random.default_rng(2), sequence()
    weights, shapes = draw(ours), {state.name: ours.settings.shape(state.shape) for state in ours.cell.states}
    initial = {state: rng.normal(size=(BATCH, *shapes[state])) for state in order}
    known = {f"weight/{names.get(key, key)}": weight for key, weight in weights.items()}
    states = {f"state{index}": initial[state] for index, state in enumerate(order)}
    np.savez(tmp_path / "given.npz", x=x, states=len(order), **states, **known)
    program = PROGRAM.replace("CELL", repr(name)).replace("UNITS", str(UNITS)).replace("ARGUMENTS", repr(arguments))
    child(program, tmp_path, TF_USE_LEGACY_KERAS="1")
    came = np.load(tmp_path / "came.npz")
    output, found = run(ours, weights, x, ours.State(**initial))
    near(output, came["output"])
    named = dict(zip(ours.State._fields, found))
    for index, state in enumerate(order):
        near(named[state][:, -1], came[f"state{index}"])
