"""Whether what float64 shows against a law is so: the same step again, in intervals of many digits.

An element of an array is an `Interval` that holds the number; UNDEFINED, where there is none (`0 / 0`); or UNSURE,
where so many digits do not tell. The operations are those of `images`, by which laws are proved.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial

import numpy as np

from cellgen.interpret import Instance, Scope, evaluate, met, shifted, windows
from cellgen.ir import OPS, RANGE, Interval, Level, Node, Number, Path, Ref, Said, State, Type, defined, intervals, kept

DIGITS = (40, 160)  # tried one after the other

UNDEFINED, UNSURE = "undefined", "unsure"

Types = Mapping[Path, Type]


def number(value) -> Interval:
    """Of a rational, or of the float that it is."""
    return intervals.point(Fraction(value))


def numbers(array) -> np.ndarray:
    """Floats, taken as exactly what they are."""
    return _each(number, 1)(np.asarray(array, np.float64))


# --- operations -----------------------------------------------------------------------------------------------------


def _each(function: Callable, arity: int) -> Callable:
    ufunc = np.frompyfunc(function, arity, 1)
    return lambda *arrays: _array(ufunc(*arrays))


def _array(value) -> np.ndarray:
    if isinstance(value, np.ndarray):
        return value
    out = np.empty((), dtype=object)
    out[()] = value
    return out


def _apply(op: str, *args):
    if UNSURE in args:
        return UNSURE
    if UNDEFINED in args:
        return UNDEFINED
    has_value = defined(op, *args)
    if not has_value:
        return UNSURE if has_value is None else UNDEFINED
    return intervals.rounded(RANGE[op](*args), kept())


def _where(condition, a, b):
    """What is not chosen may be anything."""
    if condition in (UNSURE, UNDEFINED):
        return condition
    if condition == intervals.point(1):
        return a
    if condition == intervals.point(0):
        return b
    return UNSURE if a in (UNSURE, UNDEFINED) or b in (UNSURE, UNDEFINED) else intervals.hull(a, b)


_ADD = np.frompyfunc(partial(_apply, "add"), 2, 1, identity=intervals.point(0))
_MUL, _DIV = (np.frompyfunc(partial(_apply, op), 2, 1) for op in ("mul", "div"))


def _einsum(a: np.ndarray, b: np.ndarray, axes: str) -> np.ndarray:
    inputs, out = axes.split("->")
    left, right = inputs.split(",")
    summed = [axis for axis in dict.fromkeys(left + right) if axis not in out]
    every = [*out, *summed]

    def spread(array: np.ndarray, mine: str) -> np.ndarray:
        turned = array.transpose([mine.index(axis) for axis in every if axis in mine])
        return turned.reshape([array.shape[mine.index(axis)] if axis in mine else 1 for axis in every])

    found = _array(_MUL(spread(a, left), spread(b, right)))
    for _ in summed:
        found = _sum(found, found.ndim - 1)
    return found


def _conv(x: np.ndarray, kernel: np.ndarray, **how: int) -> np.ndarray:
    parts = windows(x, kernel.shape[:-2], **how, nothing=_array(number(0)))
    return _einsum(parts, kernel, "{},{}->{}".format(*met(kernel)))


def _sum(x: np.ndarray, axis: int) -> np.ndarray:
    return _array(_ADD.reduce(x, axis=axis))


def _mean(x: np.ndarray, axis: int, keepdims: bool = False) -> np.ndarray:
    return _array(_DIV(_array(_ADD.reduce(x, axis=axis, keepdims=keepdims)), number(x.shape[axis])))


def _softmax(x: np.ndarray, axis: int) -> np.ndarray:
    powers = ENCLOSED["exp"](x)
    return _array(_DIV(powers, _ADD.reduce(powers, axis=axis, keepdims=True)))


def _normalize(x: np.ndarray, epsilon: np.ndarray, axes: tuple[int, ...], kind: str) -> np.ndarray:
    def mean(array):
        for axis in axes:
            array = _mean(array, axis, keepdims=True)
        return array

    x = ENCLOSED["sub"](x, mean(x)) if kind == "layer" else x
    spread = ENCLOSED["add"](mean(ENCLOSED["square"](x)), epsilon)
    return ENCLOSED["div"](x, ENCLOSED["sqrt"](spread))


ENCLOSED: dict[str, Callable] = {
    **{name: _each(partial(_apply, name), op.arity) for name, op in OPS.items() if op.shape == "elementwise"},
    "where": _each(_where, 3),
    "matmul": _einsum,
    "outer": _einsum,
    "conv": _conv,
    "range": lambda size: numbers(np.arange(size)),
    "sum": _sum,
    "mean": _mean,
    "softmax": _softmax,
    "roll": lambda x, axis, by: np.roll(x, by, axis),
    "shift": partial(shifted, zero=number(0)),
    "cumsum": lambda x, axis: _array(_ADD.accumulate(x, axis=axis, dtype=object)),
    "normalize": _normalize,
}
"""Each operation over arrays of intervals, as `arithmetic.NUMPY` has it over arrays of floats."""


# --- a step, again --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Again:
    """One sample of the steps of a run, in intervals.

    envs: what float64 made of each step: inputs and weights are taken from it as exactly what they are, an option as
    the decimal that it is written as. The first step starts from the cell's initial state, or as it did there if
    `given`. impose: as for `evaluate`, in the last step.
    """

    instance: Instance
    training: bool
    envs: tuple[Mapping[str, np.ndarray], ...]
    row: int
    given: bool
    impose: Mapping[Node, float | list | Said]

    def env(self) -> dict[str, np.ndarray]:
        """The values of the last step. In a context of `precise`, which says how exact they are."""
        scope, cell = self._scope(), self.instance.cell
        statements = self.instance.settings.live(scope.variant)
        made = {each.name for each in statements}
        impose = {
            node: each if isinstance(each, Said) else numbers(each) if isinstance(each, list) else number(each)
            for node, each in self.impose.items()
        }
        found, state = {}, None
        for env in self.envs:
            read = {name for name in env if name not in made and (self.given or not name.endswith("[t-1]"))}
            found = {name: self._mine(name, env[name], scope) for name in sorted(read)}
            if state is None:
                state = {} if self.given else {f"{each.name}[t-1]": self._start(each, found) for each in cell.states}
            step = partial(evaluate, statements, found | state, scope)
            found = settled(impose, step, self.value) if env is self.envs[-1] else step(None)
            state = {
                f"{each.name}[t-1]": scope.fit(
                    found[each.name], scope.variant.names[each.name], Type(each.shape, Level.CARRIED)
                )
                for each in cell.states
            }
        return found

    def value(self, node: Node, path: Path, types: Types, env: Mapping) -> np.ndarray:
        """An expression over the values of a step."""
        return replace(self._scope(), types=types).value(node, path, env)

    def _scope(self) -> Scope:
        return replace(self.instance._scope(1, self.training), operations=ENCLOSED, number=number)

    def _mine(self, name: str, value: np.ndarray, scope: Scope) -> np.ndarray:
        settings = self.instance.settings
        if isinstance(settings.options.get(name), float):
            return _array(number(settings.exactly(Ref(name))))
        rate = next((each.rate for each in settings.cell.noises if (each.name, each.kind) == (name, "keep")), None)
        type = scope.variant.names.get(name)
        batched = name.endswith("[t-1]") or type is not None and type.level.has_batch
        mine = value[self.row : self.row + 1] if batched else value
        if rate is None:
            return numbers(mine)
        kept = 1 - settings.exactly(rate)  # 0 where everything is dropped
        return _each(lambda each: number(1 / kept if each else 0), 1)(mine)

    def _start(self, state: State, found: Mapping[str, np.ndarray]) -> np.ndarray:
        shape = (1, *self.instance.settings.shape(state.shape))
        first = found[state.initial.name] if isinstance(state.initial, Ref) else None
        value = state.initial.value if isinstance(state.initial, Number) else 0
        out = np.empty(shape, dtype=object)
        out[...] = number(value) if first is None else first
        return out


def settled(impose: Mapping, evaluate: Callable, value: Callable) -> Mapping:
    """The values of a step under interventions: numbers first, then what expressions have in the step so far."""
    known = {node: each for node, each in impose.items() if not isinstance(each, Said)}
    for node, each in impose.items():
        if isinstance(each, Said):
            known[node] = value(each.node, ("fact",), each.types, evaluate(known))
    return evaluate(known)


def undefined(env: Mapping[str, np.ndarray], names: Iterable[str]) -> str | None:
    """The first of these names whose value is no number."""
    return next((name for name in names if any(each is UNDEFINED for each in env[name].flat)), None)
