"""Other people's runs of the layers, where installed: torch, onnx's reference, onnxruntime, Keras's tests.

With `--full`; `pip install torch onnx onnxruntime` brings them. Every weight is random, and so is every initial state.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras.src.testing.test_case import TestCase

from cellgen.convert.weights import Onnx, Torch, import_weights
from tests.convert.test_convert import AFTER, CASES, PEEPHOLES, PROJ, PROJECTED, UNITS, random
from tests.generated import BATCH, OTHERS, STEPS, SUBJECTS, WIDTH, close, gradients, sequences

pytestmark = pytest.mark.full

KINDS = {"lstm": "LSTM", "gru": "GRU", "rnn": "RNN"}
BY_TORCH = sorted(set(CASES) - PEEPHOLES - {"gru_reset_before", "gru_one_bias", "lstmp_plain"})
BY_ONNX = sorted(set(CASES) - PROJECTED)
LENGTHS = [1, 5, 70]  # 70: in several chunks, compiled where "auto" compiles
SEEDS = range(5)


def states_of(rng, *sizes):
    return [rng.normal(size=(BATCH, size)) for size in sizes]


# --- torch: values and gradients ------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("steps", LENGTHS)
@pytest.mark.parametrize("name", BY_TORCH)
def test_torch_and_its_gradients(name, steps, seed):
    """Outputs, states, and the gradients for the input, each initial state and every weight."""
    torch = pytest.importorskip("torch")
    case = CASES[name]
    at, rng = case.layout, np.random.default_rng(seed)
    arrays, x = random(Torch(), at, seed), sequences(steps=steps, seed=seed)
    size = PROJ if name in PROJECTED else UNITS
    states = states_of(rng, size, UNITS) if at.kind == "lstm" else states_of(rng, size)
    kind = getattr(torch.nn, KINDS[at.kind])
    projected = {"proj_size": PROJ} if name in PROJECTED else {}
    theirs = kind(WIDTH, UNITS, batch_first=True, bias="bias_ih_l0" in arrays, dtype=torch.float64, **projected)
    theirs.load_state_dict({key: torch.tensor(value) for key, value in arrays.items()})
    leaves = [torch.tensor(value, requires_grad=True) for value in (x, *states)]
    given = tuple(each[None] for each in leaves[1:])
    out, last = theirs(leaves[0], given if at.kind == "lstm" else given[0])
    last = [each[0] for each in (last if at.kind == "lstm" else (last,))]
    values = [out, *last]
    sum(((3 + index) * value).sin().sum() for index, value in enumerate(values)).backward()
    slopes = {key: weight.grad.numpy() for key, weight in theirs.named_parameters()}
    if at.kind != "gru" and "bias_hh_l0" in slopes:
        slopes["bias_hh_l0"] = np.zeros_like(slopes["bias_hh_l0"])  # two biases of theirs are added: ours is one

    ours = case.layer(return_state=True)
    ours.set_weights(list(import_weights(at, Torch(), arrays).values()))
    order = [state.name for state in case.spec.typed().cell.states]
    mine = states if at.kind != "lstm" or _h_first(order, case) else states[::-1]
    came = gradients(ours, x, mine)
    wanted_states = last if mine is states else last[::-1]
    close(came[: 1 + len(last)], [each.detach().numpy() for each in (out, *wanted_states)])
    if mine is not states:
        return  # the loss counts outputs in their order; values are compared, gradients in the other cases
    by_leaf = [each.grad.numpy() for each in leaves]
    count = 1 + len(last)
    close(came[count : count + len(by_leaf)], by_leaf)
    if name != "lstm_two_biases":
        wanted = import_weights(at, Torch(), slopes)
        by_name = dict(zip((weight.name for weight in ours.trainable_weights), came[count + len(by_leaf) :]))
        assert set(by_name) == set(wanted) and len(wanted) > 1
        for key, value in wanted.items():
            close(by_name[key], value)


def _h_first(order: list[str], case) -> bool:
    return order[0] == case.spec.typed().cell.output


# --- ONNX -----------------------------------------------------------------------------------------------------------


def model_of(onnx, kind: str, arrays, steps: int, hidden: int, **attributes):
    """A graph of one operator, of opset 14: X is (time, batch, input), Y (time, direction, batch, units)."""
    helper, double = onnx.helper, onnx.TensorProto.FLOAT
    names = ["X", "W", "R", "B" if "B" in arrays else "", "lengths"]
    names += [""] if kind != "LSTM" else ["", ""]
    names += ["P"] if "P" in arrays else []
    node = helper.make_node(kind, [*names], ["Y"], hidden_size=hidden, **attributes)
    values = [helper.make_tensor_value_info("X", double, [steps, BATCH, WIDTH])]
    values.append(helper.make_tensor_value_info("lengths", onnx.TensorProto.INT32, [BATCH]))
    result = [helper.make_tensor_value_info("Y", double, [steps, 1, BATCH, hidden])]
    held = [onnx.numpy_helper.from_array(value.astype("float32"), key) for key, value in arrays.items()]
    graph = helper.make_graph([node], "one", values, result, held)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("steps", LENGTHS)
@pytest.mark.parametrize("name", BY_ONNX)
@pytest.mark.parametrize("runtime", ["reference", "onnxruntime"])
def test_onnx(runtime, name, steps, seed):
    """Sequences of several lengths: past its end an output is zeros there, and so it is here with `zero_output`."""
    onnx = pytest.importorskip("onnx")
    case, at = CASES[name], CASES[name].layout
    extra = {"linear_before_reset": int(name in AFTER)} if at.kind == "gru" else {}
    format, rng = Onnx(**extra), np.random.default_rng(seed)
    arrays, x = random(format, at, seed), sequences(steps=steps, seed=seed).astype("float32")
    if name == "gru_one_bias":  # it has none inside the reset
        arrays["B"][:, -UNITS:] = 0
        arrays["B"][:, 3 * UNITS :] = 0
    lengths = np.full(BATCH, steps, "int32")
    if runtime == "onnxruntime":  # the reference does not read lengths
        lengths = rng.integers(1, steps + 1, BATCH).astype("int32")
    model = model_of(onnx, KINDS[at.kind], arrays, steps, UNITS, **extra)
    if runtime == "reference":
        from onnx.reference import ReferenceEvaluator

        (wanted,) = ReferenceEvaluator(model).run(["Y"], {"X": x.swapaxes(0, 1), "lengths": lengths})
    else:
        session = pytest.importorskip("onnxruntime").InferenceSession(
            model.SerializeToString(), providers=["CPUExecutionProvider"]
        )
        (wanted,) = session.run(["Y"], {"X": x.swapaxes(0, 1), "lengths": lengths})
    ours = case.layer(zero_output_for_mask=True)
    ours.set_weights(list(import_weights(at, format, arrays).values()))
    mask = np.arange(steps) < lengths[:, None]
    close(ours(x.astype("float64"), mask=tf.constant(mask)), wanted[:, 0].swapaxes(0, 1), 2e-5)


# --- Keras ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("subject", [*SUBJECTS, *OTHERS], ids=lambda each: each.stem)
@pytest.mark.parametrize("wrapper", ["Bidirectional", "TimeDistributed", "RNN"])
def test_keras_harness_with_wrappers(subject, wrapper):
    """Keras's own test of a layer, saving, configuration, mixed precision and training included, around each layer."""
    size = subject.cell().output_size
    arguments = {"units": 6, **subject.arguments}
    shape, wanted = (3, STEPS, WIDTH), (3, size)
    if wrapper == "Bidirectional":
        given, wanted = {"layer": subject.Layer(**arguments, return_sequences=True)}, (3, STEPS, 2 * size)
    elif wrapper == "TimeDistributed":
        given, shape, wanted = {"layer": subject.Layer(**arguments)}, (2, 3, STEPS, WIDTH), (2, 3, size)
    else:
        given = {"cell": subject.cell()}
    if subject.many and wrapper == "TimeDistributed":
        pytest.skip("it takes one input")
    TestCase().run_layer_test(
        getattr(keras.layers, wrapper),
        init_kwargs=given,
        input_shape=shape,
        expected_output_shape=wanted,
        supports_masking=True if wrapper != "RNN" else None,
        run_mixed_precision_check=wrapper == "RNN",
    )
