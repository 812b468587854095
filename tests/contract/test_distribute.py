"""Training on more than one device and on more than one machine gives the weights of one device on the joined batch."""

import json
import re
import socket
from contextlib import ExitStack

import numpy as np
import pytest
import tensorflow as tf

from tests.contract.training import train
from tests.generated import CHECKOUT, GENERATED, child, close, imported
from tests.programs import ran

BOUNDS = {"float64": 1e-11, "float32": 2e-5}
DEVICES = """
import numpy as np, tensorflow as tf
cpu, half = tf.config.list_physical_devices("CPU")[0], tf.config.LogicalDeviceConfiguration()
tf.config.set_logical_device_configuration(cpu, [half, half])
from tests.contract.training import train
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
assert strategy.num_replicas_in_sync == 2
weights, compiled = train(strategy, **{arguments!r})
np.savez("found.npz", *weights)
print(compiled)
"""
WORKER = """
import json, os, numpy as np, tensorflow as tf
strategy = tf.distribute.MultiWorkerMirroredStrategy()  # before anything else of TensorFlow
from tests.contract.training import train
assert strategy.num_replicas_in_sync == 2
weights, compiled = train(strategy, **{arguments!r})
np.savez("found%d.npz" % json.loads(os.environ["TF_CONFIG"])["task"]["index"], *weights)
print(compiled)
"""


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def workers(code: str, folder, count: int = 2) -> list[str]:
    """What processes print that run the same program as the workers of one cluster."""
    cluster = {"worker": [f"127.0.0.1:{port}" for port in free_ports(count)]}
    tasks = [{"cluster": cluster, "task": {"type": "worker", "index": index}} for index in range(count)]
    done = ran(code, folder, CHECKOUT, GENERATED, each=[{"TF_CONFIG": json.dumps(task)} for task in tasks])
    for each in done:
        assert each.returncode == 0, each.stderr[-4000:]
    return [each.stdout for each in done]


def of(path) -> list[np.ndarray]:
    found = np.load(path)
    return [found[name] for name in found.files]


def alone(arguments) -> list[np.ndarray]:
    """The weights that one device comes to."""
    imported(arguments["stem"], GENERATED)
    return train(tf.distribute.get_strategy(), **arguments)[0]


def given(stem, optimizer="adam", how="loop", *marks, **more):
    arguments = {"stem": stem, "optimizer": optimizer, "how": how, **more}
    return pytest.param(arguments, id="-".join(map(str, arguments.values())), marks=marks)


full = pytest.mark.full


@pytest.mark.parametrize(
    "arguments",
    [
        given("lstm", "adam", "fit"),
        given("lstm", "sgd", "loop", full),
        given("lstm", "sgd", "fit", full, steps=8),
        given("lstm", "sgd", "fit", full, dtype="float32"),
        given("lstm", "adam", "loop", full, steps=8, jit_compile=True),
        given("layer_norm_lstm", "sgd", "fit", full),
        given("layer_norm_lstm", "adam", "loop", full),
        given("lstmp", "sgd", "fit", full),
        given("lstmp", "adam", "loop", full),
        given("hm_lstm_stack", "adam", "fit", full),
        given("hm_lstm_stack", "sgd", "loop", full),
        given("hm_lstm_stack", "adam", "fit", full, steps=8),
    ],
)
def test_two_devices(arguments, tmp_path):
    printed = child(DEVICES.format(arguments=arguments), tmp_path, CHECKOUT, GENERATED)
    agrees(arguments, printed, of(tmp_path / "found.npz"))


@pytest.mark.parametrize(
    "arguments",
    [
        given("lstm", "adam", "loop", steps=8),  # XLA on more than one device: above
        given("lstm", "adam", "loop", full),
        given("lstm", "sgd", "loop", full, steps=8),
        given("lstm", "adam", "loop", full, dtype="float32"),
        given("layer_norm_lstm", "sgd", "loop", full),
        given("lstmp", "sgd", "loop", full, steps=8, jit_compile=True),
        given("hm_lstm_stack", "adam", "loop", full, steps=8),
    ],
)
def test_two_machines(arguments, tmp_path):
    printed = workers(WORKER.format(arguments=arguments), tmp_path)
    one, other = of(tmp_path / "found0.npz"), of(tmp_path / "found1.npz")
    close(one, other, 0)
    for each in printed:
        agrees(arguments, each, one)


def agrees(arguments, printed, found) -> None:
    """XLA ran where it was to, and the weights are those of one device, far from where they started."""
    through_xla = arguments.get("jit_compile", "auto") is True or arguments.get("steps", 70) >= 64
    assert (int(printed.split()[-1]) > 0) == through_xla
    close(found, alone(arguments), BOUNDS[arguments.get("dtype", "float64")])
    start = alone({**arguments, "epochs": 0})
    moved = [abs(value - first).max() > 1e-3 for value, first in zip(found, start, strict=True)]
    assert sum(moved) > len(moved) / 2  # a scheduled option stays, and a detector may


FIT = """
import numpy as np, tensorflow as tf, keras
strategy = tf.distribute.MultiWorkerMirroredStrategy()
with strategy.scope():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
try:
    model.fit(np.ones([8, 3]), np.ones([8, 1]), batch_size=4, verbose=0)
    print("fits")
except ValueError as error:
    print("PerReplica" in str(error))
"""


COMPILED = """
import keras, numpy as np, tensorflow as tf
cpu, half = tf.config.list_physical_devices("CPU")[0], tf.config.LogicalDeviceConfiguration()
tf.config.set_logical_device_configuration(cpu, [half, half])
with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", jit_compile=True)
try:
    model.fit(np.ones([8, 3]), np.ones([8, 1]), batch_size=4, verbose=0)
    print("fits")
except tf.errors.OpError as error:
    print("Trying to access resource" in str(error))
"""


@full
def test_keras_cannot_compile_a_step_on_two_devices(tmp_path):
    """XLA for the whole step fails there with any model: it reads the other device's weights."""
    assert child(COMPILED, tmp_path).split()[-1] == "True"


@full
def test_keras_cannot_fit_on_two_machines(tmp_path):
    """Keras 3.15's `fit` fails there with any model. When it no longer does, the guide can say so."""
    assert [each.split()[-1] for each in workers(FIT, tmp_path)] == ["True", "True"]


@full
def test_the_program_of_the_guide(tmp_path):
    """Two machines print the same losses as one, all of them as one batch's."""
    page = (CHECKOUT / "cellgen" / "guide" / "machines.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"```python\n(.*?)```", page, re.S)
    (tmp_path / "my_lstm.py").write_text("from lstm import LSTM as MyLSTM\n")
    one = numbers(child(program, tmp_path, GENERATED))
    first, second = (numbers(printed) for printed in workers(program, tmp_path))
    assert first == second and len(one) == 3 and one[-1] < one[0]
    np.testing.assert_allclose(first, one, rtol=1e-3)


def numbers(printed: str) -> list[float]:
    """The losses of the epochs: lines of two numbers."""
    return [float(line.split()[1]) for line in printed.splitlines() if re.fullmatch(r"\d+ \S+", line)]
