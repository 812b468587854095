"""Types: an editor knows the arguments of generated classes, and pyright is quiet on what is right."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.checkout import CHECKOUT

GENERATED = CHECKOUT / "generated"
PROGRAM = """\
import numpy as np
import tensorflow as tf
from hm_lstm_stack import HMLSTMStack
from lstm import LSTM, LSTMCell
from regularised_lstm import RegularisedLSTM

x, mask = tf.zeros([4, 10, 3]), np.ones([4, 10], bool)
layer = LSTM(128, activation=tf.nn.relu, return_sequences=True, kernel_regularizer="l2", jit_compile=True)
y = layer(x, mask=mask)
print(y.shape, layer.units, layer.cell.units, layer.get_config()["units"])
outputs, *states = LSTM(8, return_state=True, bias_initializer=tf.keras.initializers.Ones())(x)
cell = LSTMCell(3)
output, state = cell(x[:, 0], cell.get_initial_state(batch_size=4))
stack = HMLSTMStack([6, 5], 4, boundary="sigmoid", slope=2.0)
stack.slope.assign(3.0)
model = tf.keras.Sequential([tf.keras.Input((None, 3)), RegularisedLSTM(5, dropout=0.1, seed=1), HMLSTMStack([2], 2)])
"""
WRONG = {  # what is wrong, and what is said of it
    'LSTM("many")': "Literal['many']",
    "LSTM(3, use_bias=1)": '"Literal[1]" is not assignable to "bool"',
    "LSTM(3, kernel_regularizer=2)": "Literal[2]",
    "LSTM()": 'Argument missing for parameter "units"',
    'HMLSTMStack([2], 2, combine="mix")': "Literal['mix']",
}


@pytest.fixture(scope="module")
def said(tmp_path_factory) -> dict[str, list[tuple[int, str]]]:
    """What pyright says, by file: line and message. Of all that is generated, the runtime too, and of two programs."""
    folder = tmp_path_factory.mktemp("typed")
    for path in GENERATED.glob("*.py"):
        if not path.name.startswith("test_"):
            shutil.copy(path, folder)
    (folder / "right.py").write_text(PROGRAM)
    (folder / "wrong.py").write_text("\n".join([*PROGRAM.splitlines()[:5], *WRONG]))
    (folder / "pyrightconfig.json").write_text(json.dumps({"pythonVersion": "3.10"}))
    command = [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable, "-p", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
    found: dict[str, list[tuple[int, str]]] = {}
    for each in json.loads(done.stdout)["generalDiagnostics"]:
        line = each["range"]["start"]["line"] + 1
        found.setdefault(Path(each["file"]).name, []).append((line, each["message"]))
    return found


def test_what_is_right(said):
    assert {name: found for name, found in said.items() if name != "wrong.py"} == {}


def test_what_is_wrong(said):
    found = said["wrong.py"]
    assert [line for line, _ in found] == [*range(6, 6 + len(WRONG))]
    for (_, message), wanted in zip(found, WRONG.values(), strict=True):
        assert wanted in message
