"""What laws know of operations that round, of sizes, and of what is made of both."""

import pytest

from cellgen.compiler import Spec
from tests.prove.test_laws import cell, judged, status

ROUNDED = cell("""
  z = x @ W + h[t-1] @ U
  h = tanh(z)
""")


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("mod(z, 2) in [0, 2)", "proved"),
        ("mod(z, 2) in [0, 1]", "refuted"),
        ("mod(z, -2) in (-2, 0]", "proved"),
        ("z == 2 * floor(z / 2) + mod(z, 2)", "proved"),
        ("floor(z + 3) == floor(z) + 3", "proved"),
        ("mod(z + 4, 2) == mod(z, 2)", "proved"),
        ("mod(z + 1, 2) == mod(z, 2)", "refuted"),
        ("floor(h) in [-1, 0]", "proved"),
        ("z - floor(z) in [0, 1)", "unknown"),
        ("mod(7, 3) == 1", "proved"),
        ("mod(-7, 3) == 2", "proved"),
        ("floor(-5 / 2) == -3", "proved"),
    ],
)
def test_rounding(line, wanted):
    assert status(ROUNDED, line) == wanted


SIZED = """
cell: Sized
dims: {heads: 2, key: units/heads, n: 4}
state: {h: units}
params: {W: [input, units], Q: [units, heads, key], b: [n]}
equations: |
  q = h[t-1] @ Q
  a = softmax(q / sqrt(key))
  f: [units] = a
  h = tanh(x @ W + f / units) / n + 0 * sum(b)
"""


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("units == heads * key", "proved"),
        ("key == units / heads", "proved"),
        ("units == key", "refuted"),
        ("sum(f) / units == mean(f)", "proved"),
        ("sum(q, over=heads) == heads * mean(q, over=heads)", "proved"),
        ("sum(q, over=heads) == key * mean(q, over=heads)", "refuted"),
        ("sqrt(key) in [1, inf)", "proved"),
        ("1 / units in (0, 1]", "proved"),
        ("units in [2, inf)", "unknown"),
        ("h in (-1, 1)", "proved"),
        ("h in [-n, n]", "proved"),
        ("b in [-n, n]", "refuted"),
    ],
)
def test_sizes(line, wanted):
    assert status(SIZED, line) == wanted


def shrinking(name, dim, *laws):
    lines = [f"cell: {name}", f"state: {{h: {dim}}}", f"params: {{W: [input, {dim}]}}", "equations: |"]
    lines += [f"  h = h[t-1] / {dim} + x @ W", *["laws: |"] * bool(laws), *(f"  {law}" for law in laws)]
    return "\n".join(lines) + "\n"


def test_the_sizes_of_another_cell(tmp_path):
    """They are ours by name, or as the law pairs them."""
    (tmp_path / "other.yaml").write_text(shrinking("Other", "width"))
    for dim, law in (("width", "reduces to other"), ("units", "reduces to other with units = width")):
        path = tmp_path / "own.yaml"
        path.write_text(shrinking("Own", dim, law))
        assert [each.status for each in Spec.at(path).check().verdicts.laws] == ["proved"]
    path.write_text(shrinking("Own", "units", "reduces to other with units = width").replace("/ units", "/ input"))
    assert [each.status for each in Spec.at(path).check().verdicts.laws] == ["refuted"]


PLACED = """
cell: Placed
dims: {units: required, heads: 2, key: units/heads}
gates: [a, b]
state: {h: units}
params: {W: [input, units], Q: [units, gates*units]}
equations: |
  q: [gates, units] = h[t-1] @ Q
  r = range(gates) * q
  n = range(units)
  m = range(heads) + 0 * sum(range(key))
  h = tanh(x @ W + r.b + r.a + n) + 0 * sum(m)
"""


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("r.b == q.b", "proved"),
        ("r.a == 0", "proved"),
        ("range(units) in [0, inf)", "proved"),
        ("range(gates).a == 0", "proved"),
        ("n == range(heads*key)", "proved"),
        ("n in [1, inf)", "refuted"),
        ("range(units) == 0", "refuted"),
        ("sum(n) == sum(range(units))", "proved"),
        ("range(gates*units) in [0, inf)", "proved"),
    ],
)
def test_places(line, wanted):
    assert status(PLACED, line) == wanted


MOVED = """
cell: Moved
gates: [a, b, c]
state: {h: units}
params: {W: [input, units], Q: [units, gates*units]}
equations: |
  q: [gates, units] = h[t-1] @ Q
  r = roll(q, by=1, over=gates)
  s = shift(q, by=-1, over=gates)
  n = tanh(x @ W + r.a + s.b + s.c)
  h = roll(n, by=1) + 0 * (r.b + r.c + s.a)
"""


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("r.a == q.c", "proved"),
        ("r.b == q.a", "proved"),
        ("s.a == q.b", "proved"),
        ("s.c == 0", "proved"),
        ("h in (-1, 1)", "proved"),
        ("shift(sigmoid(q.a), by=1) in [0, 1)", "proved"),
        ("shift(sigmoid(q.a), by=1) in (0, 1)", "refuted"),
        ("roll(n, by=1) == n", "refuted"),
        ("roll(n, by=1) == roll(n, by=1, over=units)", "proved"),
        ("roll(n, by=1) == roll(n, by=2)", "refuted"),
    ],
)
def test_moves(line, wanted):
    assert status(MOVED, line) == wanted


POWERS = """
cell: Powers
dims: {units: required}
options: {n: 2}
state: {h: units}
params: {W: [input, units], b: [units], c: [units]}
equations: |
  z = x @ W + h[t-1]
  a = 1 + square(z)
  p = sigmoid(z) ** square(b)
  h = p + a ** b * 0 + 0 * c + 0 * a ** n
"""


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("p in (0, 1]", "proved"),
        ("p in [0, 0.5]", "refuted"),
        ("a ** b * a ** c == a ** (b + c)", "proved"),
        ("a ** b * a ** c == a ** (b * c)", "refuted"),
        ("a ** b == exp(b * log(a))", "proved"),
        ("a ** 1 == a", "proved"),
        ("a ** (b - b) == 1", "proved"),
        ("2 ** b in (0, inf)", "proved"),
        ("(2 * a) ** b == 2 ** b * a ** b", "proved"),
        ("a ** n * a ** n == a ** (n + n)", "proved"),
    ],
)
def test_powers(line, wanted):
    assert status(POWERS, line) == wanted


def test_a_whole_power_of_what_is_below_zero_is_no_power_of_its_size():
    """With n = 3 it is not so."""
    (found,) = judged(POWERS, "(-a) ** n == a ** n").laws
    assert found.why == "where `-a` is more than 0"


BLOCKS = """
cell: Blocks
dims: {units: required, heads: 2, key: units/heads}
state: {h: units}
params: {W: [input, units], R: [heads, key, key], L: [heads, key, key]}
equations: |
  q: [heads, key] = h[t-1] + x @ W
  r = q @ R
  l = L @ q
  u: [units] = tanh(r + l)
  h = u
"""


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("(2 * q) @ R == 2 * r", "proved"),
        ("(q + l) @ R == r + l @ R", "proved"),
        ("q @ R == R @ q", "refuted"),
        ("q @ R == q @ L", "refuted"),
        ("sum(r) == sum(q)", "refuted"),
    ],
)
def test_blocks(line, wanted):
    assert status(BLOCKS, line) == wanted
