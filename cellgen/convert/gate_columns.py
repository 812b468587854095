"""Which column of which weight is which gate of an LSTM, a GRU or a simple RNN, found by running the equations.

Input: a spec and what an instance is built with. Output: a `Layout`. The shapes say which weights read the input and
which the state; which label is which gate is what makes the equations those of an LSTM, for random weights. Labels and
weights may have any names, therefore, and stand in any order, and nothing is taken for an LSTM that is none.

Weights are cut into *pieces*: by part (`x` rows that read the input, `h` that read the state, `b` and `rb` biases of
these two products, `p` peepholes, `w` the projection) and by role. The roles of an LSTM are i, f, g, o (g is the
candidate: c in Keras and ONNX, j in TensorFlow 1), of a GRU z, r, h (z keeps the state, h is the candidate: n in
torch), of a simple RNN h. A piece is a matrix (rows, units), a bias one of a single row; the projection is the piece
("w", "m") of shape (units, hidden).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

import numpy as np

from cellgen.compiler import Spec
from cellgen.interpret import Instance, Settings
from cellgen.ir import Cell, TypedCell, shape_text

Piece = tuple[str, str]  # part and role

ROLES = {"lstm": "ifgo", "gru": "zrh", "rnn": "h"}
CALLED = {"lstm": "LSTM", "gru": "GRU", "rnn": "simple RNN"}


class Refused(ValueError):
    """What cannot be converted, why, and what can be done instead."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """hidden: the size of the output, which is `units` without a projection."""

    input: int
    units: int
    hidden: int

    def rows(self, part: str) -> int:
        return {"x": self.input, "h": self.hidden, "w": self.units}.get(part, 1)

    def columns(self, part: str) -> int:
        return self.hidden if part == "w" else self.units


@dataclass(frozen=True, slots=True)
class Block:
    """One array: its parts one under the other, and in each the columns of its roles side by side.

    form: `matrix`, `transposed`, or `vector`, the rows one after the other. optional: it may be missing, for zeros.
    """

    name: str
    parts: tuple[str, ...]
    roles: str
    form: str = "matrix"
    optional: bool = False

    def shape(self, sizes: Sizes) -> tuple[int, ...]:
        rows, columns = sum(map(sizes.rows, self.parts)), len(self.roles) * sizes.columns(self.parts[0])
        return {"matrix": (rows, columns), "transposed": (columns, rows), "vector": (rows * columns,)}[self.form]

    def unpack(self, array: np.ndarray, sizes: Sizes) -> dict[Piece, np.ndarray]:
        """An array of this `shape` -> its pieces."""
        matrix = array.T if self.form == "transposed" else array.reshape(sum(map(sizes.rows, self.parts)), -1)
        out, start, width = {}, 0, sizes.columns(self.parts[0])
        for part in self.parts:
            rows = matrix[start : start + sizes.rows(part)]
            start += len(rows)
            out |= {(part, role): rows[:, n * width : (n + 1) * width] for n, role in enumerate(self.roles)}
        return out

    def pack(self, pieces: Mapping[Piece, np.ndarray]) -> np.ndarray:
        """The pieces -> an array of this `shape`, a new one."""
        matrix = np.block([[pieces[part, role] for role in self.roles] for part in self.parts])
        return {"matrix": matrix, "transposed": matrix.T, "vector": matrix.ravel()}[self.form].copy()


@dataclass(frozen=True)
class Layout:
    """How the weights of a generated layer are laid out.

    kind: `lstm`, `gru` or `rnn`. reset: of a GRU, whether its reset gate stands `before` or `after` the product with
    the recurrent weights. blocks: the weights, in the layer's order. forget_bias: what the equations add to f
    themselves, besides the bias.
    """

    cell: str
    kind: str
    reset: str | None
    blocks: tuple[Block, ...]
    sizes: Sizes
    forget_bias: float = 0.0

    @property
    def parts(self) -> frozenset[str]:
        return frozenset(part for block in self.blocks for part in block.parts)


def layout(spec: Spec | str | Path, **given) -> Layout:
    """The layout of the weights that a layer of this spec has.

    spec: its path, or the name of a shipped one. given: the size of each dim, the inferred `input` too, and options,
    as the layer's constructor takes them; None is not given. Numbers that need not be given, such as `cell_clip`, and
    activations do not move a weight: the equations are run without the former, and with the latter's defaults.

    Raises `Refused` where the equations are those of no LSTM, GRU or simple RNN, `SpecError` where the spec has
    errors, ValueError for sizes and options that the cell does not have.
    """
    typed = _typed(spec)
    settings = Settings(typed, given)
    found, kind, sizes = _parts(typed, settings)
    name, forget = typed.cell.name, settings.options.get("forget_bias", 0.0)
    forget = forget if kind == "lstm" and isinstance(forget, float) else 0.0
    run = _run(typed, given, list(settings.weights))
    for reset, blocks in _candidates(found, kind):
        if run.is_that_of(kind, reset, blocks, forget):
            return Layout(name, kind, reset, blocks, sizes, forget)
    labels = " and ".join(f"`{', '.join(axis.labels)}`" for axis in typed.cell.axes)
    orders = f", whichever gates its labels {labels} are" if labels else ""
    raise Refused(
        f"{name} does not compute what {'an' if kind == 'lstm' else 'a'} {CALLED[kind]} does{orders}: weights of other "
        "frameworks would mean something else in it. Convert to a spec that it `reduces to`"
    )


def layout_of(spec: Spec | str | Path, layer) -> Layout:
    """The layout of the weights of a layer that was built, or of its cell. Raises as `layout` does."""
    typed, cell = _typed(spec), getattr(layer, "cell", layer)
    shapes = {weight.name.rpartition("/")[2].removesuffix(":0"): tuple(weight.shape) for weight in cell.weights}
    if type(cell).__name__ != f"{typed.cell.name}Cell":
        raise Refused(f"the layer is of {type(cell).__name__}, the spec of {typed.cell.name}Cell: give the layer's own")
    if not shapes:
        raise Refused(f"this {typed.cell.name} has no weights yet: build it, or call it once")
    config = cell.get_config()
    known = [*(dim.name for dim in typed.cell.dims if dim.kind != "inferred"), *(o.name for o in typed.cell.options)]
    given = {name: config[name] for name in known if name in config}
    inferred = {dim.name for dim in typed.cell.dims if dim.kind == "inferred"}
    width = typed.cell.inputs[0].shape[-1]
    for weight in Settings(typed, {**given, **dict.fromkeys(inferred, 1)}).variants[False].weights:
        if weight.shape and weight.shape[0] == width and len(width) == 1 and weight.name in shapes:
            given[width[0]] = shapes[weight.name][0]
    out = layout(spec, **given)
    wanted = {block.name: block.shape(out.sizes) for block in out.blocks}
    if shapes != wanted:
        raise Refused(f"the layer has the weights {_shown(shapes)}; the spec says {_shown(wanted)}: build it again")
    return out


def _shown(shapes: Mapping[str, tuple]) -> str:
    return ", ".join(f"{name} {shape}" for name, shape in shapes.items())


def _typed(spec: Spec | str | Path) -> TypedCell:
    spec = spec if isinstance(spec, Spec) else Spec.at(spec)
    if spec.is_stack:
        raise Refused(f"`{spec.stem}` is a stack: convert the weights of each layer with the spec of its cell")
    return spec.typed(laws=False)


# --- parts, by shape ------------------------------------------------------------------------------------------------


def _parts(typed: TypedCell, settings: Settings) -> tuple[dict[str, str], str, Sizes]:
    """What each weight holds (a part, or `two` biases in two rows), the kind of the cell, and its sizes.

    A cell with a memory besides its output can only be an LSTM; without one a labelled axis makes it a GRU.
    """
    cell = typed.cell
    memories = [state.shape for state in cell.states if state.name != cell.output]
    outputs = [state.shape for state in cell.states if state.name == cell.output]
    inputs = [port.shape for port in cell.inputs]
    flat = all(len(shape) == 1 for shape in (*memories, *outputs, *inputs))
    if len(inputs) != 1 or len(outputs) != 1 or len(memories) > 1 or not flat:
        raise _none(cell, "those read one input, and carry their output and at most one memory")
    variant = settings.variants[False]
    (input,), (hidden,), (units,) = inputs[0], outputs[0], (memories or outputs)[0]
    hidden = tuple(variant.same.get(atom, atom) for atom in hidden)
    shapes = {weight.name: weight.shape for weight in variant.weights}
    lengths = {axis.name: len(axis.labels) for axis in cell.axes if not axis.widths}
    four = 4 if memories else 3
    gates = next((axis.name for axis in cell.axes if lengths.get(axis.name) == four), None)
    kind = "lstm" if memories else "gru" if gates else "rnn"
    columns = (gates, *units) if gates else units
    two = {(name,) for name, length in lengths.items() if length == 2} | {(2,)}
    known = {(input, columns): "x", (hidden, columns): "h", (columns,): "b", **{(side, columns): "two" for side in two}}
    if hidden != units:
        known[units, hidden] = "w"
    if kind == "lstm":
        known[(units,)] = "p"
    found = {}
    for name in settings.weights:
        if shapes[name] not in known:
            raise _none(
                cell,
                f"{name} {shape_text(shapes[name])} is no weight of theirs. Those have the gates side by side, 4 in an "
                "LSTM, 3 in a GRU, in one weight for the input and one for the state",
            )
        found[name] = known[shapes[name]]
    held = list(found.values())
    if held.count("x") != 1 or held.count("h") != 1 or held.count("p") not in (0, 3) or _biases(found) > 2:
        raise _none(
            cell,
            f"it has {', '.join(found)}. Those have one weight for the input, one for the state, at most two biases, "
            "and three peepholes or none",
        )
    return found, kind, Sizes(settings.size(input), settings.size(units), settings.size(hidden))


def _none(cell: Cell, why: str) -> Refused:
    return Refused(f"{cell.name} is no LSTM, GRU or simple RNN of other frameworks: {why}")


def _biases(found: Mapping[str, str]) -> int:
    return sum({"b": 1, "two": 2}.get(what, 0) for what in found.values())


# --- roles, by running it -------------------------------------------------------------------------------------------


def _candidates(found: Mapping[str, str], kind: str) -> Iterator[tuple[str | None, tuple[Block, ...]]]:
    """Every way in which labels, biases and peepholes could be those of a framework's cell, with every reset."""
    peepholes = list(permutations("ifo", 3)) if "p" in found.values() else [()]
    for reset in ("after", "before") if kind == "gru" else (None,):
        for roles in permutations(ROLES[kind]):
            for biases in permutations(("b", "rb")) if _biases(found) == 2 else [("b",)]:
                for order in peepholes:
                    yield reset, tuple(_blocks(found, "".join(roles), biases, order))


def _blocks(found: Mapping[str, str], roles: str, biases: Sequence[str], peepholes: Sequence[str]) -> Iterator[Block]:
    biases, peepholes = iter(biases), iter(peepholes)
    for name, what in found.items():
        match what:
            case "two":
                yield Block(name, tuple(biases), roles)
            case "b":
                yield Block(name, (next(biases),), roles, "vector")
            case "p":
                yield Block(name, ("p",), next(peepholes), "vector")
            case "w":
                yield Block(name, ("w",), "m")
            case _:
                yield Block(name, (what,), roles)


@dataclass(frozen=True)
class _Run:
    """One step of the equations: what went in, with small sizes and random weights, and the state that came out."""

    sizes: Sizes
    weights: Mapping[str, np.ndarray]
    x: np.ndarray
    h: np.ndarray
    c: np.ndarray | None
    after: tuple[np.ndarray, ...]  # h, and c if there is one

    def is_that_of(self, kind: str, reset: str | None, blocks: Sequence[Block], forget_bias: float) -> bool:
        pieces = {}
        for block in blocks:
            pieces |= block.unpack(self.weights[block.name], self.sizes)
        wanted = _step(kind, reset, pieces, self.x, self.h, self.c, forget_bias)
        return all(np.allclose(came, value, rtol=0, atol=1e-9) for came, value in zip(self.after, wanted, strict=True))


def _run(typed: TypedCell, given: Mapping, names: list[str]) -> _Run:
    kinds = {option.name: option.kind for option in typed.cell.options}
    small = {name: n for n, name in enumerate((dim.name for dim in typed.cell.dims), start=2)}
    dims = {name: small[name] for name in small if given.get(name) is not None}
    options = {name: value for name, value in given.items() if kinds.get(name) not in (None, "activation")}
    options |= {name: None for name, kind in kinds.items() if kind == "maybe"}
    instance = Instance(typed, {**dims, **options})
    if list(instance.weights) != names:
        raise Refused(f"{typed.cell.name} has other weights where a number that need not be given is not given")
    rng = np.random.default_rng(0)
    weights = {name: rng.normal(scale=0.7, size=shape) for name, shape in instance.weights.items()}
    _, _, sizes = _parts(typed, instance.settings)
    x, h = rng.normal(size=(3, sizes.input)), rng.normal(size=(3, sizes.hidden))
    output, *memories = sorted(typed.cell.states, key=lambda state: state.name != typed.cell.output)
    c = rng.normal(size=(3, sizes.units)) if memories else None
    before = {output.name: h} | {state.name: c for state in memories}
    _, after = instance.step(weights, x, before)
    return _Run(sizes, weights, x, h, c, tuple(getattr(after, state.name) for state in (output, *memories)))


def _step(kind, reset, pieces, x, h, c, forget_bias) -> tuple[np.ndarray, ...]:
    """One step of the cell that all frameworks agree on -> h, and of an LSTM c; each (batch, size)."""

    def sigmoid(value):
        return 1 / (1 + np.exp(-value))

    def of_x(role):
        return x @ pieces["x", role] + pieces.get(("b", role), 0)

    def of_h(role, scale=1):
        return (scale * h) @ pieces["h", role] + pieces.get(("rb", role), 0)

    def seen(role, memory):
        return pieces["p", role] * memory if ("p", role) in pieces else 0

    match kind:
        case "rnn":
            return (np.tanh(of_x("h") + of_h("h")),)
        case "gru":
            z, r = (sigmoid(of_x(role) + of_h(role)) for role in "zr")
            n = np.tanh(of_x("h") + (r * of_h("h") if reset == "after" else of_h("h", r)))
            return (z * h + (1 - z) * n,)
    i = sigmoid(of_x("i") + of_h("i") + seen("i", c))
    f = sigmoid(of_x("f") + of_h("f") + seen("f", c) + forget_bias)
    c = f * c + i * np.tanh(of_x("g") + of_h("g"))
    o = sigmoid(of_x("o") + of_h("o") + seen("o", c))
    m = o * np.tanh(c)
    return m @ pieces["w", "m"] if ("w", "m") in pieces else m, c
