"""The arguments of a generated constructor: what each must be, in code and in words."""

from collections.abc import Iterator
from fractions import Fraction

from cellgen.emit.records import ArgumentView
from cellgen.ir import Cell, Dim, Option, Ref
from cellgen.resolve import choices
from cellgen.schedule import GIVEN


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
    epsilons = {norm.epsilon.name for norm in cell.norms if isinstance(norm.epsilon, Ref)}
    for option in cell.options:
        yield _option(option, choices(cell.options), positive=option.name in epsilons)


def _dim(dim: Dim) -> ArgumentView:
    name = dim.name
    fits, wanted, value = f"recurrent.is_size({name})", "a positive integer", f"int({name})"
    if dim.kind == "alias":
        fits, value = f"{name} is None or {fits}", f"None if {name} is None else {value}"
        return ArgumentView(name, "None", fits, f"{wanted}, or None for {dim.value}", value)
    return ArgumentView(name, "" if dim.kind == "required" else str(dim.value), fits, wanted, value)


def _option(option: Option, every: tuple[str, ...], positive: bool = False) -> ArgumentView:
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
            words = () if {*option.words} == {*every} else option.words
            some = f'("{words[0]}",)' if len(words) == 1 else f"{words}".replace("'", '"') if words else "_ACTIVATIONS"
            return ArgumentView(name, default, "", "", f'recurrent.activation_name("{name}", {name}, {some})', words)
    fits, wanted, value = f"recurrent.is_number({name})", "a number", f"float({name})"
    low, high = (None if bound is None else literal(bound) for bound in (option.low, option.high))
    if positive and (option.low is None or option.low <= 0):
        fits, wanted = f"{fits} and {name} > 0", "a number above 0"
    match low is not None, high is not None:
        case True, True:
            fits, wanted = f"{fits} and {low} <= {name} <= {high}", f"{wanted} from {low} to {high}"
        case True, False:
            fits, wanted = f"{fits} and {low} <= {name}", f"{wanted} from {low} on"
        case False, True:
            fits, wanted = f"{fits} and {name} <= {high}", f"{wanted} up to {high}"
    if option.kind == "maybe":
        fits, value = f"{name} is None or {fits}", f"None if {name} is None else {value}"
        return ArgumentView(name, default, fits, f"{wanted}, or None", value)
    return ArgumentView(name, default, fits, wanted, value)
