"""The generated code of a random cell, run: every way of running it against the interpreter and against each other.

In float64. Derivatives are compared with TensorFlow's own, through the plain loop of `debug=True`.
"""

from collections.abc import Mapping
from random import Random

import numpy as np
import tensorflow as tf

from cellgen.arithmetic import Reference
from cellgen.compiler import Spec
from cellgen.module import module
from cellgen.randomrun import BATCH, run_of
from cellgen.trial import TOO_LARGE, Failure, Outcome, tail

CLOSE, STEPS = 1e-7, 5
WAYS = {
    "loop": {"debug": True},
    "graph": {"jit_compile": False},
    "unrolled": {"jit_compile": False, "unroll": True},
    "three at once": {"jit_compile": False, "unroll": 3},
    "low memory": {"jit_compile": False, "memory": "low"},
}
COMPILED = {"XLA": {"jit_compile": True}, "XLA, low memory": {"jit_compile": True, "memory": "low"}}
EVERYTHING = {"return_sequences": True, "return_state": True, "return_all_states": True}


class Runs:
    """What runs the generated code of a case; `compiled`: by XLA too."""

    def __init__(self, compiled: bool = False):
        self.ways = WAYS | (COMPILED if compiled else {})
        self.saves = compiled

    def __call__(self, files: Mapping[str, str], spec: Spec, typed, outcome: Outcome, seed: int) -> None:
        built = module(spec.stem, files[f"{spec.stem}.py"])
        rng = Random(seed)
        name = spec.stack().name if spec.is_stack else typed.cell.name
        trial = _Trial(getattr(built, name), typed, spec, rng)
        trial.wanted(outcome)
        found = {}
        for way, how in self.ways.items():
            try:
                found[way] = trial.values(how)
            except Exception as error:
                outcome.failures.append(Failure(f"generated: {way}: {_short(error)}", tail(error)))
        outcome.note("run as generated code")
        if self.ways.keys() & COMPILED.keys():
            outcome.note("run by XLA")
        if trial.comparable:
            trial.compare(found, outcome)
        if self.saves and "graph" in found:
            try:
                trial.saved(found["graph"][0], outcome)
            except Exception as error:
                outcome.failures.append(Failure(f"generated: saving: {_short(error)}", tail(error)))


def _short(error: Exception) -> str:
    message = " ".join(str(error).split())
    for sign in ("{{", "`", "'", '"', "[", "(", ":"):
        message = message.split(sign)[0]
    return f"{type(error).__name__} {message[:60]}".strip()


class _Trial:
    """One layer's class with an instance's sizes and options, weights, an input, a state and a mask."""

    def __init__(self, layer: type, typed, spec: Spec, rng: Random):
        self.Layer, self.cell = layer, typed.cell
        variants = [each for each in typed.variants if not each.variant.get("training")]
        self.run = run_of(typed, rng.choice(variants), rng, steps=STEPS)
        self.instance = self.run.instance
        settings = self.instance.settings
        inferred = {dim.name for dim in self.cell.dims if dim.kind in ("inferred", "optional", "quotient")}
        same = settings.variants[False].same
        self.arguments = {
            **{name: size for name, size in settings.sizes.items() if name not in inferred and name not in same},
            **settings.options,
        }
        if spec.is_stack:
            self.arguments = _of_stack(spec, settings)
        self.x = {}
        for port in self.cell.inputs:
            if settings.connected(port):
                each = [inputs[port.name] for inputs in self.run.steps]
                self.x[port.name] = each[0] if port.constant else np.stack(each, 1)
        self.masks = {}
        if self.cell.mask.kind != "none":
            mask = np.array([[rng.random() < 0.7 for _ in range(STEPS)] for _ in range(BATCH)])
            self.masks = {"mask": mask}
        self.comparable = True

    def wanted(self, outcome: Outcome) -> None:
        """What the interpreter makes of it; whether it can be compared."""
        reference = Reference()
        state = list(self.run.state.values())
        with np.errstate(all="ignore"):
            outputs, states, final = self.instance.scan(
                self.run.weights, self.x, initial_state=state, reference=reference, **self.masks
            )
        self.oracle = [outputs, *final, *states]
        finite = all(np.isfinite(each).all() and np.abs(each).max(initial=0) < TOO_LARGE for each in self.oracle)
        self.comparable = finite and reference.margin > 1e-7

    def layer(self, how: Mapping):
        layer = self.Layer(**self.arguments, dtype="float64", **EVERYTHING, **how)
        shapes = {name: value.shape for name, value in self.x.items()}
        layer.build(shapes if len(shapes) > 1 else next(iter(shapes.values())))
        for weight, value in zip(layer.trainable_weights, self.run.weights.values(), strict=True):
            weight.assign(value)
        return layer

    def given(self) -> dict | tf.Tensor:
        x = {name: tf.constant(value) for name, value in self.x.items()}
        return x if len(x) > 1 else next(iter(x.values()))

    def values(self, how: Mapping) -> tuple[list, list]:
        """What the layer returns, and the derivatives of a loss of it by x, state and weights."""
        layer, x = self.layer(how), self.given()
        state = [tf.constant(value) for value in self.run.state.values()]
        sources = [*tf.nest.flatten(x), *state, *layer.trainable_weights]
        with tf.GradientTape() as tape:
            tape.watch([*tf.nest.flatten(x), *state])
            values = tf.nest.flatten(layer(x, initial_state=state, **self.masks))
            loss = tf.add_n([tf.reduce_sum(tf.sin((1 + index) * value)) for index, value in enumerate(values)])
        slopes = tape.gradient(loss, sources)
        slopes = [
            tf.zeros_like(at) if slope is None else tf.convert_to_tensor(slope) for at, slope in zip(sources, slopes)
        ]
        return [each.numpy() for each in values], [each.numpy() for each in slopes]

    def compare(self, found: Mapping, outcome: Outcome) -> None:
        plain = found.get("loop")
        for way, (values, slopes) in found.items():
            if not _alike(values, self.oracle):
                outcome.failures.append(Failure(f"generated: {way}: other values", _apart(values, self.oracle)))
            elif plain and not _alike(slopes, plain[1]):
                outcome.failures.append(Failure(f"generated: {way}: another gradient", _apart(slopes, plain[1])))

    def saved(self, wanted: list, outcome: Outcome) -> None:
        """The layer from its configuration, with its weights put back."""
        layer = self.layer({"jit_compile": False})
        twin = self.Layer.from_config(layer.get_config())
        twin.build(
            {name: v.shape for name, v in self.x.items()} if len(self.x) > 1 else next(iter(self.x.values())).shape
        )
        twin.set_weights(layer.get_weights())
        state = [tf.constant(value) for value in self.run.state.values()]
        came = [each.numpy() for each in tf.nest.flatten(twin(self.given(), initial_state=state, **self.masks))]
        outcome.note("saved and loaded")
        if self.comparable and not _alike(came, wanted):
            outcome.failures.append(Failure("generated: loaded: other values", _apart(came, wanted)))


def _of_stack(spec: Spec, settings) -> dict[str, object]:
    """What a stack of two layers is given."""
    sizes = dict(settings.sizes)
    layered = {name: size for name, size in sizes.items() if name.startswith(("layer1_", "layer2_"))}
    out = {name: size for name, size in sizes.items() if name not in layered and name != "input"}
    for name in dict.fromkeys(name.partition("_")[2] for name in layered):
        if f"layer1_{name}" in layered and f"layer2_{name}" in layered and name == "units":
            out[name] = [layered[f"layer1_{name}"], layered[f"layer2_{name}"]]
    if "units" in sizes:
        out["depth"] = 2
    return {**out, **settings.options}


def _alike(came: list, wanted: list) -> bool:
    return len(came) == len(wanted) and all(
        one.shape == other.shape
        and np.allclose(one, other, rtol=CLOSE, atol=CLOSE * max(1.0, np.abs(other).max(initial=0)))
        for one, other in zip(came, wanted)
    )


def _apart(came: list, wanted: list) -> str:
    if len(came) != len(wanted):
        return f"{len(came)} arrays instead of {len(wanted)}"
    for index, (one, other) in enumerate(zip(came, wanted)):
        if one.shape != other.shape:
            return f"array {index}: {one.shape} instead of {other.shape}"
    return "largest differences " + " ".join(f"{np.abs(a - b).max(initial=0):.2g}" for a, b in zip(came, wanted))
