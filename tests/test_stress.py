"""Numbers under stress, on every way to run a layer: NaN, infinities, and what has no logarithm, behind a mask."""

import numpy as np
import pytest
import tensorflow as tf

from cellgen.compiler import Spec
from tests.generated import (
    MASK,
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
everyday = {"eager", "graph", "compiled", "unrolled"}
each_way = pytest.mark.parametrize(
    "way", [pytest.param(way, marks=() if way in everyday else pytest.mark.full) for way in WAYS]
)


def poisoned(x, mask, seed=0):
    """Not a number, infinite or far too large, wherever a step is masked."""
    rng = np.random.default_rng(seed)
    bad = rng.choice([np.nan, np.inf, -np.inf, 1e300], size=x.shape)
    return np.where(mask[..., None], x, bad)


def slopes(way, layer, x, mask):
    """All that a layer returns, then its gradients by x and the weights."""
    if way in ("graph", "known sizes"):
        function = tf.function(lambda x, mask: gradients_of(layer, x, mask), autograph=False)
        shape = (None, None, WIDTH) if way == "graph" else x.shape
        return function.get_concrete_function(tf.TensorSpec(shape, tf.float64), tf.TensorSpec(shape[:2], tf.bool))(
            tf.constant(x), tf.constant(mask)
        )
    return gradients_of(layer, tf.constant(x), tf.constant(mask))


def gradients_of(layer, x, mask):
    with tf.GradientTape() as tape:
        tape.watch(x)
        values = tf.nest.flatten(layer(x, mask=mask))
        loss = tf.add_n([tf.reduce_sum(tf.sin((3 + index) * value)) for index, value in enumerate(values)])
    return [*values, *tape.gradient(loss, [x, *layer.trainable_weights], unconnected_gradients="zero")]


@each_way
@pytest.mark.parametrize("stem", ["lstm", "scrn", *(pytest.param(s, marks=pytest.mark.full) for s in ("gru", "nas"))])
def test_what_is_masked_reaches_nothing(stem, way):
    """What a layer gives, and its gradients, are those with zeros in the masked steps, where the input has none."""
    tried, x = subject(stem), sequences()
    layer = tried.layer(**WAYS[way], **EVERYTHING)
    came = slopes(way, layer, poisoned(x, MASK), MASK)
    wanted = gradients_of(
        tried.layer(unroll=True, weights=layer.trainable_weights, **EVERYTHING), tf.constant(x * MASK[..., None]), MASK
    )
    close(came, wanted, 1e-9)
    dx = came[len(came) - len(layer.trainable_weights) - 1]
    assert not np.any(dx[~MASK]) and np.any(dx[MASK])


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


@each_way
def test_a_masked_step_need_not_be_in_the_domain(logarithmic, way):
    """Zeros, which padding is made of, have no logarithm; a sample of nothing else has none either."""
    x, mask = np.abs(sequences()) + 0.1, MASK
    layers = [logarithmic(4, dtype="float64", **how, **EVERYTHING) for how in (WAYS[way], {"unroll": True})]
    for layer in layers:
        layer.build(x.shape)
        set_weights(layer)
    assert not mask.any(1).all()
    wanted = gradients_of(layers[1], tf.constant(np.where(mask[..., None], x, 1.0)), mask)
    close(slopes(way, layers[0], x * mask[..., None], mask), wanted, 1e-9)
