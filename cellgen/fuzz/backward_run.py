"""The derived step in numpy float64: what `derive` made of a cell, run forward and back.

Nothing here reads what writes code, and nothing of the rules' text for TensorFlow: a rule is evaluated node by node, as
`evaluate` does it of the author's equations.

    outputs, final, slopes = Derived(joint, given).slopes(weights, inputs, state, d_output, d_final)
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from cellgen.derive import UNARY, Joint
from cellgen.interpret import NUMPY, Scope, Settings, evaluate
from cellgen.ir import ADJOINT, EVERY, Apply, Level, Node, Number, Path, Ref, Type

_erf = np.vectorize(math.erf, otypes=[np.float64])

ELEMENTWISE = NUMPY | {"sign": np.sign, "erf": _erf, "zeros": np.zeros_like}


class Backward(Scope):
    """`Scope` that knows what derivatives are made of."""

    def value(self, node: Node, path: Path, env: Mapping[str, np.ndarray]) -> np.ndarray:
        type = self.types[path]
        match node:
            case Apply("activation_gradient", args):
                d, x, y = (self._fitted(arg, (*path, index), env, type) for index, arg in enumerate(args))
                slope = UNARY[self.settings.options[node.attr("option")]](Ref("d"), Ref("x"), Ref("y"))
                value = rule(slope, {"d": d, "x": x, "y": y})
            case Apply(op, args) if op in ADJOINT and EVERY[op].shape == "elementwise":
                value = ELEMENTWISE[op](*(self._fitted(arg, (*path, i), env, type) for i, arg in enumerate(args)))
            case Apply(op, args) if op in ADJOINT:
                below = [
                    self.value(arg, (*path, i), env) if self._there(node, i) else None for i, arg in enumerate(args)
                ]
                value = getattr(self, f"_{op}")(node, path, *below)
            case _:
                return super().value(node, path, env)
        return np.asarray(value).reshape(self.stored(type))

    def _there(self, node: Apply, index: int) -> bool:
        """Whether an argument is there: a part is not, where the variant does not have its label."""
        return node.op != "join" or list(self.settings.parts[node.attr("axis")].values())[index][1] > 0

    def _cumsum_back(self, node: Apply, path: Path, d):
        axis = self._places(node, [self.types[(*path, 0)]])["axis"]
        return np.flip(np.cumsum(np.flip(d, axis), axis=axis), axis)

    def _softmax_back(self, node: Apply, path: Path, d, y):
        return y * (d - (d * y).sum(axis=node.attr("at"), keepdims=True))

    def _rstd(self, node: Apply, path: Path, x, epsilon):
        over, kind = len(node.attr("over")), node.attr("kind")
        axes = tuple(range(x.ndim - over, x.ndim))
        centred = x - (x.mean(axis=axes, keepdims=True) if kind == "layer" else 0)
        return 1 / np.sqrt(np.square(centred).mean(axis=axes, keepdims=True) + epsilon)

    def _normalize_back(self, node: Apply, path: Path, d, y, rstd):
        axes = tuple(range(d.ndim - node.attr("axes"), d.ndim))
        y = np.broadcast_to(y, d.shape)
        inner = d - y * (d * y).mean(axis=axes, keepdims=True)
        if node.attr("kind") == "layer":
            inner = inner - d.mean(axis=axes, keepdims=True)
        front = () if self.types[(*path, 2)].level.has_batch else (1,)  # of weights: one for all samples
        return rstd.reshape(*front, *rstd.shape, *[1] * (d.ndim - rstd.ndim - len(front))) * inner

    def _conv_back(self, node: Apply, path: Path, d, kernel):
        return conv_back(d, kernel, dict(node.attrs))

    def _conv_kernel_back(self, node: Apply, path: Path, d, x, kernel):
        return conv_kernel_back(d, x, kernel, dict(node.attrs))

    def _product(self, node: Apply, path: Path, a, b):
        batched = [self.types[(*path, index)].level.has_batch for index in (0, 1)]
        left, right = ("Z" * there + node.attr(side) for there, side in zip(batched, ("left", "right")))
        return np.einsum(f"{left},{right}->{'Z' * self.types[path].level.has_batch}{node.attr('out')}", a, b)

    def _sum_to(self, node: Apply, path: Path, d):
        """The adjoint of `fit`: what is broadcast to each place is summed."""
        have, want = self.types[path], self.types[(*path, 0)]
        shape = self.stored(have)
        places = self.fit(np.arange(math.prod(shape)).reshape(shape), have, want)
        return np.bincount(places.reshape(-1), d.reshape(-1), minlength=math.prod(shape))

    def _spread(self, node: Apply, path: Path, d):
        shape = self.stored(self.types[path])
        at = len(shape) + node.attr("at")
        rest = [*shape[:at], *shape[at + 1 :]]
        d = d.reshape(-1, *rest[1:]) if rest else d.reshape(())
        spread = np.expand_dims(np.broadcast_to(d, rest), at)
        return np.broadcast_to(spread, shape) / (shape[at] if node.attr("mean") else 1)

    def _join(self, node: Apply, path: Path, *parts):
        type = self.types[path]
        out = np.zeros(self.stored(type))
        axis = self.settings.cell.axis(node.attr("axis"))
        for label, part in zip(axis.labels, parts):
            place = self.part(out, type, label)
            if place.size:
                place[...] = part.reshape(place.shape)
        return out


def conv_back(d: np.ndarray, kernel: np.ndarray, how: Mapping[str, int]) -> np.ndarray:
    """What reaches the value of a convolution: each number of d, by the kernel, to what the kernel met there."""
    around, inner, places = _met(d, kernel, how)
    for tap, place in places.items():
        around[place] += d @ kernel[tap].T
    return around[inner]


def conv_kernel_back(d: np.ndarray, x: np.ndarray, kernel: np.ndarray, how: Mapping[str, int]) -> np.ndarray:
    around, inner, places = _met(d, kernel, how)
    around[inner], found = x, np.zeros_like(kernel)
    for tap, place in places.items():
        found[tap] = np.tensordot(around[place], d, (range(d.ndim - 1),) * 2)
    return found


def _met(d: np.ndarray, kernel: np.ndarray, how: Mapping[str, int]):
    """Zeros for the value of a convolution and what is around it, where in them the value is, and what each tap met."""
    stride, dilation = how.get("stride", 1), how.get("dilation", 1)
    counts, taps = d.shape[1:-1], kernel.shape[:-2]
    sizes = [count * stride for count in counts]
    reach = [(count - 1) * stride + (tap - 1) * dilation + 1 for count, tap in zip(counts, taps)]
    front = [max(0, reached - size) // 2 for reached, size in zip(reach, sizes)]
    inner = (slice(None), *(slice(at, at + size) for at, size in zip(front, sizes)))
    places = {
        tap: (
            slice(None),
            *(slice(at * dilation, at * dilation + (n - 1) * stride + 1, stride) for at, n in zip(tap, counts)),
        )
        for tap in np.ndindex(*taps)
    }
    return np.zeros((len(d), *map(max, sizes, reach), kernel.shape[-2])), inner, places


def rule(node: Node, env: Mapping[str, np.ndarray]) -> np.ndarray:
    match node:
        case Number(value):
            return np.asarray(float(value))
        case Ref(name):
            return env[name]
        case Apply(op, args):
            return ELEMENTWISE[op](*(rule(arg, env) for arg in args))
    raise TypeError(f"no rule for {node}")


class Derived:
    """A derived cell as a constructor call makes it. given: as for `interpret.Instance`."""

    def __init__(self, joint: Joint, given: Mapping):
        self.joint, self.settings = joint, Settings(joint.typed, given)
        self.cell = joint.typed.cell

    def slopes(
        self,
        weights: Mapping[str, np.ndarray],
        inputs: Sequence[Mapping[str, np.ndarray]],
        state: Mapping[str, np.ndarray],
        d_output: np.ndarray,
        d_final: Mapping[str, np.ndarray],
        training: bool = False,
    ) -> tuple[np.ndarray, dict[str, np.ndarray], dict[str, np.ndarray]]:
        """The output of each step (batch, time, ...), the final states, and derivatives by name.

        inputs: of each step every port, (batch, ...), filled with defaults, and what is drawn. d_output, d_final: the
        cotangents of the outputs (batch, time, ...) and of the last states. Derivatives are those of weights, of ports
        (batch, time, ...), and of the first state, as `h[t-1]`.
        """
        variant, (batch, time) = self.settings.variants[training], d_output.shape[:2]
        scope = Backward(self.settings, variant, variant.types, batch)
        names = [each.name for each in self.cell.equations[: self.joint.forward]]
        live = [each for each in self.cell.equations if each.name in variant.live]
        ahead, back = ([each for each in live if (each.name in names) == first] for first in (True, False))
        numbers = {name: np.asarray(value) for name, value in self.settings.numbers.items()}
        steps, outputs = [], []
        carried = {each.name: Type(each.shape, Level.CARRIED) for each in self.cell.states}
        leaving = carried.get(self.cell.output) or Type(variant.names[self.cell.output].shape, Level.CARRIED)
        for t in range(time):
            env = {**numbers, **weights, **inputs[t]}
            env |= {f"{name}[t-1]": value for name, value in state.items()}
            env = evaluate(ahead, env, scope)
            state = {name: scope.fit(env[name], variant.names[name], type) for name, type in carried.items()}
            steps.append(env)
            outputs.append(scope.fit(env[self.cell.output], variant.names[self.cell.output], leaving))
        output, *given = self.joint.given
        found: dict[str, np.ndarray] = {}
        cotangents = dict(zip(carried, (d_final[name] for name in carried)))
        for t in reversed(range(time)):
            env = steps[t] | {output: d_output[:, t]} | dict(zip(given, cotangents.values()))
            env = evaluate(back, env, scope)
            cotangents = {
                name: scope.fit(env[d], variant.names[d], carried[name])
                for name, d in zip(carried, self.joint.carried, strict=True)
            }
            for (name, _, label), d in self.joint.sent:
                if d in variant.live:
                    gather(found, name, label, env[d], variant.names[name], scope, t, time)
        return np.stack(outputs, 1), state, found | {f"{name}[t-1]": value for name, value in cotangents.items()}


def gather(found: dict, name: str, label: str | None, value, type: Type, scope: Scope, t: int, time: int) -> None:
    """Adds what a step sends to a weight or a port, as a whole or a label of it."""
    whole = np.zeros(scope.stored(type))
    place = scope.part(whole, type, label) if label else whole
    place[...] = np.reshape(np.broadcast_to(value, place.shape) if np.ndim(value) == 0 else value, place.shape)
    if type.level.has_batch:
        history = found.setdefault(name, np.zeros((len(whole), time, *whole.shape[1:])))
        history[:, t] += whole
    else:
        found[name] = found.get(name, 0) + whole
