"""mambapy's selective scan, seen with 1.2.0 and torch 2.13: the part of a block that is our cell."""

import numpy as np
import pytest

from tests.peers.ours import UNITS, draw, instance, near, run, sequence

pytestmark = pytest.mark.full
torch = pytest.importorskip("torch")
mamba = pytest.importorskip("mambapy.mamba")

ORDER, RANK = 5, 3


@pytest.mark.parametrize("parallel", [False, True])
def test_mamba(parallel):
    """A and D are float32 there."""
    ours = instance("mamba", order=ORDER, rank=RANK)
    weights, x = draw(ours), sequence(UNITS)
    config = mamba.MambaConfig(d_model=UNITS, n_layers=1, expand_factor=1, d_state=ORDER, dt_rank=RANK, pscan=parallel)
    block = mamba.MambaBlock(config).double()
    with torch.no_grad():
        block.x_proj.weight.copy_(torch.tensor(np.concatenate([weights[f"W_{name}"].T for name in ("dt", "B", "C")])))
        block.dt_proj.weight.copy_(torch.tensor(weights["V_dt"].T))
        block.dt_proj.bias.copy_(torch.tensor(weights["b_dt"]))
        block.A_log.copy_(torch.tensor(weights["A_log"]))
        block.D.copy_(torch.tensor(weights["D"]))
        wanted = block.ssm(torch.tensor(x), None).numpy()
    near(run(ours, weights, x)[0], wanted, "float32")
