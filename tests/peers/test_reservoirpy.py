"""reservoirpy's reservoir, seen with 0.4.2: our esn, with its weights."""

import numpy as np
import pytest

from tests.peers.ours import INPUT, UNITS, draw, instance, near, run, sequence

pytestmark = pytest.mark.full
nodes = pytest.importorskip("reservoirpy.nodes")


def test_esn():
    ours = instance("esn", leak=0.3)
    w, x = draw(ours), sequence()
    given = {"W": w["recurrent_kernel"].T, "Win": w["kernel"].T, "bias": w["bias"]}
    output, _ = run(ours, w, x)
    for row, wanted in zip(x, output):
        reservoir = nodes.Reservoir(UNITS, lr=0.3, input_dim=INPUT, **given)
        near(np.asarray(reservoir.run(row)), wanted)
