"""README and the pages of the guide say what is so: their examples are run, and what they show is compared."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import pytest

from cellgen.cli import commands, main
from cellgen.compiler import Spec
from cellgen.ir.ops import WRITTEN
from cellgen.resolve.weight_initialisers import CALLED, INITIALISERS
from tests.checkout import CHECKOUT
from tests.programs import child
from tests.readme_picture import PICTURE, picture, table

BLOCK = re.compile(r"(?:<!-- (?P<file>\S+) -->\n)?```(?P<kind>\w*)\n(?P<text>.*?)```", re.S)

MOST_LINES = 350  # of README

# whose Python another file runs, since it needs weights of torch or several machines
RUN_IN = {"conversion": "convert/test_convert.py", "machines": "contract/test_distribute.py"}


@dataclass(frozen=True)
class Page:
    """A page and its examples; those of one page run in one folder, where README's `my_lstm.yaml` stands too."""

    path: Path

    def __str__(self) -> str:
        return self.path.stem

    @property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    def blocks(self, kind: str) -> list[dict]:
        return [found for match in BLOCK.finditer(self.text) if (found := match.groupdict())["kind"] == kind]

    @property
    def specs(self) -> dict[str, str]:
        """By the name of the file, which stands in the first line or is README's."""
        texts = [block["text"] for block in self.blocks("yaml")]
        return {(m[1] if (m := re.match(r"# (\S+\.yaml)\n", text)) else "my_lstm.yaml"): text for text in texts}

    @property
    def links(self) -> list[tuple[Path, str]]:
        """The files that it links, each with what stands after `#`."""
        prose = re.sub(r"`[^`\n]*`", "", BLOCK.sub("", self.text))
        targets = [target for target in re.findall(r"\]\(([^)\s]+)\)", prose) if "://" not in target]
        split = [target.partition("#") for target in targets]
        return [((self.path.parent / path).resolve() if path else self.path, anchor) for path, _, anchor in split]


README = Page(CHECKOUT / "README.md")
GUIDE = [Page(path) for path in sorted((CHECKOUT / "cellgen" / "guide").glob("*.md"))]
LANGUAGE, TESTED, COMMANDS = (
    Page(CHECKOUT / "cellgen" / "guide" / f"{name}.md") for name in ("language", "tested", "commands")
)

each_page = pytest.mark.parametrize("page", [README, *GUIDE], ids=str)


def lay_out(page: Page, folder: Path) -> None:
    for name, text in {**README.specs, **page.specs}.items():
        (folder / name).write_text(text, encoding="utf-8")


@dataclass(frozen=True)
class Ran:
    """What a command made of it."""

    code: int
    out: str
    errors: str


@pytest.fixture
def run(tmp_path, monkeypatch, capfd):
    """Runs a command in a folder of the test's own."""
    monkeypatch.chdir(tmp_path)

    def run(command: str) -> Ran:
        program, *arguments = shlex.split(command)
        assert program == "cellgen"
        capfd.readouterr()
        return Ran(main(arguments), *capfd.readouterr())

    return run


# --- the examples ---------------------------------------------------------------------------------------------------


@each_page
def test_consoles_show_what_is_printed(page, tmp_path, run):
    lay_out(page, tmp_path)
    summary = re.compile(r"^\d+ specs?, \d+ errors?, .*\n?", re.M)  # how long it took, if it took long
    for block in page.blocks("console"):
        command, _, shown = block["text"].removeprefix("$ ").partition("\n")
        start, dots, shown = shown.rpartition("...\n")
        assert not start and shown.strip()
        done = run(command)
        printed = summary.sub("", done.out + done.errors).strip()
        assert printed.endswith(shown.strip()) and (dots or printed == shown.strip())


@each_page
def test_specs_are_fine_unless_a_console_shows_what_is_said_of_them(page, tmp_path, run):
    lay_out(page, tmp_path)
    shown = "".join(block["text"] for block in page.blocks("console"))
    for name in page.specs:
        if name not in shown:
            done = run(f"cellgen check {name}")
            assert done.code == 0, done.errors


def test_the_examples_are_found():
    assert [*README.specs] == ["my_lstm.yaml", "slip.yaml", "coupled.yaml", "residual.yaml"]
    assert len(README.blocks("console")) >= 5
    assert LANGUAGE.specs["my_lstm.yaml"] == README.specs["my_lstm.yaml"]
    for page in (README, *GUIDE):
        assert len(page.specs) == len(page.blocks("yaml"))  # no two of one name
        assert {kind for _, kind, _ in BLOCK.findall(page.text)} <= {"", "yaml", "console", "sh", "python"}


def test_excerpts_are_of_the_generated_files(tmp_path, run):
    lay_out(README, tmp_path)
    run("cellgen build my_lstm.yaml")
    excerpts = [block for block in README.blocks("python") if block["file"]]
    assert excerpts and not any(block["file"] for page in GUIDE for block in page.blocks("python"))
    for block in excerpts:
        assert block["text"] in (tmp_path / block["file"]).read_text(encoding="utf-8")


def test_programs_run(tmp_path, run):
    lay_out(README, tmp_path)
    run("cellgen build my_lstm.yaml residual.yaml")
    programs = [block["text"] for block in README.blocks("python") if not block["file"]]
    assert len(programs) == 3
    given = "import keras, tensorflow as tf; x, mask = tf.ones([2, 5, 3]), tf.ones([2, 5], tf.bool)"
    shapes = "assert y.shape == (2, 5, 128) and rnn(x).shape == (2, 128) and lstm.MyLSTM(128)(x).shape == (2, 128)"
    text = "\n".join([given, *programs, shapes, "assert Residual(depth=4, units=64)(x).shape == (2, 64)"])
    child(text, tmp_path, CHECKOUT, tmp_path / "generated")
    assert {page.path.stem for page in GUIDE if page.blocks("python")} == {*RUN_IN}
    for name, file in RUN_IN.items():
        assert f"{name}.md" in (CHECKOUT / "tests" / file).read_text(encoding="utf-8")


@each_page
def test_commands_of_shells_have_the_options_that_they_are_given(page):
    """What takes minutes is parsed here and not run: the demo, the bench, an environment of one's own."""
    for block in page.blocks("sh"):
        for part in re.split(r"\n|&&", block["text"]):
            words = shlex.split(part, comments=True)
            programs = [word for word in words if word.rpartition("/")[2] == "cellgen"]
            if programs:
                name, *arguments = words[words.index(programs[0]) + 1 :]
                commands.commands[name].make_context(name, arguments)
            assert all((CHECKOUT / word).is_file() for word in words if word.startswith("tests/"))


@pytest.mark.full
def test_the_generated_tests_of_readme_pass(tmp_path, run):
    lay_out(README, tmp_path)
    assert "cellgen test my_lstm.yaml\n" in [block["text"] for block in README.blocks("sh")]
    assert run("cellgen build my_lstm.yaml").code == 0
    done = run("cellgen test my_lstm.yaml")
    assert done.code == 0, done.out


# --- the pages ------------------------------------------------------------------------------------------------------


def test_readme_is_a_front_page():
    assert len(README.text.splitlines()) <= MOST_LINES


@pytest.mark.parametrize("page", GUIDE, ids=str)
def test_a_page_begins_with_its_title_and_one_sentence(page):
    title, about, _ = page.text.split("\n\n", 2)
    assert re.fullmatch(r"# \w.*", title) and re.fullmatch(r"[A-Z][^\n]{20,110}\.", about) and ". " not in about
    assert re.fullmatch(r"[a-z]+", page.path.stem)


@each_page
def test_links_lead_somewhere(page):
    for path, anchor in page.links:
        assert path.is_file() and path.is_relative_to(CHECKOUT), path
        headings = re.findall(r"^#+ (.*)$", BLOCK.sub("", path.read_text(encoding="utf-8")), re.M)
        slugs = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
        assert not anchor or anchor in slugs, anchor


def test_readme_leads_to_every_page():
    assert {path for path, _ in README.links} >= {page.path for page in GUIDE}


def test_the_page_of_commands_has_all_of_them():
    assert set(re.findall(r"^\| `cellgen (\w+)", COMMANDS.text, re.M)) == set(commands.commands)


def test_the_reference_names_every_function_and_initialiser():
    words = set(re.findall(r"`(\w+)", LANGUAGE.text))
    assert set(WRITTEN) | set(INITIALISERS) | set(CALLED) - {"constant"} <= words


def test_the_equation_of_the_reference_is_one():
    (block,) = LANGUAGE.blocks("")
    params = "{kernel: [input, units], recurrent_kernel: [units, units], bias: [units]}"
    text = f"cell: Line\nstate: {{h: units}}\nparams: {params}\nequations: |\n  {block['text']}  h = tanh(z)\n"
    assert [*Spec.of(text).typed().cell.equations]


def test_every_test_of_the_contract_is_there():
    """The head of a table names the folder, its lines name tests by file; `::name` alone is of the file before it."""
    section = TESTED.text[TESTED.text.index("## The contract") : TESTED.text.index("## What was tried")]
    folder, file, count = None, None, 0
    for head, name, test in re.findall(r"\| `(tests/\w+)/` \|\n|`(\w+\.py)?::(\w+)`", section):
        if head:
            folder, file = CHECKOUT / head, None
            continue
        file = folder / name if name else file
        assert f"\ndef {test}(" in file.read_text(encoding="utf-8"), f"{file}::{test}"
        count += 1
    generated = (CHECKOUT / "generated" / "test_regularised_lstm.py").read_text(encoding="utf-8")
    for test in re.findall(r"the generated `(\w+)`", section):
        assert f"\n{test} = SUBJECT.test(" in generated
    assert count > 40


def test_the_picture_is_the_table_of_speed():
    names, rows = table()
    assert len(names) == 6 and list(rows) == ["W1", "W2", "W3", "W4", "W5"] and all(row[0] for row in rows.values())
    assert PICTURE.read_text(encoding="utf-8") == picture()
