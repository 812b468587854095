"""What is decided of each odd cell: how much runs when, what is kept, what is computed again; `plans.txt` has it all.

After a change that is meant: `python -m tests.schedule.test_plans > tests/schedule/plans.txt`, and read what is
different.
"""

from collections import Counter
from pathlib import Path

import pytest

from cellgen.ir.expr import Activate, Apply, walk
from cellgen.schedule.flow import made
from cellgen.show.plan_screen import bytes_a_step
from tests.schedule.test_numbers import SPECS, plan_of

COMMITTED = Path(__file__).with_name("plans.txt")


def decided(name):
    """The decisions of a plan, a line each: what each segment makes in which order, what it gives, how much it runs.

    What is made under a test has a `?`.
    """
    plan = plan_of(name)
    yield name
    for head in ("once", "before", "forward", "backward", "after"):
        segment = getattr(plan, head)
        lines = [line for block in segment.blocks for line in block.lines]
        nodes = [node for line in lines for _, node in walk(line.value) if isinstance(node, (Apply, Activate))]
        count = Counter(node.op if isinstance(node, Apply) else node.option for node in nodes)
        runs = ", ".join(f"{number} {op}" for op, number in sorted(count.items()))
        makes = " ".join(
            f"{name}?" if block.test else name
            for block in segment.blocks
            for line in block.lines
            for name in line.targets
        )
        yield f"  {head}: {makes}; gives {' '.join(segment.gives)}; runs {runs}"
    again = made((*plan.backward.blocks, *plan.after.blocks)) & made(plan.forward.blocks) - {*plan.forward.gives}
    wholes = (f"{whole} = {' '.join(parts)}" for whole, parts in plan.slabs.items())
    turned = (name for line in plan.turned for name in line.targets)
    yield f"  sizes: {' '.join(plan.step.dims)}; transposed: {' '.join(turned)}; wholes: {', '.join(wholes)}"
    yield f"  kept: {bytes_a_step(plan)} bytes"
    yield f"  again: {' '.join(sorted(again))}; for activations: {' '.join(plan.arguments)}"


TABLE = {each.partition("\n")[0]: each for each in COMMITTED.read_text(encoding="utf-8").strip("\n").split("\n\n")}


def test_every_cell_is_in_the_table():
    assert [*TABLE] == [*SPECS]


@pytest.mark.parametrize("name", TABLE)
def test_what_is_decided(name):
    assert "\n".join(decided(name)) == TABLE[name]


if __name__ == "__main__":
    print(*("\n".join(decided(each)) for each in SPECS), sep="\n\n")
