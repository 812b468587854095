"""The commands as a user meets them: what is printed where, what is written, and the exit codes."""

import gc
import inspect
import io
import json
import os
import re
import subprocess
import sys
import traceback
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import cellgen
from cellgen import cli
from cellgen.compiler import Spec, shipped
from cellgen.terminal import progress, uncollected
from tests.checkout import CHECKOUT
from tests.shipped import SHIPPED, TODAY, TOLD, each_shipped

GUIDE = CHECKOUT / "cellgen" / "guide"

GOOD = """\
cell: Leaky
state: {h: units}
params:
  W: {shape: [input, units], init: glorot_uniform}
equations: |
  h = 0.5 * h[t-1] + tanh(x @ W)
"""
BAD = GOOD.replace("x @ W", "x @ V")
REFUTED = GOOD + "laws: |\n  h in (-1, 1)\n"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """An empty folder to work in, on a machine that is never slow."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli, "PATIENCE", 3600)
    return tmp_path


@pytest.fixture
def run(capsys):
    """A command in this process: its exit code, standard output and standard error."""

    def run(*arguments):
        code = cli.main([str(each) for each in arguments])
        return code, *capsys.readouterr()

    return run


def child(*arguments, **environment):
    """A command in a process of its own."""
    command = [sys.executable, "-m", "cellgen", *map(str, arguments)]
    path = os.pathsep.join([str(CHECKOUT), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        command,
        env={**os.environ, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=300,
    )


def tree(folder):
    """Everything in a folder, with the identity of each file."""
    return {path: (path.read_bytes(), path.stat().st_ino) for path in sorted(folder.rglob("*")) if path.is_file()}


# --- new ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, cell, stem",
    [
        ("my_cell", "MyCell", "my_cell"),
        ("my-cell", "MyCell", "my_cell"),
        ("LayerNormGRU", "LayerNormGRU", "layer_norm_gru"),
        ("RNN2", "RNN2", "rnn2"),
        ("my_cell.yaml", "MyCell", "my_cell"),
    ],
)
def test_new_writes_a_spec_that_is_fine_as_it_is(run, here, name, cell, stem):
    assert run("new", name)[:2] == (0, f"wrote {stem}.yaml\n")
    assert Spec.at(f"{stem}.yaml").typed().cell.name == cell
    code, out, err = run("check", "--strict", f"{stem}.yaml")
    assert code == 0 and err == "" and "refuted" not in out and "unknown" not in out


def test_new_from_a_spec_extends_it(run, here):
    assert run("new", "mine", "--from", "lstm")[0] == 0
    ours, theirs = Spec.at("mine.yaml").typed().cell, Spec.at("lstm").typed().cell
    assert (ours.name, ours.equations, ours.params) == ("Mine", theirs.equations, theirs.params)
    text = Path("mine.yaml").read_text()
    assert "\nextends: lstm\n" in text and "#   c = f * c[t-1] + i * g\n" in text


def test_new_never_overwrites(run, here):
    Path("my_cell.yaml").write_text("mine")
    code, out, err = run("new", "my_cell")
    assert code == 2 and out == "" and "my_cell.yaml is there already" in err
    assert Path("my_cell.yaml").read_text() == "mine"


def test_new_does_not_follow_a_link(run, here):
    Path("my_cell.yaml").symlink_to("elsewhere.yaml")
    code, out, err = run("new", "my_cell")
    assert code == 2 and out == "" and "my_cell.yaml is there already" in err
    assert not Path("elsewhere.yaml").exists() and os.listdir(here) == ["my_cell.yaml"]


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["random"], "`random.yaml` cannot be built"),
        (["class"], "it is a word of Python"),
        (["2fast"], "`2fast` is no name for a cell"),
        (["../mine"], "`../mine` is no name for a cell"),
        ([""], "`` is no name for a cell"),
        (["lstm", "--from", "lstm"], "cannot extend a spec of the same name"),
        (["mine", "--from", "elsewhere/leaky.yaml"], "`extends` looks beside the spec"),
        (["mine", "-o", "mine.txt"], "ends with .yaml"),
        (["mine", "-o", "no/such/folder.yaml"], "no such file or directory"),
    ],
)
def test_new_says_what_it_cannot_do(run, here, arguments, said):
    Path("elsewhere").mkdir()
    Path("elsewhere/leaky.yaml").write_text(GOOD)
    before = tree(here)
    code, out, err = run("new", *arguments)
    assert code == 2 and out == "" and said in err
    assert tree(here) == before


# --- check ----------------------------------------------------------------------------------------------------------


def test_check_shows_a_cell_on_one_screen(run):
    code, out, _ = run("check", "lstm")
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert code == 0
    assert "z = x @ kernel + h[t-1] @ recurrent_kernel + (bias if use_bias else 0) [gates*units]" in lines
    assert "c = f * c[t-1] + i * g [units]" in lines
    assert "bias [gates*units] if use_bias" in lines
    assert "parameters 4*units*(input + units + 1); 4*units*(input + units) if not use_bias" in lines
    assert any(line.startswith("operations a step units*(8*input + 8*units + 17); ") for line in lines)
    assert any(line.startswith("proved c == c[t-1] when f == 1, i == 0") for line in lines)
    assert len(lines) < 60 and max(map(len, out.splitlines())) <= 120


@each_shipped
def test_check_finds_every_shipped_spec_fine(run, stem):
    strict = () if stem in TOLD else ("--strict",)
    code, out, err = run("check", *strict, "--output-format", "json", stem)
    told = {each["code"] for each in json.loads(out) if each["severity"] != "note"}
    assert (code, err) == (0, "") and told == TOLD.get(stem, set())


def test_check_of_several_gives_a_line_each(run, here):
    Path("specs").mkdir()
    Path("specs/leaky.yaml").write_text(GOOD)
    Path("specs/bounded.yaml").write_text(REFUTED)
    code, out, err = run("check")
    assert code == 1
    assert (
        out == "specs/bounded.yaml: Leaky, 1 variant; laws: 1 refuted\nspecs/leaky.yaml: Leaky, 1 variant; laws: none\n"
    )
    assert err.startswith("error[CG401]") and "2 specs, 1 error, 0 warnings" in err


def test_check_tells_the_errors_of_every_spec(run, here):
    Path("a.yaml").write_text(BAD)
    Path("b.yaml").write_text(BAD.replace("tanh", "tanhh"))
    code, out, err = run("check", "a.yaml", "b.yaml")
    assert code == 1 and out == ""
    assert " --> a.yaml:6:31\n" in err and " --> b.yaml:6:22\n" in err and "2 specs, 3 errors, 0 warnings" in err


@pytest.mark.parametrize("format", ["json", "github", "concise"])
def test_check_for_machines(run, here, format):
    Path("bad.yaml").write_text(BAD)
    code, out, err = run("check", "bad.yaml", "lstm", "--output-format", format)
    assert code == 1
    match format:
        case "json":
            assert err == ""
            assert [(each["file"], each["line"], each["column"]) for each in json.loads(out)] == [("bad.yaml", 6, 31)]
        case "github":
            assert err == "" and out.startswith("::error file=bad.yaml,line=6,col=31,title=CG")
        case "concise":
            assert out == "" and err.startswith("bad.yaml:6:31: error[CG") and err.count("\n") == 1


@pytest.mark.parametrize(
    "text, code",
    [
        (GOOD.replace("0.5 *", "(x @ W) *"), "CG405"),
        (GOOD + "laws: |\n  h * exp(-h) in (-inf, 0.3679)\n", "CG402"),
    ],
    ids=["unbounded", "unknown"],
)
def test_check_strict_takes_a_warning_for_an_error(run, here, text, code):
    Path("loose.yaml").write_text(text)
    found, _, err = run("check", "loose.yaml")
    assert found == 0 and err.startswith(f"warning[{code}]") and "1 spec, 0 errors, 1 warning, " in err
    found, _, err = run("check", "--strict", "loose.yaml")
    assert found == 1 and err.startswith(f"error[{code}]") and "1 spec, 1 error, 0 warnings, " in err
    assert run("build", "--strict", "loose.yaml")[0] == 1 and not Path("generated").exists()
    with pytest.warns(cellgen.SpecWarning, match=code):
        cellgen.compile(path="loose.yaml")


# --- build ----------------------------------------------------------------------------------------------------------


def test_build_writes_what_changed_and_nothing_else(run, here):
    Path("leaky.yaml").write_text(GOOD)
    code, out, err = run("build", "leaky.yaml", "lstm", "-o", "out")
    assert (code, err) == (0, "")
    assert out.split("wrote ")[1:] == [
        f"out/{name}\n" for name in ("leaky.py", "recurrent_1.py", "test_leaky.py", "lstm.py", "test_lstm.py")
    ]
    before = tree(here / "out")
    names = ["leaky.py", "lstm.py", "recurrent_1.py", "test_leaky.py", "test_lstm.py"]
    assert sorted(path.name for path in before) == names

    Path("leaky.yaml").write_text(GOOD.replace("0.5", "0.25"))
    code, out, _ = run("build", "leaky.yaml", "lstm", "-o", "out")
    after = tree(here / "out")
    assert code == 0 and "lstm.py" not in out
    assert {path.name for path in before if before[path] != after[path]} == {"leaky.py", "test_leaky.py"}


@pytest.mark.parametrize("text", [BAD, REFUTED, "cell: [", ""], ids=["name", "law", "yaml", "empty"])
def test_build_writes_nothing_if_any_spec_has_an_error(run, here, text):
    Path("good.yaml").write_text(GOOD)
    Path("wrong.yaml").write_text(GOOD)
    assert run("build", "good.yaml", "wrong.yaml")[0] == 0
    before = tree(here / "generated")
    Path("good.yaml").write_text(GOOD.replace("0.5", "0.25"))
    Path("wrong.yaml").write_text(text)
    code, out, err = run("build", "good.yaml", "wrong.yaml", "lstm")
    assert code == 1 and out == "" and "error[CG" in err and err.endswith("nothing was written\n")
    assert tree(here / "generated") == before


def test_build_check_lists_what_differs_and_writes_nothing(run, here):
    Path("leaky.yaml").write_text(GOOD)
    assert run("build", "--check", "leaky.yaml")[:2] == (
        1,
        "generated/leaky.py is missing\ngenerated/recurrent_1.py is missing\ngenerated/test_leaky.py is missing\n",
    )
    assert not Path("generated").exists()
    run("build", "leaky.yaml")
    assert run("build", "--check", "leaky.yaml")[:2] == (0, "")
    Path("leaky.yaml").write_text(GOOD.replace("0.5", "0.25"))
    with Path("generated/leaky.py").open("a") as file:
        file.write("# mine\n")
    before = tree(here)
    code, out, _ = run("build", "--check", "leaky.yaml")
    assert (code, out) == (1, "generated/leaky.py was edited by hand\ngenerated/test_leaky.py differs\n")
    assert tree(here) == before


def test_build_refuses_to_replace_what_it_did_not_write(run, here):
    Path("leaky.yaml").write_text(GOOD)
    Path("leaky.py").write_text("print('mine')\n")
    before = tree(here)
    code, out, err = run("build", "leaky.yaml", "-o", ".")
    assert code == 2 and out == "" and "leaky.py was not written by cellgen" in err and "--force" in err
    assert tree(here) == before
    wrote = "wrote leaky.py\nwrote recurrent_1.py\nwrote test_leaky.py\n"
    assert run("build", "--force", "leaky.yaml", "-o", ".")[:2] == (0, wrote)


def test_build_notices_what_was_edited_by_hand(run, here):
    """Whatever was changed, and whether or not the spec was too; how lines end does not count."""
    Path("leaky.yaml").write_text(GOOD)
    run("build", "leaky.yaml")
    built = Path("generated/leaky.py")
    text = built.read_text()
    assert text.startswith(f"# Generated by cellgen {cellgen.__version__}; sha256 of what follows: ")
    for edited, spec in ((text.replace("0.5", "0.75"), GOOD), (text + "\n", GOOD.replace("0.5", "0.25"))):
        built.write_text(edited)
        Path("leaky.yaml").write_text(spec)
        before = tree(here)
        code, out, err = run("build", "leaky.yaml")
        assert (code, out) == (2, "") and "generated/leaky.py was edited by hand" in err and "--force" in err
        assert run("build", "--check", "leaky.yaml")[1].startswith("generated/leaky.py was edited by hand\n")
        code, out, err = run("test", "leaky.yaml")
        assert code == 1 and "generated/leaky.py was edited by hand: run `cellgen build --force leaky.yaml`" in err
        assert tree(here) == before
        code, out, err = run("build", "--force", "leaky.yaml")
        assert code == 0 and out.startswith("wrote generated/leaky.py\n")
        assert run("build", "--check", "leaky.yaml")[:2] == (0, "")
    built.write_bytes(built.read_bytes().replace(b"\n", b"\r\n"))
    Path("leaky.yaml").write_text(GOOD)
    assert run("build", "leaky.yaml")[0] == 0


def test_build_replaces_what_an_older_or_another_cellgen_wrote(run, here, monkeypatch):
    from cellgen.output import stamp

    Path("leaky.yaml").write_text(GOOD)
    with monkeypatch.context() as patched:
        patched.setattr(stamp, "__version__", "7.0.1.dev3")
        run("build", "leaky.yaml")
    built = Path("generated/leaky.py")
    assert built.read_text().startswith("# Generated by cellgen 7.0.1.dev3; ")
    assert run("build", "leaky.yaml")[:2] == (
        0,
        "wrote generated/leaky.py\nwrote generated/recurrent_1.py\nwrote generated/test_leaky.py\n",
    )
    built.write_text(built.read_text().split("\n", 1)[1])  # as before there was a first line to tell
    assert run("build", "leaky.yaml")[:2] == (0, "wrote generated/leaky.py\n")


def test_build_keeps_permissions(run, here):
    Path("leaky.yaml").write_text(GOOD)
    run("build", "leaky.yaml")
    Path("generated/leaky.py").chmod(0o640)
    Path("leaky.yaml").write_text(GOOD.replace("0.5", "0.25"))
    assert run("build", "leaky.yaml")[0] == 0
    assert Path("generated/leaky.py").stat().st_mode & 0o777 == 0o640
    assert Path("generated/test_leaky.py").stat().st_mode & 0o444 == 0o444


@pytest.mark.parametrize("target", ["kept.py", "nowhere.py", "generated/leaky.py", "elsewhere"])
def test_build_follows_no_link(run, here, target):
    """To a file, to nothing, to itself, to a folder: nothing is written through it; with --force it gives way."""
    Path("leaky.yaml").write_text(GOOD)
    Path("elsewhere").mkdir()
    run("build", "leaky.yaml")
    link, kept = Path("generated/leaky.py"), here / "kept.py"
    text = link.read_text()
    link.rename(kept)
    link.symlink_to(here / target)
    if target == "kept.py":
        assert run("build", "--check", "leaky.yaml")[:2] == (0, "")  # what stands there is as it should be
        kept.write_text(text + "# mine\n")
    before = tree(here)
    code, out, err = run("build", "leaky.yaml")
    assert (code, out) == (2, "") and "generated/leaky.py is a symbolic link" in err
    assert run("build", "--check", "leaky.yaml")[:2] == (1, "generated/leaky.py is a symbolic link\n")
    assert tree(here) == before and link.is_symlink() and not Path("nowhere.py").exists()
    assert run("build", "--force", "leaky.yaml")[:2] == (0, "wrote generated/leaky.py\n")
    assert not link.is_symlink() and link.read_text() == text and not Path("nowhere.py").exists()
    assert kept.read_text() == text + "# mine\n" * (target == "kept.py") and not list(Path("elsewhere").iterdir())


@pytest.mark.parametrize("what", ["a folder", "a pipe"])
def test_build_stops_at_what_is_no_file(run, here, what):
    Path("leaky.yaml").write_text(GOOD)
    Path("generated").mkdir()
    (os.mkdir if what == "a folder" else os.mkfifo)("generated/leaky.py")
    for arguments in (["build"], ["build", "--force"], ["build", "--check"], ["test"]):
        code, out, err = run(*arguments, "leaky.yaml")
        assert (code, out) == (2, "") and err == f"Error: generated/leaky.py: it is {what}\n"
    assert [path.name for path in Path("generated").iterdir()] == ["leaky.py"]


@pytest.mark.parametrize("what", ["file", "link", "circle"])
def test_build_stops_where_its_folder_is_none(run, here, what):
    Path("leaky.yaml").write_text(GOOD)
    if what == "file":
        Path("out").write_text("mine")
    else:
        Path("out").symlink_to("nowhere" if what == "link" else "out")
    code, out, err = run("build", "leaky.yaml", "-o", "out")
    assert (code, out) == (2, "") and "Error: " in err
    assert sorted(path.name for path in here.iterdir()) == ["leaky.yaml", "out"]


def test_build_reads_each_spec_once(here, monkeypatch):
    """What is changed while a build runs is not in it, neither here nor there: cell and tests are of one moment."""
    from cellgen import compiler
    from cellgen.document import extends
    from cellgen.text import intake

    reads = []

    def read(path):
        found = intake.read(path)
        if path.parent == Path():
            reads.append(path.name)
            path.write_text(found.text.replace("0.5", "0.25"))
        return found

    monkeypatch.setattr(compiler, "read", read)
    monkeypatch.setattr(extends, "read", read)
    Path("leaky.yaml").write_text(GOOD)
    Path("mine.yaml").write_text("extends: leaky\ncell: Mine\nlaws: |\n  reduces to leaky\n")
    stack = (shipped() / "gru_stack.yaml").read_text()
    Path("mine_stack.yaml").write_text(stack.replace("cell: gru\n", "cell: leaky\n"))
    for stem in ("mine", "mine_stack"):
        Path("leaky.yaml").write_text(GOOD)
        reads.clear()
        files = Spec.at(f"{stem}.yaml").build()
        assert sorted(reads) == ["leaky.yaml", f"{stem}.yaml"]
        del files["recurrent_1.py"]
        assert all("0.25 * h" not in text and "0.5 * h" in text for text in files.values())


@pytest.mark.parametrize("other", ["b/leaky.yaml", "b/LEAKY.yaml", "b/test_leaky.yaml"])
def test_build_refuses_two_specs_for_one_file(run, here, other):
    for path in ("a/leaky.yaml", other):
        Path(path).parent.mkdir()
        Path(path).write_text(GOOD)
    code, out, err = run("build", "a/leaky.yaml", other)
    assert code == 2 and out == "" and f"a/leaky.yaml and {other} would both write" in err
    assert not Path("generated").exists()


def test_build_takes_the_same_spec_twice_as_one(run, here):
    Path("specs").mkdir()
    Path("specs/leaky.yaml").write_text(GOOD)
    assert run("build", "specs", "specs/leaky.yaml", here / "specs")[1].count("wrote") == 3


@pytest.mark.parametrize("stem", ["my-cell", "random", "keras", "lambda", "9lives"])
def test_a_name_that_no_module_can_have_is_an_error(run, here, stem):
    Path(f"{stem}.yaml").write_text(GOOD)
    code, out, err = run("build", f"{stem}.yaml")
    assert code == 1 and out == "" and "error[CG114]" in err and "rename the file" in err
    assert not Path("generated").exists()


def test_of_a_folder_build_leaves_out_what_cannot_be_generated_yet(run, here):
    Path("specs").mkdir()
    Path("specs/leaky.yaml").write_text(GOOD)
    head = "cell: Ports\ninputs: {x: [2*n]}\nstate: {h: units}\nparams: {W: [2*n, units]}\n"
    Path("specs/ports.yaml").write_text(head + "equations: |\n  h = 0.5 * h[t-1] + x @ W\n")
    code, out, err = run("build")
    assert (
        code == 0 and out == "wrote generated/leaky.py\nwrote generated/recurrent_1.py\nwrote generated/test_leaky.py\n"
    )
    assert "left out: specs/ports.yaml" in err
    code, out, err = run("build", "specs/ports.yaml")
    assert code == 1 and out == "" and "error[CG601]" in err
    code, out, err = run("check", "specs/ports.yaml")
    assert code == 1 and "recurrence" in out and "error[CG601]" in err


# --- test -----------------------------------------------------------------------------------------------------------


def test_test_runs_what_was_built(here, monkeypatch, capfd):
    """In a process of pytest's, which is told here to be content with one of the tests. `tests/testing/test_testing.py`
    has a cell that fails.
    """

    def run(*arguments):
        return cli.main([*arguments]), *capfd.readouterr()

    monkeypatch.setenv("PYTEST_ADDOPTS", "-k test_step")
    Path("leaky.yaml").write_text(GOOD)
    assert run("build", "leaky.yaml")[0] == 0
    code, out, err = run("test", "leaky.yaml")
    assert code == 0 and " passed" in out, out + err
    assert sorted(path.name for path in (here / "generated").iterdir()) == [
        "leaky.py",
        "recurrent_1.py",
        "test_leaky.py",
    ]

    built = Path("generated/leaky.py")
    built.write_text(built.read_text().replace("0.5 *", "-0.5 *"))
    code, _, err = run("test", "leaky.yaml")
    assert code == 1 and "run `cellgen build --force leaky.yaml` first" in err


def test_test_says_when_there_is_nothing_to_run(run):
    code, out, err = run("test")
    assert code == 2 and out == "" and "there are no generated tests in `generated`" in err


# --- the others -----------------------------------------------------------------------------------------------------


def test_list_names_every_shipped_spec_with_its_papers(run):
    code, out, _ = run("list")
    assert code == 0
    head, *lines = out.splitlines()
    assert head.split() == ["name", "family", "states", "parameters", "recurrence", "paper"]
    assert [line.split()[0] for line in lines] == SHIPPED
    cards = json.loads(run("list", "--json", *TODAY)[1])
    assert [card["name"] for card in cards] == TODAY
    for card, line in zip(cards, (line for line in lines if line.split()[0] in TODAY)):
        assert card["cell"] and card["about"] and card["papers"] and card["states"] and card["recurrence"]
        assert card["family"] in line and ", ".join(card["states"]) in line and card["parameters"] in line


def test_list_says_what_a_cell_is_in_a_line(run):
    lines = {line.split()[0]: re.split("  +", line)[1:] for line in run("list")[1].splitlines()}
    assert lines["gru"] == ["gru", "h", "3*units*(input + units + 2)", "general", "Cho et al. 2014, arXiv:1406.1078"]
    feng = "Feng et al. 2024, arXiv:2410.01201"
    assert lines["mingru"] == ["linear", "h", "2*units*(input + 1)", "affine, lane by lane", feng]
    assert lines["lstm"] == ["lstm", "h, c", "4*units*(input + units + 1)", "general", "Hochreiter & Schmidhuber 1997"]
    assert lines["hm_lstm_stack"][3] == "c, h: general; z: handed on"
    assert lines["gru_stack"][2].endswith(" a layer")


def test_list_tells_all_about_cells_that_are_named(run, here):
    code, out, _ = run("list", "scrn", "gru")
    assert code == 0 and [line.split()[0] for line in out.splitlines() if not line.startswith(" ")] == ["scrn", "gru"]
    assert "    family simple\n    states s, h\n" in out
    assert "    recurrence s: affine in what is carried, lane by lane; h: general\n" in out
    (here / "mine.yaml").write_text("cell: Mine\nstate: {h: units}\nequations: |\n  h: [units] = affine(x, h[t-1])\n")
    assert run("list", "mine.yaml")[1].splitlines()[0] == "mine  Mine"
    assert run("list", "--long")[1].count("    parameters ") == len(SHIPPED)
    code, out, err = run("list", "gruu")
    assert code == 1 and out == "" and "did you mean `gru`?" in err


@each_shipped
def test_expand_prints_a_spec_that_stands_alone(run, here, stem):
    code, out, err = run("expand", stem)
    assert (code, err) == (0, "")
    (here / f"{stem}.yaml").write_text(out)
    assert "extends:" not in out
    if Spec.at(stem).is_stack:
        assert Spec.at(f"{stem}.yaml").build() == Spec.at(stem).build()
    else:
        ours, theirs = (replace(Spec.at(path).cell(), source=None) for path in (f"{stem}.yaml", stem))
        assert ours == theirs


def test_schema_prints_json_schema(run):
    code, out, _ = run("schema")
    assert code == 0
    assert json.loads(out)["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_explain(run):
    code, out, err = run("explain", "CG401")
    assert (code, err) == (0, "") and "CG401" in out
    assert run("explain", "cg401") == (0, out, "")
    code, out, err = run("explain", "CG999")
    assert code == 2 and out == "" and "no code `CG999`" in err


def test_guide_lists_every_page(run):
    code, out, err = run("guide")
    names = sorted(path.stem for path in GUIDE.glob("*.md"))
    assert (code, err) == (0, "Next: cellgen guide TOPIC\n")
    assert [line.split()[0] for line in out.splitlines()] == names and len(names) > 6
    for line in out.splitlines():
        name, about = line.split(maxsplit=1)
        assert f"\n\n{about}\n\n" in (GUIDE / f"{name}.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", sorted(GUIDE.glob("*.md")), ids=lambda path: path.stem)
def test_guide_prints_a_page_as_it_is_where_there_is_no_terminal(run, path):
    text = path.read_text(encoding="utf-8")
    assert run("guide", path.stem) == run("guide", path.name) == (0, text, "")


@pytest.mark.parametrize(
    "topic, said",
    [
        ("languge", "no topic `languge`: did you mean `language`?"),
        ("../cli", "no topic `../cli`: the topics are " + ", ".join(sorted(path.stem for path in GUIDE.glob("*.md")))),
    ],
)
def test_guide_names_the_nearest_topic(run, topic, said):
    head = "Usage: cellgen guide [OPTIONS] [TOPIC]\nTry 'cellgen guide --help' for help.\n\n"
    assert run("guide", topic) == (2, "", f"{head}Error: {said}\n")


def test_guide_lays_a_page_out_on_a_terminal(here, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(CHECKOUT))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("NO_COLOR", raising=False)
    shown = on_a_terminal("guide", "masks")
    assert "\x1b[1" in shown and "Masks" in shown and "# Masks" not in shown and "|---|" not in shown
    plain = re.sub(r"\x1b\[[\d;]*m", "", shown)
    assert "a step whose mask is 0" in plain and max(map(len, plain.splitlines())) <= 100


def test_version_and_module():
    done = child("--version")
    assert (done.returncode, done.stdout) == (0, f"cellgen {cellgen.__version__}\n")


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["chekc"], "No such command"),
        (["check", "--fast", "lstm"], "No such option"),
        (["check"], "there is no folder `specs` here"),
        (["check", "."], "no spec in the folder"),
        (["build", "lstm", "--output-format", "xml"], "is not one of"),
        (["build", "lstm", "-o", "file"], "is a file"),
        (["new"], "Missing argument"),
    ],
)
def test_wrong_usage_is_exit_code_2(run, here, arguments, said):
    Path("file").write_text("")
    code, out, err = run(*arguments)
    assert code == 2 and out == "" and said in err


def test_a_file_that_is_not_there_is_an_error(run):
    code, _, err = run("check", "no_such.yaml")
    assert code == 1 and "error[CG101]" in err
    code, _, err = run("check", "lstn")
    assert code == 1 and "did you mean `lstm`?" in err


def test_work_that_takes_its_time_ends_with_a_summary(run, monkeypatch):
    assert run("check", "ugrnn")[2] == ""
    monkeypatch.setattr(cli, "PATIENCE", 0)
    assert re.fullmatch(r"1 spec, 0 errors, 0 warnings, \d+\.\d s\n", run("check", "ugrnn")[2])


def test_help_documents_the_exit_codes(run):
    code, out, _ = run("--help")
    assert code == 0 and "Exit codes" in out and all(f"  {number}  " in out for number in (0, 1, 2, 70))


def test_a_bug_is_told_without_a_traceback(run, monkeypatch):
    def broken(*_):
        raise KeyError("an invariant")

    monkeypatch.setattr(Spec, "check", broken)
    code, out, err = run("check", "lstm")
    assert code == 70 and out == "" and "internal error: KeyError: 'an invariant'" in err and "report" in err
    assert "Traceback" not in err and cellgen.__version__ in err
    monkeypatch.setenv("CELLGEN_TRACEBACK", "1")
    assert "Traceback" in run("check", "lstm")[2]


def test_an_interrupt_is_no_bug(run, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Spec, "check", interrupted)
    assert run("check", "lstm") == (130, "", "\ninterrupted\n")


def on_a_terminal(*arguments, patience=3600, **environment):
    """What a command prints on a terminal."""
    pty = pytest.importorskip("pty")
    script = (
        "import sys; from cellgen import cli; from cellgen.terminal import progress;"
        f"progress.PATIENCE = {patience}; cli.main(sys.argv[1:])"
    )
    number, terminal = pty.fork()
    if not number:
        os.environ.update(environment)
        os.execv(sys.executable, [sys.executable, "-c", script, *arguments])
    out = io.BytesIO()
    while True:
        try:
            piece = os.read(terminal, 4096)
        except OSError:
            break
        if not piece:
            break
        out.write(piece)
    os.waitpid(number, 0)
    return out.getvalue().decode()


def test_progress_is_for_terminals(run, here, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(CHECKOUT))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(progress, "PATIENCE", 0)
    for name in "abc":
        Path(f"{name}.yaml").write_text(GOOD)
    assert "/3" in on_a_terminal("check", "a.yaml", "b.yaml", "c.yaml", patience=0)
    assert "/3" not in run("check", "a.yaml", "b.yaml", "c.yaml")[2]


def test_colours_are_for_terminals(run, here, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(CHECKOUT))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    Path("bad.yaml").write_text(BAD)
    assert "\x1b[31m" in on_a_terminal("check", "bad.yaml")
    assert "\x1b[" not in on_a_terminal("check", "bad.yaml", NO_COLOR="1")
    assert "\x1b[" not in run("check", "bad.yaml")[2]


# --- notebooks ------------------------------------------------------------------------------------------------------


def test_compile_gives_the_classes_of_a_path_and_of_a_text(here):
    Path("leaky.yaml").write_text(GOOD)
    first = cellgen.compile(path="leaky.yaml")
    x = np.random.default_rng(0).normal(size=(2, 5, 3))
    layer = first.Leaky(4, dtype="float64")
    y = np.asarray(layer(x))
    h = np.zeros((2, 4))
    for step in range(5):
        h = 0.5 * h + np.tanh(x[:, step] @ np.asarray(layer.get_weights()[0]))
    np.testing.assert_allclose(y, h, rtol=0, atol=1e-12)
    assert cellgen.compile(path=Path("leaky.yaml")) is first
    second = cellgen.compile(text=GOOD.replace("0.5", "0.25"), stem="leaky")
    assert second is not first and sys.modules[second.__name__] is second
    assert first.__name__.startswith("cellgen.runtime.compiled_leaky")


def test_compiled_code_can_be_read_and_debugged(here):
    module = cellgen.compile(text=GOOD)
    source = inspect.getsource(module)
    assert source == Spec.of(GOOD).build()["spec.py"]
    assert inspect.getsource(module.LeakyCell).startswith("@recurrent.serializable")
    try:
        module.Leaky("many")
    except Exception as error:
        *_, last, _, told = traceback.extract_tb(error.__traceback__)  # `recurrent.size` asks for it
        assert told.name == "require"
        assert last.filename == module.__file__ and last.line in {line.strip() for line in source.splitlines()}
    else:
        pytest.fail("`units` must be a number")


def test_a_law_that_numbers_refute_is_not_built(run, here):
    Path("bounded.yaml").write_text(REFUTED)
    code, out, err = run("build", "bounded.yaml", "-o", "out")
    assert (code, out) == (1, "") and err.startswith("error[CG401]") and err.endswith("nothing was written\n")
    assert not Path("out").exists()
    for given in ({"path": "bounded.yaml"}, {"text": REFUTED}):
        with pytest.raises(cellgen.SpecError, match="CG401"):
            cellgen.compile(**given)


def test_compile_tells_a_mistake_as_check_would():
    with pytest.raises(cellgen.SpecError) as caught:
        cellgen.compile(text=BAD)
    assert str(caught.value).startswith("error[CG") and " --> spec.yaml:6:31\n" in str(caught.value)
    assert caught.value.__suppress_context__ and caught.value.__cause__ is None
    with pytest.raises(TypeError, match="either path=... or text=..."):
        cellgen.compile()
    with pytest.raises(TypeError, match="either path=... or text=..."):
        cellgen.compile(path="lstm", text=GOOD)


# --- what a command costs ---


def test_nothing_is_collected_while_a_spec_is_checked():
    began = []
    gc.callbacks.append(lambda phase, info: began.append(phase))
    try:
        with uncollected():
            Spec.at("lstm").check()
            assert not began and not gc.isenabled()
    finally:
        gc.callbacks.pop()
    assert gc.isenabled()


def test_what_measures_is_not_imported_with_the_commands():
    program = (
        "import sys, cellgen.cli; print(*{'cellgen.bench.run', 'multiprocessing', 'numpy', 'sympy'} & {*sys.modules})"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "\n"
