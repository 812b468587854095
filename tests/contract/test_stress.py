"""Numbers under stress, on every way to run a layer: NaN, infinities, and what has no logarithm, behind a mask."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from cellgen.compiler import Spec
from tests.generated import (
    BATCH,
    MASK,
    STEPS,
    WIDTH,
    close,
    imported,
    layer_class,
    sequences,
    set_weights,
    subject,
)

EVERYTHING = {"return_sequences": True, "return_state": True, "return_all_states": True, "return_gates": True}
WAYS = {
    "eager": {},
    "graph": {},
    "known sizes": {},
    "compiled": {"jit_compile": True},
    "low memory": {"memory": "low"},
    "some at once": {"unroll": 2},
    "unrolled": {"unroll": True},
    "debug": {"debug": True},
}
everyday = {"graph", "compiled", "unrolled"}
each_way = pytest.mark.parametrize(
    "way", [pytest.param(way, marks=() if way in everyday else pytest.mark.full) for way in WAYS]
)


def poisoned(x, mask, seed=0):
    """Not a number, infinite or far too large, wherever a step is masked."""
    rng = np.random.default_rng(seed)
    bad = rng.choice([np.nan, np.inf, -np.inf, 1e300], size=x.shape)
    return np.where(mask[..., None], x, bad)


@functools.cache
def runs(stem, way):
    """A layer, and what runs it some way on x and a mask of the usual size: all that it returns, then its gradients by
    x and the weights. Traced and compiled once.
    """
    layer = subject(stem).layer(**WAYS[way], **EVERYTHING)
    return layer, run_of(way, layer)


def run_of(way, layer):
    if way not in ("graph", "known sizes"):
        return lambda x, mask: gradients_of(layer, tf.constant(x), tf.constant(mask))
    shape = (None, None, WIDTH) if way == "graph" else (BATCH, STEPS, WIDTH)
    specs = [tf.TensorSpec(shape, tf.float64), tf.TensorSpec(shape[:2], tf.bool)]
    return tf.function(lambda x, mask: gradients_of(layer, x, mask), input_signature=specs, autograph=False)


def gradients_of(layer, x, mask):
    with tf.GradientTape() as tape:
        tape.watch(x)
        values = tf.nest.flatten(layer(x, mask=mask))
        loss = tf.add_n([tf.reduce_sum(tf.sin((3 + index) * value)) for index, value in enumerate(values)])
    return [*values, *tape.gradient(loss, [x, *layer.trainable_weights], unconnected_gradients="zero")]


@each_way
@pytest.mark.parametrize("stem", ["lstm", *(pytest.param(s, marks=pytest.mark.full) for s in ("scrn", "gru", "nas"))])
def test_what_is_masked_reaches_nothing(stem, way):
    """What a layer gives, and its gradients, are those with zeros in the masked steps, where the input has none."""
    (layer, run), x = runs(stem, way), sequences()
    came = run(poisoned(x, MASK), MASK)
    twin = subject(stem).layer(unroll=True, weights=layer.trainable_weights, **EVERYTHING)
    wanted = gradients_of(twin, tf.constant(x * MASK[..., None]), MASK)
    close(came, wanted, 1e-9)
    dx = came[len(came) - len(layer.trainable_weights) - 1]
    assert not np.any(dx[~MASK]) and np.any(dx[MASK])


# the steps of a loss
READ = np.array([[0, 0, 0, 1, 1, 1], [1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 1, 1], [0, 0, 1, 1, 1, 1]], bool)
RESETS = np.array([[1, 1, 1, 0, 1, 1], [1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 1, 1], [0, 1, 0, 1, 0, 1]], bool)


@each_way
@pytest.mark.parametrize("whole", [True, pytest.param(False, marks=pytest.mark.full)], ids=["all steps", "the last"])
def test_what_was_before_a_reset_reaches_nothing(way, whole):
    """Nor does padding at the end, of which no loss is made: it runs, but 0 times what is no number is 0. (Unrolled,
    TensorFlow differentiates, to which it is none.)
    """
    layer, x = subject("layer_norm_lstm").layer(**WAYS[way], return_sequences=whole), sequences()
    read = READ if whole else READ[:, -1]
    state = [np.where(RESETS[:, :1], 0.0, np.nan) * np.ones([1, 6])] * 2

    def slopes(layer, x, state):
        x, *state = map(tf.convert_to_tensor, (x, *state))
        with tf.GradientTape() as tape:
            tape.watch([x, *state])
            values = layer(x, initial_state=state, mask=tf.constant(RESETS))
            values = tf.boolean_mask(values, read)
            loss = tf.reduce_sum(tf.sin(values))
        return [values, *tape.gradient(loss, [x, *state, *layer.trainable_weights])]

    run = tf.function(slopes, autograph=False) if way in ("graph", "known sizes") else slopes
    came = run(layer, poisoned(x, READ), state)
    twin = subject("layer_norm_lstm").layer(unroll=True, return_sequences=whole, weights=layer.trainable_weights)
    wanted = slopes(twin, x * READ[..., None], [np.zeros([BATCH, 6])] * 2)
    count = 1 if WAYS[way].get("unroll") is True or "debug" in WAYS[way] else len(wanted)
    close(came[:count], wanted[:count], 1e-9)


LOGARITHMIC = """\
cell: Logarithmic
state: {h: units}
params: {W: [input, units], U: [units, units]}
equations: |
  u = 0.3 * (log(x) @ W)
  h = tanh(u + 0.1 * exp(3 * (h[t-1] @ U)))
"""


@pytest.fixture(scope="module")
def logarithmic(tmp_path_factory):
    folder = tmp_path_factory.mktemp("logarithmic")
    for name, text in Spec.of(LOGARITHMIC, "logarithmic").build(tests=False).items():
        (folder / name).write_text(text, encoding="utf-8")
    return layer_class(imported("logarithmic", folder))


# what stands in for a masked step is chosen before the scan is compiled: as a graph is enough
@pytest.mark.parametrize(
    "way", [pytest.param(way, marks=() if way in {"graph", "unrolled"} else pytest.mark.full) for way in WAYS]
)
def test_a_masked_step_need_not_be_in_the_domain(logarithmic, way):
    """Zeros, which padding is made of, have no logarithm; a sample of nothing else has none either."""
    x, mask = np.abs(sequences()) + 0.1, MASK
    layers = [logarithmic(4, dtype="float64", **how, **EVERYTHING) for how in (WAYS[way], {"unroll": True})]
    for layer in layers:
        layer.build(x.shape)
        set_weights(layer)
    assert not mask.any(1).all()
    wanted = gradients_of(layers[1], tf.constant(np.where(mask[..., None], x, 1.0)), mask)
    close(run_of(way, layers[0])(x * mask[..., None], mask), wanted, 1e-9)


# --- one sample ------------------------------------------------------------------------------------------------------


@each_way
def test_one_sample_that_is_no_number_reaches_no_other(way):
    """Not the values and the derivatives by the input of any other; the weights' are lost, as a sum is."""
    x, mask = sequences(), np.ones_like(MASK)
    layer, run = runs("lstm", way)
    count = len(layer.trainable_weights)
    wanted = run(x, mask)[:-count]
    for bad in (np.nan, np.inf):
        spoilt = x.copy()
        spoilt[1, 2] = bad
        for one, other in zip(run(spoilt, mask)[:-count], wanted, strict=True):
            close(np.delete(one, 1, 0), np.delete(other, 1, 0))


# --- nothing to do ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["eager", "graph", pytest.param("compiled", marks=pytest.mark.full)])
def test_no_samples_no_steps_one_of_each(way):
    _, run = runs("lstm", way)
    for shape in [(0, STEPS), (BATCH, 0), (0, 0), (1, 1)]:
        for mask in (np.ones(shape, bool), np.zeros(shape, bool)):
            outputs, h, c, *rest = run(np.ones((*shape, WIDTH)), mask)
            assert outputs.shape == (*shape, 6) and h.shape == c.shape == (shape[0], 6)
            assert all(np.isfinite(value).all() for value in (outputs, h, c, *rest))
            assert np.any(h) == mask.any() and (mask.any() or not any(map(np.any, rest)))


# --- far out --------------------------------------------------------------------------------------------------------


# compiled in half precision is below
@pytest.mark.parametrize(
    "way", [pytest.param(way, marks=() if way in {"graph", "unrolled"} else pytest.mark.full) for way in WAYS]
)
@pytest.mark.parametrize("dtype", [pytest.param("float64", marks=pytest.mark.full), "float16"])
def test_saturated_gates(way, dtype):
    """All gates open: c counts the steps, h is its tanh, and nothing can change it."""
    layer = subject("lstm").layer(dtype=dtype, **WAYS[way], return_sequences=True)
    kernel, recurrent, bias = layer.get_weights()
    layer.set_weights([kernel, recurrent, np.full_like(bias, 3e4)])
    x = tf.constant(sequences(), dtype)

    def run(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x)
        return y, tape.gradient(y, [x, *layer.trainable_weights])

    y, gradients = (tf.function(run, autograph=False) if way == "graph" else run)(x)
    wanted = np.tanh(np.arange(1, STEPS + 1))[None, :, None] * np.ones([BATCH, 1, 6])
    close(y, wanted, 1e-12 if dtype == "float64" else 1e-3)
    assert not any(np.any(gradient) for gradient in gradients)


HALVES = ("bfloat16", "mixed_float16", "mixed_bfloat16")
SHARES = """\
cell: Shares
state: {h: units}
params: {W: [input, units]}
norms: {ln: {kind: layer, over: [units], epsilon: 1.0e-5}}
equations: |
  a = x @ W
  p = softmax(ln(a))
  e = exp(a - 8)
  h = 0.5 * h[t-1] + p + tanh(e)
"""


@pytest.mark.parametrize("dtype, bound", [("float16", 2e-3), ("bfloat16", 2e-2)])
def test_norms_and_exponentials_in_half_precision(tmp_path_factory, dtype, bound):
    """To some roundings of the type, where squares and sums of 300 values would be far off or infinite in it."""
    folder = tmp_path_factory.mktemp("shares")
    for name, text in Spec.of(SHARES, f"shares_{dtype}").build(tests=False).items():
        (folder / name).write_text(text, encoding="utf-8")
    Layer = layer_class(imported(f"shares_{dtype}", folder))
    x = np.eye(4)[None] * 2.0
    weights = [np.random.default_rng(0).integers(-120, 8, size=(4, 300)) / 2.0]
    a = x @ weights[0]
    layer = Layer(300, dtype=dtype, return_gates=True, return_sequences=True)
    layer.build(x.shape)
    layer.set_weights(weights)
    _, told = layer(tf.constant(x, dtype))
    n = (a - a.mean(-1, keepdims=True)) / np.sqrt(a.var(-1, keepdims=True) + 1e-5)
    p = np.exp(n) / np.exp(n).sum(-1, keepdims=True)
    np.testing.assert_allclose(np.asarray(tf.cast(told.p, tf.float64)), p, rtol=8 * bound)
    np.testing.assert_allclose(np.asarray(tf.cast(told.e, tf.float64)), np.exp(a - 8), rtol=bound, atol=1e-7)


UNSTABILISED = """\
cell: Unstabilised
gates: [i, f, z, o]
state: {h: units, c: units, n: units}
params: {W: [input, gates*units], R: [units, gates*units], b: [gates*units]}
equations: |
  a: [gates, units] = x @ W + h[t-1] @ R + b
  i = exp(a.i)
  f = sigmoid(a.f)
  c = f * c[t-1] + i * tanh(a.z)
  n = f * n[t-1] + i
  h = sigmoid(a.o) * c / n
"""


@pytest.fixture(scope="module")
def unstabilised(tmp_path_factory):
    folder = tmp_path_factory.mktemp("unstabilised")
    for name, text in Spec.of(UNSTABILISED, "unstabilised").build(tests=False).items():
        (folder / name).write_text(text, encoding="utf-8")
    return layer_class(imported("unstabilised", folder))


@each_way
@pytest.mark.parametrize("dtype", ["float16", *(pytest.param(d, marks=pytest.mark.full) for d in HALVES)])
def test_what_half_precision_cannot_hold_within_a_step(unstabilised, dtype, way):
    """Exponentials of about 18, 6e7, where float16 ends at 65504, of which h is a quotient: to a rounding of h, as
    numpy has it in float64; and gradients as those in float64.
    """
    rng = np.random.default_rng(0)
    W, R, b = (rng.integers(-8, 9, size=size) / 16 for size in ((WIDTH, 16), (4, 16), 16))
    b[:4] += 18
    x = rng.integers(-16, 17, size=(BATCH, STEPS, WIDTH)) / 16
    h = c = n = np.zeros([BATCH, 4])
    outputs = []
    for t in range(STEPS):
        i, f, z, o = np.split(x[:, t] @ W + h @ R + b, 4, axis=1)
        f = 1 / (1 + np.exp(-f))
        c, n = f * c + np.exp(i) * np.tanh(z), f * n + np.exp(i)
        h = c / n / (1 + np.exp(-o))
        outputs.append(h)

    def run(dtype, **how):
        layer = unstabilised(4, dtype=dtype, return_sequences=True, **how)
        layer.build(x.shape)
        layer.set_weights([W, R, b])
        given = tf.constant(x, layer.compute_dtype)

        def slopes(given):
            with tf.GradientTape() as tape:
                tape.watch(given)
                y = layer(given)
                loss = tf.reduce_sum(tf.cast(y, "float64") ** 2)
            return [y, *tape.gradient(loss, [given, *layer.trainable_weights])]

        found = (tf.function(slopes, autograph=False) if way == "graph" else slopes)(given)
        assert found[0].dtype == layer.compute_dtype
        return [np.asarray(tf.cast(value, "float64")) for value in found]

    came, wanted = run(dtype, **WAYS[way]), run("float64", unroll=True)
    step = 2.0**-8 if "bfloat16" in dtype else 2.0**-11
    np.testing.assert_allclose(wanted[0], np.stack(outputs, 1), rtol=1e-12)
    np.testing.assert_allclose(came[0], wanted[0], rtol=step, atol=step / 100)
    for one, other in zip(came[1:], wanted[1:], strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=4 * step * np.abs(other).max())


@pytest.mark.full
@pytest.mark.parametrize("way", ["eager", "graph", "low memory", "compiled"])
def test_a_hundred_thousand_steps(way):
    """As numpy steps through them, and gradients as those of the pieces, one after the other from the end."""
    layer = subject("lstm").layer(units=2, **WAYS[way], return_sequences=True, return_state=True)
    x = np.random.default_rng(0).normal(size=(1, 100_000, WIDTH))
    kernel, recurrent, bias = layer.get_weights()
    h = c = np.zeros(2)
    outputs = []
    for projected in x[0] @ kernel + bias:
        i, f, g, o = np.split(projected + h @ recurrent, 4)
        i, f, o = (1 / (1 + np.exp(-value)) for value in (i, f, o))
        c = f * c + i * np.tanh(g)
        h = o * np.tanh(c)
        outputs.append(h)
    y, *state = layer(x)
    close([y[0], *(value[0] for value in state)], [np.array(outputs), h, c], 1e-9)
    came = slopes_of(layer, tf.constant(x), None)
    pieces, wanted = np.split(x, 10, 1), 0
    starts = [[np.zeros([1, 2])] * 2]
    for piece in pieces[:-1]:
        starts.append(layer(piece, initial_state=starts[-1])[1:])
    d_state, d_x = None, []
    for piece, start in zip(pieces[::-1], starts[::-1]):
        start, piece = list(map(tf.constant, start)), tf.constant(piece)
        with tf.GradientTape() as tape:
            tape.watch([piece, *start])
            outputs, *state = layer(piece, initial_state=start)
            loss = tf.reduce_sum(tf.sin(outputs))
            if d_state is not None:
                loss += tf.add_n([tf.reduce_sum(a * b) for a, b in zip(state, d_state)])
        d_piece, *rest = tape.gradient(loss, [piece, *start, *layer.trainable_weights])
        d_state, more = [tf.stop_gradient(d) for d in rest[:2]], rest[2:]
        wanted = more if isinstance(wanted, int) else [a + b for a, b in zip(wanted, more)]
        d_x.insert(0, d_piece)
    close(came, [tf.concat(d_x, 1), *wanted], 1e-8)


def slopes_of(layer, x, mask):
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = tf.reduce_sum(tf.sin(layer(x, mask=mask)[0]))
    return tape.gradient(loss, [x, *layer.trainable_weights])
