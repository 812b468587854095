"""torchrecurrent's cells (its author's RecurrentLayers.jl in torch), seen with 0.2.5 and torch 2.13.

Its weights are blocks of `hidden_size` rows, one a gate, and every projection has a bias of its own: those that are
added up are one bias of ours; those that a paper has not are zero where the cells are compared, and another test shows
that they would be seen.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest

from tests.peers.ours import BATCH, INPUT, UNITS, apart, instance, near, run, sequence

pytestmark = pytest.mark.full
torch = pytest.importorskip("torch")
torchrecurrent = pytest.importorskip("torchrecurrent")


def sigmoid(v):
    return 1 / (1 + np.exp(-v))


@dataclass(frozen=True)
class Weights:
    """Theirs, by name; blocks of one side by side, as ours are: (input, units) each, or (units,)."""

    arrays: dict[str, np.ndarray]

    def __call__(self, name: str, *blocks: int) -> np.ndarray:
        array = self.arrays[name]
        of = np.split(array, len(array) // UNITS)
        return np.concatenate([of[block] for block in blocks or range(len(of))]).T

    def bias(self, *blocks: int) -> np.ndarray:
        """Both biases of these blocks."""
        return self("bias_ih", *blocks) + self("bias_hh", *blocks)


@dataclass(frozen=True)
class Pair:
    """A spec, their class, ours of their weights; what both are given; and where they differ.

    states: ours, in the order of theirs; none, and theirs is one array, ours `h`. drop: blocks of theirs that the paper
    has not. identity: blocks of theirs that are the identity in the paper. apart: their output is no part of the state.
    """

    spec: str
    theirs: str
    ours: Callable[[Weights], dict]
    given: dict = field(default_factory=dict)
    arguments: dict = field(default_factory=dict)
    states: tuple[str, ...] = ()
    drop: tuple[tuple[str, int], ...] = ()
    identity: tuple[tuple[str, int], ...] = ()
    square: bool = False
    apart: bool = False


def packed(w):
    """kernel, recurrent_kernel and bias, all gates in their order."""
    return {"kernel": w("weight_ih"), "recurrent_kernel": w("weight_hh"), "bias": w.bias()}


def peepholes(w):
    """The gates i, f, g, o, and a peephole on all but g."""
    return packed(w) | dict(zip(("p_i", "p_f", "p_o"), np.split(w.arrays["weight_ph"], 3)))


def typed_by_inputs(w):
    """Gates z, f, o of this input and the last."""
    biases = {f"b_{gate}": w.bias(block) for block, gate in enumerate("zfo")}
    return {"W": w("weight_ih"), "V": w("weight_hh"), **biases}


def gated_simply(w):
    return {
        "W_xh": w("weight_ih", 0),
        "W_zxh": w("weight_hh", 0),
        "W_xz": w("weight_ih", 1),
        "W_hz": w("weight_hh", 1),
        "b_g": w("bias_ih", 0),
        "b_z": w.bias(1),
    }


PAIRS = [
    Pair(
        "antisymmetric_rnn",
        "AntisymmetricRNNCell",
        lambda w: {"V": w("weight_ih"), "W": w("weight_hh"), "b": w.bias()},
        given={"epsilon": 0.3, "gamma": 0.2},
        arguments={"epsilon": 0.3, "gamma": 0.2},
    ),
    Pair(
        "gated_antisymmetric_rnn",
        "GatedAntisymmetricRNNCell",
        lambda w: {
            "V": w("weight_ih", 1),
            "W": w("weight_hh"),
            "b": w("bias_ih", 1) + w("bias_hh"),
            "V_z": w("weight_ih", 0),
            "b_z": w("bias_ih", 0),
        },
        given={"epsilon": 0.3, "gamma": 0.2},
        arguments={"epsilon": 0.3, "gamma": 0.2},
    ),
    Pair(
        "atr",
        "ATRCell",
        lambda w: {"kernel": w("weight_ih"), "recurrent_kernel": w("weight_hh"), "bias": w("bias_ih")},
        drop=(("bias_hh", 0),),
    ),
    Pair(
        "brc",
        "BRCell",
        lambda w: {
            **{f"U{name}": w("weight_ih", block) for name, block in (("_c", 1), ("_a", 0), ("", 2))},
            **{f"w_{name}": w("weight_hh", block) for name, block in (("c", 1), ("a", 0))},
            **{f"b_{name}": w("bias_ih", block) + w("bias_hh", block) for name, block in (("c", 1), ("a", 0))},
        },
        drop=(("bias_ih", 2),),
    ),
    Pair(
        "nbrc",
        "NBRCell",
        lambda w: {
            **{f"U{name}": w("weight_ih", block) for name, block in (("_c", 1), ("_a", 0), ("", 2))},
            **{f"W_{name}": w("weight_hh", block) for name, block in (("c", 1), ("a", 0))},
            **{f"b_{name}": w("bias_ih", block) + w("bias_hh", block) for name, block in (("c", 1), ("a", 0))},
        },
        drop=(("bias_ih", 2),),
    ),
    Pair(
        "cfn",
        "CFNCell",
        lambda w: {"W": w("weight_ih", 2), "V": w("weight_ih", 0, 1), "U": w("weight_hh"), "b": w.bias(0, 1)},
        drop=(("bias_ih", 2),),
    ),
    Pair(
        "cornn",
        "coRNNCell",
        lambda w: {
            "W": w("weight_hh"),
            "W_z": w("weight_ch"),
            "V": w("weight_ih"),
            "b": w.bias() + w("bias_ch"),
        },
        given={"dt": 0.2, "gamma": 1.7, "epsilon": 2.3},
        arguments={"dt": 0.2, "gamma": 1.7, "epsilon": 2.3},
        states=("y", "z"),
    ),
    Pair(
        "fast_rnn",
        "FastRNNCell",
        lambda w: {
            "W": w("weight_ih"),
            "U": w("weight_hh"),
            "b": w.bias(),
            "alpha": w.arrays["alpha"],
            "beta": w.arrays["beta"],
        },
    ),
    Pair(
        "fast_grnn",
        "FastGRNNCell",
        lambda w: {
            "W": w("weight_ih"),
            "U": w("weight_hh"),
            "b_z": w.bias(0),
            "b_h": w.bias(1),
            "zeta": w.arrays["zeta"],
            "nu": w.arrays["nu"],
        },
        arguments={"nonlinearity": "sigmoid"},
    ),
    Pair(
        "indrnn",
        "IndRNNCell",
        lambda w: {"kernel": w("weight_ih"), "recurrent_kernel": w("vector_u"), "bias": w.bias()},
        arguments={"nonlinearity": "relu"},
    ),
    Pair(
        "intersection_rnn",
        "IntersectionRNNCell",
        lambda w: {
            "kernel": w("weight_ih", 3, 1, 2, 0),
            "recurrent_kernel": w("weight_hh", 3, 1, 2, 0),
            "bias": w.bias(3, 1, 2, 0),
        },
        given={"forget_bias": 0.0},
        square=True,
        apart=True,
    ),
    Pair("janet", "JANETCell", packed, given={"beta": 0.375}, arguments={"beta": 0.375}, states=("h", "h")),
    Pair(
        "light_ru",
        "LightRUCell",
        lambda w: {"W": w("weight_ih"), "U": w("weight_hh"), "b": w("bias_ih", 1) + w("bias_hh", 0)},
        drop=(("bias_ih", 0),),
    ),
    Pair("li_gru", "LiGRUCell", packed),
    Pair("memory_controller_lstm", "MCLSTMCell", packed, states=("v", "c"), apart=True),
    Pair("mgu", "MGUCell", packed),
    Pair(
        "minimal_rnn",
        "MinimalRNNCell",
        lambda w: {
            "W_x": w("weight_ih"),
            "b_z": w("bias_ih"),
            "U_h": w("weight_hh"),
            "U_z": w("weight_mm"),
            "b_u": w("bias_hh"),
        },
    ),
    Pair(
        "mi_ru1",
        "MiRU1Cell",
        lambda w: {
            **{f"W_{gate}": w("weight_ih", block) for block, gate in enumerate("rh")},
            **{f"U_{gate}": w("weight_hh", block) for block, gate in enumerate("rh")},
            **{f"b_{gate}": w.bias(block) for block, gate in enumerate("rh")},
        },
        given={"update_coefficient": 0.3},
        arguments={"update_coefficient": 0.3},
    ),
    Pair(
        "mi_ru2",
        "MiRU2Cell",
        lambda w: {"W_h": w("weight_ih"), "U_h": w("weight_hh"), "b_h": w.bias()},
        given={"update_coefficient": 0.3, "reset_coefficient": 0.8},
        arguments={"update_coefficient": 0.3, "reset_coefficient": 0.8},
    ),
    Pair(
        "multiplicative_lstm",
        "MultiplicativeLSTMCell",
        lambda w: {
            "W_mx": w("weight_ih", 0),
            "W_mh": w("weight_hh"),
            "kernel": w("weight_ih", 1, 2, 3, 4),
            "W_m": w("weight_mh"),
            "bias": w("bias_ih", 1, 2, 3, 4) + w("bias_mh"),
        },
        given={"output_gate": "outside"},
        states=("h", "c"),
        drop=(("bias_ih", 0), ("bias_hh", 0)),
    ),
    Pair(
        "mut1",
        "MUT1Cell",
        lambda w: {
            "W_xz": w("weight_ih", 0),
            "W_xr": w("weight_ih", 1),
            "W_hr": w("weight_hh", 0),
            "W_hh": w("weight_hh", 1),
            "b_z": w("bias_ih", 0),
            "b_r": w("bias_ih", 1) + w("bias_hh", 0),
            "b_h": w("bias_hh", 1),
        },
        square=True,
        drop=(("bias_ih", 2),),
        identity=(("weight_ih", 2),),
    ),
    Pair(
        "mut2",
        "MUT2Cell",
        lambda w: {
            "W_xz": w("weight_ih", 0),
            "W_xh": w("weight_ih", 2),
            **{f"W_h{gate}": w("weight_hh", block) for block, gate in enumerate("zrh")},
            **{f"b_{gate}": w.bias(block) for block, gate in enumerate("zrh")},
        },
        square=True,
        identity=(("weight_ih", 1),),
    ),
    Pair("mut3", "MUT3Cell", packed),
    Pair("original_lstm", "OriginalLSTMCell", packed, given={"squash": "tanh"}, states=("h", "c")),
    Pair("peephole_lstm", "PeepholeLSTMCell", peepholes, states=("h", "c")),
    Pair(
        "ran",
        "RANCell",
        lambda w: {
            "W_cx": w("weight_ih", 0),
            "kernel": w("weight_ih", 1, 2),
            "recurrent_kernel": w("weight_hh"),
            "bias": w.bias(),
        },
        states=("h", "c"),
    ),
    Pair(
        "residual_lstm",
        "ResLSTMCell",
        lambda w: peepholes(w) | {"W_p": w("weight_proj"), "W_h": w("weight_res")},
        states=("h", "c"),
    ),
    Pair(
        "sgrn",
        "SGRNCell",
        lambda w: {"kernel": w("weight_ih"), "recurrent_kernel": w("weight_hh"), "bias": w("bias_hh")},
        drop=(("bias_ih", 0),),
    ),
    Pair("sgu", "SGUCell", gated_simply, drop=(("bias_hh", 0),)),
    Pair("dsgu", "DSGUCell", lambda w: gated_simply(w) | {"W_go": w("weight_ho")}, drop=(("bias_hh", 0),)),
    Pair(
        "star",
        "STARCell",
        lambda w: {
            "kernel": w("weight_ih"),
            "recurrent_kernel": w("weight_hh"),
            "bias": w("bias_ih") + np.concatenate([np.zeros(UNITS), w("bias_hh")]),
        },
    ),
    Pair(
        "trnn",
        "TRNNCell",
        lambda w: {"W": w("weight_ih", 0), "V": w("weight_ih", 1), "b": w("bias_ih", 1)},
        drop=(("bias_ih", 0),),
    ),
    Pair("tgru", "TGRUCell", typed_by_inputs, states=("h", "x_last")),
    Pair("tlstm", "TLSTMCell", typed_by_inputs, states=("c", "x_last"), apart=True),
    Pair(
        "ugrnn",
        "UGRNNCell",
        lambda w: {
            "kernel": w("weight_ih", 1, 0),
            "recurrent_kernel": w("weight_hh", 1, 0),
            "bias": w.bias(1, 0),
        },
        given={"forget_bias": 0.0},
    ),
    Pair(
        "unicornn",
        "UnICORNNCell",
        lambda w: {"w": w("weight_hh"), "V": w("weight_ih"), "b": w("bias_ih"), "c": w("weight_ch")},
        given={"dt": 0.3, "alpha": 0.7},
        arguments={"dt": 0.3, "alpha": 0.7},
        states=("y", "z"),
    ),
    Pair(
        "wmc_lstm",
        "WMCLSTMCell",
        lambda w: packed(w) | {f"W_{gate}c": w("weight_mh", block) for block, gate in enumerate("ifo")},
        states=("h", "c"),
        drop=(("bias_mh", 0), ("bias_mh", 1), ("bias_mh", 2)),
    ),
]
EXTRA = [pair for pair in PAIRS if pair.drop or pair.identity]
each_pair = pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.spec)


def build(name: str, width: int, arguments: dict, seed: int = 0):
    """Their cell in float64 and its weights, random but for single numbers: constants of ours, in float32."""
    cell = getattr(torchrecurrent, name)(width, UNITS, **arguments).double()
    rng = np.random.default_rng(seed)
    with torch.no_grad():
        for weight in cell.parameters():
            if weight.ndim:
                weight.copy_(torch.tensor(rng.normal(scale=0.6, size=tuple(weight.shape))))
    return cell, arrays_of(cell)


def arrays_of(cell) -> Weights:
    return Weights({name: array.numpy().copy() for name, array in cell.state_dict().items()})


def as_in_the_paper(cell, pair: Pair) -> None:
    """What the paper has not is zero, and what it multiplies by no matrix is multiplied by the identity."""
    with torch.no_grad():
        for name, block in pair.drop:
            cell.get_parameter(name)[block * UNITS : (block + 1) * UNITS] = 0
        for name, block in pair.identity:
            cell.get_parameter(name)[block * UNITS : (block + 1) * UNITS] = torch.eye(UNITS)


def steps(cell, x, initial, apart=False):
    """Their outputs and states, each (batch, time, ...), from the initial states, one or several."""
    state = [torch.tensor(each) for each in initial]
    outputs, states = [], []
    with torch.no_grad():
        for t in range(x.shape[1]):
            came = cell(torch.tensor(x[:, t]), tuple(state) if len(state) > 1 else state[0])
            output, new = came if apart else (came[0] if isinstance(came, tuple) else came, came)
            state = new if isinstance(new, tuple) else (new,)
            outputs.append(output.numpy())
            states.append([each.numpy() for each in state])
    return np.stack(outputs, 1), [np.stack(each, 1) for each in zip(*states)]


def starts(ours, pair: Pair, rng) -> dict[str, np.ndarray]:
    """Random initial states of ours, by name."""
    shapes = {state.name: ours.settings.shape(state.shape) for state in ours.cell.states}
    return {name: rng.normal(size=(BATCH, *shape)) for name, shape in shapes.items()}


def both(pair: Pair, published: bool):
    """Output and states of ours and of theirs; as the paper has it, or with all that they have."""
    width = UNITS if pair.square else INPUT
    theirs, _ = build(pair.theirs, width, pair.arguments)
    if published:
        as_in_the_paper(theirs, pair)
    ours = instance(pair.spec, width, **pair.given)
    initial = starts(ours, pair, np.random.default_rng(2))
    x, order = sequence(width), pair.states or ("h",)
    got = run(ours, pair.ours(arrays_of(theirs)), x, ours.State(**initial))
    named = dict(zip(ours.State._fields, got[1]))
    assert set(order) == set(named)
    return (got[0], [named[name] for name in order]), steps(theirs, x, [initial[name] for name in order], pair.apart)


@each_pair
def test_the_same(pair):
    (output, states), (wanted, theirs) = both(pair, published=True)
    near(output, wanted)
    for state, each in zip(states, theirs, strict=True):
        near(state, each)


@pytest.mark.parametrize("pair", EXTRA, ids=lambda pair: pair.spec)
def test_what_they_have_and_the_paper_has_not(pair):
    """Biases more, and matrices where the paper adds the input itself: with them, outputs differ."""
    (output, _), (wanted, _) = both(pair, published=False)
    apart(output, wanted)


@pytest.mark.parametrize(("spec", "option"), [("fast_grnn", "recurrent_activation"), ("indrnn", "activation")])
def test_another_function_by_default(spec, option):
    """Where nothing is said it is tanh there."""
    (pair,) = (pair for pair in PAIRS if pair.spec == spec)
    (output, _), (wanted, _) = both(Pair(pair.spec, pair.theirs, pair.ours), published=True)
    apart(output, wanted)
    (output, _), (wanted, _) = both(Pair(pair.spec, pair.theirs, pair.ours, {option: "tanh"}), published=True)
    near(output, wanted)


@pytest.mark.parametrize(("spec", "option", "papers"), [
    ("original_lstm", "squash", "logistic"),
    ("multiplicative_lstm", "output_gate", "inside"),
])  # fmt: skip
def test_an_option_of_ours(spec, option, papers):
    """They have the form that is not the paper's."""
    (pair,) = (pair for pair in PAIRS if pair.spec == spec)
    one = Pair(pair.spec, pair.theirs, pair.ours, {option: papers}, states=pair.states, drop=pair.drop)
    (output, _), (wanted, _) = both(one, published=True)
    apart(output, wanted)


def test_tau_gru():
    """The delayed state is an argument there: whoever loops keeps it."""
    delay, ours = 2, instance("tau_gru", delay=2)
    theirs, w = build("tauGRUCell", INPUT, {})
    x, rng = sequence(), np.random.default_rng(2)
    h = rng.normal(size=(BATCH, UNITS))
    past = rng.normal(size=(BATCH, delay, UNITS))  # the newest first
    weights = {"U": w("weight_ih"), "W": w("weight_hh"), "b": w.bias()}
    got, _ = run(ours, weights, x, ours.State(h=h, past=past))
    known = [*past[:, ::-1].swapaxes(0, 1), h]
    with torch.no_grad():
        for t in range(x.shape[1]):
            known.append(theirs(*map(torch.tensor, (x[:, t], known[-1], known[-1 - delay]))).numpy())
    near(got, np.stack(known[delay + 1 :], 1))


# --- where it computes something else -------------------------------------------------------------------------------


def differ(name, their_step, spec, weights, order, arguments=None, **given):
    """Their cell agrees with an equation in numpy, from states in the order of theirs, and not with ours."""
    theirs, w = build(name, INPUT, arguments or {})
    ours = instance(spec, **given)
    initial = starts(ours, None, np.random.default_rng(2))
    x = sequence()
    output, states = steps(theirs, x, [initial[state] for state in order])
    now, found = [initial[state] for state in order], []
    for t in range(x.shape[1]):
        now = their_step(w, x[:, t], *now)
        found.append(now)
    for state, each in zip(states, zip(*found), strict=True):
        near(state, np.stack(each, 1))
    apart(run(ours, weights(w), x, ours.State(**initial))[0], output)


def test_lem_reads_the_old_z():
    """y reads z[t-1] there, and the new one in the paper; the two steps are the same."""

    def step(w, x, y, z):
        u, v = np.split(x @ w("weight_ih") + w("bias_ih"), 4, 1), np.split(y @ w("weight_hh") + w("bias_hh"), 3, 1)
        d_y, d_z = (0.7 * sigmoid(u[gate] + v[gate]) for gate in (0, 1))
        new = (1 - d_z) * z + d_z * np.tanh(u[2] + v[2])
        return (1 - d_y) * y + d_y * np.tanh(u[3] + z @ w("weight_ch") + w("bias_ch")), new

    def ours(w):
        b = [w.bias(0), w.bias(1), w("bias_ih", 3) + w("bias_ch"), w.bias(2)]
        return {
            "V": w("weight_ih", 0, 1, 3, 2),
            "b": np.concatenate(b),
            "W": w("weight_hh"),
            "W_y": w("weight_ch"),
        }

    differ("LEMCell", step, "lem", ours, ("y", "z"), {"dt": 0.7}, dt=0.7)


def test_nas_adds_where_the_paper_multiplies():
    """The fourth branch is relu(u + v) there; in the cell that was found, relu(u * v)."""

    def step(w, x, h, c):
        a = np.split(x @ w("weight_ih") + h @ w("weight_hh") + w.bias(), 8, 1)
        relu = [np.maximum(each, 0) for each in a]
        l0 = np.tanh(sigmoid(a[0]) * relu[1])
        l1 = np.tanh(sigmoid(a[2]) + relu[3])
        l2 = np.tanh(np.tanh(a[4]) * sigmoid(a[5]))
        l3 = sigmoid(np.tanh(a[6]) + sigmoid(a[7]))
        c = np.tanh(l0 + c) * l1
        return np.tanh(c * np.tanh(l2 + l3)), c

    def ours(w):
        return packed(w)

    differ("NASCell", step, "nas", ours, ("h", "c"), use_bias=True)


def test_scrn_carries_its_output():
    """What comes back as h is tanh of the output, with biases; in the paper h itself, and there are none."""

    def step(w, x, y, s):
        u = np.split(x @ w("weight_ih") + w("bias_ih"), 2, 1)
        s = 0.75 * u[0] + 0.25 * s
        p, v = np.split(s @ w("weight_ch") + w("bias_ch"), 2, 1)
        h = sigmoid(u[1] + y @ w("weight_hh", 0) + w("bias_hh", 0) + p)
        return np.tanh(h @ w("weight_hh", 1) + w("bias_hh", 1) + v), s

    def ours(w):
        return {
            "A": w("weight_ih", 1),
            "B": w("weight_ih", 0),
            "P": w("weight_ch", 0),
            "R": w("weight_hh", 0),
            "U": w("weight_hh", 1),
            "V": w("weight_ch", 1),
        }

    differ("SCRNCell", step, "scrn", ours, ("h", "s"), {"alpha": 0.25}, alpha=0.25, context=UNITS, width=UNITS)
