"""Laws: each kind of claim proved, refuted, open and empty; what is looked at unasked; and that proofs are sound."""

import random
import subprocess
import sys
from fractions import Fraction
from functools import cache, reduce

import numpy as np
import pytest
import sympy

from cellgen.analyse.structure import analyse
from cellgen.compiler import Spec
from cellgen.diagnostics.diagnostic import Report
from cellgen.interpret.arithmetic import NUMPY
from cellgen.interpret.instance import Instance
from cellgen.ir import intervals, op_ranges
from cellgen.ir.expr import Ref
from cellgen.ir.laws import ReducesTo
from cellgen.ir.ops import OPS, Interval
from cellgen.ir.program import Program
from cellgen.prove.enclose import Enclosure
from cellgen.prove.invariants import invariants
from cellgen.prove.law import Prover
from cellgen.prove.meaning import Meaning, Under, defaults
from cellgen.prove.polynomials import polynomial
from cellgen.prove.symbols import Arithmetic, Table
from cellgen.prove.value_cache import ValueCache
from cellgen.prove.verdicts import SYMPY, laws
from cellgen.refute.random_runs import Trial, given, moments
from tests.shipped import TODAY, TOLD, each_shipped, facts_of, typed_of

LSTM = """
cell: Cell
gates: [i, f, g, o]
state: {h: units, c: units}
equations: |
  z: [gates, units] = affine(x, h[t-1])
  i = sigmoid(z.i)
  f = sigmoid(z.f)
  g = tanh(z.g)
  o = sigmoid(z.o)
  c = f * c[t-1] + i * g
  h = o * tanh(c)
"""


def judged(text, *lines, strict=False):
    typed = Spec.of(text.strip("\n") + "\nlaws: |\n" + "".join(f"  {line}\n" for line in lines)).typed()
    return laws(typed, analyse(typed), strict)


def statuses(text, *lines):
    return [verdict.status for verdict in judged(text, *lines).laws]


def status(text, line):
    (found,) = statuses(text, line)
    return found


def cell(equations, *head, state="h: units", weights=("W", "U")):
    shapes = {"W": "[input, units]", "U": "[units, units]", "b": "[units]", "p": "[units]"}
    lines = [f"  {name}: {{shape: {shapes[name]}, init: glorot_uniform}}" for name in weights]
    body = [f"  {line.strip()}" for line in equations.strip().splitlines()]
    return "\n".join(["cell: Cell", f"state: {{{state}}}", *head, "params:", *lines, "equations: |", *body]) + "\n"


# --- the shipped specs ---


@cache
def found_of(stem):
    return laws(typed_of(stem), facts_of(stem), strict=True)


@each_shipped
def test_every_law_of_a_shipped_spec_is_proved_and_told_in_a_line(stem):
    found = found_of(stem)
    assert [verdict.status for verdict in found.laws] == ["proved"] * len(typed_of(stem).cell.laws)
    assert {each.code for each in found.diagnostics} == TOLD.get(stem, set())
    for verdict in (*found.laws, *found.traits):
        assert "\n" not in verdict.claim + verdict.why
        assert len(verdict.why) <= 90


def unlike(typed):
    """The variant in which every option is on, and that in which none is."""
    return (*typed.variants[:1], *typed.variants[1:][-1:])


@each_shipped
def test_no_numbers_are_found_against_what_is_proved(stem):
    typed, table = typed_of(stem), Table()
    for variant in unlike(typed):
        work = iter(range(100_000))
        prover = Prover(typed, Program(typed, variant), table, Report(), work)
        for law in typed.cell.laws:
            if not isinstance(law.claim, ReducesTo) and prover.outcome(law).status == "proved":
                assert prover.refuted(law) is None
        assert next(work) >= 24


def test_the_shipped_specs_have_laws_of_every_kind():
    kinds = {type(law.claim).__name__ for stem in TODAY for law in typed_of(stem).cell.laws}
    assert kinds == {"Equal", "Within", "FreeOf", "ReducesTo"}


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("f * c[t-1] + i * g", "f * c[t-1] - i * g", "c == f * c[t-1] + i * g"),
        ("f * c[t-1] + i * g", "i * c[t-1] + f * g", "c == c[t-1] when f == 1, i == 0"),
        ("o * tanh(c)", "o * c", "h in (-1, 1)"),
        ("f * c[t-1] + i * g", "f * c[t-1] + i * g + 0.001 * c[t-1]", "c free of c[t-1] when f == 0"),
    ],
)
def test_a_slip_in_an_equation_is_found(old, new, line):
    assert status(LSTM, line) == "proved"
    assert status(LSTM.replace(old, new), line) == "refuted"


# --- equalities ---


@pytest.mark.parametrize(
    "line",
    [
        "c == c[t-1] when f == 1, i == 0",
        "tanh(z.g) * (1 - i) == g - g * i",
        "1 - sigmoid(z.i) == sigmoid(-z.i)",
        "tanh(-z.g) == -g",
        "h == 0 when o == 0",
        "c == i when f == 0, g == 1",
        "(i + f) ** 2 == i ** 2 + 2 * i * f + f ** 2",
        "c / 2 == (f * c[t-1] + i * g) / 2",
        "i * c / i == c",
        "maximum(i, i) == i",
        "clip(2, 0, 1) == 1",
        "abs(-z.i) == abs(z.i)",
    ],
)
def test_an_equality_is_proved(line):
    assert status(LSTM, line) == "proved"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("c == c[t-1] when f == 1", "but c[t-1] ="),
        ("c == f * c[t-1]", "but f * c[t-1] ="),
        ("z.i == z.f", "but z.f ="),
        ("i == 0", "i = 0."),
        ("h == c", "but c ="),
        ("c == 1 when f == 0, i == 1", "c ="),
    ],
)
def test_an_equality_is_refuted_by_numbers(line, said):
    found = judged(LSTM, line)
    assert found.laws[0].status == "refuted" and said in found.laws[0].why
    (diagnostic,) = found.diagnostics
    assert (diagnostic.code, diagnostic.severity) == ("CG401", "error")
    assert diagnostic.label.span.text == line
    assert "step 1 of a run with input=3, units=4" in diagnostic.label.text


def test_the_numbers_are_those_of_the_interpreter():
    text = cell("h = 3 + 0 * h[t-1] + 0 * (x @ W)", weights=("W",))
    found = judged(text, "h == 5", "h * 2 == 7", "h in [4, 6]", "h in [-1, 1]")
    assert [verdict.why for verdict in found.laws] == ["h = 3", "h * 2 = 6", "h starts at 0", "h = 3, above 1"]


def test_an_equality_stays_open():
    line = "maximum(maximum(z.i, z.f), g) == maximum(z.i, maximum(z.f, g))"
    for strict, severity in ((False, "warning"), (True, "error")):
        found = judged(LSTM, line, strict=strict)
        assert found.laws[0].status == "unknown"
        assert [(each.code, each.severity) for each in found.diagnostics] == [("CG402", severity)]


def test_matmuls_are_equal_when_their_operands_are():
    text = cell(
        """
        r = sigmoid(x @ W)
        a = (r * h[t-1]) @ U
        s = h[t-1] @ U
        h = tanh(a + s)
    """,
        state="h: {shape: [units], initial: 0.5}",  # from 0 it would stay 0
    )
    assert statuses(text, "a == s when r == 1", "a == 0 when r == 0", "h == tanh(2 * s) when r == 1", "a == s") == [
        "proved",
        "proved",
        "proved",
        "refuted",
    ]


FILM = """
cell: Film
dims: {rows: inferred, columns: inferred, channels: inferred, filters: required}
gates: [f, g]
inputs: {x: [rows, columns, channels]}
state: {h: [rows, columns, filters], s: [rows, columns, filters]}
params: {K: [3, 3, channels, gates*filters], U: [3, 3, filters, filters], b: [filters]}
equations: |
  z = conv(x, K)
  d = conv(x, K, dilation=2)
  e = conv(h[t-1], U)
  w = conv(b * s[t-1], U)
  s = 0.5 * s[t-1] + conv(s[t-1], U) + conv(x, K.f)
  h = tanh(z.f + d.g + e + w)
"""


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("conv(x, K).f == conv(x, K.f)", "proved"),
        ("z.f == z.g", "refuted"),
        ("d == z", "refuted"),
        ("conv(x - 3 * x, K, dilation=2) == -2 * d", "proved"),
        ("conv(h[t-1] + s[t-1], U) == e + conv(s[t-1], U)", "proved"),
        ("conv(mean(s[t-1]) * s[t-1], U) == 0", "refuted"),
        ("w == conv(s[t-1], U)", "refuted"),
        ("w == e when h[t-1] == 1, s[t-1] == 1, b == 1", "proved"),
        ("e == 0 when U == 0", "proved"),
        ("e == 0 when h[t-1] == 0", "proved"),
        ("e == 0 when h[t-1] == 1", "refuted"),
        ("s free of h[t-1]", "proved"),
        ("h free of s[t-1]", "refuted"),
        ("h in (-1, 1)", "proved"),
    ],
)
def test_a_convolution_is_linear_and_couples_places(line, wanted):
    assert status(FILM, line) == wanted


def test_a_label_of_a_product_is_the_product_with_the_label():
    text = """
cell: Cell
gates: [a, b]
state: {h: units}
params:
  W: {shape: [input, gates*units], init: zeros}
equations: |
  z = x @ W
  h = tanh(z.a + z.b + h[t-1])
"""
    assert statuses(text, "z.a == x @ W.a", "z.a == x @ W.b", "z.a == z.b") == ["proved", "refuted", "refuted"]


def test_a_joint_norm_is_not_one_for_each_gate():
    text = """
cell: Cell
gates: [a, b]
state: {h: units}
params:
  W: {shape: [input, gates*units], init: zeros}
norms:
  joint: {kind: layer, over: [gates*units], epsilon: 1.0e-5}
  each_: {kind: layer, over: [units], epsilon: 1.0e-5}
equations: |
  z = x @ W
  y: [gates, units] = x @ W
  n = joint(z)
  m = each_(y)
  h = tanh(n.a + n.b + m.a + m.b + h[t-1])
"""
    assert statuses(text, "m.a == each_(z.a)", "n.a == each_(z.a)", "n.a == m.a") == ["proved", "refuted", "refuted"]
    # what one label's lane becomes depends on all lanes, and on which it is
    text = text.replace("z = x @ W", "z = x @ W + s")
    text = text.replace("norms:", "  s: {shape: [gates*units], init: zeros}\nnorms:")
    assert statuses(
        text,
        "n.a == joint(x @ W).a when s.a == 0, s.b == 0",
        "n.a == joint(x @ W).a when s.a == 0",
        "n.a == n.b",
        "m.a == each_(y).a",
    ) == ["proved", "refuted", "refuted", "proved"]


def test_operations_along_different_axes_differ():
    text = """
cell: Cell
dims: {units: required, key: required}
state: {h: units}
params:
  W: {shape: [input, units], init: zeros}
  K: {shape: [input, key], init: zeros}
equations: |
  m = outer(tanh(x @ W), tanh(x @ K))
  p = softmax(m, over=units)
  q = softmax(m, over=key)
  h = tanh(sum(p + q, over=key) + h[t-1])
"""
    lines = (
        "p == softmax(m, over=units)",
        "p == q",
        "m == outer(tanh(x @ W), tanh(x @ K))",
        "m in (-1, 1)",
        "p in [0, 1]",
    )
    assert statuses(text, *lines) == ["proved", "refuted", "proved", "proved", "proved"]


# --- ranges ---


@pytest.mark.parametrize(
    "line",
    [
        "h in (-1, 1)",
        "h in [-1, 1]",
        "i in (0, 1)",
        "i * g in (-1, 1)",
        "1 - f in (0, 1)",
        "f * o in (0, 1)",
        "square(z.i) in [0, inf)",
        "exp(z.i) in (0, inf)",
        "-abs(c) in (-inf, 0]",
        "h in (-1, 1) when o == 1",
        "c in (-1, 1) when f == 0",
        "c in [0, 0] when f == 0, i == 0",
        "minimum(c, 2) in (-inf, 2]",
        "clip(c, -3, 2) in [-3, 2]",
        "c in (-inf, inf)",
        "i * g + (1 - i) * h in (-1, 1)",
        "sigmoid(square(c)) in [0.5, 1)",
    ],
)
def test_a_range_is_proved(line):
    assert status(LSTM, line) == "proved"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("h in (0, 1)", "h starts at 0"),
        ("h in [0.5, 1]", "h starts at 0"),
        ("c in [-2, 2]", "c = 2.1"),
        ("c in (-1, 1) when f == 1", "c = "),
        ("g in [0, 1]", "below 0"),
        ("i in [0, 0.5]", "above 0.5"),
    ],
)
def test_a_range_is_refuted_by_a_run(line, said):
    found = judged(LSTM, line)
    assert found.laws[0].status == "refuted" and said in found.laws[0].why
    assert [each.code for each in found.diagnostics] == ["CG401"]


def test_a_range_stays_open():
    # that exp grows faster than its square root is not seen
    text = cell("h = sigmoid(x @ W) * exp(-sigmoid(x @ W)) + 0 * h[t-1]", weights=("W",))
    found = judged(text, "h in [0, 0.37]")
    assert found.laws[0].status == "unknown"
    assert found.diagnostics[0].help == ("what is shown is `h in [0, 1)`",)


def test_the_initial_state_is_in_the_range_too():
    text = cell("h = sigmoid(x @ W + h[t-1] @ U)")
    assert statuses(text, "h in (0, 1)", "h in [0, 1)", "sigmoid(x @ W) in (0, 1)") == ["refuted", "proved", "proved"]
    text = text.replace("state: {h: units}", "state: {h: {shape: [units], initial: 0.5}}")
    assert statuses(text, "h in (0, 1)", "h in [0, 0.4]") == ["proved", "refuted"]


def test_the_first_step_reads_the_initial_state():
    """Whatever the range of what later steps leave."""
    text = cell("k = step(h[t-1])\nh = sigmoid(x @ W + k)", weights=("W",))
    lines = "k == 1", "h[t-1] in (0, 1)", "h[t-1] in [0, 1)"
    assert statuses(text, *lines) == ["refuted", "refuted", "proved"]


def test_a_condition_may_hold_at_one_step_and_not_at_another():
    text = cell(
        """
        k = step(x @ W)
        h = where(k, 0.5 * h[t-1], 5)
    """,
        weights=("W",),
    )
    assert statuses(text, "h in [0, 1] when k == 1", "h in [0, 2.5] when k == 1", "h in [5, 5] when k == 0") == [
        "refuted",
        "proved",
        "proved",
    ]


def test_ranges_are_assumed_together():
    text = cell(
        """
        m = 0.5 * n[t-1] + 1.5 * tanh(x @ W)
        n = 0.5 * m[t-1] + 1.5 * tanh(x @ W)
    """,
        state="m: units, n: units",
        weights=("W",),
    )
    assert statuses(text, "m in [-3, 3]", "n in [-3, 3]") == ["proved", "proved"]
    assert statuses(text, "m in [-3, 3]", "n in [-1, 1]") == ["proved", "refuted"]


def test_a_range_that_needs_another_law_is_lost_with_it():
    # without a bound on k, the bound on h is an induction hypothesis that nothing supports
    text = cell(
        """
        k = 0.5 * k[t-1] + 5 * tanh(x @ W)
        h = 0.75 * h[t-1] + 0.25 * k[t-1]
    """,
        state="k: units, h: units",
        weights=("W",),
    )
    assert statuses(text, "k in (-10, 10)", "h in (-10, 10)") == ["proved", "proved"]
    assert statuses(text, "k in (-9, 9)", "h in (-9, 9)") == ["refuted", "unknown"]


def test_a_bound_may_be_an_option():
    text = cell(
        """
        a = x @ W + h[t-1] @ U
        h = clip(a, -limit, limit)
    """,
        "options: {limit: {default: 1.0, in: [0, 5]}}",
    )
    lines = "h in [-limit, limit]", "h in [-5, 5]", "h in [-1, 1] when limit == 1", "h in [0, limit]"
    assert statuses(text, *lines) == ["proved", "proved", "proved", "refuted"]


def test_a_numeric_option_is_any_number_of_its_range():
    option = "options: {alpha: {default: 0.5, in: [0, 1]}}"
    text = cell("h = alpha * h[t-1] + (1 - alpha) * tanh(x @ W)", option, weights=("W",))
    lines = "h in (-1, 1)", "h == h[t-1] when alpha == 1", "h == tanh(x @ W) when alpha == 0"
    assert statuses(text, *lines) == ["proved"] * 3
    text = text.replace(", in: [0, 1]", "")
    assert status(text, "h in (-1, 1)") == "refuted"
    assert status(text, "h in (-1, 1) when alpha == 0.25") == "proved"


def test_a_stabilised_exponential_is_at_most_one():
    text = cell(
        """
        m = maximum(m[t-1] - 1, x @ W)
        h = exp(m[t-1] - 1 - m) * h[t-1] + exp(x @ W - m)
    """,
        state="m: units, h: units",
        weights=("W",),
    )
    lines = "exp(m[t-1] - 1 - m) in (0, 1]", "m - x @ W in [0, inf)", "m - x @ W in (0, inf)"
    assert statuses(text, *lines) == ["proved", "proved", "refuted"]  # it is 0 where x @ W is the greater


# --- free of ---


def test_free_of_follows_what_is_read():
    text = cell(
        """
        r = sigmoid(x @ W)
        n = tanh((r * h[t-1]) @ U)
        c = n + c[t-1]
        h = n
    """,
        state="c: units, h: units",
    )
    lines = (
        "h free of c[t-1]",
        "h free of h[t-1]",
        "h free of h[t-1] when r == 0",
        "c - c[t-1] free of c[t-1]",
        "step(n) free of h[t-1]",
    )
    assert statuses(text, *lines) == ["proved", "refuted", "proved", "proved", "refuted"]


def test_free_of_is_refuted_by_two_steps():
    found = judged(LSTM, "h free of c[t-1]")
    assert "when c[t-1] alone is changed" in found.laws[0].why


def test_free_of_stays_open():
    assert status(LSTM, "exp(c[t-1]) / exp(c[t-1]) + log(exp(c[t-1])) - c[t-1] free of c[t-1]") == "unknown"


# --- facts ---


def test_a_fact_on_a_binary_name_is_a_condition():
    text = cell("""
        b = step(x @ W)
        k = step(h[t-1] @ U)
        both = b * k
        h = where(both, h[t-1], b)
    """)
    assert statuses(
        text,
        "h == h[t-1] when both == 1",
        "b == 1 when both == 1",
        "h == b when k == 0",
        "h == 0 when b == 0",
        "h == h[t-1] when b == 1",
        "b == 0 when both == 0",
        "h == 1 when both == 1, b == 0",
        "h == 0 when both == 0.5",
    ) == ["proved", "proved", "proved", "proved", "refuted", "refuted", "vacuous", "vacuous"]


def test_a_fact_on_another_name_is_an_intervention():
    # as a condition f == 1 would contradict sigmoid in (0, 1) and prove anything
    assert status(LSTM, "c == 7 when f == 1") == "refuted"
    # what follows from it in equation order is taken along
    coupled = LSTM.replace("f = sigmoid(z.f)", "f = 1 - i + 0 * z.f")
    lines = "c == c[t-1] when i == 0", "c == c[t-1] when i == 0, f == 1", "c == 0 when i == 0, f == 0"
    assert statuses(coupled, *lines) == ["proved", "proved", "vacuous"]


def test_a_fact_on_a_label_is_one_on_that_part():
    lines = "i == 0.5 when z.i == 0", "f == 0.5 when z.i == 0", "g == 0 when z.g == 0"
    assert statuses(LSTM, *lines) == ["proved", "refuted", "proved"]


def test_facts_that_contradict_say_so():
    found = judged(LSTM, "c == c[t-1] when f == 1, i == 0, i == 1")
    assert found.laws[0].status == "vacuous"
    assert [(each.code, each.severity) for each in found.diagnostics] == [("CG403", "error")]


def test_a_fact_beyond_an_options_range_leaves_no_case():
    text = cell("h = alpha * h[t-1] + x @ W", "options: {alpha: {default: 0.5, in: [0, 1]}}", weights=("W",))
    assert statuses(text, "h == x @ W when alpha == 0", "h == x @ W when alpha == 2") == ["proved", "vacuous"]


def test_a_law_may_be_vacuous_in_some_variants():
    text = cell(
        """
        k = step(x @ W) if fires else 0
        h = where(k, h[t-1], tanh(x @ W))
    """,
        "options: {fires: true}",
        weights=("W",),
    )
    found = judged(text, "h == h[t-1] when k == 1")
    assert (found.laws[0].status, found.laws[0].why) == ("proved", "where fires")
    assert not found.diagnostics


def test_a_law_speaks_of_the_variants_that_have_its_names():
    text = cell(
        """
        a = x @ W
        q = tanh(a) if deep else a
        e = tanh(q) if deep else 0
        h = e + q + h[t-1] if deep else tanh(a) + h[t-1]
    """,
        "options: {deep: true}",
        weights=("W",),
    )
    found = judged(text, "q in (-1, 1)", "q == q")
    assert [(each.status, each.why) for each in found.laws] == [("proved", "where deep"), ("proved", "where deep")]


def test_a_label_exists_where_it_is_read():
    text = Spec.at("hm_lstm").source.text.split("laws:")[0]
    assert judged(text, "s.z == s.z").laws[0].why == "where detector"


def test_a_weight_exists_where_it_is_read():
    text = cell(
        """
        h = tanh(x @ W + h[t-1])
        c = h + (b * c[t-1] if deep else c[t-1])
    """,
        "options: {deep: true}",
        "output: c",
        state="h: units, c: units",
        weights=("W", "b"),
    )
    assert judged(text, "h in (-1, 1) when b == 0").laws[0].why == "where deep"


def test_a_law_with_wrong_shapes_is_an_error():
    found = judged(LSTM, "h == x", "h in (-1, 1)")
    assert [verdict.status for verdict in found.laws] == ["unknown", "proved"]
    assert [each.code for each in found.diagnostics] == ["CG302"]


# --- variants and activations ---


def test_a_law_is_proved_for_every_activation_if_it_can_be():
    why = {verdict.claim: verdict.why for verdict in found_of("gru").laws}
    assert why["h == h[t-1] when z == 1"] == "for every activation"
    assert why["h in (-1, 1)"] == "with activation = tanh, recurrent_activation = sigmoid"


def test_a_law_that_fails_in_one_variant_says_in_which():
    text = cell("h = tanh(x @ W) + (h[t-1] if leak else 0 * h[t-1])", "options: {leak: false}", weights=("W",))
    found = judged(text, "h in (-1, 1)")
    assert found.laws[0].status == "refuted" and found.laws[0].why.endswith("where leak")
    assert "where leak" in found.diagnostics[0].message


# --- reduces to ---


def test_a_cell_reduces_to_another():
    lines = "reduces to lstm", "reduces to coupled_lstm", "reduces to simple_rnn"
    assert statuses(LSTM, *lines) == ["proved", "refuted", "refuted"]


def test_labels_states_and_weights_may_have_other_names():
    other = (
        LSTM.replace("[i, f, g, o]", "[a, b, d, e]")
        .replace("z.i", "z.a")
        .replace("z.f", "z.b")
        .replace("z.g", "z.d")
        .replace("z.o", "z.e")
        .replace("h: units, c: units", "h: units, m: units")
        .replace("c = f * c[t-1]", "m = f * m[t-1]")
        .replace("tanh(c)", "tanh(m)")
    )
    assert status(other, "reduces to lstm with a = i, b = f, d = g, e = o, m = c") == "proved"
    assert status(other, "reduces to lstm with a = f, b = i, d = g, e = o, m = c") == "refuted"


def test_a_reduction_is_refuted_by_a_step():
    found = judged(LSTM.replace("o * tanh(c)", "o * c"), "reduces to lstm")
    assert found.laws[0].status == "refuted" and "in LSTM" in found.laws[0].why
    assert [each.code for each in found.diagnostics] == ["CG401"]


def test_a_reduction_under_facts_and_settings():
    text = cell(
        """
        a = x @ kernel + p * h[t-1] + h[t-1] @ recurrent_kernel + bias
        h = tanh(scaled * a) if deep else a
    """,
        "options: {deep: true, scaled: 2.0}",
        weights=("p",),
    ).replace(
        "params:",
        """params:
  kernel: {shape: [input, units], init: zeros}
  recurrent_kernel: {shape: [units, units], init: zeros}
  bias: {shape: [units], init: zeros}""",
    )
    lines = (
        "deep = true, scaled = 1 when p == 0",
        "deep = true, scaled = 1",
        "deep = true when p == 0",
        "deep = false when p == 0",
    )
    found = statuses(text, *(f"reduces to simple_rnn with {line}" for line in lines))
    assert found == ["proved", "refuted", "refuted", "refuted"]


def test_a_reduction_asks_for_the_same_mask():
    found = judged(LSTM.replace("equations:", "mask: {kind: reset, states: [h, c]}\nequations:"), "reduces to lstm")
    assert (found.laws[0].status, found.laws[0].why) == ("refuted", "its mask is `hold`, here it is `reset`")


# --- looked at unasked ---


def traits(text, about):
    return [(verdict.status, verdict.claim) for verdict in judged(text, "h == h").traits if verdict.about == about]


def test_ranges_are_found_unasked():
    assert traits(LSTM, "range") == [
        ("proved", "i, f, o in (0, 1)"),
        ("proved", "g, h in (-1, 1)"),
        ("unknown", "no bound is shown for c"),
    ]


def test_a_mix_is_found_unasked():
    assert traits(LSTM, "mix") == [("proved", "c = f * c[t-1] + ..., f in (0, 1)")]
    gru = Spec.at("gru").source.text.split("laws:")[0]
    assert traits(gru, "mix") == [("proved", "h = z * h[t-1] + (1 - z) * n, z in (0, 1): a convex mix")]
    wide = cell("h = 2 * tanh(x @ W) * h[t-1] + (1 - 2 * tanh(x @ W)) * sigmoid(x @ W)", weights=("W",))
    assert traits(wide, "mix")[0][1].endswith("in (-2, 2): weights that sum to 1")
    two = cell("z = sigmoid(x @ W)\nu = tanh(x @ W)\nh = z * h[t-1] + (1 - z) * (u + z * u)", weights=("W",))
    assert traits(two, "mix")[0][1].startswith("h = z * h[t-1] + (1 - z) * (u + ")
    taken = cell("w = x @ W\nh = tanh(w + 1) * h[t-1] + w", weights=("W",))
    assert traits(taken, "mix") == [("proved", "h = ww * h[t-1] + ..., ww in (-1, 1)")]
    product = """
        g = 1 - sigmoid(x @ W)
        c = tanh(p)
        h = g * (c * h[t-1]) + x @ W
    """
    (_, claim), *_ = traits(cell(product, weights=("W", "p")), "mix")
    assert claim.startswith("h = (c - (1 - g) * c) * h[t-1] + ...")


def test_masks_are_looked_at():
    assert traits(LSTM, "mask") == [("proved", "hold: a masked step leaves h and c as they were")]
    reset = LSTM.replace("equations:", "mask: {kind: reset, states: [h, c]}\nequations:")
    assert traits(reset, "mask") == [("proved", "reset: where the mask is 0, a step reads nothing of what was carried")]
    half = LSTM.replace("equations:", "mask: {kind: reset, states: [h]}\nequations:")
    assert traits(half, "mask") == [("proved", "reset: where the mask is 0, a step reads only c of what was carried")]
    none = LSTM.replace("equations:", "mask: none\nequations:")
    assert traits(none, "mask") == [("proved", "none: a mask is refused")]


@pytest.mark.parametrize(
    ("equation", "dead"),
    [
        ("h = tanh(x @ W + h[t-1]) + b - b", True),
        ("h = tanh(x @ W + h[t-1]) + 0 * b", True),
        ("h = tanh(x @ W + h[t-1]) + step(b)", True),
        ("h = tanh(x @ W + h[t-1]) + stop_gradient(b)", True),
        ("h = where(b > 0, tanh(x @ W), h[t-1])", True),
        ("h = straight_through(step(x @ W + b), 0 * h[t-1])", True),
        ("h = straight_through(step(x @ W + b), tanh(b + h[t-1]))", False),
        ("h = tanh(x @ W + h[t-1] + b)", False),
        ("h = tanh(x @ W + h[t-1]) * b", False),
    ],
)
def test_a_weight_without_a_gradient_is_found(equation, dead):
    found = judged(cell(equation, weights=("W", "b")), "h == h")
    assert any("`b`" in each.message for each in found.diagnostics if each.code == "CG409") == dead
    claims = [verdict.claim for verdict in found.traits if verdict.about == "gradient"]
    assert any(claim.startswith("the gradient of ") and "b" in claim.split() for claim in claims) == dead
    assert ("every weight can get a gradient" in claims) == (not found.diagnostics)


def test_a_weight_that_is_not_trained_needs_no_gradient():
    cell = "cell: Cell\nstate: {h: units}\nparams:\n  W: [input, units]\n  b: {shape: [units], trainable: false}\n"
    text = cell + "equations: |\n  h = tanh(x @ W + h[t-1]) + stop_gradient(b)\n"
    assert traits(text, "gradient") == [("proved", "every trained weight can get a gradient")]
    assert traits(text.replace("W: [input, units]", "W: {shape: [input, units], trainable: false}"), "gradient") == []


def test_a_gradient_may_pass_through_an_earlier_step():
    text = cell(
        """
        h = tanh(c[t-1] + h[t-1])
        c = x @ W + b
    """,
        state="h: units, c: units",
        weights=("W", "b"),
    )
    assert traits(text, "gradient") == [("proved", "every weight can get a gradient")]


@pytest.mark.parametrize("output", ["h", "y"])
def test_a_learned_initial_state_gets_the_gradient_of_the_state(output):
    text = cell(
        """
        h = tanh(h[t-1] + x @ W)
        y = 2 * h
    """,
        f"output: {output}",
        state="h: {shape: [units], initial: b}",
        weights=("W", "b"),
    )
    text = text if output == "y" else text.replace("  y = 2 * h\n", "")
    assert traits(text, "gradient") == [("proved", "every weight can get a gradient")]


def carries(leaf, known):
    name, ago, *_ = leaf.place
    return ago and name not in known


@each_shipped
def test_sympy_agrees_with_the_structure_on_what_is_affine(stem):
    typed, table = typed_of(stem), Table()
    for variant, facts in zip(typed.variants, facts_of(stem).variants):
        meaning = Meaning(Program(typed, variant), table, Under(activations=defaults(typed.cell)))
        known = {state for state, found in facts.recurrences.items() if found.kind == "input"}  # of all steps at once
        for state, found in facts.recurrences.items():
            for expr in meaning.name(Ref(state)).lanes.values():
                atoms = {symbol: table.atoms[symbol] for symbol in expr.free_symbols}
                leaves = {each for each, atom in atoms.items() if atom.op == "leaf" and carries(atom, known)}
                terms = polynomial(table, expr)
                carried = [sum(power for symbol, power in term if symbol in leaves) for term in terms]
                operands = [each for atom in atoms.values() for each in atom.polynomials]
                behind = [leaf for leaf in table.reads(operands) if carries(table.atoms[leaf], known)]
                assert not (found.kind == "affine" and found.lanes) or max(carried) <= 1 and not behind


# --- that proofs are sound ---


def test_sympy_gives_a_meaning_to_every_operation():
    assert SYMPY.keys() == OPS.keys()


def _number(table, expr, at):
    """The number that a normal form is, where the leaves have these; elementwise atoms are computed by numpy."""
    values = {}
    for symbol in expr.free_symbols:
        atom = table.atoms[symbol]
        if atom.op == "leaf":
            values[symbol] = at[atom.place[0]]
        else:
            values[symbol] = float(NUMPY[atom.op](*(np.float64(_number(table, each, at)) for each in atom.operands)))
    total = 0.0
    for term, factor in polynomial(table, expr).items():
        part = float(factor)
        for symbol, power in term:
            part *= values[symbol] ** power
        total += part
    return total


@pytest.mark.parametrize("op", [name for name, op in OPS.items() if op.shape == "elementwise"])
def test_the_meaning_of_an_operation_is_that_of_numpy(op):
    rng = random.Random(0)
    table = Table()
    s = Arithmetic(table)
    names = "abc"[: OPS[op].arity]
    leaves = [s.atom("leaf", place=(name, 0, ()), binary=op == "where" and name == "a") for name in names]
    exact = (s.number(Fraction(3)),) if op == "pow" else ()
    free = leaves[: len(leaves) - len(exact)]
    expr = SYMPY[op](s, *free, *exact)
    shifted = expr if op == "where" else SYMPY[op](s, *(2 - leaf for leaf in free), *exact)
    for _ in range(50):
        at = {name: rng.uniform(0.1, 3) if op in ("log", "sqrt") else rng.gauss(0, 3) for name in names}
        if op == "where":
            at["a"] = float(rng.random() < 0.5)
        if op == "pow":
            at["b"] = 3.0
        expected = NUMPY[op](*(np.float64(at[name]) for name in names))
        assert _number(table, expr, at) == pytest.approx(float(expected), rel=1e-12, abs=1e-12)
        if op not in ("log", "sqrt", "where", "pow"):
            expected = NUMPY[op](*(np.float64(2 - at[name]) for name in names))
            assert _number(table, shifted, at) == pytest.approx(float(expected), rel=1e-12, abs=1e-12)


UNARY = [name for name, op in OPS.items() if (op.arity, op.shape) == (1, "elementwise")]


@pytest.mark.parametrize("op", [name for name in UNARY if name != "log"])
def test_operations_of_numbers_are_right(op):
    table = Table()
    s = Arithmetic(table)
    for value in (0, 1, 4, Fraction(1, 3)):
        expr = SYMPY[op](s, s.number(Fraction(value)))
        assert _number(table, expr, {}) == pytest.approx(float(NUMPY[op](np.float64(value))), rel=1e-12, abs=1e-12)


def _interval(rng):
    low, high = sorted(rng.choice([-3, -1, Fraction(-1, 2), 0, Fraction(1, 2), 1, 2, 4]) for _ in range(2))
    ends = [None if rng.random() < 0.2 else Fraction(low), None if rng.random() < 0.2 else Fraction(high)]
    wide = ends[0] is None or ends[0] != ends[1]
    return Interval(*ends, *(end is None or wide and rng.random() < 0.5 for end in ends))


def _inside(rng, interval):
    """A number of an interval; often near an end, or the end itself if it is taken."""
    low, high = (None if end is None else float(end) for end in (interval.low, interval.high))
    low = (high or 0.0) - 30 if low is None else low
    high = max(low, 0) + 30 if high is None else high
    kind = rng.random()
    if kind < 0.2 and interval.low is not None and not interval.low_open:
        return low
    if kind < 0.4 and interval.high is not None and not interval.high_open:
        return high
    return low + (high - low) * rng.choice([1e-9, 1 - 1e-9, rng.random()])


def _within(value, interval, slack=1e-7):
    above = interval.low is None or value >= float(interval.low) - slack
    return above and (interval.high is None or value <= float(interval.high) + slack)


@pytest.mark.parametrize("op", [name for name, op in OPS.items() if op.shape == "elementwise" and name != "pow"])
def test_the_range_of_an_operation_holds_its_values(op):
    rng = random.Random(2)
    for _ in range(300):
        given = [_interval(rng) for _ in range(OPS[op].arity)]
        found = op_ranges.RANGE[op](*given)
        for _ in range(10):
            values = [np.float64(_inside(rng, interval)) for interval in given]
            with np.errstate(all="ignore"):
                value = float(NUMPY[op](*values))
            if np.isfinite(value) and abs(value) < 1e12:
                assert _within(value, found, 1e-7 * (1 + abs(value))), (op, given, values)


def test_ends_that_are_taken_are_in_the_range():
    rng = random.Random(3)

    def taken(a):
        return [end for end, is_open in ((a.low, a.low_open), (a.high, a.high_open)) if not is_open]

    for _ in range(2000):
        a, b = _interval(rng), _interval(rng)
        for p in taken(a):
            for q in taken(b):
                assert intervals.inside(intervals.point(p + q), intervals.add(a, b))
                assert intervals.inside(intervals.point(p * q), intervals.multiply(a, b))
                assert intervals.inside(intervals.point(min(p, q)), intervals.minimum(a, b))
                assert intervals.inside(intervals.point(max(p, q)), intervals.maximum(a, b))
            assert intervals.inside(intervals.point(p**3), intervals.power(a, 3))
            assert intervals.inside(intervals.point(p**2), intervals.power(a, 2))
            assert intervals.inside(intervals.point(p), intervals.hull(a, b))


def test_ends_that_are_not_taken_are_not():
    unit = Interval(Fraction(0), Fraction(1), True, True)
    half = Interval(Fraction(0), Fraction(1), False, True)
    assert intervals.multiply(unit, unit) == unit
    assert intervals.multiply(unit, half) == half
    both = Interval(Fraction(-1), Fraction(1), True, True)
    assert intervals.multiply(unit, both) == both
    assert intervals.blend((unit, unit), unit) == unit
    assert intervals.blend((intervals.point(0), intervals.point(1)), unit) == unit
    assert intervals.blend((intervals.point(0), intervals.point(1)), half) == half
    assert intervals.blend((intervals.point(0), unit), unit) == unit
    assert intervals.blend((intervals.point(2), intervals.point(2)), unit) == intervals.point(2)


@pytest.mark.parametrize("seed", range(20))
def test_the_range_of_a_polynomial_holds_its_values(seed):
    rng = random.Random(seed)
    table = Table()
    s = Arithmetic(table)
    leaves = {s.atom("leaf", place=(name, 0, ()), binary=name == "e"): _interval(rng) for name in "abcde"}
    names = {leaf: table.atoms[leaf].place[0] for leaf in leaves}
    for leaf in leaves:
        if table.atoms[leaf].binary:
            leaves[leaf] = intervals.closed(Fraction(0), Fraction(1))
    expr = s.zero
    for _ in range(rng.randint(2, 6)):
        term = s.number(Fraction(rng.randint(-3, 3)))
        for leaf in rng.sample(list(leaves), rng.randint(0, 3)):
            factor = rng.choice([leaf, 1 - leaf, s.greatest(leaf, s.number(Fraction(1)))])
            term = s.product(term, factor)
        expr = s.sum(expr, term)
    found = Enclosure(table, leaves).of(expr)
    for _ in range(300):
        at = {names[leaf]: _inside(rng, interval) for leaf, interval in leaves.items()}
        at["e"] = float(rng.random() < 0.5)
        value = _number(table, expr, at)
        assert _within(value, found, 1e-6 * (1 + abs(value)))


@each_shipped
def test_the_ranges_that_are_found_hold_in_runs(stem):
    """What is looked at unasked is true of the interpreter, whatever the weights."""
    typed, checked, table = typed_of(stem), 0, Table()
    for variant in unlike(typed):
        meaning = Meaning(Program(typed, variant), table, Under(activations=defaults(typed.cell)))
        enclosure = Enclosure(table, invariants(typed.cell, table, meaning))
        for moment in moments(Trial(typed, variant, iter(range(10_000)))):
            for name in variant.live:
                value = moment.env[name]
                lanes = [enclosure.of(expr) for expr in meaning.name(Ref(name)).lanes.values()]
                if np.isfinite(value).all():  # it is not where an epsilon is negative
                    whole = reduce(intervals.hull, lanes)
                    assert _within(value.max(), whole) and _within(value.min(), whole)
                    checked += 1
    assert checked >= 24


# --- what is found once ---


def test_what_is_the_same_in_several_variants_is_found_once(monkeypatch):
    asked, found = [], []
    value, named = ValueCache.value, Meaning._named
    monkeypatch.setattr(ValueCache, "value", lambda *args: asked.append(1) or value(*args))
    monkeypatch.setattr(Meaning, "_named", lambda *args: found.append(1) or named(*args))
    laws(typed_of("hm_lstm"), facts_of("hm_lstm"))
    assert len(asked) > 1400 and len(found) < 220  # values of names


@pytest.mark.parametrize("stem", ["lstmp", "layer_norm_lstm", "regularised_lstm", "hm_lstm_stack"])
def test_what_is_recalled_is_what_would_be_found(stem, monkeypatch):
    once = found_of(stem)
    monkeypatch.setattr(ValueCache, "value", lambda self, origin, find: find())
    assert laws(typed_of(stem), facts_of(stem), strict=True) == once


# --- the house ---


def test_laws_are_the_same_under_every_hash_seed():
    program = (
        "from cellgen.compiler import Spec; from cellgen.analyse import analyse; from cellgen.prove import laws\n"
        "t = Spec.at('lstmp').typed(); f = analyse(t); v = laws(t, f)\n"
        "print(v.laws, v.traits, v.diagnostics, f.diagnostics)"
    )
    done = [
        subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed, "PATH": "/usr/bin"},
        ).stdout
        for seed in ("0", "4242")
    ]
    assert done[0] == done[1] and "proved" in done[0]


def test_importing_laws_imports_no_sympy_and_proving_no_numpy():
    program = (
        "import sys; import cellgen.prove; print(*{'sympy', 'numpy', 'tensorflow'} & set(sys.modules))\n"
        "from cellgen.compiler import Spec; from cellgen.analyse import analyse\n"
        "t = Spec.at('lstm').typed(); cellgen.prove.laws(t, analyse(t))\n"
        "print(*{'numpy', 'tensorflow'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["", ""]


def test_the_work_is_bounded():
    """A polynomial that doubles from line to line is cut; what can be proved without it is."""
    lines = ["a0 = x @ W + h[t-1]"]
    lines += [f"a{k} = (a{k - 1} + sigmoid(a{k - 1})) * (a{k - 1} - tanh(a{k - 1}) + {k})" for k in range(1, 20)]
    text = cell("\n".join([*lines, "h = tanh(a19)"]), weights=("W",))
    typed = Spec.of(text).typed()
    table = Table()
    meaning = Meaning(Program(typed, typed.variants[0]), table)
    sizes = [len(sympy.Add.make_args(expr)) for k in range(20) for expr in meaning.name(Ref(f"a{k}")).lanes.values()]
    assert max(sizes) <= 128
    assert statuses(text, "h in (-1, 1)", "a3 == 0") == ["proved", "refuted"]


def test_a_long_chain_of_mixes_keeps_its_range():
    lines = ["a0 = tanh(x @ W + h[t-1])"]
    for k in range(1, 16):
        lines += [f"g{k} = sigmoid(x @ W + {k})", f"a{k} = g{k} * a{k - 1} + (1 - g{k}) * tanh(x @ W - {k})"]
    assert status(cell("\n".join([*lines, "h = a15"]), weights=("W",)), "h in (-1, 1)") == "proved"


def test_a_product_of_many_flags_is_a_flag():
    lines = [f"b{k} = step(x @ W + {k} + h[t-1])" for k in range(20)]
    product = " * ".join(f"(1 - b{k})" for k in range(20))
    text = cell("\n".join([*lines, f"p = {product}", "h = p * h[t-1] + (1 - p) * tanh(x @ W)"]), weights=("W",))
    assert statuses(text, "h in (-1, 1)", "h == h[t-1] when p == 1") == ["proved", "proved"]


def test_an_instance_can_be_made_of_every_variant():
    """The search for numbers reaches every variant of every shipped spec."""
    for stem in TODAY:
        typed = typed_of(stem)
        for variant in typed.variants:
            oracle = Instance(typed, given(typed.cell, variant, {}, random.Random(0), 0))
            training = bool(variant.variant.get("training"))
            assert oracle.settings.variants[training].variant == variant.variant
