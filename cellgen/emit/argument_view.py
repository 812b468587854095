"""The arguments of a generated constructor: what each may be, as a type, in words, and in code that sees to it."""

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


def size(name: str, default: str = "") -> ArgumentView:
    return ArgumentView(name, default, "int", "a positive integer", f'recurrent.size("{name}", {name})')


def sizes(name: str) -> ArgumentView:
    """A size for each layer of a stack."""
    words = "a list of positive integers, one a layer"
    return ArgumentView(name, "", "list[int] | tuple[int, ...]", words, f'recurrent.sizes("{name}", {name})')


def _dim(dim: Dim) -> ArgumentView:
    name = dim.name
    if dim.kind == "alias":
        code = f'recurrent.size_or("{dim.value}", "{name}", {name})'
        return ArgumentView(name, "None", "int | None", f"a positive integer, or None for {dim.value}", code)
    return size(name, "" if dim.kind == "required" else str(dim.value))


def _option(option: Option, every: tuple[str, ...], positive: bool = False) -> ArgumentView:
    name, default = option.name, literal(option.default)
    match option.kind:
        case "flag":
            return ArgumentView(name, default, "bool", "True or False", f'recurrent.flag("{name}", {name})')
        case "word":
            words = ", ".join(f'"{word}"' for word in option.words)
            code = f'recurrent.word("{name}", {name}, {words})'
            return ArgumentView(name, default, f"Literal[{words}]", f"one of {', '.join(option.words)}", code)
        case "activation":
            words = () if {*option.words} == {*every} else option.words
            some = "".join(f', "{word}"' for word in words)
            code = f'recurrent.activation("{name}", {name}{some})'
            said = f"one of {', '.join(words)}" if words else "the name of an activation"
            return ArgumentView(name, default, "recurrent.ActivationLike", said, code)
    positive = positive and (option.low is None or option.low <= 0)
    bounds = {"low": option.low, "high": option.high}
    given = [f"{bound}={literal(value)}" for bound, value in bounds.items() if value is not None]
    given += ["positive=True"] if positive else []
    said = _range(option, positive)
    if option.kind == "maybe":
        code = f"recurrent.number_or_none({', '.join((_quoted(name), name, *given))})"
        return ArgumentView(name, default, "float | None", f"{said}, or None", code)
    code = f"recurrent.number({', '.join((_quoted(name), name, *given))})"
    if option.kind == "scheduled":
        return ArgumentView(name, default, "float", f"{said}, set while training", f'self._schedule("{name}", {code})')
    return ArgumentView(name, default, "float", said, code)


def _quoted(name: str) -> str:
    return f'"{name}"'


def _range(option: Option, positive: bool) -> str:
    low, high = (None if bound is None else literal(bound) for bound in (option.low, option.high))
    said = "a number above 0" if positive else "a number"
    match low is not None, high is not None:
        case True, True:
            return f"{said} from {low} to {high}"
        case True, False:
            return f"{said} from {low} on"
        case False, True:
            return f"{said} up to {high}"
    return said
