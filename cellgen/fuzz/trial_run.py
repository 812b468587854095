"""The generated code of a random cell, run: every way of running it against the interpreter and against each other.

In float64. Derivatives are compared with TensorFlow's own, through the plain loop of `debug=True`. What training draws
is compared between ways that have one seed; a model of the layer goes through a `.keras` file.
"""

import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from random import Random

import numpy as np
import tensorflow as tf

from cellgen.compiler import Spec
from cellgen.fuzz.random_run import BATCH, run_of
from cellgen.fuzz.trial import TOO_LARGE, Failure, Outcome, tail
from cellgen.interpret import Reference, Starting
from cellgen.ir.initial_values import formulas
from cellgen.output import module

CLOSE, STEPS = 1e-7, 5
WAYS = {
    "loop": {"debug": True},
    "graph": {"jit_compile": False},
    "unrolled": {"jit_compile": False, "unroll": True},
    "three at once": {"jit_compile": False, "unroll": 3},
    "low memory": {"jit_compile": False, "memory": "low"},
}
COMPILED = {"XLA": {"jit_compile": True}, "XLA, low memory": {"jit_compile": True, "memory": "low"}}
SHARED = 32  # samples: a batch that XLA scans in shares
EVERYTHING = {"return_sequences": True, "return_state": True, "return_all_states": True}


class Runs:
    """What runs the generated code of a case; `compiled`: by XLA too."""

    def __init__(self, compiled: bool = False):
        self.ways, self.compiled = WAYS | (COMPILED if compiled else {}), compiled

    def __call__(self, files: Mapping[str, str], spec: Spec, typed, outcome: Outcome, seed: int) -> None:
        built = module(spec.stem, files[f"{spec.stem}.py"])
        rng = Random(seed)
        name = spec.stack().name if spec.is_stack else typed.cell.name
        shared = self.compiled and rng.random() < 0.5
        trial = _Trial(getattr(built, name), typed, spec, rng, SHARED if shared else BATCH)
        trial.wanted(outcome)
        found = {}

        def tried(way: str, work: Callable) -> None:
            try:
                work()
            except Exception as error:
                outcome.failures.append(Failure(f"generated: {way}: {_short(error)}", tail(error)))

        ways = {**self.ways, **self.at_once(trial.Layer.cell_class.scan.parts.values())}
        outcome.note("solved for all steps at once", int(len(ways) > len(self.ways)))
        for way, how in ways.items():
            tried(way, lambda way=way, how=how: found.update({way: trial.values(how)}))
        outcome.note("run as generated code")
        tried("initial values", lambda: trial.started(outcome))
        if self.compiled:
            outcome.note("run by XLA")
            outcome.note("run in shares", int(trial.Layer.cell_class.scan.shares(trial.batch) > 1))
        if trial.comparable:
            trial.compare(found, outcome)
        if "graph" in found:
            tried("saving", lambda: trial.saved(found["graph"][0], outcome))
            if self.compiled or rng.random() < 0.3:
                tried("a file", lambda: trial.filed(outcome))
        if typed.cell.noises:
            tried("what is drawn", lambda: trial.drawn(self.ways, outcome))

    def at_once(self, kinds: Iterable[str]) -> dict[str, dict]:
        """The ways that find the states of all steps at once, of a cell whose parts are of these kinds."""
        parallel = "newton" if "newton" in kinds else "scan"
        modes = {"": False, ", XLA": True} if self.compiled else {"": False}
        ways = {f"at once{name}": {"jit_compile": jit, "parallel": parallel} for name, jit in modes.items()}
        return ways if kinds else {}


def _short(error: Exception) -> str:
    message = " ".join(str(error).split())
    for sign in ("{{", "`", "'", '"', "[", "(", ":"):
        message = message.split(sign)[0]
    return f"{type(error).__name__} {message[:60]}".strip()


class _Trial:
    """One layer's class with an instance's sizes and options, weights, an input, a state and a mask."""

    def __init__(self, layer: type, typed, spec: Spec, rng: Random, batch: int):
        self.Layer, self.cell, self.batch = layer, typed.cell, batch
        variants = [each for each in typed.variants if not each.variant.get("training")]
        self.run = run_of(typed, rng.choice(variants), rng, steps=STEPS, batch=batch)
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
            mask = np.array([[rng.random() < 0.7 for _ in range(STEPS)] for _ in range(batch)])
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
        layer = self.Layer(**self.arguments, **{"dtype": "float64", **EVERYTHING, **how})
        layer.build(self.shapes())
        for variable, value in zip(self.variables(layer), self.run.weights.values(), strict=True):
            variable.assign(value)
        return layer

    def variables(self, layer) -> list:
        """The weights of a layer in the order of the interpreter's."""
        trained = iter(layer.trainable_weights)
        frozen = (each for each in layer.non_trainable_weights if each.name not in layer.cell.scheduled)
        return [next(frozen if name in self.cell.frozen else trained) for name in self.run.weights]

    def started(self, outcome: Outcome) -> None:
        """What weights start from that nothing is drawn for, beside the interpreter."""

        def draw(name, arguments, shape):
            if name in ("ones", "zeros"):
                return np.full(shape, float(name == "ones"))
            raise LookupError

        layer = self.Layer(**self.arguments, dtype="float64")
        layer.build(self.shapes())
        values = dict(zip(self.run.weights, self.variables(layer)))
        for param in self.cell.params:
            if param.name in values and any(map(formulas, (init for _, init in param.init))):
                came = np.asarray(values[param.name])
                try:
                    wanted = Starting(self.instance.settings, draw).weight(param, values, came)
                except LookupError:
                    continue
                outcome.note("a weight that starts from a formula")
                if not np.allclose(came, wanted, rtol=1e-9, atol=1e-9):
                    outcome.failures.append(Failure("generated: another initial value", _apart([came], [wanted])))

    def shapes(self) -> dict | tuple:
        shapes = {name: value.shape for name, value in self.x.items()}
        return shapes if len(shapes) > 1 else next(iter(shapes.values()))

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
        twin.build(self.shapes())
        twin.set_weights(layer.get_weights())
        state = [tf.constant(value) for value in self.run.state.values()]
        came = [each.numpy() for each in tf.nest.flatten(twin(self.given(), initial_state=state, **self.masks))]
        outcome.note("saved and loaded")
        if self.comparable and not _alike(came, wanted):
            outcome.failures.append(Failure("generated: loaded: other values", _apart(came, wanted)))

    def filed(self, outcome: Outcome) -> None:
        """A model of the layer, through a file."""
        constant = {port.name for port in self.cell.inputs if port.constant}
        shapes = {name: v.shape[1:] if name in constant else (None, *v.shape[2:]) for name, v in self.x.items()}
        ports = {name: tf.keras.Input(shape, dtype="float64", name=name) for name, shape in shapes.items()}
        how = {"jit_compile": False, "return_state": False, "return_all_states": False}
        layer, given = self.layer(how), self.given()
        model = tf.keras.Model(ports, layer(ports if len(ports) > 1 else next(iter(ports.values()))))
        with tempfile.TemporaryDirectory() as folder:
            path, known = Path(folder) / "model.keras", {self.Layer.__name__: self.Layer}
            model.save(path)
            loaded = tf.keras.models.load_model(path, custom_objects=known)
        outcome.note("through a file")
        x = given if isinstance(given, dict) else dict.fromkeys(ports, given)
        came, wanted = (_arrays(each) for each in (loaded(x), layer(given)))
        if self.comparable and not _alike(came, wanted):
            outcome.failures.append(Failure("generated: through a file: other values", _apart(came, wanted)))

    def drawn(self, ways: Mapping, outcome: Outcome) -> None:
        """In training, of one seed: the same bits again, and the same values in every way, eagerly and in a graph."""
        x, state = self.given(), [tf.constant(value) for value in self.run.state.values()]

        def run(how: Mapping, graph: bool = False) -> list[np.ndarray]:
            layer = self.layer({"seed": 7, **how})

            def call():
                return layer(x, initial_state=state, training=True, **self.masks)

            return _arrays((tf.function(call) if graph else call)())

        first, again = run(ways["graph"]), run(ways["graph"])
        outcome.note("drawn by seed")
        if any(one.tobytes() != other.tobytes() for one, other in zip(again, first)):
            outcome.failures.append(Failure("generated: what is drawn again is other", _apart(again, first)))
        finite = all(np.isfinite(each).all() and np.abs(each).max(initial=0) < TOO_LARGE for each in first)
        for way, graph in [*((way, False) for way in ways), ("graph", True)] if finite and self.comparable else ():
            if not _alike(came := run(ways[way], graph), first):
                outcome.failures.append(Failure(f"generated: {way}: other draws", _apart(came, first)))


def _arrays(values) -> list[np.ndarray]:
    return [np.asarray(each) for each in tf.nest.flatten(values)]


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
