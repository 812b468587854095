"""The shape rules, a line each: what an operation makes of values of some shapes, or the code that refuses them.

Through the front door: each line is an equation of a cell. The numbers are tried elsewhere.
"""

import re

import pytest

from cellgen.compiler import Spec, shipped
from cellgen.diagnostics.diagnostic import SpecError
from cellgen.ir.cell import Level
from cellgen.ir.expr import shape_text
from cellgen.shapes import type_cache
from cellgen.shapes.type_cache import TypeCache
from tests.checkout import CHECKOUT
from tests.shipped import in_turn

EVERY = sorted((*shipped().glob("*.yaml"), *(CHECKOUT / "tests" / "specs").glob("*.yaml")))

PARAMS = {
    "u": "units",
    "k": "key",
    "d": "heads",
    "s": "same",
    "one": "1",
    "u1": "units, 1",
    "u2": "units*2",
    "dk": "heads*key",
    "kd": "key*heads",
    "wp": "wide*part",
    "d2h": "heads*2*half",
    "z": "gates*units",
    "d_k": "heads, key",
    "k_d": "key, heads",
    "uu": "units, units",
    "su": "same, units",
    "gz": "gates, units",
    "uh": "units, heads",
    "hu": "heads, units",
    "u6": "2*3*units",
    "u32": "3*2*units",
    "lz": "side, gates*units",
    "l": "side",
    "dkk": "heads, key, key",
    "dku": "heads, key, units",
}
DIMS = {"heads": "required", "key": "units/heads", "wide": "required", "part": "units/wide", "half": "key/2"}
DIMS |= {"same": "units"}
LABELS = {"gates": ("i", "f"), "side": ("left", "right")}
CARRIERS = {"gates": ("z", "sum(z.{})"), "side": ("l", "l.{}")}  # what has these labels, and a scalar of each
OTHERS = {
    "gates": "gates: [i, f]",
    "side": "axes: {side: [left, right]}",
    "flag": "options: {flag: false}",
    "few": "options: {few: 0.5}",
    "flags": "inputs: {x: [input], flags: {shape: [units], values: [0, 1], default: 1}}",
    "ln": "norms: {ln: {kind: layer, over: [units], epsilon: 1e-5}}",
}


def cell(expression, declared):
    """A cell in which `v` is this, with what that needs: nothing may be declared that is not read."""

    def words(*texts):
        return set(re.findall(r"\w+", " ".join(texts)))

    read = words(expression, declared)
    used = "v * sum(h[t-1])"
    for axis, labels in LABELS.items():
        if any(label in read or axis in words(*(PARAMS.get(name, "") for name in read)) for label in labels):
            carrier, scalar = CARRIERS[axis]
            read |= {axis, carrier}
            used += "".join(f" + {scalar.format(label)}" for label in labels)
    params = {name: shape for name, shape in PARAMS.items() if name in read} | {"W": "input, units"}
    read |= words(*params.values())
    for name in reversed(DIMS):
        read |= words(DIMS[name]) if name in read else set()
    dims = {"input": "inferred", "units": "required"} | {name: of for name, of in DIMS.items() if name in read}
    return "\n".join(
        [
            "cell: Case",
            f"dims: {{{', '.join(f'{name}: {of}' for name, of in dims.items())}}}",
            *(line for name, line in OTHERS.items() if name in read),
            f"params: {{{', '.join(f'{name}: [{shape}]' for name, shape in params.items())}}}",
            *("state: {h: units}", "output: y", "equations: |", f"  v{declared} = {expression}", f"  y = {used}"),
            *("  h = 0.5 * h[t-1] + x @ W", ""),
        ]
    )


SHAPES = [
    # elementwise: equal dims, an ordered subsequence, a scalar
    ("u + s", "CG302"),
    ("u + dk", "[units]"),
    ("dk + u", "[heads*key]"),
    ("dk + wp", "[heads*key]"),
    ("u + wp", "[units]"),
    ("d2h + u", "[heads*2*half]"),
    ("u6 + u32", "[2*3*units]"),
    ("dk + kd", "CG302"),
    ("u + k", "CG302"),
    ("d_k + d", "[heads, key]"),
    ("k + d_k", "[heads, key]"),
    ("d_k + k_d", "CG302"),
    ("d_k + u", "CG302"),
    ("dku + uh", "CG302"),
    ("dku + d", "[heads, key, units]"),
    ("hu + dku", "[heads, key, units]"),
    ("dku + d_k", "[heads, key, units]"),
    ("dkk + d", "CG302"),
    ("uu + u", "CG302"),
    ("uu + su", "CG302"),
    ("uu + one", "[units, units]"),
    ("one + uu", "[units, units]"),
    ("u1 + u", "[units, 1]"),
    ("one + 1", "[1]"),
    ("2 + one", "[1]"),
    ("2 + few", "[]"),
    ("clip(d_k, -1, k)", "[heads, key]"),
    ("clip(d_k, d, k)", "[heads, key]"),
    ("where(d > 0, d_k, k)", "[heads, key]"),
    ("where(k < d_k, d_k, 0)", "[heads, key]"),
    ("where(u <= few, 1, 0)", "[units]"),
    ("where(u >= s, 1, 0)", "CG302"),
    ("where(u, 1, 0)", "CG310"),
    ("minimum(few, u)", "[units]"),
    ("u ** 2", "[units]"),
    # a product contracts the last axis of the left with the first of the right behind those that they share
    ("u @ uu", "[units]"),
    ("u @ uh", "[heads]"),
    ("uu @ uh", "CG301"),
    ("su @ uh", "[same, heads]"),
    ("hu @ uh", "[heads, heads]"),
    ("hu @ uu", "[heads, units]"),
    ("hu @ u", "[heads]"),
    ("u @ u", "[]"),
    ("h[t-1] @ u", "[1]"),
    ("dk @ uh", "[heads]"),
    ("d_k @ dku", "[heads, units]"),
    ("d_k @ k", "[heads]"),
    ("d @ d_k", "[key]"),
    ("d_k @ d_k", "[heads]"),
    ("d_k @ k_d", "[heads, heads]"),
    ("d_k @ dkk", "[heads, key]"),
    ("u @ hu", "CG301"),
    ("u @ one", "CG301"),
    ("few @ u", "CG301"),
    # all pairs
    ("outer(u, d)", "[units, heads]"),
    ("outer(d_k, d_k)", "[heads, key, key]"),
    ("outer(d_k, k)", "[heads, key, key]"),
    ("outer(d, d_k)", "[heads, heads, key]"),
    ("outer(one, d_k)", "[heads, key]"),
    ("outer(d_k, 2)", "[heads, key]"),
    # along an axis, the last one if none is named
    ("sum(d_k)", "[heads]"),
    ("mean(d_k, over=heads)", "[key]"),
    ("sum(u)", "[]"),
    ("sum(h[t-1])", "[1]"),
    ("sum(wp, over=units)", "[]"),
    ("sum(uu)", "[units]"),
    ("sum(uu, over=units)", "CG307"),
    ("sum(dk, over=heads)", "CG307"),
    ("sum(few)", "CG307"),
    ("softmax(d_k, over=heads)", "[heads, key]"),
    ("cumsum(d_k)", "[heads, key]"),
    ("softmax(u, over=heads)", "CG307"),
    # a norm spans the last axes
    ("ln(u)", "[units]"),
    ("ln(dk)", "[heads*key]"),
    ("ln(hu)", "[heads, units]"),
    ("ln(uh)", "CG303"),
    ("ln(few)", "CG303"),
    # labels
    ("z.i", "[units]"),
    ("gz.f", "[units]"),
    ("lz.left", "[gates*units]"),
    ("lz.i", "[side, units]"),
    ("lz.right.f", "[units]"),
    ("u.i", "CG304"),
    ("z.left", "CG304"),
    ("outer(gz, gz).i", "[units, units]"),
    ("outer(z, gz).i", "CG304"),
    # an activation, a choice
    ("tanh(d_k)", "[heads, key]"),
    ("u if flag else s", "CG308"),
    ("u if flag else dk", "CG308"),
    ("h[t-1] if flag else u", "[units]"),
]


def typed_by(expression, declared=""):
    typed = Spec.of(cell(expression, declared)).typed(laws=False)
    return typed.variants[-1].names["v"]


@pytest.mark.parametrize(("expression", "shape"), SHAPES)
def test_the_shape_of_an_expression(expression, shape):
    try:
        found = shape_text(typed_by(expression).shape)
    except SpecError as error:
        found = error.diagnostics[0].code
    assert found == shape


@pytest.mark.parametrize(
    ("value", "declared", "fits"),
    [
        ("dk", "[heads, key]", True),
        ("u", "[heads, key]", True),
        ("u", "[wide, part]", True),
        ("d_k", "[heads*key]", True),
        ("d_k", "[units]", True),
        ("d_k", "[wide, part]", True),
        ("d2h", "[heads, 2, half]", True),
        ("u6", "[6, units]", True),
        ("z", "[gates, units]", True),
        ("kd", "[heads, key]", False),
        ("d_k", "[key, heads]", False),
        ("u", "[heads]", False),
        ("u6", "[3, units]", False),
        ("z", "[units, gates]", False),
    ],
)
def test_a_view_keeps_the_numbers_in_their_order(value, declared, fits):
    try:
        found = shape_text(typed_by(value, f": {declared}").shape)
    except SpecError as error:
        found = error.diagnostics[0].code
    assert found == (declared if fits else "CG305")


@pytest.mark.parametrize(
    ("expression", "level", "binary"),
    [
        ("2", Level.CONSTANT, False),
        ("1", Level.CONSTANT, True),
        ("u * few", Level.CONSTANT, False),
        ("x @ W", Level.STEP, False),
        ("h[t-1] * u", Level.CARRIED, False),
        ("u + tanh(x @ W)", Level.STEP, False),
        ("flags", Level.STEP, True),
        ("1 - flags", Level.STEP, True),
        ("2 - flags", Level.STEP, False),
        ("flags - 1", Level.STEP, False),
        ("0 + flags", Level.STEP, True),
        ("flags + flags", Level.STEP, False),
        ("flags * step(u)", Level.STEP, True),
        ("flags * u", Level.STEP, False),
        ("step(u)", Level.CONSTANT, True),
        ("minimum(flags, step(u))", Level.STEP, True),
        ("maximum(flags, u)", Level.STEP, False),
        ("where(flags, 1, 0)", Level.STEP, True),
        ("where(flags, 1, u)", Level.STEP, False),
        ("where(flags, u, 0)", Level.STEP, False),
        ("stop_gradient(flags)", Level.STEP, True),
        ("straight_through(flags, h[t-1])", Level.CARRIED, True),
        ("straight_through(h[t-1], flags)", Level.CARRIED, False),
        ("sigmoid(flags)", Level.STEP, False),
        ("-flags", Level.STEP, False),
        ("sum(flags)", Level.STEP, False),
    ],
)
def test_what_an_expression_depends_on_and_whether_it_is_0_or_1(expression, level, binary):
    found = typed_by(expression)
    assert (found.level, found.binary) == (level, binary)


@pytest.mark.parametrize(
    ("expression", "inputs"),
    [
        ("x + u", "{x: [units]}"),
        ("u + x", "{x: [units]}"),
        ("x + d", "{x: [heads]}"),
        ("x + d_k", None),  # a vector beside a matrix: another width would not do
        ("d_k + x", None),
        ("u + d", None),
        ("x @ W + d", None),
    ],
)
def test_where_an_input_of_another_width_would_do_the_help_says_so(expression, inputs):
    with pytest.raises(SpecError) as told:
        typed_by(expression)
    said = [line for line in told.value.diagnostics[0].help if line.startswith("if both are of one size")]
    assert said == ([f"if both are of one size, say so: `inputs: {inputs}`"] if inputs else [])


@pytest.mark.parametrize("line", ["h = h[t-1] + sum(x, over=key)", "m = m[t-1] + x"])
def test_where_one_width_alone_would_not_do_the_help_does_not_come(line):
    """Of an input with another axis: what is added is no input, or differs in that axis too."""
    state = "h: units" if line[0] == "h" else "m: [units, heads]"
    dims = "input: inferred, units: required, key: required" + ", heads: required" * (line[0] == "m")
    text = f"cell: A\ndims: {{{dims}}}\ninputs: {{x: [input, key]}}\nstate: {{{state}}}\nequations: |\n  {line}\n"
    with pytest.raises(SpecError) as told:
        Spec.of(text).typed(laws=False)
    assert [(each.code, each.help) for each in told.value.diagnostics] == [("CG302", ())]


# --- what is found once ---


def test_types_that_are_the_same_in_several_variants_are_found_once(monkeypatch):
    asked, found = [], []
    of, infer = TypeCache.infer, type_cache.infer
    monkeypatch.setattr(TypeCache, "infer", lambda *args: asked.append(1) or of(*args))
    monkeypatch.setattr(type_cache, "infer", lambda *args: found.append(1) or infer(*args))
    typed = Spec.at("hm_lstm").typed()
    assert len(typed.variants) == 32 and len(asked) == 512 and len(found) < 30  # equations


@pytest.mark.parametrize("path", in_turn(EVERY))
def test_types_that_are_recalled_are_what_would_be_found(path, monkeypatch):
    once = Spec.at(path).typed()
    monkeypatch.setattr(
        TypeCache, "infer", lambda self, each, context: type_cache.infer(each.value, (each.name,), context)
    )
    assert Spec.at(path).typed() == once
