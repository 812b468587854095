"""Facts that follow from the structure of a cell: what is affine, what can be hoisted, sizes, and remarks."""

import ast
import math
import random
import re
import subprocess
import sys

import pytest

from cellgen.analyse.structure import analyse, condition
from cellgen.compiler import Spec
from cellgen.interpret.instance import Instance
from cellgen.ir.cell import NEIGHBOURS, Dim, Level
from cellgen.ir.expr import Given, Is, Not, holds
from cellgen.ir.sizes import Size, dim, total, undivided, whole
from cellgen.text.printer import condition_text, notation
from tests.shipped import TODAY, TOLD, each_shipped, facts_of, typed_of


def facts(equations, state="h: units", head="", params=""):
    """Facts of a cell given by its equations; a name in capitals that they read is a weight."""
    weights = {"W": "[input, units]", "V": "[input, units]", "U": "[units, units]", "b": "[units]", "p": "[units]"}
    read = [name for name in weights if any(name in word.split(".") for word in _words(equations))]
    lines = [f"  {name}: {{shape: {weights[name]}, init: glorot_uniform}}" for name in read]
    text = "\n".join(
        [
            "cell: Cell",
            f"state: {{{state}}}",
            head,
            *(["params:", *lines, params] if lines or params else []),
            "equations: |",
            *(f"  {line.strip()}" for line in equations.strip().splitlines()),
        ]
    )
    typed = Spec.of(text).typed()
    return typed, analyse(typed)


def _words(text):
    return "".join(char if char.isalnum() or char in "_." else " " for char in text).split()


def default(typed, found):
    return found.of(typed.default.variant)


def classes(equations, state="h: units", **more):
    typed, found = facts(equations, state, **more)
    return {name: (each.kind, each.lanes) for name, each in default(typed, found).recurrences.items()}


# --- the class of the recurrence ---


def test_a_gate_of_the_input_alone_leaves_the_state_affine():
    # minGRU: Feng et al. 2024, arXiv:2410.01201
    assert classes("""
        z = sigmoid(x @ W)
        h = (1 - z) * h[t-1] + z * (x @ V)
    """) == {"h": ("affine", True)}


def test_a_gate_of_the_state_does_not():
    assert classes("""
        z = sigmoid(x @ W + h[t-1] @ U)
        h = (1 - z) * h[t-1] + z * (x @ V)
    """) == {"h": ("general", False)}


def test_a_linear_network_is_affine_but_couples_lanes():
    assert classes("h = x @ W + h[t-1] @ U") == {"h": ("affine", False)}


def test_a_diagonal_network_is_elementwise():
    assert classes("h = tanh(x @ W + p * h[t-1])") == {"h": ("elementwise", True)}


def test_a_square_of_the_state_is_not_affine():
    assert classes("h = x @ W - h[t-1] * h[t-1]") == {"h": ("elementwise", True)}
    assert classes("h = x @ W - h[t-1] ** 2") == {"h": ("elementwise", True)}


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("h[t-1] / (1 + exp(x @ W))", "affine"),
        ("(1 + exp(x @ W)) / (2 + h[t-1])", "elementwise"),
        ("where(x @ W > 0, h[t-1], 0)", "affine"),
        ("where(h[t-1] > 0, x @ W, 0)", "elementwise"),
        ("-(h[t-1] - x @ W)", "affine"),
        ("maximum(h[t-1], x @ W)", "elementwise"),
        ("x @ W + softmax(h[t-1], over=units)", "general"),
        ("x @ W + mean(h[t-1], over=units)", "affine"),
        ("linear(h[t-1]) + x @ W", "affine"),
        ("straight_through(h[t-1], tanh(h[t-1])) + x @ W", "affine"),
    ],
)
def test_operations_keep_an_affine_state_or_not(value, kind):
    assert classes(f"h = {value}")["h"][0] == kind


def film(value):
    typed = Spec.of(f"""
cell: Film
dims: {{rows: inferred, half: rows/2, channels: inferred, filters: required}}
inputs: {{x: [rows, channels]}}
state: {{h: [half, filters]}}
params: {{K: [3, channels, filters], U: [5, filters, filters]}}
equations: |
  h = {value} + conv(x, K, stride=2)
""").typed()
    return default(typed, analyse(typed))


def test_a_convolution_is_affine_in_its_value_and_couples_places():
    kinds = {value: film(value).recurrences["h"] for value in ("conv(h[t-1], U)", "conv(h[t-1] * h[t-1], U)")}
    assert [(each.kind, each.lanes) for each in kinds.values()] == [("affine", False), ("general", False)]


def test_the_operations_of_a_convolution():
    """Of each number of the result, two for each number of the kernel that goes into it."""
    found = film("conv(h[t-1], U)")
    assert str(found.operations) == "filters*half*(6*channels + 10*filters + 1)"
    assert str(found.parameters) == "filters*(3*channels + 5*filters)"


def test_two_states_are_affine_together():
    assert classes(
        """
        m = n[t-1] + x @ W
        n = sigmoid(x @ V) * m[t-1]
        """,
        "m: units, n: units",
        head="output: m",
    ) == {"m": ("affine", True), "n": ("affine", True)}


def test_a_state_that_reads_a_general_one_is_general():
    assert classes(
        """
        h = tanh(x @ W + h[t-1] @ U)
        s = s[t-1] + h
        """,
        "h: units, s: units",
        head="output: s",
    ) == {"h": ("general", False), "s": ("general", False)}


def test_a_state_that_is_handed_on_couples_nothing():
    """QRNN (Bradbury et al. 2016, arXiv:1611.01576) is affine, lane by lane, given the last inputs."""
    assert classes(
        """
        f = sigmoid(x @ W + last[t-1] @ V + before[t-1] @ W)
        h = f * h[t-1] + (1 - f) * tanh(last[t-1] @ W)
        before = last[t-1]
        last = x
        """,
        "h: units, last: [input], before: [input]",
    ) == {"h": ("affine", True), "last": ("input", False), "before": ("input", False)}


def test_a_state_that_reads_itself_is_not_handed_on():
    assert classes(
        """
        m = maximum(m[t-1], x @ W)
        h = sigmoid(m[t-1]) * h[t-1]
        """,
        "m: units, h: units",
        head="output: h",
    ) == {"m": ("elementwise", True), "h": ("elementwise", True)}


def test_of_scrn_the_slow_state_alone_is_affine():
    typed = typed_of("scrn")
    found = default(typed, facts_of("scrn")).recurrences
    assert (found["s"].kind, found["s"].among) == ("affine", ("s",))
    assert (found["h"].kind, found["h"].among) == ("general", ("s", "h"))


def test_classes_of_some_cells():
    kinds = {}
    for stem in ("indrnn", "mingru", "scrn", "lstm", "gru", "simple_rnn", "nas", "mgu"):
        typed = typed_of(stem)
        kinds[stem] = {name: each.kind for name, each in default(typed, facts_of(stem)).recurrences.items()}
    special = {stem: found for stem, found in kinds.items() if set(found.values()) != {"general"}}
    assert special == {
        "indrnn": {"h": "elementwise"},
        "mingru": {"h": "affine"},
        "scrn": {"s": "affine", "h": "general"},
    }


# --- before the loop ---


@pytest.mark.parametrize(
    ("stem", "texts"),
    [
        ("lstm", ["x @ kernel"]),
        ("gru", ["a = x @ kernel + bias.input"]),
        ("scrn", ["(1 - alpha) * (x @ B)", "x @ A"]),
        ("layer_norm_lstm", ["ln_x(x @ x_w)"]),
        ("mgu", ["a = x @ kernel + bias"]),
    ],
)
def test_what_reads_no_state_is_hoisted(stem, texts):
    typed = typed_of(stem)
    hoisted = default(typed, facts_of(stem)).hoisted
    assert [each.text for each in hoisted] == texts
    assert all(each.level is Level.STEP for each in hoisted)


def test_hoisted_pieces_read_no_state_and_what_they_stand_in_does():
    for stem in TODAY:
        typed = typed_of(stem)
        for variant, found in zip(typed.variants, facts_of(stem).variants):
            for each in found.hoisted:
                assert variant.types[each.path].level < Level.CARRIED
                above = [each.path[:end] for end in range(1, len(each.path))]
                levels = [variant.types[path].level for path in above]
                assert set(levels) <= {Level.CARRIED} or each.text.startswith(f"{each.equation} = ")


def test_an_expression_of_weights_is_computed_once():
    typed, found = facts("h = tanh(x @ W + h[t-1] @ (U - 2 * U))")
    assert [(each.text, each.level) for each in default(typed, found).hoisted] == [
        ("x @ W", Level.STEP),
        ("U - 2 * U", Level.CONSTANT),
    ]


# --- sizes ---


def test_formulas_of_the_lstm():
    typed = typed_of("lstm")
    found = default(typed, facts_of("lstm"))
    assert str(found.parameters) == "4*units*(input + units + 1)"
    # two matmuls of [m] @ [m, 4n]; 8n sums, 3n gates, n candidates, 3n for c, 2n for h
    assert str(found.operations) == "units*(8*input + 8*units + 17)"


def test_what_is_divided_is_whole_again_in_a_formula():
    assert str(default(typed_of("delta_net"), facts_of("delta_net")).parameters) == "input*(heads + 3*units)"
    dims = (Dim("a", "required"), Dim("b", "quotient", "a", "n"), Dim("c", "quotient", "b", 3))
    assert undivided(("x", 3, "n", "c"), dims) == ("x", "a")
    assert undivided(("b", "c", "m"), dims) == ("b", "c", "m")


@each_shipped
def test_the_formula_of_the_parameters_counts_the_weights(stem):
    typed = typed_of(stem)
    for variant, found in zip(typed.variants, facts_of(stem).variants):
        given = {name: answer for name, answer in variant.variant.items() if isinstance(answer, str)}
        given |= {name: variant.variant[name] for name in NEIGHBOURS if name in variant.variant}
        for option in typed.cell.options:
            if option.name in variant.variant and option.kind in ("flag", "maybe"):
                answer = variant.variant[option.name]
                given[option.name] = answer if option.kind == "flag" else 0.5 if answer else None
        for port in typed.cell.inputs:
            if port.optional and variant.variant.get(port.name):
                given[port.name] = True
        for size, each in enumerate(typed.cell.dims, 3):
            absent = each.kind == "optional" and not any(variant.variant.get(port.name) for port in typed.cell.inputs)
            if not absent and variant.variant.get(each.name, True):
                given[each.name] = size
        for each in typed.cell.dims:
            if each.kind == "quotient":  # it divides
                given.pop(each.name)
                given[each.value] *= given.get(each.divisor, 1)
        oracle = Instance(typed, given)
        count = sum(math.prod(shape) for shape in oracle.weights.values())
        assert (found.parameters + found.frozen).at(oracle.settings.sizes) == count


def test_sizes_are_polynomials():
    rng = random.Random(0)
    at = {name: rng.randint(2, 9) for name in "abc"}
    sizes = [whole(3), *map(dim, "abc")]
    numbers = [3, *at.values()]
    for _ in range(200):
        i, j = rng.randrange(len(sizes)), rng.randrange(len(sizes))
        if rng.random() < 0.5:
            size, number = sizes[i] + sizes[j], numbers[i] + numbers[j]
        else:
            size, number = sizes[i] * sizes[j], numbers[i] * numbers[j]
        assert size.at(at) == number
        assert _computed(ast.parse(str(size), mode="eval").body, at) == number
        if len(size.terms) < 12:
            sizes.append(size)
            numbers.append(number)
    assert dim("a") * whole(0) == Size() == total([])
    assert str(Size()) == "0"
    assert dim("a") * dim("b") == dim("b") * dim("a")


def _computed(node, at):
    """The number that a formula says."""
    match node:
        case ast.Constant(number):
            return number
        case ast.Name(name):
            return at[name]
        case ast.BinOp(a, ast.Add(), b):
            return _computed(a, at) + _computed(b, at)
        case ast.BinOp(a, ast.Mult(), b):
            return _computed(a, at) * _computed(b, at)
        case ast.BinOp(a, ast.Pow(), b):
            return _computed(a, at) ** _computed(b, at)


# --- conditions ---


@each_shipped
def test_what_exists_in_some_variants_has_a_condition_that_says_in_which(stem):
    typed = typed_of(stem)
    found = facts_of(stem)
    for name in [*(param.name for param in typed.cell.params), *(equation.name for equation in typed.cell.equations)]:
        for variant in typed.variants:
            there = name in variant.live or name in [weight.name for weight in variant.weights]
            test = found.exists_if.get(name)
            assert there == (test is None or holds(test, variant.variant))


def test_conditions_are_short():
    said = {name: condition_text(test) for name, test in facts_of("hm_lstm").exists_if.items()}
    assert said == {
        "V": "h_above",
        "soft": "detector",
        "z_new": "detector",
        "c_blend": "combine == blend",
        "c_select": "combine == select",
    }


def test_a_condition_holds_in_exactly_the_variants_that_are_marked():
    rng = random.Random(1)
    variants = [{"a": a, "b": b, "w": w} for a in (True, False) for b in (True, False) for w in ("one", "two", "three")]
    for _ in range(100):
        marks = [rng.random() < 0.5 for _ in variants]
        test = condition(list(zip(variants, marks)))
        if len(set(marks)) == 1:
            assert test is None
        else:
            assert [holds(test, variant) for variant in variants] == marks
    assert condition([(v, v["a"]) for v in variants]) == Given("a")
    assert condition([(v, not v["b"]) for v in variants]) == Not(Given("b"))
    assert condition([(v, v["w"] == "two") for v in variants]) == Is("w", "two")
    assert condition_text(condition([(v, not (v["a"] and v["b"])) for v in variants])) == "not a or not b"


# --- gates, states, remarks ---


def codes(found):
    return [each.code for each in found.diagnostics]


def test_the_shipped_cells_leave_nothing_to_remark():
    for stem in TODAY:
        told = {each.code for each in facts_of(stem).diagnostics if each.severity != "note"}
        assert told <= TOLD.get(stem, set()), stem


def test_a_gate_multiplies_a_carried_state_or_has_a_complement():
    typed = typed_of("gru_reset_before")
    found = [(gate.text, gate.state) for gate in default(typed, facts_of("gru_reset_before")).gates]
    assert found == [("r", "h"), ("z", "h"), ("z", None)]


def test_what_is_drawn_is_no_gate():
    typed = Spec.of(
        "cell: Noisy\nstate: {h: units}\noptions: {rate: {default: 0.3, in: [0, 1]}}\nparams: {W: [input, units]}\n"
        "equations: |\n  h = dropout(h[t-1], rate, per=step) * sigmoid(x @ W)\n"
    ).typed()
    found = analyse(typed)
    gates = {gate.text for variant in found.variants for gate in variant.gates}
    assert not found.diagnostics and gates == {"sigmoid(x @ W)"}


def test_a_carried_value_below_the_new_one_is_noted():
    _, found = facts(
        """
        c = tanh(x @ W + c[t-1])
        h = c[t-1] * sigmoid(x @ V + h[t-1])
    """,
        "h: units, c: units",
    )
    (note,) = found.diagnostics
    assert (note.code, note.severity, note.label.span.text) == ("CG407", "note", "c[t-1]")


@pytest.mark.parametrize(
    ("equation", "told"),
    [("tanh(U @ h[t-1])", ["U @ h[t-1]"]), ("h[t-1] @ U - U @ h[t-1]", []), ("h[t-1] @ U", [])],
)
def test_a_square_weight_on_the_left_is_told_of_unless_it_stands_on_the_right_too(equation, told):
    typed, found = facts(f"h = x @ W + {equation}")
    assert [each.label.span.text for each in found.diagnostics if each.code == "CG411"] == told


def test_a_state_that_cannot_reach_the_output_is_remarked():
    typed, found = facts(
        """
        h = tanh(x @ W + h[t-1] @ U)
        n = n[t-1] + h
    """,
        "h: units, n: units",
    )
    assert [(each.code, each.label.span.text) for each in found.diagnostics] == [("CG404", "n")]
    assert default(typed, found).unreached == ("n",)


# --- the house ---


def test_facts_need_neither_sympy_nor_numpy():
    program = (
        "import sys; from cellgen.compiler import Spec; from cellgen.analyse import analyse\n"
        "analyse(Spec.at('hm_lstm').typed()); print(*{'sympy', 'numpy', 'tensorflow'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@each_shipped
def test_notation_is_read_back_as_the_same_expression(stem):
    typed = typed_of(stem)
    text = Spec.at(stem).source.text
    if Spec.at(stem).is_stack:
        pytest.skip("its equations stand in two files")
    for equation in typed.cell.equations:
        if re.search("dropout|zoneout", equation.text):
            continue  # a call of these is said as what it does
        written = notation(equation.value)
        again = text.replace(equation.text.split("=", 1)[1].strip(), written) if ":" not in equation.text else text
        copy = Spec.of(again, stem).cell()
        assert next(each for each in copy.equations if each.name == equation.name).value == equation.value


def test_numbers_are_written_exactly():
    typed, _ = facts("h = tanh(x @ W + 0.1 * h[t-1] - 1e-3)")
    assert notation(typed.cell.equations[0].value) == "tanh(x @ W + 0.1 * h[t-1] - 0.001)"


def figures(stem):
    from cellgen.show.cell_screen import screen

    lines = re.sub(r"\n {10,}", " ", screen(Spec.at(stem).check()))
    return {name: re.search(rf"^{name} +(.*)$", lines, re.M)[1] for name in ("parameters", "operations a step")}


def test_sizes_of_many_variants_say_what_each_choice_adds():
    found = figures("regularised_lstm")
    assert found["parameters"] == "4*units*(input + units + 1); 4*units*(input + units) if not use_bias"
    wanted = "units*(8*input + 8*units + 23); input + 4*units more if training; 4*units less if not use_bias"
    assert found["operations a step"] == wanted


def test_sizes_that_do_not_add_up_are_told_by_their_ends():
    largest = "4*units*(input + units + 1) by default; of 4 formulas the largest is units*(4*input + 5*proj + 7)"
    assert figures("lstmp")["parameters"] == f"{largest} if use_peepholes and proj"
