"""What runs when: what is taken out of the loop, taken together in it, kept for the way back and computed again."""

from dataclasses import asdict, fields, replace

import numpy as np
import pytest
import tensorflow as tf

from cellgen.bench.fresh_process import fresh
from cellgen.compiler import Spec, planned, proved
from cellgen.derive.centring import centre
from cellgen.derive.derivative_rules import op
from cellgen.derive.hoisting import hoist
from cellgen.derive.proof import rederive
from cellgen.derive.reverse_mode import derive
from cellgen.interpret.settings import Settings
from cellgen.ir.expr import Apply, Ref, walk
from cellgen.ir.ops import ACTIVATIONS
from cellgen.ir.sizes import multiples
from cellgen.runtime.declarations import Equations
from cellgen.schedule import Run
from cellgen.schedule.flow import made
from cellgen.schedule.parts import uses
from cellgen.show.plan_screen import bytes_a_step, planscreen
from tests.generated import committed, layer_class
from tests.shipped import each_shipped, plan_of

GATES = """
cell: Gates
gates: {gates}
state: {{c: units}}
equations: |
  z: [gates, units] = affine(x, c[t-1])
  {equations}
"""


def loop(gates, *equations):
    """The code of the loop of a cell of one state, a line each."""
    text = GATES.format(gates=gates, equations="\n  ".join(equations))
    shown = planscreen(planned(Spec.of(text).typed()))
    return [line.strip() for line in shown.partition("in the loop\n")[2].partition("\n\n")[0].splitlines()]


# --- neighbouring gates together -------------------------------------------------------------------------------------


def test_neighbours_with_the_same_activation_go_together():
    assert loop("[f, i, u]", "f = sigmoid(z.f)", "i = sigmoid(z.i)", "c = f * c[t-1] + i * tanh(z.u)") == [
        "z = _z_x + c_prev @ recurrent_kernel",
        "z_f_i, z_u = tf.split(z, [2 * units, units], axis=-1)",
        "_f_i = tf.sigmoid(z_f_i)",
        "f, i = tf.split(_f_i, 2, axis=-1)",
        "_tanh_z_u = tf.tanh(z_u)",
        "c = f * c_prev + i * _tanh_z_u",
    ]


def test_all_of_a_value_needs_no_splitting_first():
    lines = loop("[f, i]", "c = sigmoid(z.f) * c[t-1] + sigmoid(z.i)")
    assert lines[1:3] == [
        "_sigmoid_z_f_sigmoid_z_i = tf.sigmoid(z)",
        "_sigmoid_z_f, _sigmoid_z_i = tf.split(_sigmoid_z_f_sigmoid_z_i, 2, axis=-1)",
    ]


def test_the_order_of_the_equations_does_not_matter_but_that_of_the_labels():
    lines = loop("[f, i, u]", "u = tanh(z.u)", "i = sigmoid(z.i)", "f = sigmoid(z.f)", "c = f * c[t-1] + i * u")
    assert lines[1:5] == [
        "z_f_i, z_u = tf.split(z, [2 * units, units], axis=-1)",
        "u = tf.tanh(z_u)",
        "_f_i = tf.sigmoid(z_f_i)",
        "f, i = tf.split(_f_i, 2, axis=-1)",
    ]


def test_what_stands_apart_stays_apart():
    lines = loop("[f, u, i]", "f = sigmoid(z.f)", "i = sigmoid(z.i)", "c = f * c[t-1] + i * tanh(z.u)")
    assert lines[1:4] == ["z_f, z_u, z_i = tf.split(z, 3, axis=-1)", "f = tf.sigmoid(z_f)", "i = tf.sigmoid(z_i)"]


def test_a_part_that_is_read_otherwise_too_is_there():
    lines = loop("[f, i]", "f = sigmoid(z.f)", "i = sigmoid(z.i)", "c = f * c[t-1] + i * z.i")
    assert lines[1:3] == ["_, z_i = tf.split(z, 2, axis=-1)", "_f_i = tf.sigmoid(z)"]


def test_a_taken_name_is_not_taken_twice():
    equations = "z_f_i = tanh(z.u)", "f = sigmoid(z.f)", "i = sigmoid(z.i)", "c = f * c[t-1] + i * z_f_i"
    lines = loop("[f, i, u]", *equations)
    assert lines[1] == "_z_f_i, z_u = tf.split(z, [2 * units, units], axis=-1)"
    assert lines[3:5] == ["_f_i = tf.sigmoid(_z_f_i)", "f, i = tf.split(_f_i, 2, axis=-1)"]


def test_products_that_are_added_are_one():
    """In the loop; on the way back they stay apart."""
    text = """
cell: Two
state: {h: units, c: units}
params: {W: [input, units], U: [units, units], V: [units, units]}
equations: |
  z = x @ W + h[t-1] @ U + c[t-1] @ V
  h = tanh(z)
  c = c[t-1] + h
"""
    shown = planscreen(planned(Spec.of(text).typed()))
    assert "_U_V = tf.concat([U, V], axis=0)" in shown
    assert "z = tf.concat([h_prev, c_prev], axis=-1) @ _U_V + _z_x" in shown
    assert "@ U_T" in shown and "@ V_T" in shown


def test_a_number_a_sample_goes_inside_a_product_of_the_loop():
    """Not where the product can run before the loop."""
    text = """
cell: Weighed
inputs: {x: [input], on: {shape: [1], default: 1}}
state: {h: units}
params: {W: [input, units], U: [units, units]}
equations: |
  h = tanh(on * (x @ W) + on * (h[t-1] @ U))
"""
    shown = planscreen(planned(Spec.of(text).typed()))
    assert (
        "on * (x @ W)" in shown.partition("in the loop")[0] or "_matmul_x = x @ W" in shown.partition("in the loop")[0]
    )
    assert "(on * h_prev) @ U" in shown or "_mul_on @ U" in shown


def test_the_parts_of_a_value_are_those_of_its_own_axis():
    """Where the first part is not read, and another axis has a single label."""
    text = """
cell: Parts
gates: [i]
axes: {side: [left, right]}
state: {h: [side, units], c: [gates, units]}
params: {W: [input, gates, units], U: [units, side*units]}
equations: |
  a = h[t-1]
  c = tanh(x @ W) * a.right + 0.5 * c[t-1]
  z: [side, units] = a.right @ U
  h = z + z.left + c.i
"""
    shown = planscreen(planned(Spec.of(text).typed()))
    assert "_, a_right = tf.unstack(a, axis=-2)" in shown and "a_right [units]" in shown


# --- means off weights -----------------------------------------------------------------------------------------------

NORMED = """
cell: Normed
gates: [f, u]
options: {{epsilon: 1.0e-5}}
state: {{h: units}}
params:
  W: [input, gates*units]
  U: [units, gates*units]
  b: [gates*units]
norms:
  ln: {{kind: {kind}, over: [{over}], epsilon: epsilon, scale: ones, shift: zeros}}
equations: |
  {equation}
  h = sigmoid(z.f) * h[t-1] + tanh(z.u)
"""
PLAIN = "z = ln(x @ W) + h[t-1] @ U + b"


def centred(equation=PLAIN, kind="layer", over="gates*units"):
    return centre(Spec.of(NORMED.format(equation=equation, kind=kind, over=over)).typed())


def test_a_layer_norm_of_a_product_is_an_rms_norm_of_one_with_centred_weights():
    first, second, _ = centred().cell.equations
    assert first.name == "_W_centred" and first.value == op("sub", Ref("W"), op("mean", Ref("W")))
    norms = [node for _, node in walk(second.value) if isinstance(node, Apply) and node.op == "normalize"]
    assert [(each.attr("kind"), each.args[0]) for each in norms] == [("rms", op("matmul", Ref("x"), Ref("_W_centred")))]


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "rms"},
        {"equation": "z = ln(x @ W + b) + h[t-1] @ U"},
        {
            "equation": "a: [gates, units] = x @ W\n  y: [gates, units] = h[t-1] @ U + b\n  z = ln(a) + y",
            "over": "units",
        },
    ],
    ids=str,
)
def test_other_norms_stay_as_they_are(changes):
    assert not any("centred" in each.name for each in centred(**changes).cell.equations)


@pytest.mark.parametrize("slip", [Ref("W"), op("add", Ref("W"), op("mean", Ref("W")))], ids=["not", "added"])
def test_a_wrong_centre_is_found(slip):
    typed = Spec.of(NORMED.format(equation=PLAIN, kind="layer", over="gates*units")).typed()
    right = centre(typed)
    assert not proved(typed).wrong
    first, *rest = right.cell.equations
    wrong = hoist(replace(right, cell=replace(right.cell, equations=(replace(first, value=slip), *rest))))
    assert "z" in rederive(typed, wrong, derive(wrong)).wrong


def test_the_scan_subtracts_the_mean():
    """Weights with a large mean in each row, which only a scan that centred them forgets."""
    layer = layer_class(committed("layer_norm_lstm"))(5, return_sequences=True, dtype="float64")
    x = tf.constant(np.random.default_rng(0).normal(size=(2, 4, 3)))
    layer.build(x.shape)
    for weight in (layer.cell.x_w, layer.cell.h_w):
        weight.assign(weight + 3 * tf.random.stateless_normal([weight.shape[0], 1], [0, 0], dtype=weight.dtype))
    plain = type(layer)(**{**layer.get_config(), "debug": True})
    plain.build(x.shape)
    plain.set_weights(layer.get_weights())
    np.testing.assert_allclose(layer(x), plain(x), rtol=0, atol=1e-12)


# --- what is kept, and what is computed again ------------------------------------------------------------------------


@each_shipped
def test_no_matmul_is_computed_again(stem):
    plan = plan_of(stem)
    forward = made(plan.forward.blocks)
    again = [b for b in (*plan.backward.blocks, *plan.after.blocks) if made([b]) & forward]
    ops = {node.op for b in again for line in b.lines for node in uses(line.value) if isinstance(node, Apply)}
    assert not ops & {"matmul", "einsum", "normalize", "normalize_pair", "sigmoid", "tanh"}
    kept = {*plan.forward.gives, *plan.before.gives, *plan.once.gives}
    inside = {*plan.forward.reads, *forward}
    assert (plan.backward.reads | plan.after.reads) & inside <= kept | plan.forward.reads


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_argument_of_an_activation_is_kept_only_where_its_derivative_reads_it(activation):
    lstm = committed("lstm")
    layer = lstm.LSTM(3, activation=activation, recurrent_activation="sigmoid")
    layer.build([None, None, 2])
    chosen = lstm.recurrent.ACTIVATIONS[activation]
    reads, arguments = chosen.reads_x, {**layer.cell.step_arguments(), "units": 3}
    _, kept = layer.scan.example({"x": tf.ones([1, 2])}, layer.cell.named(layer.get_initial_state(1)), arguments)
    assert {"_i_f", "g", "o", "h_prev", "c_prev"} <= kept.keys()
    assert ("z_g" in kept) is reads and "z_i" not in kept
    came = {float(chosen.gradient(tf.constant(1.5), tf.constant(x), tf.constant(0.25))) for x in (-9.0, 0.5, 9.0)}
    assert (len(came) > 1) is reads


PROGRAM = """
import sys
sys.path.insert(0, {folder!r})
import numpy as np, tensorflow as tf
from lstm import LSTM
from cellgen.bench.fresh_process import held, peak
layer = LSTM(64, return_sequences=False)
x = tf.zeros([16, {steps}, 1])
run = tf.function(lambda x: layer(x))
run(x[:, :8])
before = held()
run(x)
"""


def test_inference_keeps_nothing():
    """What a training step would keep of this sequence is seven states a step: 440 MB."""
    steps = 16_000
    ran = fresh(PROGRAM.format(folder=str(committed("lstm").__file__.rpartition("/")[0]), steps=steps), "before")
    if ran.peak is None:
        pytest.skip("this system does not tell how much memory was held")
    assert ran.peak - ran.result < 7 * 4 * 64 * 16 * steps / 4


def test_a_scan_runs_as_the_plan_says_where_nothing_else_is_said():
    declared = {each.name: each.default for each in fields(Equations)}
    assert {each.name: declared[each.name] for each in fields(Run)} == asdict(Run())


def test_the_plan_of_a_cell():
    shown = planscreen(plan_of("simple_rnn"))
    assert (
        shown
        == """\
before the loop, all steps of a chunk at once
  _z_x = x @ kernel + (bias if use_bias else 0)

in the loop
  z = _z_x + h_prev @ recurrent_kernel
  h = activation(z)

on the way back
  _d_h = _d_h_next + _d_output
  _d_z = activation.gradient(_d_h, z, h)
  _d_h_prev = _d_z @ recurrent_kernel_T

after it, all steps of a chunk at once
  _d_x = _d_z @ kernel_T
  _d_kernel = tf.matmul(x, _d_z, transpose_a=True)
  _d_recurrent_kernel = tf.matmul(h_prev, _d_z, transpose_a=True)
  _d_bias = tf.reduce_sum(_d_z, axis=0)   where use_bias

plan
  kept             h_prev [units], h [units]
  kept if read     z [units]: arguments of activations
  computed again   nothing
  bytes a step     8*units a sample in float32
  memory="low"     4*units a chunk of steps instead; a chunk runs again
  transposed once  recurrent_kernel_T, kernel_T
  inference        keeps nothing
  chunks           of about 512 samples times steps
  runs             by XLA from 64 steps on, with a batch of at most 512; else as a graph
  depth            T steps one after the other
  shares           by XLA, of the batch: one a core of a CPU, each of 8 or more"""
    )


def _sizes(dims):
    """What is divided by a size is so by 2."""
    divisors, many = {dim.divisor for dim in dims}, multiples(dims)
    for dim in dims:
        if dim.name in divisors:
            yield dim.name, 2
        elif dim.kind in ("inferred", "required"):
            yield dim.name, 7 * many[dim.name]


@each_shipped
def test_bytes_a_step_are_those_of_what_is_kept(stem, monkeypatch):
    """The formula of the plan, against the arrays that a generated module keeps of one step of one sample."""
    module, seen = committed(stem), []
    if Spec.at(stem).is_stack:
        pytest.skip("the formula is that of a layer")
    plan, likely = plan_of(stem), module.recurrent.Scan.example

    def noted(*step):
        output, kept = likely(*step)
        seen.append(kept)
        return output, kept

    monkeypatch.setattr(module.recurrent.Scan, "example", noted)
    settings = Settings(plan.joint.typed, sizes := dict(_sizes(plan.joint.typed.cell.dims)))
    x = plan.joint.typed.cell.inputs[0]
    inferred = {dim.name for dim in plan.joint.typed.cell.dims if dim.kind == "inferred"}
    arguments = {name: size for name, size in sizes.items() if name not in inferred}
    layer_class(module)(**arguments)(tf.ones([1, 5, *settings.shape(x.shape)]))
    reads = plan.backward.reads | plan.after.reads
    size = sum(4 * value.shape.num_elements() for name, value in seen[0].items() if name in reads)
    assert size == bytes_a_step(plan).at(settings.sizes) > 0


@pytest.mark.parametrize(
    ("equations", "depth"),
    [
        (
            "h = 0.5 * h[t-1] + x @ W",
            'parallel="scan": 2 log2(T) where XLA compiles it, else 2 sqrt(T), times 1 of a scan',
        ),
        ("h = tanh(h[t-1] + x @ W)", "times 1 of each of Newton's steps"),
        ("h = x @ W", 'parallel="scan": none, for no state comes of another'),
        ("h = tanh(h[t-1] @ U + x @ W)", "T steps one after the other"),
    ],
)
def test_how_many_steps_follow_one_another_is_told(equations, depth):
    square = "params: {W: [input, units], U: [units, units]}" if "U" in equations else "params: {W: [input, units]}"
    text = f"cell: Some\nstate: {{h: units}}\noutput: y\n{square}\nequations: |\n  y = h[t-1] + x @ W\n  {equations}\n"
    shown = " ".join(planscreen(planned(Spec.of(text).typed())).split())
    assert depth in shown.partition(" depth ")[2].partition(" shares ")[0]
