"""Loops in a step, through the front door: `for k in depth:` is what its micro-steps are, written out by hand."""

import numpy as np
import pytest

from cellgen import interpret
from cellgen.compiler import Spec
from cellgen.diagnostics.diagnostic import SpecError

HEAD = """
cell: Highway
axes: {depth: 3}
state: {h: units}
params:
  W: [input, units]
  W_t: [input, units]
  R: [depth, units, units]
  T: [depth, units, units]
  b: [depth, units]
"""
LOOP = """equations: |
  s[0] = h[t-1]
  for k in depth:                  # of the paper
    u = tanh((x @ W if k == 1 else 0) + s[k-1] @ R[k])
    g = sigmoid((x @ W_t if k == 1 else 0) + s[k-1] @ T[k] +
                b[k])
    s = u * g + s[k-1] * (1 - g) / k
  h = s
"""
BY_HAND = """equations: |
  s_0 = h[t-1]
  u_1 = tanh(x @ W + s_0 @ R[1])
  g_1 = sigmoid(x @ W_t + s_0 @ T[1] + b[1])
  s_1 = u_1 * g_1 + s_0 * (1 - g_1) / 1
  u_2 = tanh(s_1 @ R[2])
  g_2 = sigmoid(s_1 @ T[2] + b[2])
  s_2 = u_2 * g_2 + s_1 * (1 - g_2) / 2
  u = tanh(s_2 @ R[3])
  g = sigmoid(s_2 @ T[3] + b[3])
  s = u * g + s_2 * (1 - g) / 3
  h = s
"""


@pytest.fixture
def spec(tmp_path):
    """Writes specs into one folder and gives the last one."""

    def write(**texts):
        for stem, text in texts.items():
            (tmp_path / f"{stem}.yaml").write_text(text, encoding="utf-8")
        return Spec.at(tmp_path / f"{stem}.yaml")

    return write


def code(text, stem="cell"):
    """The generated cell without its comments and its docstring."""
    lines = Spec.of(text, stem).build(tests=False)[f"{stem}.py"].split('"""', 2)[2].splitlines()
    return [line for line in lines if not line.strip().startswith("#")]


def named(text):
    return [each.name for each in Spec.of(text).cell().equations]


def verdicts(text):
    return [each.status for each in Spec.of(text).check().verdicts.laws]


# --- what it is -----------------------------------------------------------------------------------------------------


def test_a_loop_is_its_micro_steps():
    assert code(HEAD + LOOP) == code(HEAD + BY_HAND)


def test_it_computes_what_numpy_does():
    rng, size, units = np.random.default_rng(1), 3, 4
    cell = interpret.Instance(Spec.of(HEAD + LOOP).typed(), {"input": size, "units": units})
    weights = {name: rng.normal(size=shape) for name, shape in cell.weights.items()}
    x, h = rng.normal(size=(5, size)), rng.normal(size=(5, units))
    output, _ = cell.step(weights, {"x": x}, cell.State(h))
    s = h
    for k in range(3):
        u = np.tanh(s @ weights["R"][k] + (x @ weights["W"] if k == 0 else 0))
        g = 1 / (1 + np.exp(-(s @ weights["T"][k] + (x @ weights["W_t"] if k == 0 else 0) + weights["b"][k])))
        s = u * g + s * (1 - g) / (k + 1)
    np.testing.assert_allclose(output, s, rtol=1e-13)


def test_a_loop_is_shown_once_and_in_the_words_of_its_author():
    text = Spec.of(HEAD + LOOP).build(tests=False)["spec.py"]
    lines = (
        "for k in depth:",
        "  u = tanh((x @ W if k == 1 else 0) + s[k-1] @ R[k])",
        "  g = sigmoid((x @ W_t if k == 1 else 0) + s[k-1] @ T[k] + b[k])",
        "  s = u * g + s[k-1] * (1 - g) / k",
    )
    head, step = text.split('"""', 2)[1], text.split("def _step(")[1].split("\ndef ")[0]
    assert "\n".join(f"    {line}" for line in lines) in head
    assert "\n".join(f"    # {line}" for line in lines) in step
    for line in lines:
        assert head.count(line) == step.count(line) == 1


def test_the_number_of_a_micro_step_is_a_number_and_is_asked_for():
    text = """
cell: Counted
options: {use_bias: true}
state: {h: units}
params: {W: [input, units], b: [units]}
equations: |
  s[0] = x @ W + 0.5 * h[t-1]
  for k in 3:
    a = s[k-1] * k + (b if use_bias and not k == 2 else 0)
    s = a - (2 if k != 3 or k == 1 else 0)
  h = s
"""
    by_hand = (
        text.split("  s[0]")[0]
        + """  s_0 = x @ W + 0.5 * h[t-1]
  a_1 = s_0 * 1 + (b if use_bias else 0)
  s_1 = a_1 - 2
  a_2 = s_1 * 2
  s_2 = a_2 - 2
  a = s_2 * 3 + (b if use_bias else 0)
  s = a
  h = s
"""
    )
    assert code(text) == code(by_hand)


def test_a_state_may_go_through_the_loop_itself():
    text = """
cell: Through
state: {h: units}
params: {W: [input, units], R: [units, units]}
equations: |
  h[0] = h[t-1]
  for k in 2:
    h = tanh(x @ W + (h[k-1] + h[t-1]) @ R)
"""
    assert named(text) == ["h_0", "h_1", "h"]


def test_what_the_last_micro_step_leaves_for_a_next_is_left_out():
    text = """
cell: Pair
state: {h: units}
params: {W: [input, units]}
equations: |
  a[0] = h[t-1]
  b[0] = x @ W
  for k in 3:
    a = tanh(a[k-1] + b[k-1])
    b = tanh(b[k-1])
  h = a
"""
    assert named(text) == ["a_0", "b_0", "a_1", "b_1", "a_2", "b_2", "a", "h"]
    assert named(text + "output: b\n")[-2:] == ["b", "h"]


def test_two_loops_and_what_is_read_of_them():
    text = """
cell: Two
axes: {depth: 2}
state: {h: units}
params: {W: [input, depth, units], R: [depth, units, units]}
equations: |
  p = x @ W
  s[0] = h[t-1]
  for k in depth:
    s = tanh(p[k] + s[k-1] @ R[k])
  r[0] = s
  for j in depth:
    r = s[j] + r[j-1] * s
  h = r + s[0] + s[1] + h[t-1] @ R[2]
"""
    by_hand = (
        text.split("  s[0]")[0]
        + """  s_0 = h[t-1]
  s_1 = tanh(p[1] + s_0 @ R[1])
  s = tanh(p[2] + s_1 @ R[2])
  r_0 = s
  r_1 = s_1 + r_0 * s
  r = s + r_1 * s
  h = r + s_0 + s_1 + h[t-1] @ R[2]
"""
    )
    assert code(text) == code(by_hand)


# --- laws -----------------------------------------------------------------------------------------------------------


def test_laws_speak_of_the_last_micro_step_and_of_any():
    text = (
        HEAD
        + LOOP.replace(" / k", "")
        + """laws: |
  h in (-1, 1)
  s[2] in (-1, 1)
  h == h[t-1] when g == 0
  h == s[2] when g[3] == 0
  h == h[t-1] when g[2] == 0
  s[1] == h[t-1] when g == u * 0
"""
    )
    assert verdicts(text) == ["proved"] * 4 + ["refuted", "proved"]


def test_a_deep_cell_is_checked():
    text = HEAD.replace("depth: 3", "depth: 10") + LOOP.replace(" / k", "") + "laws: |\n  h in (-1, 1)\n"
    checked = Spec.of(text).check()
    assert [each.status for each in checked.verdicts.laws] == ["proved"] and not checked.proof.open


# --- extends --------------------------------------------------------------------------------------------------------


def expanded(spec, new):
    text = spec(base=HEAD + LOOP, new="extends: base\n" + new).expanded()["equations"].text
    return [" ".join(line.split()) if not line.startswith("  ") else line for line in text.splitlines()]


def test_an_equation_of_a_loop_is_replaced_in_its_place_and_a_new_one_goes_before_its_reader(spec):
    assert expanded(spec, "equations: |\n  s = u * g + c * s[k-1]\n  c = sigmoid(e * s[k-1])\n  e = x @ W\n") == [
        "s[0] = h[t-1]",
        "e = x @ W",
        "for k in depth:",
        "  u = tanh((x @ W if k == 1 else 0) + s[k-1] @ R[k])",
        "  g = sigmoid((x @ W_t if k == 1 else 0) + s[k-1] @ T[k] +",
        "  b[k])",
        "  c = sigmoid(e * s[k-1])",
        "  s = u * g + c * s[k-1]",
        "h = s",
    ]


def test_a_loop_is_counted_anew_and_its_equations_deleted(spec):
    new = "equations: |\n  for j in 2:\n    s = u * s[j-1]\n    u = x @ W\n    g = none\n  s[0] = 0.5 * h[t-1]\n"
    lines = ["s[0] = 0.5 * h[t-1]", "for j in 2:", "  u = x @ W", "  s = u * s[j-1]", "h = s"]
    assert expanded(spec, new) == lines


def test_an_equation_becomes_a_loop_where_it_stood(spec):
    base = "cell: B\nstate: {h: units}\nparams: {W: [input, units]}\nequations: |\n  s = x @ W\n  h = s + h[t-1]\n"
    new = spec(base=base, new="extends: base\nequations: |\n  s[0] = x @ W\n  for k in 2:\n    s = s[k-1] * k\n")
    assert new.expanded()["equations"].text.splitlines() == [
        "s[0] = x @ W",
        "for k in 2:",
        "  s = s[k-1] * k",
        "h = s + h[t-1]",
    ]


def test_the_count_of_an_axis_is_that_of_the_extending_spec(spec):
    new = spec(base=HEAD + LOOP, new="extends: base\naxes: {depth: 2}\n")
    assert [each.name for each in new.cell().equations][-4:] == ["u", "g", "s", "h"]
    assert len(new.cell().equations) == 8


def test_a_mistake_in_a_loop_is_told_once_and_where_it_stands():
    with pytest.raises(SpecError) as caught:
        Spec.of(HEAD + LOOP.replace("tanh(", "tanh(q + x + ").replace("u * g", "u * g.i")).typed()
    assert [(each.code, each.label.span.text) for each in caught.value.diagnostics] == [
        ("CG205", "q"),
        ("CG209", "g.i"),
    ]
    with pytest.raises(SpecError) as caught:
        Spec.of(HEAD + LOOP.replace("tanh(", "tanh(x + ")).typed()
    assert {each.label.span.line for each in caught.value.diagnostics} == {14}
    assert len(caught.value.diagnostics) == 1


def test_a_stack_of_weights_starts_as_its_slices_would():
    text = Spec.of(
        HEAD.replace("T: [depth, units, units]", "T: {shape: [depth, units, units], init: orthogonal}") + LOOP
    )
    lines = text.build(tests=False)["spec.py"].splitlines()
    assert any('self._weight("T", [3, self.units, self.units], 3, axis=-3)' in line for line in lines)
    assert any('b_initializer: recurrent.Initializer = "zeros"' in line for line in lines)
