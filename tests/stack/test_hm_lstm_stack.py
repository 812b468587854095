"""The stack of HM-LSTM: its oracle by itself, and against it the peers of `cellgen bench` and the generated layer."""

import importlib.util
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import tensorflow as tf

from cellgen.bench import stack_peers
from cellgen.bench.problem import problem
from cellgen.bench.workloads import WORKLOADS
from tests.generated import BATCH, EVERYTHING, GENERATED, MASK, STEPS, WIDTH, close, committed
from tests.oracles import hm_lstm, hm_lstm_stack
from tests.oracles.hm_lstm_stack import COPY, FLUSH, UPDATE, by_layer, operation, scan

STEM = "hm_lstm_stack"
UNITS, EMBEDDING = [4, 5, 6], 7
CASES = [
    {},
    {"combine": "select"},
    {"z_on_copy": "hold"},
    {"boundary": "sigmoid"},
    {"slope": 2.5},
    {"top_detector": True},
    {"combine": "select", "z_on_copy": "hold", "boundary": "sigmoid", "slope": 0.7, "top_detector": True},
]


def called(tried):
    """How pytest calls a case, or a mask."""
    if isinstance(tried, dict):
        return "-".join(map(str, tried.values())) or "default"
    return "unmasked" if tried is None else "masked"


each_case = pytest.mark.parametrize("case", CASES, ids=called)
SEED = 4  # with which every layer does all that it can, also from a zero state
MARGIN = 1e-3  # from a kink: a thousand times the differences that gradients are compared with


@dataclass(frozen=True)
class Trial:
    """Numbers to try the stack on. The z of the first state go through all their combinations by row."""

    params: dict
    x: np.ndarray
    state: tuple
    options: dict

    @property
    def everything(self):
        return self.params, self.x, self.state


def trial(seed=SEED, batch=BATCH, steps=STEPS, units=UNITS, **options):
    rng = np.random.default_rng(seed)
    shapes = hm_lstm_stack.shapes(WIDTH, units, EMBEDDING, **options)
    params = {name: rng.normal(scale=0.7, size=shape) for name, shape in shapes.items()}
    state = []
    for number, n in enumerate(units):
        z = (np.arange(batch) >> number & 1).astype(float)[:, None]
        state += [rng.normal(size=(batch, n)), rng.normal(size=(batch, n)), z]
    return Trial(params, rng.normal(size=(batch, steps, WIDTH)), tuple(state), options)


def operations(state, states):
    """What each layer did, an array of (batch, steps) for each."""
    starts, ends = state[2::3], states[2::3]
    befores = [np.concatenate([z[:, None], every[:, :-1]], 1) for z, every in zip(starts, ends)]
    belows = [np.ones_like(befores[0]), *ends]
    by_case = np.vectorize(operation)
    return [by_case(before, below)[..., 0] for before, below in zip(befores, belows)]


def did(layers):
    return [set(np.unique(each)) for each in layers]


# --- the oracle by itself -------------------------------------------------------------------------------------------


def test_the_weights_of_the_paper():
    """The last layer has no weights for a layer above, and no column for a boundary that nobody would read."""
    assert hm_lstm_stack.shapes(3, [4, 5], 7) == {
        "layer1/W": (3, 17),
        "layer1/U": (4, 17),
        "layer1/V": (5, 17),
        "layer1/b": (17,),
        "layer2/W": (4, 20),
        "layer2/U": (5, 20),
        "layer2/b": (20,),
        "readout/gate": (9, 2),
        "readout/emb1": (4, 7),
        "readout/emb2": (5, 7),
    }
    detected = hm_lstm_stack.shapes(3, [4, 5], 7, top_detector=True)
    assert [detected[f"layer2/{name}"] for name in "WUb"] == [(4, 21), (5, 21), (21,)]


@each_case
def test_each_layer_is_that_of_the_cells_oracle(case):
    it = trial(**case)
    options = {name: value for name, value in case.items() if name != "top_detector"}
    for t in range(2):
        _, new = hm_lstm_stack.step(it.params, it.state, it.x[:, t], **case)
        before, after = by_layer(it.state), by_layer(new)
        below, z_below = it.x[:, t], np.ones((BATCH, 1))
        for at, own in enumerate(before):
            last = at + 1 == len(before)
            x = below, z_below, None if last else before[at + 1][1]
            weights = dict(zip("WUVb", hm_lstm_stack.weights_of(it.params, at + 1)))
            detector = not last or case.get("top_detector", False)
            close(after[at], hm_lstm.step(weights, own, x, detector=detector, **options)[1], 1e-14)
            _, below, z_below = after[at]


def test_the_readout_by_hand():
    it = trial(units=[2, 3])
    y, (_, h1, _, _, h2, _) = hm_lstm_stack.step(it.params, it.state, it.x[:, 0])
    joined = np.concatenate([h1, h2], 1)
    g = 1 / (1 + np.exp(-joined @ it.params["readout/gate"]))
    wanted = g[:, :1] * (h1 @ it.params["readout/emb1"]) + g[:, 1:] * (h2 @ it.params["readout/emb2"])
    close(y, np.maximum(wanted, 0), 1e-14)
    assert np.any(y > 0) and np.any(wanted < 0)


def test_layer_1_never_copies_and_the_last_one_never_flushes():
    """The last layer does if it is given a boundary to start with, or a detector."""
    for seed in (4, 6, 8):
        it = trial(seed, batch=8, steps=20)
        start = hm_lstm_stack.zero_state(UNITS, 8)
        *_, states = scan(it.params, it.x, start)
        assert did(operations(start, states)) == [{UPDATE, FLUSH}, {UPDATE, COPY, FLUSH}, {UPDATE, COPY}]
        *_, states = scan(*it.everything)
        last = operations(it.state, states)[2]
        assert FLUSH in last[:, 0] and FLUSH not in last[:, 1:]
    it = trial(1, batch=8, steps=20, top_detector=True)
    *_, states = scan(it.params, it.x, start, top_detector=True)
    assert did(operations(start, states)) == [{UPDATE, FLUSH}, {UPDATE, COPY, FLUSH}, {UPDATE, COPY, FLUSH}]


@each_case
def test_copy_copies_and_flush_forgets(case):
    it = trial(batch=8, steps=1, **case)
    y, new, states = scan(*it.everything, **case)
    done = operations(it.state, states)
    other = [value + (value.shape[1] > 1) * (it.state[2 + at // 3 * 3] == 1) for at, value in enumerate(it.state)]
    other = [value if at % 3 == 0 else it.state[at] for at, value in enumerate(other)]  # another c where z is 1
    forgot = scan(it.params, it.x, other, **case)
    assert all(np.array_equal(*pair) for pair in zip((y, *new), (forgot[0], *forgot[1])))
    assert not np.array_equal(other[0], it.state[0])
    for at, (before, after) in enumerate(zip(by_layer(it.state), by_layer(new))):
        copied, flushed = (done[at][:, 0] == each for each in (COPY, FLUSH))
        assert copied.any() == (at > 0) and flushed.any()
        for one, two in list(zip(before, after))[: 3 if case.get("z_on_copy") == "hold" else 2]:
            assert np.array_equal(one[copied], two[copied])
            assert one.shape[1] == 1 or not np.any(np.all(one[~copied] == two[~copied], 1))


def test_z_on_copy():
    it = trial(2, batch=8, steps=12)
    (_, _, free), (_, _, held) = (scan(*it.everything, z_on_copy=kind) for kind in ("recompute", "hold"))
    copied = operations(it.state, held)[1] == COPY
    assert not np.any(held[5][copied]) and np.any(free[5][operations(it.state, free)[1] == COPY])


@each_case
def test_a_masked_step_is_as_if_deleted(case):
    it = trial(**case)
    y, last, states = scan(*it.everything, mask=MASK, **case)
    for row, on in enumerate(MASK):
        own = [value[row : row + 1] for value in it.state]
        out = np.zeros(EMBEDDING)
        if on.any():
            alone, ended, each = scan(it.params, it.x[row : row + 1, on], own, **case)
            close([value[row : row + 1] for value in last], ended, 1e-14)
        for t in range(STEPS):
            if on[t]:
                at = on[:t].sum()
                out, own = alone[0, at], [value[:, at] for value in each]
            close([y[row, t], *(value[row : row + 1, t] for value in states)], [out, *own], 1e-14)


# --- the reference program ------------------------------------------------------------------------------------------


@cache
def weighed():
    """The weights of a loss on all that a layer gives: the output, the last state, every state."""
    rng = np.random.default_rng(5)
    widths = [width for n in UNITS for width in (n, n, 1)]
    sizes = [(BATCH, STEPS, EMBEDDING), *((BATCH, n) for n in widths), *((BATCH, STEPS, n) for n in widths)]
    return [rng.normal(size=size) for size in sizes]


def loss(y, last, states):
    """One number for each of the points."""
    return sum(
        np.sum(value * weights, axis=tuple(range(-weights.ndim, 0)))
        for value, weights in zip((y, *last, *states), weighed())
    )


def slopes(it, **options):
    return hm_lstm_stack.gradients(loss, *it.everything, **{**it.options, **options})


def smooth(mask=None, batch=BATCH, steps=STEPS, **case):
    """A trial away from kinks, in which the second layer does everything."""
    for seed in range(100):
        it, base = trial(seed, batch, steps, **case), hm_lstm_stack.Base()
        *_, states = hm_lstm_stack.reference(*it.everything, base, mask=mask, **case)
        if base.margin > MARGIN and did(operations(it.state, states))[1] == {UPDATE, COPY, FLUSH}:
            return it
    raise AssertionError("no trial is that far from a kink")


def alike(came, wanted):
    """Gradients by name; finite differences of these numbers have some nine digits."""
    assert list(came) == list(wanted)
    for name, each in wanted.items():
        size = max(1.0, np.abs(each).max())
        np.testing.assert_allclose(np.asarray(came[name]) / size, each / size, rtol=0, atol=1e-6, err_msg=name)


@each_case
def test_the_reference_program_has_the_papers_values(case):
    it, base = trial(**case), hm_lstm_stack.Base()
    wanted = scan(*it.everything, mask=MASK, **case)
    close(hm_lstm_stack.reference(*it.everything, base, mask=MASK, **case), wanted, 1e-14)
    beside = hm_lstm_stack.Beside(base)
    close(hm_lstm_stack.reference(*it.everything, beside, mask=MASK, **case), wanted, 1e-13)


def test_the_derivative_of_a_boundary_by_hand():
    """Of a sum of z1 by the bias of its own detector: half the slope, where that is not saturated."""
    it, slope = smooth(batch=16, steps=1, slope=2.5), 2.5
    found, _ = hm_lstm_stack.gradients(lambda y, last, states: last[2].sum((-1, -2)), *it.everything, slope=slope)
    _, h, z = by_layer(it.state)[0]
    above = by_layer(it.state)[1][1]
    W, U, V, b = hm_lstm_stack.weights_of(it.params, 1)
    s = (it.x[:, 0] @ W + h @ U + z * (above @ V) + b)[:, -1]
    inside = np.abs(slope * s) < 1
    assert 0 < inside.sum() < len(s)
    assert found["layer1/b"][-1] == pytest.approx(slope / 2 * inside.sum(), abs=1e-7)
    close(found["layer1/U"][:, -1], slope / 2 * inside @ h, 1e-7)
    assert not np.any(found["layer1/b"][:-1])


@pytest.mark.parametrize("boundary", ["hard", "sigmoid"])
def test_the_slope_changes_gradients_alone(boundary):
    it = smooth(boundary=boundary)
    one, two = (scan(*it.everything, slope=slope, boundary=boundary) for slope in (1.0, 2.5))
    assert all(np.array_equal(*pair) for pair in zip(tf.nest.flatten(one), tf.nest.flatten(two)))
    (one, _), (two, _) = slopes(it, slope=1.0), slopes(it, slope=2.5)
    assert not np.allclose(one["layer1/W"], two["layer1/W"])
    assert np.allclose(one["readout/emb1"], two["readout/emb1"])


def test_combine_changes_gradients_alone():
    it = smooth()
    one, two = (scan(*it.everything, combine=kind) for kind in ("blend", "select"))
    assert all(np.array_equal(*pair) for pair in zip(tf.nest.flatten(one), tf.nest.flatten(two)))
    (one, _), (two, _) = slopes(it, combine="blend"), slopes(it, combine="select")
    assert not np.allclose(one["layer1/W"], two["layer1/W"]) and not np.allclose(one["state 2"], two["state 2"])


# --- slips ----------------------------------------------------------------------------------------------------------

SLIPS = {  # of published implementations: a line of the oracle, and what became of it
    "recurrent term gated by z below": ("recurrent = U.T @ h_prev", "recurrent = z_below * (U.T @ h_prev)"),
    "recurrent term gated by z": ("recurrent = U.T @ h_prev", "recurrent = z_prev * (U.T @ h_prev)"),
    "bottom-up term not gated": ("bottom_up = z_below * (W.T @ h_below)", "bottom_up = W.T @ h_below"),
    "h computed again on COPY": ("h = h_prev", "h = o * np.tanh(c)"),
    "COPY tested before FLUSH": (
        "if z_prev == 1:\n        return FLUSH\n    return UPDATE if z_below == 1 else COPY",
        "if z_below == 0:\n        return COPY\n    return FLUSH if z_prev == 1 else UPDATE",
    ),
}


def slipped(old: str, new: str) -> ModuleType:
    path = Path(hm_lstm_stack.__file__)
    text = path.read_text(encoding="utf-8")
    assert text.count(f"{old}\n") + text.count(f"{old}  #") == 1
    module = importlib.util.module_from_spec(importlib.util.spec_from_file_location("slipped", path))
    exec(compile(text.replace(old, new), str(path), "exec"), module.__dict__)  # noqa: S102 - our own oracle
    return module


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_gives_something_else(slip):
    """From a zero state on too, and with masks: where the generated layer is compared, none could hide."""
    it, module = trial(), slipped(*SLIPS[slip])
    for start in (it.state, hm_lstm_stack.zero_state(UNITS, BATCH)):
        for mask in (None, MASK):
            (y, last, _), (other, ended, _) = (
                each.scan(it.params, it.x, start, mask=mask) for each in (hm_lstm_stack, module)
            )
            assert not np.allclose(y, other) and not all(np.allclose(*pair) for pair in zip(last, ended))


# --- the peers of `cellgen bench` -----------------------------------------------------------------------------------


def in_keras(x, w):
    cell = stack_peers.StackCell(UNITS, {name: each.shape for name, each in w.items()}, dtype=x.dtype.name)
    layer = tf.keras.layers.RNN(cell, return_sequences=True, dtype=x.dtype.name)
    layer.build(x.shape)
    cell.w = w  # the same variables, whose gradients are asked for
    return stack_peers.readout(tf.split(layer(x), UNITS, axis=-1), w)


PEERS = {"tf.scan": stack_peers.scanned, "keras.layers.RNN": in_keras}


@pytest.mark.parametrize("peer", PEERS)
def test_the_peers_of_the_bench_are_the_papers(peer):
    """Their outputs from a zero state and their gradients, in float64."""
    weights = np.random.default_rng(3).normal(size=(BATCH, STEPS, EMBEDDING))
    for seed in range(3):
        it = trial(seed)
        state = hm_lstm_stack.zero_state(UNITS, BATCH)
        w = {name.replace("/", "_"): tf.Variable(value) for name, value in it.params.items()}
        x = tf.constant(it.x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = PEERS[peer](x, w)
            total = tf.reduce_sum(y * weights)
        close(y, scan(it.params, it.x, state)[0])
        found, base = hm_lstm_stack.gradients(
            lambda y, last, states: (y * weights).sum((-1, -2, -3)), it.params, it.x, state
        )
        assert base.margin > 1e-4
        came = tape.gradient(total, {**{name: w[name.replace("/", "_")] for name in it.params}, "x": x})
        alike(came, {name: found[name] for name in came})


@pytest.mark.full
def test_no_roundoff_turns_a_boundary_of_the_bench():
    """In float32, contestants could come to other boundaries, and from there on to other values."""
    (shape,) = WORKLOADS["W5"].shapes
    task = problem(WORKLOADS["W5"], shape)
    params = {name.replace("_", "/", 1): value.numpy().astype("float64") for name, value in task.weights.items()}
    units = [shape.units] * WORKLOADS["W5"].layers
    assert {name: value.shape for name, value in params.items()} == hm_lstm_stack.shapes(shape.input, units, units[0])
    seen = []

    class Boundaries(hm_lstm_stack.Base):
        def straight_through(self, f, g):
            seen.append(np.abs(2 * g - 1).min())  # s.z, where it is near 0
            return super().straight_through(f, g)

    state = hm_lstm_stack.zero_state(units, shape.batch)
    *_, states = hm_lstm_stack.reference(params, task.x.numpy().astype("float64"), state, Boundaries())
    assert min(seen) > 5e-5
    first, second, last = (z.mean() for z in states[2::3])
    assert 0.1 < second < first < 0.9 and last == 0


# --- the generated layer --------------------------------------------------------------------------------------------

built = pytest.mark.skipif(
    not (GENERATED / f"{STEM}.py").is_file(), reason=f"generated/{STEM}.py is not there: stacks are not generated yet"
)


def layer_of(it: Trial, *, dtype="float64", **arguments):
    """The generated layer with the weights of a trial."""
    layer = committed(STEM).HMLSTMStack(UNITS, embedding=EMBEDDING, dtype=dtype, **it.options, **arguments)
    layer.build(it.x.shape)
    weights = by_name(layer)
    assert [(name, tuple(weight.shape)) for name, weight in weights.items()] == [
        (name, value.shape) for name, value in it.params.items()
    ]
    for name, weight in weights.items():
        weight.assign(it.params[name])
    return layer


def by_name(layer):
    return {"/".join(weight.path.split("/")[-2:]): weight for weight in layer.trainable_weights}


@built
def test_the_classes():
    it = trial()
    layer = layer_of(it)
    module = committed(STEM)
    assert isinstance(layer.cell, module.HMLSTMStackCell)
    assert list(layer.cell.state_size) == [width for n in UNITS for width in (n, n, 1)]
    assert layer.cell.output_size == EMBEDDING
    slope, *weights = layer.get_weights()
    close(weights, list(it.params.values()))
    assert slope == 1.0 and [weight.path.split("/")[-1] for weight in layer.non_trainable_weights] == ["slope"]
    assert layer(it.x).shape == (BATCH, EMBEDDING)
    named = layer.cell.named(it.state)
    assert [each._fields for each in named] == [("c", "h", "z")] * len(UNITS)
    close(named, by_layer(it.state))


@built
@each_case
def test_one_step(case):
    it = trial(batch=8, **case)
    layer = layer_of(it)
    for t in range(2):
        y, state = layer.cell(it.x[:, t], [tf.constant(value) for value in it.state])
        close([y, state], hm_lstm_stack.step(it.params, it.state, it.x[:, t], **case))


@built
@pytest.mark.parametrize("units", [[4], [4, 5], [3, 3, 3, 3]], ids=str)
def test_other_depths(units):
    it = trial(units=units)
    layer = committed(STEM).HMLSTMStack(units, embedding=EMBEDDING, dtype="float64", **EVERYTHING)
    layer.build(it.x.shape)
    for name, weight in by_name(layer).items():
        weight.assign(it.params[name])
    close(layer(it.x, initial_state=it.state), scan(*it.everything))


@built
def test_copy_is_bitwise():
    it = trial(batch=8, steps=12)
    layer = layer_of(it, **EVERYTHING)
    states = [np.asarray(value) for value in tf.nest.flatten(layer(it.x, initial_state=it.state))[-len(it.state) :]]
    done = operations(it.state, states)
    assert did(done) == [{UPDATE, FLUSH}, {UPDATE, COPY, FLUSH}, {UPDATE, COPY, FLUSH}]
    for at, own in enumerate(done):
        for k in (3 * at, 3 * at + 1):
            before = np.concatenate([it.state[k][:, None], states[k][:, :-1]], 1)
            assert np.array_equal(before[own == COPY], states[k][own == COPY])
        assert set(np.unique(states[3 * at + 2])) <= {0.0, 1.0}


def tensors(layer, it, mask=None):
    """What a layer gives, and the gradients of `loss` by name: of weights, of `x`, of `state 0` and so on."""
    x, state = tf.constant(it.x), [tf.constant(value) for value in it.state]
    sources = {**by_name(layer), "x": x, **{f"state {k}": value for k, value in enumerate(state)}}
    with tf.GradientTape() as tape:
        tape.watch([x, *state])
        values = tf.nest.flatten(layer(x, initial_state=state, mask=mask))
        total = tf.add_n([tf.reduce_sum(value * weight) for value, weight in zip(values, weighed(), strict=True)])
    return values, tape.gradient(total, sources, unconnected_gradients="zero")


@built
@pytest.mark.parametrize(
    ("case", "mask"),
    [*((case, None) for case in CASES), *((case, MASK) for case in (CASES[0], CASES[-1]))],
    ids=called,
)
def test_outputs_states_and_gradients_are_those_of_the_reference_program(case, mask):
    """From a state with all combinations of boundaries; outputs and states from zeros too. What a mask holds is the
    same whatever the options: it is tried where none is given and where all are.
    """
    it = smooth(mask=mask, **case)
    wanted, _ = slopes(it, mask=mask)
    layer = layer_of(it, **EVERYTHING)
    values, came = tensors(layer, it, mask)
    close(values, scan(*it.everything, mask=mask, **case))
    alike(came, wanted)
    start = hm_lstm_stack.zero_state(UNITS, BATCH)
    close(layer(it.x, mask=mask), scan(it.params, it.x, start, mask=mask, **case))


@built
def test_windows_that_carry_the_state_on():
    it = trial(steps=9)
    whole = scan(*it.everything)
    layer = layer_of(it, return_sequences=True, return_state=True)
    first = layer(it.x[:, :4], initial_state=it.state)
    second = layer(it.x[:, 4:], initial_state=first[1:])
    close(tf.concat([first[0], second[0]], 1), whole[0])
    close(second[1:], whole[1])
    stateful = layer_of(it, return_sequences=True, stateful=True)
    start = scan(it.params, it.x, hm_lstm_stack.zero_state(UNITS, BATCH))[0]
    close(tf.concat([stateful(it.x[:, :4]), stateful(it.x[:, 4:])], 1), start)


@built
def test_the_slope_is_set_without_another_trace():
    """And in a graph, all is as it is eagerly."""
    it, traces = smooth(mask=MASK, slope=2.5), []
    layer = layer_of(replace(it, options={}), **EVERYTHING, jit_compile=False)

    @tf.function
    def run():
        traces.append(layer)
        return tensors(layer, it, MASK)

    values, before = run()
    layer.slope.assign(2.5)
    same, after = run()
    assert len(traces) == 1
    close(values, scan(*it.everything, mask=MASK))
    close(same, values, 0)
    alike(before, slopes(it, slope=1.0, mask=MASK)[0])
    alike(after, slopes(it, mask=MASK)[0])
    assert not np.allclose(before["layer1/W"], after["layer1/W"])
