"""The backward step: reverse mode over the equations, one rule an operation (`adjoint`).

Input: a `TypedCell`, prepared by `hoist`. Output: a `Joint`, one cell that holds the forward equations and then those
of the cotangents, typed in every variant. `_d_c` is the cotangent of `c`: the derivative of the loss by it. A cotangent
has a name where it reaches a value of the spec, where it fans out, and where it enters an operation that couples lanes.
Forward values that a rule reads get names too, after what the author wrote: `_tanh_c`, `_ln_c_hat`.

Weight gradients are not accumulated here: each is one expression, summed over the batch. What runs over all steps at
once is for `schedule` to say.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial

from cellgen.derive.derivative_rules import ADJOINTS, ZERO, add, filled, negated, op, where
from cellgen.derive.occurrence import At
from cellgen.derive.stored_values import Values
from cellgen.derive.sums import gathered, lanes_of, polynomial, summed_in
from cellgen.ir import (
    EVERY,
    Activate,
    Apply,
    Choose,
    Equation,
    Input,
    LabelAxis,
    Level,
    Node,
    Number,
    Path,
    Pick,
    Ref,
    Shape,
    Test,
    Type,
    TypedCell,
    TypedVariant,
    Variant,
    View,
    holds,
    live_walk,
    walk,
    when,
)
from cellgen.shapes import Merged, retype

COUPLING = ("contract", "outer", "convolve", "reduce", "along", "normalize")

Live = frozenset[int]  # in which variants something exists
Key = tuple[str, int, str | None]  # a name, whether it is the carried one, and a label of it


@dataclass(frozen=True)
class Joint:
    """Forward and backward equations as one typed cell, the forward ones first.

    given: the cotangents that come in, of the outputs and then of each state. carried: the names of the cotangents of
    the carried states, sent to the step before. sent: those of what the step takes from outside: (key, name).
    cotangents: the cotangent of each value that has one by name, by where the value stands in what was derived.
    named, statistics: the names of forward values, and of the rstd of norms, by where they stand there. lanes: of a
    cotangent that is a sum over lanes and only read before it is summed, what is read.
    """

    typed: TypedCell
    forward: int
    given: tuple[str, ...]
    carried: tuple[str, ...]
    sent: tuple[tuple[Key, str], ...]
    cotangents: Mapping[Path, str]
    named: Mapping[Path, str]
    statistics: Mapping[Path, str]
    lanes: Mapping[str, str]


def derive(typed: TypedCell) -> Joint:
    """The joint program of a step and its derivative."""
    return _Derivation(typed).run()


class _Derivation:
    def __init__(self, typed: TypedCell):
        self.typed, self.cell, self.merged = typed, typed.cell, Merged(typed)
        self.every: Live = frozenset(range(len(typed.variants)))
        self.variants = [each.variant for each in typed.variants]
        self.live = {
            equation.name: frozenset(i for i, each in enumerate(typed.variants) if equation.name in each.live)
            for equation in self.cell.equations
        }
        self.values = Values(typed)
        self.found: dict[Key, list[tuple[Live, Node]]] = {}
        self.backward: list[Equation] = []
        self.cotangents: dict[Path, str] = {}
        self.lanes: dict[str, str] = {}
        self.exists: dict[str, Live] = {}  # in which variants what nothing else reads is wanted

    def run(self) -> Joint:
        cell = self.cell
        alone, new = cell.shown is None, self.values.free.numbered
        outputs = {name: new("_d_output" if alone else f"_d_{name}_shown") for name in cell.outputs}
        given = {state.name: new(f"_d_{state.name}_next") for state in cell.states}
        for name, cotangent in outputs.items():
            self.found[name, 0, None] = [(self.every, Ref(cotangent))]
        for name, cotangent in given.items():
            self.found.setdefault((name, 0, None), []).insert(0, (self.every, Ref(cotangent)))
        for equation in reversed(cell.equations):
            self.equation(equation)
        carried = tuple(self.carried(state.name) for state in cell.states)
        sent = tuple(self.sent())
        forward = tuple(self.values.forward())
        shapes = {each.name: each.shape for each in (*cell.wired, *cell.states)}
        ports = [
            Input(cotangent, shapes.get(name) or self.merged.type((name,)).shape) for name, cotangent in outputs.items()
        ]
        ports += [Input(cotangent, shapes[name]) for name, cotangent in given.items()]
        joint = replace(cell, equations=(*forward, *self.backward), inputs=(*cell.inputs, *ports))
        roots = [
            (*carried, *(name for name, live in self.exists.items() if index in live)) for index in sorted(self.every)
        ]
        typed = retype(self.typed, joint, roots)
        live = {name for each in typed.variants for name in each.live}  # a cotangent may have led nowhere
        joint = replace(joint, equations=tuple(each for each in joint.equations if each.name in live))
        typed = replace(typed, cell=joint)
        cotangents = (*outputs.values(), *given.values())
        values = self.values
        return Joint(
            typed,
            sum(equation.name in live for equation in forward),
            cotangents,
            carried,
            sent,
            self.cotangents,
            values.named,
            values.statistics,
            self.lanes,
        )

    # --- equations

    def equation(self, equation: Equation) -> None:
        """Sends what has reached a name on to what its equation reads."""
        name, live = equation.name, self.live[equation.name]
        self.current = equation
        value, path = equation.value, (name,)
        type = self.type_of(name)
        if isinstance(value, View) and (name, 0, None) not in self.found:
            # read by label alone: put together as it was before it was viewed apart
            inner = self.merged.type((*path, 0))
            if inner.shape and self.apart(inner.shape, type.shape):
                value, path, type = value.value, (*path, 0), inner
        total = self.total(name, 0, live, type)
        summed = summed_in(total)
        if summed is not None and polynomial(equation.value):
            self.by_lanes(equation, total, *summed, live)
        elif total is not None:
            plain = isinstance(total, Ref)
            d = total if plain else self.define(self.values.cotangent(name), total, equation)
            self.cotangents[name,] = self.cotangents[path] = d.name
            self.push(value, path, d, type, live, ())

    def by_lanes(self, equation: Equation, total: Node, test: Test | None, sum_: Apply, live: Live) -> None:
        """A number a sample that only goes on as one: what it is the sum of is summed where that ends.

        In variants in which nothing reaches it, nothing goes on. Its own cotangent is there for the proof alone.
        """
        name, path = equation.name, (equation.name,)
        said = self.values.cotangent(name)
        lanes = self.define(self.values.free.numbered(f"{said}_lanes"), sum_.args[0], equation)
        kept = replace(sum_, args=(lanes,))
        self.define(said, kept if test is None else replace(total, a=kept), equation)
        self.cotangents[path], self.lanes[said], self.exists[said] = said, lanes.name, live
        if test is not None:
            live = frozenset(i for i in live if holds(test, self.variants[i]))
        self.push(equation.value, path, kept, self.type_of(name), live, ())

    def apart(self, flat: Shape, shape: Shape) -> bool:
        *lead, last = flat
        return shape == (*lead, last[:1], last[1:]) and self.cell.axis(last[0]) is not None

    def type_of(self, name: str) -> Type:
        """Of a name, as it is kept: a state's is the declared one."""
        state = next((state for state in self.cell.states if state.name == name), None)
        type = self.merged.type((name,))
        return Type(state.shape, Level.CARRIED) if state else type

    def define(self, name: str, value: Node, equation: Equation) -> Ref:
        text = equation.text
        self.backward.append(Equation(name, value, text, equation.span, equation.name_span))
        return Ref(name)

    def total(self, name: str, ago: int, live: Live, type: Type) -> Node | None:
        """What has reached a name: as a whole, and its labels put together."""
        zero = op("zeros", Ref(name, ago))
        whole = self.combine(self.found.pop((name, ago, None), []), live, zero)
        labels = {key[2]: self.found.pop(key) for key in list(self.found) if key[:2] == (name, ago)}
        if not labels:
            return whole
        parts = self.joined(type.shape, labels, Ref(name, ago), live)
        return parts if whole is None else add(whole, parts)

    def part(self, part: Pick, found: list[tuple[Live, Node]], live: Live, axis: LabelAxis) -> Node | None:
        """What has reached one label; where an instance does not have the label, nothing, of no width."""
        test = dict(zip(axis.labels, axis.tests)).get(part.label)
        there = frozenset(i for i in live if test is None or holds(test, self.variants[i]))
        total = self.combine(found, there, op("zeros", part))
        if total is None or there == live:
            return total
        return Choose(when(self.chosen(there), self.chosen(live)), total, ZERO)  # left out

    def joined(self, shape: Shape, found: Mapping[str, list], value: Node, live: Live) -> Node:
        """What has reached labels of a value, put together: zeros where nothing has. The value is read where the labels
        have widths of their own."""
        index, axis = next(self.cell.places(next(iter(found)), shape))
        parts = {label: self.part(Pick(value, label), each, live, axis) for label, each in found.items()}
        like = next(part for part in parts.values() if part is not None)
        for label in axis.labels:
            zero = op("zeros", Pick(value, label) if axis.widths else like)
            parts[label] = parts.get(label) or self.part(Pick(value, label), [(live, zero)], live, axis)
        return op("join", *(parts[label] for label in axis.labels), shape=shape, axis=axis.name, at=index)

    def combine(self, found: list[tuple[Live, Node]], live: Live, zero: Node = ZERO) -> Node | None:
        """The sum of what was sent in some variants each, as it is in the variants of `live`.

        `zero` is what it is in a variant in which nothing was.
        """
        by: dict[Live, Node] = {}
        for where_, node in found:
            inside = where_ & live
            if inside:
                by[inside] = add(by[inside], node) if inside in by else node
        by = alike(by)
        covered = frozenset().union(*by)
        if len(by) > 1 and covered != live:  # in the other variants nothing was sent
            some = self.combine([(inside, node) for inside, node in by.items()], covered)
            return Choose(when(self.chosen(covered), self.chosen(live)), some, zero)
        total = by.pop(live, None)
        total = None if total is None else gathered(total)
        while by:
            inside, node = next(iter(by.items()))
            node = gathered(node)
            del by[inside]
            other = by.pop(live - inside, None)
            if other is None:
                other = ZERO if total is not None or by else zero
            choice = Choose(when(self.chosen(inside), self.chosen(live)), node, other)
            total = choice if total is None else add(total, choice)
        return None if total is None else gathered(total)

    def chosen(self, live: Live) -> tuple[Variant, ...]:
        return tuple(self.variants[index] for index in sorted(live))

    # --- expressions

    def push(self, node: Node, path: Path, d: Node, have: Type, live: Live, guards: tuple) -> None:
        """Sends `d`, of type `have`, through a node to the names below it."""
        live = frozenset(i for i in live if path in self.typed.variants[i].types)
        if not live or d == ZERO or not self.values.active_below(node):  # nothing reaches it, or nothing goes on
            return
        want = self.merged.type(path)
        if self.needs_sum(have, want, path):
            d, guards = self.select(d, guards), ()
            lanes = {"shape": want.shape, "batch": want.level.has_batch, "of": have.shape}
            d = negated(d, lambda d: op("sum_to", d, **lanes))
        elif len(have.shape) != len(want.shape) and not want.level.has_batch:  # axes of one
            d, guards = View(self.select(d, guards), want.shape), ()
        match node:
            case Ref(name, ago):
                self.send((name, ago, None), d, live, guards)
            case Pick(Ref(name, ago), label):
                self.send((name, ago, label), d, live, guards)
            case Pick(value, label):
                inner = self.merged.type((*path, 0))
                d, at = self.fan(self.select(d, guards), node, path), (*path, 0)
                wide = next(self.cell.places(label, inner.shape))[1].widths  # then zeros are like the other parts
                whole = self.values.value(value, at) if wide else value
                self.push(value, at, self.joined(inner.shape, {label: [(live, d)]}, whole, live), inner, live, ())
            case View(value):
                inner = self.merged.type((*path, 0))
                if inner.shape == want.shape:
                    self.push(value, (*path, 0), d, inner, live, guards)
                else:
                    self.push(value, (*path, 0), View(d, inner.shape), inner, live, self.viewed(guards, inner))
            case Choose(_, a, b):
                for index, arm in enumerate((a, b)):
                    if self.merged.live((*path, index)):
                        self.push(arm, (*path, index), d, want, live, guards)
            case Activate(option, value):
                x, y = self.values.value(value, (*path, 0)), self.values.value(node, path)
                d = Apply("activation_gradient", (d, x, y), (("option", option),))
                self.push(value, (*path, 0), d, want, live, guards)
            case Apply():
                self.through(node, path, d, want, live, guards)

    def through(self, node: Apply, path: Path, d: Node, want: Type, live: Live, guards: tuple) -> None:
        args = list(enumerate(node.args))
        moving = [index for index, arg in args if self.values.active_below(arg)]
        couples = EVERY[node.op].shape in COUPLING
        if couples:
            d, guards = self.select(d, guards), ()
        probe = Ref("\0")
        at = At(self.values, self.merged, node, path, probe, moving)
        sent = ADJOINTS[node.op](at)
        count = sum(each == probe for index in moving if sent[index] is not None for _, each in walk(sent[index]))
        if node.op in ("matmul", "outer", "conv", "normalize") or count > 1:
            d = self.fan(d, node, path, guards, couples)
        for index in moving:
            if sent[index] is not None:
                here = guards
                if node.op == "where":
                    here = (*guards, (self.values.value(node.args[0], (*path, 0)), index == 1))
                contribution = negated(d, partial(filled, sent[index], elementwise=not couples))
                have = self.merged.type((*path, index)) if couples else want
                self.push(node.args[index], (*path, index), contribution, have, live, here)

    def fan(self, d: Node, node: Node, path: Path, guards: tuple = (), couples: bool = False) -> Node:
        """A cotangent that is read more than once, by a name; a sum over lanes that have one where its node `couples`
        lanes: else what is multiplied by it goes into the sum."""
        if not isinstance(d, (Ref, Number)) and (couples or not lanes_of(d)):
            name = self.values.named.get(path, "") or self.values.said(node, path)
            d = self.define(self.values.cotangent(name), d, self.current)
        if isinstance(d, Ref) and not guards:
            self.cotangents[path] = d.name
        return d

    def send(self, key: Key, d: Node, live: Live, guards: tuple) -> None:
        name, ago, _ = key
        if name in {port.name for port in self.cell.inputs} or ago or self.values.active.get(name, True):
            self.found.setdefault(key, []).append((live, self.select(d, guards)))

    def select(self, d: Node, guards: tuple) -> Node:
        """The finished contribution of an arm of `where`, and zero where the other is taken."""
        for condition, first in reversed(guards):
            d = where(condition, d) if first else where(condition, ZERO, d)
        return d

    def viewed(self, guards: tuple, inner: Type) -> tuple:
        return tuple((View(condition, inner.shape), first) for condition, first in guards)

    def needs_sum(self, have: Type, want: Type, path: Path) -> bool:
        algebra = self.merged.algebra(path)
        return have.level.has_batch != want.level.has_batch or algebra.flat(have.shape) != algebra.flat(want.shape)

    # --- what leaves the step

    def carried(self, name: str) -> str:
        live = self.every
        total = self.total(name, 1, live, self.type_of(name))
        if total is None:
            total = op("zeros", Ref(name, 1))
        equation = next(each for each in self.cell.equations if each.name == name)
        return self.define(self.values.free.numbered(f"_d_{name}_prev"), total, equation).name

    def sent(self) -> Iterator[tuple[Key, str]]:
        """The cotangents of the inputs and of each weight, in the order of the spec."""
        for name in (each.name for group in (self.cell.inputs, self.cell.params) for each in group):
            for key in [key for key in self.found if key[0] == name]:
                where_ = frozenset(i for i, each in enumerate(self.typed.variants) if self.there(name, each))
                zero = op("zeros", Pick(Ref(name), key[2]) if key[2] else Ref(name))
                total = self.combine(self.found[key], where_, zero)
                if total is not None:
                    label = key[2] or ""
                    name_ = self.values.cotangent(f"{name}_{label}" if label else name)
                    self.define(name_, total, self.reader(name, key[2]))
                    self.exists[name_] = where_
                    yield key, name_

    def there(self, name: str, variant: TypedVariant) -> bool:
        """Whether a variant has an input or a weight: an optional port where it is connected."""
        port = next((port for port in self.cell.inputs if port.name == name), None)
        if self.cell.shown is not None and port is not None:  # a layer tells the others only of what it reads
            return any(
                node == Ref(name)
                for equation in self.cell.equations
                if equation.name in variant.live
                for _, node in live_walk(equation.value, variant.variant)
            )
        return name in variant.names and (port is None or port.there(variant.variant))

    def reader(self, name: str, label: str | None) -> Equation:
        """The equation that reads a name first, or a label of it."""
        wanted = Pick(Ref(name), label) if label else Ref(name)
        return next(each for each in self.cell.equations if any(node == wanted for _, node in walk(each.value)))


def alike(by: Mapping[Live, Node]) -> dict[Live, Node]:
    """What is sent in some variants each, with those that are sent the same as one."""
    found: dict[Live, Node] = {}
    for inside, node in by.items():
        other = next((each for each, same in found.items() if same == node and not each & inside), None)
        if other is not None:
            inside |= other
            del found[other]
        found[inside] = add(found[inside], node) if inside in found else node
    return found
