"""What laws say and what numbers do: crossed bounds, domains, masks; that rounding refutes nothing."""

import numpy as np
import pytest
import tensorflow as tf

from cellgen import compile
from cellgen.compiler import Spec
from cellgen.interpret.instance import Instance
from tests.prove.test_laws import cell, judged, statuses

CROSSED = cell(
    """
    a = clip(x @ W, low, high)
    h = tanh(h[t-1] @ U + x @ W) * a
""",
    "options: {low: {default: -1.0, in: [-1, 2]}, high: {default: 1.0, in: [0, 1]}}",
)


# --- one meaning of an operation ---


def test_the_range_of_a_clip_holds_where_its_bounds_cross():
    assert statuses(CROSSED, "a in [-1, 2]", "h in (-2, 2)", "a in [-1, 1]", "h in (-1, 1)") == [
        "proved",
        "proved",
        "refuted",
        "refuted",
    ]
    assert statuses(CROSSED, "a == low when low == 2, high == 0", "a == high when low == 2, high == 0") == [
        "proved",
        "refuted",
    ]


@pytest.mark.parametrize("jit", [False, True])
def test_a_clip_whose_bounds_cross_is_low_everywhere(jit):
    rng = np.random.default_rng(0)
    how = {"return_sequences": True, "dtype": "float64", "jit_compile": False, "unroll": True}
    layer = compile(text=CROSSED).Cell(4, low=2.0, high=0.0, **how)
    x = rng.normal(size=(2, 3, 3))
    layer.build(x.shape)
    weights = [rng.normal(size=weight.shape) for weight in layer.get_weights()]
    layer.set_weights(weights)
    out = np.asarray(tf.function(layer, jit_compile=jit)(x))
    oracle = Instance(Spec.of(CROSSED).typed(), {"input": 3, "units": 4, "low": 2.0, "high": 0.0})
    np.testing.assert_allclose(out, oracle.scan(weights, x).outputs, rtol=1e-12)
    first = np.tanh(x[:, 0] @ weights[0]) * 2
    np.testing.assert_allclose(out[:, 0], first, rtol=1e-12)


# --- an option is the decimal that it is written as, of which a layer is given the nearest double ---


def test_the_end_of_a_range_may_be_given_though_its_double_is_beyond_it():
    text = cell(
        """
    a = rate * step(x @ W)
    h = tanh(h[t-1] @ U + x @ W) * a
""",
        "options: {rate: {default: 0.2, in: [0.1, 0.9]}}",  # the double nearest to 0.9 is more than 9/10
    )
    assert statuses(text, "a in [0, 0.9]", "a in [0.1, 0.9]", "10 * a in [0, 8.9]", "a in [0, rate]") == [
        "proved",
        "refuted",
        "refuted",
        "proved",
    ]
    assert compile(text=text).Cell(4, rate=0.9)(np.ones((2, 5, 3), "float32")).shape == (2, 4)


def test_what_dropout_multiplies_by_is_0_or_one_by_what_is_kept():
    text = cell(
        """
    a = sigmoid(x @ W)
    d = dropout(a, rate, per=step)
    h = tanh(h[t-1] @ U + d)
""",
        "options: {rate: {default: 0.2, in: [0, 0.9]}}",
    )
    found = {
        "d in [0, 1.25] when rate == 0.2": "proved",
        "d in [0, 1.2] when rate == 0.2": "refuted",
        "d in [0, 2] when rate == 0.5": "proved",
        "d in [0, 10]": "proved",  # 1 / (1 - 0.9)
        "d in [0, 5]": "refuted",
        "d == a when rate == 0": "proved",
    }
    assert statuses(text, *found) == list(found.values())


# --- what rounding does refutes nothing ---

MIX = cell(
    """
    f = sigmoid(x @ W + h[t-1] @ U)
    g = tanh(x @ W)
    z = sigmoid(30 * (x @ W))
    h = f * h[t-1] + (1 - f) * g + 0 * z
"""
)


@pytest.mark.parametrize(
    "line",
    [
        "log(1 - z) == -softplus(30 * (x @ W))",
        "z / (1 - z) == exp(30 * (x @ W))",
        "(1 + tanh(9 * g)) / (1 - tanh(9 * g)) == exp(18 * g)",
        "(h - h[t-1]) / (g - h[t-1]) == 1 - f",
        "exp(1000 * z) / exp(1000 * z) == 1",
        "z * exp(800 * z + 800) / exp(800 * z + 800) in [0, 1]",
        "sigmoid(200 * (x @ W)) in (0, 1)",
        "tanh(60 * (x @ W)) in (-1, 1)",
        "1 - tanh(60 * (x @ W)) ** 2 in (0, 1]",
    ],
)
def test_rounding_and_overflow_refute_nothing(line):
    assert statuses(MIX, line)[0] in ("proved", "unknown")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("1 - z == 0", "1 - z = "),
        ("relu(h) in (0, inf)", "not above 0"),
        ("step(g) in [0, 1)", "not below 1"),
        ("z in (0, 0.999999)", "above 1"),
    ],
)
def test_what_is_so_is_refuted(line, said):
    (verdict,) = judged(MIX, line).laws
    assert verdict.status == "refuted" and said in verdict.why


# --- what is no number counts against a law ---


def verdict(text, line):
    (found,) = judged(text, line).laws
    return found.status, found.why


def test_the_root_of_what_is_negative_refutes():
    text = cell(
        """
        a = sqrt(-1 - square(x @ W))
        h = tanh(h[t-1] @ U) * minimum(a, 1)
    """
    )
    for line in ("a in [0, inf)", "h in (-1, 1)"):
        status, why = verdict(text, line)
        assert status == "refuted" and why.startswith("a is not a number")


def test_a_division_of_zero_by_zero_refutes():
    text = cell(
        """
        a = 1 / relu(x @ W)
        b = a * relu(x @ W)
        h = tanh(b + h[t-1])
    """,
        weights=("W",),
    )
    for line in ("b == 1", "b in [0, 2]", "h in (-1, 1)"):
        status, why = verdict(text, line)
        assert status == "refuted" and why.startswith("a is not a number")


def test_a_law_says_what_it_needs_that_is_not_shown():
    text = cell(
        """
        n = 0.5 * n[t-1] + x @ W
        h = tanh(1 / n)
    """,
        state="h: units, n: units",
        weights=("W",),
    )
    assert verdict(text, "h in (-1, 1)") == ("proved", "where `n` is not 0")
    assert verdict(text.replace("x @ W", "exp(x @ W)"), "h in (-1, 1)") == ("proved", "")
    guarded = text.replace("tanh(1 / n)", "tanh(where(n > 0, 1 / n, 0))")
    assert verdict(guarded, "h in (-1, 1)") == ("proved", "")


def test_more_than_is_looked_at_proves_nothing():
    """What an equation divides by is read under as many guards as there are ways to it: past a bound it is unknown."""

    def text(depth):
        nested = "".join(f"e{k} = where(a > {k}, e{k - 1}, 2 * e{k - 1})\n" for k in range(1, depth + 1))
        first = "a = x @ W\nb = x @ U\ne0 = a / (a - b)\n"
        return cell(f"{first}{nested}y = 0 * e{depth} + 1\nh = tanh(y + h[t-1])").replace(
            "U: {shape: [units", "U: {shape: [input"
        )

    assert verdict(text(2), "y == 1") == ("proved", "where `a - b` is not 0")
    assert verdict(text(10), "y == 1")[0] == "unknown"
    harmless = text(10).replace("a / (a - b)", "a * (a - b)")
    assert verdict(harmless, "y == 1") == ("proved", "")


def test_more_cases_than_are_looked_at():
    steps = "".join(f"s{k} = step(a - {k}) * step(h[t-1] - {k})\n" for k in range(8))
    text = cell(f"a = x @ W\n{steps}h = tanh(a + h[t-1] @ U) + 0 * ({' + '.join(f's{k}' for k in range(8))})")
    facts = ", ".join(f"s{k} == 0" for k in range(8))
    pairs = "with W = kernel, U = recurrent_kernel, bias = 0"
    for claim in ("h in (-1, 1)", f"reduces to simple_rnn {pairs}"):
        assert verdict(text, f"{claim} when {facts}") == ("unknown", "more than 64 cases")


def test_an_overflow_is_no_evidence():
    text = cell("h = exp(-exp(exp(3 * (x @ W)))) + 0 * h[t-1]", weights=("W",))
    assert verdict(text, "h in [0, 1)")[0] == "proved"
    text = cell("h = tanh(exp(exp(3 * (x @ W))) - exp(exp(2 * (x @ W)))) + 0 * h[t-1]", weights=("W",))
    assert verdict(text, "h in [-1, 1]")[0] == "proved"
    assert verdict(text, "h + sin(h) in [-2, 1.9]")[0] != "refuted"


# --- what a refutation says ---


def test_a_norm_has_its_own_name():
    norm = "over: [units], epsilon: 1.0e-5"
    norms = f"norms: {{ln: {{kind: layer, {norm}, scale: ones}}, rn: {{kind: rms, {norm}}}}}"
    text = cell("c = x @ W\nh = tanh(ln(c) + rn(c) + h[t-1])", norms, weights=("W",))
    for line in ("rn(c + 1) == rn(c)", "rn(c + 1) in (-1, 0)", "rn(2 * c) == ln(c)", "rn(h) free of h[t-1]"):
        status, why = verdict(text, line)
        assert status == "refuted" and why.startswith(f"{line.split(')')[0]})") and "normalize" not in why


# --- masked steps ---


def test_a_law_of_the_output_says_that_a_masked_step_gives_zero():
    text = cell("h = tanh(x @ W + h[t-1])\ny = 2 + h", "output: y", weights=("W",))
    assert verdict(text, "y in (1, 3)") == ("proved", "of steps that run; a masked one before them gives 0")
    assert verdict(text, "y in [0, 3)") == ("proved", "")
    assert verdict(text.replace("output: y", "output: y\nmask: none"), "y in (1, 3)") == ("proved", "")
    layer = compile(text=text).Cell(4, return_sequences=True)
    out = np.asarray(layer(np.ones((1, 3, 2), "float32"), mask=np.array([[False, True, False]])))
    assert (out[0, 0] == 0).all() and (out[0, 1:] > 1).all()
