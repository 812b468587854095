"""`reduces to`: what the other cell's names are here, what it is given, and a false one refuted, whatever the cells."""

import pytest

from cellgen.analyse.structure import analyse
from cellgen.compiler import Spec, shipped
from cellgen.prove.verdicts import laws

RNN = """
cell: Cell
state: {h: units}
params: {kernel: [input, units], U: [units, units]}
equations: |
  h = tanh(x @ kernel + h[t-1] @ U)
"""

PACKED = """
cell: Cell
gates: [i, g]
state: {h: units}
equations: |
  z: [gates, units] = affine(x, h[t-1])
  h = sigmoid(z.i) * tanh(z.g)
"""

PER_GATE = """
cell: Cell
state: {h: units, c: units}
params:
  W_i: [input, units]
  W_f: [input, units]
  W_g: [input, units]
  W_o: [input, units]
  U_i: [units, units]
  U_f: [units, units]
  U_g: [units, units]
  U_o: [units, units]
equations: |
  i = sigmoid(x @ W_i + h[t-1] @ U_i)
  f = sigmoid(x @ W_f + h[t-1] @ U_f)
  g = tanh(x @ W_g + h[t-1] @ U_g)
  o = sigmoid(x @ W_o + h[t-1] @ U_o)
  c = f * c[t-1] + i * g
  h = o * tanh(c)
"""


def judged(text, line):
    typed = Spec.of(text.strip("\n") + f"\nlaws: |\n  {line}\n").typed()
    found = laws(typed, analyse(typed))
    return found.laws[-1], found.diagnostics


def weights(input_part="ifgo"):
    inputs = ", ".join(f"W_{ours} = kernel.{theirs}" for ours, theirs in zip("ifgo", input_part))
    return inputs + ", " + ", ".join(f"U_{gate} = recurrent_kernel.{gate}" for gate in "ifgo")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (RNN, "reduces to simple_rnn with U = recurrent_kernel, bias = 0"),
        (RNN, "reduces to simple_rnn(use_bias = false) with U = recurrent_kernel"),
        (RNN, "reduces to simple_rnn with U = identity, recurrent_kernel = identity, bias = 0"),
        (RNN, "reduces to simple_rnn with U = 0, recurrent_kernel = 0, bias = 0"),
        (RNN.replace("tanh(", "relu("), "reduces to simple_rnn(activation = relu) with U = recurrent_kernel, bias = 0"),
        (
            RNN.replace("h[t-1] @ U", "h[t-1]").replace(", U: [units, units]", ""),
            "reduces to simple_rnn with recurrent_kernel = identity, bias = 0",
        ),  # fmt: skip
        (PER_GATE, f"reduces to lstm with {weights()}, bias = 0"),
        (
            RNN.replace("tanh(x @ kernel + h[t-1] @ U)", "2 * sigmoid(2 * (x @ kernel) + 2 * (h[t-1] @ U)) - 1"),
            "reduces to simple_rnn with U = recurrent_kernel, bias = 0",
        ),  # fmt: skip
    ],
)
def test_a_cell_is_another_one(text, line):
    assert judged(text, line)[0].status == "proved"


def test_packed_weights_are_those_of_each_gate(tmp_path):
    (tmp_path / "per_gate.yaml").write_text(PER_GATE.lstrip())
    packed = "cell: Cell\ngates: [i, f, g, o]\nstate: {h: units, c: units}\nequations: |\n"
    packed += "  z: [gates, units] = affine(x, h[t-1], bias=use_bias)\n  i = sigmoid(z.i)\n  f = sigmoid(z.f)\n"
    packed += "  c = f * c[t-1] + i * tanh(z.g)\n  h = sigmoid(z.o) * tanh(c)\noptions: {use_bias: true}\n"
    pairs = [f"kernel.{gate} = W_{gate}, recurrent_kernel.{gate} = U_{gate}" for gate in "ifgo"]
    (tmp_path / "packed.yaml").write_text(
        packed + f"laws: |\n  reduces to per_gate with use_bias = false, {', '.join(pairs)}\n"
    )
    typed = Spec.at(tmp_path / "packed.yaml").typed()
    assert [each.status for each in laws(typed, analyse(typed)).laws] == ["proved"]


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        (RNN, "reduces to simple_rnn with U = recurrent_kernel", "`bias` of simple_rnn is not here"),
        (RNN, "reduces to simple_rnn with bias = 0", "`recurrent_kernel` of simple_rnn is not here"),
        (RNN, "reduces to lstm", "there is no state `c` here"),
        (PACKED, "reduces to simple_rnn", "`kernel` has the labels i, g here, and no labels in simple_rnn"),
        (PACKED, "reduces to gru", "`kernel` has the labels i, g here, and the labels z, r, h in gru"),
        (RNN, "reduces to gru with U = recurrent_kernel", "has no labels here, and the labels z, r, h in gru"),
        (
            RNN,
            "reduces to simple_rnn with kernel = recurrent_kernel, U = kernel, bias = 0",
            "`U` is [units, units] here",
        ),  # fmt: skip
        (RNN, "reduces to simple_rnn with U = 0, recurrent_kernel = identity, bias = 0", "in SimpleRNN"),
        (RNN, "reduces to simple_rnn(activation = relu) with U = recurrent_kernel, bias = 0", "in SimpleRNN"),
        (PER_GATE, f"reduces to lstm with {weights('figo')}, bias = 0", "in LSTM"),
        (PER_GATE, "reduces to lstm with W_i = kernel.i, bias = 0", "`kernel.f` of lstm is not here"),
    ],
)
def test_a_cell_is_not_another_one(text, line, why):
    found, diagnostics = judged(text, line)
    assert found.status == "refuted" and why in found.why
    assert "CG401" in [each.code for each in diagnostics]


CIFG = """
cell: Cell
gates: [i, f, g, o]
state: {h: units, c: units}
options: {use_bias: true}
equations: |
  z: [gates, units] = affine(x, h[t-1], bias=use_bias)
  i = sigmoid(z.i)
  f = sigmoid(z.f)
  o = sigmoid(z.o)
  c = f * c[t-1] + i * tanh(z.g)
  h = o * tanh(c)
"""

LEAKY = """
cell: Cell
state: {h: units}
params: {W: [input, units], V: [input, units], a: [units], b: [units]}
equations: |
  f = sigmoid(x @ W + a)
  h = f * h[t-1] + (1 - f) * (x @ V + b)
"""
PART = "V = kernel.h, b = bias.h"
ITSELF = """
cell: Cell
dims: {units: required}
inputs: {x: [units]}
state: {h: units}
params: {W: [units, units], a: [units]}
equations: |
  f = sigmoid(x @ W + a)
  h = f * h[t-1] + (1 - f) * x
"""
SAME = "units = input, W = -kernel.z, a = -bias.z, bias.h = 0"


@pytest.mark.parametrize(
    ("text", "line", "status"),
    [
        (CIFG, "reduces to coupled_lstm(use_peepholes = false) with f = 1 - i, use_bias = true", "proved"),
        (CIFG, "reduces to coupled_lstm(use_peepholes = false) with f = 1-i when use_bias", "proved"),
        (CIFG, "reduces to coupled_lstm(use_peepholes = false) with i = 1 - f, use_bias = true", "refuted"),
        (CIFG, "reduces to coupled_lstm(use_peepholes = false) with f = 1 - o, use_bias = true", "refuted"),
        (CIFG, "reduces to coupled_lstm(use_peepholes = false) with f = 1 - i", "refuted"),  # without a bias
        (LEAKY, f"reduces to mingru with W = -kernel.z, a = -bias.z, {PART}", "proved"),
        (LEAKY, f"reduces to mingru with W = -kernel.z, a = bias.z, {PART}", "refuted"),
        (LEAKY, f"reduces to mingru with W = kernel.z, a = bias.z, {PART}", "refuted"),
        (LEAKY, "reduces to mingru with W = -kernel.z, a = -bias.z, V = -kernel.h, b = bias.h", "refuted"),
        (LEAKY, f"reduces to mingru with W = -kernel.z, a = 0, bias.z = 0, {PART}", "proved"),
        (LEAKY, f"reduces to mingru with W = -kernel.z, a = 1, bias.z = -1, {PART}", "proved"),
        (LEAKY, f"reduces to mingru with W = -kernel.z, a = 1, bias.z = 1, {PART}", "refuted"),
        (LEAKY, f"reduces to mingru with W = -kernel.z, bias.z = 0, {PART}", "refuted"),
        (ITSELF, f"reduces to mingru with {SAME}, kernel.h = identity", "proved"),
        (ITSELF, f"reduces to mingru with {SAME}, kernel.h = 1", "refuted"),
        (ITSELF, f"reduces to mingru with {SAME.replace('-', '')}, kernel.h = identity", "refuted"),
    ],
)
def test_gates_are_tied_signs_turned_and_parts_given(text, line, status):
    assert judged(text, line)[0].status == status


@pytest.mark.parametrize(("bias", "status"), [("bias.input.h = bias", "proved"), ("bias.input = bias", "refuted")])
def test_a_part_of_our_weight_is_set(bias, status):
    cut = f"kernel.h = kernel, recurrent_kernel.h = recurrent_kernel, {bias}"
    text = Spec.at("gru").source.text.split("laws:")[0]
    line = f"reduces to simple_rnn with {cut}, z = 0, r = 1"
    assert judged(text, f"{line}, bias.recurrent = 0")[0].status == status
    assert judged(text, line)[0].status == "refuted"  # the bias inside the reset is there


@pytest.mark.parametrize("value", ["1 - i", "i * o", "clip(i, 0, 0.5)"])
def test_what_a_gate_is_set_to_after_with_is_set_as_after_when(value):
    other = "reduces to coupled_lstm(use_peepholes = false)"
    one, _ = judged(CIFG, f"{other} with f = {value} when use_bias")
    two, _ = judged(CIFG, f"{other} when use_bias, f == {value}")
    assert (one.status, one.why) == (two.status, two.why) and one.status == ("proved" if "1 -" in value else "refuted")


def test_another_output_is_another_cell():
    text = RNN.replace("equations:", "output: y\nequations:") + "  y = 2 * h\n"
    found, _ = judged(text, "reduces to simple_rnn with U = recurrent_kernel, bias = 0")
    assert found.status == "refuted" and found.why.startswith("y = ")


def test_one_equation_of_many_is_changed():
    text = Spec.at("nas").source.text.split("laws:")[0]
    assert judged(text, "reduces to nas")[0].status == "proved"
    found, _ = judged(text.replace("tanh(a4 * a5)", "tanh(a4 + a5)"), "reduces to nas")
    assert found.status == "refuted" and "in NAS" in found.why


def test_one_inherited_equation_is_changed(tmp_path):
    path = tmp_path / "mine.yaml"
    for equation, status in (("tanh(a4 * a5)", "proved"), ("tanh(a4 + a5)", "refuted")):
        path.write_text(f"extends: nas\ncell: Mine\nequations: |\n  l2 = {equation}\nlaws: |\n  reduces to nas\n")
        found = laws(typed := Spec.at(path).typed(), analyse(typed)).laws[-1]
        assert (found.claim, found.status) == ("reduces to nas", status)


def test_gates_that_the_other_cell_does_not_have():
    text = """
cell: Cell
gates: [r, g, c]
state: {h: units}
params: {kernel: [input, gates*units], recurrent_kernel: [units, gates*units], bias: [gates*units]}
equations: |
  z: [gates, units] = x @ kernel + h[t-1] @ recurrent_kernel + bias
  g = sigmoid(z.g)
  c = tanh(z.c * sigmoid(z.r))
  h = g * h[t-1] + (1 - g) * c
"""
    found, _ = judged(text, "reduces to ugrnn")
    assert found.status == "refuted" and "in UGRNN" in found.why


BIASED = RNN.replace("U: [units, units]}", "U: [units, units], bias: [units]}").replace(
    "h[t-1] @ U)", "h[t-1] @ U + bias)"
)
PAIRS = "with U = recurrent_kernel"


def changed(h):
    return BIASED.replace("  h = tanh(x @ kernel + h[t-1] @ U + bias)", f"  a = x @ kernel\n  {h}")


@pytest.mark.parametrize(
    "apart",
    ["gelu(a) - gelu(-a) - a", "silu(a) - silu(-a) - a", "gelu(a) * (1 + tanh(a)) - 2 * gelu(a) * sigmoid(2 * a)"],
)
def test_rounding_refutes_no_reduction(apart):
    """It is zero, and float64 makes of it some 1e-17."""
    found, _ = judged(
        changed(f"h = tanh(a + h[t-1] @ U + bias + 1.0e15 * ({apart}))"), f"reduces to simple_rnn {PAIRS}"
    )
    assert found.status in ("proved", "unknown")


def test_a_small_difference_refutes():
    found, diagnostics = judged(
        changed("h = tanh(a + h[t-1] @ U + bias) + 0.001 * a"), f"reduces to simple_rnn {PAIRS}"
    )
    assert found.status == "refuted" and found.why.startswith("h = ") and ", but h = " in found.why
    assert "step 1 of a run" in diagnostics[0].label.text


def test_what_is_no_number_is_another_cell():
    found, _ = judged(
        changed("h = tanh(a + h[t-1] @ U + bias) + 0 * sqrt(relu(a) - 0.01)"), f"reduces to simple_rnn {PAIRS}"
    )
    assert found.status == "refuted" and found.why.startswith("h is not a number, but h = ")
    found, _ = judged(changed("h = tanh(a + h[t-1] @ U + bias) * (a - 1) / (a - 1)"), f"reduces to simple_rnn {PAIRS}")
    assert (found.status, found.why) == ("proved", "where `a - 1` is not 0")


def test_what_both_cells_ask_for_goes_without_saying(tmp_path):
    """Where one is no number, neither is the other."""
    text = changed("h = tanh((a + h[t-1] @ U) / (a - bias))")
    (tmp_path / "other.yaml").write_text(text.lstrip())
    (tmp_path / "one.yaml").write_text(text.lstrip() + "laws: |\n  reduces to other\n")
    typed = Spec.at(tmp_path / "one.yaml").typed()
    assert [(each.status, each.why) for each in laws(typed, analyse(typed)).laws] == [("proved", "")]


@pytest.mark.parametrize(
    ("fact", "status"),
    [("h[t-1] == 0", "proved"), ("h[t-1] == 0.5", "refuted"), ("s == 1", "proved"), ("s == 0", "refuted")],
)
def test_numbers_are_those_of_what_the_law_is_about(fact, status):
    """What is set is set for both cells, and a condition holds: the gap is zero there (and gelu has its identity)."""
    text = changed("gap = where(s > 0, 0, 1) + relu(h[t-1])\n  h = tanh(a + h[t-1] @ U + bias) + gap * (gelu(a) - 2)")
    text = text.replace("  gap =", "  s = step(h[t-1] + 1)\n  gap =")
    if fact.startswith("s"):
        text = text.replace("+ relu(h[t-1])", "+ 0 * a").replace("step(h[t-1] + 1)", "step(a)")
    text = text.replace("gap * (gelu(a) - 2)", "gap * (gelu(a) - 2) + gelu(a) - gelu(-a) - a")
    found, _ = judged(text, f"reduces to simple_rnn {PAIRS} when {fact}")
    assert found.status == status


@pytest.mark.full
@pytest.mark.parametrize("stem", sorted(path.stem for path in shipped().glob("*.yaml")))
def test_every_two_cells_are_compared(stem):
    if Spec.at(stem).is_stack:
        return
    text = Spec.at(stem).source.text.split("\nlaws:")[0]
    for other in sorted(path.stem for path in shipped().glob("*.yaml")):
        if not Spec.at(other).is_stack:
            found, _ = judged(text, f"reduces to {other}")
            assert found.status in ("proved", "refuted") if other != stem else found.status == "proved"


def test_a_weight_may_have_a_labelled_axis_twice(tmp_path):
    text = """
cell: One
gates: [i, f]
state: {h: units}
params: {A: [units, gates], W: [gates, gates*units], U: [input, units]}
equations: |
  a = h[t-1] @ A
  z: [gates, units] = a @ W
  h = tanh(z.i + z.f + x @ U)
"""
    for other, status in (("z.i + z.f", "proved"), ("z.i + 2 * z.f", "refuted")):
        (tmp_path / "other.yaml").write_text(text.replace("z.i + z.f", other))
        (tmp_path / "one.yaml").write_text(text + "laws: |\n  reduces to other\n")
        typed = Spec.at(tmp_path / "one.yaml").typed()
        assert [each.status for each in laws(typed, analyse(typed)).laws] == [status]
