"""The derived gradients of odd cells against TensorFlow's own, through the plain loop of `debug=True`; in float64."""

import numpy as np
import pytest
import tensorflow as tf

import cellgen
from cellgen.ir.ops import ACTIVATIONS

NORMS = """
options: {epsilon: 1.0e-2}
norms:
  n: {kind: layer, over: [%s], epsilon: epsilon, scale: ones, shift: zeros}
  m: {kind: layer, over: [%s], epsilon: epsilon}
"""

CELLS = {
    "norms of a square weight, used twice": NORMS % ("units", "units")
    + """
inputs: {x: [units]}
state: {h: units}
params: {W: [units, units]}
equations: |
  h = tanh(n(x @ W) + m(h[t-1] @ W))
""",
    "a norm over an axis of one": NORMS.replace("  m:", "  # m:") % ("1", "1")
    + """
state: {h: units}
params: {V: [input, 1]}
equations: |
  z: [units] = affine(x, h[t-1])
  h = tanh(z + n(x @ V) + x @ V)
""",
    "a mean over an axis of one": """
state: {h: units}
params: {V: [input, 1]}
equations: |
  z: [units] = affine(x, h[t-1])
  h = tanh(z + x @ (V * 2 - mean(V)))
""",
    "options called like functions of ours": """
options: {f: {one_of: activations, default: gelu}, f_reads_x: true, f_gradient: 0.5}
state: {h: units}
equations: |
  z: [units] = affine(x, h[t-1])
  h = f(z) * 2 if f_reads_x else f(z) * f_gradient
""",
    "labels of the state before": """
axes: {s: [l, r]}
state: {h: [s, units]}
params: {P: [input, units]}
equations: |
  a = tanh(h[t-1].l * h[t-1].r)
  h = h[t-1] * a + x @ P
""",
    "an axis of one label": """
gates: [f]
axes: {s: [l]}
state: {h: units}
params: {P: [s, units]}
equations: |
  z: [gates, units] = affine(x, h[t-1])
  h = sigmoid(z.f) * P.l
""",
    "one part through the same activation twice": """
gates: [a, b, c]
state: {h: units}
equations: |
  z: [gates, units] = affine(x, h[t-1])
  p = sigmoid(z.a)
  q = sigmoid(z.a) + z.a * sigmoid(z.b)
  h = tanh(p * q - sigmoid(z.c))
""",
    "an input that is taken apart": """
gates: [a, b]
inputs: {x: [gates*units]}
state: {h: units}
equations: |
  u = x
  h = sigmoid(u.a) * h[t-1] + u.b
""",
    "sums with signs": """
state: {h: units}
params: {W: [input, units], U: [units, units], g: [units]}
equations: |
  a = h[t-1] @ U - (x @ W - square(g)) - mean(-h[t-1] * g)
  h = tanh(-a) - -sin(a) * (2 - a * g)
""",
}
UNITS = 4


def trial(name, **arguments):
    """A layer and what it is run on, for its gradients with some arguments."""
    cell = cellgen.compile(text=f"cell: Odd\n{CELLS[name]}").Odd
    rng = np.random.default_rng(0)
    width = 2 * UNITS if "gates*units]}\nstate" in CELLS[name] else UNITS
    x = tf.constant(rng.normal(size=(3, 5, width)))
    mask = tf.constant(rng.random((3, 5)) > 0.3)

    def slopes(**how):
        layer = cell(UNITS, return_sequences=True, return_state=True, dtype="float64", **arguments, **how)
        layer.build(x.shape)
        draw = np.random.default_rng(1)
        for weight in layer.trainable_weights:
            weight.assign(draw.normal(size=weight.shape) / 2)
        state = [tf.constant(draw.normal(size=each.shape)) for each in layer.get_initial_state(3)]
        with tf.GradientTape() as tape:
            tape.watch([x, *state])
            values = tf.nest.flatten(layer(x, initial_state=state, mask=mask))
            loss = tf.add_n([tf.reduce_sum(tf.sin(each)) for each in values])
        return [*values, *tape.gradient(loss, [x, *state, *layer.trainable_weights])]

    return slopes


XLA = ["a norm over an axis of one", "options called like functions of ours"]


@pytest.mark.parametrize("name", CELLS)
def test_gradients_are_those_of_the_plain_loop(name):
    """As a graph, in little memory, and by XLA: of two cells, whose operations are those of the others and of gates."""
    slopes = trial(name)
    wanted = slopes(debug=True)
    assert len(wanted) > 3 and any(np.any(each) for each in wanted[2:])
    for how in ({}, {"memory": "low"}, *([{"memory": "low", "jit_compile": True}] if name in XLA else [])):
        came = slopes(**{"jit_compile": False, **how})
        assert len(wanted) == len(came)
        for a, b in zip(came, wanted):
            assert a.shape == b.shape, how
            np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-7, err_msg=str(how))


@pytest.mark.parametrize("reads", [True, False])
@pytest.mark.parametrize("f", ["tanh", "softplus"])
def test_options_called_like_functions_of_ours(reads, f):
    slopes = trial("options called like functions of ours", f=f, f_reads_x=reads, f_gradient=0.25)
    for a, b in zip(slopes(jit_compile=False), slopes(debug=True)):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)


KINKS = """
cell: Kinks
options: {f: {one_of: activations, default: relu}}
state: {h: units}
params: {A: [input, units], B: [input, units], C: [input, units]}
equations: |
  a = x @ A
  b = x @ B
  c = x @ C
  bounded = 2 * clip(a, b, c) + 4 * minimum(a, b) + 8 * maximum(c, b)
  h = 0.5 * h[t-1] + f(a) + 16 * abs(b) + bounded + where(a > c, 32 * a, 64 * c) + c * step(b)
"""


def test_at_a_kink_the_slope_is_the_one_that_tensorflow_takes():
    """Each argument at the kinks of all functions, so also where two are equal and where bounds cross."""
    cell = cellgen.compile(text=KINKS).Kinks
    places = [-3.0, -1.0, 0.0, 1.0, 3.0, 6.0]
    x = tf.constant(np.stack(np.meshgrid(places, places, places), -1).reshape(-1, 1, 3))

    def slopes(**how):
        layer = cell(1, dtype="float64", **how)
        layer.build(x.shape)
        for weight, row in zip(layer.trainable_weights, np.eye(3)):
            weight.assign(row[:, None])  # a, b and c are the lanes of x
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = layer(x)
        return tape.gradient(value, x)

    for f in ACTIVATIONS:
        np.testing.assert_allclose(slopes(jit_compile=False, f=f), slopes(debug=True, f=f), rtol=1e-13, atol=1e-13)
