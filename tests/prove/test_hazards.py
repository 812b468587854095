"""What ranges tell unasked: of gates, exponentials, operations without a value, conditions that are decided."""

import pytest

from cellgen.analyse.structure import analyse
from cellgen.compiler import Spec
from cellgen.prove.verdicts import laws
from tests.analyse.test_analyse import facts
from tests.prove.test_law_ranges import MIN_LSTM, ON_LSTM, PHASED, SLSTM
from tests.prove.test_laws import judged


def remarks(*args, **kwargs):
    """All that is told of a cell, but for weights without a gradient."""
    typed, found = facts(*args, **kwargs)
    told = (*found.diagnostics, *laws(typed, found).diagnostics)
    return [each for each in told if each.code != "CG409"]


def test_a_gate_that_is_not_squashed_is_remarked():
    found = remarks("""
        z = x @ W + h[t-1] @ U
        h = z * h[t-1] + (1 - z) * tanh(x @ V)
    """)
    assert [each.code for each in found] == ["CG405", "CG405"]
    assert found[0].label.span.text == "z"
    found = remarks("""
        z = sigmoid(x @ W + h[t-1] @ U)
        h = z * h[t-1] + (1 - z) * tanh(x @ V)
    """)
    assert not found


@pytest.mark.parametrize(
    "gate",
    [
        "clip(a, 0, 1)",
        "1 - sigmoid(a)",
        "exp(-abs(a))",
        "tanh(a) ** 2",
        "step(a)",
        "minimum(sigmoid(a), 0.5)",
        "where(a > 0, sigmoid(a), 1)",
        "1 / (1 + square(a))",
    ],
)
def test_a_gate_may_be_squashed_in_many_ways(gate):
    found = remarks(f"""
        a = x @ W
        h = {gate} * h[t-1] + a
    """)
    assert not found


def test_a_weight_that_is_trained_is_no_gate():
    found = remarks("h = tanh(x @ W + p * h[t-1])")
    assert not found


def test_an_exponential_needs_a_stabiliser():
    found = remarks("""
        i = x @ W
        h = tanh(h[t-1]) + exp(i)
    """)
    assert [each.code for each in found] == ["CG406"]
    assert found[0].label.span.text == "exp(i)"


def test_a_running_maximum_is_one():
    # sLSTM: Beck et al. 2024, arXiv:2405.04517, eq. 15-17
    found = remarks(
        """
        i = x @ W
        f = x @ V
        m = maximum(m[t-1] + f, i)
        a = exp(f - (m - m[t-1]))
        h = a * h[t-1] + exp(i - m) * tanh(i)
    """,
        "h: units, m: units",
    )
    assert [each.code for each in found] == ["CG407"]
    found = remarks(
        """
        i = x @ W
        f = x @ V
        m = maximum(m[t-1] + f, i)
        h = tanh(h[t-1]) * exp(i + i - m)
    """,
        "h: units, m: units",
    )
    assert [each.code for each in found] == ["CG406"]


def test_an_arm_that_can_be_infinite_is_noted():
    found = remarks("""
        a = x @ W + h[t-1]
        r = log(a)
        h = where(a > 0, r, 0)
    """)
    assert [(each.code, each.label.span.text) for each in found] == [("CG408", "r")]
    found = remarks("""
        a = x @ W + h[t-1]
        h = where(a > 0, log(a), 0)
    """)
    assert not found
    found = remarks("""
        a = exp(tanh(x @ W + h[t-1])) + 1
        r = 1 / a
        h = where(a > 2, r, 0)
    """)
    assert not found


@pytest.mark.parametrize(("gate", "remarked"), [("a", 0), ("a * sigmoid(x @ W)", 0), ("a * (x @ W)", 2)])
def test_a_gate_that_is_given_is_as_bounded_as_it_is_given(gate, remarked):
    found = remarks(
        f"""
        z = {gate}
        h = z * h[t-1] + (1 - z) * tanh(x @ V + x @ W)
    """,
        head="inputs: {x: [input], a: {shape: [1], default: 1}}",
    )
    assert [each.code for each in found] == ["CG405"] * remarked


def test_a_remark_says_in_which_variants_it_holds():
    found = remarks(
        """
        z = sigmoid(x @ W) if squashed else x @ W
        h = z * h[t-1] + x @ V
    """,
        head="options: {squashed: true}",
    )
    assert [each.message for each in found] == ["`z` weighs `h[t-1]` and has no bound where not squashed"]


# --- the verdicts are those of the screen ---


def codes(text):
    typed = Spec.of(text).typed()
    found = analyse(typed)
    return sorted(each.code for each in (*found.diagnostics, *laws(typed, found).diagnostics))


def test_an_exponential_of_a_bounded_state_needs_no_stabiliser():
    assert not remarks("h = tanh(x @ W + exp(h[t-1]))")


@pytest.mark.parametrize("text", [ON_LSTM, MIN_LSTM, PHASED, SLSTM])
def test_a_gate_that_is_a_ratio_is_bounded(text):
    assert not {"CG405", "CG406", "CG410"} & set(codes(text))


MLSTM = """
cell: MLSTM
dims: {units: required, key: required}
state: {c: [key, units], n: [key], m: [1]}
output: h
params:
  Q: [input, key]
  K: [input, key]
  V: [input, units]
  f: [input, 1]
  i: [input, 1]
equations: |
  q = x @ Q
  k = x @ K
  lf = log_sigmoid(x @ f)
  li = x @ i
  m = maximum(lf + m[t-1], li)
  fp = exp(lf + m[t-1] - m)
  ip = exp(li - m)
  c = fp * c[t-1] + ip * outer(k, x @ V)
  n = fp * n[t-1] + ip * k
  h = (q @ c) / maximum(abs(sum(n * q)), exp(-m))
"""


def test_what_stands_for_one_under_a_running_maximum_is_no_slip():
    assert codes(MLSTM) == ["CG407"]
    assert "CG406" in codes(MLSTM.replace("exp(-m)", "exp(-2 * m)"))


def test_a_decided_condition_is_told_with_what_follows():
    """The detector of the HM-LSTM with a sigmoid too many, as a published implementation has it."""
    text = Spec.at("hm_lstm").source.text
    slip = text.replace("sigmoid(slope * s.z)\n", "sigmoid(sigmoid(slope * s.z))\n").replace(
        "step(s.z)", "step(soft - 0.5)"
    )
    found = judged(slip.split("laws:")[0], "h == h")
    (told,) = [each for each in found.diagnostics if each.code == "CG412"]
    assert told.message.startswith("`step(soft - 0.5)` is always 1 where ") and "boundary == sigmoid" in told.message
    always = [each for each in found.traits if each.about == "always" and "z_new" in each.claim]
    assert [each.claim for each in always] == ["z_new == 1"]


# --- operations without a value everywhere ---


@pytest.mark.parametrize(
    ("equation", "told"),
    [
        ("h = sqrt(x @ W) + 0 * h[t-1]", "`x @ W` is no less than 0"),
        ("h = log(x @ W) + 0 * h[t-1]", "`x @ W` is more than 0"),
        ("h = tanh(x @ W) / h[t-1]", "`h[t-1]` is not 0"),
        ("h = (x @ W) ** 0.5 + 0 * h[t-1]", "`x @ W` is no less than 0"),
        ("h = (x @ W) ** -1 + 0 * h[t-1]", "`x @ W` is not 0"),
        ("h = sqrt(square(x @ W)) + 0 * h[t-1]", None),
        ("h = log(exp(x @ W) + 1) + 0 * h[t-1]", None),
        ("h = tanh(x @ W) / (1 + abs(h[t-1]))", None),
        ("h = sigmoid(x @ W) ** 0.5 + 0 * h[t-1]", None),
        ("h = where(x @ W > 0, sqrt(x @ W), 0) + 0 * h[t-1]", None),
        ("h = where(x @ W < 1, 0, 1 / (x @ W)) + 0 * h[t-1]", None),
        ("h = where(x @ W < -1, 0, 1 / (x @ W)) + 0 * h[t-1]", "`x @ W` is not 0"),
    ],
)
def test_an_operation_that_may_have_no_value_is_told(equation, told):
    found = [each for each in remarks(equation) if each.code == "CG410"]
    assert [each.message for each in found] == ([f"this is a number only where {told}"] if told else [])
