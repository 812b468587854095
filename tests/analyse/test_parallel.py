"""Which states can be found for all steps at once: by hand, over small cells."""

import pytest

from cellgen.analyse import analyse, parts
from cellgen.compiler import Spec
from tests.shipped import facts_of


@pytest.mark.parametrize(
    ("stem", "found"),
    [
        ("mingru", {"h": "scan"}),
        ("indrnn", {"h": "newton"}),
        ("para_lstm", {"c h": "newton"}),
        ("qrnn", {"x_last": "follows", "c": "scan"}),
        ("rwkv4", {"x_last": "follows", "p": "newton", "a": "scan", "b": "scan"}),
        ("indy_lstm", {"c h": "newton"}),
        ("unicornn", {"y z": "newton"}),
        ("scrn", {"s": "scan", "h": "loop"}),
        ("lstm", {"h c": "loop"}),
        ("delta_net", {"S": "loop"}),
    ],
)
def test_of_shipped_cells(stem, found):
    assert {" ".join(part.states): part.kind for part in parts(facts_of(stem).programs)} == found


CELL = """\
cell: Some
gates: [i, f]
options: {flag: false, activation: {one_of: activations, default: tanh}}
state: STATE
params: {W: [input, units], U: [units, units], u: [units], g: [gates, units]}
equations: |
  used = (x @ W) @ U + (u if flag else g.i) + activation(g.f)
"""


@pytest.mark.parametrize(
    ("state", "equations", "found"),
    [
        ("{h: units}", ["h = u * h[t-1] + activation(used)"], {"h": ("scan", "")}),
        ("{h: units}", ["h = activation(u * h[t-1]) + used"], {"h": ("newton", "")}),
        ("{h: units}", ["h = where(used > 0, h[t-1], -h[t-1]) / u"], {"h": ("scan", "")}),
        ("{h: units}", ["h = where(h[t-1] > 0, used, h[t-1])"], {"h": ("newton", "")}),
        ("{h: units}", ["h = stop_gradient(h[t-1]) + used"], {"h": ("newton", "")}),
        ("{h: units}", ["h = h[t-1] * h[t-1] + used"], {"h": ("newton", "")}),
        ("{h: units}", ["h = used"], {"h": ("follows", "")}),
        ("{h: units}", ["h = h[t-1] @ U + used"], {"h": ("loop", "`h = h[t-1] @ U` couples lanes of h")}),
        ("{h: units}", ["h = used - mean(h[t-1])"], {"h": ("loop", "`h = mean(h[t-1])` couples lanes of h")}),
        (
            "{h: units}",
            ["h = used * h[t-1] if flag else used + h[t-1] @ U"],
            {"h": ("loop", "`h = h[t-1] @ U` couples lanes of h")},
        ),
        ("{h: units}", ["h = used * h[t-1] if flag else tanh(h[t-1]) + used"], {"h": ("newton", "")}),
        ("{h: units}", ["a = g * h[t-1]", "h = a.i * used + a.f"], {"h": ("scan", "")}),
        ("{h: units}", ["a = g * h[t-1]", "h = sum(a, over=gates) + used"], {"h": ("scan", "")}),
        ("{s: [gates, units]}", ["s = g * s[t-1].i + used"], {"s": ("loop", "`s = s[t-1].i` couples lanes of s")}),
        (
            "{h: units, c: units}",
            ["c = used", "h = tanh(h[t-1] + c[t-1])"],
            {"c": ("follows", ""), "h": ("newton", "")},
        ),
        (
            "{c: units, n: units}",
            ["c = u * c[t-1] + used", "n = sigmoid(c) * n[t-1] + c[t-1]"],
            {"c": ("scan", ""), "n": ("scan", "")},
        ),
        (
            "{c: units, n: units}",
            ["c = u * n[t-1] + used", "n = c[t-1] - n[t-1]"],
            {"c n": ("scan", "")},
        ),
        (
            "{h: units, m: [1]}",
            ["m = mean(h[t-1])", "h = m * used + tanh(m[t-1])"],
            {"h m": ("loop", "h and m come of each other and are of two shapes")},
        ),
    ],
    ids=lambda value: "; ".join(value) if isinstance(value, list) else "",
)
def test_of_small_cells(state, equations, found):
    text = CELL.replace("STATE", state) + "".join(f"  {line}\n" for line in equations)
    came = parts(analyse(Spec.of(text, "some").typed()).programs)
    assert {" ".join(part.states): (part.kind, part.why) for part in came} == found
