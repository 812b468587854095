"""`cellgen demo`: the text, the figures, a training that goes on where it stopped, and the page."""

import json
import re
import signal
import subprocess
import sys
from collections import Counter
from html.parser import HTMLParser
from math import log2
from pathlib import Path

import pytest

from cellgen import cli, compiler
from cellgen.demo import boundaries
from cellgen.demo import checkpoint as checkpoints
from cellgen.demo import command as commandline
from cellgen.demo import corpus as texts
from cellgen.demo import run as stage
from cellgen.demo.chart import Level, Series, chart, ticks
from cellgen.demo.figures import Entry, Figures, Point, detectors, excerpt
from cellgen.demo.ngrams import ngrams
from cellgen.emit import rendering
from tests.checkout import CHECKOUT

TINY = "--seed", "0", "--units", "4", "--epochs", "3", "--characters", "5000"
STEPS, EPOCH = 9, 3  # of TINY, in the windows of `command`


@pytest.fixture(scope="module")
def manual():
    return texts.corpus()


# --- the text -------------------------------------------------------------------------------------------------------


def test_the_text_is_plain_and_split_without_loss(manual):
    text = manual.train + manual.valid + manual.test
    assert set(text) == set(texts.ALPHABET) and len(texts.ALPHABET) == 27
    assert 250_000 < len(text) == manual.characters < 350_000
    assert "  " not in text and text == text.strip()
    assert len(manual.valid) == pytest.approx(len(text) / 20, abs=1) == pytest.approx(len(manual.test), abs=1)
    assert manual == texts.corpus() and re.fullmatch("[0-9a-f]{64}", manual.sha256)
    assert "".join(texts.ALPHABET[each] for each in texts.symbols(manual.test)) == manual.test


def test_no_paragraph_is_read_twice(manual):
    lines = Counter((manual.train + manual.valid + manual.test)[at : at + 200] for at in range(0, 250_000, 200))
    assert max(lines.values()) == 1


def test_the_first_characters_are_a_text_too(manual):
    few = texts.corpus(1000)
    assert few.train + few.valid + few.test == manual.train[:1000]


def test_a_python_without_its_manual_is_told(monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)
    assert cli.main(["demo", "--out", str(tmp_path)]) == cli.USAGE
    assert "there is no text to read: this Python was installed without its manual" in capsys.readouterr().err


# --- counting -------------------------------------------------------------------------------------------------------


def test_ngrams_of_the_manual(manual):
    found = ngrams(manual.train, manual.test, texts.ALPHABET)
    assert found == pytest.approx((4.07, 3.31, 2.63, 2.00, 1.82, 1.85, 1.94), abs=0.05)


def test_ngrams_by_hand():
    """27 symbols; `a` twice, `b` once: two kinds. After `a` once `b`, one kind; after `b` once `a`."""
    a, b, c = ((count + 2 / 27) / (3 + 2) for count in (2, 1, 0))
    assert ngrams("aba", "ac", texts.ALPHABET, 0) == pytest.approx((-(log2(a) + log2(c)) / 2,))
    after_a = (0 + 1 * c) / (1 + 1)
    assert ngrams("aba", "ac", texts.ALPHABET, 1)[1] == pytest.approx(-(log2(a) + log2(after_a)) / 2)
    after_b = (0 + 1 * b) / (1 + 1)
    assert ngrams("aba", "bb", texts.ALPHABET, 1)[1] == pytest.approx(-(log2(b) + log2(after_b)) / 2)
    assert ngrams("aba", "cc", texts.ALPHABET, 1)[1] == pytest.approx(-log2(c)), "nothing was seen after c"


def test_ngrams_are_probabilities():
    train = "abracadabra"
    for context in ("", "a", "br", "zz"):
        rest = [2 ** -(ngrams(train, context + each, "abcdrz", 2)[2] * (len(context) + 1)) for each in "abcdrz"]
        before = 2 ** -(ngrams(train, context, "abcdrz", 2)[2] * len(context)) if context else 1
        assert sum(rest) == pytest.approx(before)


# --- boundaries -----------------------------------------------------------------------------------------------------


def test_f1_by_hand():
    text, fired = "to be or", [0, 0, 1, 1, 0, 0, 0, 1]  # one of two spaces, in three guesses
    assert boundaries.f1(fired, text) == pytest.approx(2 * (1 / 3) * (1 / 2) / (1 / 3 + 1 / 2))
    precision, recall = 2 / 8, 3 / 8  # the share of spaces; the share that fires
    assert boundaries.chance(fired, text) == pytest.approx(2 * precision * recall / (precision + recall))
    assert boundaries.rate(fired) == 3 / 8
    assert boundaries.where(fired, text) == {"space": 1 / 2, "first letter of a word": 1 / 3, "any other letter": 1 / 3}
    characters = boundaries.by_character(fired, text)
    assert characters == {" ": 1 / 2, "b": 1, "e": 0, "o": 0, "r": 1, "t": 0} and list(characters)[0] == " "


def test_who_finds_every_space_has_an_f1_of_one_and_who_never_fires_none():
    text = "to be or not"
    assert boundaries.f1([int(each == " ") for each in text], text) == 1
    assert boundaries.f1([0] * len(text), text) == boundaries.chance([0] * len(text), text) == 0
    assert boundaries.f1([0, 0], "ab") == 0


def test_marks_stand_above_their_characters():
    text = "to be or not"
    z1, z2 = [int(each == " ") for each in text], [int(at == 5) for at in range(len(text))]
    assert boundaries.plain(boundaries.lines(text, [z1, z2], 7)) == (
        "z2       |\n"
        "z1    |  |\n"
        "    to be o\n"
        "\n"
        "z2\n"
        "z1   |\n"
        "    r not"
    )  # fmt: skip


def test_operations_by_hand():
    """Layer 2 updates when layer 1 has fired, copies when it has not, and flushes after it has fired itself."""
    z1, z2 = [0, 1, 0, 1, 1, 0], [0, 0, 0, 1, 0, 0]
    one, two, top = boundaries.operations([z1, z2])
    assert (one.update, one.copy, one.flush) == (3, 0, 3)
    assert (two.update, two.copy, two.flush) == (2, 3, 1)
    assert (top.update, top.copy, top.flush) == (1, 5, 0)
    assert one.computed == 6 and two.computed == 3
    parts = [boundaries.operations([z1, z2], *part) for part in ((0, 2), (2, 5), (5, None))]
    assert sum(part[1].flush for part in parts) == 1 and sum(part[0].update for part in parts) == 3


# --- the page -------------------------------------------------------------------------------------------------------


def figures(text=" a text about < & > tokens" * 20, z1=None, z2=None, **rest):
    """Figures of a run that never was."""
    z1 = z1 or [int(each == " ") for each in text]
    z2 = z2 or [int(each == "t") for each in text]
    points = tuple(Point(step, 4 - step / 5, 4.1 - step / 5, (0.1 * step, 0.2)) for step in (1, 2, 3))
    entries = [
        Entry(name, title, 4, 300, 2.5, 3, 0.1, points)
        for name, title in (("a", "HM-LSTM"), ("b", "LSTM"), ("c", "LN"))
    ]
    found = {
        "machine": {"processor": "an abacus", "cores": "2", "tensorflow": "3"},
        "corpus": {"characters": 9, "train": 7, "valid": 1, "test": len(text), "sha256": "0123456789abcdef"},
        "settings": {
            "epochs": 1,
            "rows": 32,
            "window": 100,
            "rate": 0.002,
            "norm": 1.0,
            "seed": 0,
            "z on copy": "hold",
        },
        "epoch": 3,
        "steps": 3,
        "ngrams": (4.0, 3.0, 2.0, 2.1),
        "spaces": 0.2,
        "entries": tuple(entries),
        "detectors": detectors(text, [z1, z2]),
        "operations": boundaries.operations([z1, z2]),
        "excerpt": excerpt(text, [z1, z2]),
    }
    return Figures(**found | rest)


class Wellformed(HTMLParser):
    """Notes what is loaded, the texts of all `pre`, and tags that are not closed in their order."""

    EMPTY = {"meta", "path", "circle", "br", "link", "img"}

    def __init__(self, text):
        super().__init__()
        self.open, self.loads, self.passages = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.loads += [value for name, value in attrs if name in ("src", "href", "xlink:href", "data")]
        if tag not in self.EMPTY:
            self.open.append(tag)
        if tag == "pre":
            self.passages.append("")

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "pre" in self.open:
            self.passages[-1] += data


def test_the_page_is_whole_and_loads_nothing():
    from cellgen.demo.page import page

    html = page(figures())
    found = Wellformed(html)
    assert found.open == [] and found.loads == []
    assert not re.search(r"https?:|//[a-z]|@import|url\(|<script|<link", html)
    assert 'name="generator" content="cellgen demo"' in html[:4096]
    assert "prefers-color-scheme: dark" in html


def test_what_the_page_says_is_text():
    from cellgen.demo.page import page

    html = page(figures())
    assert "about &lt; &amp; &gt;" in re.sub(r"</?span[^>]*>", "", html)


def test_marks_and_text_stand_under_each_other_on_the_page():
    from cellgen.demo.page import page

    shown = figures().excerpt
    passages = Wellformed(page(figures())).passages
    rows = [passage.strip("\n").split("\n") for passage in passages]
    assert all(len(each) == 3 and each[0].startswith("z2  ") and each[1].startswith("z1  ") for each in rows)
    for layer, row in ((2, 0), (1, 1)):
        marks = "".join(each[row][4:] for each in rows)
        assert marks == "".join("|" if each else " " for each in shown.fired[layer - 1])
    assert all(each[2].startswith("    ") for each in rows)
    assert "".join(each[2][4:] for each in rows) == shown.text


def test_the_template_reads_what_the_view_has():
    from dataclasses import fields

    from cellgen.demo.page import PageView

    assert rendering.undeclared("demo.html.j2", compiler.templates()) == {field.name for field in fields(PageView)}


def test_the_picture_is_a_picture():
    from cellgen.demo.plot import plot

    picture = plot(figures())
    assert picture.startswith(b"\x89PNG") and b"cellgen demo" in picture[:4096]


@pytest.mark.parametrize(
    "fires, said",
    [(0, "z1 hardly fires, on 0.0% of the characters"), (1, "z1 fires on 100.0% of the characters: what it marks")],
)
def test_a_detector_that_tells_nothing_is_called_so(fires, said):
    from cellgen.demo.words import findings

    text = "some words to read " * 30
    found = findings(figures(text=text, z1=[fires] * len(text), z2=[int(each == "s") for each in text]))
    assert any(each.startswith(said) for each in found)


def test_who_is_behind_is_called_so():
    from dataclasses import replace

    from cellgen.demo.words import findings

    ours, *others = figures().entries
    worse = replace(ours, test=3.5)
    first, second, *_ = findings(figures(entries=(worse, replace(others[0], test=3.7), others[1])))
    assert first.endswith("the HM-LSTM is ahead of the LSTM and behind the LN.")
    assert second.startswith("It is better than counts after no characters of context (4.00)")
    _, second, *_ = findings(figures(entries=(replace(ours, test=4.5), *others)))
    assert second.startswith("It is not even as good as counts of single characters (4.00)")
    _, second, *_ = findings(figures(entries=(replace(ours, test=1.9), *others)))
    assert second.startswith("It is better than counts of n-grams ever are here")


def test_ticks_are_round_and_within():
    assert ticks(0, 166) == [0, 50, 100, 150]
    assert ticks(1.6, 4.9) == [2, 3, 4]
    assert ticks(0, 1) == [0, 0.2, 0.4, 0.6, 0.8, 1]


def test_curves_stay_in_their_box_and_names_of_levels_apart():
    found = chart(
        "", "", [Series("a", ((0, 9.0), (10, -9.0)))], [Level("x", 0.5), Level("y", 0.5), Level("z", 7)], 0, 1
    )
    left, right, top, bottom = found.box
    assert found.paths[0].d == f"M{left:.1f},{top:.1f}L{right:.1f},{bottom:.1f}"
    x, y = found.levels
    assert x.at == y.at and float(y.label_at) - float(x.label_at) >= 12


# --- checkpoints ----------------------------------------------------------------------------------------------------


def test_a_checkpoint_comes_back_as_it_was(tmp_path):
    import numpy as np

    arrays = {"lstm": {"weights": [np.float32([[1, 2]]), np.int64(3)], "state": []}}
    kept = checkpoints.Checkpoint({"units": 4}, 7, {"lstm": {"pending": [0.1 + 0.2]}}, arrays)
    checkpoints.save(tmp_path / "c.npz", kept)
    found = checkpoints.load(tmp_path / "c.npz")
    assert (found.settings, found.step, found.histories) == (kept.settings, 7, kept.histories)
    weights = found.arrays["lstm"]["weights"]
    assert found.arrays["lstm"]["state"] == [] and [each.dtype for each in weights] == ["float32", "int64"]
    np.testing.assert_array_equal(weights[0], [[1, 2]])
    assert list(tmp_path.iterdir()) == [tmp_path / "c.npz"]
    assert checkpoints.load(tmp_path / "none.npz") is None


@pytest.mark.parametrize("content", [b"", b"words", b"PK\x03\x04", b"\x93NUMPY\x01\x00"])
def test_another_file_is_no_checkpoint(content, tmp_path):
    (tmp_path / "c.npz").write_bytes(content)
    with pytest.raises(checkpoints.NoCheckpoint, match="is no checkpoint of `cellgen demo`"):
        checkpoints.load(tmp_path / "c.npz")


def test_a_checkpoint_cut_short_is_no_checkpoint(tmp_path):
    import numpy as np

    path = tmp_path / "c.npz"
    checkpoints.save(path, checkpoints.Checkpoint({}, 1, {}, {"a": {"w": [np.zeros(1000)]}}))
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(checkpoints.NoCheckpoint):
        checkpoints.load(path)


# --- the models -----------------------------------------------------------------------------------------------------


def test_the_units_that_come_nearest():
    from cellgen.demo.models import matched

    def weights(units):
        return 20 * units**2 + 147 * units + 27

    first = [weights(units) for units in (1, 2, 3)]
    assert matched(first, weights(17)) == matched(first, weights(17) + 1) == matched(first, weights(17) - 1) == 17
    assert matched(first, 0) == 1


def test_the_slope_is_annealed_to_five():
    from cellgen.demo.models import slope

    assert [slope(epoch) for epoch in (0, 1, 50, 100, 1000)] == [1, 1.04, 3, 5, 5]


def test_windows_join_and_cover_the_text(manual):
    from cellgen.demo.training import BATCH, WINDOW, is_point, windows

    found = windows(manual.train)
    rows = [texts.symbols(manual.train)[at:] for at in range(0, len(manual.train), len(manual.train) // BATCH)]
    assert all(each.shape == (BATCH, WINDOW + 1) for each in found)
    assert all(int(a[3, -1]) == int(b[3, 0]) for a, b in zip(found, found[1:]))
    assert found[1][2].numpy().tolist() == rows[2][WINDOW : 2 * WINDOW + 1]
    assert len(found) == (len(manual.train) // BATCH - 1) // WINDOW
    points = [step for step in range(1, 3 * len(found) + 1) if is_point(step, len(found))]
    assert len(points) == 5 + 5 + 2 and {len(found), 2 * len(found), 3 * len(found)} <= set(points)


def test_the_models_have_as_many_weights():
    from cellgen.demo.models import models, parameters

    found = models(units=96, symbols=27, seed=0, z_on_copy="hold")
    ours, *others = map(parameters, found.values())
    assert others == pytest.approx([ours, ours], rel=0.01)


# --- the command ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--units", "0"], "Invalid value for '--units'"),
        (["--units", "many"], "Invalid value for '--units'"),
        (["--epochs", "0"], "Invalid value for '--epochs'"),
        (["--seed", "-1"], "Invalid value for '--seed'"),
        (["--quick", "--epochs", "3"], "--quick is --epochs 3: give one of them"),
        (["--out", "file"], "is a file"),
        (["--out", "file/below"], "--out file/below: not a directory"),
        (["--out", "mine"], "was not written by `cellgen demo` and would be overwritten"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage_is_told_before_anything_runs(arguments, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(stage, "begin", lambda *_: pytest.fail("it began"))
    Path("file").write_text("a file")
    Path("mine").mkdir()
    Path("mine/index.html").write_text("<p>something else</p>")
    assert cli.main(["demo", *arguments]) == cli.USAGE
    assert said in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_told_before_anything_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(stage, "begin", lambda *_: pytest.fail("it began"))
    monkeypatch.setattr(commandline.os, "access", lambda *_: False)  # root may write anywhere
    assert cli.main(["demo", "--out", str(tmp_path / "out")]) == cli.USAGE
    assert "it cannot be written to" in capsys.readouterr().err


@pytest.fixture
def traced_once(monkeypatch):
    """Learners of equal models run what was traced for the first of them, on what they begin with themselves."""
    from cellgen.demo import training

    firsts = {}

    class Learner(training.Learner):
        def __init__(self, model):
            super().__init__(model)
            first = firsts.setdefault((type(model), model.short, model.units), self)
            training._assign(first.model.weights, model.weights)
            training._assign(first._optimizer.variables, self._optimizer.variables)
            self.model, self._optimizer = first.model, first._optimizer
            self._update, self._read = first._update, first._read

    monkeypatch.setattr(training, "Learner", Learner)


@pytest.fixture
def command(monkeypatch):
    """Runs the command on a small text in small windows, as graphs, with a checkpoint after every step.

    Stacks are of two layers, of which the upper detector never fires. A simple RNN stands in for the layer-normalised
    LSTM: plain stacks differ in the cell alone.
    """
    from cellgen.demo import models, training

    monkeypatch.setattr(models, "LAYERS", 2)
    simple = {"simple_rnn": ("SimpleRNN", "simple RNN", "RNN")}
    monkeypatch.setattr(models, "PLAIN", {"lstm": models.PLAIN["lstm"]} | simple)
    monkeypatch.setattr(training, "XLA", False)  # whose compilations would take most of the time
    monkeypatch.setattr(training, "BATCH", 64)
    monkeypatch.setattr(training, "WINDOW", 20)
    monkeypatch.setattr(training, "READ", 250)
    monkeypatch.setattr(stage, "EVERY", 0)
    return lambda out, *more: cli.main(["demo", *TINY, "--out", str(out), *more])


def results(out):
    """What must be the same, whatever happened in between."""
    found = json.loads((out / "demo.json").read_text())
    for entry in found["entries"]:
        del entry["seconds"]
    return found


@pytest.mark.usefixtures("traced_once")
def test_an_interrupted_training_goes_on_perhaps_for_longer_and_ends_the_same(tmp_path, monkeypatch, capsys, command):
    assert command(tmp_path / "whole") == cli.FINE
    out, err = capsys.readouterr()
    assert "text: 5,000 characters of 27 symbols" in err and f"step {STEPS} of {STEPS}" in err
    assert "z2" in out and "counts of n-grams" in out and "HM-LSTM" in out
    whole = results(tmp_path / "whole")
    assert whole["steps"] == whole["entries"][0]["points"][-1]["step"] == STEPS

    parts, save = tmp_path / "parts", stage.save

    def interrupt(path, checkpoint):
        if checkpoint.step == EPOCH + 2:  # in the midst of an epoch
            raise KeyboardInterrupt
        save(path, checkpoint)

    monkeypatch.setattr(stage, "save", interrupt)
    assert command(parts, "--epochs", "2") == cli.INTERRUPTED
    assert f"interrupted; the same command goes on after {EPOCH + 1} steps" in capsys.readouterr().err
    assert not (parts / "demo.json").exists()
    monkeypatch.setattr(stage, "save", save)
    assert command(parts) == cli.FINE
    assert f"going on after {EPOCH + 1} steps" in capsys.readouterr().err
    assert results(parts) == whole, "to the last digit"

    passages = "".join(Wellformed((parts / "index.html").read_text(encoding="utf-8")).passages)
    assert all(f"z{layer}  " in passages for layer in (1, 2))
    assert (parts / "demo.png").read_bytes().startswith(b"\x89PNG")
    assert {each.name for each in parts.iterdir()} == {"checkpoint.npz", "index.html", "demo.png", "demo.json"}


def checkpoint(folder, corpus, **others):
    """The checkpoint of a training that never was."""
    from cellgen.demo.models import NAMES, digest

    text = f"{corpus.characters} characters, {corpus.sha256[:12]}"
    same = {"units": 4, "seed": 0, "z on copy": "hold", "text": text, "generated code": digest(*NAMES)} | others
    checkpoints.save(folder / "checkpoint.npz", checkpoints.Checkpoint(same, STEPS, {}, {}))


@pytest.mark.parametrize(
    "more, others, apart",
    [
        (["--units", "5"], {}, "units 4, not 5"),
        (["--seed", "1"], {}, "seed 0, not 1"),
        (["--characters", "5500"], {}, "text 5000 characters"),
        (["--z-on-copy", "recompute"], {}, "z on copy hold, not recompute"),
        ([], {"generated code": "older"}, "generated code older, not "),
        (["--epochs", "2"], {}, f"has been trained for {STEPS} steps already, not {2 * EPOCH}: 3 epochs"),
    ],
    ids=["units", "seed", "text", "z", "code", "epochs"],
)
def test_a_training_of_other_settings_is_not_gone_on_from(more, others, apart, tmp_path, capsys, command):
    checkpoint(tmp_path, texts.corpus(5000), **others)
    before = (tmp_path / "checkpoint.npz").read_bytes()
    assert command(tmp_path, *more) == cli.USAGE
    err = capsys.readouterr().err
    assert apart in err and "Give another folder with --out, or start anew with --fresh." in err
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == {"checkpoint.npz": before}


def test_a_broken_checkpoint_is_told_and_fresh_begins_anew(tmp_path, capsys, monkeypatch, command):
    (tmp_path / "checkpoint.npz").write_bytes(b"broken")
    assert command(tmp_path) == cli.USAGE
    assert "checkpoint.npz is no checkpoint of `cellgen demo`" in capsys.readouterr().err
    monkeypatch.setattr(stage, "demo", lambda *arguments: pytest.fail(f"went on from {arguments[4]}"))
    with pytest.raises(pytest.fail.Exception, match="went on from None"):
        command(tmp_path, "--fresh")


@pytest.mark.full
def test_a_killed_training_goes_on_and_ends_the_same(tmp_path):
    """With XLA, in processes of their own; killed while a checkpoint is written."""
    program = (
        "import sys, os; from cellgen.bench import ENVIRONMENT; os.environ.update(ENVIRONMENT);"
        "from cellgen import cli; from cellgen.demo import run as demo; from cellgen.output import files;"
        "demo.EVERY = 0; replace, left = os.replace, int(sys.argv[1])\n"
        "def kill(*paths):\n"
        "    global left\n"
        "    left -= 1\n"
        "    os.kill(os.getpid(), 9) if not left else replace(*paths)\n"
        "files.os.replace = kill\n"
        "sys.exit(cli.main(sys.argv[2:]))"
    )

    def child(out, left):
        arguments = [
            sys.executable,
            "-c",
            program,
            str(left),
            "demo",
            *TINY,
            "--characters",
            "12000",
            "--out",
            str(out),
        ]
        return subprocess.run(arguments, cwd=CHECKOUT, capture_output=True, text=True, timeout=300)

    whole = child(tmp_path / "whole", 0)
    assert whole.returncode == 0, whole.stderr
    killed = child(tmp_path / "parts", 5)
    assert killed.returncode == -signal.SIGKILL
    assert len(list((tmp_path / "parts").iterdir())) == 2, "the checkpoint, and half of the next"
    again = child(tmp_path / "parts", 0)
    assert again.returncode == 0 and "going on after 4 steps" in again.stderr
    assert results(tmp_path / "parts") == results(tmp_path / "whole")
    assert again.stdout[again.stdout.index("z2") :] == whole.stdout[whole.stdout.index("z2") :]
    assert {each.name for each in (tmp_path / "parts").iterdir()} == {
        "checkpoint.npz",
        "index.html",
        "demo.png",
        "demo.json",
    }


@pytest.mark.full
def test_a_quick_run_passes_the_bigrams(tmp_path, monkeypatch):
    """And the page says so. Two to four minutes."""
    assert cli.main(["demo", "--quick", "--out", str(tmp_path)]) == cli.FINE
    found = json.loads((tmp_path / "demo.json").read_text())
    assert found["entries"][0]["test"] < found["ngrams"][1]
    assert [entry["parameters"] for entry in found["entries"]] == pytest.approx(
        [found["entries"][0]["parameters"]] * 3, rel=0.02
    )


def test_the_digest_is_of_what_all_cells_share_too(monkeypatch):
    from cellgen.demo import models

    before = models.digest(*models.NAMES)
    monkeypatch.setattr(models, "runtime_file", lambda: "another scan")
    assert models.digest(*models.NAMES) != before
