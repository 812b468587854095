"""All steps at once against the loop: values, derivatives, masks; and Newton's steps where they do not settle."""

import numpy as np
import pytest
import tensorflow as tf

from cellgen.runtime.affine_scan import affine, sound_product
from cellgen.runtime.parallel import Solver
from tests.runtime import lanes
from tests.runtime.leaky import masks

ALL = {"return_sequences": True, "return_states": (0, 1, 2, 3)}
PAIRS = Solver(pairs=True)


def close(came, wanted, bound=1e-10):
    came, wanted = tf.nest.flatten(came), tf.nest.flatten(wanted)
    assert len(came) == len(wanted) > 0
    for one, other in zip(came, wanted):
        one, other = np.asarray(one), np.asarray(other)
        assert one.shape == other.shape and one.dtype == other.dtype
        np.testing.assert_allclose(one, other, rtol=bound, atol=bound)


def run(scan, given, mask=None, *, way="inline", solver=None, zero_output=False, low_memory=False, **how):
    """What a scan gives and the gradients of a loss on all of it; and how it was solved."""
    (xs, state, arguments), wanted = given, {**ALL, **how}
    sources = [xs["x"], *state, *(arguments[name] for name in ("W", "V", "u", "r"))]
    how = {"keep": True, "low_memory": low_memory, "unroll": 1, "zero_output": zero_output, **wanted}
    with tf.GradientTape() as tape:
        tape.watch(sources)
        run_in = {"traces": {}, "way": getattr(scan, way), "solver": solver}
        *results, solved = scan.run(xs, mask, state, state, arguments, **run_in, **how)
        flat = tf.nest.flatten(results)
        loss = tf.add_n([tf.reduce_sum(tf.sin((2 + place) * value)) for place, value in enumerate(flat)])
    return [*flat, *tape.gradient(loss, sources, unconnected_gradients="zero")], solved


# --- the recurrence -------------------------------------------------------------------------------------------------


def one_by_one(slopes, terms, start):
    """s[t] = A[t] s[t-1] + b[t], A[t] a matrix of each lane."""
    state, found = np.stack(start), []
    for t in range(len(terms[0])):
        state = np.einsum("ijbu,jbu->ibu", np.array([[a[t] for a in row] for row in slopes]), state)
        state = state + np.stack([b[t] for b in terms])
        found.append(state)
    return np.moveaxis(np.array(found), 1, 0)


@pytest.mark.parametrize("pairs", [True, False])
@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("time", [1, 2, 3, 8, 17])
def test_a_recurrence_of_small_blocks(time, count, pairs):
    rng = np.random.default_rng(time)
    slopes = [[rng.normal(scale=0.6, size=(time, 2, 3)) for _ in range(count)] for _ in range(count)]
    terms, start = ([rng.normal(size=(*front, 2, 3)) for _ in range(count)] for front in ([time], []))
    came = affine(*(tf.nest.map_structure(tf.constant, each) for each in (slopes, terms, start)), pairs=pairs)
    close(came, list(one_by_one(slopes, terms, start)))


def test_a_recurrence_of_a_length_that_is_not_known():
    rng, spec = np.random.default_rng(0), tf.TensorSpec([None, None, 3], tf.float64)
    solve = tf.function(
        lambda a, b, s: affine([[a]], [b], [s], pairs=True),
        input_signature=[spec, spec, tf.TensorSpec([None, 3], tf.float64)],
    )
    for time in (1, 5, 30):
        slopes, terms, start = (
            rng.uniform(-0.9, 0.9, (time, 2, 3)),
            rng.normal(size=(time, 2, 3)),
            rng.normal(size=(2, 3)),
        )
        close(solve(slopes, terms, start), list(one_by_one([[slopes]], [terms], [start])))
    assert solve.experimental_get_tracing_count() == 1


@pytest.mark.parametrize("pairs", [True, False])
def test_what_is_cut_off_may_be_no_number(pairs):
    slopes = np.ones([6, 1, 1])
    slopes[3], terms = 0, np.ones([6, 1, 1])
    terms[1] = np.nan
    came = affine([[tf.constant(slopes)]], [tf.constant(terms)], [tf.zeros([1, 1], "float64")], sound_product, pairs)
    assert np.isnan(came[0][1:3]).all()
    close(came[0][3:], np.array([1.0, 2, 3]).reshape(3, 1, 1))


# --- the whole way --------------------------------------------------------------------------------------------------


RULES = {  # what a masked step does, whether there is a mask, and whether a masked output is zero
    "no mask": ("hold", False, False),
    "hold": ("hold", True, False),
    "zero": ("hold", True, True),
    "reset": ("reset", True, False),
}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("time", [1, 2, 7])
def test_all_steps_at_once_are_the_loop(time, rule):
    mask_rule, masked, zero_output = RULES[rule]
    scan, given, mask = lanes.scan(mask_rule), lanes.given(time), masks(time) if masked else None
    wanted, _ = run(scan, given, mask, zero_output=zero_output)
    came, solved = run(scan, given, mask, zero_output=zero_output, solver=Solver())
    close(came, wanted)
    assert solved.newton > 0 and solved.looped == 0


@pytest.mark.parametrize("rule", ["hold", pytest.param("reset", marks=pytest.mark.full)])
@pytest.mark.parametrize("low_memory", [False, pytest.param(True, marks=pytest.mark.full)])
def test_in_chunks_and_by_xla(rule, low_memory):
    scan, given, mask = lanes.scan(rule), lanes.given(10), masks(10)
    wanted, _ = run(scan, given, mask)
    came, solved = run(scan, given, mask, low_memory=low_memory, solver=PAIRS, way="by_xla")
    close(came, wanted)
    assert solved.looped == 0


def test_a_length_that_is_not_known():
    scan = lanes.scan("hold")

    @tf.function(input_signature=[tf.TensorSpec([None, None, lanes.WIDTH], tf.float64)])
    def solve(x):
        xs, state, arguments = lanes.given(1)
        state = lanes.State(*(tf.zeros([tf.shape(x)[0], lanes.UNITS], tf.float64) + value[:1] for value in state))
        return run(scan, ({"x": x}, state, arguments), solver=Solver())[0]

    for time in (1, 6):
        xs, state, arguments = lanes.given(time)
        _, state, arguments = lanes.given(1)
        state = lanes.State(*(tf.zeros([lanes.BATCH, lanes.UNITS], tf.float64) + value[:1] for value in state))
        close(solve(xs["x"]), run(scan, (xs, state, arguments))[0])
    assert solve.experimental_get_tracing_count() == 1


def test_steps_that_do_not_run():
    """A sequence that was filled up to a bucket."""
    scan, (xs, state, arguments) = lanes.scan("hold"), lanes.given(7)
    wanted, _ = run(scan, (xs, state, arguments))
    longer = {"x": tf.concat([xs["x"], tf.fill([lanes.BATCH, 3, lanes.WIDTH], tf.constant(9.0, tf.float64))], 1)}
    came, _ = run(scan, (longer, state, arguments), solver=Solver(), steps=tf.constant(7))
    wanted, come = wanted[5:10], came[5:10]  # of all steps
    close([values[:7] for values in come], wanted)


def test_one_that_restarts_does_not_hear_of_what_was_before():
    """Not a number before a masked step reaches nothing after it, and no derivative."""
    scan, (xs, state, arguments) = lanes.scan("reset", reset=lanes.State._fields), lanes.given(6)
    fresh = lanes.State(*(tf.zeros_like(value) for value in state))
    mask = tf.constant(np.array([[1, 1, 1, 0, 1, 1]] * lanes.BATCH, bool)[..., None])
    bad = {"x": tf.concat([xs["x"][:, :1], tf.constant(np.nan, "float64") * xs["x"][:, 1:2], xs["x"][:, 2:]], 1)}

    def slopes(solver):
        with tf.GradientTape() as tape:
            tape.watch(bad["x"])
            how = {"zero_output": False, "return_sequences": True, "return_states": (), "unroll": 1, "keep": True}
            run_in = {"traces": {}, "way": scan.inline, "solver": solver}
            _, state, told, _ = scan.run(bad, mask, fresh, fresh, arguments, **run_in, **how)
            loss = tf.reduce_sum(tf.sin(told[0][4:]))
        return state.z, told[0][4:], tape.gradient(loss, bad["x"])[:, 4:]

    came, wanted = slopes(Solver()), slopes(None)
    assert all(np.isfinite(value).all() for value in tf.nest.flatten(wanted[1:]))
    close(came[1:], wanted[1:])


# --- Newton's steps -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("way", ["inline", pytest.param("by_xla", marks=pytest.mark.full)])
def test_where_newton_does_not_settle_the_loop_goes_on(rule, way):
    """From the last step that is good, and what comes is the loop's, whatever was tried before."""
    mask_rule, masked, zero_output = RULES[rule]
    scan, given, mask = lanes.scan(mask_rule), lanes.given(12, gain=40.0), masks(12) if masked else None
    wanted, _ = run(scan, given, mask, zero_output=zero_output)
    came, solved = run(
        scan, given, mask, zero_output=zero_output, solver=Solver(steps=2, pairs=way == "by_xla"), way=way
    )
    close(came, wanted, 1e-8)
    assert solved.newton == 2 and 0 < solved.looped <= 10  # two steps make the first two good at least


def test_a_tolerance_that_nothing_meets_runs_the_loop():
    scan, given = lanes.scan(), lanes.given(5)
    came, solved = run(scan, given, solver=Solver(steps=3, tolerance=1e-300))
    close(came, run(scan, given)[0])
    assert solved.newton == 3 and solved.looped <= 5


def test_a_tolerance_that_is_wide_is_taken_at_its_word():
    scan, given = lanes.scan(), lanes.given(40, gain=2.0)
    fine, coarse = (run(scan, given, solver=Solver(tolerance=tolerance))[1] for tolerance in (None, 0.1))
    assert coarse.newton < fine.newton and coarse.looped == 0


def test_float32():
    scan, given = lanes.scan("hold"), lanes.given(40, dtype="float32")
    wanted, came = (run(scan, given, solver=solver)[0] for solver in (None, Solver()))
    close(came, wanted, 2e-4)


def test_second_derivatives_are_those_of_the_loop():
    scan, (xs, state, arguments) = lanes.scan("hold"), lanes.given(5)

    def twice(solver):
        with tf.GradientTape() as second:
            second.watch(xs["x"])
            with tf.GradientTape() as first:
                first.watch(xs["x"])
                how = {"keep": True, "unroll": 1, "zero_output": False, **ALL}
                run_in = {"traces": {}, "way": scan.inline, "solver": solver}
                *results, _ = scan.run(xs, None, state, state, arguments, **run_in, **how)
                loss = tf.add_n([tf.reduce_sum(tf.sin(value)) for value in tf.nest.flatten(results)])
            slope = first.gradient(loss, xs["x"])
            size = tf.reduce_sum(tf.square(slope))
        return slope, second.gradient(size, xs["x"])

    close(twice(Solver()), twice(None))
