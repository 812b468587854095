"""`Fused` to `FusedView`: the weights of an LSTM or a GRU of Keras's, as code over those of a cell that is one."""

import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence

from cellgen.emit.argument_view import literal
from cellgen.emit.expressions import AND, OR, Emitter
from cellgen.emit.port_view import WIDTH
from cellgen.emit.records import FusedView
from cellgen.ir import Fused, Gate, Piece, Shape
from cellgen.schedule import Slot, Step


def fusedview(fused: Fused, step: Step) -> FusedView:
    return _Viewing(fused, step).run()


class _Viewing:
    def __init__(self, fused: Fused, step: Step):
        self.fused, self.cell, self.emitter = fused, step.cell, Emitter(step.cell)
        self.slots: dict[str, Slot] = {slot.param.name: slot for slot in step.slots}
        self.names = [*(slot.argument for slot in step.slots), *(d.name for d in self.cell.dims)]
        self.names += [option.name for option in self.cell.options]
        self.axes = {axis.name: axis for axis in self.cell.axes}
        self.splits: dict[str, tuple[str, ...]] = {}  # what is cut into labels, and how these are called
        dims = {dim.name: dim for dim in self.cell.dims}
        ((units,),) = self.cell.states[0].shape
        while units in dims and dims[units].kind == "alias":  # of what is not given
            units = dims[units].value
        self.units = (units,)

    def run(self) -> FusedView:
        gates = self.fused.gates
        kernel, recurrent = (self.whole([getattr(g, of) for g in gates]) for of in ("kernel", "recurrent"))
        self.dtype = f"{self.slots[gates[0].kernel.weight].argument}.dtype"
        bias = self.row(gates, [gate.biases for gate in gates])
        if self.fused.kind == "gru":
            bias = self.rows(bias, self.row(gates, [gate.inner for gate in gates], alone=False))
        lines = tuple(f"{', '.join(names)} = {code}" for code, names in self.splits.items())
        roles, names = (", ".join(getattr(gate, of) for gate in gates) for of in ("role", "name"))
        about = f"The weights of the `{self.fused.layer}` that this is: its {roles} are {names} here."
        return FusedView(
            about=tuple(textwrap.wrap(about, WIDTH)),
            parameters=tuple(self.read(*lines, kernel, recurrent, bias)),
            lines=lines,
            weights=(kernel, recurrent, bias),
            declared=", ".join(self.declared()),
        )

    def declared(self) -> Iterator[str]:
        yield literal(self.fused.kind)
        yield f"({', '.join(map(literal, self.fused.states))}{',' * (len(self.fused.states) == 1)})"
        yield "_fused"
        if when := " and ".join(self.conditions()):
            yield f"lambda {', '.join([*self.read(when), '**_'])}: {when}"

    def read(self, *codes: str) -> list[str]:
        """The arguments that are read."""
        return [name for name in dict.fromkeys(self.names) if any(re.search(rf"\b{name}\b", code) for code in codes)]

    def conditions(self) -> Iterator[str]:
        if self.fused.test is not None:
            yield self.emitter.test(self.fused.test, AND)
        yield from (f'{option}.name == "{word}"' for option, word in self.fused.choices)

    # --- weights

    def whole(self, pieces: Sequence[Piece]) -> str:
        """The columns of all gates: a weight as it is, where it has them in this order, or parts side by side."""
        first = pieces[0]
        if self.in_order(pieces, self.slots[first.weight].shape[1:]):
            return self.slots[first.weight].argument
        return f"tf.concat([{', '.join(map(self.piece, pieces))}], axis=-1)"

    def in_order(self, pieces: Sequence[Piece], last: Shape) -> bool:
        """Whether they are all of one weight, of whose last axis they are the labels in their order."""
        first = pieces[0]
        plain = not any(each.negative or each.transposed or each.weight != first.weight for each in pieces)
        if not plain or not first.labels or len(last) != 1 or len(last[0]) < 2 or last[0][0] not in self.axes:
            return False
        labels = self.axes[last[0][0]].labels
        return [each.labels for each in pieces] == [(*first.labels[:-1], label) for label in labels]

    def piece(self, piece: Piece) -> str:
        """Its code; of a bias that is not always there, zeros."""
        code = self.part(piece)
        code = f"tf.transpose({code})" if piece.transposed else code
        return f"-{code}" if piece.negative else code

    def part(self, piece: Piece) -> str:
        """A part of a weight, with the axes that its labels do not stand for."""
        slot, labels = self.slots[piece.weight], list(piece.labels)
        code, shape = slot.argument, list(slot.shape)
        while labels and len(shape[0]) == 1 and shape[0][0] in self.axes:  # a row
            code = f"{code}[{self.place(shape.pop(0)[0], labels.pop(0))}]"
        if not labels:
            return self.or_zeros(slot, code)
        flat = [atom for axis in shape for atom in axis]
        (at, atom), *more = [(at, atom) for at, atom in enumerate(flat) if atom in self.axes]
        leads = [at for at, axis in enumerate(shape) if len(axis) > 1 and axis[0] == atom]
        if more or not leads:
            sizes = [self.emitter.size((each,)) if at else "-1" for at, each in enumerate(flat)]
            places = iter(labels)
            index = ", ".join(self.place(each, next(places)) if each in self.axes else ":" for each in flat)
            return self.or_zeros(slot, f"tf.reshape({code}, [{', '.join(sizes)}])[{index}]")
        names = self.axes[atom].labels
        stem = re.sub(r"\W+", "_", code).strip("_")
        cut = f"tf.split({code}, {len(names)}, axis={leads[0] - len(shape)})"
        if slot.test is not None and not self.is_product(slot):
            cut += f" if {self.emitter.test(slot.test, OR)} else {len(names)} * [{self.zeros()}]"
        self.splits.setdefault(cut, tuple(f"_{stem}_{name}" for name in names))
        return self.splits[cut][names.index(labels[0])]

    def is_product(self, slot: Slot) -> bool:
        """Whether it multiplies the input or the state: then it is there."""
        return any(slot.param.name in (gate.kernel.weight, gate.recurrent.weight) for gate in self.fused.gates)

    def place(self, axis: str, label: str) -> str:
        return str(self.axes[axis].labels.index(label))

    def or_zeros(self, slot: Slot, code: str) -> str:
        if slot.test is None or self.is_product(slot):
            return code
        return f"({code} if {self.emitter.test(slot.test, OR)} else {self.zeros()})"

    # --- biases

    def zeros(self, count: int = 1) -> str:
        size = self.emitter.size(self.units)
        return f"tf.zeros([{f'{count} * {size}' if count > 1 else size}], {self.dtype})"

    def row(self, gates: Sequence[Gate], every: Sequence[tuple[Piece, ...]], alone: bool = True) -> str:
        """What is added to the products of all gates. alone: numbers are added to these."""
        firsts = [some[0] for some in every if len(some) == 1]
        added = [gate for gate in gates if alone and (gate.added or gate.options)]
        if len(firsts) == len(gates) and not added and self.in_order(firsts, self.slots[firsts[0].weight].shape[-1:]):
            slot, labels = self.slots[firsts[0].weight], firsts[0].labels[:-1]
            code, shape = slot.argument, list(slot.shape)
            for label in labels:
                code = f"{code}[{self.place(shape.pop(0)[0], label)}]"
            return f"{code} if {self.emitter.test(slot.test, OR)} else {self.zeros(len(gates))}" if slot.test else code
        if not any(every) and not added:
            return self.zeros(len(gates))
        sums = [[*self.terms(gate if alone else None, some)] or [self.zeros()] for gate, some in zip(gates, every)]
        return f"tf.concat([{', '.join(' + '.join(each) for each in sums)}], axis=-1)".replace("+ -", "- ")

    def terms(self, gate: Gate | None, pieces: Iterable[Piece]) -> Iterator[str]:
        found = [self.piece(each) for each in pieces]
        if gate is not None:
            found += [f"-{name}" if negative else name for name, negative in gate.options]
            found += [literal(gate.added)] if gate.added else []
            if found and not pieces:
                found.insert(0, self.zeros())
        yield from found

    def rows(self, one: str, other: str) -> str:
        """The two rows of a GRU's bias: one weight as it is, where it has them, or one under the other."""
        match = re.fullmatch(r"(\w+)\[0\]( if (.*) else .*)?", one)
        if match and other == one.replace(f"{match[1]}[0]", f"{match[1]}[1]"):
            size = f"[2, 3 * {self.emitter.size(self.units)}]"
            return f"{match[1]} if {match[3]} else tf.zeros({size}, {self.dtype})" if match[2] else match[1]
        return f"tf.stack([{one}, {other}])"
