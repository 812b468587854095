"""The scan of a small cell written by hand against a plain loop: every way it runs, values and derivatives alike."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from cellgen.runtime.scan import Scan
from tests.runtime import leaky
from tests.runtime.leaky import BATCH, State

ALL = {"return_sequences": True, "return_states": (0, 1)}
ENDS = {"return_sequences": False, "return_states": ()}


def close(came, wanted, bound=1e-10):
    came, wanted = tf.nest.flatten(came), tf.nest.flatten(wanted)
    assert len(came) == len(wanted) > 0
    for one, other in zip(came, wanted):
        one, other = np.asarray(one), np.asarray(other)
        assert one.shape == other.shape and one.dtype == other.dtype
        np.testing.assert_allclose(one, other, rtol=bound, atol=bound)


def differentiated(function, xs, mask, state, arguments):
    """What a scan gives, and the gradients of a loss on all of it."""
    watched = leaky.sources(xs, state, arguments)
    with tf.GradientTape() as tape:
        tape.watch(watched)
        results = function(xs, mask, state, arguments)
        loss = leaky.loss(results)
    return results, tape.gradient(loss, watched, unconnected_gradients="zero")


def by_loop(rule, *given, zero_output=False, return_sequences=True, return_states=(0, 1)):
    """What a plain loop gives."""

    def function(xs, mask, state, arguments):
        output, state, told = leaky.loop(rule, xs, mask, state, arguments, zero_output=zero_output)
        return output, state, [*told[:return_sequences], *(told[1 + at] for at in return_states)]

    return differentiated(function, *given)


def by_scan(scan, way, *given, keep=True, zero_output=False, low_memory=False, unroll=1, run=Scan.run, **wanted):
    """What the scan gives, run in one of its ways."""
    how = {"traces": {}, "way": getattr(scan, way), "keep": keep, "low_memory": low_memory, "unroll": unroll}

    def function(xs, mask, state, arguments):
        return run(scan, xs, mask, state, state, arguments, zero_output=zero_output, **how, **{**ALL, **wanted})

    return differentiated(function, *given)


def case(time, rule=None, noise=False):
    xs, state, arguments = leaky.given(time, noise)
    return xs, None if rule is None else leaky.masks(time), state, arguments


# --- values ---------------------------------------------------------------------------------------------------------


def test_the_plain_loop_is_the_equations():
    """The loop that all others are held to, against NumPy."""
    xs, mask, state, arguments = case(5, "hold", noise=True)
    x, p, keep = (xs[name].numpy() for name in ("x", "p", "_keep"))
    W, U, b = (arguments[name].numpy() for name in ("W", "U", "b"))
    (h, c), y, outputs = map(np.asarray, state), np.zeros((BATCH, leaky.UNITS)), []
    for t in range(5):
        new_h = 0.3 * h + 0.7 * np.tanh(x[:, t] @ W + p[:, 0] + (keep[:, 0] * h) @ (0.8 * U) + b)
        new_c = c / 2 + new_h
        on = mask[:, t].numpy()
        y, h, c = np.where(on, new_h * new_c, y), np.where(on, new_h, h), np.where(on, new_c, c)
        outputs.append(y)
    came = leaky.loop("hold", xs, mask, state, arguments)
    close((came[0], came[1], came[2][0]), (y, State(h, c), np.stack(outputs)))


TIMES = {  # steps, and rows of a chunk
    "one chunk": (5, 100),
    "two even chunks": (6, 3 * BATCH),
    "a short last chunk": (7, 3 * BATCH),
    "chunks of one step": (3, 1),
    "one step": (1, 100),
}
RULES = {  # what a masked step does, whether there is a mask, and whether a masked output is zero
    "no mask": ("hold", False, False),
    "hold": ("hold", True, False),
    "zero": ("hold", True, True),
    "reset": ("reset", True, False),
}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("time", TIMES)
def test_all_steps_and_their_derivatives(time, rule):
    """As it stands; what a way runs is the same in each."""
    (steps, rows), (mask_rule, masked, zero_output) = TIMES[time], RULES[rule]
    given = case(steps, mask_rule if masked else None, noise=time == "a short last chunk")
    scan = leaky.scan(mask_rule, rows)
    close(
        by_scan(scan, "inline", *given, zero_output=zero_output),
        by_loop(mask_rule, *given, zero_output=zero_output),
    )


def test_a_scan_with_no_rule_for_masks():
    close(by_scan(leaky.scan(None), "inline", *case(7)), by_loop(None, *case(7)))


KEEPING = [
    {"keep": False},
    {"low_memory": True},
    {"low_memory": True, "keep": False},
    {"unroll": 2},
    {"unroll": 9, "low_memory": True},
]


@pytest.mark.parametrize("how", KEEPING, ids=str)
@pytest.mark.parametrize("rule", ["hold", "reset"])
def test_what_is_kept_and_how_many_steps_at_once(rule, how):
    given = case(7, rule, noise=True)
    close(by_scan(leaky.scan(rule), "inline", *given, **how), by_loop(rule, *given))


@pytest.mark.parametrize("wanted", [ENDS, {**ENDS, "return_states": (1,)}, {**ENDS, "return_sequences": True}], ids=str)
@pytest.mark.parametrize("rows", [3 * BATCH, 100])
def test_what_is_wanted_of_all_steps(wanted, rows):
    given = case(7, "hold")
    close(by_scan(leaky.scan("hold", rows), "inline", *given, **wanted), by_loop("hold", *given, **wanted))


# --- ways to run ----------------------------------------------------------------------------------------------------


def test_in_a_graph():
    given = case(7, "reset", noise=True)
    how = {"keep": False, "low_memory": True, "unroll": 2}
    close(by_scan(leaky.scan("reset"), "in_graph", *given, **how), by_loop("reset", *given))


@pytest.mark.parametrize("rule, how", [("hold", {}), ("reset", {"low_memory": True})], ids=str)
def test_in_a_graph_of_unknown_sizes(rule, how):
    xs, mask, state, arguments = case(7, rule, noise=True)
    scan, of_one_step = leaky.scan(rule), leaky.scan().held

    def unknown(values, time=None):
        return tf.TensorSpec([None, time, values.shape[2]], values.dtype)

    specs = {name: unknown(values, 1 if name in of_one_step else None) for name, values in xs.items()}

    @tf.function(input_signature=[specs, unknown(mask)], autograph=False)
    def run(xs, mask):
        return by_scan(scan, "in_graph", xs, mask, state, arguments, **how)

    close(run(xs, mask), by_loop(rule, xs, mask, state, arguments))


@pytest.fixture
def two_cores(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: range(2), raising=False)
    monkeypatch.setattr(tf.config.threading, "get_inter_op_parallelism_threads", lambda: 0)
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: [])


def test_compiled_by_xla(two_cores):
    """In shares side by side; a layer's own tests compile a batch whole."""
    scan, given = leaky.scan("hold"), case(7, "hold")
    assert scan.shares(BATCH) == scan.shares(None) == 2 and leaky.scan(share=BATCH).shares(BATCH) == 1
    close(by_scan(scan, "by_xla", *given), by_loop("hold", *given))


def test_shares_in_a_graph(two_cores, monkeypatch):
    monkeypatch.setattr("cellgen.runtime.scan.traced", lambda traces, key, function, **_: function)  # XLA apart
    scan, given = leaky.scan("hold"), case(7, "hold")
    run = tf.function(functools.partial(by_scan, scan, "by_xla"), autograph=False)
    close(run(*given), by_loop("hold", *given))


@pytest.mark.parametrize("time, rule, way", [(1, None, "inline"), (16, "hold", "inline"), (17, "hold", "in_graph")])
def test_a_sequence_filled_up_to_a_bucket(time, rule, way):
    given = case(time, rule)
    close(by_scan(leaky.scan(rule), way, *given, run=Scan.in_bucket), by_loop(rule, *given))


def test_a_bucket_of_unknown_length():
    given = case(7, "hold")
    scan, specs = leaky.scan("hold"), tf.TensorSpec([BATCH, None, 2], tf.float64)

    @tf.function(input_signature=[specs, tf.TensorSpec([BATCH, None, 1], tf.bool)], autograph=False)
    def run(x, mask):
        return by_scan(scan, "inline", given[0] | {"x": x}, mask, *given[2:], run=Scan.in_bucket)

    close(run(given[0]["x"], given[1]), by_loop("hold", *given))


@pytest.mark.parametrize("rule", RULES)
def test_unrolled(rule):
    """TensorFlow's own derivative of it is the loop's."""
    mask_rule, masked, zero_output = RULES[rule]
    given = case(5, mask_rule if masked else None, noise=True)
    scan = leaky.scan(mask_rule)

    def function(xs, mask, state, arguments):
        return scan.unrolled(xs, mask, state, state, arguments, zero_output=zero_output, **ALL)

    close(differentiated(function, *given), by_loop(mask_rule, *given, zero_output=zero_output))


def test_layers_of_the_same_widths_share_what_is_traced():
    scan, one, other = leaky.scan(), {}, {}
    given = case(7)
    for held in (one, other):
        scan.run(
            *given[:3],
            given[2],
            given[3],
            traces=held,
            way=scan.in_graph,
            keep=True,
            zero_output=False,
            low_memory=False,
            unroll=1,
            **ALL,
        )
    assert len(one) == 1 and [*one.values()] == [*other.values()]


# --- empty sizes, and what is no number -----------------------------------------------------------------------------


@pytest.mark.parametrize("low_memory", [False, True])
def test_no_steps(low_memory):
    """The output is zero, the state as it was, and so is its derivative."""
    xs, _, state, arguments = case(0)
    (output, last, told, _), slopes = by_scan(
        leaky.scan("hold"), "inline", xs, tf.zeros([BATCH, 0, 1], tf.bool), state, arguments, low_memory=low_memory
    )
    close((output, last), (tf.zeros_like(output), state))
    assert [tuple(values.shape) for values in told] == [(0, BATCH, leaky.UNITS)] * 3
    d_x, d_p, d_h, d_c, *d_weights = slopes
    assert d_x.shape == (BATCH, 0, leaky.WIDTH) and not np.any(d_p) and not any(map(np.any, d_weights))
    close([d_h, d_c], [3 * tf.cos(3 * state.h), 4 * tf.cos(4 * state.c)])


def test_an_empty_batch():
    xs, mask, state, arguments = tf.nest.map_structure(
        lambda v: v[:0] if tf.is_tensor(v) and v.shape[0] == BATCH else v, case(7, "hold")
    )
    arguments = case(7)[3]
    (output, last, told, _), slopes = by_scan(leaky.scan("hold"), "inline", xs, mask, state, arguments)
    assert output.shape == (0, leaky.UNITS) and told[0].shape == (7, 0, leaky.UNITS)
    assert not any(map(np.any, slopes)) and slopes[0].shape == (0, 7, leaky.WIDTH)


@pytest.mark.parametrize("zero_output", [False, True])
def test_nothing_comes_of_a_step_that_holds_and_is_no_number(zero_output):
    xs, _, state, arguments = case(7)
    mask = tf.constant(np.array([np.arange(7) % 4 != 0] * BATCH)[..., None])
    came, wanted = xs | {"x": tf.where(mask, xs["x"], np.nan)}, xs | {"x": tf.where(mask, xs["x"], 1.0)}
    close(
        by_scan(leaky.scan("hold"), "inline", came, mask, state, arguments, zero_output=zero_output),
        by_loop("hold", wanted, mask, state, arguments, zero_output=zero_output),
    )


def test_what_is_before_a_reset_may_be_no_number():
    """Nothing is asked of it, and a product with 0 would let it through."""
    xs, _, state, arguments = case(6)
    steps = np.arange(6)
    x = tf.constant(np.where(steps[:, None] < 2, np.nan, xs["x"]))
    mask = tf.constant(np.array([steps != 3] * BATCH)[..., None])
    scan = leaky.scan("reset", reset=State._fields)
    how = {"traces": {}, "way": scan.inline, "keep": True, "low_memory": False, "unroll": 1, "zero_output": False}
    last = x[:, 3:]
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([x, last])
        came = scan.run(xs | {"x": x}, mask, state, state, arguments, **how, **ENDS)[:2]
        wanted = leaky.loop(None, xs | {"x": last}, None, state, arguments)[:2]
        losses = leaky.loss(came), leaky.loss(wanted)
    close(came, wanted)
    slope = tape.gradient(losses[0], x)
    close(slope, tf.concat([tf.zeros_like(slope[:, :3]), tape.gradient(losses[1], last)], 1))


def test_what_counts_instead_of_a_masked_step():
    xs, mask, _, _ = case(5, "hold", noise=True)
    scan = leaky.scan("hold")
    assert scan.counting(xs, None) is xs and leaky.scan("reset").counting(xs, mask)["x"] is xs["x"]
    found = scan.counting(xs, mask)
    on = mask.numpy()
    instead = np.array([row[here[:, 0]][0] if here.any() else np.ones(2) for row, here in zip(xs["x"].numpy(), on)])
    np.testing.assert_array_equal(found["x"], np.where(on, xs["x"], instead[:, None]))
    assert found["p"] is xs["p"] and found["_keep"] is xs["_keep"]
    nothing = scan.counting({"x": xs["x"][:, :0]}, mask[:, :0])
    assert nothing["x"].shape == (BATCH, 0, leaky.WIDTH)
    assert [scan.is_of_steps(name) for name in ("x", "p", "layer1/_keep")] == [True, False, False]


# --- higher derivatives, and every kind of tape ---------------------------------------------------------------------


def second(function, xs, mask, state, arguments):
    """Of a number that the gradient gives, the gradient."""
    watched = leaky.sources(xs, state, arguments)
    with tf.GradientTape() as tape:
        tape.watch(watched)
        _, slopes = differentiated(function, xs, mask, state, arguments)
        loss = leaky.loss(slopes)
    return slopes, tape.gradient(loss, watched)


def test_second_derivatives():
    """In a graph, and run again with low memory; as it stands in every cell's own tests (`testing.every_way`)."""
    rule = "reset"
    given, scan = case(3, rule), leaky.scan(rule, 2 * BATCH)
    how = {"low_memory": True, "keep": False, "traces": {}, "way": scan.in_graph, "unroll": 1}

    def by_scan(xs, mask, state, arguments):
        return scan.run(xs, mask, state, state, arguments, zero_output=False, **how, **ALL)

    def by_loop(xs, mask, state, arguments):
        return leaky.loop(rule, xs, mask, state, arguments)

    close(second(by_scan, *given), second(by_loop, *given))


def on_x(scan, way="inline", time=4):
    """x -> all outputs, by the scan and by the loop."""
    xs, mask, state, arguments = case(time, "hold")
    how = {"traces": {}, "way": getattr(scan, way), "keep": True, "low_memory": False, "unroll": 1}

    def by_scan(x):
        given = xs | {"x": x}, mask, state, state, arguments
        return scan.run(*given, zero_output=False, **how, **{**ENDS, "return_sequences": True})[2][0]

    def by_loop(x):
        return leaky.loop("hold", xs | {"x": x}, mask, state, arguments)[2][0]

    return xs["x"], by_scan, by_loop


def pushed(function, x):
    with tf.autodiff.ForwardAccumulator(x, tf.cos(5 * x)) as accumulator:
        y = function(x)
    return y, accumulator.jvp(y)


def by_symbols(function, x):
    y = function(x)
    slope = tf.gradients(tf.sin(y), x)[0]
    return y, slope, tf.gradients(tf.reduce_sum(slope**2), x)[0]


def test_forward_mode():
    x, ours, loops = on_x(leaky.scan("hold", 2 * BATCH), time=3)
    close(pushed(ours, x), pushed(loops, x))


def test_forward_mode_around_a_graph():
    x, ours, loops = on_x(leaky.scan("hold", 2 * BATCH), "in_graph", time=2)
    close(pushed(tf.function(ours, autograph=False), x), pushed(loops, x))


def test_forward_mode_inside_of_a_graph_is_refused():
    x, ours, _ = on_x(leaky.scan("hold"))
    sentence = "call the tf.function in the ForwardAccumulator, not this in that"
    with pytest.raises(LookupError, match=sentence):
        tf.function(lambda x: pushed(ours, x), autograph=False)(x)


def test_symbolic_gradients():
    x, ours, loops = on_x(leaky.scan("hold"), time=2)
    runs = [tf.function(functools.partial(by_symbols, function), autograph=False) for function in (ours, loops)]
    close(*(run(x) for run in runs))


def test_jacobians():
    x, ours, loops = on_x(leaky.scan("hold"), time=2)

    def jacobian(function):
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(x)
            y = function(x)
        return tape.jacobian(y, x, experimental_use_pfor=False)

    close(jacobian(ours), jacobian(loops))


def test_a_vectorised_map_is_refused():
    x, ours, _ = on_x(leaky.scan("hold"))
    with pytest.raises(NotImplementedError, match="tf.vectorized_map cannot convert the scan's loops: use tf.map_fn"):
        tf.vectorized_map(lambda each: ours(each[None] + tf.zeros_like(x)), x)
