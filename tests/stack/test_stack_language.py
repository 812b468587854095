"""The language of stacks, tried on odd ones: each built, its generated tests run, its slips refused with a code."""

import importlib.util
import sys

import numpy as np
import pytest

from cellgen.compiler import Spec, proved
from cellgen.interpret.instance import Instance
from cellgen.ir.expr import Given, Not
from cellgen.stack.layer import role
from tests.generated import build, imported, layer_class

CELLS = {
    "elman": """
cell: Elman
state: {h: units}
equations: |
  z: [units] = affine(x, h[t-1])
  h = tanh(z)
""",
    "top": """
cell: Top
dims: {input: inferred, units: required, upper: optional}
inputs:
  x: [input]
  top: {shape: [upper], optional: true}
state: {h: units}
params: {V: [upper, units]}
equations: |
  z: [units] = affine(x, h[t-1])
  h = tanh(z + top @ V) if top else tanh(z)
""",
    "wired": """
cell: Wired
options:
  gated: true
  kind: {one_of: [soft, hard, none_of]}
  decay: {default: 0.5, in: [0, 1]}
  gain: 1.0
state: {h: units}
params: {W: [input, units], U: [units, units], g: [units]}
equations: |
  z = gain * (x @ W) + h[t-1] @ U
  a = sigmoid(z) if kind == soft else softsign(z) if kind == hard else z
  b = a * g if gated else a
  h = decay * h[t-1] + (1 - decay) * b
""",
    "of_length": """
cell: OfLength
state: {h: units}
params: {W: [input, units], w: [units, 1]}
equations: |
  a = h[t-1] @ w
  h = tanh(x @ W - a * (x @ x))
""",
    "keyed": """
cell: Keyed
dims: {input: inferred, units: required, key: required}
state: {h: units, k: key}
params: {W: [input, units], U: [units, units], K: [units, key], Q: [key, units]}
equations: |
  k = tanh(h[t-1] @ K) * 0.5 + 0.5 * k[t-1]
  h = tanh(x @ W + h[t-1] @ U + k @ Q)
""",
    "shown": """
cell: Shown
dims: {input: inferred, units: required, width: units}
state: {h: units}
output: y
params: {V: [units, width]}
equations: |
  z: [units] = affine(x, h[t-1])
  h = tanh(z)
  y = sigmoid(h @ V) * 2
""",
    "gauge": """
cell: Gauge
state: {h: units, s: {shape: [1]}}
output: g
params: {V: [units, units], v: [units, 1]}
equations: |
  z: [units] = affine(x, h[t-1])
  s = sigmoid(h[t-1] @ v) * 0.5 + 0.5 * s[t-1]
  h = s * tanh(z)
  g = sigmoid(h @ V) * 2
""",
    "learned": """
cell: Learned
state:
  h: {shape: units, initial: h0}
  c: {shape: units, initial: 0.5}
params: {h0: {shape: [units], init: zeros}}
equations: |
  z: [units] = affine(x, h[t-1])
  c = 0.5 * c[t-1] + tanh(z)
  h = tanh(c)
""",
}
STACKS = {
    "a delayed reading of the layer below": """
cell: elman
layers: units
wiring: |
  x = below.h[t-1] if below else x
""",
    "a step back that reads the input of the first layer": """
cell: of_length
layers: units
wiring: |
  x = below.h if below else x
""",
    "the last step of the layer above": """
cell: top
layers: units
wiring: |
  x = below.h if below else x
  top = above.h[t-1] if above else none
""",
    "norms, and masks that reset": """
cell: layer_norm_lstm
layers: units
""",
    "flags, words and numbers by role": """
cell: wired
layers: units
options: {first: false, loud: {default: 0.75, in: [0, 1]}}
wiring: |
  x = below.h if below else x
  gated = true if above else first
  kind = soft if below and above else hard if below else none_of
  decay = 0.25 if below else loud
""",
    "options that leave equations and weights out": """
cell: wired
layers: units
wiring: |
  x = below.h if below else x
  gated = false
  kind = soft
  decay = 0.25
""",
    "a label that no layer has": """
cell: hm_lstm
layers: units
wiring: |
  h_below = below.h if below else x
  z_below = below.z if below else 1
  h_above = above.h[t-1] if above else none
  detector = false
  combine = select
  boundary = hard
  z_on_copy = recompute
""",
    "two lists of sizes": """
cell: keyed
layers: [units, key]
wiring: |
  x = below.k if below else x
""",
    "an output that is no state": """
cell: scrn
layers: depth
""",
    "an output of the default size": """
cell: shown
layers: depth
""",
    "the input in every layer": """
cell: elman
layers: depth
params: {E: [input, units], F: [input, units]}
wiring: |
  x = below.h + x @ E if below else x @ F
""",
    "an activation of the wiring": """
cell: gru
layers: units
options: {squash: {one_of: activations, default: softsign}}
wiring: |
  x = squash(below.h) if below else x
""",
    "initial states that are weights": """
cell: learned
layers: units
""",
    "an option that is set while training": """
cell: elman
layers: depth
options: {rate: {default: 0.5, scheduled: true}}
params: {E: [input, units]}
wiring: |
  u = below.h * rate if below else x @ E
  x = u
""",
    "both steps of the layer below, an output that is no state, a readout of intermediate values": """
cell: gauge
layers: units
dims: {embedding: required}
wiring: |
  x = below.h[t-1] + below.h * below.g if below else x
readout:
  params:
    gate: {shape: [layers, embedding]}
    emb: {shape: [each.units, embedding]}
  equations: |
    a = tanh(each.h @ each.emb)
    y = sum(each.a * each.s) + concat(each.s) @ gate
output: y
""",
}
EVERY_WAY = "both steps of the layer below, an output that is no state, a readout of intermediate values"


def spec(text, cell="elman", stem="odd"):
    """A spec of a stack; its cell is one of those above, or a shipped one."""
    return Spec.of(f"stack: Odd\n{text.strip()}\n", stem, CELLS)


def module(name, text, folder):
    path = folder / f"{name}.py"
    path.write_text(text, encoding="utf-8")
    described = importlib.util.spec_from_file_location(name, path)
    sys.modules[name] = found = importlib.util.module_from_spec(described)
    described.loader.exec_module(found)
    return found


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The generated tests of an odd stack, in this process, each built once."""
    found = {}

    def of(name):
        if name not in found:
            stem = f"odd{list(STACKS).index(name)}"
            files = spec(STACKS[name], stem=stem).build()
            folder = tmp_path_factory.mktemp(stem)
            module(stem, files[f"{stem}.py"], folder)
            found[name] = module(f"test_{stem}", files[f"test_{stem}.py"], folder)
        return found[name]

    return of


@pytest.mark.parametrize("name", STACKS)
def test_an_odd_stack_is_as_its_oracle_says(name, built):
    """Steps, masks, gradients by finite differences: where all is as it was made, and where all is changed.

    The sizes stand in each case, so that what is the runtime's (lengths, backwards...) is left out, and gradients are
    along one direction of all that there is. A mask has a sample of which every step counts.
    """
    tests = built(name)
    sizes, others = tests.SUBJECT.sizes
    plain, *changed = ({**sizes, **case} for case in unlike(tests.SUBJECT.cases))
    for case in (plain, *changed):
        tests.test_step(case, sizes)
        tests.test_step({**case, **others}, sizes)
    tests.test_masks(plain)
    tests.test_gradients(plain)
    for case in changed:
        tests.test_scan(case)


def unlike(cases):
    """The first, where nothing is given, and the last, where all is."""
    return (cases[0], cases[-1]) if len(cases) > 1 else cases


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name == EVERY_WAY else pytest.mark.full) for name in STACKS]
)
def test_an_odd_stack_is_the_same_however_it_is_run(name, built, tmp_path, monkeypatch, request):
    """What runs it otherwise is one for all stacks, and held with each of the shipped ones."""
    tests = built(name)
    tests.test_as_a_cell_of_keras()
    tests.test_save_and_load(tests.SUBJECT.cases[-1], tmp_path)
    if request.config.getoption("--full"):
        tests.test_every_way(monkeypatch)


def test_lists_of_other_lengths(built):
    tests = built("two lists of sizes")
    tests.test_arguments_are_checked()
    made = layer_class(tests.SUBJECT.built)
    assert len(made([3, 4], [2, 5]).cell.state_size) == 4
    with pytest.raises(ValueError, match="`key` must be of as many layers as units"):
        made([3, 4], [2])


# --- the language ---------------------------------------------------------------------------------------------------


def test_the_default_wiring_written_out():
    """An output of the layer below, the input in the first."""
    for cell, output in (("elman", "h"), ("shown", "y"), ("scrn", "y"), ("gru", "h")):
        plain = spec(f"cell: {cell}\nlayers: depth")
        written = spec(f"cell: {cell}\nlayers: depth\nwiring: |\n  x = below.{output} if below else x")
        one, two = plain.stack(), written.stack()
        assert one.layer.equations == two.layer.equations and one.readings == two.readings
        assert plain.build(tests=False) == written.build(tests=False)


def test_roles():
    typed = spec("cell: gru\nlayers: units").typed()
    assert {role(each.variant) for each in typed.variants} == {"first", "inner", "last", "only"}
    assert {each.same["own_input"] for each in typed.variants} == {"input", "below_units"}
    stack = spec(STACKS["the last step of the layer above"]).stack()
    assert {(each.neighbour, each.name, each.ago) for each in stack.readings} == {("below", "h", 0), ("above", "h", 1)}
    assert {port.when for port in stack.layer.inputs if port.inner} == {Given("below"), Given("above")}
    assert ("h", Not(Given("above"))) in stack.layer.read


@pytest.mark.parametrize("stem", ["gru_stack", "residual_lstm_stack", "highway_gru_stack"])
def test_the_derivative_of_a_flat_stack_is_proved(stem):
    for depth in (1, 2):
        proof = proved(Spec.at(stem).flat(depth))
        assert proof.compared and not proof.wrong and not proof.open


@pytest.mark.parametrize("name", STACKS)
def test_the_derivative_of_a_layer_is_proved(name):
    proof = proved(spec(STACKS[name]).typed())
    assert proof.compared and not proof.wrong and not proof.open


def test_laws_of_hm_lstm_by_role():
    found = Spec.at("hm_lstm_stack").check()
    assert {each.status for each in found.verdicts.laws} == {"proved"}
    claims = " ".join(each.claim for each in found.verdicts.laws)
    for claim in ("copy + update + flush == 1", "copy * update == 0", "c == c[t-1]", "h == h[t-1]"):
        assert claim in claims
    assert [each.code for each in found.diagnostics] == ["CG409"]


@pytest.mark.parametrize("combine, found", [("select", {"CG409"}), ("blend", set())])
def test_a_detector_that_only_chooses_has_no_gradient(combine, found):
    """`combine` is wired, so it is asked of one kind alone."""
    text = f"""
cell: hm_lstm
layers: units
options: {{top_detector: true}}
wiring: |
  h_below = below.h if below else x
  z_below = below.z if below else 1
  h_above = above.h[t-1] if above else none
  detector = true if above else top_detector
  combine = {combine}
"""
    checked = spec(text).check()
    assert {each.code for each in checked.diagnostics} == found
    assert {each.status for each in checked.verdicts.laws} == {"proved"}


def test_an_input_as_wide_as_the_layers(tmp_path):
    """Its width is checked where the stack is built."""
    spec = "stack: Even\ncell: simple_rnn\nlayers: depth\ninputs:\n  x: [units]\n"
    (tmp_path / "even.yaml").write_text(spec, encoding="utf-8")
    for name, text in Spec.at(tmp_path / "even.yaml").build().items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    made = layer_class(imported("even", tmp_path))
    assert made(3, 2)(np.zeros([2, 4, 3])).shape == (2, 3)
    with pytest.raises(ValueError, match="`x` must be of size 3 in axis -1"):
        made(3, 2)(np.zeros([2, 4, 5]))


def test_a_port_that_is_a_number_in_some_roles():
    """Nothing is differentiated there, and nothing is missing."""
    cell = "cell: Mini\ninputs:\n  x: [input]\n  n: {shape: [1], default: 1}\nstate: {h: [units]}\n"
    cell += "params: {W: [input, units], T: [units]}\nequations: |\n  h = x @ W + (n / (1 + n)) * T + h[t-1]\n"
    stack = "stack: Minis\ncell: mini\nlayers: units\nwiring: |\n  x = below.h if below else x\n"
    stack += "  n = below.n if below else 1\n"
    assert not Spec.of(stack, "minis", {"mini": cell}).check().proof.wrong


def test_a_flat_stack_has_the_weights_of_its_layers(tmp_path):
    """What a layer shows the next it has, also where an option keeps all of them from reading it."""
    cell = "cell: Inner\noptions: {bound: none}\ninputs: {x: [input]}\nstate: {h: units}\nparams: {W: [input, units]}\n"
    cell += "equations: |\n  h = tanh(((x @ W) if bound else h[t-1]) + h[t-1])\n"
    stack = "stack: Pile\ncell: inner\nlayers: depth\nparams: {E: [input, units]}\n"
    stack += "wiring: |\n  x = tanh(below.h) * below.x if below else x @ E\n"
    pile = Spec.of(stack, "pile", {"inner": cell})
    made = layer_class(module("pile_of_two", pile.build(tests=False)["pile.py"], tmp_path))
    for bound, wanted in ((None, ["layer1_E"]), (0.5, ["layer1_W", "layer1_E", "layer2_W"])):
        instance = Instance(pile.flat(2), {"input": 3, "units": 4, "bound": bound})
        layer = made(4, 2, bound=bound)
        layer.build([2, 5, 3])
        assert list(instance.weights) == wanted
        assert list(instance.weights.values()) == [tuple(each.shape) for each in layer.trainable_weights]


# --- inputs after the first -------------------------------------------------------------------------------------------

AGED = """\
cell: Aged
inputs: {x: [input], age: {shape: [1], default: 0}, more: {shape: [units], default: 0}}
state: {h: units}
equations: |
  z: [units] = affine(x, h[t-1])
  h = exp(-abs(age)) * h[t-1] + tanh(z + more)
"""

PILE = """\
stack: Pile
cell: aged
layers: units
inputs:
  x: [input]
  elapsed: [1]
  near: {shape: [side], per: sequence}
  on: {shape: [1], default: 1}
params: {V: [side, units]}
wiring: |
  x = (below.h if below else x) * on
  age = elapsed
  more = near @ V
"""


def test_all_layers_of_a_stack_read_its_inputs(tmp_path):
    """The generated tests of it, and beside layers of the cell, one above the other."""
    (tmp_path / "aged.yaml").write_text(AGED)
    (tmp_path / "pile.yaml").write_text(PILE)
    for stem in ("aged", "pile"):
        build(tmp_path / f"{stem}.yaml", tmp_path)
    tests, module = imported("test_pile", tmp_path), imported("pile", tmp_path)
    sizes = tests.SUBJECT.sizes[0]
    tests.test_step(tests.SUBJECT.cases[0], sizes), tests.test_gradients(tests.SUBJECT.cases[0])
    tests.test_save_and_load(tests.SUBJECT.cases[-1], tmp_path)
    rng = np.random.default_rng(0)
    x = {"x": rng.normal(size=(2, 5, 3)), "elapsed": rng.normal(size=(2, 5, 1)), "near": rng.normal(size=(2, 4))}
    layer = module.Pile(units=[5, 6], dtype="float64", return_sequences=True)
    came = layer(x)
    below = x["x"]
    for part, units in zip(layer.cell.parts, (5, 6)):
        one = imported("aged", tmp_path).Aged(units, dtype="float64", return_sequences=True)
        more = np.repeat((x["near"] @ np.asarray(part.V))[:, None], 5, 1)
        given = {"x": below, "age": x["elapsed"], "more": more}
        one.build({name: value.shape for name, value in given.items()})
        one.set_weights([part.kernel, part.recurrent_kernel, part.bias])
        below = one(given)
    np.testing.assert_allclose(came, below, atol=1e-12)
    with pytest.raises(ValueError, match="`near` must be given"):
        layer({"x": x["x"], "elapsed": x["elapsed"]})
    with pytest.raises(ValueError, match="`elapsed` must be of size 1"):
        module.Pile(units=[5])({**x, "elapsed": rng.normal(size=(2, 5, 2))})
