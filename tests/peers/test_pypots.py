"""PyPOTS's GRU-D, seen with 1.5 and torch 2.13: torch's GRUCell behind the decays, and so not the paper's cell.

The package imports much that is not needed here: its two files are read by themselves.
"""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.peers.ours import BATCH, INPUT, STEPS, UNITS, apart, draw, instance, near, run, sequence

pytestmark = pytest.mark.full
torch = pytest.importorskip("torch")


def backbone():
    pypots = importlib.util.find_spec("pypots")
    if pypots is None:
        pytest.skip("no pypots")
    folder = Path(pypots.submodule_search_locations[0], "nn", "modules", "grud")
    spec = importlib.util.spec_from_file_location("pypots_grud", folder / "__init__.py")
    module = sys.modules["pypots_grud"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.BackboneGRUD(STEPS, INPUT, UNITS).double()


def sigmoid(v):
    return 1 / (1 + np.exp(-v))


def given():
    """Values, which are observed, for how long each was not, the last ones observed."""
    x, rng = sequence(), np.random.default_rng(3)
    m = (rng.random(x.shape) < 0.6).astype(float)
    m[:, 0] = 1
    delta, last = rng.uniform(0.3, 2, x.shape), x.copy()
    for t in range(1, STEPS):
        last[:, t] = np.where(m[:, t] > 0, x[:, t], last[:, t - 1])
    return x, m, delta, last


def test_gru_d_is_another_cell():
    """The decayed state is an input too, and the reset stands behind the product."""
    theirs, ours = backbone(), instance("gru_d")
    w, (x, m, delta, last) = draw(ours), given()
    rng = np.random.default_rng(4)
    W, U = rng.normal(scale=0.6, size=(3 * UNITS, 2 * INPUT + UNITS)), rng.normal(scale=0.6, size=(3 * UNITS, UNITS))
    b = rng.normal(scale=0.6, size=3 * UNITS)
    with torch.no_grad():
        theirs.temp_decay_h.W.copy_(torch.tensor(w["W_gamma_h"].T))
        theirs.temp_decay_h.b.copy_(torch.tensor(w["b_gamma_h"]))
        theirs.temp_decay_x.W.copy_(torch.tensor(np.diag(w["W_gamma_x"])))
        theirs.temp_decay_x.b.copy_(torch.tensor(w["b_gamma_x"]))
        for name, array in (("weight_ih", W), ("weight_hh", U), ("bias_ih", b), ("bias_hh", 0 * b)):
            getattr(theirs.rnn_cell, name).copy_(torch.tensor(array))
        _, wanted = theirs(*(torch.tensor(each) for each in (x, m, delta, w["x_mean"], last)))
    wanted, h = wanted.numpy(), np.zeros((BATCH, UNITS))
    for t in range(STEPS):
        gamma_x = np.exp(-np.maximum(delta[:, t] * w["W_gamma_x"] + w["b_gamma_x"], 0))
        h = np.exp(-np.maximum(delta[:, t] @ w["W_gamma_h"] + w["b_gamma_h"], 0)) * h
        filled = m[:, t] * x[:, t] + (1 - m[:, t]) * (gamma_x * last[:, t] + (1 - gamma_x) * w["x_mean"])
        r, z, n = np.split(np.concatenate([filled, h, m[:, t]], 1) @ W.T + b, 3, 1)
        of_r, of_z, of_n = np.split(h @ U.T, 3, 1)
        r, z = sigmoid(r + of_r), sigmoid(z + of_z)
        h = (1 - z) * np.tanh(n + r * of_n) + z * h
    near(wanted, h)

    def z_r_h(array):
        """Ours in their order; z takes the new value here, and theirs keeps the old."""
        r, z, n = np.split(array, 3)
        return np.concatenate([-z, r, n]).T

    V, W, extra = z_r_h(W[:, INPUT + UNITS :]), z_r_h(W[:, :INPUT]), z_r_h(W[:, INPUT : INPUT + UNITS])
    extra[:, 2 * UNITS :] = 0  # what gates make of the state twice is a sum, the candidate's is not
    w |= {"W": W, "V": V, "U": z_r_h(U) + extra, "b": z_r_h(b)}
    apart(run(ours, w, {"x": x, "m": m, "delta": delta})[0][:, -1], wanted)
