"""Small cells with what rarely stands in one: whatever is well-typed is checked, built and run, and is right.

Values against the interpreter and gradients against its finite differences, in float64, with random weights.
"""

import functools
from types import ModuleType

import numpy as np
import pytest
import tensorflow as tf

from cellgen import interpret
from cellgen.compiler import Spec
from cellgen.derive import Proof
from cellgen.diagnostics.codes import CODES
from cellgen.output import module

RNN = "state: {h: units}\nparams: {W: [input, units], U: [units, units]}\n"
PLAIN = "state: {h: units}\nparams: {W: [input, units]}\n"
BIAS = "state: {h: units}\nparams: {W: [input, units], U: [units, units], b: [units]}\n"
FLAG = "options: {f: false}\n"
STEPS = 5  # of fewer than five, the layer runs the step as it stands
OTHERS = {
    "{f: false": {"f": True},
    "{f: true": {"f": False},
    "way: ": {"way": "doubled"},
    "bound: none": {"bound": 0.3},
}
HEADS = "dims: {input: inferred, units: required, heads: 2, size: units/heads}\n"
PAIR = "params: {W: [input, gates*units], U: [units, gates*units], b: [gates*units]}\n"


def spec(head, *equations):
    return f"cell: Odd\n{head}equations: |\n" + "".join(f"  {line}\n" for line in equations)


CELLS = {
    # a cotangent that leads nowhere
    "clips wider than what they clip": spec(
        BIAS, "h = clip(0.3, x @ W, h[t-1] @ U) + clip(b, 0.1, h[t-1]) + clip(x @ W, b, 0.7) + clip(b, -0.1, 0.2)"
    ),
    "a norm that no slope goes through": spec(
        "norms: {ln: {kind: layer, over: [units], epsilon: 1e-5}}\n" + PLAIN,
        "h = 0.5 * h[t-1] + stop_gradient(ln(x @ W))",
    ),
    "a power of a number below zero": spec(
        "options: {n: {default: 2, in: [2, 2]}}\n" + PLAIN, "h = tanh(0.1 * (-2) ** n * h[t-1]) + x @ W"
    ),
    "two axes with as many labels": spec(
        "axes: {side: [a, b], kind: [p, q]}\nstate: {h: units}\n"
        "params: {W: [input, side*units], U: [units, kind*units], V: [units, kind*units]}\n",
        "y: [side, units] = x @ W",
        "z: [kind, units] = h[t-1] @ U",
        "h = tanh(y.a) * sigmoid(y.b) + z.p + h[t-1] @ V.q + z.q",
    ),
    "functions that are written out": spec(
        PLAIN, "h = 0.5 * gelu(h[t-1]) - 0.3 * mish(h[t-1]) + 0.2 * softsign(h[t-1]) - selu(0.1 * h[t-1]) + x @ W"
    ),
    "a condition in an arm that is never taken": spec(
        FLAG + BIAS,
        "s = step(h[t-1]) if f else (step(b) if f else step(h[t-1] @ U + b))",
        "h = where((step(h[t-1]) if f else (step(b) if f else step(h[t-1] + b))), 0.5 * h[t-1], x @ W) + s",
    ),
    **{
        f"{name} is written out": spec(PLAIN, f"h = 0.5 * {name}(h[t-1]) + x @ W")
        for name in ("gelu", "mish", "softsign")
    },
    "a power of 0 of 0": spec(PLAIN, "h = tanh(relu(h[t-1]) ** 0 + 0.5 * h[t-1]) + x @ W"),
    "a detector alone": spec(PLAIN, "h = step(x @ W)"),
    "what gives no gradient, as it is explained": spec(PLAIN, CODES["CG409"].wrong),
    "a state of 0 and 1": spec(
        "state: {h: units, s: {shape: [units], values: [0, 1]}}\nparams: {W: [input, units], U: [units, units]}\n",
        "h = tanh(x @ W + h[t-1] @ U) * (1 - s[t-1])",
        "s = step(h - 0.1)",
    ),
    "a spiking neuron": spec(
        "state: {v: units, s: {shape: [units], values: [0, 1]}}\noutput: s\n"
        "params: {W: [input, units], U: [units, units]}\n",
        "v = 0.9 * v[t-1] * (1 - s[t-1]) + x @ W + s[t-1] @ U",
        "s = step(v - 1)",
    ),
    "a gate that is held": spec(PLAIN, "u = x @ W", "s = stop_gradient(u)", "h = s * h[t-1] + u"),
    "a running maximum that is held": spec(
        "state: {h: units, m: units}\nparams: {W: [input, units], U: [units, units]}\n",
        "m = stop_gradient(maximum(x @ W, m[t-1]))",
        "h = tanh(x @ W + h[t-1] @ U) * sigmoid(m)",
    ),
    "z (1 - z) of 0 or 1": spec(RNN, "z = step(x @ W)", "h = tanh(h[t-1] @ U) * (z * (1 - z)) + x @ W"),
    "a mean of steps": spec(
        "dims: {heads: required, proj: required}\nstate: {h: proj}\nparams: {W: [input, heads, proj]}\n",
        "h = h[t-1] + mean(0.5 * step(x @ W), over=heads)",
    ),
    # what cancels, and what is folded
    "a / a": spec(RNN, "a = 2 + sigmoid(h[t-1] @ U)", "h = tanh(x @ W) * (a / a)"),
    "equal arms": spec("options: {f: true}\n" + PLAIN, "h = h[t-1] + (h[t-1] if f else h[t-1]) + x @ W"),
    "0 * a product": spec(RNN, "h = tanh(x @ W) + 0 * (h[t-1] @ U)"),
    "a product ** 0": spec(RNN, "h = tanh(x @ W) + (h[t-1] @ U) ** 0"),
    "0 * h": spec(PLAIN, "h = tanh(x @ W) + 0 * h[t-1]"),
    "h - h": spec(PLAIN, "h = tanh(x @ W) * sigmoid(h[t-1] - h[t-1])"),
    # products of vectors
    "x @ e": spec("state: {h: units}\nparams: {e: [input], B: [units]}\n", "u = x @ e", "h = tanh(u * B + h[t-1])"),
    "k @ h": spec(
        "state: {h: units}\nparams: {W: [input, units], k: [units]}\n", "u = k @ h[t-1]", "h = tanh(x @ W + u * h[t-1])"
    ),
    "q @ k": spec(
        "state: {h: units}\nparams: {W: [input, units], Q: [input, units], K: [input, units]}\n",
        "q = x @ Q",
        "k = x @ K + h[t-1]",
        "h = tanh(x @ W + (q @ k) * h[t-1])",
    ),
    "x @ x, of every lane": spec(PLAIN, "h = (x @ x) - (x @ W)"),
    # a part of an axis that nothing else names
    "a sum over a quotient": spec(
        f"{HEADS}state: {{k: heads}}\nparams: {{W: [input, units]}}\n",
        "v: [heads, size] = x @ W",
        "k = sum(v, over=size) + k[t-1]",
    ),
    "a quotient of a dim that stands for another": spec(
        "dims: {input: inferred, units: required, wide: units, heads: 2, size: wide/heads}\n"
        "state: {h: units, c: wide}\n"
        "params: {W: [input, units], U: [units, heads, size]}\n",
        "h = tanh(x @ W)",
        "v: [heads, size] = tanh(h @ U)",
        "a: [wide] = v * v",
        "c = 0.5 * c[t-1] + a",
    ),
    "a quotient by a dim that stands for another": spec(
        "dims: {input: inferred, units: required, levels: units, chunk: units/levels}\n"
        "gates: {m: levels, f: units}\n"
        "state: {h: units}\n"
        "params: {W: [input, gates], U: [units, gates]}\n",
        "s = x @ W + h[t-1] @ U",
        "f: [levels, chunk] = sigmoid(s.f)",
        "h: [units] = f * tanh(s.m)",
    ),
    # axes of one name
    "a softmax of a square weight": spec(RNN, "h = tanh(x @ W + h[t-1] @ softmax(U))"),
    "a softmax of a square value": spec(
        "state: {c: units}\nparams: {W: [input, units, units]}\n", "R = softmax(x @ W)", "c = c[t-1] @ R"
    ),
    # a state that reads weights alone, parts of an input
    "a state of weights": spec(
        "state: {h: units, k: units}\nparams: {W: [input, units], U: [units, units], b: [units]}\n",
        "h = tanh(x @ W + h[t-1] @ U + k[t-1])",
        "k = 2 * b",
    ),
    "a state of weights in a variant": spec(
        FLAG + "state: {h: units, k: units}\nparams: {W: [input, units], U: [units, units], b: [units]}\n",
        "h = tanh(x @ W + h[t-1] @ U + k[t-1])",
        "k = h[t-1] if f else 2 * b",
    ),
    "parts of an input": spec(
        "gates: [a, b]\ninputs: {x: [gates*units]}\nstate: {h: units}\n", "h = sigmoid(x.a) * h[t-1] + x.b"
    ),
    # scalars of weights
    "a sum of a weight": spec(
        "state: {h: units}\nparams: {W: [input, units], v: [units]}\n",
        "c = sum(v) * v",
        "h = tanh(where(h[t-1] > 0.2, sum(h[t-1]) * v, c + h[t-1])) + x @ W",
    ),
    "a product of weights": spec(
        "state: {h: units, c: units}\nparams: {W: [input, units], b: [units], v: [units]}\n",
        "c = (v @ b) * (h[t-1] * h[t-1])",
        "h = tanh(where(c[t-1] > b, 3, h[t-1])) + x @ W",
    ),
    # labels between the factors of an axis
    "labels in the middle of a value": spec(
        f"{HEADS}gates: [a, b]\nstate: {{h: units}}\n"
        "params: {W: [input, heads*gates*size], U: [units, heads*gates*size]}\n",
        "z = x @ W + h[t-1] @ U",
        "h = sigmoid(z.a) * h[t-1] + tanh(z.b)",
    ),
    "labels in the middle of a weight and of a state": spec(
        f"{HEADS}gates: [a, b]\nstate: {{h: heads*gates*size}}\n"
        "params: {W: [input, heads*gates*size], v: [heads*gates*size]}\n",
        "h = (x @ W) * sum(h[t-1].b * v.a) + v * sum(x @ W.b)",
    ),
    # comparisons
    "a comparison before the loop": spec(RNN, "a = x @ W", "h = tanh(where(a > 0, h[t-1] @ U, a))"),
    "a comparison of what an option chooses": spec(
        FLAG + RNN, "h = where(step(x @ W) if f else step(h[t-1] - 0.1), tanh(h[t-1] @ U), x @ W)"
    ),
    "a value compared with itself": spec(
        PLAIN, "a = x @ W", "h = where(a > a, h[t-1], maximum(a, a)) + minimum(h[t-1], h[t-1]) * where(a >= a, 0.5, 0)"
    ),
    # one for all samples in a variant, or a plain number
    "a factor or a number": spec(FLAG + RNN, "h = h[t-1] * (h[t-1] @ U if f else 0.3) + x @ W"),
    "a value or a number": spec(FLAG + RNN, "a = h[t-1] @ U if f else 0.3", "h = tanh(h[t-1] * a + x @ W)"),
    "a value or a weight": spec(FLAG + BIAS, "a = h[t-1] @ U if f else b", "h = tanh(h[t-1] * a + x @ W)"),
    "of the input, or a number": spec(FLAG + RNN, "a = x @ W if f else 0.3", "h = tanh((h[t-1] @ U) * a)"),
    "of the input, or a weight, in products": spec(
        FLAG + BIAS, "a = x @ W if f else b", "h = tanh((h[t-1] @ U) * a) + (a @ U) * h[t-1]"
    ),
    "of the state, or a weight, along an axis": spec(
        FLAG + BIAS, "a = tanh(h[t-1] @ U if f else b)", "h = tanh(x @ W + a @ U) + softmax(a) + cumsum(a)"
    ),
    "an activation of one or the other": spec(
        "options: {f: false, g: {one_of: activations, default: softplus}}\n" + RNN,
        "h = tanh(x @ W) * g(h[t-1] @ U if f else 0.3)",
    ),
    "a number a sample or a vector": spec(
        f"{FLAG}{BIAS}", "h = tanh(x @ W + h[t-1] @ U) * tanh(mean(h[t-1] * b) if f else h[t-1] + b)"
    ),
    "a softmax of one or the other": spec(FLAG + BIAS, "h = softmax(h[t-1] @ U if f else b) * h[t-1] + x @ W"),
    "a part of one or the other": spec(
        f"{FLAG}gates: [i, o]\nstate: {{h: units}}\n{PAIR}",
        "h = tanh((x @ W + b).i if f else h[t-1]) + (h[t-1] @ U + b).o + (x @ W.o) * (h[t-1] @ U.i)",
    ),
    "not this word": spec(
        "options: {way: {one_of: [plain, doubled], default: plain}}\n" + RNN,
        "h = tanh(x @ W) + (2 * h[t-1] if not way == plain else h[t-1] @ U)",
    ),
    "without a number that may be given": spec(
        "options: {bound: none}\n" + RNN,
        "a = x @ W + h[t-1] @ U",
        "h = tanh(a) if not bound else clip(a, -bound, bound)",
    ),
    "gates of one or the other": spec(
        f"{FLAG}gates: [i, o]\nstate: {{h: units}}\n{PAIR}",
        "z: [gates, units] = h[t-1] @ U if f else b",
        "h = tanh(x @ W.i) * sigmoid(z.i) + sigmoid(z.o) * h[t-1]",
    ),
    "gates of one or the other, before the loop": spec(
        f"{FLAG}gates: [i, o]\nstate: {{h: units}}\n{PAIR}",
        "z: [gates, units] = (x @ W if f else 0.3 * b) + b + h[t-1] @ U",
        "h = z.o + tanh(z.i) * h[t-1]",
    ),
    "a label that one variant reads, of the input": spec(
        f"{FLAG}gates: [i, o]\nstate: {{h: units}}\nparams: {{W: [input, gates*units]}}\n",
        "h = tanh(x @ W.i if f else h[t-1]) + x @ W.o",
    ),
    "gates of heads": spec(
        "dims: {input: inferred, units: required, heads: 2, size: units/heads}\ngates: [i, o]\nstate: {h: units}\n"
        "params: {W: [input, gates*heads*size], U: [units, gates*heads*size]}\n",
        "z: [gates, heads, size] = x @ W + h[t-1] @ U",
        "a: [units] = sigmoid(z.i)",
        "b: [units] = tanh(z.o)",
        "h = a * h[t-1] + b",
    ),
    "a number a sample that lanes of two widths read": spec(
        "dims: {input: inferred, units: required, key: required}\nstate: {h: units, k: key}\n"
        "params: {W: [input, units], V: [input, key], b: [units]}\n",
        "s = sum(tanh(h[t-1]))",
        "h = (x @ W) * s + tanh(s * b) + h[t-1]",
        "k = 0.5 * k[t-1] + s * (x @ V)",
    ),
    "a number a sample, of an activation that is chosen": spec(
        "options: {act: {one_of: activations, default: softplus}}\n" + RNN,
        "s = act(sum(h[t-1]))",
        "h = tanh(s * (x @ W) + h[t-1] @ U)",
    ),
    "an activation of a norm": spec(
        "options: {act: {one_of: activations, default: softplus}}\n"
        + RNN
        + "norms: {ln: {kind: layer, over: [units], epsilon: 1e-3}}\n",
        "h = act(ln(h[t-1] @ U)) + x @ W",
    ),
    "a norm of the input in one variant": spec(
        f"{FLAG}{RNN}norms: {{ln: {{kind: layer, over: [units], epsilon: 1.0e-3, shift: zeros}}}}\n",
        "h = tanh(h[t-1] @ U) + (x @ W if f else ln(x @ W))",
    ),
    "a number times a matrix": spec(
        "dims: {input: inferred, units: required, heads: required}\nstate: {m: [heads, units]}\n"
        "params: {s: [1], k: [heads], A: [input, heads, units]}\n",
        "m = tanh(s * m[t-1]) * k + x @ A + mean(m[t-1], over=units) * s",
    ),
    "terms of the input that fit no other": spec(
        "dims: {input: inferred, units: required, heads: required}\nstate: {m: [heads, units]}\n"
        "params: {A: [input, heads], B: [input, units]}\n",
        "m = 0.5 * m[t-1] + x @ A + x @ B",
    ),
    "a label that is called as a value before the loop": spec(
        "gates: [h_x, o]\nstate: {h: units}\nparams: {W: [input, units], U: [units, gates*units]}\n",
        "h = tanh((h[t-1] @ U).h_x * (tanh(h[t-1]) @ U).o + x @ W)",
    ),
    "a label that is called as joined weights": spec(
        "gates: [U_V, o]\nstate: {h: units, c: units}\n"
        "params: {W: [input, units], U: [units, units], V: [units, units], K: [units, gates*units]}\n",
        "z = h[t-1] @ U + c[t-1] @ V",
        "h = tanh(z + x @ W) * (tanh(c[t-1]) @ K).U_V",
        "c = 0.5 * c[t-1] + (h[t-1] @ K).o",
    ),
    "what weights make of what the input makes otherwise": spec(
        FLAG + BIAS,
        "a = x @ W if f else tanh(b)",
        "k = sigmoid(a) * b",
        "h = tanh(h[t-1] @ U + x @ W) * (k if not f else a)",
    ),
    "axes that end alike": spec(
        "dims: {input: inferred, units: required, key: required}\nstate: {m: [units*2*3, key*2*3]}\n"
        "params: {W: [input, units*2*3], a: [key*2*3]}\n",
        "m = m[t-1] * a + x @ W",
    ),
    "a value that is called as a transposed weight": spec(
        FLAG + "state: {h: units}\nparams: {W: [input, units], U: [units, units]}\n",
        "U_T = tanh(x @ W)",
        "h = U_T + (h[t-1] @ U if f else h[t-1])",
    ),
    "values that are called as what generated code has": spec(
        "options: {act: {one_of: activations, default: softplus}}\nstate: {h: units}\n"
        "params: {W: [input, units], U: [units, units], U_T: [units, units]}\n"
        "norms: {layer_norm: {kind: layer, over: [units], epsilon: 1e-3}}\n",
        "act_reads = layer_norm(h[t-1] @ U) + x @ W",
        "h = act(act_reads) + tanh(h[t-1] @ U_T)",
    ),
}

# every constant has the dtype of what is computed, in every position
NUMBERS = [
    *("minimum(0.3, a)", "maximum(a, 0.3)", "minimum(0.3, 0.7) * a", "maximum(0.1, 0.3) * a"),
    *("where(a > 0.1, 0.3, h[t-1])", "where(a > 0.1, h[t-1], 0.3)", "where(a > 0.1, 0.3, 0.7)"),
    *("clip(a, 0.1, 0.3)", "clip(0.3, 0.1, 0.7) * a", "exp(a) ** 0.3", "0.3 ** 0.7 * a"),
    *("0.3 / (2 + tanh(a))", "a / 0.3", "0.3 - a", "1 / 3 + a", "a / (1 + abs(1 / 3))", "outer(0.3, a)"),
    *("straight_through(0.3, a)", "straight_through(step(a), 0.3 * a)", "a * stop_gradient(0.3)"),
    "a * sigmoid(1 / 3) * exp(0.1) * log(0.3) * sqrt(0.7) * square(0.7) * sin(0.3) * cos(0.1) * tanh(0.7)",
    "a * gelu(0.3) * selu(-0.3) * elu(-0.7) * softplus(0.1) * silu(0.3) * mish(0.3) * softsign(0.3) * relu(0.3)",
    "a * leaky_relu(-0.3) * hard_sigmoid(0.3) * hard_silu(0.3) * hard_tanh(0.3) * relu6(0.3) * exponential(0.1)",
    "gelu(a) + selu(a) + elu(a) + leaky_relu(a) + mish(a) + softsign(a)",
    "hard_sigmoid(a) + hard_silu(a) + relu6(10 * a) + softplus(a) + log_sigmoid(a) + silu(a)",
    "a * f(0.3) + f(a)",
]


@functools.cache
def compiled(text) -> tuple[Spec, Proof, ModuleType]:
    """A spec that may be built, what is proved of its derivative, and its classes: as `cellgen.compile` makes them."""
    spec = Spec.of(text)
    checked = spec.check()
    assert "error" not in {each.severity for each in checked.diagnostics}
    return spec, checked.proof, module(spec.stem, spec.build(tests=False)[f"{spec.stem}.py"])


class Trial:
    """A layer and its oracle on random weights, inputs and states."""

    def __init__(self, text, **options):
        spec, _, classes = compiled(text)
        typed = spec.typed(laws=False)
        sizes = {dim.name: size for dim, size in zip(typed.cell.dims, (3, 4, 2)) if dim.kind != "quotient"}
        inferred = {dim.name for dim in typed.cell.dims if dim.kind == "inferred"}
        self.oracle, self.reference = interpret.Instance(typed, {**sizes, **options}), interpret.Reference()
        rng, settings = np.random.default_rng(0), self.oracle.settings
        x = rng.normal(size=(3, STEPS, *settings.shape(typed.cell.inputs[0].shape)))
        state = [rng.normal(size=(3, *settings.shape(each.shape))) for each in typed.cell.states]
        state = [(s > 0) * 1.0 if each.binary else s for s, each in zip(state, typed.cell.states)]
        self.arguments = {name: value for name, value in {**sizes, **options}.items() if name not in inferred}
        layer = getattr(classes, typed.cell.name)
        self.layer = layer(
            **self.arguments, return_sequences=True, return_state=True, dtype="float64", jit_compile=False
        )
        self.layer.build(x.shape)
        for weight in self.layer.trainable_weights:
            weight.assign(rng.normal(size=weight.shape) / 2)
        self.count = len(self.layer.trainable_weights)
        self.arrays = [*(np.asarray(weight) for weight in self.layer.trainable_weights), x, *state]
        self.cotangents = [rng.normal(size=value.shape) for value in self.outcome(self.arrays)]
        self.rng = rng

    def outcome(self, arrays):
        """What the oracle returns."""
        weights, x, state = arrays[: self.count], arrays[self.count], arrays[self.count + 1 :]
        outputs, _, final = self.oracle.scan(weights, x, initial_state=state, reference=self.reference)
        return [outputs, *final]

    def loss(self, at):
        return sum(np.sum(a * b) for a, b in zip(self.outcome([at[n] for n in range(len(at))]), self.cotangents))

    def compared(self, bound):
        """Values within a bound; gradients along a direction of all arrays at once."""
        x, *state = inputs = [*map(tf.constant, self.arrays[self.count :])]
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            values = self.layer(x, initial_state=state)
            loss = tf.add_n([tf.reduce_sum(a * b) for a, b in zip(values, self.cotangents)])
        wanted = self.outcome(self.arrays)
        assert len(values) == len(wanted)
        for a, b in zip(values, wanted):
            np.testing.assert_allclose(a, b, rtol=bound, atol=bound)
        step = min(1e-4, self.reference.margin / 300)
        assert step > 1e-8
        slopes = tape.gradient(loss, [*self.layer.trainable_weights, *inputs])
        along = {at: self.rng.normal(size=array.shape) for at, array in enumerate(self.arrays)}

        def agree(*places):
            came = sum(np.sum(np.asarray(slopes[at]) * along[at]) for at in places if slopes[at] is not None)
            wanted = interpret.derivative(
                self.loss, dict(enumerate(self.arrays)), {at: along[at] for at in places}, step
            )
            np.testing.assert_allclose(came, wanted, rtol=1e-7, atol=1e-7)

        try:
            agree(*along)
        except AssertionError:
            for at in along:  # it is one of them
                agree(at)
            raise


@pytest.mark.parametrize("name", CELLS)
def test_it_is_built_and_right(name):
    others = [option for said, option in OTHERS.items() if said in CELLS[name]]
    for options in ({}, *others):
        Trial(CELLS[name], **options).compared(1e-14)


def of_number(value):
    """A cell that reads an expression of `a`, an activation `f` and numbers."""
    head = "options: {f: {one_of: activations, default: softplus}}\n" if " f(" in value else ""
    return spec(head + PLAIN, "a = x @ W", f"h = 0.1 * h[t-1] + {value}")


@pytest.mark.parametrize("value", NUMBERS)
def test_numbers_are_exact(value):
    Trial(of_number(value)).compared(1e-15)


def test_what_is_not_built_is_told_by_check():
    text = "cell: Pairs\ninputs: {x: [2*n]}\nstate: {h: units}\nparams: {W: [2*n, units]}\nequations: |\n"
    found = Spec.of(text + "  h = 0.5 * h[t-1] + x @ W\n").check().diagnostics
    assert [(each.code, each.severity) for each in found if each.severity == "error"] == [("CG601", "error")]


def test_a_state_starts_from_the_number_that_is_written():
    head = "state: {h: {shape: [units], initial: 0.3}}\nparams: {W: [input, units]}\n"
    layer = Trial(spec(head, "h = 0.1 * h[t-1] + x @ W")).layer
    assert np.all(np.asarray(layer.get_initial_state(2)[0]) == 0.3)


@pytest.mark.parametrize("name", CELLS)
def test_its_derivative_is_shown(name):
    _, proof, _ = compiled(CELLS[name])
    assert proof.compared and not (proof.wrong or proof.open or proof.unshown)
