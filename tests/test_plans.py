"""What is decided of each odd cell: how much runs when, what is kept, what is computed again; `plans.txt` has it all.

After a change that is meant: `python -m tests.test_plans > tests/plans.txt`, and read what is different.
"""

from pathlib import Path

import pytest

from cellgen.expr import Activate, Apply, walk
from cellgen.flow import made
from cellgen.planscreen import bytes_a_step
from tests.test_numbers import SPECS, plan_of

PRODUCTS = ("matmul", "einsum", "matmul_over_batch")
COMMITTED = Path(__file__).resolve().parent / "plans.txt"


def decided(name):
    """The decisions of a plan, a line each."""
    plan = plan_of(name)
    counts = []
    for head in ("once", "before", "forward", "backward", "after"):
        values = [line.value for block in getattr(plan, head).blocks for line in block.lines]
        nodes = [node for value in values for _, node in walk(value) if isinstance(node, (Apply, Activate))]
        products = sum(isinstance(node, Apply) and node.op in PRODUCTS for node in nodes)
        counts.append(f"{head} {len(nodes)}" + (f", {products} of them products" if products else ""))
    again = made((*plan.backward.blocks, *plan.after.blocks)) & made(plan.forward.blocks) - {*plan.forward.gives}
    yield name
    yield f"  operations: {'; '.join(counts)}"
    yield f"  before gives: {' '.join(plan.before.gives)}; backward gives: {' '.join(plan.backward.gives)}"
    yield f"  kept: {' '.join(plan.forward.gives)}; {bytes_a_step(plan)} bytes"
    yield f"  again: {' '.join(sorted(again))}; for activations: {' '.join(plan.arguments)}"


TABLE = {each.partition("\n")[0]: each for each in COMMITTED.read_text(encoding="utf-8").strip("\n").split("\n\n")}


def test_every_cell_is_in_the_table():
    assert [*TABLE] == [*SPECS]


@pytest.mark.parametrize("name", TABLE)
def test_what_is_decided(name):
    assert "\n".join(decided(name)) == TABLE[name]


if __name__ == "__main__":
    print(*("\n".join(decided(each)) for each in SPECS), sep="\n\n")
