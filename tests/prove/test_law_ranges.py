"""Range laws: what is true of the real numbers is shown, of cells from papers and of each way to bound a value."""

import pytest

from cellgen.prove.enclose import Enclosure
from tests.prove.test_laws import LSTM, cell, status, statuses, traits

GRU = cell(
    """
    z = sigmoid(x @ W + h[t-1] @ U)
    n = tanh(x @ W)
    h = z * h[t-1] + (1 - z) * n
"""
)

JANET = """
cell: Janet
gates: [f, g]
options: {beta: {default: 1.0, in: [0, 1]}}
state: {h: units}
equations: |
  z: [gates, units] = affine(x, h[t-1])
  f = sigmoid(z.f)
  i = 1 - sigmoid(z.f - beta)
  h = f * h[t-1] + i * tanh(z.g)
"""

ON_LSTM = """
cell: OrderedNeurons
gates: [i, f, g, o, mi, mf]
state: {h: units, c: units}
equations: |
  z: [gates, units] = affine(x, h[t-1])
  mf = cumsum(softmax(z.mf))
  mi = 1 - cumsum(softmax(z.mi))
  w = mf * mi
  f = sigmoid(z.f)
  i = sigmoid(z.i)
  fh = f * w + (mf - w)
  ih = i * w + (mi - w)
  c = fh * c[t-1] + ih * tanh(z.g)
  h = sigmoid(z.o) * tanh(c)
"""

MIN_LSTM = """
cell: MinLSTM
gates: [f, i, h]
state: {h: units}
equations: |
  z: [gates, units] = affine(x, 0 * h[t-1])
  a = sigmoid(z.f)
  b = sigmoid(z.i)
  f = a / (a + b)
  i = b / (a + b)
  h = f * h[t-1] + i * z.h
""".replace("affine(x, 0 * h[t-1])", "x @ kernel").replace(
    "equations:", "params: {kernel: [input, gates*units]}\nequations:"
)

SLSTM = """
cell: SLSTM
gates: [i, f, z, o]
state: {h: units, c: units, n: units, m: units}
equations: |
  p: [gates, units] = affine(x, h[t-1])
  lf = log_sigmoid(p.f)
  m = where(n[t-1] > 0, maximum(lf + m[t-1], p.i), p.i)
  i = exp(p.i - m)
  f = where(n[t-1] > 0, exp(lf + m[t-1] - m), 1)
  c = f * c[t-1] + i * tanh(p.z)
  n = f * n[t-1] + i
  h = sigmoid(p.o) * c / n
"""

RG_LRU = """
cell: RGLRU
dims: {units: required}
inputs: {x: [units]}
state: {h: units}
params: {R: [units, units], I: [units, units], L: [units]}
equations: |
  r = sigmoid(x @ R)
  i = sigmoid(x @ I)
  log_a = -8 * r * softplus(L)
  a = exp(log_a)
  s = sqrt(1 - a ** 2)
  h = a * h[t-1] + s * (i * x)
"""

PHASED = """
cell: Phased
state: {h: units}
inputs: {x: [input], time: {shape: [1], index: true}}
params: {W: [input, units], U: [units, units], rate: [units], shift: [units], open: [units]}
equations: |
  phase = 0.5 + 0.5 * sin(time * rate + shift)
  r = sigmoid(open)
  k = where(phase < r / 2, 2 * phase / r, where(phase < r, 2 - 2 * phase / r, 0.001 * phase))
  h = k * tanh(x @ W + h[t-1] @ U) + (1 - k) * h[t-1]
"""


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (GRU, "h ** 2 in [0, 1)"),
        (GRU, "h ** 3 in (-1, 1)"),
        (GRU, "h * z in (-1, 1)"),
        (GRU, "1 - h ** 2 in (0, 1]"),
        (GRU, "1 - z ** 2 in (0, 1)"),
        (GRU, "z * (1 - z) in (0, 1)"),
        (GRU, "z * (1 - z) in (0, 0.25]"),
        (GRU, "z * z in (0, 1)"),
        (GRU, "sigmoid(h) in (0.25, 0.75)"),
        (GRU, "tanh(h) in (-0.762, 0.762)"),
        (GRU, "exp(h) in (0.36, 2.72)"),
        (GRU, "softplus(h) in (0.31, 1.32)"),
        (GRU, "sqrt(z) in (0, 1)"),
        (GRU, "sqrt(1 + z) in (1, 1.4143)"),
        (GRU, "log(1 + z) in (0, 0.694)"),
        (GRU, "sin(h) in (-0.842, 0.842)"),
        (GRU, "cos(h) in (0.54, 1]"),
        (GRU, "sqrt(1 - z ** 2) in (0, 1)"),
        (GRU, "1 / (1 + z) in (0.5, 1)"),
        (GRU, "relu(h) * z in [0, inf)"),
        (GRU, "silu(h) in (-0.27, 0.74)"),
        (GRU, "z ** 0.5 in (0, 1)"),
        (GRU, "mean(h) in (-1, 1)"),
        (GRU, "where(n < 0, sigmoid(n), n + 0.5) in [0, inf)"),
        (GRU, "where(x @ W < 0, sigmoid(x @ W), x @ W + 0.5) in [0, inf)"),
        (GRU, "where(n > z, n - z, 0) in [0, 1)"),
        (GRU, "where(x @ W > h, exp(h - x @ W), 0.5) in (0, 1)"),
        (GRU, "where(h > 0.5, 1 / h, 0) in [0, 2]"),
        (GRU, "minimum(h, z) - z in (-inf, 0]"),
        (GRU, "abs(h) - h in [0, inf)"),
        (GRU, "softmax(n) in (0, 1]"),
        (GRU, "cumsum(softmax(n)) in [0, 1]"),
        (GRU, "sum(softmax(n)) in [0, 1]"),
        (GRU, "sum(softmax(n) * h) in (-1, 1)"),
        (GRU, "sum(softmax(n) * h + relu(n)) in (-1, inf)"),
        (JANET, "f + i in [1, 2)"),
        (JANET, "h in (-3, 3)"),
        (ON_LSTM, "mf in [0, 1]"),
        (ON_LSTM, "fh in [0, 1]"),
        (ON_LSTM, "ih in [0, 1]"),
        (MIN_LSTM, "f in (0, 1)"),
        (MIN_LSTM, "i in (0, 1)"),
        (MIN_LSTM, "i / f in (0, inf)"),
        (SLSTM, "i in [0, 1]"),
        (SLSTM, "f in [0, 1]"),
        (RG_LRU, "a in (0, 1)"),
        (RG_LRU, "1 - a ** 2 in (0, 1)"),
        (RG_LRU, "s in (0, 1)"),
        (PHASED, "k in [0, 1]"),
        (PHASED, "h in (-1, 1)"),
        (LSTM, "i * (1 - i) in (0, 1)"),
        (LSTM, "h * o in (-1, 1)"),
    ],
)
def test_a_true_range_is_proved(text, line):
    assert status(text, line) == "proved"


def test_a_range_under_a_fact_is_its_own_induction():
    text = cell("h = keep * h[t-1] + tanh(x @ W)", "options: {keep: {default: 0.9, in: [0, 1]}}", weights=("W",))
    lines = "h in (-2, 2) when keep == 0.5", "h in (-4, 4) when keep == 0.75", "h in (-1, 1) when keep == 0.5"
    assert statuses(text, *lines) == ["proved", "proved", "refuted"]


def test_a_bound_that_rests_on_a_bounded_state():
    # c is a mix of numbers in (-1, 1), so h is less than tanh(1) = 0.76159...
    text = LSTM.replace("f = sigmoid(z.f)", "f = 1 - i + 0 * z.f").replace("h = o * tanh(c)", "h = o * tanh(c)")
    assert statuses(text, "h in (-0.762, 0.762)", "h in (-0.761, 0.761)")[0] == "proved"
    assert ("proved", "h in (-0.7616, 0.7616)") in traits(text, "range")


def test_the_limit_of_a_leaky_sum_is_found_unasked():
    text = cell("h = 0.5 * h[t-1] + tanh(x @ W)", weights=("W",))
    assert traits(text, "range") == [("proved", "h in (-2, 2)")]


def test_the_work_on_a_sum_of_quotients_grows_no_faster_than_the_sum(monkeypatch):
    work, own = [], Enclosure._polynomial

    def counted(self, *given):
        work[-1] += 1
        return own(self, *given)

    monkeypatch.setattr(Enclosure, "_polynomial", counted)
    for many in (2, 8):
        work.append(0)
        terms = " + ".join(f"z / (z + {each} * f + exp(u))" for each in range(1, many + 1))
        text = cell(f"u = x @ W\nz = sigmoid(u)\nf = sigmoid(u + x @ W)\nh = 0.5 * h[t-1] + {terms}", weights=("W",))
        assert ("proved", f"h in [0, {2 * many})") in traits(text, "range")
    assert work[1] < 6 * work[0]
