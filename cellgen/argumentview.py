"""The arguments of a generated constructor: what each must be, in code and in words."""

from collections.abc import Iterator
from fractions import Fraction

from cellgen.cell import Cell, Dim, Option
from cellgen.lower import GIVEN
from cellgen.records import ArgumentView


def literal(value: Fraction | bool | str | None) -> str:
    if isinstance(value, Fraction):
        return repr(float(value))
    return f'"{value}"' if isinstance(value, str) else repr(value)


def arguments(cell: Cell) -> Iterator[ArgumentView]:
    """The dims that are given, the required ones first, and the options."""
    dims = [dim for dim in cell.dims if dim.kind in GIVEN]
    dims.sort(key=lambda dim: (dim.kind != "required", dim.name != "units" if dim.kind == "required" else False))
    for dim in dims:
        yield _dim(dim)
    for option in cell.options:
        yield _option(option)


def _dim(dim: Dim) -> ArgumentView:
    name = dim.name
    fits, wanted = f"isinstance({name}, int) and {name} > 0", "a positive integer"
    if dim.kind == "alias":
        return ArgumentView(name, "None", f"{name} is None or {fits}", f"{wanted}, or None for {dim.value}", name)
    return ArgumentView(name, "" if dim.kind == "required" else str(dim.value), fits, wanted, name)


def _option(option: Option) -> ArgumentView:
    name, default = option.name, literal(option.default)
    match option.kind:
        case "flag":
            return ArgumentView(name, default, f"isinstance({name}, bool)", "True or False", name)
        case "word":
            words = ", ".join(f'"{word}"' for word in option.words)
            wanted = f"one of {', '.join(option.words)}"
            return ArgumentView(
                name,
                default,
                f"{name} in ({words},)" if len(option.words) == 1 else f"{name} in ({words})",
                wanted,
                name,
            )
        case "activation":
            return ArgumentView(name, default, "", "", f'_activation_name("{name}", {name})')
    fits, wanted = f"isinstance({name}, (int, float))", "a number"
    low, high = (None if bound is None else literal(bound) for bound in (option.low, option.high))
    if low is not None and high is not None:
        fits, wanted = f"{fits} and {low} <= {name} <= {high}", f"a number from {low} to {high}"
    if option.kind == "maybe":
        return ArgumentView(name, "None", f"{name} is None or {fits}", f"{wanted}, or None", name)
    return ArgumentView(name, default, fits, wanted, name)
