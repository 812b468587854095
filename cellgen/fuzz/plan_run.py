"""A plan in numpy float64: the statements that `lower` makes and `schedule` orders, run a step at a time.

Each segment sees what the ones before it hand on and nothing else, as in the generated code; a sum over all steps of
what runs after the loop is what it gives for all of them at once.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from cellgen.derive import UNARY
from cellgen.fuzz.backward_run import ELEMENTWISE, conv_back, conv_kernel_back, gather, rule
from cellgen.interpret import Scope, Settings
from cellgen.ir import Activate, Apply, Choose, Level, Node, Number, Ref, Test, Type, holds
from cellgen.schedule import Block, Line, Plan

Env = dict[str, object]


class Planned:
    """A plan as a constructor call makes it. given: as for `interpret.Instance`."""

    def __init__(self, plan: Plan, given: Mapping):
        self.plan, self.cell = plan, plan.joint.typed.cell
        self.settings = Settings(plan.joint.typed, given)

    def slopes(
        self,
        weights: Mapping[str, np.ndarray],
        inputs: Sequence[Mapping[str, np.ndarray]],
        state: Mapping[str, np.ndarray],
        d_output: np.ndarray,
        d_final: Mapping[str, np.ndarray],
        training: bool = False,
    ) -> tuple[np.ndarray, dict[str, np.ndarray], dict[str, np.ndarray]]:
        """As `backward.Derived.slopes`."""
        plan, names = self.plan, self.settings.variants[training].names
        batch, time = d_output.shape[:2]
        run = _Statements(self.settings, training, batch)
        scope = Scope(self.settings, self.settings.variants[training], {}, batch)
        base = dict(self.settings.numbers)
        for slot in plan.step.slots:
            if slot.param.name in weights:
                base[slot.argument] = weights[slot.param.name]
                run.lines(slot.splits, base)
        base |= self.of(run, plan.once.blocks, base, plan.once.gives)
        run.lines([line for line in plan.turned if line.value.args[0].name in base], base)
        kept, outputs = [], []
        for t in range(time):
            env = {**base, **inputs[t]}
            env |= self.of(run, plan.before.blocks, env, plan.before.gives)
            ahead = {**env, **dict(zip(plan.step.carried, state.values(), strict=True))}
            run.lines(plan.step.opening, ahead)
            run.blocks(plan.forward.blocks, ahead)
            env |= {name: ahead[name] for name in plan.forward.gives if name in ahead}
            kept.append(env)
            state = {each.name: self.stored(ahead, each.name, each.shape, names, scope) for each in self.cell.states}
            shape = next((each.shape for each in self.cell.states if each.name == self.cell.output), None)
            shape = names[self.cell.output].shape if shape is None else shape
            outputs.append(self.stored(ahead, self.cell.output, shape, names, scope))
        final, found = state, {}
        cotangents = [d_final[name] for name in state]
        for t in reversed(range(time)):
            given = dict(zip(plan.joint.given, (d_output[:, t], *cotangents), strict=True))
            back = {**kept[t], **given}
            run.blocks(plan.backward.blocks, back)
            cotangents = [np.broadcast_to(back[d], old.shape) for d, old in zip(plan.joint.carried, state.values())]
            after = {**kept[t], **given, **{name: back[name] for name in plan.backward.gives if name in back}}
            run.blocks(plan.after.blocks, after)
            for (name, _, label), d in plan.joint.sent:
                if d in after and name in names:
                    gather(found, name, label, after[d], names[name], scope, t, time)
        return np.stack(outputs, 1), final, found | {f"{n}[t-1]": value for n, value in zip(state, cotangents)}

    def of(self, run: "_Statements", blocks: Iterable[Block], env: Env, gives: Iterable[str]) -> Env:
        """What some blocks give."""
        env = dict(env)
        run.blocks(blocks, env)
        return {name: env[name] for name in gives if name in env}

    @staticmethod
    def stored(env: Env, name: str, shape, names: Mapping[str, Type], scope: Scope) -> np.ndarray:
        """A state or the output as the loop keeps it: rows of one number broadcast over the lanes."""
        return np.broadcast_to(np.asarray(env[name]), scope.stored(Type(shape, Level.CARRIED)))


class _Statements:
    """Lowered statements in one variant, for so many samples."""

    def __init__(self, settings: Settings, training: bool, batch: int):
        self.settings, self.batch, cell = settings, batch, settings.cell
        variant = settings.variants[training].variant
        self.answers = {**variant, **{cell.connections.get(name, name): answer for name, answer in variant.items()}}

    def blocks(self, blocks: Iterable[Block], env: Env) -> None:
        for block in blocks:
            if block.test is None or self.holds(block.test):
                self.lines(block.lines, env)

    def lines(self, lines: Iterable[Line], env: Env) -> None:
        for line in lines:
            value = self.value(line.value, env)
            if isinstance(value, (list, tuple)):
                if len(value) != len(line.targets):
                    raise TypeError(f"{len(value)} parts for {', '.join(line.targets)}")
                env |= {name: part for name, part in zip(line.targets, value) if name != "_"}
            else:
                (name,) = line.targets
                env[name] = value

    def holds(self, test: Test) -> bool:
        return holds(test, self.answers)

    def value(self, node: Node, env: Env):
        match node:
            case Number(value):
                return float(value)
            case Ref(name):
                return env[name]
            case Choose(test, a, b):
                return self.value(a if self.holds(test) else b, env)
            case Activate(option, value):
                return ELEMENTWISE[self.settings.options[option]](self.value(value, env))
            case Apply("concat" | "stack" as op, args):
                parts = [self.value(each, env) for each in args if not self.absent(each)]
                return (np.concatenate if op == "concat" else np.stack)(parts, axis=node.attr("axis"))
            case Apply("activation_gradient", args):
                d, x, y = (self.value(each, env) for each in args)
                slope = UNARY[self.settings.options[node.attr("option")]](Ref("d"), Ref("x"), Ref("y"))
                return rule(slope, {"d": d, "x": x, "y": y})
        return self.apply(node, [self.value(each, env) for each in node.args])

    def absent(self, node: Node) -> bool:
        """Whether it is left out of a list in this variant."""
        match node:
            case Choose(test, _, Number(value)):
                return value == 0 and not self.holds(test)
        return False

    def apply(self, node: Apply, args: list):
        attrs = dict(node.attrs)
        match node.op:
            case "size":
                return self.settings.size(attrs["shape"][0])
            case "range":
                return np.arange(self.settings.size(attrs["shape"][0]), dtype=float)
            case "cast" | "convert":
                return np.asarray(args[0], float)
            case "expand":
                value = args[0]
                for axis in attrs["axes"]:
                    value = np.expand_dims(value, axis)
                return value
            case "expand_at":
                return np.expand_dims(args[0], attrs["axis"])
            case "over_length":
                return args[0] / self.settings.size(attrs["shape"][0])
            case "along":
                return np.repeat(args[0], self.settings.size(attrs["shape"][0]), attrs["axis"])
            case "einsum":
                return np.einsum(attrs["subscripts"], *args)
            case "matmul":
                return args[0] @ args[1]
            case "matmul_over_batch":
                return args[0].T @ args[1]
            case "transpose":
                return args[0].T
            case "reshape":
                sizes = [self.settings.size(axis) for axis in attrs["shape"]]
                return args[0].reshape([-1, *sizes] if attrs["batch"] else sizes)
            case "reshape_each":
                sizes = [self.settings.size(axis) for axis in attrs["shape"]]
                return [each.reshape([-1, *sizes] if attrs["batch"] else sizes) for each in args[0]]
            case "repeat":
                sizes = [self.settings.size(axis) for axis in attrs["shape"]]
                return np.broadcast_to(args[0], (self.batch, *sizes))
            case "split":
                return self.split(args[0], attrs)
            case "unstack":
                return list(np.moveaxis(args[0], attrs["axis"], 0))
            case "part":
                return args[0][attrs["index"]]
            case "sum" | "mean":
                return getattr(np, node.op)(args[0], axis=attrs["axis"], keepdims=attrs["keepdims"])
            case "reduce_sum":
                axes = attrs["axes"] if isinstance(attrs["axes"], tuple) else (attrs["axes"],)
                return np.sum(args[0], axis=axes, keepdims=attrs["keepdims"])
            case "softmax" | "cumsum":
                return ELEMENTWISE[node.op](args[0], attrs["axis"])
            case "conv":
                return ELEMENTWISE["conv"](*args, stride=attrs["stride"])
            case "dilated":
                return _dilated(args[0], attrs["dilation"])
            case "taps":
                return args[0][tuple(slice(None, None, int(each[2:])) for each in attrs["every"].split(", "))]
            case "conv_back":
                return conv_back(*args, attrs)
            case "conv_kernel_back":
                return conv_kernel_back(*args, attrs)
            case "roll" | "shift":
                return ELEMENTWISE[node.op](args[0], attrs["axis"], attrs["by"])
            case "cumsum_back":
                axis = attrs["axis"]
                return np.flip(np.cumsum(np.flip(args[0], axis), axis=axis), axis)
            case "softmax_back":
                d, y = args
                return y * (d - (d * y).sum(axis=attrs["at"], keepdims=True))
            case "normalize":
                return _norm(*args, attrs)[0]
            case "normalize_pair":
                return _norm(*args, attrs)
            case "normalize_back":
                return _norm_back(*args, attrs)
        return ELEMENTWISE[node.op](*args)

    def split(self, value: np.ndarray, attrs: Mapping) -> list[np.ndarray]:
        sizes = attrs["sizes"]
        if isinstance(sizes, int):
            return np.split(value, sizes, axis=attrs["axis"])
        tests = attrs.get("tests") or (None,) * len(sizes)
        widths = [
            self.settings.size(size) if test is None or self.holds(test) else 0 for size, test in zip(sizes, tests)
        ]
        if sum(widths) != value.shape[attrs["axis"]]:
            raise TypeError(f"parts of {widths} are not {value.shape}")
        return np.split(value, np.cumsum(widths)[:-1], axis=attrs["axis"])


def _dilated(kernel: np.ndarray, dilation: int) -> np.ndarray:
    *taps, channels, filters = kernel.shape
    whole = np.zeros((*((tap - 1) * dilation + 1 for tap in taps), channels, filters))
    whole[(slice(None, None, dilation),) * len(taps)] = kernel
    return whole


def _norm(x: np.ndarray, epsilon: float, attrs: Mapping) -> tuple[np.ndarray, np.ndarray]:
    axes = tuple(range(-attrs["axes"], 0))
    centred = x - (x.mean(axis=axes, keepdims=True) if attrs["kind"] == "layer" else 0)
    rstd = 1 / np.sqrt(np.square(centred).mean(axis=axes, keepdims=True) + epsilon)
    return centred * rstd, rstd


def _norm_back(d, hat, rstd, attrs: Mapping) -> np.ndarray:
    axes = tuple(range(-attrs["axes"], 0))
    inner = d - hat * (d * hat).mean(axis=axes, keepdims=True)
    return rstd * (inner - d.mean(axis=axes, keepdims=True) if attrs["kind"] == "layer" else inner)
