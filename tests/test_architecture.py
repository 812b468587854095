"""The house and its rules: who imports whom, which library lives where, and what never happens."""

import ast
import functools
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.checkout import CHECKOUT

try:
    import tomllib
except ModuleNotFoundError:  # before Python 3.11
    import tomli as tomllib

MODULES = sorted((CHECKOUT / "cellgen").rglob("*.py"))
CONFIG = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))

MOST_LINES = 400

OF_THE_WHOLE = {"test_architecture", "test_cli", "test_faults", "test_packaging", "test_programs", "test_readme"}
OF_SEVERAL = {  # folders of tests and no packages
    "contract": "what every generated cell and layer must satisfy",
    "peers": "shipped cells beside those of other libraries",
}


def package(path):
    """The package of a module, or its own name where it stands beside them."""
    return path.relative_to(CHECKOUT / "cellgen").with_suffix("").parts[0]


def run(*command, cwd=CHECKOUT):
    return subprocess.run(
        [*map(str, command)], cwd=cwd, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=300
    )


@functools.cache
def tree(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path):
    """The modules that a file imports, at the top or later."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module


def test_a_package_imports_only_packages_below_it():
    program = Path(sys.executable).with_name("lint-imports")
    done = run(program, "--no-logo", "--no-cache")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_code_passes_ruff():
    from ruff.__main__ import find_ruff_bin

    done = run(find_ruff_bin(), "check", "--no-cache", "--output-format=concise", ".")
    assert done.returncode == 0, done.stdout


def test_each_third_party_library_has_one_home():
    homes = {
        library: set(re.findall(r"\w+", ban["msg"].removeprefix("home:"))) & {*map(package, MODULES)}
        for library, ban in CONFIG["tool"]["ruff"]["lint"]["flake8-tidy-imports"]["banned-api"].items()
        if ban["msg"].startswith("home:")
    }
    found = {library: set() for library in homes}
    for path in MODULES:
        for library in {name.partition(".")[0] for name in imports(path)} - sys.stdlib_module_names - {"cellgen"}:
            found.setdefault(library, set()).add(package(path))
    assert found == homes


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(CHECKOUT).as_posix())
def test_nothing_evaluates_text(path):
    nodes = list(ast.walk(tree(path)))
    names = {node.id for node in nodes if isinstance(node, ast.Name)}
    attributes = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    imported = {alias.name for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert not names & {"eval", "exec", "compile", "__import__"}
    assert not (names | attributes | imported) & {"sympify", "lambdify", "parse_expr", "literal_eval", "simplify"}


def test_no_module_is_too_long():
    """Imports apart, which a list of names makes long."""
    lines = {}
    for path in MODULES:
        imports = [each for each in tree(path).body if isinstance(each, (ast.Import, ast.ImportFrom))]
        count = len(path.read_text(encoding="utf-8").splitlines())
        lines[path] = count - sum(each.end_lineno - each.lineno + 1 for each in imports)
    assert {path: count for path, count in lines.items() if count > MOST_LINES} == {}


def test_tests_stand_in_the_folder_of_the_package_that_they_are_about():
    found = {}
    for path in (CHECKOUT / "tests").rglob("test_*.py"):
        found.setdefault(path.parent.relative_to(CHECKOUT / "tests").as_posix(), set()).add(path.stem)
    assert found.pop(".") == OF_THE_WHOLE
    assert {*found} <= {*map(package, (CHECKOUT / "cellgen").glob("*/__init__.py"))} | {*OF_SEVERAL}
    for folder in found:  # two of them may hold files of one name
        assert (CHECKOUT / "tests" / folder / "__init__.py").is_file(), folder


COMMANDS = [["--help"], ["guide"], ["guide", "laws"], ["check", "lstm"], ["list"], ["build", "lstm", "-o", "{folder}"]]
COMMANDS = {" ".join(arguments): arguments for arguments in COMMANDS}
READING = ["--help", "guide", "guide laws"]


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    """What has been imported after each command, run one after the other in one process."""
    folder = tmp_path_factory.mktemp("built")
    ask = (
        "import json, sys; from cellgen.cli import main; file, *commands = sys.argv[1:]; found = {}\n"
        "for command in commands:\n"
        "    assert main(json.loads(command)) == 0, command\n"
        "    found[command] = [*sys.modules]\n"
        "json.dump([*found.values()], open(file, 'w'))"
    )
    commands = [json.dumps([each.format(folder=folder) for each in arguments]) for arguments in COMMANDS.values()]
    done = run(sys.executable, "-c", ask, folder / "modules.json", *commands)
    assert done.returncode == 0, done.stderr
    return dict(zip(COMMANDS, map(set, json.loads((folder / "modules.json").read_text())), strict=True))


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_that_runs_no_cell_imports_tensorflow(command, imported):
    assert not imported[command] & {"tensorflow", "keras", "tf_keras"}


def test_a_check_imports_nothing_that_writes_code(imported):
    assert not imported["check lstm"] & {"cellgen.emit", "cellgen.schedule", "jinja2"}


@pytest.mark.parametrize("command", READING)
def test_help_and_the_guide_import_nothing_that_is_slow(command, imported):
    assert not imported[command] & {"tensorflow", "numpy", "sympy", "rich"}


def test_importing_the_package_imports_no_more_than_its_version():
    ask = "import sys; import cellgen; print(*(name for name in sys.modules if name.startswith('cellgen.')))"
    assert run(sys.executable, "-c", ask).stdout.split() == ["cellgen.version"]


def test_the_names_of_keras_are_reserved():
    import tensorflow as tf

    from cellgen.text.names import KERAS

    layer = tf.keras.layers.RNN(tf.keras.layers.SimpleRNNCell(2))
    layer.build((None, None, 3))
    public = {name for name in [*dir(layer), *dir(tf.keras.layers.Layer()), *vars(layer)] if not name.startswith("_")}
    assert public <= KERAS
