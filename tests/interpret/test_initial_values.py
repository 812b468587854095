"""What weights start from: the interpreter against definitions that are written here, and against Keras."""

import numpy as np
import pytest

from cellgen.compiler import Spec
from cellgen.interpret import Instance
from cellgen.interpret.initial_values import ELEMENTWISE, SYSTEMS, drawing
from cellgen.ir.initial_values import ARITHMETIC, FORMULAS, INITIALISERS

MANY = 400  # rows of what is drawn


def started(init, shape="[n]", seed=0, **given):
    """A weight that starts so; `n` and `m` are dims."""
    wide, apart = "m" in shape, "," in shape
    text = (
        f"cell: Cell\nstate: {{h: units}}\ndims: {{units: required, n: required{', m: required' * wide}}}\n"
        f"options: {{rate: 0.25, deep: true}}\nparams:\n  W: [input, units]\n  w: {{shape: {shape}, init: {init}}}\n"
        f"equations: |\n  h = rate * (x @ W) + h[t-1] * {'mean(mean(w))' if apart else 'mean(w)'} if deep else x @ W\n"
    )
    sizes = {"input": 2, "units": 3, "n": 4, **({"m": 5} if wide else {}), **given}
    return Instance(Spec.of(text).typed(), sizes).initial_weights(np.random.default_rng(seed))["w"]


@pytest.mark.parametrize(
    "init, wanted",
    [
        ("range(n)", [0, 1, 2, 3]),
        ("1 - 2 ** (-5 - range(n))", [1 - 2.0 ** -(5 + head) for head in range(4)]),
        ("log(range(n) + 1)", np.log([1, 2, 3, 4])),
        ("pi * range(n)", [0, np.pi, 2 * np.pi, 3 * np.pi]),
        ("n / pi * (n / (2 * range(n) + 1) - 1)", [4 / np.pi * (4 / (2 * k + 1) - 1) for k in range(4)]),
        ("mod(range(n), 2) + floor(range(n) / 2)", [0, 1, 1, 2]),
        ('"minimum(range(n), 1) - maximum(range(n), 2)"', [-2, -1, -1, -2]),
        ("rate if deep else 1", [0.25] * 4),
        ("0.5 * (rate if not deep else 1)", [0.5] * 4),
        ("-3", [-3] * 4),
        ("sqrt(square(abs(-range(n)))) * cos(0) + sin(0) + tanh(0) + exp(0)", [1, 2, 3, 4]),
        ("bernoulli(1) - bernoulli(0)", [1] * 4),
    ],
)
def test_a_formula_is_what_it_says(init, wanted):
    init = init if init.startswith('"') or "," not in init else f'"{init}"'
    np.testing.assert_allclose(started(init), wanted, rtol=0, atol=1e-15)


def test_values_broadcast_by_the_names_of_their_axes():
    rows, columns = np.arange(4)[:, None], np.arange(5)[None]
    np.testing.assert_array_equal(started("range(n)", "[n, m]"), rows + 0 * columns)
    np.testing.assert_array_equal(started("range(m)", "[n, m]"), 0 * rows + columns)
    np.testing.assert_array_equal(started("range(n) + zeros + range(m)", "[n, m]"), rows + columns)


def test_labels_start_from_each_other_in_any_order():
    text = (
        "cell: Cell\ngates: [i, f, o]\nstate: {h: units}\nparams:\n  W: [input, gates*units]\n"
        "  b: {shape: [gates*units], init: {i: -b.f, f: 'log(uniform(1, 9))', else: zeros}}\n"
        "  p: {shape: [units], init: 2 * b.f}\n"
        "equations: |\n  z = x @ W + b\n  h = sigmoid(z.f) * h[t-1] + sigmoid(z.i) * tanh(z.o + p)\n"
    )
    weights = Instance(Spec.of(text).typed(), {"input": 2, "units": 50}).initial_weights(np.random.default_rng(0))
    i, f, o = np.split(weights["b"], 3)
    np.testing.assert_array_equal([i, o, weights["p"]], [-f, 0 * f, 2 * f])
    assert 0 < f.min() < 0.6 and 1.8 < f.max() < np.log(9)


# --- linear systems -------------------------------------------------------------------------------------------------


def legendre(size, at):
    """The first Legendre polynomials, moved to [0, 1]."""
    return np.stack([np.polynomial.legendre.Legendre.basis(n)(2 * at - 1) for n in range(size)])


def test_hippo_legt_remembers_a_window():
    """What it holds are the coefficients of the last second in Legendre polynomials: the input comes out of them."""
    size, step = 12, 1e-3
    a, b = (started('"zoh(hippo_legt, 0.001)"', shape, n=size) for shape in ("[n, n]", "[n]"))
    times = np.arange(3000) * step
    signal, state = np.sin(3 * times) + 0.3 * np.cos(7 * times), np.zeros(size)
    for value in signal:
        state = a @ state + b * value
    ago = np.linspace(0.1, 0.9, 9)
    found = state @ legendre(size, ago)
    np.testing.assert_allclose(found, np.interp(times[-1] - ago, times, signal), atol=5e-3)


def test_hippo_legs_is_the_matrix_of_the_paper():
    a, b = (started("hippo_legs", shape) for shape in ("[n, n]", "[n]"))
    root = np.sqrt(2 * np.arange(4) + 1)
    wanted = -np.tril(np.outer(root, root), -1) - np.diag(np.arange(4) + 1.0)
    np.testing.assert_allclose(a, wanted)
    np.testing.assert_allclose(b, root)
    steps = np.linalg.eigvals(started('"bilinear(hippo_legs, 0.1)"', "[n, n]"))
    np.testing.assert_allclose(sorted(steps.real), sorted((1 - 0.05 * k) / (1 + 0.05 * k) for k in (1, 2, 3, 4)))


def test_steps_of_a_system_become_the_system_as_they_shrink():
    for name in SYSTEMS:
        a, b = (started(name, shape) for shape in ("[n, n]", "[n]"))
        for how in ("zoh", "bilinear"):
            moved, fed = (started(f'"{how}({name}, 0.00001)"', shape) for shape in ("[n, n]", "[n]"))
            np.testing.assert_allclose((moved - np.eye(4)) / 1e-5, a, rtol=1e-3, atol=1e-3)
            np.testing.assert_allclose(fed / 1e-5, b, rtol=1e-3, atol=1e-3)


def test_a_spectral_radius_is_that():
    w = started('"spectral_radius(uniform(-1, 1) * bernoulli(0.3), 0.9)"', "[n, n]", n=40)
    assert np.abs(np.linalg.eigvals(w)).max() == pytest.approx(0.9)
    assert 0.2 < np.mean(w != 0) < 0.4
    np.testing.assert_array_equal(started('"spectral_radius(zeros, 0.9)"', "[n, n]"), np.zeros((4, 4)))


# --- what Keras draws -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in INITIALISERS if name not in ("zeros", "ones", "identity")])
def test_it_is_drawn_as_keras_draws_it(name):
    """The same spread, and the same farthest value or so."""
    import keras

    shape = (MANY, 60)
    ours = drawing(np.random.default_rng(0))(name, (), shape)
    theirs = np.asarray(keras.initializers.get(name)(shape))
    assert ours.std() == pytest.approx(theirs.std(), rel=0.02)
    if "uniform" in name or "truncated" in name or "_normal" in name and "random" not in name:
        assert np.abs(ours).max() == pytest.approx(np.abs(theirs).max(), rel=0.02)
    if name == "orthogonal":
        np.testing.assert_allclose(ours.T @ ours, np.eye(60), atol=1e-12)


def test_the_tables_are_total():
    kinds = {name: each.kind for name, each in FORMULAS.items()}
    assert {*ELEMENTWISE} == {*ARITHMETIC, *(name for name, kind in kinds.items() if kind == "elementwise")}
    assert {*SYSTEMS} == {name for name, kind in kinds.items() if kind == "system"}
    draw = drawing(np.random.default_rng(0))
    for name in (name for name, kind in kinds.items() if kind == "drawn"):
        assert draw(name, (0.5,) * FORMULAS[name].arguments, (3, 3)).shape == (3, 3)
