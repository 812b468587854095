"""The derived backward step against sympy's own derivatives; and that a wrong one is found out."""

from collections import defaultdict
from dataclasses import replace
from fractions import Fraction

import pytest
import sympy

from cellgen.compiler import Spec, proved
from cellgen.derive import symbolic
from cellgen.derive.array_cache import ArrayCache
from cellgen.derive.centring import centre
from cellgen.derive.derivative_rules import neg, op
from cellgen.derive.derivative_rules import number as number_of
from cellgen.derive.hoisting import hoist
from cellgen.derive.proof import MAX_TRIED, SAMPLES, rederive
from cellgen.derive.reverse_mode import derive
from cellgen.derive.symbolic import Symbolic
from cellgen.derive.symbolic_arrays import Lanes
from cellgen.ir.expr import Apply, Choose, Given, Not, Ref, children, rebuild, walk
from cellgen.shapes.typed import retype
from tests.checkout import CHECKOUT
from tests.shipped import in_turn

SPECS = [
    *sorted((CHECKOUT / "specs").glob("*.yaml")),
    *sorted((CHECKOUT / "tests" / "specs").glob("*.yaml")),
]


@pytest.mark.parametrize("path", in_turn(SPECS))
def test_every_cotangent_is_a_derivative(path):
    proof = proved(Spec.at(path).typed())
    assert proof.compared > 4 and not proof.wrong and not proof.open


# --- what is wrong is found -----------------------------------------------------------------------------------------


def stages(name: str):
    typed = Spec.at(name).typed()
    hoisted = hoist(centre(typed))
    return typed, hoisted, derive(hoisted)


def changed(joint, values: dict):
    """A joint with other values in some of its equations, by their place, typed anew. Raises AttributeError if they
    have no type: what is derived has no place in a spec to point at."""
    equations = list(joint.typed.cell.equations)
    for number, value in values.items():
        equations[number] = replace(equations[number], value=value)
    cell = replace(joint.typed.cell, equations=tuple(equations))
    return replace(joint, typed=retype(joint.typed, cell, [tuple(each.live) for each in joint.typed.variants]))


def has_types(joint, number: int, value) -> bool:
    try:
        changed(joint, {number: value})
    except AttributeError:
        return False
    return True


def slips(node):
    """One slip in each place of an expression: of a sign, of a factor, of a transposition, of the arms of a choice."""
    for path, each in walk(node):
        if not isinstance(each, Apply):
            continue
        args = each.args
        match each.op:
            case "add":
                slip = op("sub", *args)
            case "sub":
                slip = op("add", *args)
            case "mul" | "div" | "normalize_back" | "activation_gradient" | "conv_back" | "conv_kernel_back":
                slip = neg(each)
            case "where":
                slip = replace(each, args=(args[0], args[2], args[1]))
            case "product":
                slip = replace(each, args=(args[0], op("mul", args[1], args[1])))
            case "join":
                slip = replace(each, args=(args[1], args[0], *args[2:]))
            case "square":
                slip = args[0]
            case _:
                continue
        yield placed(node, path, slip)


def placed(node, path, new):
    if not path:
        return new
    below = list(children(node))
    below[path[0]] = placed(below[path[0]], path[1:], new)
    return rebuild(node, tuple(below))


@pytest.mark.parametrize(
    "name",
    [
        "lstm",
        "layer_norm_lstm",
        "gru",
        pytest.param("nas", marks=pytest.mark.full),
        CHECKOUT / "tests" / "specs" / "whole_equations.yaml",
        CHECKOUT / "tests" / "specs" / "pictures.yaml",
    ],
    ids=str,
)
def test_every_slip_is_found(name, monkeypatch):
    """A slip in each of many equations at once: of these, and of no others, it is told that they are wrong."""
    typed, hoisted, joint = stages(name)
    tried, waiting = 0, defaultdict(list)
    told = {leaf[0]: cotangent for leaf, cotangent in joint.sent}  # what a leaf's cotangents are told as, of all labels
    told = {cotangent: told[leaf[0]] for leaf, cotangent in joint.sent}
    for number in range(joint.forward, len(joint.typed.cell.equations)):
        equation = joint.typed.cell.equations[number]
        every = [neg(equation.value), *slips(equation.value)]
        tried += len(every)
        fit = [(number, value) for value in every if has_types(joint, number, value)]
        waiting[told.get(equation.name, equation.name)] += fit
    compared = sum(map(len, waiting.values()))
    assert compared > max(10, 3 * tried // 4)
    algebra = symbolic.Symbolic()  # derivatives of one expression are the same in every round
    monkeypatch.setattr("cellgen.derive.proof.Symbolic", lambda: algebra)
    while some := sorted(filter(waiting.get, waiting), key=lambda each: -len(waiting[each])):
        some = some[: MAX_TRIED // len(typed.variants)]
        wrong = changed(joint, dict(waiting[each].pop() for each in some))
        algebra._work = 0
        assert {each.split()[0] for each in rederive(typed, hoisted, wrong).wrong} == {*some}


def test_what_sympy_does_not_see_is_not_shown_and_not_wrong():
    typed, hoisted, joint = stages("simple_rnn")
    number, equation = next(
        (index, each) for index, each in enumerate(joint.typed.cell.equations) if each.name == "_d_h_prev"
    )
    h, one = Ref("h", 1), number_of(1)
    by_one = op("div", op("sub", op("square", h), one), op("mul", op("sub", h, one), op("add", h, one)))
    for factor, found in ((by_one, "unshown"), (op("add", by_one, number_of(Fraction(1, 10**9))), "wrong")):
        proof = rederive(typed, hoisted, changed(joint, {number: op("mul", equation.value, factor)}))
        assert {name.split()[0] for name in getattr(proof, found)} == {"_d_h_prev"}
        assert len(proof.wrong) + len(proof.unshown) == len(getattr(proof, found))


def test_a_term_that_hoisting_lost_is_found():
    typed, hoisted, joint = stages("lstm")
    equations = list(hoisted.cell.equations)
    (number,) = (index for index, each in enumerate(equations) if each.name == "z")
    equations[number] = replace(equations[number], value=op("sub", *equations[number].value.args))
    wrong = replace(hoisted, cell=replace(hoisted.cell, equations=tuple(equations)))
    assert "z" in {name.split()[0] for name in rederive(typed, wrong, joint).wrong}


@pytest.mark.parametrize("name", ["_d_f", "_d_h_prev"])
def test_a_slip_in_a_choice_on_data_is_found(name):
    """`flush` for `copy` as the condition of a `where`, in the variants that choose by it."""
    typed, hoisted, joint = stages("hm_lstm")
    number = next(i for i, each in enumerate(joint.typed.cell.equations) if each.name == name)
    value = joint.typed.cell.equations[number].value
    path = next(path for path, node in walk(value) if path and path[-1] == 0 and node == Ref("copy"))
    found = rederive(typed, hoisted, changed(joint, {number: placed(value, path, Ref("flush"))})).wrong
    assert found and all(each.startswith(name) and "'select'" in each for each in found)


def test_what_is_sent_to_a_second_input_is_compared():
    typed, hoisted, joint = stages("hm_lstm")
    sent = tuple(pair for pair in joint.sent if pair[0][0] != "z_below")
    assert len(sent) < len(joint.sent)
    found = rederive(typed, hoisted, replace(joint, sent=sent)).wrong
    assert {name.split()[0] for name in found} == {"z_below"}


def test_a_cotangent_that_is_not_sent_is_found():
    typed, hoisted, joint = stages("simple_rnn")
    less = replace(joint, sent=joint.sent[1:])
    assert any(each.startswith("x where") for each in rederive(typed, hoisted, less).wrong)


NARROW = """
cell: Narrow
options: {f: false}
gates: [i, o]
state: {h: units}
params: {W: [input, gates*units], U: [units, gates*units], b: [gates*units], p: [units]}
equations: |
  z: [gates, units] = h[t-1] @ U if f else b
  h = tanh(x @ W.i + p) * sigmoid(z.i) + sigmoid(z.o) * tanh(mean(h[t-1] * p) if f else h[t-1])
"""


@pytest.mark.parametrize("wanted", ["_d_z", "_d_h_prev"])
def test_a_slip_is_found_where_a_value_has_fewer_lanes_than_its_cotangent(wanted):
    """A value that is one for all samples, or a number of each, in a variant: what reaches it there is a sum."""
    typed = Spec.of(NARROW).typed()
    assert not proved(typed).wrong and not proved(typed).unshown
    hoisted = hoist(centre(typed))
    joint = derive(hoisted)
    number = next(i for i, each in enumerate(joint.typed.cell.equations) if each.name == wanted)
    wrong = changed(joint, {number: neg(joint.typed.cell.equations[number].value)})
    found = rederive(typed, hoisted, wrong).wrong
    assert {each.split(" where ")[1] for each in found} == {"{'f': True}", "{'f': False}"}


# --- the rules of what couples lanes ---------------------------------------------------------------------------------


def softmax(xs):
    return [sympy.exp(x) / sympy.Add(*map(sympy.exp, xs)) for x in xs]


def scale(xs, centred, epsilon):
    """rstd"""
    mean = centred * sympy.Add(*xs) / len(xs)
    return 1 / sympy.sqrt(sympy.Add(*((x - mean) ** 2 for x in xs)) / len(xs) + epsilon)


def normalize(xs, centred, epsilon):
    mean = centred * sympy.Add(*xs) / len(xs)
    return [(x - mean) * scale(xs, centred, epsilon) for x in xs]


@pytest.mark.parametrize("size", [2, 3])
def test_softmax(size):
    algebra, xs = Symbolic(), sympy.symbols(f"x:{size}", real=True)
    whole = algebra.along("softmax", list(xs))
    means = dict(zip(whole, softmax(xs)))
    for value in whole:
        for x in xs:
            assert sympy.simplify(value.diff(x).xreplace(means) - means[value].diff(x)) == 0


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("centred", [0, 1])
def test_norms(size, centred):
    algebra, xs = Symbolic(), sympy.symbols(f"x:{size}", real=True)
    epsilon, centred = sympy.Symbol("epsilon", positive=True), sympy.Integer(centred)
    whole = algebra.along("normalize", list(xs), centred, epsilon)
    means = dict(zip(whole, normalize(xs, centred, epsilon)))
    means[algebra.call("rstd", centred, epsilon, *xs)] = scale(xs, centred, epsilon)
    for value in whole:
        for x in xs:
            assert sympy.simplify(value.diff(x).xreplace(means) - means[value].diff(x)) == 0


# --- what is made once ----------------------------------------------------------------------------------------------


def test_what_is_the_same_in_several_variants_is_made_and_differentiated_once(monkeypatch):
    asked, made, differentiated = [], [], []
    of, expression, derivative = ArrayCache.of, Lanes.expression, Symbolic._partial
    monkeypatch.setattr(ArrayCache, "of", lambda *args: asked.append(1) or of(*args))
    monkeypatch.setattr(Lanes, "expression", lambda *args: made.append(1) or expression(*args))
    monkeypatch.setattr(Symbolic, "_partial", lambda *args: differentiated.append(1) or derivative(*args))
    typed = Spec.at("hm_lstm").typed()
    assert len(typed.variants) == 32 and proved(typed).compared == 1232
    assert len(asked) > 2000  # expressions of equations; each is of some ten nodes
    assert len(made) < 1400 and len(differentiated) < 640  # nodes, and parts of them by a symbol


@pytest.mark.parametrize("given", [True, False])
def test_a_slip_in_one_variant_alone_is_found(given):
    typed, hoisted, joint = stages("lstm")
    test = Given("use_bias") if given else Not(Given("use_bias"))
    number, equation = next((at, each) for at, each in enumerate(joint.typed.cell.equations) if each.name == "_d_c")
    wrong = changed(joint, {number: Choose(test, neg(equation.value), equation.value)})
    told = rederive(typed, hoisted, wrong).wrong
    assert told == (f"_d_c where {{'use_bias': {given}}}",)


# --- bounds ----------------------------------------------------------------------------------------------------------

WIDE = """
cell: Wide
state: {{h: [{size}]}}
output: h
params:
  W: {{shape: [input, {size}], init: glorot_uniform}}
equations: |
  h = {value}
"""


@pytest.mark.parametrize(
    "size, value, said",
    [
        (300, "tanh(h[t-1] + x @ W)", "`W` has 600 lanes"),
        (48, "softmax(h[t-1] + x @ W)", "derivatives"),
    ],
)
def test_too_much_work_is_left_open(size, value, said):
    proof = proved(Spec.of(WIDE.format(size=size, value=value)).typed())
    assert said in proof.open and not proof.wrong


def test_too_many_terms_are_not_multiplied_out():
    algebra, (a, b) = Symbolic(), sympy.symbols("a b")
    with pytest.raises(symbolic.TooMuch, match="terms"):
        algebra.normal((a + b) ** 6 * (a - b) ** 6)


def test_the_bounds_are_the_stated_ones():
    assert (symbolic.MAX_LANES, symbolic.MAX_SLOPES, symbolic.MAX_TERMS) == (512, 50_000, 2048)
    assert (SAMPLES, MAX_TRIED) == (4, 64)
