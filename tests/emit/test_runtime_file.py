"""What cells have in common, as a file beside them: what is told where it is not there, and two of them at once."""

import importlib
import re
import sys

import keras
import numpy as np
import pytest

from cellgen.compiler import Spec, shipped
from cellgen.diagnostics import SpecError
from cellgen.runtime.revision import REVISION
from tests.generated import STEPS, close, layer_class, sequences

STEMS = "lstm", "gru_stack"
SENTENCE = f"{{name}} needs recurrent_1.py of revision {REVISION} beside it: `cellgen build` writes it"
HEAD = re.compile(r"^import tensorflow as tf\n.*?^    raise ImportError[^\n]*\n", re.M | re.S)


@pytest.fixture(scope="module")
def built():
    """The files of a cell and of a stack."""
    return {stem: Spec.at(shipped() / f"{stem}.yaml").build(tests=False) for stem in STEMS}


def put(files, folder):
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")


PACKAGES = "cells", "old", "new"


@pytest.fixture
def fresh(monkeypatch):
    """Other tests' modules of these names are not there, and those of this test are gone after it."""
    ours = re.compile(rf"({'|'.join((*PACKAGES, *STEMS))}|recurrent_\d+)(\.|$)")
    for name in filter(ours.match, list(sys.modules)):
        monkeypatch.delitem(sys.modules, name)
    yield monkeypatch
    for name in filter(ours.match, list(sys.modules)):
        del sys.modules[name]


def imported(stem, folder, how, monkeypatch):
    """A module of a folder, which is a package or stands at the top of the path."""
    package = how == "package"
    monkeypatch.setattr(sys, "path", [str(folder.parent if package else folder), *sys.path])
    if not package:  # the tests' own is there too
        monkeypatch.setattr(sys, "path", [each for each in sys.path if not each.endswith("generated")])
    importlib.invalidate_caches()
    return importlib.import_module(f"{folder.name}.{stem}" if package else stem)


either_way = pytest.mark.parametrize("how", ["package", "top"])


def test_a_cell_and_a_stack_ask_for_it_in_the_same_lines(built):
    cell, stack = (HEAD.search(built[stem][f"{stem}.py"])[0].replace(stem, "it") for stem in STEMS)
    assert cell == stack


@either_way
@pytest.mark.parametrize("stem", STEMS)
def test_it_is_found_beside_the_cell(stem, how, built, tmp_path, fresh):
    put(built[stem], tmp_path / "cells")
    module = imported(stem, tmp_path / "cells", how, fresh)
    assert module.recurrent.__file__ == str(tmp_path / "cells" / "recurrent_1.py")


def absent(files):
    del files["recurrent_1.py"]


def of_another_number(files):
    files["recurrent_0.py"] = files.pop("recurrent_1.py")


def older(files):
    files["recurrent_1.py"] = files["recurrent_1.py"].replace(f"REVISION = {REVISION}", "REVISION = 0")


def older_than_revisions(files):
    files["recurrent_1.py"] = files["recurrent_1.py"].replace("def needs(", "def _(")


@either_way
@pytest.mark.parametrize("stem", STEMS)
@pytest.mark.parametrize("change", [absent, of_another_number, older, older_than_revisions])
def test_one_sentence_where_it_is_not_there_or_older(change, stem, how, built, tmp_path, fresh):
    files = dict(built[stem])
    change(files)
    put(files, tmp_path / "cells")
    with pytest.raises(ImportError, match=rf"^(\w+\.)?{re.escape(SENTENCE.format(name=stem))}$") as told:
        imported(stem, tmp_path / "cells", how, fresh)
    assert told.value.__suppress_context__


@either_way
@pytest.mark.parametrize(
    "line, error, sentence",
    [
        ("import not_there", ModuleNotFoundError, "No module named 'not_there'"),
        ("raise ImportError('inside')", ImportError, "inside"),
        ("from keras import not_there", ImportError, "cannot import name 'not_there' from 'keras'"),
        ("tf.not_there", AttributeError, "has no attribute 'not_there'"),
    ],
)
def test_what_is_missing_inside_of_it_is_told_as_it_is(line, error, sentence, how, built, tmp_path, fresh):
    files = dict(built["lstm"])
    files["recurrent_1.py"] = files["recurrent_1.py"].replace("\nREVISION = ", f"\n{line}\nREVISION = ")
    put(files, tmp_path / "cells")
    with pytest.raises(error, match=sentence):
        imported("lstm", tmp_path / "cells", how, fresh)


@pytest.mark.parametrize("line", ["options: {recurrent: true}", "dims: {recurrent: units}"])
def test_no_argument_of_a_layer_hides_it(line):
    spec = "cell: A\ninputs: {x: input}\nstate: {h: units}\nparams: {W: [input, units]}\n"
    with pytest.raises(SpecError, match="`recurrent` has a meaning in the generated code"):
        Spec.of(f"{spec}{line}\nequations: |\n  h = tanh(x @ W + h[t-1])\n").typed()


# --- two at once ----------------------------------------------------------------------------------------------------


@pytest.fixture
def next_number(monkeypatch):
    """Builds with the next number of what cells have in common, which says some things otherwise."""

    def build(stem):
        with monkeypatch.context() as patch:
            patch.setattr(sys.modules["cellgen.emit.runtime_file"], "RUNTIME", "recurrent_2")
            patch.setattr("cellgen.emit.RUNTIME", "recurrent_2")
            files = Spec.at(shipped() / f"{stem}.yaml").build(tests=False)
        assert sorted(files) == sorted([f"{stem}.py", "recurrent_2.py"])
        files["recurrent_2.py"] = files["recurrent_2.py"].replace(". Received: {value!r}", ". What came: {value!r}")
        return files

    return build


@either_way
def test_two_numbers_in_one_process(how, built, next_number, tmp_path, fresh):
    """Both layers run and learn, refuse in their own words, and come back from what was saved."""
    put(built["lstm"], tmp_path / "old")
    put(next_number("gru_stack"), tmp_path / "new")
    old = imported("lstm", tmp_path / "old", how, fresh)
    new = imported("gru_stack", tmp_path / "new", how, fresh)
    assert old.recurrent.__name__.endswith("recurrent_1") and new.recurrent.__name__.endswith("recurrent_2")
    for module, units, word in ((old, 0, "Received"), (new, [0], "What came")):
        with pytest.raises(ValueError, match=rf"`units` must be .*\. {word}: "):
            layer_class(module)(units)
    x = keras.Input([STEPS, 3])
    y = layer_class(new)([4, 3])(layer_class(old)(4, return_sequences=True)(x))
    model = keras.Model(x, y)
    model.compile("sgd", "mse", run_eagerly=how == "top")  # the other in a graph
    given = sequences().astype("float32")
    model.fit(given, np.zeros([len(given), 3]), verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert [type(layer) for layer in loaded.layers] == [type(layer) for layer in model.layers]
    close(loaded(given), model(given), 1e-6)


def test_one_cell_with_both(built, next_number, tmp_path, fresh):
    """The same cell, built before and after, in two packages."""
    put(built["lstm"], tmp_path / "old")
    put(next_number("lstm"), tmp_path / "new")
    layers = [imported("lstm", tmp_path / name, "package", fresh).LSTM(4) for name in ("old", "new")]
    assert type(layers[0]) is not type(layers[1])
    given = sequences().astype("float32")
    for layer in layers:
        layer.build(given.shape)
    layers[1].set_weights(layers[0].get_weights())
    close(layers[1](given), layers[0](given), 1e-6)
