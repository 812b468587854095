"""What a spec means, through the front door: text in, cell or generated code out."""

from itertools import product

import pytest

from cellgen.compiler import Spec
from cellgen.diagnostics.diagnostic import SpecError
from cellgen.ir.choices import when
from cellgen.ir.expr import Both, Either, Given, Is, Not, holds
from cellgen.text.printer import condition_text
from tests.checkout import CHECKOUT
from tests.shipped import TODAY

LSTM = """
cell: Base
gates: [i, f, g, o]
state: {h: units, c: units}
equations: |
  z: [gates, units] = affine(x, h[t-1])
  c = sigmoid(z.f) * c[t-1] + sigmoid(z.i) * tanh(z.g)
  h = sigmoid(z.o) * tanh(c)
laws: |
  h in (-1, 1)
"""


@pytest.fixture
def spec(tmp_path):
    """Writes specs into one folder and gives the last one."""

    def write(**texts):
        for stem, text in texts.items():
            (tmp_path / f"{stem}.yaml").write_text(text, encoding="utf-8")
        return Spec.at(tmp_path / f"{stem}.yaml")

    return write


def step(text):
    """The lines of the generated step that compute something."""
    body = text.split("def _step(")[1].split("\n    return ")[0]
    return [line.strip() for line in body.splitlines() if " = " in line and not line.strip().startswith("#")]


def equations(spec):
    return [equation.text for equation in spec.cell().equations]


# --- what is not said ----------------------------------------------------------------------------------------------


def test_the_smallest_spec_is_the_full_one(spec):
    short = spec(base=LSTM)
    full = spec(
        base="""
language: 1
cell: Base
dims: {input: inferred, units: required}
gates: [i, f, g, o]
inputs: {x: [input]}
state: {h: [units], c: [units]}
output: h
params:
  kernel: {shape: [input, gates*units], init: glorot_uniform}
  recurrent_kernel: {shape: [units, gates*units], init: orthogonal}
  bias: {shape: [gates*units], init: zeros}
mask: hold
equations: |
  z: [gates, units] = x @ kernel + h[t-1] @ recurrent_kernel + bias
  c = sigmoid(z.f) * c[t-1] + sigmoid(z.i) * tanh(z.g)
  h = sigmoid(z.o) * tanh(c)
"""
    )
    one, other = (each.build(tests=False)["base.py"].partition("\n")[2] for each in (short, full))  # but for checksums
    assert one.replace("affine(x, h[t-1])", "x @ kernel + h[t-1] @ recurrent_kernel + bias") == other


def test_affine_takes_its_bias_from_an_option_and_its_initialisers_from_params(spec):
    text = LSTM.replace("h[t-1])\n", "h[t-1], bias=use_bias)\n") + (
        "options: {use_bias: true}\nparams:\n  bias: {shape: [gates*units], init: {f: ones, else: zeros}}\n"
    )
    code = spec(base=text).build(tests=False)["base.py"]
    assert "z = x @ kernel + h_prev @ recurrent_kernel + (bias if use_bias else 0)" in code
    assert 'self._weight("bias", [4 * self.units], [None, "ones", None, None])' in code


def test_a_parameter_may_be_a_bare_shape(spec):
    text = """
cell: Cell
inputs: {x: [units]}
state: {h: units}
params: {U: [units, units], b: units}
equations: |
  h = tanh(x + h[t-1] @ U + b)
"""
    code = spec(base=text).build(tests=False)["base.py"]
    assert 'U_initializer: recurrent.Initializer = "glorot_uniform"' in code
    assert 'b_initializer: recurrent.Initializer = "zeros"' in code
    # what a state has is an argument, also where an input has it too
    assert [(dim.name, dim.kind) for dim in spec(base=text).cell().dims] == [("units", "required")]
    assert "recurrent.require(input_shape[-1] == self.units" in code


def test_a_line_goes_on_while_a_bracket_is_open(spec):
    text = LSTM.replace("c[t-1] + sigmoid(z.i)", "c[t-1] + (   # so far\n    sigmoid(z.i)").replace(
        "(z.g)", "(z.g)\n  )", 1
    )
    assert step(spec(base=text).build(tests=False)["base.py"]) == step(spec(base=LSTM).build(tests=False)["base.py"])


# --- extends --------------------------------------------------------------------------------------------------------


def test_an_equation_that_exists_is_replaced_in_its_place(spec):
    new = spec(base=LSTM, new="extends: base\ncell: New\nequations: |\n  c = 0.5 * c[t-1] + tanh(z.i + z.f + z.g)\n")
    assert equations(new) == [
        "z: [gates, units] = affine(x, h[t-1])",
        "c = 0.5 * c[t-1] + tanh(z.i + z.f + z.g)",
        "h = sigmoid(z.o) * tanh(c)",
    ]
    assert new.cell().name == "New" and [law.text for law in new.cell().laws] == ["h in (-1, 1)"]


def test_new_equations_go_before_their_first_reader_and_keep_their_order(spec):
    new = spec(
        base=LSTM,
        new="""
extends: base
cell: New
output: y
equations: |
  a = tanh(z.g)
  b = sigmoid(a)
  d = 1 - b
  c = d * c[t-1] + b * a + sigmoid(z.f) * sigmoid(z.i)
  y = h + c
""",
    )
    assert [line.split(" ")[0] for line in equations(new)] == ["z:", "a", "b", "d", "c", "h", "y"]


def test_null_and_none_delete(spec):
    new = spec(
        base=LSTM.replace("h = sigmoid(z.o) * tanh(c)", "m = tanh(c)\n  h = sigmoid(z.o) * m"),
        new="extends: base\ncell: New\nlaws: null\nequations: |\n  m = none\n  h = sigmoid(z.o) * c\n",
    )
    assert [line.split(" ")[0] for line in equations(new)] == ["z:", "c", "h"]
    assert new.cell().laws == ()


def test_sections_merge_by_key_and_lists_are_replaced(spec):
    new = spec(
        base=LSTM + "options: {scale: 2.0, unread: 1.0}\n",
        new="""
extends: base
cell: New
gates: [f, g]
options: {unread: null, power: 3}
equations: |
  c = sigmoid(z.f) * c[t-1] + scale * tanh(z.g) ** power
  h = tanh(c)
""",
    )
    assert [option.name for option in new.cell().options] == ["scale", "power"]
    assert new.cell().axis("gates").labels == ("f", "g")


def test_one_inherited_law_can_be_dropped(spec):
    base = LSTM + "  c == c[t-1] when z.f == 1000, z.i == -1000   # nearly\n"
    new = spec(base=base, new="extends: base\ncell: New\nlaws: |\n  drop h in (-1,  1)\n  h in [-1, 1]\n")
    assert [law.text for law in new.cell().laws] == ["c == c[t-1] when z.f == 1000, z.i == -1000", "h in [-1, 1]"]
    with pytest.raises(SpecError, match="there is no law `h in .-2, 2.` to drop"):
        spec(base=base, new="extends: base\ncell: New\nlaws: |\n  drop h in [-2, 2]\n").cell()


def test_a_chain_of_specs(spec):
    last = spec(
        base=LSTM,
        middle="extends: base\ncell: Middle\nlaws: |\n  c free of c[t-1] when z.f == -1000\n",
        last="extends: middle\ncell: Last\nmask: none\n",
    )
    cell = last.cell()
    assert (cell.name, cell.mask.kind, len(cell.laws)) == ("Last", "none", 2)


def test_shipped_specs_can_be_extended(spec):
    new = spec(new="extends: lstm\ncell: New\nequations: |\n  h = o * c\nlaws: null\n")
    assert "h = o * c" in equations(new)


def test_what_expand_prints_compiles_to_the_same(spec):
    from cellgen.document.extends import expand

    for stem in TODAY:
        text = expand(Spec.at(stem).expanded())
        again = Spec.of(text, stem)
        assert expand(again.expanded()) == text
        for name, code in again.build().items():
            assert code == (CHECKOUT / "generated" / name).read_text(encoding="utf-8"), name


# --- variants -------------------------------------------------------------------------------------------------------


def test_what_no_live_equation_reads_does_not_exist():
    typed = Spec.at("lstmp").typed()
    for each in typed.variants:
        names = {weight.name for weight in each.weights}
        assert ("w_f_diag" in names) == each.variant["use_peepholes"]
        assert ("projection_kernel" in names) == each.variant["proj"]


def test_a_dim_not_given_is_the_one_it_stands_for():
    typed = Spec.at("lstmp").typed()
    for each in typed.variants:
        assert each.names["h"].shape == ((("proj",),) if each.variant["proj"] else (("units",),))


EVERY = tuple({"a": a, "b": b, "w": w} for a in (True, False) for b in (True, False) for w in ("one", "two", "three"))


@pytest.mark.parametrize(
    "test",
    [
        Given("a"),
        Not(Given("b")),
        Is("w", "two"),
        Both(Given("a"), Is("w", "one")),
        Either(Given("a"), Given("b")),
        Either(Both(Given("a"), Not(Given("b"))), Is("w", "three")),
        Both(Not(Is("w", "one")), Either(Given("a"), Not(Given("b")))),
    ],
    ids=str,
)
def test_the_test_found_for_a_set_of_variants_holds_in_just_these(test):
    some = tuple(variant for variant in EVERY if holds(test, variant))
    found = when(some, EVERY)
    assert tuple(variant for variant in EVERY if holds(found, variant)) == some
    assert when(EVERY, EVERY) is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("a",), "w == a"),
        (("a", "c"), "w == a or w == c"),
        (("a", "b", "c", "d"), "not w == e"),
        (("b", "d", "e"), "not w == a and not w == c"),
    ],
)
@pytest.mark.parametrize("more", [(), ("on",)])
def test_a_test_names_the_words_that_are_meant_or_those_that_are_not_whichever_are_fewer(words, said, more):
    every = tuple({"w": w, **dict(zip(more, on))} for w in "abcde" for on in product((True, False), repeat=len(more)))
    some = tuple(variant for variant in every if variant["w"] in words)
    assert condition_text(when(some, every)) == said


def test_generated_code_asks_for_several_words_at_once(spec):
    equations = """
cell: Cell
options: {variant: {one_of: [plain, bent, cut, none_at_all]}}
state: {h: units}
params: {w: {shape: [input, units], init: ones}}
equations: |
  a = x @ w
  b = tanh(a) if variant == plain or variant == bent else a
  c = abs(b) if variant == cut else b
  h = c if variant == none_at_all else sin(c) + h[t-1]
"""
    code = spec(cell=equations).build()["cell.py"]
    assert 'if variant in ("plain", "bent")' in code
    assert 'if variant != "none_at_all":' in code
    assert 'variant == "plain" or' not in code


@pytest.mark.parametrize(
    ("dims", "check"),
    [
        ("a: units, b: units/a", "units % (units if a is None else a) == 0"),
        ("a: units, heads: 2, b: a/heads", "(units if a is None else a) % heads == 0"),
    ],
)
def test_what_is_divided_must_be_a_multiple_also_of_a_dim_that_stands_for_another(spec, dims, check):
    text = f"""
cell: Cell
dims: {{input: inferred, units: required, {dims}}}
state: {{h: units}}
params: {{W: [input, b], U: [b, a, units]}}
equations: |
  h = tanh(sum((x @ W) @ U, over=a) + h[t-1])
"""
    assert f"recurrent.require({check}, " in spec(cell=text).build()["cell.py"]


def test_neighbours_under_one_test_share_an_if(spec):
    text = """
cell: Cell
options: {curved: true}
state: {h: units}
params: {w: {shape: [input, units], init: ones}}
equations: |
  a = x @ w
  b = tanh(a) if curved else a
  p = sin(b) if curved else 0
  q = cos(p) if curved else 0
  u = p * q
  v = u + sin(u)
  h = 0.5 * h[t-1] + (v if curved else b)
"""
    lines = spec(base=text).build(tests=False)["base.py"].split("def _step(")[1].split("\n    return ")[0].splitlines()
    assert sum(line.strip() == "if curved:" for line in lines) == 1
    assert "        u = p * q" in lines and "        v = u + tf.sin(u)" in lines


# --- nothing of a spec is run ---------------------------------------------------------------------------------------


def test_free_text_cannot_leave_its_docstring(spec):
    nasty = 'about: "\\"\\"\\"\\nimport smuggled\\n\\"\\"\\" \\\\"\npapers: ["\'\'\' \\\\N{BULLET}"]\n'
    code = spec(base=LSTM + nasty).build()
    compiled = [compile(text, name, "exec") for name, text in code.items()]
    assert len(compiled) == 3 and "smuggled" not in compiled[0].co_names
    assert Spec.of(LSTM + nasty, "base").build() == code


def test_names_of_ours_give_way_to_the_specs(spec):
    text = LSTM.replace("affine(x, h[t-1])\n", "affine(x, h[t-1])\n  h_prev = tanh(z.i)\n  z_f = h_prev * 2\n").replace(
        "tanh(z.g)", "tanh(z.g) * z_f"
    )
    lines = step(spec(base=text).build(tests=False)["base.py"])
    assert lines[0] == "_h_prev, c_prev = state" and "z_i, _z_f, z_g, z_o = tf.split(z, 4, axis=-1)" in lines
    assert "c = tf.sigmoid(_z_f) * c_prev + tf.sigmoid(z_i) * tf.tanh(z_g) * z_f" in lines


def test_a_spec_as_text_is_the_same_as_in_a_file(spec):
    assert Spec.of(LSTM, "base").build() == spec(base=LSTM).build()


def test_mistakes_leave_nothing(spec):
    with pytest.raises(SpecError):
        spec(base=LSTM.replace("tanh(c)", "tanh(d)")).build()
