"""Expressions with sympy, lane by lane: arrays of polynomials over symbols."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property, partial
from math import prod

import numpy as np

from cellgen.derive.symbolic import Symbolic, objects
from cellgen.interpret import NUMPY, Scope, met, shifted, windows
from cellgen.ir import EVERY, Activate, Apply, Node, Number, Path, Type


@dataclass(frozen=True)
class Lanes(Scope):
    """`Scope` over sympy. `points`: the symbols of nodes at which expressions are cut, by path.

    centring: a layer norm is written as the RMS norm of lanes without their mean: that of values, which has no rule.
    """

    algebra: Symbolic = None
    centring: bool = False
    points: Mapping[Path, np.ndarray] = field(default_factory=dict)

    @cached_property
    def about(self) -> tuple:
        """What a value depends on beside its nodes, their types, the choices in it, and what its names stand for."""
        parts = tuple((axis, tuple(widths.items())) for axis, widths in self.settings.parts.items())
        same = tuple(self.variant.same.items())
        return tuple(self.settings.sizes.items()), parts, same, bool(self.points), self.centring

    def value(self, node: Node, path: Path, env: Mapping[str, np.ndarray]) -> np.ndarray:
        return self.points[path] if path in self.points else self.expression(node, path, env)

    def expression(self, node: Node, path: Path, env: Mapping[str, np.ndarray]) -> np.ndarray:
        """The value of a node, also of one at which expressions are cut."""
        type = self.types[path]
        match node:
            case Number(number):
                value = np.array(self.algebra.number(number), dtype=object)
            case Activate(option, inner):
                value = self.each(partial(self.algebra.call, f"{option}()"), node, path, (inner,), env)
            case Apply("activation_gradient", args):
                value = self.each(partial(self.algebra.gradient, node.attr("option")), node, path, args, env)
            case Apply(op, args) if EVERY[op].shape == "elementwise":
                value = self.each(partial(self.algebra.elementwise, op), node, path, args, env)
            case Apply(op, args):
                below = [
                    self.value(arg, (*path, index), env) if self.has(node, index) else None
                    for index, arg in enumerate(args)
                ]
                value = getattr(self, f"_{op}")(node, path, *below)
            case _:
                return super().value(node, path, env)
        return np.asarray(value, dtype=object).reshape(self.stored(type))

    def has(self, node: Apply, index: int) -> bool:
        """Whether an argument is there: a part is not, where the variant does not have its label."""
        if node.op != "join":
            return True
        return list(self.settings.parts[node.attr("axis")].values())[index][1] > 0

    def each(self, function: Callable, node: Node, path: Path, args: tuple[Node, ...], env: Mapping) -> np.ndarray:
        """A function of lanes that broadcast."""
        below = [self._fitted(arg, (*path, index), env, self.types[path]) for index, arg in enumerate(args)]
        lanes = [function(*each) for each in zip(*(array.flat for array in below))]
        return objects(lanes).reshape(self.stored(self.types[path]))

    # --- what couples lanes

    def axes(self, node: Apply, path: Path) -> dict[str, object]:
        return self._places(node, [self.types[(*path, index)] for index in range(len(node.args))])

    def _matmul(self, node: Apply, path: Path, a, b):
        return self.contracted(self.axes(node, path)["axes"], a, b)

    _outer = _matmul

    def _conv(self, node: Apply, path: Path, x, kernel):
        parts = windows(x, kernel.shape[:-2], **dict(node.attrs), nothing=self.algebra.zero)
        return self.contracted("{},{}->{}".format(*met(kernel)), parts, kernel)

    def _range(self, node: Apply, path: Path):
        return objects([self.algebra.sympy.Integer(at) for at in range(self.axes(node, path)["size"])])

    def _sum(self, node: Apply, path: Path, x):
        return self.summed_last(np.moveaxis(x, self.axes(node, path)["axis"], -1), 1)

    def _mean(self, node: Apply, path: Path, x):
        axis = self.axes(node, path)["axis"]
        return self._sum(node, path, x) / self.algebra.sympy.Integer(x.shape[axis])

    def _cumsum(self, node: Apply, path: Path, x):
        return np.cumsum(x, axis=self.axes(node, path)["axis"])

    def _roll(self, node: Apply, path: Path, x):
        return NUMPY["roll"](x, **self.axes(node, path))

    def _shift(self, node: Apply, path: Path, x):
        return shifted(x, **self.axes(node, path), zero=self.algebra.zero)

    def _cumsum_back(self, node: Apply, path: Path, x):
        axis = self.axes(node, path)["axis"]
        return np.flip(np.cumsum(np.flip(x, axis), axis=axis), axis)

    def _softmax(self, node: Apply, path: Path, x):
        return self.rows(x, (self.axes(node, path)["axis"],), lambda row: self.algebra.along("softmax", row))

    def _softmax_back(self, node: Apply, path: Path, d, y):
        return y * (d - (d * y).sum(axis=node.attr("at"), keepdims=True))

    def _normalize(self, node: Apply, path: Path, x, epsilon):
        axes, layer = self.axes(node, path)["axes"], node.attr("kind") == "layer"
        if layer and self.centring:
            x = self.rows(x, axes, self.algebra.centred)
        elif self.centring:
            x = self.rows(x, axes, lambda row: [self.algebra.normal(lane) for lane in row])
        lead = (self.algebra.number(Fraction(layer and not self.centring)), epsilon.item())
        return self.rows(x, axes, lambda row: self.algebra.along("normalize", row, *lead))

    def rstd(self, node: Apply, path: Path, env: Mapping[str, np.ndarray]) -> np.ndarray:
        """1 / the standard deviation of what a `normalize` is applied to."""
        x, epsilon = (self.value(arg, (*path, index), env) for index, arg in enumerate(node.args))
        axes = self.axes(node, path)["axes"]
        lead = (self.algebra.number(Fraction(node.attr("kind") == "layer")), epsilon.item())
        whole = self.rows(x, axes, lambda row: [self.algebra.call("rstd", *lead, *row)] * len(row))
        return whole[tuple(slice(1) if axis in axes else slice(None) for axis in range(x.ndim))]

    def _normalize_back(self, node: Apply, path: Path, d, y, rstd):
        axes = tuple(range(d.ndim - node.attr("axes"), d.ndim))
        count = self.algebra.sympy.Integer(prod(d.shape[axis] for axis in axes))
        y = np.broadcast_to(y, d.shape)
        inner = d - y * ((d * y).sum(axis=axes, keepdims=True) / count)
        if node.attr("kind") == "layer":
            inner = inner - d.sum(axis=axes, keepdims=True) / count
        return rstd * inner

    def _product(self, node: Apply, path: Path, a, b):
        types = [self.types[(*path, index)] for index in (0, 1)]
        left, right = ("Z" * type.level.has_batch + node.attr(side) for type, side in zip(types, ("left", "right")))
        out = "Z" * self.types[path].level.has_batch + node.attr("out")
        return self.contracted(f"{left},{right}->{out}", a, b)

    def _conv_back(self, node: Apply, path: Path, d, kernel):
        """What goes back to each number of the value from every place where the kernel met it."""
        shape, (parts, taps, out) = self.stored(self.types[path]), met(kernel)
        places = windows(np.arange(1, 1 + prod(shape)).reshape(shape), kernel.shape[:-2], **_how(node), nothing=0)
        back = self.contracted(f"{out},{taps}->{parts}", d, kernel)
        found: list[list] = [[] for _ in range(1 + prod(shape))]
        for place, lane in zip(places.flat, back.flat):
            found[place].append(lane)
        return objects([self.algebra.total(lanes) for lanes in found[1:]])

    def _conv_kernel_back(self, node: Apply, path: Path, d, x, kernel):
        parts, taps, out = met(kernel)
        x = windows(x, kernel.shape[:-2], **_how(node), nothing=self.algebra.zero)
        return self.contracted(f"{parts},{out}->{taps}", x, d)

    def _sum_to(self, node: Apply, path: Path, d):
        return self.summed(d, self.types[path], self.types[(*path, 0)])

    def summed(self, d: np.ndarray, have: Type, want: Type) -> np.ndarray:
        """The adjoint of `fit`: what reaches a value of type `have`, by what reaches it where that is spread."""
        places = self.fit(np.arange(prod(self.stored(have))).reshape(self.stored(have)), have, want)
        out = np.full(places.max() + 1, self.algebra.zero, dtype=object)
        np.add.at(out, places.reshape(-1), d.reshape(-1))
        return out

    def _spread(self, node: Apply, path: Path, d):
        rest = list(shape := self.stored(self.types[path]))
        del rest[len(shape) + node.attr("at")]
        count = shape[node.attr("at")] if node.attr("mean") else 1
        d = d.reshape(-1, *rest[1:]) if rest else d.reshape(())
        spread = np.expand_dims(np.broadcast_to(d, rest), len(shape) + node.attr("at"))
        return np.broadcast_to(spread, shape) / self.algebra.number(count)

    def _join(self, node: Apply, path: Path, *parts):
        type = self.types[path]
        out = np.full(self.stored(type), self.algebra.zero, dtype=object)
        axis = next(axis for axis in self.settings.cell.axes if axis.name == node.attr("axis"))
        for label, part in zip(axis.labels, parts):
            place = self.part(out, type, label)
            if place.size:  # not every variant has every label
                place[...] = part.reshape(place.shape)
        return out

    def contracted(self, axes: str, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """As `einsum`."""
        inputs, _, out = axes.partition("->")
        over = "".join(sorted({*inputs} - {*out, ","}))
        return self.summed_last(np.einsum(f"{inputs}->{out}{over}", a, b), len(over))

    def summed_last(self, x: np.ndarray, axes: int) -> np.ndarray:
        """The sum over so many last axes, each made at once and not term by term."""
        lead = x.shape[: x.ndim - axes]
        rows = x.reshape(prod(lead), prod(x.shape[len(lead) :]))
        return objects([self.algebra.total(row) for row in rows]).reshape(lead)

    @staticmethod
    def rows(x: np.ndarray, axes: tuple[int, ...], function: Callable) -> np.ndarray:
        """A function of all lanes along some axes, which gives as many."""
        moved = np.moveaxis(x, axes, range(x.ndim - len(axes), x.ndim))
        lead = moved.shape[: x.ndim - len(axes)]
        flat = moved.reshape(prod(lead), -1)
        out = objects([lane for row in flat for lane in function(list(row))]).reshape(moved.shape)
        return np.moveaxis(out, range(x.ndim - len(axes), x.ndim), axes)


def _how(node: Apply) -> dict[str, int]:
    """The stride and the dilation of a convolution that this goes back through."""
    return {name: value for name, value in node.attrs if name in ("stride", "dilation")}
