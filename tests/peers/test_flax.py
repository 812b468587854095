"""flax's minimal gated unit, seen with 0.12.8 and JAX 0.10.2: our mgu_reset_after."""

import numpy as np
import pytest

from tests.peers.ours import BATCH, UNITS, draw, instance, near, run, sequence

pytestmark = pytest.mark.full
flax = pytest.importorskip("flax.linen")


def test_mgu_reset_after():
    """In float32."""
    ours = instance("mgu_reset_after")
    w, x = draw(ours), sequence()
    h = np.random.default_rng(2).normal(size=(BATCH, UNITS))
    (W_f, W_n), (U_f, U_n) = (np.split(w[name], 2, 1) for name in ("kernel", "recurrent_kernel"))
    b_f, b_n = np.split(w["bias"], 2)
    params = {"if": {"kernel": W_f, "bias": b_f}, "in": {"kernel": W_n, "bias": b_n}}
    params |= {"hf": {"kernel": U_f}, "hn": {"kernel": U_n, "bias": w["recurrent_bias"]}}
    cell, state, found = flax.MGUCell(UNITS), h, []
    for t in range(x.shape[1]):
        state, output = cell.apply({"params": params}, state, x[:, t])
        found.append(np.asarray(output))
    near(run(ours, w, x, ours.State(h))[0], np.stack(found, 1), "float32")
