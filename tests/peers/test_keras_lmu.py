"""KerasLMU, of the authors, seen with 0.9.0, TensorFlow 2.21 and Keras 3.15: all links switched on, as in the paper."""

import numpy as np
import pytest

from tests.peers.ours import BATCH, INPUT, UNITS, draw, instance, near, run, sequence

pytestmark = pytest.mark.full
keras_lmu = pytest.importorskip("keras_lmu")

ORDER, THETA = 4, 7.0


def test_lmu():
    import keras

    ours = instance("lmu", order=ORDER, theta=THETA)
    w, x, rng = draw(ours), sequence(), np.random.default_rng(2)
    hidden = keras.layers.SimpleRNNCell(UNITS, use_bias=False, dtype="float64")
    links = dict.fromkeys(("hidden_to_memory", "memory_to_memory", "input_to_hidden"), True)
    cell = keras_lmu.LMUCell(1, ORDER, THETA, hidden, **links, dtype="float64")
    cell.build((BATCH, INPUT))
    cell.kernel.assign(np.concatenate([w["e_x"], w["e_h"]]))
    cell.recurrent_kernel.assign(w["e_m"])
    hidden.kernel.assign(np.concatenate([w["W_m"], w["W_x"]]))
    hidden.recurrent_kernel.assign(w["W_h"])
    w |= {"A": np.asarray(cell.A).T, "B": np.asarray(cell.B)[0]}
    m, h = rng.normal(size=(BATCH, ORDER)), rng.normal(size=(BATCH, UNITS))
    state, found = [m, h], []
    for t in range(x.shape[1]):
        output, state = cell(x[:, t], state)
        found.append(np.asarray(output))
    output, came = run(ours, w, x, ours.State(h=h, m=m))
    near(output, np.stack(found, 1))
    near(came[1][:, -1], state[0])
