"""What generated cells and layers inherit: arguments, states, inputs, masks, noise, against steps one by one."""

import re
from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.runtime.classes import Leaky, LeakyCell, ReadTower, Resetting, Tower
from tests.runtime.leaky import BATCH, UNITS, WIDTH
from tests.runtime.test_scan import close

TIME = 7
RNG = np.random.default_rng(0)
X, P = RNG.normal(size=(BATCH, TIME, WIDTH)), RNG.normal(size=(BATCH, UNITS))
MASK = RNG.random((BATCH, TIME)) < 0.6
MASK[0] = False
EVERYTHING = {"return_sequences": True, "return_state": True, "return_all_states": True}
MADE = {  # a layer, its inputs, its arguments, what it returns of all steps
    "leaky": (Leaky, {"x": X, "p": P}, {"units": UNITS}, EVERYTHING),
    "resetting": (Resetting, X, {"units": UNITS}, {**EVERYTHING, "return_gates": True}),
    "tower": (Tower, X, {"depth": 3}, {**EVERYTHING, "return_gates": True}),
    "read tower": (ReadTower, X, {"depth": 2}, {**EVERYTHING, "return_gates": True}),
}
each_layer = pytest.mark.parametrize("name", MADE)


def refused(sentence):
    return pytest.raises(ValueError, match=f"^{re.escape(sentence)}")


def made(name, **arguments):
    layer, x, sizes, everything = MADE[name]
    layer = layer(**sizes, **{"dtype": "float64", **everything, **arguments})
    layer.build(tf.nest.map_structure(np.shape, x))
    rng = np.random.default_rng(1)
    layer.set_weights([rng.normal(scale=0.5, size=np.shape(each)) for each in layer.get_weights()])
    return layer, x


def learned(layer, x, **arguments):
    """What a layer gives and its gradients by inputs and weights."""
    x = tf.nest.map_structure(tf.constant, x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        results = tf.nest.flatten(layer(x, **arguments))
        loss = tf.add_n([tf.reduce_sum(tf.sin((2 + place) * each)) for place, each in enumerate(results)])
    sources = [*tf.nest.flatten(x), *layer.trainable_weights]
    return results, tape.gradient(loss, sources, unconnected_gradients="zero")


@each_layer
@pytest.mark.parametrize("how", [{}, {"mask": MASK}, {"lengths": [7, 3, 0, 5]}], ids=["all", "mask", "lengths"])
def test_the_scan_is_the_steps_one_by_one(name, how):
    """Whose derivatives are TensorFlow's; `debug` runs them so."""
    layer, x = made(name)
    other, _ = made(name, **({"debug": True} if name != "resetting" else {"unroll": True}))
    other.set_weights(layer.get_weights())
    close(learned(layer, x, **how), learned(other, x, **how))


@each_layer
def test_kerass_own_loop_gives_the_same(name):
    """The cell by itself, a step at a time; and what is said about shapes is so."""
    layer, x = made(name)
    cell, outputs = layer.cell, []
    state = layer.get_initial_state(BATCH)
    for t in range(TIME):
        here = {"x": X[:, t], "p": P} if isinstance(x, dict) else X[:, t]
        output, state = cell(tf.nest.map_structure(tf.constant, here), state)
        outputs.append(output)
    came = layer(tf.nest.map_structure(tf.constant, x))
    close([came[0], *came[1 : 1 + len(cell.state_sizes)]], [np.stack(outputs, 1), *tf.nest.flatten(state)])
    shapes = layer.compute_output_shape(tf.nest.map_structure(np.shape, x))
    wanted = [tuple(each.shape) for each in tf.nest.flatten(came)]
    assert tf.nest.flatten(shapes) == [size for shape in wanted for size in shape]


@each_layer
def test_time_in_front_and_backwards(name):
    layer, x = made(name)
    plain = layer(tf.nest.map_structure(tf.constant, x), mask=MASK)

    def turned(values):
        return tf.nest.map_structure(lambda v: np.swapaxes(v, 0, 1) if v.ndim > 2 else v, values)

    other, _ = made(name, time_major=True)
    other.set_weights(layer.get_weights())
    came = other(turned(x), mask=MASK.T)
    close(turned(tf.nest.map_structure(np.asarray, came)), tf.nest.map_structure(np.asarray, plain))
    back, _ = made(name, go_backwards=True)
    back.set_weights(layer.get_weights())
    flipped = tf.nest.map_structure(lambda v: v[:, ::-1] if v.ndim > 2 else v, x)
    close(back(flipped, mask=MASK[:, ::-1]), plain)
    np.testing.assert_array_equal(tf.nest.flatten(back.compute_mask(x, tf.constant(MASK)))[0], MASK[:, ::-1])


LOW = {"memory": "low", "unroll": 2}
ZERO = {"zero_output_for_mask": True}


@pytest.mark.parametrize(
    "name, arguments",
    [("leaky", LOW), ("leaky", ZERO), ("read tower", LOW), ("read tower", ZERO)],
    ids=str,
)
def test_ways_to_run(name, arguments):
    """By XLA: every cell's own tests (`testing.every_way`)."""
    layer, x = made(name, **arguments)
    other, _ = made(name, debug=True, **{k: v for k, v in arguments.items() if k.startswith("zero")})
    other.set_weights(layer.get_weights())
    close(learned(layer, x, mask=MASK), learned(other, x, mask=MASK))


def test_which_way_is_taken():
    layer, _ = made("tower")
    scan, size = layer.scan, tf.constant(3)

    def way(*given):
        found = layer._way(*given)
        if found == scan.unrolled:
            return "unrolled"
        return found.func.__name__, found.keywords["way"].__name__, found.keywords["keep"]

    assert way(4, 3, True, None) == "unrolled" and way(4, 9, False, None) == ("run", "inline", True)
    assert way(4, 64, True, None) == ("in_bucket", "by_xla", True)
    assert way(1024, 64, False, None) == ("run", "in_graph", False)
    assert way(size, 64, True, None) == ("in_bucket", "by_xla", True)
    assert way(size, 64, False, None) == ("run", "in_graph", False)


def test_what_xla_is_never_taken_for(monkeypatch):
    """As of pictures: where it is not asked for."""
    layer, _ = made("tower")
    monkeypatch.setattr(type(layer.cell), "scan", replace(layer.scan, batch=0))
    for size in (1, tf.constant(3)):
        assert layer._way(size, 64, True, None).keywords["way"].__name__ == "in_graph"
    layer.jit_compile = True
    assert layer._way(1, 64, True, None).keywords["way"].__name__ == "by_xla"


def test_ragged_sequences():
    layer, x = made("tower")
    lengths = [7, 2, 0, 5]
    ragged = tf.RaggedTensor.from_tensor(X, lengths)
    outputs, *states = layer(ragged)[:4]
    wanted, *last = layer(tf.constant(X), lengths=lengths)[:4]
    close([each for row in outputs for each in row], [wanted[b, t] for b in range(BATCH) for t in range(lengths[b])])
    close(states, last)
    with refused("`lengths` must be None: ragged sequences have their own. Received: "):
        layer(ragged, lengths=[1, 2, 3, 4])
    sentence = "`sequences` must be all of one length: a masked step runs in Resetting. Received: 'ragged ones'"
    with refused(sentence):
        made("resetting")[0](ragged)
    back, _ = made("tower", go_backwards=True)
    assert back(ragged)[0].row_lengths().numpy().tolist() == lengths


def test_a_stateful_layer():
    layer, x = made("tower", stateful=True)
    whole, _ = made("tower")
    whole.set_weights(layer.get_weights())
    layer.reset_state()
    parts = [layer(tf.constant(X[:, :3]))[0], layer(tf.constant(X[:, 3:]))[0]]
    close(np.concatenate(parts, 1), whole(tf.constant(X))[0])
    layer.reset_state()
    close(layer(tf.constant(X[:, :3]))[0], parts[0])


# --- arguments, files -----------------------------------------------------------------------------------------------


@each_layer
def test_a_layer_comes_back_from_its_config(name):
    layer, x = made(name, unroll=2, memory="low")
    other = type(layer).from_config(layer.get_config())
    assert other.get_config() == layer.get_config()
    other.build(tf.nest.map_structure(np.shape, x))
    other.set_weights(layer.get_weights())
    given = tf.nest.map_structure(tf.constant, x)
    close(other(given), layer(given))
    cell = type(layer.cell).from_config(layer.cell.get_config())
    assert cell.get_config() == layer.cell.get_config()


def test_what_a_layer_has_of_its_cell():
    layer, _ = made("resetting")
    assert layer.units == UNITS and layer.activation is keras.activations.tanh
    assert isinstance(layer.W_initializer, keras.initializers.GlorotUniform)
    with pytest.raises(AttributeError, match="'Resetting' object has no attribute 'nothing'"):
        _ = layer.nothing


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        ({"unroll": -1}, "`unroll` must be True, False or a number of steps. Received: -1"),
        ({"jit_compile": "no"}, "`jit_compile` must be \"auto\", True or False. Received: 'no'"),
        ({"memory": "high"}, '`memory` must be "normal" or "low". Received: \'high\''),
        ({"dropout": 0.5}, "`dropout` must be 0, for it drops nothing."),
    ],
)
def test_arguments_of_a_layer_that_are_refused(arguments, sentence):
    with refused(sentence):
        Tower(2, **arguments)


CALLS = [
    ("tower", {"mask": MASK[..., None]}, "`mask` must be of shape (batch, time). Received: (4, 7, 1)"),
    ("tower", {"mask": MASK[:, :3]}, "`mask` must be of shape (batch, time), (4, 7) here. Received: (4, 3)"),
    ("tower", {"lengths": [1.0] * 4}, "`lengths` must be integers. Received: 'float64'"),
    ("tower", {"lengths": [9] * 4}, "`lengths` must be from 0 to 7, the number of steps. Received: 9 to 9"),
    ("tower", {"initial_state": [np.zeros((1, 3))] * 3}, "`initial_state` must be of 4 samples. Received: (1, 3)"),
    (
        "tower",
        {"initial_state": [np.zeros((4, 3))]},
        "`state` must be of 3 layers, h of each, with sizes [3, 3, 3]. Received: [(4, 3)]",
    ),
    (
        "leaky",
        {"initial_state": [np.zeros((4, 3))]},
        "`state` must be h (batch, 3), c (batch, 3). Received: [(4, 3)]",
    ),
]


@pytest.mark.parametrize("name, arguments, sentence", CALLS)
def test_what_is_refused_in_a_call(name, arguments, sentence):
    layer, x = made(name)
    with pytest.raises(ValueError, match=re.escape(sentence)):
        layer(tf.nest.map_structure(tf.constant, x), **arguments)


@pytest.mark.parametrize(
    "inputs, sentence",
    [
        ({"x": X}, "`p` must be given. Received: ['x']"),
        ({"x": X, "p": P[:1]}, "`p` must be of (4,) samples, as x is. Received: (1, 3)"),
        ({"x": X, "p": P[0]}, "`p` must be of 2 axes. Received: (3,)"),
        ({"x": X, "p": np.zeros((BATCH, 9))}, "`p` must be as wide as when the cell was built. Received: (4, 9)"),
        ({"x": X, "p": P.astype(int)}, "`p` must be of a floating dtype"),
    ],
)
def test_inputs_that_are_refused(inputs, sentence):
    layer, _ = made("leaky")
    with pytest.raises(ValueError, match=re.escape(sentence)):
        layer.call(tf.nest.map_structure(tf.constant, inputs))


def test_debug_and_unroll_need_to_know():
    layer, _ = made("tower", debug=True)
    with pytest.raises(ValueError, match="debug=True needs eager mode"):
        tf.function(lambda x: layer(x), autograph=False)(tf.constant(X))
    layer, _ = made("tower", unroll=True)
    run = tf.function(
        lambda x: layer(x), input_signature=[tf.TensorSpec([BATCH, None, WIDTH], tf.float64)], autograph=False
    )
    with pytest.raises(ValueError, match="`sequences` must be of known length for unroll=True"):
        run(tf.constant(X))


# --- states ---------------------------------------------------------------------------------------------------------


def test_initial_states():
    layer, _ = made("resetting")
    start = layer.cell.start.value
    close(layer.cell.get_initial_state(batch_size=2), np.repeat(start[None], 2, 0))
    close(layer.cell.zero_state(2, "float64"), np.repeat(start[None], 2, 0))
    close(layer.cell.get_initial_state(inputs=tf.zeros([3, 2])), np.repeat(start[None], 3, 0))
    with refused("`batch_size` must be given, or `inputs`. Received: None"):
        layer.cell.get_initial_state()
    close(made("tower")[0].cell.get_initial_state(batch_size=2), [np.full((2, UNITS), 0.5)] * 3)
    with pytest.raises(ValueError, match="An initial state is a weight here: build the cell"):
        type(layer.cell)(3).get_initial_state(batch_size=2)
    cell = made("leaky")[0].cell
    assert type(cell.zero_state(2, "float64")) is cell.scan.state
    assert cell.state_size == cell.scan.state(UNITS, UNITS) and layer.cell.state_size == UNITS


def test_states_side_by_side():
    """In one tensor, as TensorFlow 1 has them."""
    cell, other = LeakyCell(UNITS, state_is_tuple=False, dtype="float64"), made("leaky")[0].cell
    inputs = {"x": tf.constant(X[:, 0]), "p": tf.constant(P)}
    cell.build({"x": (BATCH, WIDTH), "p": (BATCH, UNITS)})
    cell.set_weights(other.get_weights())
    assert cell.state_size == 2 * UNITS
    state = tf.constant(RNG.normal(size=(BATCH, 2 * UNITS)))
    output, new = cell(inputs, state)
    wanted, states = other(inputs, tf.split(state, 2, -1))
    close([output, new], [wanted, tf.concat(states, -1)])
    assert cell.get_initial_state(batch_size=2).shape == (2, 2 * UNITS)
    with refused("`state` must be (batch, 6). Received: [(4, 2)]"):
        cell.named(state[:, :2])


def test_half_precision():
    """A wide step is computed in float32."""
    layer, _ = made("resetting", dtype="float16")
    assert layer.cell.step_dtype == "float32"
    came = layer(tf.constant(X, tf.float16))
    assert {each.dtype for each in tf.nest.flatten(came)} == {tf.float16}


# --- noise ----------------------------------------------------------------------------------------------------------


def test_dropout():
    """Drawn anew at each call, one for all steps; given, it is what is dropped; outside of training nothing is."""
    layer, x = made("leaky")
    cell, given = layer.cell, tf.nest.map_structure(tf.constant, x)
    assert cell.noisy
    one, other, plain = layer(given, training=True)[0], layer(given, training=True)[0], layer(given)[0]
    assert np.any(one != other) and np.any(one != plain)
    drawn = cell.noise(BATCH, TIME)["_keep"]
    assert drawn.shape == (BATCH, 1, UNITS) and set(np.unique(drawn)) <= {0.0, 2.0}
    assert cell.noise(BATCH)["_keep"].shape == (BATCH, UNITS)
    state, step = cell.get_initial_state(batch_size=BATCH), {"x": given["x"][:, 0], "p": given["p"]}
    state = [value + 1 for value in state]
    quiet, _ = cell(step, state)
    ones, _ = cell(step, state, training=True, noise={"_keep": tf.ones([BATCH, UNITS], tf.float64)})
    nothing, _ = cell(step, state, training=True, noise={})
    close([ones, nothing], [quiet, quiet])
    with refused("`noise` must be asked for when the cell is built. Received: 'a cell that is not'"):
        LeakyCell(3).noise(2)


def test_keras_draws_for_all_steps():
    cell = made("leaky")[0].cell
    state = [value + 1 for value in cell.get_initial_state(batch_size=BATCH)]
    step = {"x": tf.constant(X[:, 0]), "p": tf.constant(P)}
    cell.get_dropout_mask(step["x"]), cell.get_recurrent_dropout_mask(state)
    once, again = cell(step, state, training=True)[0], cell(step, state, training=True)[0]
    close(once, again)
    cell.reset_dropout_mask(), cell.reset_recurrent_dropout_mask()
    assert cell._held == {}


def test_noise_where_nothing_is_drawn():
    cell = made("resetting")[0].cell
    with refused("`noise` must be None: nothing is drawn. Received: 3"):
        cell.call(tf.constant(X[:, 0]), cell.get_initial_state(batch_size=BATCH), noise=3)
