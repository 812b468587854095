"""What runs when: before the loop, in it, on the way back, and after it.

Input: a `Joint`. Output: a `Plan`. Decided by structure: what reads no state runs for all steps at once, before the
loop; on the way back only what the cotangent of the state before a step comes from; all else, every weight gradient
too, for all steps at once after it. Forward values that are read on the way back are kept; one that takes no more than
cheap elementwise arithmetic on what is kept anyway is computed again instead. A matmul never is.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from cellgen.derive import Joint
from cellgen.ir import Apply, Axis, Free, Level, Ref, asked, renamed, walk
from cellgen.schedule.flow import made, names, read, reads, targets
from cellgen.schedule.gather import gather
from cellgen.schedule.lowering import GIVEN, Block, Step, statements
from cellgen.schedule.packing import slab
from cellgen.schedule.parts import Line, measured, uses
from cellgen.schedule.widen import widen
from cellgen.shapes import Merged

# what is cheaper to compute again than to keep
CHEAP = (
    *("add", "sub", "mul", "neg", "linear", "square", "less", "less_equal", "greater", "greater_equal"),
    *("minimum", "maximum", "clip", "where", "relu", "relu6", "leaky_relu", "hard_sigmoid", "hard_tanh", "step", "abs"),
    *("floor", "mod", "stop_gradient", "straight_through", "expand", "cast", "convert", "reshape"),
)


@dataclass(frozen=True, slots=True)
class Run:
    """How a scan runs, as it was measured (`cellgen bench`): chunks of about `rows` samples times steps; by XLA with a
    batch of at most `batch` (0: never), from `steps` steps on, else as a graph; by XLA in shares of the batch, one a
    core, of at least `share`. A batch that is not known is taken for `likely`.
    """

    rows: int = 512
    batch: int = 512
    steps: int = 64
    share: int = 8
    likely: int = 32


OF_PICTURES = Run(rows=4096, batch=0)  # a row is a place; XLA's convolutions run on one core, slower than TensorFlow's


@dataclass(frozen=True)
class Segment:
    """Statements that run together. `reads` are the names that they take, `gives` those that others read of them."""

    blocks: tuple[Block, ...]
    reads: frozenset[str]
    gives: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """The segments, in the order in which they run.

    once: from weights and options alone. before: all steps at once. forward, backward: one step of a loop; `forward`
    gives what is kept, `backward` what `after` reads of it. after: all steps at once. turned: transposed weights.
    arguments: of what is kept, that which is no more than the argument of activations that options choose, with these
    options; it is kept only where the derivative of one of them reads it. slabs: of what is kept, that which is the
    whole of several parts, and these.
    """

    joint: Joint
    step: Step
    once: Segment
    before: Segment
    forward: Segment
    turned: tuple[Line, ...]
    backward: Segment
    after: Segment
    arguments: Mapping[str, tuple[str, ...]]
    slabs: Mapping[str, tuple[str, ...]]
    run: Run = Run()


def schedule(joint: Joint) -> Plan:
    """The plan of a derived step."""
    return _Scheduling(joint).run()


class _Scheduling:
    def __init__(self, joint: Joint):
        self.joint, self.step = joint, statements(joint.typed)
        self.cell = joint.typed.cell
        self.merged = Merged(joint.typed)
        taken = {name for block in self.step.blocks for name in targets(block) | reads(block)}
        self.free = Free(taken | self.cell.names | {slot.argument for slot in self.step.slots})
        self.ports = [port for port in self.cell.inputs if port.name not in joint.given]

    def run(self) -> Plan:
        backward_names = {equation.name for equation in self.cell.equations[self.joint.forward :]}
        forward = [block for block in self.step.blocks if block.name not in backward_names]
        back = [block for block in self.step.blocks if block.name in backward_names]
        carried = {*self.step.carried, *(target for line in self.step.opening for target in line.targets)}
        carried |= {port.name for port in self.ports if port.inner}
        once, before, loop = self.placed(forward, carried)
        inner = {port.name for port in self.ports if port.inner}
        ends = {cotangent for (name, _, _), cotangent in self.joint.sent if name in inner}
        returning = self.cone(back, {*self.joint.carried, *ends})
        leaving = {name for _, name in self.joint.sent}
        after = [block for block in self.cone(back, leaving) if block not in returning]
        result = {*self.cell.outputs, *(state.name for state in self.cell.states)}
        carry = {*self.joint.carried, *ends}
        ends = {name for _, name in self.joint.sent} - ends
        x = {port.name for port in self.ports if not port.inner}

        loop = self.cone(loop, result | read(back))  # what is only traced does not run here
        at_hand = made(before) | made(once) | x | {noise.name for noise in self.cell.noises}
        kept = (carried | made(loop)) & (read(returning) | read(after))
        kept, again = self.less(loop, kept, carried, at_hand)
        given = {*self.joint.given}
        sent = (made(returning) | given) & read(after)
        sent, later = self.less(returning, sent, given, at_hand | kept)
        returning = self.with_again(again, returning)
        after = self.with_again([*again, *later], after)

        def segment(blocks: list[Block], gives: Iterable[str], more: Iterable[str] = ()) -> Segment:
            wanted = {*gives}
            order = [name for block in blocks for line in block.lines for name in line.targets if name in wanted]
            rest = [name for name in self.in_order(wanted) if name not in order]
            inside = made(blocks)
            return Segment(tuple(blocks), frozenset((read(blocks) | {*more}) - inside), (*rest, *dict.fromkeys(order)))

        arguments = {name: options for name in sorted(kept) if (options := argument_of(name, [*returning, *after]))}
        loop = self.widened(loop, kept | result)
        gathered = gather(loop, self.matrices(), kept | result, self.free)
        once = [*once, *gathered.once]
        whole = slab(gathered.loop, kept - {*arguments}, self.free)
        loop, kept = list(whole.loop), {*whole.names, *arguments} & {*whole.names, *kept}
        returning, after = list(whole.apart(returning)), list(whole.apart(after))
        outside = read(loop) | read(returning) | read(after) | result
        turned = {name for line in self.step.transposed for name in names(line.value)}
        before, loop = self.kept_of_samples(before, outside), self.kept_of_samples(loop, kept)
        returning = self.kept_of_samples(returning, sent)
        return Plan(
            self.joint,
            replace(self.step, dims=self.dims([*before, *loop, *returning, *after])),
            once=segment(once, made(once) & (read(before) | outside | turned)),
            before=segment(before, made(before) & outside),
            forward=segment(loop, kept, result),
            turned=self.step.transposed,
            backward=segment(returning, sent, carry | self.without_slope(inner=True)),
            after=segment(after, ends, ends | x | self.without_slope(inner=False)),
            arguments=arguments,
            slabs=whole.slabs,
            run=OF_PICTURES if self.convolves() else Run(),
        )

    def convolves(self) -> bool:
        nodes = (node for block in self.step.blocks for line in block.lines for node in uses(line.value))
        return any(isinstance(node, Apply) and node.op == "conv" for node in nodes)

    def without_slope(self, inner: bool) -> set[str]:
        """What zeros in place of a derivative read: the inputs that none is sent to, and when they are there."""
        sent = {name for (name, _, _), _ in self.joint.sent}
        ports = [port for port in self.ports if port.inner == inner and port.name not in sent]
        tests = [renamed(port.test, self.cell.connections) for port in ports if port.test is not None]
        return {port.name for port in ports} | {question.name for test in tests for question in asked(test)}

    def placed(self, forward: list[Block], carried: set[str]) -> tuple[list[Block], list[Block], list[Block]]:
        """The blocks that run once, before the loop, and in it: as soon as what they read is there in all variants."""
        once, before, loop = [], [], []
        for block in forward:
            if self.level(block) is Level.CARRIED or reads(block) & (carried | made(loop)):
                loop.append(block)
            elif self.level(block) is Level.CONSTANT and not reads(block) & made(before):
                once.append(block)
            else:
                before.append(block)
        return once, before, loop

    def matrices(self) -> dict[str, Axis]:
        """The last axis of each weight of two axes, by the names that the step gives them."""
        shapes = {slot.argument: slot.shape for slot in self.step.slots if slot.whole}
        once = (block.name for block in self.step.blocks if self.level(block) is Level.CONSTANT)
        shapes |= {name: self.merged.type((name,)).shape for name in once}
        return {name: shape[1] for name, shape in shapes.items() if len(shape) == 2}

    def level(self, block: Block) -> Level:
        return self.merged.type((block.name,)).level

    def cone(self, blocks: list[Block], wanted: set[str]) -> list[Block]:
        """The blocks that some names come from."""
        found = []
        for block in reversed(blocks):
            if targets(block) & wanted:
                found.insert(0, block)
                wanted = wanted | reads(block)
        return found

    def less(
        self, blocks: list[Block], kept: set[str], given: set[str], at_hand: set[str]
    ) -> tuple[set[str], list[Block]]:
        """What of a loop's values must be kept, and the blocks that are computed again instead."""
        again: list[Block] = []
        while (block := self.cheap(blocks, kept, given, at_hand, again)) is not None:
            again.append(block)
            kept = (kept - targets(block)) | (reads(block) & (made(blocks) | given) - made(again))
        return kept, [block for block in blocks if block in again]

    def cheap(
        self, loop: list[Block], kept: set[str], given: set[str], at_hand: set[str], again: list[Block]
    ) -> Block | None:
        """A block that is computed again with less to keep: all that it reads is kept anyway, or at hand.

        One that only says which of the given values another name is keeps that value instead.
        """
        weights = {slot.argument for slot in self.step.slots} | {*self.step.options, *self.step.dims}
        for block in loop:
            if not targets(block) & kept or len(block.lines) > 1:
                continue
            operations = [node for line in block.lines for node in uses(line.value)]
            if all(isinstance(node, Apply) and node.op in CHEAP for node in operations) and reads(
                block
            ) <= kept | at_hand | weights | made(again) | (set() if operations else given):
                return block
        return None

    def with_again(self, again: list[Block], blocks: list[Block]) -> list[Block]:
        needed = self.cone([*again, *(block for block in blocks if block not in again)], read(blocks) | made(blocks))
        return [block for block in needed if block in again or block in blocks]

    def widened(self, loop: list[Block], given: set[str]) -> list[Block]:
        """The loop with longer operations where neighbouring parts go through the same activation."""
        return list(widen(loop, self.merged, given, self.free))

    def kept_of_samples(self, blocks: list[Block], kept: set[str]) -> list[Block]:
        """What is kept of many steps is a value of each sample, also where it is one for all of them."""
        found = []
        for block in blocks:
            lines = []
            for line in block.lines:
                lines.append(line)
                for name in line.targets if targets(block) & kept else ():
                    path = (name, 0) if name in self.step.flat else (name,)
                    if self.merged.batched(path):
                        lines.append(Line((name,), self.merged.repeated(Ref(name), path)))
            found.append(replace(block, lines=tuple(lines)))
        return found

    def dims(self, loop: list[Block]) -> tuple[str, ...]:
        """The sizes that are arguments of what runs."""
        sizes = self.cell.needed(axis for block in loop for line in block.lines for axis in measured(line))
        more = {dim.name for dim in self.cell.dims if dim.kind in GIVEN} & set(sizes)
        return tuple(dim.name for dim in self.cell.dims if dim.name in more | {*self.step.dims})

    def in_order(self, some: set[str]) -> list[str]:
        """Carried states and their parts in the order of the spec, and the cotangents that come in."""
        line = [*self.step.carried, *(target for line in self.step.opening for target in line.targets)]
        line += (*(port.name for port in self.ports if port.inner), *self.joint.given)
        return [name for name in line if name in some]


def argument_of(name: str, blocks: Iterable[Block]) -> tuple[str, ...]:
    """The options that choose the activations whose argument a name is; none where it is read otherwise too."""
    options, count = [], 0
    for node in (node for block in blocks for line in block.lines for _, node in walk(line.value)):
        count += node == Ref(name)
        match node:
            case Apply("activation_gradient", (_, Ref(argument), value)) if argument == name != value:
                options.append(node.attr("option"))
    return tuple(dict.fromkeys(options)) if len(options) == count else ()
