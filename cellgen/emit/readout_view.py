"""The readout of a stack to `ReadoutView`: what is computed for each layer becomes a loop over them."""

from collections.abc import Iterator
from dataclasses import replace

from cellgen.emit.expressions import Emitter
from cellgen.emit.initial_view import keras_text
from cellgen.emit.records import ReadoutView, ReadoutWeightView, StatementView
from cellgen.ir import Node, Ref, children, rebuild
from cellgen.schedule import Block, statements
from cellgen.stack import ALL, EACH, LAYERS, Readout, Stack, Step, unrolled

NONE = ReadoutView((), (), (), (), (), "")


def readoutview(stack: Stack, size) -> ReadoutView:
    """`size` prints the size of an axis in the classes."""
    return NONE if stack.readout is None else _Viewing(stack, stack.readout, size).run()


class _Viewing:
    def __init__(self, stack: Stack, readout: Readout, size):
        self.stack, self.readout, self.size = stack, readout, size
        # of one layer, a term is what it is of any
        self.one = unrolled(stack, 1)
        self.blocks = {block.name: block for block in statements(self.one).blocks}
        self.emitter = Emitter(self.one.cell)
        self.labelled: list[str] = []

    def run(self) -> ReadoutView:
        readout = self.readout
        weights = tuple(self.weight(param) for param in readout.params)
        return ReadoutView(
            equations=tuple(dict.fromkeys(step.text for step in readout.steps)),
            states=readout.shown,
            weights=weights,
            parameters=tuple(weight.name for weight in weights),
            statements=tuple(self.statements()),
            output=self.stack.output,
        )

    def weight(self, param) -> ReadoutWeightView:
        each = self.readout.by_layer(param)
        sizes = ", ".join(self.axis(axis) for axis in param.shape)
        ((_, init),) = param.init
        return ReadoutWeightView(
            param.name,
            f"{param.name}{1 if each else ''}",
            f"[{sizes}]",
            each,
            keras_text(init),
            param.trainable,
        )

    def axis(self, axis) -> str:
        return " * ".join(self.atom(atom) for atom in axis) or "1"

    def atom(self, atom) -> str:
        sizes = self.stack.sizes
        if atom == LAYERS:
            return "self.depth"
        if atom == ALL:
            return f"sum(self.{sizes[0]})" if sizes else f"self.depth * {self.size((self.main(),))}"
        if isinstance(atom, str) and atom.startswith(f"{EACH}."):
            name = atom.removeprefix(f"{EACH}.")
            return f"self.{name}[index]" if name in sizes else self.size((name,))
        return self.size((atom,))

    def main(self) -> str:
        (atom,) = self.stack.layer.state(self.readout.shown[0]).shape[-1]
        return atom

    # --- the equations

    def statements(self) -> Iterator[StatementView]:
        said = None
        for step in self.readout.steps:
            lines = [f"# {step.text}"] if step.text != said else []
            said = step.text
            lines += self.lines(step)
            yield StatementView(tuple(lines))

    def lines(self, step: Step) -> Iterator[str]:
        if step.kind == "value":
            block = self.blocks[step.name]
            yield f"{step.name} = {self.emitter.text(block.lines[0].value)}"
            return
        prefix = "layer1_" if step.kind == "each" else "layer1"
        term = self.term(self.blocks[f"{prefix}{step.name}"], step)
        match step.kind:
            case "each":
                yield f"{step.name} = {term}"
            case "sum":
                yield f"{step.name} = tf.add_n({term})"
            case "mix":
                yield f"{step.name} = tf.concat({term}, axis=-1) @ {step.by}"

    def term(self, block: Block, step: Step) -> str:
        """A list of one value a layer."""
        (line,) = block.lines
        names: dict[str, str] = {}
        value = self.named(line.value, names)
        text = self.emitter.text(value)
        if isinstance(value, Ref) and len(names) == 1:
            return next(iter(names.values()))
        if len(names) == 1:
            ((name, of),) = names.items()
            return f"[{text} for {name} in {of}]"
        return f"[{text} for {', '.join(names)} in zip({', '.join(names.values())})]"

    def named(self, node: Node, names: dict[str, str]) -> Node:
        """What a layer has one of, by the name that the loop gives it; `names` maps that to the list of all."""
        if isinstance(node, Ref):
            own = self.of_layer(node.name)
            if own is None:
                return node
            short, whole = own
            names[f"{EACH}_{short}"] = whole
            return replace(node, name=f"{EACH}_{short}")
        return rebuild(node, tuple(self.named(child, names) for child in children(node)))

    def of_layer(self, name: str) -> tuple[str, str] | None:
        for state in self.readout.shown:
            if name == f"layer1_{state}":
                return state, state
        for param in self.readout.params:
            if self.readout.by_layer(param) and name == f"{param.name}1":
                return param.name, param.name
        for step in self.readout.steps:
            if step.kind == "each" and name == f"layer1_{step.name}":
                return step.name, step.name
            if name == f"{step.name}_l1":
                return step.name, f"tf.split({step.name}, len({self.readout.shown[0]}), axis=-1)"
        return None
