"""The family tree: its edges are proved, of small specs its lines are told, and it has no circle of shipped ones."""

from pathlib import Path

import pytest

from cellgen.analyse import analyse
from cellgen.catalogue.family_tree import ABOVE, Edge, edges, tree
from cellgen.cli import main
from cellgen.compiler import Spec
from cellgen.ir import ReducesTo
from cellgen.prove import judge
from tests.shipped import SHIPPED, TODAY

ROOT = """
cell: Root
state: {h: units}
equations: |
  z: [units] = affine(x, h[t-1])
  h = tanh(z)
"""

LEAKY = """
cell: Leaky
options: {rate: 0.5}
state: {h: units}
equations: |
  z: [units] = affine(x, h[t-1])
  h = rate * h[t-1] + (1 - rate) * tanh(z)
laws: |
  reduces to root with rate = 0
"""

GATED = """
cell: Gated
gates: [f, n]
options: {activation: {one_of: activations, default: tanh}}
state: {h: units}
equations: |
  z: [gates, units] = affine(x, h[t-1])
  f = sigmoid(z.f)
  h = f * h[t-1] + (1 - f) * activation(z.n)
laws: |
  reduces to root with kernel.n = kernel, recurrent_kernel.n = recurrent_kernel, bias.n = bias, f = 0
  reduces to leaky(rate = 1) when f == 1
  reduces to leaky(rate = 0.5) with kernel.n = kernel, recurrent_kernel.n = recurrent_kernel, bias.n = bias, f = 0.5
"""


def write(folder: Path, **specs: str) -> list[Edge]:
    for stem, text in specs.items():
        (folder / f"{stem}.yaml").write_text(text.lstrip())
    return [edge for stem in specs for edge in edges(Spec.at(folder / f"{stem}.yaml"))]


def test_the_tree_of_three_cells(tmp_path):
    wrong = GATED.replace("cell: Gated", "cell: Wrong").replace("f = 0.5", "f = 0.25").replace("f = 0\n", "f = 1\n")
    found = write(tmp_path, root=ROOT, leaky=LEAKY, gated=GATED, wrong=wrong)
    assert [(each.name, each.to, each.status) for each in found] == [
        ("leaky", "root", "proved"),
        ("gated", "root", "proved"),
        ("gated", "leaky", "refuted"),  # its weights have labels
        ("gated", "leaky", "proved"),
        *[("wrong", to, "refuted") for to in ("root", "leaky", "leaky")],
    ]
    assert tree([each for each in found if each.proved], ["root", "leaky", "gated", "wrong"]) == [
        "root",
        "├── gated  with f = 0; with activation = tanh",
        "└── leaky  with rate = 0",
        "    └── gated  with f = 0.5; of leaky: rate = 0.5; with activation = tanh",
        "",
        "without an edge: wrong",
    ]


def edge(name, to, condition="") -> Edge:
    return Edge(name, to, condition, "proved", "")


def test_a_cell_with_two_parents_is_below_both_and_its_own_below_the_first():
    found = [edge("b", "a", "with k = 0"), edge("c", "a"), edge("d", "b"), edge("d", "c", "when f == 1")]
    found += [edge("e", "d")]
    assert tree(found) == [
        "a",
        "├── b  with k = 0",
        "│   └── d  under other names",
        "│       └── e  under other names",
        "└── c  under other names",
        f"    └── d  when f == 1 {ABOVE}",
    ]


def test_two_laws_of_one_edge_stand_together():
    assert tree([edge("bb", "a", "with k = 0"), edge("bb", "a", "when i == 1"), edge("c", "a", "with j = 0")]) == [
        "a",
        "├── bb  with k = 0",
        "│       or when i == 1",
        "└── c   with j = 0",
    ]


def test_a_circle_ends():
    assert tree([edge("a", "b", "with k = 0"), edge("b", "a", "with k = 1")]) == [
        "a",
        "└── b  with k = 1",
        f"    └── a  with k = 0 {ABOVE}",
    ]


def test_a_long_condition_goes_on_below():
    head, first, *more, last = tree(
        [edge("b", "a", "with " + ", ".join(f"option_{n} = none" for n in range(12))), edge("c", "a")]
    )
    assert (head, last) == ("a", "└── c  under other names") and first.startswith("├── b  with option_0 = none, ")
    assert more and all(line.startswith("│        option_") for line in more)
    assert all(len(line) <= 120 for line in (first, *more))


@pytest.mark.parametrize("stem", TODAY)
def test_every_edge_of_a_shipped_spec_is_proved(stem):
    assert [each for each in edges(Spec.at(stem)) if not each.proved] == []


def test_no_shipped_cell_reduces_to_itself_on_any_way():
    cells = [Spec.at(stem).cell() for stem in SHIPPED]
    above = {cell.stem: {law.claim.stem for law in cell.laws if isinstance(law.claim, ReducesTo)} for cell in cells}
    assert "peephole_lstm" in above["lstmp"] and "lstm" in above["peephole_lstm"]
    for start in above:
        seen, todo = set(), [*above[start]]
        while todo:
            name = todo.pop()
            if name not in seen:
                seen.add(name)
                todo += above[name]
        assert start not in seen


def test_some_laws_are_judged_as_all_are():
    typed = Spec.at("lstmp").typed()
    facts = analyse(typed)
    assert judge(typed, facts, typed.cell.laws[-1:]) == judge(typed, facts, typed.cell.laws)[-1:]


def test_the_command_shows_what_is_proved_and_tells_what_is_not(tmp_path, monkeypatch, capsys):
    write(tmp_path, root=ROOT, leaky=LEAKY, gated=GATED)
    monkeypatch.chdir(tmp_path)
    names = ["root.yaml", "leaky.yaml", "gated.yaml"]
    assert main(["list", "--tree", *names]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[0] == "root" and "rate = 1" not in out
    assert err == "1 law not proved: `cellgen list --tree --check` tells which\n"
    assert main(["list", "--tree", "--check", *names]) == 1
    out, err = capsys.readouterr()
    said = "not proved: gated reduces to leaky when f == 1; of leaky: rate = 1: refuted (`kernel` has the labels"
    assert err == "" and out.splitlines()[-1].startswith(said)
    assert main(["list", "--tree", "--check", "root.yaml", "leaky.yaml"]) == 0
    assert capsys.readouterr().out == "root\n└── leaky  with rate = 0\n"
    assert main(["list", "--check"]) == 2


def test_every_shipped_spec_has_a_family():
    assert [stem for stem in SHIPPED if "family" not in Spec.at(stem).expanded()] == []
