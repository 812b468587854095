"""Specs of stacks with a slip: each is refused with a code, at a place in its text, or is a stack that runs."""

import re
from types import ModuleType

import numpy as np
import pytest

from cellgen.compiler import Spec
from cellgen.diagnostics.diagnostic import SpecError
from tests.generated import layer_class

ELMAN = """cell: Elman
state: {h: units}
equations: |
  z: [units] = affine(x, h[t-1])
  h = tanh(z)
"""
UPWARD = "x = below.h if below else x"


def codes(text, cell=ELMAN):
    """The codes that a spec is refused with; none if it is built. Any other exception fails the test."""
    try:
        Spec.of(text, "slip", {"elman": cell}).build()
    except SpecError as error:
        for each in error.diagnostics:
            assert 0 <= each.label.span.start <= each.label.span.end <= len(each.label.span.source.text)
        return {each.code for each in error.diagnostics}
    return set()


def stack(rest, head="stack: Odd\ncell: elman\n"):
    return f"{head}{rest}\n"


def wired(*lines, layers="units", rest=""):
    return stack(f"{rest}layers: {layers}\nwiring: |\n" + "".join(f"  {line}\n" for line in lines))


def read_out(*lines, params="", layers="depth", output="y", rest=""):
    params = f"  params: {{{params}}}\n" if params else ""
    lines = "".join(f"    {line}\n" for line in lines)
    return stack(f"{rest}layers: {layers}\nreadout:\n{params}  equations: |\n{lines}output: {output}")


LAYERS = {
    "3": "CG106",
    "true": "CG106",
    "": "CG106",
    "[]": "CG106",
    "[3, 4]": "CG106",
    "[[units]]": "CG106",
    "{units: 3}": "CG106",
    "[units, units]": "CG112",
    "[units, input]": "CG205",
    "[units, depth]": "CG205",
    "h": "CG112",
    "x": "CG112",
    "kernel": "CG112",
    "units*2": "CG109",
    "a b": "CG109",
    "class": "CG109",
    "name": "CG109",
    "weights": "CG109",
    "tanh": "CG109",
    "index": "CG109",
    "parts": "CG109",
    "each": "CG109",
    "_n": "CG109",
    "\u03bb": "CG109",
    "n" * 49: "CG108",
}


@pytest.mark.parametrize("layers", LAYERS, ids=ascii)
def test_layers(layers):
    assert LAYERS[layers] in codes(stack(f"layers: {layers}"))


WIRING = {
    "below.h": "CG202",
    "x == below.h": "CG202",
    "import os": "CG202",
    "x = ": "CG201",
    "x = beside.h if below else x": "CG205",
    "x = below.h if under else x": "CG214",
    "x = below.h if x else x": "CG214",
    "x = below.below.h if below else x": "CG205",
    "x = below.q if below else x": "CG205",
    "x = above.h[t-2] if above else x": "CG202",
    "x = above.h if above else x": "CG217",
    "x = below if below else x": "CG218",
    "x = below[0].h if below else x": "CG218",
    "x = below.z[t-1] if below else x": "CG210",
    "x = x[t-1]": "CG210",
    "x = below.h": "CG212",
    "x = 1": "CG212",
    "x = none": "CG218",
    "x = each.h": "CG205",
    "x = sum(each.h)": "CG205",
    "x = concat(below.h) if below else x": "CG208",
    "x = affine(x, below.h)": "CG208",
    "x = below.h if below else h[t-1]": "CG205",
    "x = below.h if below else x @ kernel": "CG205",
    "x: [units] = below.h if below else x": "CG202",
    "x = below.x if below else x": "CG601",
    "x = below" + ".h" * 300 + " if below else x": "CG108",
    "x = " + "tanh(" * 90 + "x" + ")" * 90: "CG108",
    "x = " + "(" * 900 + "x" + ")" * 900: "CG201",
    "x = x.__class__": "CG209",
    "x = eval(x)": "CG208",
}


@pytest.mark.parametrize("line", WIRING, ids=lambda line: line[:40])
def test_one_line_of_wiring(line):
    found = codes(wired(line))
    assert WIRING[line] in found


SLIPS = {
    "wired twice": (wired(UPWARD, UPWARD), "CG207"),
    "a state is wired": (wired(UPWARD, "h = x"), "CG207"),
    "a value that nobody reads": (wired("u = tanh(x)", UPWARD), "CG212"),
    "used before": (wired("x = u", "u = x"), "CG206"),
    "more than 256 lines": (wired(*(f"a{at} = {f'a{at - 1}' if at else 'x'}" for at in range(260))), "CG108"),
    "wiring is a list": (stack("layers: units\nwiring: [x]"), "CG106"),
    "no layers": (stack(""), "CG107"),
    "laws": (stack("layers: units\nlaws: |\n  h in (-1, 1)"), "CG105"),
    "extends": (stack("layers: units\nextends: gru_stack"), "CG105"),
    "a cell's path": (stack("layers: units", "stack: Odd\ncell: ../lstm\n"), "CG110"),
    "a stack of stacks": (stack("layers: units", "stack: Odd\ncell: gru_stack\n"), "CG110"),
    "a class like the state's": (stack("layers: units", "stack: ElmanState\ncell: elman\n"), "CG112"),
    "a label's initialiser": (
        wired(
            "x = below.h if below else x @ E",
            layers="depth",
            rest="params: {E: {shape: [input, units], init: {f: ones}}}\n",
        ),
        "CG209",
    ),
    "a negative size": (wired("x = x @ E", rest="params: {E: [input, -1]}\n"), "CG106"),
    "each in a weight of the wiring": (wired("x = x @ E", rest="params: {E: [each.units, units]}\n"), "CG202"),
    "a dim that nobody reads": (stack("dims: {e: required}\nlayers: units"), "CG212"),
    "a dim of the cell": (stack("dims: {units: 3}\nlayers: units"), "CG112"),
    "a negative dim": (stack("dims: {e: -3}\nlayers: units"), "CG106"),
    "an input of all sizes": (stack("inputs: {x: [units]}\nlayers: units"), "CG601"),
    "an input that nobody reads": (wired(UPWARD, rest="inputs: {x: [input], y: {shape: [1], default: 1}}\n"), "CG212"),
    "output without readout": (stack("layers: units\noutput: h"), "CG205"),
    "readout without output": (read_out("y = sum(each.h)").replace("output: y", ""), "CG107"),
    "output of each": (read_out("y = tanh(each.h)"), "CG205"),
    "no equations": (read_out("# none"), "CG107"),
    "sums of other sizes": (read_out("y = sum(each.h)", layers="units"), "CG302"),
    "concat of nothing": (read_out("y = concat() @ A", params="A: [all, 3]"), "CG208"),
    "concat of each": (read_out("y = concat(each) @ A", params="A: [all, 3]"), "CG218"),
    "concat of a number": (read_out("y = concat(3) @ A", params="A: [all, 3]"), "CG208"),
    "concat alone": (read_out("y = concat(each.h)"), "CG208"),
    "concat by one a layer": (read_out("y = concat(each.h) @ E", params="E: [each.units, 3]"), "CG302"),
    "concat by no `all`": (read_out("y = concat(each.h) @ A", params="A: [3, 3]"), "CG302"),
    "concat by a row": (read_out("y = concat(each.h) @ A", params="A: [all]"), "CG302"),
    "an option in the readout": (read_out("y = r * sum(each.h)", rest="options: {r: 0.5}\n"), "CG601"),
    "a choice in the readout": (read_out("y = sum(each.h) if r else 0", rest="options: {r: true}\n"), "CG601"),
    "an activation in the readout": (
        read_out("y = f(sum(each.h))", rest="options: {f: {one_of: activations, default: tanh}}\n"),
        "CG601",
    ),
    "a value of the readout that nobody reads": (read_out("u = sum(each.h)", "y = sum(each.h)"), "CG212"),
    "a name of the layers": (read_out("z = tanh(each.h)", "y = sum(each.z)"), "CG207"),
    "a name of one layer": (read_out("layer1_h = sum(each.h)", "y = tanh(layer1_h)"), "CG207"),
    "an attribute of Keras's layers": (read_out("y = concat(each.h) @ output", params="output: [all, 3]"), "CG109"),
}


@pytest.mark.parametrize("name", SLIPS)
def test_a_slip(name):
    text, code = SLIPS[name]
    assert code in codes(text)


# --- names that the generated module uses ---------------------------------------------------------------------------

NAMES = """index layer parts part readout read_out depth own_input outer_x below_h units state old new shown ports found
    sent kept also after values output x z kernel bias named name size each all carried layer1 layer1_h l1 mask
    cell_ state_size scheduled on d_new late""".split()
PLACES = {
    "option": lambda n: wired(f"x = below.h * {n} if below else x", layers="depth_", rest=f"options: {{{n}: 0.5}}\n"),
    "weight": lambda n: wired(
        f"x = below.h if below else x @ {n}", layers="depth_", rest=f"params: {{{n}: [input, units]}}\n"
    ),
    "input": lambda n: wired(f"x = below.h if below else {n}", rest=f"inputs: {{{n}: [input]}}\n"),
    "value": lambda n: wired(
        f"{n} = below.h if below else x @ E", f"x = tanh({n})", layers="depth_", rest="params: {E: [input, units]}\n"
    ),
    "size": lambda n: read_out("y = sum(each.h @ each.E)", params=f"E: [each.units, {n}]", rest=f"dims: {{{n}: 2}}\n"),
    "readout": lambda n: read_out(f"{n} = sum(each.h)", f"y = tanh({n})"),
    "each": lambda n: read_out(f"{n} = tanh(each.h)", f"y = sum(each.{n})"),
    "mixed": lambda n: read_out(f"y = concat(each.h) @ {n}", params=f"{n}: [all, 3]"),
    "own": lambda n: read_out(f"y = sum(each.h @ each.{n})", params=f"{n}: [each.units, 3]"),
    "depth": lambda n: stack(f"layers: {n}"),
}
IN_THE_CELL = {
    "value": lambda n: ELMAN.replace("z:", f"{n}:").replace("(z)", f"({n})"),
    "state": lambda n: re.sub(r"\bh\b", n, ELMAN),
    "size": lambda n: ELMAN.replace("units", n),
    "port": lambda n: ELMAN.replace("state:", f"inputs: {{{n}: [input]}}\nstate:").replace("affine(x", f"affine({n}"),
    "weight": lambda n: ELMAN.replace("state:", f"params: {{{n}: [units, units]}}\nstate:").replace(
        "(z)", f"(z @ {n})"
    ),
}


def runs(text, cell=ELMAN):
    """A spec is refused, or its module is the same step by step and as a scan."""
    try:
        code = Spec.of(text, "slip", {"elman": cell}).build(tests=False)["slip.py"]
    except SpecError as error:
        assert error.diagnostics
        return
    module = ModuleType("slip")
    exec(compile(code.replace('"slip")', f'"slip{abs(hash(code))}")'), "slip.py", "exec"), module.__dict__)  # noqa: S102
    made = layer_class(module)
    counts = re.findall(r"recurrent\.size\(\"(\w+)\"", code)
    given = dict.fromkeys(counts, 2) | dict.fromkeys(re.findall(r"recurrent\.sizes\(\"(\w+)\"", code), [2, 2])
    x = np.random.default_rng(0).normal(size=(2, 3, 2))
    layer = made(**given, return_sequences=True, dtype="float64")
    found = np.asarray(layer(x))
    again = made(**given, return_sequences=True, dtype="float64", debug=True)
    again.build(x.shape)
    again.set_weights(layer.get_weights())
    np.testing.assert_allclose(found, again(x), rtol=1e-9, atol=1e-9)
    assert made.from_config(layer.get_config()).get_config() == layer.get_config()


@pytest.mark.parametrize(
    "place, name",
    [
        pytest.param(place, name, marks=() if (at + len(place)) % 12 == 0 else pytest.mark.full)
        for place in PLACES
        for at, name in enumerate(NAMES)
    ],
)
def test_names_in_a_stack(place, name):
    runs(PLACES[place](name))


@pytest.mark.parametrize(
    "place, name",
    [
        pytest.param(place, name, marks=() if (at + len(place)) % 12 == 0 else pytest.mark.full)
        for place in IN_THE_CELL
        for at, name in enumerate(NAMES)
    ],
)
def test_names_in_a_cell(place, name):
    cell = IN_THE_CELL[place](name)
    runs(stack(f"layers: {name if place == 'size' else 'units'}"), cell)
    state = name if place == "state" else "h"
    shown = name if place in ("value", "port") else state
    port = name if place == "port" else "x"
    runs(
        wired(
            f"{port} = below.{shown} + below.{state} if below else x @ E",
            layers="deep",
            rest=f"params: {{E: [input, {name if place == 'size' else 'units'}]}}\n",
        ),
        cell,
    )
