"""What `cellgen check --plan` shows: what runs before the loop, in it and on the way back, and what is kept."""

import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING

from cellgen.analyse import parts, size
from cellgen.derive import reads
from cellgen.ir import Program, Shape, Size, default_variant, shape_text, total

if TYPE_CHECKING:
    from cellgen.schedule import Line, Plan, Segment

BYTES = 4  # of a float32


def planscreen(plan: "Plan") -> str:
    """The plan of a cell; what is kept is that of its default variant. A test behind an equation says when it runs."""
    return "\n\n".join(_Showing(plan).parts())


def bytes_a_step(plan: "Plan") -> Size:
    """What the way back keeps of a step of one sample in float32, in the default variant."""
    showing = _Showing(plan)
    return showing.bytes(showing.kept())


class _Showing:
    def __init__(self, plan: "Plan"):
        self.plan, self.cell = plan, plan.step.cell
        variants = plan.joint.typed.variants
        default = next(each for each in variants if each.variant == default_variant(self.cell, each.variant))
        self.program = Program(plan.joint.typed, default)
        self.shapes = dict(self._shapes())

    def parts(self) -> Iterator[str]:
        plan = self.plan
        heads = (
            ("once, from weights and options", plan.once),
            ("before the loop, all steps of a chunk at once", plan.before),
            ("in the loop", plan.forward),
            ("on the way back", plan.backward),
            ("after it, all steps of a chunk at once", plan.after),
        )
        for head, segment in heads:
            if segment.blocks:
                yield f"{head}\n{textwrap.indent(self.code(segment), '  ')}"
        made = {name for block in plan.forward.blocks for line in block.lines for name in line.targets}
        made -= {part for parts in plan.slabs.values() for part in parts}  # taken out of what is kept
        again = [
            name
            for segment in (plan.backward, plan.after)
            for block in segment.blocks
            for line in block.lines
            for name in line.targets
            if name in made
        ]
        kept, run = self.kept(), plan.run
        rest = [name for name in plan.forward.gives if name not in kept and name not in plan.slabs]
        rows = [
            ("kept", self.said(kept)),
            *([("kept if read", f"{self.said(rest)}: arguments of activations")] if rest else []),
            ("computed again", self.said(list(dict.fromkeys(again))) or "nothing"),
            ("bytes a step", f"{self.bytes(kept)} a sample in float32"),
            ('memory="low"', f"{self.bytes(list(plan.step.carried))} a chunk of steps instead; a chunk runs again"),
            ("transposed once", ", ".join(name for line in plan.turned for name in line.targets) or "nothing"),
            ("inference", "keeps nothing"),
            ("chunks", f"of about {run.rows} samples times steps{'' if run.batch else ' times places of a picture'}"),
            ("runs", f"by XLA from {run.steps} steps on, with a batch of at most {run.batch}; else as a graph")
            if run.batch
            else ("runs", "as a graph; by XLA where it is asked for"),
            ("depth", self.depth()),
            ("shares", f"by XLA, of the batch: one a core of a CPU, each of {run.share} or more"),
        ]
        width = max(len(head) for head, _ in rows)
        lines = []
        for head, text in rows:
            lines += textwrap.wrap(text, 110, initial_indent=f"{head:{width}}  ", subsequent_indent=" " * (width + 2))
        yield "plan\n" + textwrap.indent("\n".join(lines), "  ")

    def depth(self) -> str:
        """How many steps follow one another, of T."""
        loop = "T steps one after the other"
        if self.cell.shown is not None:
            return loop
        found = parts(Program(self.plan.joint.typed, variant) for variant in self.plan.joint.typed.variants)
        if any(part.kind == "loop" for part in found):
            return loop
        if all(part.kind == "follows" for part in found):
            return f'{loop}; parallel="scan": none, for no state comes of another'
        scans = sum(part.kind == "scan" for part in found)
        newton = sum(part.kind == "newton" for part in found)
        each = [f"{scans} of a scan"] * bool(scans) + [f"{newton} of each of Newton's steps"] * bool(newton)
        joined = "2 log2(T) where XLA compiles it, else 2 sqrt(T)"
        return f'{loop}; parallel="{"newton" if newton else "scan"}": {joined}, times {" and ".join(each)}'

    def kept(self) -> list[str]:
        """The values that the way back reads, with the activations that are the default."""
        needed = self.plan.backward.reads | self.plan.after.reads
        before = (name for name in self.plan.before.gives if name in needed)
        given = (name for name in self.plan.forward.gives if self.default_reads(name))
        return [*(part for name in given for part in self.plan.slabs.get(name, (name,))), *before]

    def default_reads(self, name: str) -> bool:
        """Whether a value of the loop is one that the derivatives of the default activations read."""
        options = self.plan.arguments.get(name)
        defaults = {option.name: option.default for option in self.cell.options}
        return options is None or any(reads(defaults[option])[0] for option in options)

    def code(self, segment: "Segment") -> str:
        from cellgen.emit import Emitter  # and with it all that writes code: only where a plan is shown

        emitter = Emitter(self.cell)
        lines = []
        for block in segment.blocks:
            under = f"   where {emitter.test(block.test)}" if block.test else ""
            lines += (f"{line.left} = {emitter.text(line.value)}{under}" for line in block.lines)
        return "\n".join(lines)

    def said(self, names: list[str]) -> str:
        return ", ".join(f"{name} {shape_text(self.shapes[name])}" for name in names if name in self.shapes)

    def bytes(self, names: list[str]) -> Size:
        return BYTES * total(size(self.program, self.shapes[name]) for name in names if name in self.shapes)

    def _shapes(self) -> Iterator[tuple[str, Shape]]:
        """The shape of every value of the variant by its name in the code, parts included."""
        plan, types = self.plan, self.program.variant.types
        states = {state.name: state.shape for state in self.cell.states}
        for carried, shape in zip(plan.step.carried, states.values()):
            yield carried, shape
        for block in plan.step.blocks:
            known = types.get((block.name,))
            if known is None:
                continue
            shape = states.get(block.name, known.shape)
            yield block.name, shape
            for line in block.lines:
                axis = next((axis for axis in self.cell.axes if self.split_by(axis.labels, line, block.name)), None)
                for index, name in enumerate(line.targets):
                    if (name,) in types:
                        yield name, types[(name,)].shape
                    elif axis:
                        yield name, self.part(shape, axis.labels[index])

    def split_by(self, labels: tuple[str, ...], line: "Line", name: str) -> bool:
        """Whether a line takes the value of this name apart by these labels."""
        wanted = (f"{name}_{label}" for label in labels)
        if not 1 < len(line.targets) == len(labels):
            return False
        return all(target in ("_", want) for target, want in zip(line.targets, wanted))

    def part(self, shape: Shape, label: str) -> Shape:
        index, axis = next(self.cell.places(label, shape))
        rest = axis.width(label) or tuple(atom for atom in shape[index] if atom != axis.name)
        return (*shape[:index], *([rest] if rest else []), *shape[index + 1 :])
