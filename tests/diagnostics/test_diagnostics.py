"""What a user is told. Each folder beside this file holds a mistake, what is said of it, and the spec put right.

`python -m tests.diagnostics.test_diagnostics` writes every stderr.txt anew; read what changed as its user would.
"""

import json
import os
import re
from contextlib import chdir
from pathlib import Path

import pytest

from cellgen.compiler import Spec
from cellgen.diagnostics.codes import CODES
from cellgen.diagnostics.diagnostic import FORMATS, SpecError, render
from cellgen.diagnostics.explanation import explain
from tests.checkout import CHECKOUT

HERE = Path(__file__).resolve().parent
CASES = sorted(HERE.glob("CG*"))
SOURCES = sorted((CHECKOUT / "cellgen").rglob("*.py"))


def diagnostics(name, code):
    """What is told of a spec in the working directory, as far as the stages of the code's kind."""
    try:
        spec = Spec.at(name)
        if code.startswith("CG4") or code == "CG115":
            return spec.check().diagnostics
        spec.typed()
        if code.startswith("CG6"):
            spec.build()
    except SpecError as error:
        return error.diagnostics
    return ()


def told(case):
    (bad,) = case.glob("bad*.yaml")
    with chdir(case):
        return diagnostics(bad.name, case.name[:5])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_mistake_is_told_as_it_should_be(case):
    """By its code, at places in its file, in lines that fit the screen."""
    found = told(case)
    assert render(found) + "\n" == (case / "stderr.txt").read_text(encoding="utf-8")
    assert case.name[:5] in {each.code for each in found}
    for each in found:
        for label in (each.label, *each.context):
            span = label.span
            assert 0 <= span.start <= span.end <= len(span.source.text)
        assert each.message[0].islower() or not each.message[0].isalpha()
        assert not each.message.endswith(".")
        assert all(len(line) <= 140 for line in render([each]).split("\n"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_spec_put_right_passes(case):
    with chdir(case):
        told = diagnostics("good.yaml", case.name[:5])
    assert render(each for each in told if each.severity != "note" or each.code == case.name[:5]) == ""


@pytest.mark.full
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_spec_put_right_is_built(case):
    """No help leads into what `check` passes and `build` refuses."""
    with chdir(case):
        assert Spec.at("good.yaml").build()


# --- the registry ---------------------------------------------------------------------------------------------------


def used():
    """Every code that the program can tell, wherever it is written as a text."""
    return {code for path in SOURCES if path.stem != "codes" for code in re.findall(r'"(CG\d{3})"', path.read_text())}


def test_every_code_has_a_case():
    assert {case.name[:5] for case in CASES} == set(CODES)


def test_every_code_is_used_and_every_used_code_is_known():
    assert used() == set(CODES)


@pytest.mark.parametrize("code", CODES)
def test_every_code_is_explained(code):
    entry, text = CODES[code], explain(code)
    assert text.startswith(f"{code}: {entry.title}\n")
    assert 1 <= len(re.findall(r"\.(?:\s|$)", entry.about)) <= 5 and entry.about.endswith(".")
    for example in (entry.wrong, entry.right):
        assert all(f"    {line}" in text.split("\n") for line in example.split("\n") if line)
    assert entry.wrong != entry.right
    assert all(len(line) <= 100 for line in text.split("\n"))


def test_a_code_is_explained_however_it_is_written():
    assert explain("cg301") == explain("301") == explain(" CG301 ")


@pytest.mark.parametrize("code", ["CG999", "301x", "", "E501"])
def test_an_unknown_code_is_told_with_one_that_is_known(code):
    with pytest.raises(ValueError, match=r"no code .*CG\d{3}"):
        explain(code)


# --- the formats ----------------------------------------------------------------------------------------------------

TWO = """cell: ElmanRNN
state: {h: units}
params:
  W: {shape: [input, units], init: glorot_uniform}
equations: |
  a = x @ V
  h = tanh(a) + 100%
"""


def errors(text):
    with pytest.raises(SpecError) as caught:
        Spec.of(text).typed()
    return caught.value.diagnostics


MATMUL = TWO.replace("x @ V", "h[t-1] @ W + x").replace(" + 100%", "")


def test_full():
    assert (
        render(errors(MATMUL), "full")
        == """\
error[CG301]: cannot multiply `[units]` by `[input, units]`
 --> spec.yaml:6:7
  |
4 |   W: {shape: [input, units], init: glorot_uniform}
  |               ------------ `W` starts with `input`
...
6 |   a = h[t-1] @ W + x
  |       ^^^^^^^^^^ `h[t-1]` ends with `units`
  |
  = help: weights stand on the right, input first: declare `W` as `[units, input]`
  = help: `x` has shape `[input]`"""
    )


def test_concise():
    assert (
        render(errors(MATMUL), "concise")
        == "spec.yaml:6:7: error[CG301]: cannot multiply `[units]` by `[input, units]`"
    )


def test_json():
    (record,) = json.loads(render(errors(MATMUL), "json"))
    assert record == {
        "code": "CG301",
        "severity": "error",
        "message": "cannot multiply `[units]` by `[input, units]`",
        "file": "spec.yaml",
        "line": 6,
        "column": 7,
        "end_line": 6,
        "end_column": 17,
        "text": "`h[t-1]` ends with `units`",
        "context": [
            {
                "file": "spec.yaml",
                "line": 4,
                "column": 15,
                "end_line": 4,
                "end_column": 27,
                "text": "`W` starts with `input`",
            }
        ],
        "help": [
            "weights stand on the right, input first: declare `W` as `[units, input]`",
            "`x` has shape `[input]`",
        ],
    }


def test_github():
    assert render(errors(MATMUL), "github") == (
        "::error file=spec.yaml,line=6,col=7,title=CG301::cannot multiply `[units]` by `[input, units]`"
        "%0Ahelp: weights stand on the right, input first: declare `W` as `[units, input]`"
        "%0Ahelp: `x` has shape `[input]`"
    )


def test_github_escapes_what_would_end_the_command():
    told = errors("cell: X\nstate: {h: units}\nequations: |\n  h = tanh(x) + 100%\n")
    assert "%" not in render(told, "github").replace("%25", "").replace("%0A", "")
    assert render(told, "github").count("\n") == len(told) - 1


def test_no_diagnostics_are_no_text():
    assert [render((), each) for each in FORMATS] == ["", "", "[]", ""]


@pytest.mark.parametrize("format", FORMATS)
def test_what_a_spec_holds_cannot_write_to_the_terminal(format):
    told = errors(
        'cell: X\n"\\e[31mred\\a\\u202E": 1\nstate: {h: units}\nequations: |\n  h = x \x1b[31m\n'.replace(
            "\x1b", "\u202e"
        )
    )
    text = render(told, format)
    assert all(char.isprintable() or char == "\n" for char in text)
    assert text.isascii() or format != "json"


def test_a_long_line_is_cut_around_the_mistake():
    equation = "1 + " * 30 + "tan(z)" + " + 1" * 30
    (told,) = errors(
        f"cell: X\nstate: {{h: units}}\nequations: |\n  z: [units] = affine(x, h[t-1])\n  h = {equation}\n"
    )
    line, mark = render([told]).split("\n")[3:5]
    assert line.startswith("5 | ...") and line.endswith("...") and len(line) < 125
    assert line[mark.index("^") : mark.rindex("^") + 1] == "tan"


def test_wide_characters_do_not_move_the_mark():
    (told,) = errors(
        "cell: X\nabout: \u5faa\u74b0\u795e\u7d4c\nstate: {h: units, \u72b6\u614b: units}\nequations: |\n  h = x\n"
    )
    line, mark = render([told]).split("\n")[3:5]
    assert mark.index("^") == line.index("\u72b6") and mark.count("^") == 4


# --- stages and files -----------------------------------------------------------------------------------------------


def test_all_errors_of_a_stage_are_told_at_once_in_the_order_of_the_file():
    told = errors("""cell: LSTM
gates: [i, f, g, o]
state: {h: units, c: units}
equations: |
  z: [gates, units] = affine(x, h[t-1])
  c = sigmoid(z.forget) * c[t-1] + sigmod(z.i) * tanh(w)
  h = sigmoid(z.o) * tanh(c_new) + q[t-1]
""")
    places = [(each.code, each.label.span.line, each.label.span.text) for each in told]
    assert places == [
        ("CG209", 6, "z.forget"),
        ("CG208", 6, "sigmod"),
        ("CG205", 6, "w"),
        ("CG205", 7, "c_new"),
        ("CG205", 7, "q[t-1]"),
    ]


def test_declarations_and_the_grammar_of_equations_are_told_together():
    told = errors(TWO.replace("glorot_uniform", "xavier"))
    assert [(each.code, each.label.span.line) for each in told] == [("CG113", 4), ("CG201", 7)]


def test_a_stage_is_not_reached_with_a_broken_spec():
    assert {each.code for each in errors(TWO.replace("state:", "states:"))} == {"CG105"}


def test_no_more_than_a_hundred_are_told():
    lines = "".join(f"  a{index} = b{index}\n" for index in range(200))
    assert len(errors(f"cell: X\nstate: {{h: units}}\nequations: |\n{lines}  h = x\n")) == 100


def write(folder, **specs):
    for name, text in specs.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder


LEAKY = """cell: Leaky
state: {h: units}
equations: |
  # the leak is learned
  z: [units] = affine(x, h[t-1])
  f = sigmoid(z)
  h = f * h[t-1] + (1 - f) * tanh(z)
"""


def test_an_error_in_an_inherited_line_points_into_its_own_file(tmp_path, monkeypatch):
    monkeypatch.chdir(
        write(tmp_path, leaky=LEAKY, mine="cell: Mine\n# a word\nextends: leaky\nequations: |\n  f = none\n")
    )
    with pytest.raises(SpecError) as caught:
        Spec.at("mine.yaml").typed()
    places = [
        (each.label.span.source.name, each.label.span.line, each.label.span.text) for each in caught.value.diagnostics
    ]
    assert places == [("leaky.yaml", 7, "f")] * 2
    for each in caught.value.diagnostics:
        (link,) = each.context
        assert (link.span.source.name, link.span.line, link.span.text) == ("mine.yaml", 3, "leaky")
    assert "::: mine.yaml:3:10" in render(caught.value.diagnostics)


def test_broken_yaml_in_an_inherited_file_points_into_it(tmp_path, monkeypatch):
    monkeypatch.chdir(write(tmp_path, leaky=LEAKY.replace("{h: units}", "{h: units"), mine="extends: leaky\n"))
    with pytest.raises(SpecError) as caught:
        Spec.at("mine.yaml").typed()
    (told,) = caught.value.diagnostics
    assert (told.code, told.label.span.source.name, told.label.span.line) == ("CG102", "leaky.yaml", 2)


def test_a_spec_named_by_a_law_points_into_its_own_file(tmp_path, monkeypatch):
    broken = LEAKY.replace("tanh(z)", "tahn(z)")
    monkeypatch.chdir(write(tmp_path, leaky=broken, mine=LEAKY + "laws: |\n  reduces to leaky\n"))
    with pytest.raises(SpecError) as caught:
        Spec.at("mine.yaml").typed()
    (told,) = caught.value.diagnostics
    assert (told.label.span.source.name, told.label.span.text) == ("leaky.yaml", "tahn")
    assert [(label.span.source.name, label.span.text) for label in told.context] == [("mine.yaml", "reduces to leaky")]


@pytest.mark.parametrize("strict", [False, True])
def test_an_open_law_is_a_warning_and_an_error_if_strict(strict, capsys):
    from cellgen.cli import main

    with chdir(HERE / "CG402_open"):
        code = main(["check", "bad.yaml", *["--strict"] * strict])
    assert code == strict
    assert f"{'error' if strict else 'warning'}[CG402]" in capsys.readouterr().err


if __name__ == "__main__":
    for case in CASES:
        (case / "stderr.txt").write_text(render(told(case)) + "\n", encoding="utf-8")
        print(case.name, *sorted({each.code for each in told(case)}), file=os.sys.stderr)
