"""What operations do in a cell, each beside numpy written from its sentence in the guide."""

import numpy as np
import pytest

from cellgen.compiler import Spec
from cellgen.interpret.instance import Instance

BATCH, UNITS, HEADS, INPUT = 3, 6, 2, 5
KEY = UNITS // HEADS

SPEC = """
cell: Cell
dims: {{input: inferred, units: required, heads: 2, key: units/heads, value: units/heads}}
gates: [a, b, c]
state: {{h: units}}
output: y
params:
  W: [input, units]
  Q: [units, heads, key]
  G: [units, gates*units]
  b: [units]
  B: [heads, key, key]
  K: [heads, key, gates, value]
equations: |
  u = h[t-1] + x @ W
  q = h[t-1] @ Q
  g: [gates, units] = u @ G
  r = {}
  y = u + 0 * sum(sum(r))
  h = tanh(u + b) + 0 * (sum(sum(q @ B)) + mean(mean(mean(q @ K))) + sum(sum(q)) + sum(g.a + g.b + g.c))
"""


def values(written):
    """What the expression comes to, and all that it may read."""
    instance = Instance(Spec.of(SPEC.format(written)).typed(), {"input": INPUT, "units": UNITS})
    rng = np.random.default_rng(0)
    weights = {name: rng.normal(size=shape) for name, shape in instance.weights.items()}
    env = instance.evaluate(weights, rng.normal(size=(BATCH, INPUT)), [rng.normal(size=(BATCH, UNITS))])
    return env["r"], env


WHOLE = {
    "floor(3 * u)": lambda e: np.array([[np.ceil(3 * v) - (np.ceil(3 * v) != 3 * v) for v in row] for row in e["u"]]),
    "mod(u, 0.5)": lambda e: e["u"] - 0.5 * np.floor(e["u"] / 0.5),
    "mod(u, -b)": lambda e: e["u"] + e["b"] * np.floor(e["u"] / -e["b"]),
    "mod(7, 4) * u": lambda e: 3 * e["u"],
    "mod(-7, 4) * u": lambda e: e["u"],
}
SIZES = {
    "q / sqrt(key)": lambda e: e["q"] / np.sqrt(KEY),
    "u * (1 / heads) - units": lambda e: e["u"] / HEADS - UNITS,
    "u * input + sum(u) / units": lambda e: e["u"] * INPUT + e["u"].mean(axis=1, keepdims=True),
    "gates * u": lambda e: 3 * e["u"],
}
PLACES = {
    "0 * u + mod(range(units), 3)": lambda e: 0 * e["u"] + [0, 1, 2, 0, 1, 2],
    "u * (1 + range(units)) / units": lambda e: e["u"] * np.arange(1, UNITS + 1) / UNITS,
    "range(gates) * g": lambda e: e["g"] * np.arange(3)[:, None],
    "q * range(key)": lambda e: e["q"] * np.arange(KEY),
    "range(heads*key) * u": lambda e: e["u"] * np.arange(UNITS),
    "range(gates).c * u": lambda e: 2 * e["u"],
    "range(1) + u": lambda e: e["u"],
}
MOVES = {
    "roll(u, by=1)": lambda e: np.stack([e["u"][:, i - 1] for i in range(UNITS)], 1),
    "roll(u, by=-2, over=units)": lambda e: np.stack([e["u"][:, (i + 2) % UNITS] for i in range(UNITS)], 1),
    "roll(q, by=1, over=heads)": lambda e: e["q"][:, [1, 0]],
    "roll(q, by=7)": lambda e: np.stack([e["q"][:, :, (i - 7) % KEY] for i in range(KEY)], 2),
    "roll(g, by=1, over=gates).a": lambda e: e["g"][:, 2],
    "shift(u, by=1)": lambda e: np.concatenate([0 * e["u"][:, :1], e["u"][:, :-1]], 1),
    "shift(q, by=-1, over=key)": lambda e: np.concatenate([e["q"][..., 1:], 0 * e["q"][..., :1]], 2),
    "shift(u, by=99) + u": lambda e: e["u"],
    "shift(u, by=-6) + u": lambda e: e["u"],
    "u * shift(b, by=2)": lambda e: e["u"] * np.concatenate([[0, 0], e["b"][:-2]]),
}
POWERS = {
    "(1 + abs(u)) ** b": lambda e: (1 + np.abs(e["u"])) ** e["b"],
    "2 ** u": lambda e: np.exp2(e["u"]),
    "u ** heads": lambda e: e["u"] ** 2,
    "relu(u) ** (1 + square(b))": lambda e: np.maximum(e["u"], 0) ** (1 + e["b"] ** 2),
    "sigmoid(q) ** range(key)": lambda e: (1 / (1 + np.exp(-e["q"]))) ** np.arange(KEY),
}


BLOCKS = {
    "q @ B": lambda e: np.einsum("bhk,hkl->bhl", e["q"], e["B"]),
    "B @ q": lambda e: np.einsum("hkl,bhl->bhk", e["B"], e["q"]),
    "(q @ B) @ B": lambda e: np.einsum("bhk,hkl,hlm->bhm", e["q"], e["B"], e["B"]),
    "q @ outer(q, q)": lambda e: e["q"] * np.square(e["q"]).sum(axis=2, keepdims=True),
    "(q @ K).b": lambda e: np.einsum("bhk,hkv->bhv", e["q"], e["K"][:, :, 1]),
}
CASES = WHOLE | SIZES | PLACES | MOVES | POWERS | BLOCKS


@pytest.mark.parametrize("written", CASES)
def test_it_is_what_the_guide_says(written):
    found, env = values(written)
    np.testing.assert_allclose(found, CASES[written](env), rtol=1e-13, atol=1e-13)
