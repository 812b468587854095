"""The interpreter against numpy written out by hand: shapes by name, labels, options, masks, the reference program."""

import math
from fractions import Fraction

import numpy as np
import pytest

from cellgen import interpret
from cellgen.compiler import Spec
from cellgen.diagnostics.span import Source
from cellgen.document.conform import schema
from cellgen.interpret import settings
from cellgen.ir.cell import Level, Type
from cellgen.ir.expr import Apply, Number, Pick, Ref
from cellgen.resolve.equations import resolve
from cellgen.shapes.typed import shapes
from cellgen.text.yaml_tree import load


def compiled(text):
    source = Source("case.yaml", text)
    return shapes(resolve(schema(load(source)), source, "case"))


def oracle(text, **given):
    return interpret.Instance(compiled(text), given)


def drawn(instance, batch=2, seed=0, **shapes):
    """Random weights, and arrays of the shapes asked for with the batch in front, then the state."""
    rng = np.random.default_rng(seed)
    weights = {name: rng.normal(size=shape) for name, shape in instance.weights.items()}
    arrays = [rng.normal(size=(batch, *shape)) for shape in shapes.values()]
    state = {each.name: rng.normal(size=(batch, *instance.settings.shape(each.shape))) for each in instance.cell.states}
    return weights, *arrays, state


def close(got, wanted):
    assert got.shape == np.shape(wanted)
    np.testing.assert_allclose(got, wanted, rtol=1e-13, atol=1e-13)


# --- shapes by name -------------------------------------------------------------------------------------------------

BROADCAST = """
cell: Case
dims: {input: inferred, heads: required, key: required}
options: {half: 0.5}
state: {s: [heads, key], n: [1]}
params:
  row: {shape: [key], init: zeros}
  column: {shape: [heads], init: zeros}
  tall: {shape: [input, 1], init: zeros}
  to_heads: {shape: [input, heads], init: zeros}
equations: |
  a = s[t-1] * row
  b = column - s[t-1]
  e = n[t-1] * s[t-1] + half
  p = x @ to_heads
  q = p * s[t-1]
  u = row * n[t-1]
  v = clip(s[t-1], -1, row)
  w = where(s[t-1] > column, p, -half)
  k = row + 1
  one = x @ tall
  s = a + b + e + q + v + w
  n = n[t-1] + one + sum(sum(s)) + sum(u) + sum(k)
"""


def test_elementwise_broadcasts_by_name():
    cell = oracle(BROADCAST, input=3, heads=2, key=4)
    weights, x, state = drawn(cell, batch=5, x=[3])
    env = cell.evaluate(weights, x, state)
    row, column, s, n = weights["row"], weights["column"], state["s"], state["n"]
    p = np.stack([[sum(x[b, i] * weights["to_heads"][i, h] for i in range(3)) for h in range(2)] for b in range(5)])
    close(env["a"], [[[s[b, h, k] * row[k] for k in range(4)] for h in range(2)] for b in range(5)])
    close(env["b"], [[[column[h] - s[b, h, k] for k in range(4)] for h in range(2)] for b in range(5)])
    close(env["e"], [[[n[b, 0] * s[b, h, k] + 0.5 for k in range(4)] for h in range(2)] for b in range(5)])
    close(env["p"], p)
    close(env["q"], [[[p[b, h] * s[b, h, k] for k in range(4)] for h in range(2)] for b in range(5)])
    close(env["u"], [[row[k] * n[b, 0] for k in range(4)] for b in range(5)])
    close(env["v"], [[[min(max(s[b, h, k], -1), row[k]) for k in range(4)] for h in range(2)] for b in range(5)])
    for b, h, k in np.ndindex(5, 2, 4):
        assert env["w"][b, h, k] == (env["p"][b, h] if s[b, h, k] > column[h] else -0.5)
    close(env["k"], row + 1)
    close(env["one"], [[sum(x[b, i] * weights["tall"][i, 0] for i in range(3))] for b in range(5)])


def test_values_may_be_called_as_what_operators_do():
    """No spec calls `add` or `normalize`: the names are the author's."""
    cell = oracle(
        "cell: Case\nstate: {h: units}\nequations: |\n  add = 2 * x\n  mul = add + 1\n  h = tanh(mul @ normalize)\n"
        "params: {normalize: [input, units]}\n",
        input=3,
        units=2,
    )
    weights, x, state = drawn(cell, x=[3])
    close(cell.step(weights, x, (state["h"],))[0], np.tanh((2 * x + 1) @ weights["normalize"]))


MATMUL = """
cell: Case
dims: {input: inferred, heads: required, key: required, value: required}
inputs: {x: [input]}
state: {s: [heads, key], memory: [key, value]}
params:
  block: {shape: [heads, key, value], init: zeros}
  weight: {shape: [key, value], init: zeros}
  back: {shape: [value, key], init: zeros}
  to_key: {shape: [input, key], init: zeros}
equations: |
  blocks = s[t-1] @ block
  flat = s[t-1] @ weight
  q = x @ to_key
  read = q @ memory[t-1]
  turned = back @ q
  both = s[t-1] @ memory[t-1]
  constant = weight @ back
  memory = memory[t-1] + outer(q, read)
  s = s[t-1] + q * sum(sum(blocks + flat + both)) + sum(turned) + sum(sum(constant))
"""


def test_matmul_contracts_after_the_shared_axes():
    cell = oracle(MATMUL, input=3, heads=2, key=4, value=5)
    weights, x, state = drawn(cell, batch=3, x=[3])
    env = cell.evaluate(weights, x, state)
    s, memory, q = state["s"], state["memory"], x @ weights["to_key"]
    for b in range(3):
        close(env["blocks"][b], np.stack([s[b, h] @ weights["block"][h] for h in range(2)]))
        close(env["flat"][b], s[b] @ weights["weight"])
        close(env["read"][b], [sum(q[b, k] * memory[b, k, v] for k in range(4)) for v in range(5)])
        close(env["turned"][b], [sum(weights["back"][v, k] * q[b, k] for k in range(4)) for v in range(5)])
        close(env["both"][b], s[b] @ memory[b])
        close(env["memory"][b], memory[b] + [[q[b, k] * env["read"][b, v] for v in range(5)] for k in range(4)])
    close(env["constant"], weights["weight"] @ weights["back"])


ALONG = """
cell: Case
dims: {input: inferred, heads: required, key: required}
state: {s: [heads, key]}
params: {w: {shape: [heads, key], init: zeros}, k: {shape: [input, heads], init: zeros}}
norms:
  joint: {kind: layer, over: [heads, key], epsilon: 0.1, scale: ones, shift: zeros}
  rms: {kind: rms, over: [key], epsilon: 0.2, scale: ones}
equations: |
  last = sum(s[t-1])
  first = mean(s[t-1], over=heads)
  weight = sum(w, over=heads)
  shares = softmax(s[t-1], over=heads)
  runs = cumsum(s[t-1])
  n = joint(s[t-1])
  r = rms(s[t-1] * w)
  s = shares + runs + first + weight + last + n + r + x @ k
"""


def test_operations_along_named_axes():
    cell = oracle(ALONG, input=3, heads=2, key=4)
    weights, x, state = drawn(cell, x=[3])
    assert list(cell.weights) == ["w", "k", "joint/scale", "joint/shift", "rms/scale"]
    assert cell.weights["joint/scale"] == (2, 4)
    env, s = cell.evaluate(weights, x, state), state["s"]
    for b in range(2):
        close(env["last"][b], [sum(s[b, h]) for h in range(2)])
        close(env["first"][b], [(s[b, 0, k] + s[b, 1, k]) / 2 for k in range(4)])
        close(env["shares"][b], np.exp(s[b]) / (np.exp(s[b, 0]) + np.exp(s[b, 1])))
        close(env["runs"][b], [[sum(s[b, h, : k + 1]) for k in range(4)] for h in range(2)])
        mean, variance = s[b].mean(), s[b].var()
        close(env["n"][b], (s[b] - mean) / math.sqrt(variance + 0.1) * weights["joint/scale"] + weights["joint/shift"])
        v = s[b] * weights["w"]
        close(env["r"][b], [v[h] / math.sqrt((v[h] ** 2).mean() + 0.2) * weights["rms/scale"][h] for h in range(2)])
    close(env["weight"], weights["w"][0] + weights["w"][1])


SPELLED = """
cell: Case
dims: {input: inferred, units: required, heads: 2, key: units/heads, low: 3}
state: {s: [units], m: [low, heads, key], q: [2*3*units]}
params:
  k: {shape: [input, units], init: zeros}
  per_head: {shape: [heads, key], init: zeros}
  six: {shape: [6*units], init: zeros}
equations: |
  flat: [heads*key] = per_head
  a = flat * (x @ k)
  middle = sum(m[t-1], over=heads)
  soft = softmax(m[t-1], over=heads)
  q = six + q[t-1]
  s = a + s[t-1] + sum(sum(middle))
  m = soft + m[t-1]
"""


def test_axes_are_the_same_however_they_are_spelled():
    cell = oracle(SPELLED, input=3, units=4)
    weights, x, state = drawn(cell, x=[3])
    env = cell.evaluate(weights, x, state)
    close(env["a"], weights["per_head"].reshape(4) * (x @ weights["k"]))
    close(env["q"], weights["six"] + state["q"])
    close(env["middle"], state["m"][:, :, 0] + state["m"][:, :, 1])
    powers = np.exp(state["m"])
    close(env["soft"], powers / (powers[:, :, :1] + powers[:, :, 1:]))


# --- labels and views -----------------------------------------------------------------------------------------------

LABELS = """
cell: Case
dims: {input: inferred, units: required}
gates: [i, f, o]
axes: {side: [left, right]}
state: {h: [units], g: [gates]}
params:
  kernel: {shape: [input, gates*units], init: zeros}
  swapped: {shape: [units, units*gates], init: zeros}
  bias: {shape: [side, gates*units], init: zeros}
equations: |
  z = x @ kernel + bias.left
  y: [gates, units] = z
  a = z.f
  b = y.f
  d = h[t-1] @ swapped.o
  e = bias.right.i
  g = g[t-1] * g[t-1].f
  h = a + b + d + e + sum(y, over=gates) + sum(bias.right.i)
"""


def test_labels_pick_a_factor_of_an_axis():
    cell = oracle(LABELS, input=3, units=4)
    weights, x, state = drawn(cell, x=[3])
    env = cell.evaluate(weights, x, state)
    z = x @ weights["kernel"] + weights["bias"][0]
    close(env["a"], z[:, 4:8])
    close(env["b"], z[:, 4:8])
    close(env["y"], np.stack([z[:, :4], z[:, 4:8], z[:, 8:]], axis=1))
    close(env["d"], state["h"] @ weights["swapped"][:, 2::3])
    close(env["e"], weights["bias"][1, :4])
    close(env["g"], state["g"] * state["g"][:, 1:2])


WIDTHS = """
cell: Case
dims: {input: inferred, units: required}
gates: {f: units, n: 1, i: units}
options: {use_n: true}
state: {h: [units]}
params: {kernel: {shape: [input, gates], init: zeros}, bias: {shape: [gates], init: zeros}}
equations: |
  z = x @ kernel + bias
  n = sigmoid(z.n) if use_n else 0.5
  h = z.f * h[t-1] + n * z.i
"""


def test_a_width_exists_if_its_label_is_read():
    cell = oracle(WIDTHS, input=3, units=4)
    assert cell.weights == {"kernel": (3, 9), "bias": (9,)}
    weights, x, state = drawn(cell, x=[3])
    z = x @ weights["kernel"] + weights["bias"]
    close(cell.step(weights, x, state)[0], z[:, :4] * state["h"] + 1 / (1 + np.exp(-z[:, 4:5])) * z[:, 5:])
    without = oracle(WIDTHS, input=3, units=4, use_n=False)
    assert without.weights == {"kernel": (3, 8), "bias": (8,)}
    weights, x, state = drawn(without, x=[3])
    z = x @ weights["kernel"] + weights["bias"]
    close(without.step(weights, x, state)[0], z[:, :4] * state["h"] + 0.5 * z[:, 4:])


# --- sizes and options ----------------------------------------------------------------------------------------------

SETTINGS = """
cell: Case
dims: {input: inferred, units: required, heads: 2, key: units/heads, proj: units}
options:
  use_bias: true
  cell_clip: none
  mode: {one_of: [plain, squared]}
  act: {one_of: activations, default: tanh}
  rate: {default: 0.5, in: [0, 1]}
state: {h: [proj], s: [units]}
params:
  kernel: {shape: [input, units], init: zeros}
  bias: {shape: [units], init: zeros}
  per_key: {shape: [heads, key], init: zeros}
  projection: {shape: [units, proj], init: zeros}
  back: {shape: [proj, units], init: zeros}
equations: |
  z = x @ kernel + (bias if use_bias else 0) + h[t-1] @ back
  a: [heads, key] = z
  b: [units] = a * per_key
  c = b ** 2 if mode == squared else b
  d = clip(c, -cell_clip, cell_clip) if cell_clip else c
  s = rate * s[t-1] + act(d)
  h = s @ projection if proj else s
"""


@pytest.mark.parametrize(
    "given, shapes",
    [
        ({}, {"per_key": (2, 3), "bias": (6,)}),
        ({"heads": 3}, {"per_key": (3, 2), "bias": (6,)}),
        ({"use_bias": False}, {"per_key": (2, 3)}),
        ({"proj": 5}, {"per_key": (2, 3), "bias": (6,), "projection": (6, 5), "back": (5, 6)}),
        ({"proj": 6}, {"per_key": (2, 3), "bias": (6,), "projection": (6, 6)}),
    ],
)
def test_sizes_and_the_weights_that_exist(given, shapes):
    cell = oracle(SETTINGS, input=4, units=6, **given)
    wanted, order = {"kernel": (4, 6), "back": (6, 6), **shapes}, ("kernel", "bias", "per_key", "projection", "back")
    assert list(cell.weights.items()) == [(name, wanted[name]) for name in order if name in wanted]


def test_options_choose_what_is_computed():
    for given in (
        {},
        {"mode": "squared"},
        {"cell_clip": 0.3},
        {"cell_clip": 0.0},
        {"act": "relu", "rate": 0.25},
        {"use_bias": False, "proj": 5, "heads": 3, "cell_clip": 1, "mode": "squared"},
    ):
        cell = oracle(SETTINGS, input=4, units=6, **given)
        weights, x, state = drawn(cell, x=[4])
        z = x @ weights["kernel"] + weights.get("bias", 0) + state["h"] @ weights["back"]
        c = z * weights["per_key"].reshape(6)
        c = c**2 if given.get("mode") == "squared" else c
        c = np.clip(c, -given["cell_clip"], given["cell_clip"]) if "cell_clip" in given else c
        s = given.get("rate", 0.5) * state["s"] + (np.maximum(c, 0) if "act" in given else np.tanh(c))
        output, new = cell.step(weights, x, state)
        close(new.s, s)
        close(output, s @ weights["projection"] if "proj" in given else s)
        close(new.h, output)


@pytest.mark.parametrize(
    "given, message",
    [
        ({"units": 5}, "key is units / heads = 5 / 2"),
        ({"units": 0}, "units=0; wanted a positive integer"),
        ({"units": 2.0}, "units=2.0; wanted a positive integer"),
        ({"units": None}, "needs a size for units"),
        ({"unit": 6}, "has no unit; it has input, units"),
        ({"key": 2}, "key is units / heads = 6 / 2, not 2"),
        ({"rate": 1.5}, r"rate=1.5; wanted a number in \[0, 1\]"),
        ({"rate": None}, "rate=None; wanted a number"),
        ({"mode": "cubed"}, "mode='cubed'; wanted one of plain, squared"),
        ({"act": "gelo"}, "act='gelo'; wanted one of linear"),
        ({"use_bias": 1}, "use_bias=1; wanted True or False"),
        ({"cell_clip": "big"}, "cell_clip='big'; wanted a number .* or None"),
    ],
)
def test_settings_that_do_not_fit(given, message):
    with pytest.raises(ValueError, match=message):
        oracle(SETTINGS, **{"input": 4, "units": 6, **given})


def test_pick_finds_the_variant():
    typed = compiled(SETTINGS)
    assert settings.pick(typed) is typed.default
    chosen = settings.pick(typed, proj=5, cell_clip=0.0, use_bias=False, mode="squared", heads=3, training=True)
    assert chosen.variant == {"proj": True, "cell_clip": True, "use_bias": False, "mode": "squared"}


def test_arguments_that_do_not_fit():
    cell = oracle(SETTINGS, input=4, units=6)
    weights, x, state = drawn(cell, x=[4])
    for arguments, message in [
        ((weights, x[:, :3], state), r"x \(2, 3\); wanted \(batch, 4\)"),
        (({**weights, "bias": np.zeros(5)}, x, state), r"bias \(5,\); wanted \(6\)"),
        (({**weights, "extra": x}, x, state), "weights .*extra; wanted kernel, bias, per_key, back"),
        ((list(weights.values())[1:], x, state), r"weights \(3 arrays\); wanted kernel"),
        ((weights, x, state["h"][:1]), "states .* wanted h, s"),
        ((weights, x, {"h": state["h"], "s": state["s"][:1]}), r"s \(1, 6\); wanted a batch of 2"),
        ((weights, {"y": x}, state), "inputs y; wanted x"),
    ]:
        with pytest.raises(ValueError, match=message):
            cell.step(*arguments)
    for more, message in [
        ({"mask": np.ones((2, 4))}, r"mask \(2, 4\); wanted \(batch, time\) = \(2, 3\)"),
        ({"mask": np.full((2, 3), 0.5)}, "of 0 and 1"),
        ({"lengths": [1, 4]}, r"lengths \[1, 4\]; wanted 2 integers from 0 to 3"),
        ({"lengths": [1.0, 2.0]}, "wanted 2 integers"),
    ]:
        with pytest.raises(ValueError, match=message):
            cell.scan(weights, np.zeros((2, 3, 4)), **more)


def test_weights_and_states_as_sequences_in_their_order():
    cell = oracle(SETTINGS, input=4, units=6)
    weights, x, state = drawn(cell, x=[4])
    named, listed = cell.step(weights, x, state), cell.step(list(weights.values()), x, [state["h"], state["s"]])
    assert np.array_equal(named[0], listed[0]) and np.array_equal(named[1].s, listed[1].s)


TRAINING = """
cell: Case
dims: {input: inferred, units: required}
state: {h: [units]}
params: {kernel: {shape: [input, units], init: zeros}, extra: {shape: [units], init: zeros}}
equations: |
  h = h[t-1] + x @ kernel + (extra if training else 0)
"""


def test_training_is_chosen_at_each_call():
    cell = oracle(TRAINING, input=3, units=4)
    assert list(cell.weights) == ["kernel", "extra"]
    weights, x, state = drawn(cell, x=[3])
    (trained, _), (output, _) = cell.step(weights, x, state, training=True), cell.step(weights, x, state)
    close(trained, output + weights["extra"])


PORTS = """
cell: Case
dims: {input: inferred, units: required, upper: optional}
inputs:
  x: [input]
  gate: {shape: [1], values: [0, 1], default: 1}
  top: {shape: [upper], optional: true}
state: {h: [units]}
params: {kernel: {shape: [input, units], init: zeros}, down: {shape: [upper, units], init: zeros}}
equations: |
  a = gate * (x @ kernel)
  b = top @ down if top else 0
  h = h[t-1] + a + b
"""


def test_ports_beside_the_sequence():
    alone, joined = oracle(PORTS, input=3, units=4), oracle(PORTS, input=3, units=4, upper=2)
    assert list(alone.weights) == ["kernel"] and joined.weights == {"kernel": (3, 4), "down": (2, 4)}
    weights, x, top, state = drawn(joined, x=[3], top=[2])
    gate, part = np.array([[0.0], [1.0]]), {"kernel": weights["kernel"]}
    close(alone.step(part, x, state)[0], state["h"] + x @ weights["kernel"])
    close(alone.step(part, {"x": x, "gate": gate}, state)[0], state["h"] + gate * (x @ weights["kernel"]))
    both = joined.step(weights, {"x": x, "top": top}, state)[0]
    close(both, state["h"] + x @ weights["kernel"] + top @ weights["down"])
    with pytest.raises(ValueError, match="inputs x; wanted x, top"):
        joined.step(weights, x, state)
    with pytest.raises(ValueError, match="inputs x, top; wanted x"):
        alone.step(part, {"x": x, "top": top}, state)
    with pytest.raises(ValueError, match="gate .1, 1.; wanted .batch. = .2,. as x has"):
        alone.step(part, {"x": x, "gate": gate[:1]}, state)
    with pytest.raises(ValueError, match="needs a size for upper"):
        oracle(PORTS, input=3, units=4, top=True)


def test_a_port_of_a_whole_sequence_has_no_steps():
    cell = oracle(
        "cell: Case\ndims: {input: inferred, units: required, width: required}\nstate: {h: units}\n"
        "inputs: {x: [input], about: {shape: [width], per: sequence}}\n"
        "params: {W: [input, units], V: [width, units]}\nequations: |\n  h = h[t-1] + x @ W + about @ V\n",
        input=2,
        units=4,
        width=3,
    )
    weights, xs, about, state = drawn(cell, x=[6, 2], about=[3])
    outputs = cell.scan(weights, {"x": xs, "about": about}, state).outputs
    every = xs @ weights["W"] + (about @ weights["V"])[:, None]
    close(outputs, state["h"][:, None] + np.cumsum(every, axis=1))
    with pytest.raises(ValueError, match=r"x \(2, 6\); wanted \(batch, time, 2\)"):
        cell.scan(weights, {"x": xs[..., 0], "about": about}, state)


def test_a_value_has_the_shape_that_is_declared():
    cell = oracle(
        "cell: Case\ndims: {input: inferred, units: required, heads: 2, size: units/heads}\nstate: {h: units}\n"
        "params: {W: [input, units]}\nequations: |\n  v: [heads, size] = x @ W\n  h = h[t-1] * sum(sum(v))\n",
        input=2,
        units=6,
    )
    weights, x, state = drawn(cell, x=[2])
    close(cell.evaluate(weights, x, state)["v"], (x @ weights["W"]).reshape(2, 2, 3))


def test_a_port_that_counts_is_the_number_of_the_step_where_a_scan_is_not_given_it():
    equations = "equations: |\n  h = h[t-1] + x @ W + n + m\n"
    cell = oracle(
        "cell: Case\ndims: {input: inferred, units: required}\nstate: {h: units}\nparams: {W: [input, units]}\n"
        "inputs:\n  x: [input]\n  n: {shape: [1], index: true}\n  m: {shape: [1], default: 3}\n" + equations,
        input=2,
        units=4,
    )
    weights, xs, state = drawn(cell, x=[6, 2])
    outputs = cell.scan(weights, xs, state).outputs
    counted = np.broadcast_to(np.arange(6.0), (2, 6))
    close(outputs, state["h"][:, None] + np.cumsum(xs @ weights["W"] + counted[..., None] + 3, axis=1))
    close(cell.scan(weights, {"x": xs, "n": counted[..., None]}, state).outputs, outputs)
    with pytest.raises(ValueError, match="inputs x; wanted x, n"):
        cell.step(weights, xs[:, 0], state)


# --- steps and scans ------------------------------------------------------------------------------------------------

MASKED = """
cell: Case
dims: {input: inferred, units: required, width: required}
state: {h: [units], c: {shape: [units], initial: 0.5}, n: {shape: [1], initial: start}}
output: y
params:
  kernel: {shape: [input, units], init: zeros}
  recurrent_kernel: {shape: [units, units], init: zeros}
  start: {shape: [1], init: zeros}
  out: {shape: [units, width], init: zeros}
mask: hold
equations: |
  h = tanh(x @ kernel + h[t-1] @ recurrent_kernel + n[t-1])
  c = 0.5 * c[t-1] + h
  n = n[t-1] + 1
  y = c @ out
"""
RESET = MASKED.replace("mask: hold", "mask: {kind: reset, states: [c, n]}")


def by_hand(weights, x, h, c, n):
    """One sequence (time, input), one step at a time: the y and the states of each."""
    ys, hs, cs, ns = [], [], [], []
    for row in x:
        h = np.tanh(row @ weights["kernel"] + h @ weights["recurrent_kernel"] + n)
        c, n = 0.5 * c + h, n + 1
        for history, value in zip((ys, hs, cs, ns), (c @ weights["out"], h, c, n)):
            history.append(value)
    return ys, hs, cs, ns


def masked(text, seed=3, batch=5, time=7):
    cell = oracle(text, input=3, units=4, width=2)
    weights, x, state = drawn(cell, batch, seed, x=[time, 3])
    return cell, weights, x, state


def test_scan_is_step_after_step():
    cell, weights, x, state = masked(MASKED)
    for initial in (None, state):
        outputs, states, final = cell.scan(weights, x, initial)
        for b in range(5):
            given = initial and [initial[name][b] for name in "hcn"]
            ys, hs, cs, ns = by_hand(weights, x[b], *(given or (np.zeros(4), np.full(4, 0.5), weights["start"])))
            close(outputs[b], ys)
            for got, wanted in zip(states, (hs, cs, ns)):
                close(got[b], wanted)
            close(final.n[b], ns[-1])


def test_initial_state_is_the_states_own():
    cell, weights, _, _ = masked(MASKED)
    state = cell.initial_state(weights, batch=5)
    assert state._fields == ("h", "c", "n")
    close(state.h, np.zeros((5, 4)))
    close(state.c, np.full((5, 4), 0.5))
    close(state.n, np.stack([weights["start"]] * 5))


MASKS = {
    "holes": [[int(char) for char in row] for row in ("1011001", "0110110", "1111111", "0000000", "0000001")],
    "random": np.random.default_rng(4).integers(0, 2, (5, 7)),
}


@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
@pytest.mark.parametrize("given", [False, True])
def test_hold_equals_the_sequence_with_the_masked_steps_deleted(mask, given):
    cell, weights, x, state = masked(MASKED)
    mask = np.array(mask, bool)
    x[~mask] = np.nan  # what stands in a masked step is never seen
    outputs, states, final = cell.scan(weights, x, state if given else None, mask=mask)
    start = state if given else cell.initial_state(weights, 5)._asdict()
    for b in range(5):
        own = {name: array[b : b + 1] for name, array in start.items()}
        short = cell.scan(weights, x[b : b + 1, mask[b]], own)
        for t in range(7):
            seen = mask[b, : t + 1].sum()
            close(outputs[b, t], short.outputs[0, seen - 1] if seen else np.zeros(2))
            for name, got, kept in zip("hcn", states, short.states):
                close(got[b, t], kept[0, seen - 1] if seen else own[name][0])
        for got, wanted in zip(final, short.final):
            close(got[b], wanted[0])


def test_held_output_is_zero_before_the_first_step_even_of_a_state():
    text = MASKED
    for line in ("output: y\n", "  y = c @ out\n", "  out: {shape: [units, width], init: zeros}\n"):
        text = text.replace(line, "")
    text = text.replace(", width: required", "")
    cell = oracle(text, input=3, units=4)
    weights, x, state = drawn(cell, x=[3, 3])
    outputs, states, _ = cell.scan(weights, x, state, mask=[[0, 0, 1], [0, 0, 0]])
    close(outputs[:, :2], np.zeros((2, 2, 4)))
    close(states.h[:, 1], state["h"])
    close(outputs[0, 2], states.h[0, 2])
    close(outputs[1, 2], np.zeros(4))


def test_lengths_are_a_mask_and_both_must_allow_a_step():
    cell, weights, x, state = masked(MASKED)
    lengths, mask = [0, 7, 3, 1, 5], MASKS["random"]
    allowed = np.arange(7) < np.array(lengths)[:, None]
    for got, wanted in (
        (cell.scan(weights, x, state, lengths=lengths), cell.scan(weights, x, state, mask=allowed)),
        (cell.scan(weights, x, state, mask=mask, lengths=lengths), cell.scan(weights, x, state, mask=mask * allowed)),
    ):
        assert np.array_equal(got.outputs, wanted.outputs) and np.array_equal(got.final.c, wanted.final.c)
    assert not np.array_equal(cell.scan(weights, x, state, mask=mask).outputs, wanted.outputs)


@pytest.mark.parametrize("given", [False, True])
def test_reset_puts_the_states_named_back_and_runs_the_step(given):
    cell, weights, x, state = masked(RESET)
    mask = np.array(MASKS["holes"], bool)
    outputs, states, final = cell.scan(weights, x, state if given else None, mask=mask)
    for b in range(5):
        h, c, n = (state[k][b] for k in "hcn") if given else (np.zeros(4), np.full(4, 0.5), weights["start"])
        for t in range(7):
            if not mask[b, t]:
                c, n = np.full(4, 0.5), weights["start"]
            (y,), (h,), (c,), (n,) = by_hand(weights, x[b, t : t + 1], h, c, n)
            close(outputs[b, t], y)
            for got, wanted in zip(states, (h, c, n)):
                close(got[b, t], wanted)
        close(final.h[b], h)


@pytest.mark.parametrize("more", [{"mask": np.ones((5, 7))}, {"lengths": [7] * 5}])
def test_a_cell_without_masks_refuses_them(more):
    cell, weights, x, state = masked(MASKED.replace("mask: hold", "mask: none"))
    with pytest.raises(ValueError, match="Case takes neither a mask nor lengths"):
        cell.scan(weights, x, state, **more)
    assert cell.scan(weights, x, state).outputs.shape == (5, 7, 2)


def test_scan_of_no_steps():
    cell, weights, x, state = masked(MASKED)
    outputs, states, final = cell.scan(weights, x[:, :0], state)
    assert outputs.shape == (5, 0, 2) and states.h.shape == (5, 0, 4)
    close(final.c, state["c"])


def test_batch_rows_do_not_see_each_other():
    cell, weights, x, state = masked(RESET)
    order = np.array([3, 0, 4, 1, 2])
    mask = np.array(MASKS["random"])
    whole = cell.scan(weights, x, state, mask=mask)
    moved = cell.scan(weights, x[order], {name: array[order] for name, array in state.items()}, mask=mask[order])
    np.testing.assert_allclose(moved.outputs, whole.outputs[order], rtol=1e-13)


# --- further uses ---------------------------------------------------------------------------------------------------


def test_values_can_be_imposed():
    cell = oracle(LABELS, input=3, units=4)
    weights, x, state = drawn(cell, x=[3])
    free = cell.evaluate(weights, x, state)
    env = cell.evaluate(weights, x, state, impose={Pick(Ref("z"), "f"): 2.0, Ref("e"): -1.0, Ref("h", 1): 0.0})
    close(env["a"], np.full((2, 4), 2.0))
    close(env["b"], env["a"])
    close(env["z"][:, 8:], free["z"][:, 8:])
    close(env["e"], np.full(4, -1.0))
    close(env["d"], np.zeros((2, 4)))
    assert not np.allclose(free["a"], 2.0)


def test_an_expression_over_the_values_of_a_step():
    cell, weights, x, state = masked(MASKED)
    env = cell.evaluate(weights, x[:, 0], state)
    node, types = Apply("sub", (Ref("c"), Number(Fraction(1, 2)))), cell.settings.variants[False].names
    typed = {("law",): types["c"], ("law", 0): types["c"], ("law", 1): Type((), Level.CONSTANT)}
    close(cell.value(node, ("law",), env, typed), env["c"] - 0.5)


# --- the reference program ------------------------------------------------------------------------------------------

SURROGATE = """
cell: Case
dims: {input: inferred, units: required}
state: {h: [units], z: {shape: [1], values: [0, 1]}}
params:
  kernel: {shape: [input, units], init: zeros}
  recurrent_kernel: {shape: [units, units], init: zeros}
  detect: {shape: [units, 1], init: zeros}
equations: |
  a = x @ kernel + h[t-1] @ recurrent_kernel
  h_new = tanh(a) + stop_gradient(square(a))
  h = where(z[t-1], h_new, 0.5 * h[t-1] + h_new)
  s = h @ detect
  z = straight_through(step(s), sigmoid(s))
"""


def surrogate():
    cell = oracle(SURROGATE, input=3, units=4)
    weights, x, state = drawn(cell, 6, 5, x=[3])
    weights = {name: 0.3 * array for name, array in weights.items()}
    return cell, weights, x, {"h": state["h"], "z": np.array([[0.0], [1.0]] * 3)}


def test_reference_program_has_the_stated_gradients():
    cell, weights, x, state = surrogate()
    rng, reference = np.random.default_rng(6), interpret.Reference()
    d_h, d_z = rng.normal(size=(6, 4)), rng.normal(size=(6, 1))
    along = {name: rng.normal(size=array.shape) for name, array in weights.items()}

    def loss(weights):
        _, new = cell.step(weights, x, state, reference=reference)
        return np.sum(d_h * new.h) + np.sum(d_z * new.z)

    a = x @ weights["kernel"] + state["h"] @ weights["recurrent_kernel"]
    h = np.tanh(a) + a**2 + np.where(state["z"] > 0.5, 0, 0.5 * state["h"])
    sigmoid = 1 / (1 + np.exp(-(h @ weights["detect"])))
    d_s = d_z * sigmoid * (1 - sigmoid)  # of the surrogate
    d_a = (d_h + d_s @ weights["detect"].T) * (1 - np.tanh(a) ** 2)  # the square sends nothing
    by_hand = {"kernel": x.T @ d_a, "recurrent_kernel": state["h"].T @ d_a, "detect": h.T @ d_s}
    expected = sum(np.sum(by_hand[name] * along[name]) for name in weights)
    assert interpret.derivative(loss, weights, along) == pytest.approx(expected, rel=1e-9)
    assert reference.margin > 0.01


def test_reference_program_starts_as_the_cell_itself():
    cell, weights, x, state = surrogate()
    output, new = cell.step(weights, x, state)
    again, same = cell.step(weights, x, state, reference=interpret.Reference())
    close(again, output)
    close(same.z, new.z)
    assert set(np.unique(new.z)) == {0.0, 1.0}


def test_reference_program_of_a_scan_keeps_each_step_apart():
    cell, weights, _, state = surrogate()
    rng, reference = np.random.default_rng(7), interpret.Reference()
    x, along = rng.normal(size=(6, 4, 3)), {"detect": rng.normal(size=(4, 1))}

    def loss(weights):
        return np.sum(cell.scan(weights, x, state, reference=reference).states.z)

    values = cell.scan(weights, x, state)
    sigmoid = 1 / (1 + np.exp(-(values.states.h @ weights["detect"])))
    expected = np.sum(sigmoid * (1 - sigmoid) * (values.states.h @ along["detect"]))  # z is read only as a condition
    assert interpret.derivative(loss, weights, along) == pytest.approx(expected, rel=1e-9)


def test_margin_is_the_distance_to_the_nearest_kink():
    text = (
        "cell: Case\ndims: {units: required}\ninputs: {x: [units]}\nstate: {h: [units]}\n"
        "equations: |\n  h = relu(x + 0.25) + clip(h[t-1], -1, 1)\n"
    )
    cell = oracle(text, units=2)
    stated = "straight_through(step(x), tanh(x)) + stop_gradient(abs(x))"
    frozen = oracle(text.replace("relu(x + 0.25)", stated), units=2)
    reference = interpret.Reference()
    frozen.step({}, [[0.001, 0.01]], [[[0.5, 0.4]]], reference=reference)
    assert reference.margin == pytest.approx(0.5, abs=1e-15)  # what is frozen has no kinks
    for x, h, margin in (([1.0, -2.0], [0.5, -0.9], 0.1), ([-0.3, -2.0], [0.5, -3.0], 0.05)):
        reference = interpret.Reference()
        cell.step({}, [x], [[h]], reference=reference)
        assert reference.margin == pytest.approx(margin, abs=1e-15)


def test_a_second_name_of_a_size_is_an_axis_of_its_own():
    text = """
cell: Pairs
dims: {key: units/1}
state: {h: units}
params: {W: [input, units, key], W2: [units, key]}
equations: |
  row: [1, key] = h[t-1]
  h = mean(x @ W, over=key) + sum(W2 * sum(row, over=1), over=key)
"""
    rng = np.random.default_rng(2)
    cell = interpret.Instance(Spec.of(text).typed(), {"input": 2, "units": 4})
    weights = {name: rng.normal(size=shape) for name, shape in cell.weights.items()}
    x, h = rng.normal(size=(3, 2)), rng.normal(size=(3, 4))
    output, _ = cell.step(weights, {"x": x}, cell.State(h))
    wanted = np.einsum("bi,iuk->bu", x, weights["W"]) / 4 + h @ weights["W2"].T
    np.testing.assert_allclose(output, wanted, rtol=1e-12)
