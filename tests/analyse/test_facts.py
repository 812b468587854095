"""What may stand after `when`, and what `free of` can be about."""

import pytest

from cellgen.analyse.structure import analyse
from cellgen.compiler import Spec
from cellgen.prove.verdicts import laws

CELL = """
cell: Cell
gates: [i, f, g, o]
options:
  activation: {one_of: activations, default: relu}
  deep: true
  way: {one_of: [blend, select]}
  limit: none
dims: {units: required, proj: units}
state: {h: proj, c: units}
params: {P: [units, proj]}
equations: |
  z: [gates, units] = affine(x, h[t-1])
  i = sigmoid(z.i)
  f = sigmoid(z.f)
  g = activation(z.g)
  o = sigmoid(z.o) if deep else 1
  k = step(z.o) if way == blend else 0
  new = f * c[t-1] + i * g + k
  c = clip(new, -limit, limit) if limit else new
  m = o * tanh(c)
  h = m @ P if proj else m
"""


@pytest.fixture(scope="module")
def verdicts():
    lines = [*TRUE, *FALSE]
    typed = Spec.of(CELL.strip("\n") + "\nlaws: |\n" + "".join(f"  {line}\n" for line in lines)).typed()
    return {verdict.claim: verdict for verdict in laws(typed, analyse(typed)).laws}


ANY = "for every activation"
TRUE = {
    "g in (-1, 1) when activation == tanh": "",
    "c == c[t-1] + i * g when f == 1, way == select, not limit": f"{ANY} where way == select and not limit",
    "m == tanh(c) when not deep": f"{ANY} where not deep",
    "m == tanh(c) when deep == false": f"{ANY} where not deep",
    "m in (-1, 1) when deep": f"{ANY} where deep",
    "h == m when proj == units": f"{ANY} where not proj",
    "c == new when limit == none": f"{ANY} where not limit",
    "new == f * (c[t-1] - g) + g when i == 1 - f, way == select": f"{ANY} where way == select",
    "new == i * (c[t-1] + g) + k when f == i": ANY,
    "i + f == 1 when i == 1 - f": ANY,
    "z.i == (x @ kernel).i + bias.i when h[t-1] == 0": ANY,
    "new == k when c[t-1] == 0, i == 0": ANY,
    "new free of x when f == 1, i == 0, way == select": f"{ANY} where way == select",
    "new free of P": f"{ANY} where proj",
}

FALSE = (
    "g in (-1, 1) when activation == linear",
    "m == tanh(c) when deep",
    "new == f * (c[t-1] - g) when i == 1 - f, way == select",
    "i + f == 1 when i == f",
    "z.i == (x @ kernel).i when h[t-1] == 0",
    "new free of x when f == 1, i == 0",
    "new free of x",
    "new free of bias",
)


@pytest.mark.parametrize("line", TRUE)
def test_a_law_under_facts_is_proved(line, verdicts):
    assert (verdicts[line].status, verdicts[line].why) == ("proved", TRUE[line])


@pytest.mark.parametrize("line", FALSE)
def test_a_law_under_facts_is_refuted(line, verdicts):
    assert verdicts[line].status == "refuted"


def test_an_expression_is_set_as_numbers_have_it():
    """The numbers that refute a law are those of the step in which the fact holds."""
    text = """
cell: Cell
state: {h: units}
params: {W: [input, units]}
equations: |
  a = x @ W
  b = a + h[t-1]
  h = a + 10 * b
laws: |
  h == 0 when b == 3 - a, h[t-1] == 1
  h == 30 - 9 * a when b == 3 - a, h[t-1] == 1
"""
    typed = Spec.of(text).typed()
    first, second = laws(typed, analyse(typed)).laws
    assert (first.status, second.status) == ("refuted", "proved")


def test_one_gate_of_an_lstm_in_terms_of_another():
    text = Spec.at("lstm").source.text.split("laws:")[0]
    given = "with use_bias = true, activation = tanh, recurrent_activation = sigmoid"
    cells = f"coupled_lstm(use_peepholes = false) {given}", f"lstm {given}", "coupled_lstm(use_peepholes = false)"
    lines = [f"reduces to {each} when f == 1 - i" for each in cells]
    typed = Spec.of(text + "laws: |\n" + "".join(f"  {line}\n" for line in lines), "mine").typed()
    found = laws(typed, analyse(typed)).laws
    assert [each.status for each in found] == ["proved", "refuted", "refuted"]
    assert found[2].why == "`bias` of coupled_lstm is not here where not use_bias"


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("m == 0 when i == 1 - i", "CG206"),
        ("m == 0 when f == x", "CG302"),
        ("m == 0 when k == 1 - f", "CG202"),
    ],
)
def test_what_no_name_can_be_set_to(line, code):
    typed = Spec.of(CELL.strip("\n") + f"\nlaws: |\n  {line}\n").typed()
    found = laws(typed, analyse(typed))
    assert code in {each.code for each in found.diagnostics if each.severity == "error"}
