"""What runs on cuDNN, without a GPU: one is pretended, and so is the function of Keras's that calls it.

What stands in its place is held to `keras.layers.LSTM` and `GRU`; what it is asked is held to the scan, of cells whose
weights are laid out in every way that is recognised.
"""

import inspect
from random import Random

import numpy as np
import pytest
import tensorflow as tf

from cellgen import compile, runtime
from cellgen.runtime import fused
from cellgen.testing.fused import CALLED, FILLED_UP, pretended
from tests.runtime.fused_cells import CELLS

keras = tf.keras

BATCH, STEPS, INPUT, UNITS = 4, 5, 3, 4
SEQUENCES = {"return_sequences": True}
HOLES = np.array([[1, 1, 1, 1, 1], [0, 1, 0, 0, 1], [1, 1, 1, 0, 0], [1, 0, 0, 0, 0]], bool)
EMPTY = np.array([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [1, 1, 1, 0, 0], [0, 0, 0, 0, 0]], bool)


@pytest.fixture
def asked(monkeypatch):
    return pretended(runtime, monkeypatch)


@pytest.fixture(scope="module")
def lstm():
    return compile(path="lstm").LSTM


def made(cls, **arguments):
    keras.utils.set_random_seed(1)
    layer = cls(UNITS, **{"dtype": "float64", **arguments})
    layer.build((BATCH, STEPS, INPUT))
    for weight in layer.trainable_weights:
        weight.assign(np.random.normal(scale=0.5, size=weight.shape))
    return layer


def x(steps=STEPS, dtype="float64"):
    return np.random.default_rng(0).normal(size=[BATCH, steps, INPUT]).astype(dtype)


def slopes(run, values, weights):
    values = tf.constant(values)
    with tf.GradientTape() as tape:
        tape.watch(values)
        results = tf.nest.flatten(run(values))
        loss = tf.add_n([tf.reduce_sum(tf.sin(each)) for each in results])
    return [*results, *tape.gradient(loss, [values, *weights])]


def close(came, wanted, bound=1e-10):
    assert len(came) == len(wanted) > 0
    for one, other in zip(came, wanted):
        assert one.dtype == other.dtype
        np.testing.assert_allclose(one, other, rtol=bound, atol=bound)


def of_keras(kind, **arguments):
    cls = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}[kind]
    return made(cls, use_cudnn=False, **arguments)


# --- what stands in its place


@pytest.mark.parametrize("kind", CALLED)
@pytest.mark.parametrize("mask", [None, FILLED_UP], ids=["no mask", "mask"])
def test_it_computes_what_the_layers_of_keras_do(kind, mask):
    layer = of_keras(kind, return_sequences=True, return_state=True, zero_output_for_mask=True)
    weights = [weight.value for weight in layer.weights]
    zeros = tf.zeros([BATCH, UNITS], "float64")
    states = [zeros, zeros] if kind == "lstm" else [zeros]

    def run(values):
        names = dict(zip(("kernel", "recurrent_kernel", "bias"), weights))
        how = {"return_sequences": True, "activation": tf.tanh, "recurrent_activation": tf.sigmoid}
        last, outputs, state = CALLED[kind](values, *states, mask, **names, **how)
        assert (np.asarray(last) == np.asarray(state[0])).all()
        return [outputs, *state]

    wanted = slopes(lambda values: layer(values, mask=mask), x(), layer.trainable_weights)
    close(slopes(run, x(), weights), wanted)


@pytest.mark.parametrize("kind", CALLED)
def test_the_function_of_keras_takes_what_it_is_given(kind, monkeypatch):
    """Up to the call of cuDNN, which is caught; without a GPU it says that there is none."""
    rnn = inspect.getmodule(fused.implementation(kind))
    layer = made({"lstm": compile(path="lstm").LSTM, "gru": compile(path="gru").GRU}[kind], return_sequences=True)
    wanted = layer(x(), mask=FILLED_UP)
    monkeypatch.setattr(fused, "gpus", lambda: ["GPU:0"])
    close([layer(x(), mask=FILLED_UP)], [wanted])  # Keras looks for a GPU itself
    monkeypatch.setattr(rnn, "_is_gpu_available", lambda: True)
    names = ["inputs", *["h", "c"][: 2 if kind == "lstm" else 1]]
    names += ["kernel", "recurrent_kernel", "bias", "mask", "time_major", "go_backwards", "return_sequences"]
    caught = []

    def called(*given):
        caught.append(dict(zip(names, given, strict=True)))
        state = [caught[-1][name] for name in names[1 : 3 if kind == "lstm" else 2]]
        how = {name: caught[-1][name] for name in ("kernel", "recurrent_kernel", "bias", "return_sequences")}
        activations = {"activation": tf.tanh, "recurrent_activation": tf.sigmoid}
        return CALLED[kind](caught[-1]["inputs"], *state, caught[-1]["mask"], **how, **activations)

    monkeypatch.setattr(rnn, f"_cudnn_{kind}", called)
    close([layer(x(), mask=FILLED_UP)], [wanted])
    (found,) = caught
    assert (found["time_major"], found["go_backwards"], found["return_sequences"]) == (False, False, True)
    assert found["bias"].shape == ((4 * UNITS,) if kind == "lstm" else (2, 3 * UNITS))


@pytest.mark.parametrize(
    ("stem", "name"), [("lstm", "LSTM"), ("gru", "GRU"), ("lstmp", "LSTMP"), ("coupled_lstm", "CoupledLSTM")]
)
def test_the_weights_are_those_of_a_layer_of_keras(stem, name):
    """Which computes the same with them, gradients included."""
    arguments = {"use_peepholes": False} if stem == "coupled_lstm" else {}
    layer = made(getattr(compile(path=stem), name), return_sequences=True, **arguments)
    plan = layer.scan.fused
    theirs = of_keras(plan.kind, return_sequences=True)
    with tf.GradientTape() as tape:
        mapped = plan.weights(**layer.cell._arguments(runtime.constructors.parameters(plan.weights)))
    for weight, value in zip(theirs.weights, mapped, strict=True):
        weight.assign(value)
    ours = slopes(layer, x(), layer.trainable_weights)
    output, d_x, *d_theirs = slopes(theirs, x(), theirs.trainable_weights)
    close(ours[:2], [output, d_x])
    close(ours[2:], tape.gradient(mapped, layer.trainable_weights, output_gradients=d_theirs))


# --- every layout


@pytest.mark.parametrize("name", CELLS)
def test_every_layout_is_what_the_scan_runs(name, asked):
    text = CELLS[name].lstrip()
    built = compile(text=text)
    cls = getattr(built, text.split()[1])
    choices = [{}]
    if "options" in text:
        choices += [{"use_bias": False}, {"two": True, "forget": 1.5}, {"use_bias": False, "two": True}]
    for arguments in choices:
        given = {"return_sequences": True, "return_state": True, **arguments}
        fast, slow = (made(cls, use_cudnn=use, **given) for use in (True, False))
        for mask in (None, FILLED_UP):
            asked.clear()
            came = slopes(lambda values: fast(values, mask=mask), x(), fast.trainable_weights)  # noqa: B023
            assert asked == ["gru" if "gru" in name else "lstm"]
            close(came, slopes(lambda values: slow(values, mask=mask), x(), slow.trainable_weights))  # noqa: B023


def test_options_that_make_it_another_cell(asked):
    built = compile(text=CELLS["lstm with options"].lstrip())
    layer = made(built.Optional, inner="relu")
    layer(x())
    assert asked == [] and layer.supports_jit
    with pytest.raises(ValueError, match="with these options it is no keras.layers.LSTM"):
        made(built.Optional, inner="relu", use_cudnn=True)(x())


# --- what decides


def test_without_a_gpu_the_scan_runs(lstm):
    layer = made(lstm)
    assert not fused.gpus() and layer.supports_jit
    layer(x())
    with pytest.raises(ValueError, match='`use_cudnn` must be "auto" or False: there is no GPU'):
        made(lstm, use_cudnn=True)(x())


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"return_all_states": True}, "return_all_states asks"),
        ({"return_gates": True}, "return_gates asks"),
        ({"unroll": True}, "unroll asks"),
        ({"debug": True}, "debug asks"),
        ({"memory": "low"}, "memory='low'"),
        ({"jit_compile": True}, "jit_compile=True"),
        ({"dtype": "bfloat16"}, "not tried in bfloat16"),
        ({"activation": "relu"}, "no keras.layers.LSTM"),
        ({"recurrent_activation": "hard_sigmoid"}, "no keras.layers.LSTM"),
        ({"use_cudnn": False}, None),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_asks_for_the_scan(lstm, asked, arguments, why):
    layer = made(lstm, **arguments)
    layer(x(dtype="float32") if "dtype" in arguments else x())
    assert asked == [] and layer.supports_jit
    if why:
        with pytest.raises(ValueError, match=why):
            made(lstm, use_cudnn=True, **arguments)(x(dtype="float32") if "dtype" in arguments else x())


@pytest.mark.parametrize(
    ("how", "runs"),
    [
        ({}, True),
        ({"mask": FILLED_UP}, True),
        ({"lengths": FILLED_UP.sum(1)}, True),
        ({"mask": HOLES}, False),
        ({"mask": EMPTY}, False),
        ({"mask": FILLED_UP[:, ::-1]}, False),
    ],
    ids=["none", "filled up", "lengths", "holes", "an empty one", "at the beginning"],
)
def test_masks_that_it_takes(lstm, asked, how, runs, **told):
    fast, slow = (made(lstm, return_state=True, use_cudnn=use, **{**SEQUENCES, **told}) for use in ("auto", False))
    came = slopes(lambda values: fast(values, **how), x(), fast.trainable_weights)
    assert bool(asked) is runs
    close(came, slopes(lambda values: slow(values, **how), x(), slow.trainable_weights))


@pytest.mark.parametrize("told", [{"return_sequences": False}, {"zero_output_for_mask": True}])
def test_what_is_told_under_a_mask(lstm, asked, told):
    test_masks_that_it_takes(lstm, asked, {"mask": FILLED_UP}, True, **told)


@pytest.mark.parametrize("arguments", [{"go_backwards": True}, {"time_major": True}, {"stateful": True}])
def test_other_ways_of_a_layer(lstm, asked, arguments):
    fast, slow = (made(lstm, return_sequences=True, use_cudnn=use, **arguments) for use in ("auto", False))
    values = x().swapaxes(0, 1) if "time_major" in arguments else x()
    for _ in range(2):
        close([fast(values)], [slow(values)])
    assert asked == ["lstm"] * 2
    if "go_backwards" in arguments:
        close([fast(values, mask=FILLED_UP)], [slow(values, mask=FILLED_UP)])
        assert asked == ["lstm"] * 2


def test_one_graph_for_every_length_and_mask(lstm, asked, monkeypatch):
    """Which of the two runs is known when it does. The loop of what stands in its place wants a known length."""
    taken = []

    def run(sequences, h, c, mask, **given):
        taken.append(given["kernel"].shape)
        outputs = tf.zeros([tf.shape(sequences)[0], tf.shape(sequences)[1], UNITS], "float64")
        return h, outputs - 7, [h - 7, c - 7]

    monkeypatch.setattr(fused, "implementation", lambda kind: run)
    fast, slow = (made(lstm, return_sequences=True, return_state=True, use_cudnn=use) for use in ("auto", False))
    shapes = tf.TensorSpec([None, None, INPUT], "float64"), tf.TensorSpec([None, None], "bool")
    graph = tf.function(lambda values, mask: fast(values, mask=mask), input_signature=shapes)
    came = graph(x(), HOLES)
    close(came, slow(x(), mask=HOLES))
    assert [each.shape for each in graph(x(7), np.ones([BATCH, 7], bool))] == [(BATCH, 7, UNITS), *[(BATCH, UNITS)] * 2]
    assert (np.asarray(graph(x(7), np.ones([BATCH, 7], bool))[0]) == -7).all()
    assert taken == [(INPUT, 4 * UNITS)]
    unmasked = tf.function(fast, input_signature=shapes[:1])
    assert (np.asarray(unmasked(x())[0]) == -7).all()
    close(unmasked(x(0)), slow(x(0)))


def test_in_half_precision_it_gets_halves(lstm, asked):
    layer = made(lstm, dtype="mixed_float16")
    assert layer(x(dtype="float32")).dtype == "float16" and asked == ["lstm"]
    close([layer(x(dtype="float32"))], [made(lstm, dtype="mixed_float16", use_cudnn=False)(x(dtype="float32"))], 2e-2)


def test_a_model_that_keras_compiles_leaves_it_to_itself(lstm, asked):
    layer = made(lstm, dtype="float32")
    assert not layer.supports_jit
    model = keras.Sequential([layer, keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    assert not model.jit_compile
    model.fit(x(dtype="float32"), np.ones([BATCH, 1]), verbose=0)
    assert asked


def test_the_argument_is_saved_and_checked(lstm):
    for use in ("auto", True, False):
        layer = lstm(UNITS, use_cudnn=use)
        assert lstm.from_config(layer.get_config()).use_cudnn is use
    with pytest.raises(ValueError, match='`use_cudnn` must be "auto", True or False'):
        lstm(UNITS, use_cudnn="yes")
    plain = compile(path="simple_rnn").SimpleRNN
    assert "use_cudnn" not in plain(UNITS, use_cudnn="auto").get_config()
    with pytest.raises(ValueError, match="it does not run on cuDNN"):
        plain(UNITS, use_cudnn=True)


# --- layouts by chance


def by_chance(rng: Random) -> str:
    """An LSTM or a GRU: its gates in any order, each weight packed or one a gate, biases of both products, of one or of
    none, gates written as 1 minus others, with the signs that this asks for.
    """
    lstm = rng.random() < 0.5
    roles = list("ifco" if lstm else "zrn")
    labels = rng.sample(roles, len(roles))
    packed, signs = {}, {role: rng.choice(("", "-")) if role not in "cn" else "" for role in roles}
    params = {}
    for name, rows in (("K", "input"), ("R", "units"), ("b", ""), ("d", "")):
        if name in "bd" and rng.random() < 0.4:
            continue
        shape = [rows] if rows else []
        packed[name] = form = rng.choice(("packed", "first", "last", "each"))
        if form == "each":
            params |= {f"{name}_{role}": [*shape, "units"] for role in roles}
        else:
            own = {
                "packed": [*shape, "gates*units"],
                "first": ["gates", *shape, "units"],
                "last": [*shape, "units*gates"],
            }
            params[name] = own[form]

    def of(name: str, role: str) -> str:
        return f"{name}_{role}" if packed[name] == "each" else f"{name}.{role}"

    def under(role: str) -> str:
        inner = [f"h[t-1] @ {of('R', role)}", *([of("d", role)] if "d" in packed else [])]
        outer = [f"x @ {of('K', role)}", *([of("b", role)] if "b" in packed else [])]
        if role == "n":
            return " + ".join([*outer, f"r * ({' + '.join(inner)})"])
        terms = rng.sample([*outer, *inner], len(outer) + len(inner))
        return f"-({' + '.join(terms)})" if signs[role] else " + ".join(terms)

    lines = [f"{role} = {'tanh' if role in 'cn' else 'sigmoid'}({under(role)})" for role in roles if role != "c"]
    lines = [
        f"{line.replace(' = ', ' = 1 - ', 1)}" if line[0] not in "n" and rng.random() < 0.3 else line for line in lines
    ]
    if lstm:
        lines += [f"g = tanh({under('c')})", "m = f * m[t-1] + i * g", "h = o * tanh(m)"]
    else:
        lines.append(
            rng.choice(("h = z * h[t-1] + (1 - z) * n", "h = n + z * (h[t-1] - n)", "h = (1 - z) * h[t-1] + z * n"))
        )
    state = "{m: units, h: units}" if lstm else "{h: units}"
    head = (
        ["cell: Chance", f"gates: [{', '.join(labels)}]"]
        if any(f != "each" for f in packed.values())
        else ["cell: Chance"]
    )
    weights = [f"  {name}: [{', '.join(shape)}]" for name, shape in params.items()]
    return (
        "\n".join(
            [
                *head,
                f"state: {state}",
                "output: h",
                "params:",
                *weights,
                "equations: |",
                *(f"  {line}" for line in lines),
            ]
        )
        + "\n"
    )


@pytest.mark.parametrize("seed", [*range(4), *(pytest.param(n, marks=pytest.mark.full) for n in range(4, 60))])
def test_layouts_by_chance(seed, asked):
    text = by_chance(Random(seed))
    fast, slow = (made(compile(text=text).Chance, **SEQUENCES, use_cudnn=use) for use in (True, False))
    wanted = slopes(lambda values: slow(values, mask=FILLED_UP), x(), slow.trainable_weights)
    close(slopes(lambda values: fast(values, mask=FILLED_UP), x(), fast.trainable_weights), wanted)
    assert asked == ["lstm" if "m[t-1]" in text else "gru"]
