"""What is found of the range of many expressions: a line each in `ranges.txt`, and numbers that lie in it.

After a change that is meant: `python -m tests.prove.test_range_table > tests/prove/ranges.txt`, and read what
is different.
"""

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from cellgen.compiler import Spec
from cellgen.interpret.instance import Instance
from cellgen.ir.intervals import interval_text
from cellgen.ir.ops import Interval
from cellgen.ir.program import Program
from cellgen.prove.symbols import Table
from cellgen.prove.traits import traits

COMMITTED = Path(__file__).with_name("ranges.txt")
TABLE = dict(line.rsplit(" in ", 1) for line in COMMITTED.read_text(encoding="utf-8").splitlines())
TOGETHER = 12  # expressions that are equations of one cell

# z and f in (0, 1), n and m in (-1, 1), r in [0, inf), b 0 or 1, u and v any number
HEAD = """cell: Ranges
state: {h: units}
output: y
params:
  {A: [input, units], B: [input, units], C: [input, units], D: [input, units], E: [input, units], F: [input, units]}
equations: |
  u = x @ A
  v = x @ B
  z = sigmoid(x @ C)
  f = sigmoid(x @ D)
  n = tanh(x @ E)
  m = tanh(x @ F)
  r = relu(u + v)
  b = step(u)
"""


def named(expressions):
    return {f"e_{number}": text for number, text in enumerate(expressions)}


def typed(expressions):
    """A cell in which these are equations; of the sum of all of them, which is nobody's, no range is looked for."""
    equations = named(expressions)
    lines = [f"  {name} = {text}\n" for name, text in equations.items()]
    return Spec.of(
        f"{HEAD}{''.join(lines)}  y = 0 * ({' + '.join(equations)})\n  h = h[t-1] + u + v + z + f + n + m + r + b\n"
    ).typed(laws=False)


def found(expressions) -> dict[str, Interval]:
    """The range of each."""
    cell = typed(expressions)
    ranges = dict(traits(cell, Program(cell, cell.variants[0]), Table()).ranges)
    return {text: ranges[name] for name, text in named(expressions).items()}


EVERY = [*TABLE]
GROUPS = range(0, len(EVERY), TOGETHER)


def test_the_table_is_there():
    assert len(EVERY) > 200


@cache
def of_group(start):
    return found(EVERY[start : start + TOGETHER])


@pytest.mark.parametrize("start", GROUPS)
def test_the_ranges_that_are_found(start):
    came = {text: interval_text(interval) for text, interval in of_group(start).items()}
    assert came == {text: TABLE[text] for text in EVERY[start : start + TOGETHER]}


@pytest.mark.parametrize("start", GROUPS)
def test_numbers_lie_in_the_ranges(start):
    """At weights of three sizes; what a number of 53 bits cannot tell from an open end is one with it."""
    expressions = EVERY[start : start + TOGETHER]
    instance, rng = Instance(typed(expressions), {"units": 4, "input": 3}), np.random.default_rng(start)
    for scale in (0.1, 1, 10):
        weights = [rng.normal(scale=scale, size=shape) for shape in instance.weights.values()]
        state = instance.State(rng.normal(scale=scale, size=(500, 4)))
        with np.errstate(all="ignore"):
            values = instance.evaluate(weights, rng.normal(size=(500, 3)), state)
        for name, text in named(expressions).items():
            value, interval = values[name], of_group(start)[text]
            room = 1e-9 * (1 + np.abs(value))
            assert interval.low is None or np.all(value >= float(interval.low) - room), text
            assert interval.high is None or np.all(value <= float(interval.high) + room), text


if __name__ == "__main__":
    for start in GROUPS:
        for text, interval in of_group(start).items():
            print(f"{text} in {interval_text(interval)}")
