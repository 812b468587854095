"""flash-linear-attention's recurrences in plain torch, seen with fla-core 0.6.0 and torch 2.13.

Its layers need triton; these, the references of its kernels, do not, and are read from their files. They compute in
float32 and are given keys, queries, values and decays, which are made here, in numpy, of our weights. They multiply the
query by key**-0.5, as none of the cells does, so they are given one that is larger by that.
"""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from tests.peers.ours import BATCH, INPUT, UNITS, apart, draw, instance, near, run, sequence

pytestmark = pytest.mark.full
torch = pytest.importorskip("torch")
pytest.importorskip("einops")
fla = pytest.importorskip("fla")

HEADS = 2
KEY = UNITS // HEADS
ROOT = KEY**0.5


def naive(path: str, name: str):
    """A function of a file below fla/ops."""
    spec = importlib.util.find_spec("fla.ops")  # its modules are not run: they import triton
    if spec is None:
        pytest.skip("no fla.ops: it is of fla-core")
    file = Path(spec.submodule_search_locations[0], path)
    found = importlib.util.spec_from_file_location(file.parent.name, file)
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return getattr(module, name)


def theirs(path: str, name: str, *arrays, first="time", **given):
    """What it makes of (batch, time, heads, ...) arrays: outputs (batch, time, heads * value), and the last states."""
    turn = first == "heads"
    tensors = [torch.tensor(np.swapaxes(each, 1, 2) if turn else each, dtype=torch.float32) for each in arrays]
    came = naive(path, name)(*tensors, **given)
    out, *rest = came if isinstance(came, tuple) else (came,)
    out = (out.transpose(1, 2) if turn else out).numpy()
    return out.reshape(*out.shape[:2], -1), rest


def tensor(array):
    return torch.tensor(array, dtype=torch.float32)


def sigmoid(v):
    return 1 / (1 + np.exp(-v))


def silu(v):
    return v * sigmoid(v)


def softplus(v):
    return np.log1p(np.exp(v))


def unit(v, epsilon=1e-6):
    return v / np.sqrt(np.square(v).sum(-1, keepdims=True) + epsilon)


def heads(array):
    return array.reshape(*array.shape[:2], HEADS, -1)


class Beside:
    """A cell of ours with random weights and states, and what it made of a sequence."""

    def __init__(self, stem: str, change=(), **given):
        self.cell = instance(stem, heads=HEADS, **given)
        self.weights, rng = draw(self.cell) | dict(change), np.random.default_rng(4)
        shapes = {state.name: self.cell.settings.shape(state.shape) for state in self.cell.cell.states}
        self.initial = {name: rng.normal(size=(BATCH, *shape)) for name, shape in shapes.items()}
        self.x = sequence(INPUT)
        self.output, states = run(self.cell, self.weights, self.x, self.cell.State(**self.initial))
        self.last = {name: state[:, -1] for name, state in zip(self.cell.State._fields, states)}

    def of(self, name: str, x=None):
        """What a matrix makes of the input, head by head."""
        return heads((self.x if x is None else x) @ self.weights[name])

    def agrees(self, came, state: str, turned=False):
        output, (last, *_) = came
        near(output, self.output, "float32")
        near(last.numpy().swapaxes(-1, -2) if turned else last.numpy(), self.last[state], "float32")


def given_of(beside, state="S"):
    return {"initial_state": tensor(beside.initial[state]), "output_final_state": True}


def gla():
    our = Beside("gla", rank=3, temperature=4.0)
    g = our.x @ our.weights["W_a1"] @ our.weights["W_a2"] + our.weights["b_a"]
    return our, [our.of("W_q"), our.of("W_k"), our.of("W_v"), heads(np.log(sigmoid(g)) / 4.0)]


def test_gla():
    our, (q, k, v, decay) = gla()
    our.agrees(theirs("gla/naive.py", "naive_recurrent_gla", q * ROOT, k, v, decay, **given_of(our)), "S")


def test_gla_as_it_is_scales_the_query():
    our, arrays = gla()
    output, _ = theirs("gla/naive.py", "naive_recurrent_gla", *arrays, **given_of(our))
    near(output * ROOT, our.output, "float32")
    apart(output, our.output)


def test_additive_fast_weights():
    our = Beside("additive_fast_weights")
    q, k, v = (our.of(name) for name in ("W_q", "W_k", "W_v"))
    came = theirs("linear_attn/naive.py", "naive_recurrent_linear_attn", q, k, v, scale=1.0, **given_of(our))
    our.agrees(came, "S")


def test_linear_attention():
    our = Beside("linear_attention")
    our.initial["n"] = np.abs(our.initial["n"])
    output, _ = run(our.cell, our.weights, our.x, our.cell.State(**our.initial))
    q, k = (np.where(each > 0, each + 1, np.exp(each)) for each in (our.of("W_q"), our.of("W_k")))
    before = tensor(our.initial["S"]), tensor(our.initial["n"][:, None])
    came, _ = theirs(
        "linear_attn/naive.py",
        "naive_recurrent_linear_attn",
        q,
        k,
        our.of("W_v"),
        normalize=True,
        initial_state=before,
    )
    near(came, output, "float32")


def test_hgrn():
    cell = instance("hgrn", lower_bound=0.3)
    weights, x, h = draw(cell), sequence(), np.random.default_rng(4).normal(size=(BATCH, UNITS))
    output, _ = run(cell, weights, x, cell.State(h))
    c, mu = np.split(x @ weights["kernel"] + weights["bias"], 2, -1)
    f = 0.3 + 0.7 * sigmoid(mu)
    came, _ = naive("hgrn/naive.py", "naive_recurrent_hgrn")(tensor((1 - f) * silu(c)), tensor(np.log(f)), tensor(h))
    near(came.numpy(), output, "float32")


def test_hgrn2():
    our = Beside("hgrn2", lower_bound=0.3)
    f = 0.3 + 0.7 * sigmoid(our.of("W_f"))
    arrays = silu(our.of("W_o")) * ROOT, 1 - f, our.of("W_i"), np.log(f)
    our.agrees(theirs("gla/naive.py", "naive_recurrent_gla", *arrays, **given_of(our)), "S")


@pytest.mark.parametrize("turning", [False, True])
def test_retnet(turning):
    """Theirs has the heads' constant decays, starts from zero, and is given key and query turned by the position."""
    heads_of_4 = {"units": 8, "heads": HEADS}
    cell = instance("retnet", **heads_of_4)
    theta = np.array([0.9, 0.2]) if turning else np.zeros(2)
    weights = draw(cell) | {"gamma": 1 - 2.0 ** (-5 - np.arange(HEADS)), "theta": theta}
    x = sequence()
    output, _ = run(cell, weights, x, cell.State(*(np.zeros((BATCH, HEADS, 2, 4)) for _ in range(2))))
    angle = theta * np.arange(x.shape[1])[:, None, None]

    def turned(name):
        re, im = np.split(heads(x @ weights[name]), 2, -1)
        number = (re + 1j * im) * np.exp(1j * angle)
        return np.concatenate([number.real, number.imag], -1)

    q, k, v = turned("W_q") * 4**0.5, turned("W_k"), heads(x @ weights["W_v"])
    came, _ = theirs("retention/naive.py", "naive_retention", q, k, v, first="heads")
    near(came, output, "float32")


@pytest.mark.parametrize("negative", [False, True])
def test_delta_net(negative):
    our = Beside("delta_net", negative_eigenvalues=negative)
    q, k, v = unit(silu(our.of("W_q"))), unit(silu(our.of("W_k"))), silu(our.of("W_v"))
    beta = (1 + negative) * sigmoid(our.x @ our.weights["W_b"])
    given = {"initial_state": tensor(our.initial["S"]), "first": "heads"}
    our.agrees(theirs("delta_rule/naive.py", "delta_rule_recurrence", q * ROOT, k, v, beta, **given), "S")


def test_gated_delta_net():
    our = Beside("gated_delta_net")
    q, k, v = unit(silu(our.of("W_q"))), unit(silu(our.of("W_k"))), silu(our.of("W_v"))
    beta = sigmoid(our.x @ our.weights["W_b"])
    decay = -np.exp(our.weights["A_log"]) * softplus(our.x @ our.weights["W_a"] + our.weights["dt_bias"])
    name = "naive_recurrent_gated_delta_rule"
    came = theirs("gated_delta_rule/naive.py", name, q, k, v, beta, decay, scale=1.0, **given_of(our))
    our.agrees(came, "S")


def test_mamba2():
    """Its key is B, its query C, for all heads, and its value dt * v; D is outside. The state is transposed there."""
    our = Beside("mamba2", order=5)
    v, w = silu(our.of("W_x")), our.weights
    B, C = (np.repeat(silu(our.x @ w[name])[:, :, None], HEADS, 2) for name in ("W_B", "W_C"))
    dt = softplus(our.x @ w["W_dt"] + w["dt_bias"])
    given = {"initial_state": tensor(our.initial["S"].swapaxes(-1, -2)), "output_final_state": True, "scale": 1.0}
    decay = -dt * np.exp(w["A_log"])
    out, last = theirs("simple_gla/naive.py", "naive_recurrent_simple_gla", C, B, dt[..., None] * v, decay, **given)
    skipped = (w["D"][:, None] * v).reshape(out.shape)
    our.agrees((out + skipped, last), "S", turned=True)


def rwkv(our, mix):
    """This input and the last, mixed."""
    last = np.concatenate([our.initial["x_last"][:, None], our.x[:, :-1]], 1)
    return our.x + mix * (last - our.x), last - our.x


def normed(out, our, epsilon):
    """The norm of each head; ours are its scale and shift."""
    out = heads(out)
    out = (out - out.mean(-1, keepdims=True)) / np.sqrt(out.var(-1, keepdims=True) + epsilon)
    return (out * our.weights["ln/scale"] + our.weights["ln/shift"]).reshape(*out.shape[:2], -1)


def test_rwkv5():
    our = Beside("rwkv5", epsilon=0.1)
    w = our.weights
    r, k, v, g = (our.of(f"W_{name}", rwkv(our, mu)[0]) for name, mu in zip("rkvg", w["mu"]))
    decay = np.broadcast_to(-np.exp(w["w"]), k.shape)
    given = given_of(our) | {"u": tensor(w["u"]), "scale": 1.0, "first": "heads"}
    out, last = theirs("rwkv6/recurrent_naive.py", "naive_recurrent_rwkv6", r, k, v, decay, **given)
    gate = silu(g).reshape(out.shape)
    our.agrees((gate * normed(out, our, 0.1), last), "S")


def test_rwkv6():
    our = Beside("rwkv6", rank=3, decay_rank=2, epsilon=0.1)
    w = our.weights
    first, d = rwkv(our, w["mu_x"])
    low = np.tanh(first @ w["A"]).reshape(*first.shape[:2], 5, 3)
    mixed = {name: our.x + (w["mu"][at] + low[:, :, at] @ w["B"][at]) * d for at, name in enumerate("wkvrg")}
    r, k, v = (our.of(f"W_{name}", mixed[name]) for name in "rkv")
    decay = -np.exp(heads(w["w0"] + np.tanh(mixed["w"] @ w["A_w"]) @ w["B_w"]))
    given = given_of(our) | {"u": tensor(w["u"]), "scale": 1.0, "first": "heads"}
    out, last = theirs("rwkv6/recurrent_naive.py", "naive_recurrent_rwkv6", r, k, v, decay, **given)
    our.agrees((silu(mixed["g"] @ w["W_g"]) * normed(out, our, 0.1), last), "S")


def test_rwkv7():
    """Its recurrence of a diagonal and a matrix of rank one; the bonus, norm and gate stand outside."""
    our = Beside("rwkv7", decay_rank=2, rate_rank=3, gate_rank=2, epsilon=0.1)
    w = our.weights
    mixed = {name: rwkv(our, mu)[0] for name, mu in zip("rwkvag", w["mu"])}
    r, k, v = (our.of(f"W_{name}", mixed[name]) for name in "rkv")
    decay = -np.exp(-0.5) * sigmoid(heads(w["w0"] + np.tanh(mixed["w"] @ w["A_w"]) @ w["B_w"]))
    a = sigmoid(heads(w["a0"] + mixed["a"] @ w["A_a"] @ w["B_a"]))
    kappa, new = unit(k * w["xi"], 1e-12), k * (1 + (a - 1) * w["eta"])
    given = {"initial_state": tensor(our.initial["S"]), "first": "heads"}
    arrays = r * ROOT, new, v, -kappa, a * kappa, decay
    out, last = theirs("generalized_delta_rule/dplr/naive.py", "dplr_recurrence", *arrays, **given)
    bonus = ((r * new * w["rho"]).sum(-1, keepdims=True) * v).reshape(out.shape)
    gate = sigmoid(mixed["g"] @ w["A_g"]) @ w["B_g"]
    our.agrees((gate * (normed(out, our, 0.1) + bonus), last), "S")


def test_titans():
    """Its delta rule with momentum: the memory is S there and M here, and the momentum has the other sign."""
    our = Beside("titans")
    q, k, v = unit(silu(our.of("W_q"))), unit(silu(our.of("W_k"))), silu(our.of("W_v"))
    alpha, eta, theta = np.split(sigmoid(our.x @ our.weights["W_rate"] + our.weights["b_rate"]), 3, -1)
    arrays = q, k, v, np.log(1 - alpha), np.log(eta), k, np.ones_like(eta), 2 * theta
    given = {"initial_S": tensor(our.initial["M"]), "initial_M": tensor(-our.initial["S"]), "scale": 1.0}
    name = "recurrent_momentum_delta_rule_ref"
    out, (last,) = theirs("momentum_delta_rule/naive.py", name, *arrays, **given, output_final_state=True)
    our.agrees((out, [last[0]]), "M")
    near(-last[1].numpy(), our.last["S"], "float32")


def test_ttt_linear():
    """With batches of one token. The paper adds what was read to the query; here it is added to itself."""
    our = Beside("ttt_linear", epsilon=0.1, base_rate=0.5)
    w = our.weights
    q, k, v = (our.of(name) for name in ("W_q", "W_k", "W_v"))
    eta = 0.5 * sigmoid(our.x @ w["W_rate"] + w["b_rate"])[..., None]
    call = naive("ttt/naive.py", "chunk_ttt_linear_ref")
    before = tensor(our.initial["W"]), tensor(our.initial["c"][:, :, None])
    given = {"scale": 1.0, "eps": 0.1, "mini_batch_size": 1, "output_final_state": True}
    arrays = (tensor(each) for each in (q, k, v, w["gain"], w["shift"], eta))
    out, last, bias = call(*arrays, initial_state=before[0], initial_state_bias=before[1], **given)
    near(last.numpy(), our.last["W"], "float32")
    near(bias.numpy()[:, :, 0], our.last["c"], "float32")
    out = out.numpy().reshape(our.output.shape)
    apart(out, our.output)
    _, states = run(our.cell, w, our.x, our.cell.State(**our.initial))
    read = np.einsum("bthk,bthko->btho", q, states[0]) + states[1]
    near(out + (q - read).reshape(out.shape), our.output, "float32")
