"""Each shipped spec, read by the interpreter, against numpy written from the paper: `tests/oracles/<stem>.py`.

A module there has `shapes(input, units, **options)`, `step(params, state, x, **options)`; if its dims have other names,
`SIZES`, two choices of these and of the batch, and `shapes` is given them by name; and if there are options:
`ACTIVATIONS`, names of activations to try; `TRIED`, for numbers and for dims with a default of their own what to try,
the default (or None) first, where the tables here do not say it; `SILENT`, options that change no value of a step;
`SIZES` also where those here will not do.
"""

import importlib.util
import inspect
from itertools import product

import numpy as np
import pytest

from cellgen import interpret
from cellgen.compiler import Spec
from tests.checkout import CHECKOUT
from tests.shipped import in_turn

SPECS, ORACLES = CHECKOUT / "specs", CHECKOUT / "tests" / "oracles"
STACK = "\nstack:"  # the key of a spec that is no cell; test_hm_lstm_stack.py
STEMS = sorted(path.stem for path in SPECS.glob("*.yaml") if STACK not in path.read_text(encoding="utf-8"))
each_cell = pytest.mark.parametrize("stem", in_turn(STEMS))
SIZES = [{"input": 3, "units": 5, "batch": 4}, {"input": 5, "units": 3, "batch": 7}]
NUMBERS = {  # options: values that a default does not hide
    "forget_bias": (1.0, -0.7, 0.0),
    "epsilon": (1e-5, 0.3),
    "alpha": (0.95, 0.2),
    "slope": (1.0, 2.5),
    "cell_clip": (None, 0.15, 0.0),
    "proj_clip": (None, 0.1),
}
RATES = ("dropout", "recurrent_dropout", "weight_dropout", "candidate_dropout", "zoneout", "zoneout_h", "zoneout_c")
NUMBERS |= dict.fromkeys(RATES, (0.0, 0.3))
DIMS = {"proj": (None, 4, "units"), "upper": (None, 4), "context": (None, 6), "width": (None, 2)}


def paper(stem):
    """The module of the paper's equations."""
    spec = importlib.util.spec_from_file_location(f"oracles_{stem}", ORACLES / f"{stem}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def sizes_of(oracle):
    """The two sizes of an instance that are tried."""
    return getattr(oracle, "SIZES", SIZES)


def tried(oracle, name):
    """The values of a number or a dim: the default first, then others."""
    return getattr(oracle, "TRIED", {}).get(name) or NUMBERS.get(name) or DIMS[name]


def cases(cell, oracle):
    """What instances are given: every combination of what can be chosen; numbers and activations one at a time."""
    chosen, single = {}, []
    for option in cell.options:
        match option.kind:
            case "flag":
                chosen[option.name] = (True, False)
            case "word":
                chosen[option.name] = option.words
            case "maybe":
                chosen[option.name] = tried(oracle, option.name)
            case "activation":
                single += [{option.name: name} for name in getattr(oracle, "ACTIVATIONS", ())]
            case _:
                single += [{option.name: value} for value in tried(oracle, option.name)]
    for dim in cell.dims:
        if dim.kind not in ("inferred", "required", "quotient"):
            chosen[dim.name] = tried(oracle, dim.name)
    for given in (*(dict(zip(chosen, values)) for values in product(*chosen.values())), *single):
        yield {name: value for name, value in given.items() if value is not None}


def build(typed, oracle, given, sizes):
    """The instance, and the sizes and options under the paper's names; those of the weights are compared."""
    cell = typed.cell
    given = {name: sizes["units"] if value == "units" else value for name, value in given.items()}
    if "input" in sizes:
        dims = {dim.name: sizes["input"] for dim in cell.dims if dim.kind == "inferred"} | {"units": sizes["units"]}
        shapes = oracle.shapes(sizes["input"], sizes["units"], **_known(oracle.shapes, given))
    else:
        dims = {name: size for name, size in sizes.items() if name != "batch"}
        shapes = oracle.shapes(**dims, **_known(oracle.shapes, given))
    instance = interpret.Instance(typed, {**dims, **given})
    assert list(instance.weights.items()) == list(shapes.items())
    return instance, _known(oracle.step, given)


def _known(function, given):
    """What a function has arguments for; every option has one in `step`."""
    return {name: value for name, value in given.items() if name in inspect.signature(function).parameters}


def draw(instance, rng, batch, lead=()):
    """Weights; inputs with further leading axes; states. Binary values go through all their combinations by row."""
    cell, shape = instance.cell, instance.settings.shape
    binary = 0

    def array(each, lead):
        nonlocal binary
        if not each.binary:
            return rng.normal(size=(batch, *lead, *shape(each.shape)))
        full = (batch, *lead, *shape(each.shape))
        rows, binary = (np.arange(batch) >> binary) & 1, binary + 1
        if lead:
            return rng.integers(0, 2, full).astype(float)
        return np.broadcast_to(rows.reshape(batch, *[1] * (len(full) - 1)), full).astype(float)

    weights = {name: rng.normal(scale=0.6, size=shape) for name, shape in instance.weights.items()}
    ports = [port for port in cell.inputs if not port.optional or instance.settings.connected(port)]
    inputs = {port.name: array(port, lead) for port in ports}
    return weights, inputs, instance.State(*(array(state, ()) for state in cell.states))


def same(got, wanted, what):
    assert got.shape == np.shape(wanted), what
    np.testing.assert_allclose(got, wanted, rtol=1e-12, atol=1e-12, err_msg=what)


def by_paper(oracle, cell, weights, state, inputs, options):
    ports = [inputs.get(port.name) for port in cell.inputs]
    return oracle.step(weights, tuple(state), ports[0] if len(ports) == 1 else tuple(ports), **options)


def test_every_spec_has_an_oracle():
    assert STEMS and [stem for stem in STEMS if not (ORACLES / f"{stem}.py").is_file()] == []


@each_cell
def test_oracles_know_every_option(stem):
    cell, arguments = Spec.at(SPECS / f"{stem}.yaml").cell(laws=False), inspect.signature(paper(stem).step).parameters
    assert [option.name for option in cell.options if option.name not in arguments] == []
    for option in cell.options:
        default = option.default if isinstance(option.default, bool | str | None) else float(option.default)
        assert arguments[option.name].default == default


@each_cell
def test_one_step_is_the_papers(stem):
    typed, oracle = Spec.at(SPECS / f"{stem}.yaml").typed(), paper(stem)
    cell = typed.cell
    for sizes in sizes_of(oracle):
        for seed, given in enumerate(cases(cell, oracle)):
            instance, options = build(typed, oracle, given, sizes)
            weights, inputs, state = draw(instance, np.random.default_rng(seed), sizes["batch"])
            output, new = instance.step(weights, inputs, state)
            wanted, states = by_paper(oracle, cell, weights, state, inputs, options)
            same(output, wanted, f"{cell.name}({given}): output")
            assert len(new) == len(states)
            for name, got, each in zip(new._fields, new, states):
                same(got, each, f"{cell.name}({given}): {name}")


@each_cell
def test_many_steps_are_the_papers(stem):
    typed, oracle, steps = Spec.at(SPECS / f"{stem}.yaml").typed(), paper(stem), 6
    cell = typed.cell
    for seed, given in enumerate(cases(cell, oracle)):
        sizes = sizes_of(oracle)[seed % 2]
        instance, options = build(typed, oracle, given, sizes)
        weights, inputs, state = draw(instance, np.random.default_rng(seed), sizes["batch"], (steps,))
        initial = instance.initial_state(weights, sizes["batch"]) if seed % 3 == 0 else state
        outputs, states, final = instance.scan(weights, inputs, None if seed % 3 == 0 else state)
        now = tuple(initial)
        for t in range(steps):
            x = {name: array[:, t] for name, array in inputs.items()}
            output, now = by_paper(oracle, cell, weights, now, x, options)
            same(outputs[:, t], output, f"{cell.name}({given}): output at {t}")
            for name, history, each in zip(states._fields, states, now):
                same(history[:, t], each, f"{cell.name}({given}): {name} at {t}")
        for history, last in zip(states, final):
            assert np.array_equal(history[:, -1], last)


@each_cell
def test_each_option_that_changes_values_is_seen(stem):
    """Two oracles that both ignored an option would agree: it must change the weights or the values."""
    typed, oracle = Spec.at(SPECS / f"{stem}.yaml").typed(), paper(stem)
    for option in typed.cell.options:
        if option.name in getattr(oracle, "SILENT", ()):
            continue
        if option.name.endswith("dropout"):  # in training alone: test_noise.py
            continue
        others = {"flag": [not option.default], "word": option.words[1:], "activation": ["softsign"]}
        for value in others.get(option.kind) or tried(oracle, option.name)[1:]:
            given = {option.name: value}
            if option.name == "proj_clip":
                given["proj"] = 4
            found = []
            for settings in ({name: each for name, each in given.items() if name != option.name}, given):
                instance, _ = build(typed, oracle, settings, sizes_of(oracle)[0])
                weights, inputs, state = draw(instance, np.random.default_rng(8), 4)
                found.append((weights, instance.step(weights, inputs, state)))
            (before, (output, new)), (after, (other, changed)) = found
            apart = [not np.allclose(*pair) for pair in zip((output, *new), (other, *changed))]
            assert before.keys() != after.keys() or any(apart), given
