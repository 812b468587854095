"""A spec is data from a stranger: whatever it holds, it compiles or is refused with a place in its file."""

import os
import random
import re
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cellgen.compiler import Spec
from cellgen.diagnostics.codes import CODES
from cellgen.diagnostics.diagnostic import FORMATS, SpecError, render
from cellgen.document import extends
from cellgen.document.cell_document import Document
from cellgen.document.kinds import MAX_ITEMS
from cellgen.ir import choices
from cellgen.resolve import binding, dims
from cellgen.text import expressions, law_text, logical_lines, names, statements, yaml_tree
from tests.checkout import CHECKOUT
from tests.shipped import in_turn

SPECS = sorted((CHECKOUT / "specs").glob("*.yaml"))
TEXTS = [path.read_text(encoding="utf-8") for path in SPECS]

ELMAN = """cell: ElmanRNN
state: {h: units}
equations: |
  z: [units] = affine(x, h[t-1])
  h = tanh(z)
"""


def spec(lines, head="state: {h: units}"):
    return f"cell: X\n{head}\nequations: |\n" + "".join(f"  {line}\n" for line in lines)


def told(attempt):
    """The diagnostics of an attempt; none if it succeeds. Any other exception gets through and fails the test."""
    try:
        attempt()
    except SpecError as error:
        for each in error.diagnostics:
            for label in (each.label, *each.context):
                span = label.span
                assert 0 <= span.start <= span.end <= len(span.source.text)
                assert (
                    1 <= span.line <= len(span.source.lines)
                    and 1 <= span.column <= len(span.source.lines[span.line - 1]) + 1
                )
        for format in FORMATS:
            text = render(error.diagnostics, format)
            assert all(char.isprintable() or char == "\n" for char in text)
            text.encode()
        assert error.diagnostics
        return error.diagnostics
    return ()


def compiled(text):
    return told(lambda: Spec.of(text).typed())


def codes(text):
    return {each.code for each in compiled(text)}


# --- noise ----------------------------------------------------------------------------------------------------------

SLIPS = 24  # of each shipped spec
EXAMPLES = os.environ.get("CELLGEN_EXAMPLES")  # so many, and others each time
QUICK = settings(
    max_examples=int(EXAMPLES or 50),
    derandomize=not EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)

LINES = sorted({line for text in TEXTS for line in text.split("\n") if line.strip()})
TOKENS = sorted({token for line in LINES for token in re.findall(r"\w+|[^\w\s]+|\s+", line)})
EXTRA = [
    "[t-1]",
    "@",
    "**",
    "when",
    "free of",
    "reduces to",
    "none",
    "true",
    "- ",
    ": ",
    "{",
    "}",
    "|",
    ">",
    "&a",
    "*a",
    "!!x",
    "\t",
    "0",
    "-1",
    "1e999",
    "_x",
    "é",
    "\0",
    "#",
]


@QUICK
@given(st.binary(max_size=400))
def test_bytes(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "noise.yaml"
    path.write_bytes(data)
    told(lambda: Spec.at(path).typed())


@QUICK
@given(st.text(max_size=300))
def test_text(text):
    compiled(text)


YAML = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from(TOKENS),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8) | st.sampled_from(TOKENS), inner, max_size=4)
    ),
    max_leaves=12,
)
KEYS = [*Document.model_fields, "extends"]


@QUICK
@given(st.dictionaries(st.sampled_from(KEYS), YAML, max_size=8))
def test_yaml(tree):
    import json

    compiled(json.dumps(tree))
    compiled(json.dumps({"cell": "X", "state": {"h": "units"}, "equations": "h = h[t-1] + x", **tree}))


@QUICK
@given(st.lists(st.sampled_from(LINES), max_size=25))
def test_lines_of_specs(lines):
    compiled("\n".join(lines))


@QUICK
@given(st.lists(st.sampled_from(TOKENS + EXTRA), max_size=40))
def test_equations_of_any_tokens(tokens):
    compiled(f"cell: X\nstate: {{h: units}}\nequations: |\n  h = {' '.join(tokens)}\n  h = {''.join(tokens)}\n")


@QUICK
@given(st.lists(st.sampled_from(TOKENS + EXTRA), max_size=30))
def test_laws_of_any_tokens(tokens):
    compiled(ELMAN + f"laws: |\n  {' '.join(tokens)}\n  h == {''.join(tokens)}\n")


@QUICK
@given(st.text(alphabet="xh[t-1]()@*+=,.:#if els\n", max_size=120))
def test_equations_of_any_signs(text):
    compiled("cell: X\nstate: {h: units}\nequations: |\n" + "".join(f"  {line}\n" for line in text.split("\n")))


LOOPS = """for k in depth:|for k in 3:|for j in 2:|s[0] = h[t-1]|s = s[k-1] @ R[k]|h = s|h[0] = x|h = h[k-1] + s[j]
u = s[2] + k|u = s[k-1] if k == 1 else R[0]|s[0] = u[9]|s: [units] = k / j|for s in h:|h = none|x[k] = s[t-1][k]
h = (s[k-1] +|v = h[k-1][k][1] * h[k].f)|s[0] = none|h = h[t-1]""".replace("\n", "|").split("|")


@QUICK
@given(st.lists(st.tuples(st.sampled_from(["  ", "    ", "      "]), st.sampled_from(LOOPS)), max_size=9))
def test_loops_of_any_lines(lines):
    head = "cell: X\naxes: {depth: 3}\nstate: {h: units}\nparams: {R: [depth, units, units]}\nequations: |\n  z = x\n"
    text = head + "".join(f"{indent}{line}\n" for indent, line in lines)
    compiled(text)
    compiled(f"extends: lstm\n{text}")


# --- one slip in a good spec ----------------------------------------------------------------------------------------


def slipped(text, chance):
    """The text with one change, as a slip of the hand makes it, or a hand that means no good."""
    at, other = sorted((chance.randrange(len(text)), chance.randrange(len(text))))
    lines = text.split("\n")
    row, below = sorted((chance.randrange(len(lines)), chance.randrange(len(lines))))
    tokens = re.findall(r"\w+|[^\w\s]+|\s+", text)
    place, away = chance.randrange(len(tokens)), chance.randrange(len(tokens))
    match chance.randrange(13):
        case 0:
            return text[:at] + text[at + 1 :]
        case 1:
            return text[:at] + text[at] + text[at:]
        case 2:
            return text[:at] + text[at : at + 2][::-1] + text[at + 2 :]
        case 3:
            return text[:at]
        case 4:
            return text[:at] + text[other:]
        case 5:
            return text[:at] + chance.choice("()[]{}:,|>&*!%@`'\"#=-+. \t\n\r\0\x1b\ufeff\u202e\U0001f642") + text[at:]
        case 6:
            return "\n".join(lines[:row] + lines[row + 1 :])
        case 7:
            return "\n".join(lines[:row] + lines[row : row + 1] + lines[row:])
        case 8:
            lines[row], lines[below] = lines[below], lines[row]
            return "\n".join(lines)
        case 9:
            lines[row] = chance.choice((" ", "  ", "    ", "\t")) + lines[row].lstrip()
            return "\n".join(lines)
        case 10:
            tokens[place], tokens[away] = tokens[away], tokens[place]
            return "".join(tokens)
        case 11:
            tokens[place] = chance.choice(TOKENS + EXTRA)
            return "".join(tokens)
        case _:
            return "\n".join(lines[:row] + chance.choice(TEXTS).split("\n")[row : below + 1] + lines[below + 1 :])


@pytest.mark.parametrize("path", in_turn(SPECS))
def test_a_slip_in_a_shipped_spec(path):
    text = path.read_text(encoding="utf-8")
    refused = 0
    for seed in range(SLIPS):
        chance = random.Random(f"{path.stem} {seed}")
        changed = slipped(text, chance)
        if seed % 3 == 0:
            changed = slipped(changed or " ", chance)
        refused += bool(compiled(changed))
    assert refused > SLIPS / 3


# --- what must never be done ----------------------------------------------------------------------------------------

ATTACKS = [
    "().__class__.__bases__[0].__subclasses__()",
    "x.__class__",
    "x.__init__.__globals__",
    "__import__('os').system('touch pwned')",
    "eval('1')",
    "exec('1')",
    "open('/etc/passwd')",
    "getattr(x, 'y')",
    "(lambda: x)()",
    "lambda: x",
    "[x for x in x]",
    "{x: x for x in x}",
    "{x for x in x}",
    "(x for x in x)",
    "(y := x)",
    "f'{x}'",
    "f'{x!r:>{x}}'",
    "'x'",
    "b'x'",
    "'%s' % x",
    "x[0]",
    "x[::]",
    "x[h[t-1]]",
    "h[t-1][t-1]",
    "tanh(*x)",
    "tanh(**x)",
    "tanh(x, x=x)",
    "tanh(x)(x)",
    "await x",
    "yield x",
    "yield from x",
    "x if x else (yield)",
    "not x",
    "~x",
    "x and x",
    "x in x",
    "x is x",
    "x == x",
    "x < x < x",
    "1j",
    "0x10",
    "0b1",
    "0o7",
    "1_0",
    "True",
    "None",
    "...",
    "x.a.b.c.d.e.f",
    "x" + ".a" * 300,
    "9**9**9",
    "9**9**9**9**9",
    "2**-1e308",
    "x ** 1e9",
    "1e400",
    "-1e400 * x",
    "1e-400",
    "1" + "0" * 500,
    "x / 0",
    "x @ 3",
    "_x",
    "__x__",
    "print(x)",
    "x; import os",
    "x\\",
    "$x",
    "x?",
    "x!",
    "`x`",
    "@x",
    "x ->",
    "x as y",
    "import os",
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_is_no_equation_is_refused(attack, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = codes(f"cell: X\nstate: {{h: units}}\nequations: |\n  h = {attack}\n")
    assert found and all(code.startswith("CG2") or code in ("CG108", "CG109", "CG301") for code in found)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_text_of_a_spec_is_run_wherever_it_stands(attack, tmp_path, monkeypatch):
    import json

    monkeypatch.chdir(tmp_path)
    quoted = json.dumps(attack)
    for line in (
        f"output: {quoted}",
        f"extends: {quoted}",
        f"gates: [{quoted}]",
        f"mask: {quoted}",
        f"dims: {{d: {quoted}}}",
        f"options: {{{quoted}: 1.0}}",
        f"options: {{o: {quoted}}}",
        f"params: {{W: {{shape: [{quoted}], init: zeros}}}}",
        f"params: {{W: {{shape: [units], init: {quoted}}}}}",
        f"inputs: {{x: [{quoted}]}}",
        f"norms: {{n: {{kind: layer, over: [{quoted}], epsilon: {quoted}, scale: {quoted}}}}}",
        f"laws: {quoted}",
    ):
        compiled(ELMAN + line + "\n")
    assert compiled(ELMAN.replace("ElmanRNN", quoted))
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    "tag",
    [
        "!!python/object/apply:os.system [ls]",
        "!!python/name:os.system",
        "!!binary aGk=",
        "!!set {a}",
        "!x y",
        "!!float 1",
        "!!timestamp 2001-01-01",
    ],
)
def test_tags_are_refused(tag):
    assert codes(ELMAN + f"options:\n  alpha: {tag}\n") == {"CG104"}


def test_a_bomb_of_aliases_is_refused():
    text = "a: &a [1, 1]\n" + "".join(f"{b}: &{b} [*{a}, *{a}]\n" for a, b in zip("abcdefgh", "bcdefghi"))
    assert codes(text + ELMAN) == {"CG104"}


LOOKALIKES = [
    "\uff54anh",
    "tan\u04bb",
    "\u210e",
    "\U0001d465",
    "h\u2080",
    "x\u200b",
    "x\u202e",
    "\u2212x",
    "x\u00a0+ x",
    "\u0445",
    "\ufb01",
    "\u00e9",
    "\U0001f642",
    "x\u0301",
    "\u3000x",
]


@pytest.mark.parametrize("sign", LOOKALIKES, ids=ascii)
def test_what_looks_alike_is_not_taken_for_it(sign):
    each = compiled(ELMAN.replace("tanh(z)", f"tanh({sign})"))[0]
    assert each.code == "CG203"
    assert not each.label.span.text.isascii()
    assert codes(ELMAN.replace("{h: units}", f"{{h: units, {sign}: units}}")) & {"CG102", "CG109", "CG203"}


# --- the layout of files --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        ELMAN.replace("\n", "\r\n"),
        ELMAN.replace("\n", "\r"),
        "\ufeff" + ELMAN,
        ELMAN.rstrip("\n"),
        ELMAN + "\n\n  \n",
        "---\n" + ELMAN,
        "%YAML 1.2\n---\n" + ELMAN,
        ELMAN + "...\n",
        "# \U0001f642\n" + ELMAN,
        ELMAN.replace(" = ", "\t=\t"),
    ],
)
def test_layouts_that_mean_the_same(text, tmp_path):
    assert compiled(text) == ()
    path = tmp_path / "spec.yaml"
    path.write_bytes(text.encode())
    assert told(lambda: Spec.at(path).typed()) == ()


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r", "\x85", "\u2028"], ids=ascii)
def test_places_do_not_depend_on_the_ends_of_lines(newline, tmp_path):
    text = ELMAN.replace("tanh(z)", "tanh(y)").replace("\n", newline)
    path = tmp_path / "spec.yaml"
    path.write_bytes(text.encode())
    for attempt in (lambda: Spec.of(text).typed(), lambda: Spec.at(path).typed()):
        (each,) = told(attempt)
        assert (each.code, each.label.span.line, each.label.span.column, each.label.span.text) == ("CG205", 5, 12, "y")


@pytest.mark.parametrize(
    "data",
    [b"\0", b"\xff\xfe", b"cell: \xff", b"\xef\xbb\xbf", b"", b"\x1b[31m", b"\x7f", b"cell: X\0", b"\xed\xa0\x80"],
)
def test_files_that_are_no_text(data, tmp_path):
    path = tmp_path / "spec.yaml"
    path.write_bytes(data)
    assert told(lambda: Spec.at(path).typed())


@pytest.mark.parametrize("text", ["\0", "\ud800", "a: \ud800", '"\\ud800": 1', "\x07", "cell: \x1b[31m"], ids=ascii)
def test_texts_that_are_no_text(text):
    assert compiled(text)


def test_paths_that_cannot_be_read(tmp_path):
    for path in (
        tmp_path,
        tmp_path / "missing.yaml",
        tmp_path / "missing" / "spec.yaml",
        tmp_path / ("x" * 300 + ".yaml"),
        Path("no\0name.yaml"),
        Path("x" * 5000),
        Path("nosuchspec"),
        Path("/dev/null/spec.yaml"),
        Path(""),
    ):
        assert {each.code for each in told(lambda path=path: Spec.at(path).typed())} <= {"CG101", "CG114"} != set()


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="every file can be read here")
def test_a_file_without_permission(tmp_path):
    path = tmp_path / "spec.yaml"
    path.write_text(ELMAN)
    path.chmod(0)
    assert [each.code for each in told(lambda: Spec.at(path).typed())] == ["CG101"]


def test_a_file_that_the_system_refuses(tmp_path, monkeypatch):
    path = tmp_path / "spec.yaml"
    path.write_text(ELMAN)

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    (each,) = told(lambda: Spec.at(path).typed())
    assert (each.code, each.message) == ("CG101", "cannot read the spec: permission denied")


@pytest.mark.parametrize(
    "what, said",
    [
        ("a pipe", "it is a pipe"),
        ("a folder", "it is a folder"),
        ("a device", "it is a device"),
        ("a socket", "it is a socket"),
        ("a circle of links", "too many levels of symbolic links"),
        ("a link to nothing", "no such file or directory"),
        ("a link to a pipe", "it is a pipe"),
    ],
)
@pytest.mark.parametrize("role", ["spec", "extends", "law", "stack"])
def test_what_is_no_regular_file_is_refused_at_once(what, said, role, tmp_path, monkeypatch, capsys):
    """Not opened, not waited for, not read to its end: also where another spec names it."""
    import socket

    from cellgen.cli import main

    monkeypatch.chdir(tmp_path)
    path = Path("odd.yaml")
    match what:
        case "a pipe":
            os.mkfifo(path)
        case "a folder":
            path.mkdir()
            (path / "b.txt").write_text("")
        case "a device":
            path.symlink_to("/dev/zero")
        case "a socket":
            socket.socket(socket.AF_UNIX).bind("odd.yaml")
        case "a circle of links":
            path.symlink_to("other.yaml")
            Path("other.yaml").symlink_to(path)
        case "a link to nothing":
            path.symlink_to("nothing.yaml")
        case "a link to a pipe":
            os.mkfifo("pipe")
            path.symlink_to("pipe")
    texts = {
        "extends": "extends: odd\n",
        "law": ELMAN + "laws: |\n  reduces to odd\n",
        "stack": "stack: S\ncell: odd\ndims: {input: inferred, units: required}\nlayers: units\nwiring: |\n"
        "  x = below.h if below else x\noutput: top.h\n",
    }
    if role != "spec":
        Path("good.yaml").write_text(texts[role])
        path = Path("good.yaml")
    (each,) = told(lambda: Spec.at(path).typed())
    assert (each.code, each.message) == ("CG101", f"cannot read the spec: {said}")
    assert [label.span.source.name for label in each.context] == ["good.yaml"] * (role != "spec")
    if (what, role) != ("a folder", "spec"):
        for command in ("check", "build", "expand", "test"):
            code = main([command, str(path)])
            out, err = capsys.readouterr()
            if command == "expand" and role in ("law", "stack"):
                assert code == 0
            else:
                assert (code, out) == (1, "") and said in err and "Traceback" not in err
    assert not Path("generated").exists()


@pytest.mark.parametrize(
    "name, data, said",
    [
        ("layer.py", b"import keras\n", "this is no spec but a file of Python"),
        ("layer.PY", b"import keras\n", "this is no spec but a file of Python"),
        ("model.keras", b"PK\x03\x04rest", "this is no spec but a zip archive, as Keras saves models"),
        ("model.h5", b"\x89HDF\r\n\x1a\nrest", "this is no spec but an HDF5 file, as Keras saves weights"),
        ("w.npy", b"\x93NUMPYrest", "this is no spec but an array of numpy's"),
        ("a.ipynb", b"{}", "this is no spec but a notebook"),
    ],
)
def test_a_file_that_is_something_else_is_told_so(name, data, said, tmp_path):
    path = tmp_path / name
    path.write_bytes(data)
    (each,) = told(lambda: Spec.at(path).typed())
    assert (each.code, each.message) == ("CG101", said) and "`cellgen new NAME`" in each.help[0]


@pytest.mark.parametrize("name", ["lstm.py", "test_lstm.py", "renamed.yaml"])
def test_a_generated_file_is_no_spec_and_names_its_own(name, tmp_path):
    files = Spec.of(ELMAN, "lstm").build()
    path = tmp_path / name
    for text in (files.get(name, files["lstm.py"]), files.get(name, files["lstm.py"]).split("\n", 1)[1]):
        path.write_text(text)
        (each,) = told(lambda: Spec.at(path).typed())
        assert (each.code, each.message) == ("CG101", "this is no spec: it was generated from `lstm.yaml`")


def test_what_is_told_of_a_shipped_spec_points_to_who_extends_it(tmp_path, monkeypatch):
    """A warning about a line of hm_lstm is told at the `extends`, and shows the line."""
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text("# mine\nextends: hm_lstm\ncell: Mine\n")
    found = [each for each in Spec.at("mine.yaml").check().diagnostics if each.severity == "warning"]
    assert found
    for each in found:
        assert (each.label.span.source.name, each.label.span.line, each.label.span.text) == ("mine.yaml", 2, "hm_lstm")
        assert each.context[0].span.source.name.endswith("hm_lstm.yaml")
    Path("broken.yaml").write_text("extends: lstm\ncell: Mine\nequations: |\n  i = none\n")
    for each in told(lambda: Spec.at("broken.yaml").typed()):
        assert each.label.span.source.name == "broken.yaml" and each.context[0].span.source.name.endswith("lstm.yaml")


# --- bounds, on both sides ------------------------------------------------------------------------------------------


def test_the_size_of_a_file(tmp_path):
    path = tmp_path / "spec.yaml"
    for size, found in ((yaml_tree.MAX_BYTES, []), (yaml_tree.MAX_BYTES + 1, ["CG101"])):
        text = ELMAN + "#" * (size - len(ELMAN))
        path.write_text(text)
        assert [each.code for each in told(lambda: Spec.at(path).typed())] == found
        assert [each.code for each in compiled(text)] == found


def test_the_levels_of_a_file():
    for levels, found in ((yaml_tree.MAX_DEPTH, "CG106"), (yaml_tree.MAX_DEPTH + 1, "CG108")):
        nested = "[" * (levels - 1) + "]" * (levels - 1)
        assert codes(ELMAN + f"output: {nested}\n") == {found}
    for count in (150, 250, 5_000, 100_000):
        for bracket in ("[", "{", "{a: ", "- ", "? ", "a: {", "!!x ", "'", '"', "|\n"):
            assert compiled(ELMAN + "output: " + bracket * count)
        assert compiled(("- " * count) + "a")


def test_the_values_of_a_file():
    room = yaml_tree.MAX_VALUES - 12
    assert codes(ELMAN + f"papers: [{', '.join('p' for _ in range(room - 100))}]\n") == set()
    assert codes(ELMAN + f"papers: [{', '.join('p' for _ in range(room + 100))}]\n") == {"CG108"}


def test_the_length_of_a_line():
    for length, found in ((logical_lines.MAX_LENGTH, set()), (logical_lines.MAX_LENGTH + 1, {"CG108"})):
        text = "h = tanh(z)"
        line = text[:-1] + " " * (length - len(text)) + ")"
        assert codes(ELMAN.replace(text, line)) == found
        split = line.replace("(z", "(\n    z")[: length + 4]
        assert codes(ELMAN.replace(text, split.rstrip() if split.endswith(")") else split)) <= {"CG108", "CG201"}


def test_the_number_of_equations():
    for count, found in ((statements.MAX_STATEMENTS, set()), (statements.MAX_STATEMENTS + 1, {"CG108"})):
        chain = "".join(f"  a{index} = {'z' if index == 0 else f'a{index - 1}'}\n" for index in range(count - 2))
        assert codes(ELMAN.replace("  h = tanh(z)\n", chain + f"  h = tanh(a{count - 3})\n")) == found


def test_the_number_of_micro_steps():
    loop = "cell: X\nstate: {{h: units}}\nequations: |\n  h[0] = h[t-1]\n  for k in {}:\n{}    h = h[k-1] + x @ W{}\n"
    loop += "params: {{W: [input, units]}}\n"
    for count, found in ((expressions.MAX_LABELS, set()), (expressions.MAX_LABELS + 1, {"CG220"})):
        assert codes(loop.format(count, "", "")) == found
    for more, found in ((2, set()), (3, {"CG108"})):  # four and five equations in each of 62 micro-steps
        lines = "".join(f"    a{index} = tanh({f'a{index - 1}' if index else 'x @ W'})\n" for index in range(more + 1))
        assert codes(loop.format(62, lines, f" + a{more}")) == found
    for terms, found in ((18, set()), (20, {"CG108"})):  # 77 and 85 names and operations in each of 50
        assert codes(loop.format(50, "", " + x @ W" * terms)) == found


def test_the_number_of_laws():
    for count, found in ((law_text.MAX_LAWS, set()), (law_text.MAX_LAWS + 1, {"CG108"})):
        assert codes(ELMAN + "laws: |\n" + "  h in [-1, 1]\n" * count) == found


def test_the_depth_of_operations():
    for depth, found in ((expressions.MAX_DEPTH - 1, set()), (expressions.MAX_DEPTH + 1, {"CG108"})):
        assert codes(ELMAN.replace("tanh(z)", "tanh(" * depth + "z" + ")" * depth)) == found
        assert codes(ELMAN.replace("tanh(z)", "z" + " + z" * depth)) == found
        assert codes(ELMAN.replace("tanh(z)", "-" * depth + "z")) == found
    for deep in (
        "(" * 900 + "z" + ")" * 900,
        "-" * 1900 + "z",
        "z" + "[t-1]" * 300,
        "not " * 400 + "z",
        "z if z else " * 150 + "z",
        "z" + " ** 2" * 300,
        "z if " + "not " * 300 + "z else z",
        "z if " + "z and " * 250 + "z else z",
        "[" * 500,
        "z" + ".i" * 900,
    ):
        assert compiled(ELMAN.replace("tanh(z)", deep)), deep[:20]


def test_the_length_of_names():
    for length, found in ((names.MAX_NAME, set()), (names.MAX_NAME + 1, {"CG108"})):
        name = "n" * length
        assert codes(ELMAN.replace("z", name)) == found
        assert (
            codes(
                ELMAN.replace("h: units", f"{name}: units")
                .replace("h[t-1]", f"{name}[t-1]")
                .replace("h = ", f"{name} = ")
            )
            == found
        )
        assert codes(ELMAN.replace("units", name)) == found
        assert codes(ELMAN.replace("ElmanRNN", name.upper())) == found


def test_the_number_of_labels():
    for count, found in ((dims.MAX_LABELS, set()), (dims.MAX_LABELS + 1, {"CG108"})):
        picks = [f"a{index + 1} = a{index} + z.g{index}" for index in range(count)]
        lines = ["z: [gates, units] = affine(x, h[t-1])", "a0 = z.g0", *picks, f"h = a{count}"]
        text = spec(lines, f"gates: [{', '.join(f'g{index}' for index in range(count))}]\nstate: {{h: units}}")
        assert codes(text) == found
    assert codes(ELMAN + "gates: []\n") == {"CG108"}


def test_the_number_of_names_in_a_section():
    for count, found in ((MAX_ITEMS, {"CG212"}), (MAX_ITEMS + 1, {"CG108"})):
        assert codes(ELMAN + f"options: {{{', '.join(f'o{index}: 1.0' for index in range(count))}}}\n") == found


def test_the_number_of_variants():
    for count, found in ((6, set()), (7, {"CG213"})):
        assert 2**6 == choices.MAX_VARIANTS
        steps = [f"a{index + 1} = a{index} + 1 if o{index} else a{index}" for index in range(count)]
        lines = ["a0: [units] = affine(x, h[t-1])", *steps, f"h = a{count}"]
        text = spec(
            lines, f"options: {{{', '.join(f'o{index}: true' for index in range(count))}}}\nstate: {{h: units}}"
        )
        assert codes(text) == found


def test_the_rank_of_values():
    for rank, found in ((expressions.MAX_RANK, set()), (expressions.MAX_RANK + 1, {"CG108"})):
        dims = ", ".join(f"d{index}" for index in range(rank))
        assert codes(f"cell: X\nstate: {{h: [{dims}]}}\nequations: |\n  h = h[t-1] * mean(x)\n") == found
        assert (
            codes(f"cell: X\nstate: {{h: [{dims}]}}\nequations: |\n  a: [{dims}] = h[t-1]\n  h = a * mean(x)\n")
            == found
        )
        parts = [f"a{index} = outer(a{index - 1}, x)" for index in range(1, rank)]
        lines = ["a0 = x", *parts, f"h = {'mean(' * rank}a{rank - 1}{')' * rank} + h[t-1]"]
        text = spec(lines, "state: {h: 1}")
        assert codes(text) == found


def test_the_factors_of_a_dim():
    for count, found in ((expressions.MAX_FACTORS, set()), (expressions.MAX_FACTORS + 1, {"CG108"}), (900, {"CG108"})):
        product = "*".join("a" for _ in range(count))
        assert codes(f"cell: X\nstate: {{h: [{product}]}}\nequations: |\n  h = h[t-1] * mean(x)\n") == found


def test_the_size_of_fixed_dims():
    for size, found in (
        (1, set()),
        (expressions.MAX_DIM, set()),
        (expressions.MAX_DIM + 1, {"CG106"}),
        (0, {"CG106"}),
        (-1, {"CG106"}),
        (10**400, {"CG106", "CG216"}),
    ):
        assert codes(f"cell: X\nstate: {{h: [{size}]}}\nequations: |\n  h = h[t-1] * mean(x)\n") <= found | {"CG202"}
        assert bool(codes(f"cell: X\nstate: {{h: [{size}]}}\nequations: |\n  h = h[t-1] * mean(x)\n")) == bool(found)
        assert bool(codes(ELMAN + f"dims: {{input: inferred, units: {size}}}\n")) == bool(found)
    for quotient in (
        "4/0",
        "units/0",
        "units/99999999999999999999",
        "0/units",
        "a/a",
        "a/b",
        "units//2",
        "/",
        "1/",
        "-1/2",
    ):
        assert compiled(ELMAN + f"dims: {{input: inferred, units: required, a: '{quotient}', b: a}}\n")


NUMBERS = [
    ("1e308", True),
    ("1.7976931348623157e308", True),
    ("1e309", False),
    ("-1e309", False),
    ("5e-324", True),
    ("1e-324", False),
    ("0", True),
    ("0.0", True),
    ("0e999", True),
    ("1" + "0" * 308, True),
    ("1" + "0" * 309, False),
    ("1e99999", False),
    ("1e-99999", False),
]


@pytest.mark.parametrize("number, held", NUMBERS, ids=lambda each: str(each)[:12])
def test_the_range_of_numbers(number, held):
    for text in (
        ELMAN.replace("tanh(z)", f"tanh({number} * z)"),
        ELMAN.replace("tanh(z)", "tanh(alpha * z)") + f"options: {{alpha: {number}}}\n",
        ELMAN.replace("h: units", f"h: {{shape: units, initial: {number}}}"),
        ELMAN + f"laws: |\n  h in [-inf, {number}]\n",
    ):
        found = codes(text)
        assert found <= {"CG202", "CG216"} and bool(found) <= (not held), (text, found)
        assert held or found


@pytest.mark.parametrize(
    "number",
    [".inf", "-.inf", ".nan", ".NaN", "1e", "0x", "1e1e1", "0777", "--1", "1.2.3", "9" * 5_000, "0x" + "f" * 400],
)
def test_numbers_that_are_none(number):
    assert compiled(ELMAN.replace("tanh(z)", "tanh(alpha * z)") + f"options: {{alpha: {number}}}\n")


def test_a_number_in_a_law_has_one_sign():
    for number, found in (("1", set()), ("-1", set()), ("--1", {"CG201"}), ("-", {"CG201"})):
        assert codes(ELMAN + f"options: {{a: 1.0}}\nlaws: |\n  reduces to simple_rnn with a = {number}\n") <= found | {
            "CG212"
        }


def test_the_size_of_exponents():
    for power, found in (
        (binding.MAX_EXPONENT, set()),
        (-binding.MAX_EXPONENT, set()),
        (binding.MAX_EXPONENT + 1, {"CG108"}),
        (-65, {"CG108"}),
    ):
        assert codes(ELMAN.replace("tanh(z)", f"z ** {power}")) == found
    assert codes(ELMAN.replace("tanh(z)", "z ** n") + "options: {n: 2.0}\n") == set()
    for power in ("z ** z", "z ** (1 + 1)", "2 ** z", "z ** tanh(2)", "z ** (8 * 8)"):
        assert codes(ELMAN.replace("tanh(z)", f"{power} * z")) == set()
    for tower in ("9**9**9", "z ** (8 * 8 + 1)", "z ** (9**9 * 9)"):
        assert codes(ELMAN.replace("tanh(z)", f"{tower} * z")) == {"CG108"}


def test_a_large_whole_exponent_is_no_work():
    """It comes to stand there when a law sets an option."""
    text = (
        ELMAN.replace("tanh(z)", "tanh(z) ** n") + "options: {n: 2.0}\nlaws: |\n  h in [-1, 1] when n == 1000000000\n"
    )
    assert Spec.of(text).check().verdicts.laws[0].status in ("proved", "unknown")


def test_the_length_of_a_chain(tmp_path):
    for count, found in ((extends.MAX_DEPTH, []), (extends.MAX_DEPTH + 1, ["CG108"])):
        (tmp_path / "s0.yaml").write_text(ELMAN)
        for index in range(1, count + 1):
            (tmp_path / f"s{index}.yaml").write_text(f"extends: s{index - 1}\n")
        assert [each.code for each in told(lambda count=count: Spec.at(tmp_path / f"s{count}.yaml").typed())] == found


def test_circles(tmp_path):
    for stem, other in (("a", "a"), ("b", "c"), ("c", "b")):
        (tmp_path / f"{stem}.yaml").write_text(f"extends: {other}\n")
        if (tmp_path / f"{other}.yaml").exists():
            assert [each.code for each in told(lambda stem=stem: Spec.at(tmp_path / f"{stem}.yaml").typed())] == [
                "CG111"
            ]
    (tmp_path / "law.yaml").write_text(ELMAN + "laws: |\n  reduces to law\n")
    assert told(lambda: Spec.at(tmp_path / "law.yaml").typed()) == ()


@pytest.mark.parametrize(
    "stem",
    ["../lstm", "/etc/passwd", "lstm.yaml", "..", "a b", "", "l" * 5_000, "~", "C:lstm", "lstm\\x", "no", "null", "1"],
)
def test_only_stems_are_followed(stem):
    assert codes(f'extends: "{stem}"\n') <= {"CG102", "CG104", "CG110"} != set()
    assert codes(ELMAN + f"laws: |\n  reduces to {stem}\n") <= {"CG108", "CG110", "CG201"} != set()


def test_the_bounds_are_the_ones_that_are_explained():
    bounds = (
        yaml_tree.MAX_VALUES,
        logical_lines.MAX_LENGTH,
        statements.MAX_STATEMENTS,
        statements.MAX_SIZE,
        law_text.MAX_LAWS,
        names.MAX_NAME,
    )
    others = (expressions.MAX_RANK, expressions.MAX_DEPTH, dims.MAX_LABELS, extends.MAX_DEPTH, binding.MAX_EXPONENT)
    told = re.findall(r"[\d,]*\d", CODES["CG108"].about)
    assert yaml_tree.MAX_BYTES == 128 * 1024
    assert {f"{each:,}" for each in (128, *bounds, *others)} == set(told)


def test_the_size_of_all_equations():
    """The most that is allowed takes a second; more is refused before it is looked at."""
    for terms, found in ((11, set()), (12, {"CG108"})):
        steps = [f"n{index + 1} = {' + '.join([f'tanh(n{index})'] * terms)}" for index in range(119)]
        text = spec(["n0: [units] = affine(x, h[t-1])", *steps, "h = n119"])
        assert codes(text) == found


def chain(first, step, count, last):
    return spec([f"n0 = {first}", *(f"n{at + 1} = {step.format(f'n{at}')}" for at in range(count)), last.format(count)])


@pytest.mark.parametrize(
    ("first", "step", "count"),
    [
        ("1e300 * sigmoid(mean(x))", "{0} * {0}", 100),
        ("1e-300 * sigmoid(mean(x))", "{0} * {0}", 100),
        ("1e300 * sigmoid(mean(x))", "{0} ** 64", 20),
        ("1e-300 * sigmoid(mean(x))", "{0} ** -63", 20),
        ("sigmoid(mean(x)) / 3", "{0} / 3 + {0} * {0}", 20),
        ("gelu(-100000 - sigmoid(mean(x)))", "{0} * {0}", 20),
        ("exp(-50000 - sigmoid(mean(x)))", "silu(-300000 - {0})", 5),
    ],
)
def test_the_digits_of_what_a_cell_computes(first, step, count):
    """Numbers that no float holds are no work: the ends of ranges, factors and exponents stay short."""
    checked = Spec.of(chain(first, step, count, "h = 0.5 * h[t-1] + tanh(n{})")).check()
    assert not [each for each in checked.diagnostics if each.severity == "error"]


@pytest.mark.parametrize(
    ("first", "step", "count", "law", "status"),
    [
        ("mean(x)", "{0} * {0}", 30, "n30 == n29 * n29", "proved"),
        ("exp(mean(x) / 3)", "{0} ** 64", 10, "n10 == n9 ** 64", "proved"),
        ("3 * mean(x)", "{0} * {0}", 30, "n30 == 2 * n29", "unknown"),
        ("1e300 * sigmoid(mean(x))", "{0} * {0}", 30, "n30 == 2 * n29", "unknown"),
        ("mean(x)", "{0} ** 64", 5, "n5 == n4 ** 3", "unknown"),
    ],
)
def test_the_digits_of_what_a_law_compares(first, step, count, law, status):
    checked = Spec.of(chain(first, step, count, "h = 0.5 * h[t-1] + tanh(n{})") + f"laws: |\n  {law}\n").check()
    assert [each.status for each in checked.verdicts.laws] == [status]


def test_a_long_chain_of_values_is_no_deep_recursion():
    deep = "tanh(" * 12 + "{}" + ")" * 12
    checked = Spec.of(chain("mean(x)", deep, 120, "h = 0.5 * h[t-1] + n{}")).check()
    assert not [each for each in checked.diagnostics if each.severity == "error"]
