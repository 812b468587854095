"""Equalities: each of a list that authors want is proved, and a false one that looks like it refuted by numbers."""

import random
from fractions import Fraction
from functools import partial
from itertools import combinations

import numpy as np
import pytest

from cellgen.analyse.structure import analyse
from cellgen.compiler import Spec
from cellgen.interpret.arithmetic import NUMPY
from cellgen.ir.program import Program
from cellgen.prove.enclose import Enclosure
from cellgen.prove.equate import zero
from cellgen.prove.meaning import Meaning
from cellgen.prove.symbols import Arithmetic, Table
from cellgen.prove.verdicts import SYMPY, laws

CELL = """
cell: Cell
gates: [i, f, g, o]
state: {h: units, c: units, d: units}
params: {W: [input, units], V: [input, units], w: [units, units], K: [units, units]}
norms: {ln: {kind: layer, over: [units], epsilon: 1.0e-5}}
equations: |
  z: [gates, units] = affine(x, h[t-1])
  a = x @ W
  b = x @ V
  i = sigmoid(z.i)
  f = sigmoid(z.f)
  g = tanh(z.g)
  o = sigmoid(z.o)
  n = ln(a)
  re = b * cos(a)
  im = b * sin(a)
  part = f / (f + i)
  m = maximum(z.f + c[t-1], z.i)
  fp = exp(z.f + c[t-1] - m)
  ip = exp(z.i - m)
  mix = f * c[t-1] + (1 - f) * g
  size = exp(-softplus(z.o))
  once = 1 / relu(a)
  d = 0 * once + 0.5 * d[t-1]
  c = f * c[t-1] + i * g + 0 * (n + re + im + part + fp + ip + mix + size + h[t-1] @ K + h[t-1] @ w)
  h = o * tanh(c)
"""

TRUE = """
exp(a) * exp(-a) == 1
exp(a + b) == exp(a) * exp(b)
log(exp(a)) == a
sqrt(a ** 2) == abs(a)
sqrt(exp(a)) == exp(a / 2)
minimum(a, b) + maximum(a, b) == a + b
maximum(maximum(a, b), c[t-1]) == maximum(a, maximum(b, c[t-1]))
exp(maximum(a, b)) == maximum(exp(a), exp(b))
where(a > 0, a, 0) == relu(a)
where(a >= 0, a, 0) == relu(a)
step(a) * a == relu(a)
relu(a) - relu(-a) == a
abs(a) == maximum(a, -a)
i == 1 / (1 + exp(-z.i))
tanh(a / 2) == 2 * sigmoid(a) - 1
softsign(a) == a / (1 + abs(a))
hard_sigmoid(a) == clip(a / 6 + 0.5, 0, 1)
hard_silu(a) == a * minimum(maximum(a + 3, 0), 6) / 6
hard_tanh(a) == clip(a, -1, 1)
relu6(a) == minimum(relu(a), 6)
leaky_relu(a) == maximum(a, 0.2 * a)
silu(a) == a / (1 + exp(-a))
elu(a) == where(a > 0, a, exp(a) - 1)
selu(a) == 1.05070098735548049342 * where(a > 0, a, 1.67326324235437728482 * (exp(a) - 1))
softplus(a) == log(1 + exp(a))
log_sigmoid(a) == log(sigmoid(a))
mish(a) == a * tanh(log(1 + exp(a)))
exponential(a) == exp(a)
mean(n) == 0
ln(a + 1) == ln(a)
ln(a + sum(b)) == ln(a)
cos(a) ** 2 + sin(a) ** 2 == 1
cos(a + b) == cos(a) * cos(b) - sin(a) * sin(b)
re ** 2 + im ** 2 == b ** 2
part + i / (f + i) == 1
sum(softmax(a)) == 1
softmax(a) == exp(a) / sum(exp(a))
softmax(a + sum(b)) == softmax(a)
maximum(fp, ip) == 1
size ** 2 == exp(2 * log(size))
size ** 2 == exp(-2 * softplus(z.o))
size == 1 - o
sum(a + b) == sum(a) + sum(b)
sum(2 * a) == 2 * sum(a)
mean(a + 1) == mean(a) + 1
(a + b) @ w == a @ w + b @ w
(2 * a) @ w == 2 * (a @ w)
a @ (w + K) == a @ w + a @ K
outer(a + b, i) == outer(a, i) + outer(b, i)
sum((a @ w) * b) == sum((w @ b) * a)
log(1 - i) == -softplus(z.i)
log(i * f) == log(i) + log(f)
i / (1 - i) == exp(z.i)
(1 + g) / (1 - g) == exp(2 * z.g)
cumsum(a + b) == cumsum(a) + cumsum(b)
cumsum(2 * sum(b) * a) == 2 * sum(b) * cumsum(a)
cumsum(a / (1 + exp(b)) + a / (1 + exp(-b))) == cumsum(a)
gelu(a) - gelu(-a) == a
ln(-a) == -ln(a)
ln(1 - a) == -ln(a)
""".strip().splitlines()

FALSE = """
exp(a) * exp(-a) == 2
exp(a + b) == exp(a) + exp(b)
log(exp(a)) == abs(a)
sqrt(a ** 2) == a
minimum(a, b) + maximum(a, b) == a - b
where(a > 0, a, 0) == abs(a)
where(a <= 0, a, 0) == relu(a)
step(a) * a == -relu(a)
relu(a) + relu(-a) == a
abs(a) == maximum(a, 0)
i == 1 / (1 + exp(z.i))
tanh(a) == 2 * sigmoid(a) - 1
softsign(a) == a / (1 + a ** 2)
hard_sigmoid(a) == clip(a / 5 + 0.5, 0, 1)
silu(a) == a / (1 + exp(a))
elu(a) == where(a > 0, a, exp(a))
softplus(a) == log(1 - exp(a) / 2)
log_sigmoid(a) == log(1 - sigmoid(a))
mean(n) == 1
ln(a + b) == ln(a)
cos(a) ** 2 - sin(a) ** 2 == 1
re ** 2 + im ** 2 == b
part + i == 1
sum(softmax(a)) == 2
softmax(a + b) == softmax(a)
minimum(fp, ip) == 1
size ** 2 == exp(log(size))
size ** 2 == exp(-softplus(z.o))
sum(a * b) == sum(a) * sum(b)
sum(1 + a) == 1 + sum(a)
(a * b) @ w == (a @ w) * b
sum((a @ w) * b) == sum((b @ w) * a)
log(1 - i) == softplus(z.i)
log(i * f) == log(i) * log(f)
i / (1 - i) == exp(-z.i)
(1 + g) / (1 - g) == exp(z.g)
(mix - c[t-1]) / (g - c[t-1]) == f
cumsum(a * b) == a * cumsum(b)
cumsum(1 + a) == 1 + cumsum(a)
cumsum(sum(a) * b) == sum(b) * cumsum(a)
gelu(a) + gelu(-a) == a
gelu(a) == a * sigmoid(a)
ln(-a) == ln(a)
ln(2 * a) == 2 * ln(a)
""".strip().splitlines()


def judged(text, *lines):
    typed = Spec.of(text.strip("\n") + "\nlaws: |\n" + "".join(f"  {line}\n" for line in lines)).typed()
    return {verdict.claim: verdict for verdict in laws(typed, analyse(typed)).laws}


CONDITIONS = {
    "(mix - c[t-1]) / (g - c[t-1]) == 1 - f": "where `g - c[t-1]` is not 0",
    "a * b / a == b": "where `a` is not 0",
    "sqrt(a) ** 2 == a": "where `a` is no less than 0",
    "exp(log(b)) == b": "where `b` is more than 0",
    "where(a > 0, exp(log(a)), 0) == relu(a)": "",
    "where(a > 0, sqrt(a), 0) ** 2 == relu(a)": "",
    "a / (1 + abs(a)) * (1 + abs(a)) == a": "",
}

NO_NUMBER = ["once * relu(a) == 1", "relu(a) / relu(a) == 1", "where(a > 0, 0, a / relu(a)) == 0"]


@pytest.fixture(scope="module")
def verdicts():
    return judged(CELL, *TRUE) | judged(CELL, *FALSE) | judged(CELL, *CONDITIONS, *NO_NUMBER)


@pytest.mark.parametrize("line", TRUE)
def test_a_true_equality_is_proved(line, verdicts):
    assert (verdicts[line].status, verdicts[line].why) == ("proved", "")


@pytest.mark.parametrize("line", FALSE)
def test_a_false_equality_is_refuted(line, verdicts):
    assert verdicts[line].status == "refuted"


# --- where an expression is no number ---


@pytest.mark.parametrize("line", CONDITIONS)
def test_a_condition_is_said(line, verdicts):
    assert (verdicts[line].status, verdicts[line].why) == ("proved", CONDITIONS[line])


@pytest.mark.parametrize("line", NO_NUMBER)
def test_what_is_no_number_for_whole_ranges_is_not_proved(line, verdicts):
    assert verdicts[line].status != "proved"


# --- cells of papers ---


def test_what_a_mass_conserving_lstm_conserves():
    text = """
cell: MassConserving
state: {h: units, c: units}
inputs: {x: [1]}
params: {Wi: [units, units], Wo: [units, units], S: [units, units]}
equations: |
  i = softmax(h[t-1] @ Wi)
  o = sigmoid(h[t-1] @ Wo)
  R = softmax(S)
  mass = c[t-1] @ R + i * x
  h = o * mass
  c = (1 - o) * mass
"""
    found = judged(text, "sum(h) + sum(c) == sum(c[t-1]) + x", "sum(h) + sum(c) == sum(c[t-1])", "sum(h) == sum(c)")
    assert [each.status for each in found.values()] == ["proved", "refuted", "refuted"]


def test_what_an_antisymmetric_cell_turns_it_does_not_stretch():
    text = """
cell: Antisymmetric
state: {h: units}
options: {gamma: 0.01, epsilon: 0.01}
params: {U: [units, units], V: [input, units], b: [units]}
equations: |
  a = h[t-1] @ U - U @ h[t-1] - gamma * h[t-1]
  h = h[t-1] + epsilon * tanh(a + x @ V + b)
"""
    found = judged(text, "sum(a * h[t-1]) == 0 when gamma == 0", "sum(a * h[t-1]) == -gamma * sum(h[t-1] ** 2)")
    assert [each.status for each in found.values()] == ["proved", "proved"]
    (found,) = judged(text, "sum(a * h[t-1]) == 0").values()
    assert found.status == "refuted"


def test_what_a_linear_attention_reads_of_what_it_has_just_written():
    """A product with `@` in which each dim has a name of its own is a sum of products."""
    text = """
cell: LinearAttention
dims: {key: required, value: required}
state: {C: [key, value], n: [key]}
output: h
params: {Wk: [input, key], Wv: [input, value], Wq: [input, key], U: [key, key]}
equations: |
  k = x @ Wk
  v = x @ Wv
  q = x @ Wq
  C = C[t-1] + outer(k, v)
  n = n[t-1] + k
  h = q @ C + 0 * sum(k @ U)
"""
    true = "h == q @ C[t-1] + sum(q * k) * v", "q @ outer(k, v) == (k @ q) * v", "q @ k == sum(k * q)"
    false = "h == q @ C[t-1]", "q @ outer(k, v) == sum(q) * v", "k @ U == U @ k", "sum((q @ U) * k) == sum((k @ U) * q)"
    assert [each.status for each in judged(text, *true, *false).values()] == ["proved"] * 3 + ["refuted"] * 4


def test_both_gates_of_a_minimal_lstm_sum_to_one():
    text = """
cell: MinLSTM
gates: [i, f, h]
state: {h: units}
params: {W: [input, gates*units]}
equations: |
  z: [gates, units] = x @ W
  i = sigmoid(z.i) / (sigmoid(z.i) + sigmoid(z.f))
  f = sigmoid(z.f) / (sigmoid(z.i) + sigmoid(z.f))
  h = f * h[t-1] + i * z.h
"""
    found = judged(text, "f + i == 1", "h == h[t-1] + i * (z.h - h[t-1])", "f + i == 2")
    assert [each.status for each in found.values()] == ["proved", "proved", "refuted"]


# --- which states a law speaks of ---


def test_a_law_speaks_of_the_states_of_a_run():
    text = """
cell: Cell
state: {h: units, e: units}
params: {W: [input, units]}
equations: |
  e = 0.5 * e[t-1]
  k = sigmoid(x @ W)
  h = k * h[t-1] + (1 - k) * tanh(x @ W) + e
"""
    lines = "e == 0", "e in [0, 0]", "abs(h[t-1] + 1) == h[t-1] + 1", "h == 0 when k == 1", "h in [0, 0] when k == 1"
    assert [each.status for each in judged(text, *lines).values()] == ["proved"] * 3 + ["refuted"] * 2


def test_the_work_on_an_equality_is_bounded():
    text = CELL.replace("re = b * cos(a)", "re = b * cos(a) * " + " * ".join(f"abs(a - {k})" for k in range(9)))
    lines = "re == abs(re)", "re * im == im * re"
    assert [each.status for each in judged(text, *lines).values()] == ["refuted", "proved"]


# --- that proofs are sound ---

UNARY = "neg exp log sqrt sigmoid tanh relu abs softplus step square elu softsign silu sin cos hard_tanh".split()
BINARY = "add sub mul div minimum maximum less greater_equal".split()


def _grown(rng, depth):
    """A random expression over a and b."""
    if depth == 0 or rng.random() < 0.15:
        return rng.choice(["a", "b", 1, 2, -1, 0.5])
    if rng.random() < 0.5:
        return rng.choice(UNARY), _grown(rng, depth - 1)
    if rng.random() < 0.15:
        return "where", ("greater", "a", _grown(rng, 1)), _grown(rng, depth - 1), _grown(rng, depth - 1)
    return rng.choice(BINARY), _grown(rng, depth - 1), _grown(rng, depth - 1)


def _meant(operations, expr, number, names):
    if isinstance(expr, tuple):
        return operations[expr[0]](*(_meant(operations, each, number, names) for each in expr[1:]))
    return names[expr] if isinstance(expr, str) else number(expr)


def _exact(s, number):
    return s.number(Fraction(number))


@pytest.mark.parametrize("seed", range(4))
def test_nothing_is_proved_that_numbers_contradict(seed):
    rng, typed, shown = random.Random(seed), Spec.of(CELL).typed(), 0
    at = {
        name: np.array([rng.gauss(0, 1) * 3.0 ** rng.randint(-2, 1) for _ in range(200)] + [0.0, 1.0]) for name in "ab"
    }
    for _ in range(10):
        table = Table()
        meaning, s = Meaning(Program(typed, typed.variants[0]), table), Arithmetic(table)
        leaves = {name: s.atom("leaf", place=(name, 0, ())) for name in "ab"}
        operations = {name: partial(operation, s) for name, operation in SYMPY.items()}
        exact = partial(_exact, s)
        pool = [_grown(rng, rng.choice([1, 2, 2, 3])) for _ in range(10)]
        for one, other in combinations(pool, 2):
            exprs = [_meant(operations, each, exact, leaves) for each in (one, other)]
            if exprs[0] == exprs[1] or not zero(meaning, Enclosure(table, {}), s.difference(*exprs)):
                continue
            shown += 1
            with np.errstate(all="ignore"):
                values = [_meant(NUMPY, each, lambda n: np.full(202, float(n)), at) for each in (one, other)]
            known = np.isfinite(values).all(axis=0) & (abs(values[0]) < 1e6)
            assert np.allclose(values[0][known], values[1][known], rtol=1e-6, atol=1e-6), (one, other)
    assert shown
