"""The algebra of shapes in one variant: which axes are equal, what broadcasts, which axes two values share.

A product is one flat axis holding the same numbers, row-major, as its factors written apart.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from cellgen.ir.cell import Cell
from cellgen.ir.expr import Atom, Axis, Shape


@dataclass(frozen=True)
class Algebra:
    """`same` maps a dim that was not given to the one it stands for; `factors` a dim to its divisor and its quotient,
    `wholes` those of its other quotients back to it. A quotient by 1 is a second name: `[1, source]` is the whole.
    """

    same: Mapping[str, str]
    factors: Mapping[Atom, Axis]
    wholes: Mapping[Axis, Atom]

    @classmethod
    def of(cls, cell: Cell, same: Mapping[str, str]) -> "Algebra":
        plain, factors, wholes = cls(same, {}, {}), {}, {}
        for dim in cell.dims:
            if dim.kind == "quotient":
                whole, pair = plain.dim(dim.value), (plain.dim(dim.divisor), dim.name)
                if dim.divisor == 1 or factors.setdefault(whole, pair) != pair:
                    wholes[pair] = whole
        return cls(same, factors, wholes)

    def dim(self, atom: Atom) -> Atom:
        while atom in self.same:
            atom = self.same[atom]
        return atom

    def canonical(self, shape: Shape) -> Shape:
        """With the dims of this variant: a dim not given is the one it stands for."""
        return tuple(tuple(self.dim(atom) for atom in axis) for axis in shape)

    def atoms(self, axis: Axis) -> Axis:
        """The factors of an axis, quotients spelled out, numbers multiplied together, ones left out."""
        out: list[Atom] = []
        for atom in self._whole(tuple(map(self.dim, axis))):
            for part in self.atoms(self.factors[atom]) if atom in self.factors else (atom,):
                if isinstance(part, int) and out and isinstance(out[-1], int):
                    out[-1] *= part
                elif part != 1:
                    out.append(part)
        return tuple(out)

    def _whole(self, axis: Axis) -> Axis:
        """With a dim in place of a divisor and a quotient of it other than the one that it is spelled out as."""
        for at in range(len(axis) - 1):
            if axis[at : at + 2] in self.wholes:
                return self._whole((*axis[:at], self.wholes[axis[at : at + 2]], *axis[at + 2 :]))
        return axis

    def flat(self, shape: Shape) -> Axis:
        return self.atoms(tuple(atom for axis in shape for atom in axis))

    def equal(self, a: Axis, b: Axis) -> bool:
        return self.atoms(a) == self.atoms(b)

    def scalar(self, shape: Shape) -> bool:
        return not self.flat(shape)

    def broadcast(self, a: Shape, b: Shape) -> Shape | None:
        """An elementwise result: equal dims, an ordered subsequence, or a scalar; None if it has none."""
        if self.scalar(a) or self.scalar(b):
            if self.scalar(a) and self.scalar(b):
                return max(a, b, key=len)
            return b if self.scalar(a) else a
        if len(a) == len(b):
            return a if all(map(self.equal, a, b)) else None
        short, long = sorted((a, b), key=len)
        if len({self.atoms(axis) for axis in long}) < len(long):
            return None  # a repeated name: it cannot be told which one is meant
        return long if self.places(short, long) is not None else None

    def places(self, short: Shape, long: Shape) -> tuple[int, ...] | None:
        """Where each axis of `short` stands in `long`, in order; None if it is no ordered subsequence."""
        found, at = [], 0
        for axis in short:
            while at < len(long) and not self.equal(axis, long[at]):
                at += 1
            if at == len(long):
                return None
            found.append(at)
            at += 1
        return tuple(found)

    def shared(self, a: Shape, b: Shape) -> int:
        """How many leading axes two operands of `@` or `outer` share by name; the last of each is never one of them."""
        count, most = 0, min(len(a), len(b)) - 1
        while count < most and self.equal(a[count], b[count]):
            count += 1
        return count
