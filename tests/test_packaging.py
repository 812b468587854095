"""The package as it is handed on: what is in it, and that it works where there is no checkout."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from tests.checkout import CHECKOUT


def below(folder):
    """The files of a folder of the checkout, from its top."""
    return {
        path.relative_to(CHECKOUT).as_posix()
        for path in (CHECKOUT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


MODULES, SPECS, TEMPLATES = below("cellgen"), below("specs"), below("templates")  # and, in a package, its pages
PAGES = {name for name in MODULES if name.startswith("cellgen/guide/") and name.endswith(".md")}


def run(*command, cwd, **environment):
    """The standard output of a command that must succeed."""
    clean = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    done = subprocess.run(
        [*map(str, command)],
        cwd=cwd,
        env={**clean, **environment},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A copy of the checkout, so that building leaves nothing behind."""
    copy = tmp_path_factory.mktemp("source") / "cellgen"
    left_out = shutil.ignore_patterns(".*", "__pycache__", "dist", "build")
    shutil.copytree(CHECKOUT, copy, ignore=left_out)
    for name in (".ci", ".gitignore"):
        if (CHECKOUT / name).is_dir():
            shutil.copytree(CHECKOUT / name, copy / name)
        elif (CHECKOUT / name).exists():
            shutil.copy(CHECKOUT / name, copy / name)
    return copy


@pytest.fixture(scope="module")
def distributions(source, tmp_path_factory):
    """The sdist and the wheel, built by the project's own backend."""
    folder = tmp_path_factory.mktemp("dist")
    for kind in ("sdist", "wheel"):
        build = f"from hatchling import build; build.build_{kind}({str(folder)!r})"
        run(sys.executable, "-c", build, cwd=source)
    return next(folder.glob("*.tar.gz")), next(folder.glob("*.whl"))


def test_a_wheel_has_the_modules_the_pages_the_specs_and_the_templates(distributions):
    names = {name for name in zipfile.ZipFile(distributions[1]).namelist() if ".dist-info/" not in name}
    assert min(map(len, (MODULES, PAGES, SPECS, TEMPLATES))) > 1
    assert names == MODULES | {f"cellgen/{name}" for name in SPECS | TEMPLATES}


def test_an_sdist_has_what_a_wheel_and_the_tests_need(distributions):
    with tarfile.open(distributions[0]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = MODULES | SPECS | TEMPLATES | below("tests") | {"pyproject.toml", "LICENSE"}
    assert wanted <= names


@pytest.fixture(params=["wheel", "sdist", "editable"])
def installed(request, source, distributions, tmp_path):
    """The `bin` of an environment into which cellgen was installed one way, with this environment's other packages."""
    home = tmp_path / "environment"
    venv.create(home, with_pip=True, symlinks=True)
    folder = Path(sysconfig.get_path("purelib", vars={"base": str(home), "platbase": str(home)}))
    (folder / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    sdist, wheel = distributions
    what = {"wheel": [wheel], "sdist": [sdist], "editable": ["--editable", source]}[request.param]
    python = home / "bin" / "python"
    run(
        python,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--no-build-isolation",
        "--ignore-installed",
        *what,
        cwd=tmp_path,
    )
    where = run(python, "-c", "import cellgen; print(cellgen.__file__)", cwd=tmp_path).strip()
    assert Path(where).is_relative_to(source if request.param == "editable" else folder)
    return python.parent


@pytest.mark.full
def test_it_works_where_there_is_no_checkout(installed, tmp_path):
    work = tmp_path / "elsewhere"
    work.mkdir()
    cellgen = installed / "cellgen"
    listed = [line.split()[0] for line in run(cellgen, "list", cwd=work).splitlines()[1:]]
    assert listed == sorted(Path(name).stem for name in SPECS)
    assert "4*units*(input + units + 1)" in run(cellgen, "check", "lstm", cwd=work)
    assert run(cellgen, "guide", "laws", cwd=work) == (CHECKOUT / "cellgen/guide/laws.md").read_text(encoding="utf-8")
    run(cellgen, "new", "my_lstm", "--from", "lstm", cwd=work)
    run(cellgen, "build", "my_lstm.yaml", "lstm", cwd=work)
    assert (work / "generated" / "lstm.py").read_bytes() == (CHECKOUT / "generated" / "lstm.py").read_bytes()
    assert run(installed / "python", "-m", "cellgen", "--version", cwd=work).startswith("cellgen ")
