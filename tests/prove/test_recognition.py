"""Which cells are an LSTM or a GRU as cuDNN takes it, whatever their names and layouts; of the rest, what is told."""

import pytest

from cellgen.compiler import Spec
from cellgen.ir import Fused, Piece
from cellgen.prove import recognise
from tests.runtime.fused_cells import CELLS, GRU, LSTM
from tests.shipped import SHIPPED


def recognised(text):
    return recognise(Spec.of(text.lstrip()).typed())


def test_what_is_recognised_of_the_shipped_specs():
    kinds = {"lstm": "lstm", "lstmp": "lstm", "coupled_lstm": "lstm", "gru": "gru"}
    for stem in ("lstm", "lstmp", "coupled_lstm", "gru", "simple_rnn", "mingru", "ugrnn", "nas", "layer_norm_lstm"):
        found = recognise(Spec.at(stem).typed())
        assert (found.kind if isinstance(found, Fused) else None) == kinds.get(stem)
        assert isinstance(found, Fused) or found.why == ""


@pytest.mark.parametrize("name", CELLS)
def test_names_layouts_and_signs_do_not_matter(name):
    found = recognised(CELLS[name])
    assert isinstance(found, Fused) and found.kind == ("gru" if "gru" in name else "lstm")
    assert [gate.role for gate in found.gates] == list("zrh" if found.kind == "gru" else "ifco")


def test_whose_parts_are_whose():
    i, f, c, o = recognised(CELLS["lstm of many weights"]).gates
    assert (i.kernel, f.kernel) == (Piece("Wi", ()), Piece("Wf", (), negative=True, transposed=True))
    assert (i.recurrent, f.recurrent) == (Piece("U", ("i",)), Piece("U", ("f",)))
    assert f.biases == (Piece("b", ("f",)),) and f.added == 1
    assert o.biases == (Piece("b", ("o",)), Piece("d_o", (), negative=True))
    assert [each.name for each in (i, f, c, o)] == ["i", "f", "g", "o"]
    z, r, n = recognised(CELLS["gru with the other z"]).gates
    assert (z.name, z.kernel) == ("1 - z", Piece("w_ih", ("z",), negative=True))
    assert (n.inner, r.inner) == ((Piece("b_hh", ()),), ())


def test_it_is_one_where_options_make_it_one():
    found = recognise(Spec.at("lstmp").typed())
    assert found.choices == (("activation", "tanh"),) and found.states == ("h", "c")
    assert found.gates[1].options == (("forget_bias", False),)
    assert "use_peepholes" in str(found.test) and "proj" in str(found.test) and "cell_clip" in str(found.test)
    biased = recognise(Spec.at("lstm").typed())
    assert biased.test is None and biased.gates[0].biases == (Piece("bias", ("i",)),)  # also where there is none


@pytest.mark.parametrize(
    ("text", "change", "why"),
    [
        (LSTM, ("sigmoid(z.i)", "sigmoid(z.i + p * c[t-1])"), "the input gate reads `c[t-1]`"),
        (LSTM, ("sigmoid(z.o)", "sigmoid(z.o + c)"), "the output gate reads `c[t-1]`"),
        (LSTM, ("tanh(z.g)", "tanh(2 * z.g)"), "the candidate is more than a sum of two products and a bias"),
        (LSTM, ("sigmoid(z.f)", "sigmoid(0 * z.f + p)"), "the forget gate does not read the input"),
        (LSTM, ("sigmoid(z.f)", "sigmoid(z.f + x @ W)"), "the forget gate has two products of one"),
        (LSTM, ("sigmoid(z.f)", "sigmoid(z.f + tanh(h[t-1]) @ V)"), "the forget gate has a product of something else"),
        (LSTM, ("sigmoid(z.f)", "sigmoid(z.f + h[t-1])"), "the forget gate reads `h[t-1]`"),
        (LSTM, ("o * tanh(c)", "o * c"), ""),
        (LSTM, ("i * tanh(z.g)", "tanh(z.g) + 0 * i"), ""),
        (LSTM, ("f * c[t-1]", "f * f * c[t-1]"), ""),
        (LSTM, ("f * c[t-1] + i", "f * c[t-1] - i"), None),  # its candidate with its sign turned
        (LSTM, ("sigmoid(z.f)", "hard_sigmoid(z.f)"), ""),
        (LSTM, ("state:", "mask: {kind: reset, states: [h]}\nstate:"), ""),
        (GRU, ("r * b.n", "(r * h[t-1]) @ V"), "the reset gate stands before the product"),
        (GRU, ("r * b.n", "b.n + 0 * r"), ""),
        (GRU, ("a.n + r * b.n", "a.n + r * (b.n + x @ W)"), "the reset gate does not multiply the product"),
        (GRU, ("a.n + r * b.n", "a.n + r * (b.n + 1)"), "the reset gate does not multiply the product"),
        (GRU, ("a.n + r * b.n", "r * b.n"), "the candidate does not read the input"),
        (GRU, ("(1 - z) * n", "z * n"), ""),
        (GRU, ("+ z * h[t-1]", "+ z * h[t-1] + p"), ""),
    ],
)
def test_what_is_nearly_one_is_told_and_no_more(text, change, why):
    assert change[0] in text
    found = recognised(text.replace(*change))
    if why is None:
        assert isinstance(found, Fused) and found.gates[2].kernel.negative
    else:
        assert not isinstance(found, Fused) and found.why.startswith(why) and bool(found.why) == bool(why)


def test_stacks_and_what_drops_are_none():
    for stem in SHIPPED:
        spec = Spec.at(stem)
        if spec.is_stack:
            assert "_fused" not in spec.build()[f"{stem}.py"]
            break
    assert not isinstance(recognise(Spec.at("regularised_lstm").typed()), Fused)
