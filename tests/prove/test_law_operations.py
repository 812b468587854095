"""What laws know of operations that round, of sizes, and of what is made of both."""

import pytest

from tests.prove.test_laws import cell, status

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
