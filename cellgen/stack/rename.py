"""The same cell under other names: of dims, and of what an expression reads."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from cellgen.ir import Cell, Dim, Node, Ref, children, rebuild
from cellgen.ir.initial_values import remade


def read_as(node: Node, names: Mapping[str, str]) -> Node:
    """The same with other names of what it reads."""
    if isinstance(node, Ref):
        return replace(node, name=names.get(node.name, node.name))
    return rebuild(node, tuple(read_as(child, names) for child in children(node)))


def with_dims(cell: Cell, names: Mapping[str, str]) -> Cell:
    """The cell with other names of dims."""
    if not names:
        return cell

    def axis(each):
        return tuple(names.get(atom, atom) for atom in each)

    def shape(each):
        return None if each is None else tuple(map(axis, each))

    def attrs(each: Iterable) -> tuple:
        return tuple((name, _over(value, axis, shape)) for name, value in each)

    def node(each: Node) -> Node:
        if isinstance(each, Ref):
            return replace(each, name=names.get(each.name, each.name))
        new = rebuild(each, tuple(map(node, children(each))))
        if hasattr(new, "attrs"):
            return replace(new, attrs=attrs(new.attrs))
        return replace(new, shape=shape(new.shape)) if hasattr(new, "shape") else new

    def dim(each: Dim) -> Dim:
        return replace(
            each,
            name=names.get(each.name, each.name),
            value=names.get(each.value, each.value),
            divisor=names.get(each.divisor, each.divisor),
        )

    def init(each: tuple) -> tuple:
        label, starts = each
        return label, remade(starts, lambda test: test, lambda value: read_as(node(value), names))

    return replace(
        cell,
        dims=tuple(map(dim, cell.dims)),
        axes=tuple(replace(each, widths=shape(each.widths)) for each in cell.axes),
        inputs=tuple(replace(each, shape=shape(each.shape)) for each in cell.inputs),
        states=tuple(replace(each, shape=shape(each.shape)) for each in cell.states),
        params=tuple(replace(each, shape=shape(each.shape), init=tuple(map(init, each.init))) for each in cell.params),
        norms=tuple(replace(each, over=shape(each.over)) for each in cell.norms),
        equations=tuple(replace(each, value=node(each.value)) for each in cell.equations),
    )


def _over(value, axis, shape):
    """An attribute that is an axis or a shape, in other names."""
    if isinstance(value, tuple) and value and isinstance(value[0], tuple):
        return shape(value)
    return axis(value) if isinstance(value, tuple) else value
