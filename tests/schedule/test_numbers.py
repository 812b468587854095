"""Odd cells in numpy alone: the derived and the planned step beside the equations, derivatives beside differences.

It takes a tenth of a second a cell. What writes code is tried elsewhere.
"""

from functools import cache

import pytest

from cellgen.compiler import Spec, planned
from cellgen.fuzz.trial import Outcome, numerical
from tests.checkout import CHECKOUT
from tests.contract.test_every_cell import BIAS, CELLS, NUMBERS, PAIR, PLAIN, RNN, of_number, spec
from tests.derive.test_derived import CELLS as OF_GRADIENTS

HELD = [path for folder in ("specs", "regressions") for path in sorted((CHECKOUT / "tests" / folder).glob("*"))]
FLAG = "options: {f: false}\n"
TWO = "state: {h: units, c: units}\nparams: {W: [input, units], U: [units, units], V: [units, units]}\n"
SCALED = "inputs: {x: [input], on: {shape: [1], default: 1}}\n"
# what no other cell has: each comes to a place of the compiler that is for it alone
RARE = {
    "activations of a minus": spec(
        PLAIN, "h = 0.5 * h[t-1] + gelu(-h[t-1]) + mish(-h[t-1]) + hard_silu(-h[t-1]) - silu(-h[t-1]) + x @ W"
    ),
    "whole numbers and remainders": spec(
        BIAS, "a = h[t-1] @ U + x @ W", "h = tanh(mod(a, 2) + mod(1, b) * 0.1 + mod(b, a) - floor(3 * a) * b)"
    ),
    "a remainder of numbers alone": spec(
        "options: {s: 2}\n" + PLAIN, "k = mod(4, s)", "h = tanh(h[t-1]) * floor(mod(6, 4)) + k + x @ W"
    ),
    "sizes as numbers": spec(
        "dims: {input: inferred, units: required, heads: 2, key: units/heads, proj: units}\ngates: [a, b]\n"
        "state: {h: units, p: proj}\n"
        "params: {W: [input, units], Q: [units, heads, key], P: [units, proj], Z: [units, gates*units]}\n",
        *("k = key", "z: [gates, units] = h[t-1] @ Z", "q: [units] = (h[t-1] @ Q) / sqrt(key)"),
        "p = tanh(h[t-1] @ (P / proj)) / (proj if proj else 2) + p[t-1] / units",
        "r = maximum(sqrt(units * 2), z.b) * mean(p)",
        "h = tanh(q * gates + x @ (W / sqrt(input)) + minimum(k / heads, z.a)) + r",
    ),
    "places as numbers": spec(
        "dims: {units: required, heads: 2, key: units/heads}\ngates: [a, b]\n"
        "state: {h: units}\nparams: {W: [input, units], Q: [units, heads, key], G: [units, gates*units]}\n",
        *("q = h[t-1] @ Q", "g: [gates, units] = (x @ W) @ G"),
        *("r = mod(range(units), 2)", "s = outer(softmax(-range(heads)), tanh(range(key) / key))"),
        "u: [units] = q * s + range(heads*key) @ Q",
        "h = tanh(u * cos(range(units) / units) + r * g.a + 0 * g.b + sum(range(gates) * g, over=gates))",
    ),
    "values that move": spec(
        "dims: {units: required, heads: 2, key: units/heads}\ngates: [a, b]\n"
        "state: {h: units}\nparams: {W: [input, units], Q: [units, heads, key], G: [units, gates*units], b: [units]}\n",
        *("q = h[t-1] @ Q", "g: [gates, units] = (x @ W) @ G", "r = roll(g, by=1, over=gates)"),
        "u: [units] = roll(q, by=1, over=heads) * shift(q, by=-1) + shift(tanh(q), by=1, over=heads)",
        "h = tanh(roll(u, by=-2) + r.a * shift(b, by=1) + r.b + shift(h[t-1], by=9))",
    ),
    "values that are called as functions that came later": spec(
        "options: {floor: 0.5, mod: {one_of: activations, default: tanh}}\nstate: {h: units, shift: units}\n"
        "params: {W: [input, units], roll: [units, units]}\n",
        *("range = h[t-1] @ roll + floor", "shift = 0.5 * shift[t-1] + mod(range)", "h = tanh(range + x @ W) * shift"),
    ),
    "exponents that are computed": spec(
        BIAS,
        *("a = h[t-1] @ U + x @ W", "p = (0.1 + abs(a)) ** b", "q = 2 ** tanh(a) + exp(tanh(b)) ** h[t-1]"),
        "h = tanh(p * 0.3 + q + sigmoid(b) ** 3 + sigmoid(a) ** sigmoid(h[t-1]) + a ** units)",
    ),
    "blocks of which both axes have one name": spec(
        "dims: {units: required, heads: 2, key: units/heads}\nstate: {h: units, s: [heads, key, key]}\n"
        "params: {W: [input, units], R: [heads, key, key], L: [heads, key, key], k: [heads, key]}\n",
        *("q: [heads, key] = h[t-1] + x @ W", "r = tanh(q @ R) + L @ q + R @ k"),
        "s = 0.5 * s[t-1] + outer(r, tanh(q))",
        *("u: [units] = q @ s + s @ q", "h = tanh(u) * 0.5 + h[t-1] / 3"),
    ),
    "zeros and signs in a sum": spec(
        BIAS, "a = tanh(h[t-1] @ U - (2 - x @ W) - 0)", "h = 0.5 * h[t-1] * a - (-(x @ W) + b) + (0 - b)"
    ),
    "a one and a zero in products": spec(PLAIN, "h = h[t-1] / 1 + tanh(1 * h[t-1]) * 1 + 0 * h[t-1] + x @ W"),
    "one of two numbers": spec(FLAG + PLAIN, "h = tanh(h[t-1] * (0.3 if f else 0.5)) + x @ W"),
    "a number that an option is in": spec(
        "options: {s: 0.5}\n" + PLAIN, "h = maximum(2 * s - 1.2, h[t-1]) * 0.5 + x @ W"
    ),
    "one of two weights": spec(FLAG + BIAS, "h = tanh(h[t-1] * (tanh(b) if f else b)) + x @ W + h[t-1] @ U"),
    "numbers that are computed": spec("options: {s: 0.5}\n" + PLAIN, "k = 2 * s", "h = tanh(k * h[t-1]) * k + x @ W"),
    "an arm that is never taken": spec(FLAG + BIAS, "h = tanh(((h[t-1] @ U if f else h[t-1]) if f else b) + x @ W)"),
    "a sum of products by a name": spec(
        TWO, "p = h[t-1] @ U + c[t-1] @ V", "z = p + x @ W", "h = tanh(z)", "c = sigmoid(h) * c[t-1]"
    ),
    "the same two weights twice": spec(
        TWO,
        "z = h[t-1] @ U + c[t-1] @ V + x @ W",
        "y = c[t-1] @ U + h[t-1] @ V + x @ W",
        *("h = tanh(z) * z", "c = sigmoid(y) - y"),
    ),
    "wholes that are called the same": spec(
        f"gates: [p, q, r, s]\nstate: {{h: units}}\n{PAIR}",
        "z: [gates, units] = x @ W + h[t-1] @ U + b",
        *("f_i = sigmoid(z.p)", "o = sigmoid(z.q)", "f = tanh(z.r)", "i_o = tanh(z.s)"),
        "h = f_i * h[t-1] + o * f * i_o",
    ),
    "joined weights and a whole that are called the same": spec(
        "gates: [p, q]\nstate: {h: units, e: units}\n"
        "params: {W: [input, gates*units], U: [units, gates*units], a: [units, units], b_c: [units, units]}\n",
        "z: [gates, units] = x @ W + h[t-1] @ U",
        *("a_b = sigmoid(z.p)", "c = sigmoid(z.q)", "e = h[t-1] @ a + e[t-1] @ b_c", "h = tanh(e) * a_b * c"),
    ),
    "a value that is called as what is drawn": spec(
        RNN, "keep = h[t-1] @ U + dropout(x, 0.5, per=step) @ W", "h = tanh(keep)"
    ),
    "a sum of products that is read twice": spec(
        TWO, "p = h[t-1] @ U + c[t-1] @ V", "h = tanh(p + x @ W) + sigmoid(p)", "c = 0.5 * c[t-1] + h"
    ),
    "a sum of products that is read beside the sum it is in": spec(
        TWO,
        "p = h[t-1] @ U + c[t-1] @ V",
        "z = p + x @ W",
        *("h = tanh(z)", "c = 0.5 * c[t-1] + sigmoid(p)"),
    ),
    "a sum of products that is the output": spec(
        "output: p\n" + TWO,
        "p = h[t-1] @ U + c[t-1] @ V",
        "z = p + x @ W",
        *("h = tanh(z)", "c = 0.5 * c[t-1] + h"),
    ),
    "a narrow product of one variant beside products": spec(
        FLAG + TWO.replace("V: ", "k: [units, 1], V: "),
        "z = h[t-1] @ U + c[t-1] @ V + (h[t-1] @ k if f else 0)",
        *("h = tanh(z + x @ W)", "c = 0.5 * c[t-1] + h"),
    ),
    "a product of one variant before others": spec(
        FLAG + TWO.replace("V: ", "K: [units, units], V: "),
        "z = (h[t-1] @ U if f else 0) + c[t-1] @ V + h[t-1] @ K",
        *("h = tanh(z + x @ W)", "c = 0.5 * c[t-1] + h"),
    ),
    "a quotient by a number a sample": spec(
        "state: {h: units}\nparams: {W: [input, units], k: [units, 1]}\n",
        "a = 2 + tanh(h[t-1] @ k)",
        "h = h[t-1] / a + x @ W",
    ),
    "a number a sample that is taken away twice": spec(
        "state: {h: units, c: 1}\nparams: {U: [input, units], W: [input, units], k: [units, 1]}\n",
        "a = (x @ W) - ((x @ U) - (c[t-1] * c[t-1]))",
        "h = 0.7 * a + 0.3 * h[t-1]",
        "c = sigmoid((h[t-1] @ k) - 0) * c[t-1] + sin(elu(cos(c[t-1] * 2)))",
    ),
    "a label of a sum, in one variant": spec(
        FLAG + f"gates: [p, q]\nstate: {{h: units}}\n{PAIR}",
        "z: [gates, units] = x @ W",
        "h = tanh((z + h[t-1]).p if f else h[t-1]) + z.q + 0 * sum(h[t-1] @ U) + sum(b)",
    ),
    "two sums of the input, and nothing else of it": spec(
        "state: {h: units}\noutput: y\n", "h = h[t-1] * mean(x)", "y = sum(x) + mean(h)"
    ),
    "a label in an arm that is never taken": spec(
        f"{FLAG}gates: [p, q]\nstate: {{h: units, c: units}}\n{PAIR}",
        "z: [gates, units] = x @ W + b",
        "y: [gates, units] = h[t-1] @ U",
        "h = tanh(y.p + y.q)",
        "c = ((sum(z, over=gates) if f else z.q) if f else sum(z, over=gates)) + c[t-1]",
    ),
    "a view that leaves one axis as it is": spec(
        "dims: {heads: 2, key: units/heads}\nstate: {h: units, M: [units, units]}\nparams: {W: [input, units]}\n",
        "z = x @ W",
        "M = 0.5 * M[t-1] + outer(h[t-1], z)",
        "w: [heads, key*units, units] = outer(h[t-1], M)",
        "h = tanh(sum(sum(w, over=heads), over=key*units)) + z",
    ),
    "parts of a matrix that have one function": spec(
        "gates: [p, q, r]\nstate: {h: units, M: [units, gates*units]}\n"
        "params: {W: [input, units], K: [units, gates*units]}\n",
        "M = 0.5 * M[t-1] + outer(h[t-1], h[t-1] @ K)",
        "h = tanh(h[t-1] @ sigmoid(M.p) + h[t-1] @ sigmoid(M.q) + h[t-1] @ tanh(M.r) + x @ W)",
    ),
    "a sum of weights in a product": spec(TWO, "h = tanh(h[t-1] @ (U + V) + x @ W)", "c = h - c[t-1]"),
    "names that ours begin with": spec(RNN, "h_prev = x @ W", "d_h = tanh(h_prev)", "h = d_h + h[t-1] @ U"),
    "a number a sample on either side of a product": spec(
        SCALED + TWO, "h = tanh((h[t-1] @ U) * on + on * (c[t-1] @ V) + x @ W)", "c = 0.5 * c[t-1] + h"
    ),
}
SPECS = {
    **{name: Spec.of(text) for name, text in RARE.items()},
    **{name: Spec.of(text) for name, text in CELLS.items()},
    **{name: Spec.of(f"cell: Odd\n{text}") for name, text in OF_GRADIENTS.items()},
    **{value: Spec.of(of_number(value)) for value in NUMBERS},
    **{path.stem: Spec.at(path) for path in HELD},
}
SLOW = {"every_operation": pytest.mark.full}


@cache
def plan_of(name):
    return planned(SPECS[name].typed(laws=False))


@pytest.mark.parametrize("name", [pytest.param(name, marks=SLOW.get(name, ())) for name in SPECS])
def test_what_is_derived_and_planned_is_right(name):
    typed, outcome = SPECS[name].typed(laws=False), Outcome()
    numerical(typed, plan_of(name), 0, outcome)
    assert not outcome.failures, outcome.failures
    assert outcome.notes["forward compared"] and outcome.notes["gradient compared"]
