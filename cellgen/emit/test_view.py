"""Step to `TestView`: what the template of a cell's tests puts in place."""

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction

from cellgen.emit.argument_view import literal
from cellgen.emit.expressions import ROUNDED
from cellgen.emit.records import TestView
from cellgen.ir import Cell, Dim, Input, Option, multiples
from cellgen.ir.initial_values import formulas
from cellgen.schedule import Step
from cellgen.stack import Stack

SMOOTH = ("softsign", "softplus", "silu", "elu", "mish")  # and whose derivative reads what the loop keeps for it alone
OF_MASKS = {
    "none": ("a_mask_is_refused",),
    "hold": ("masks", "a_masked_step_is_as_if_deleted"),
    "reset": ("masks", "a_masked_step_starts_anew"),
}


def testview(step: Step, spec: str, checksum: str) -> TestView:
    """The tests' view; `spec` is the expanded text, `checksum` that of the cell's."""
    cell = step.cell
    return TestView(
        stem=cell.stem,
        checksum=checksum,
        spec=_quoted(spec),
        cell_stem="",
        cell_spec="",
        bound=_bound(cell.options),
        sizes=tuple(_dict(dict(_sizes(cell.dims, which, bool(cell.norms)))) for which in (0, 1)),
        cases=_cases([*_dim_changes(cell.dims), *_changes(cell.options)]),
        checks=tuple(_checks(cell, cell.options)),
    )


def stack_testview(stack: Stack, spec: str, cell_spec: str, checksum: str) -> TestView:
    """The same for a stack, of three layers and of one."""
    layer, first = stack.layer, dict(_sizes(stack.dims, 0))
    plain = {name: size for name, size in first.items() if name not in stack.sizes}
    if stack.sizes:
        some = (4, 5, 6) if layer.norms else (3, 4, 2)  # over two lanes a norm is nearly a step
        three = {name: str([size + at for size in some]) for at, name in enumerate(stack.sizes)}
        one = {name: str([5 + at]) for at, name in enumerate(stack.sizes)}
    else:
        three, one = {stack.depth: "3"}, {stack.depth: "1"}
    return TestView(
        stem=stack.stem,
        checksum=checksum,
        spec=_quoted(spec),
        cell_stem=stack.cell.stem,
        cell_spec=_quoted(cell_spec),
        bound=_bound(stack.options),
        sizes=(_dict(three | plain), _dict(one | plain)),
        cases=_cases([*_changes(stack.options), *_dim_changes(stack.dims)]),
        checks=tuple(_checks(layer, stack.options, stack.inputs)),
    )


def _checks(cell: Cell, options: Iterable[Option], inputs: Sequence[Input] = ()) -> Iterator[str]:
    """The names of what holds of a cell, or of a stack of its inputs."""
    yield from ("step", "scan", "gradients")
    yield from OF_MASKS[cell.mask.kind]
    yield "every_way"
    if all(port.optional or port.default is not None for port in (inputs or cell.inputs)[1:]):
        yield "as_a_cell_of_keras"
    yield from ("one_trace_for_all_lengths", "samples_do_not_mix", "save_and_load")
    yield from ("float32", "mixed_precision", "arguments_are_checked")
    if any(formulas(init) for param in cell.params for _, init in param.init):
        yield "initial_values"
    if any(option.kind == "scheduled" for option in options):
        yield "what_is_scheduled_is_set_while_running"
    if cell.trace:
        yield "what_is_traced"
    if cell.noises:
        yield from ("training_step", "training_scan", "training_every_way", "training_draws_by_seed")


def _cases(changes: list[tuple[str, str]]) -> tuple[str, ...]:
    """Nothing changed, each change by itself, then one of each together."""
    together: dict[str, str] = {}
    for name, value in changes:
        together.setdefault(name, value)
    cases = [{}, *({name: value} for name, value in changes), *([together] if len(together) > 1 else [])]
    return tuple(map(_dict, cases))


def _changes(options: Iterable[Option]) -> Iterator[tuple[str, str]]:
    for index, option in enumerate(options):
        yield from _option_changes(option, index)


def _bound(options: Iterable[Option]) -> str:
    return "1e-7" if any(option.default in ROUNDED for option in options) else "1e-11"


def _dict(pairs: dict[str, str]) -> str:
    return "{" + ", ".join(f'"{name}": {value}' for name, value in pairs.items()) + "}"


def _sizes(dims: tuple[Dim, ...], which: int, norms: bool = False) -> Iterator[tuple[str, str]]:
    """Small sizes, all different where they can be; what is divided is so by 2, or by a number that the spec says, and
    with norms into parts of three at least: over two lanes a norm is nearly a step.
    """
    many, divisors = multiples(dims), {dim.divisor for dim in dims if dim.kind == "quotient"}
    free = iter(((3, 4, 5, 7, 2, 6, 8, 9), (2, 3, 6, 5, 4, 7, 9, 8))[which] * 8)
    for dim in dims:
        if dim.kind in ("inferred", "required", "number"):
            if dim.name in divisors:
                yield dim.name, "2"
            elif many[dim.name] > 1:
                yield dim.name, str(((3, 4) if norms else (2, 3))[which] * many[dim.name])
            else:
                yield dim.name, str(next(free))


def _dim_changes(dims: tuple[Dim, ...]) -> Iterator[tuple[str, str]]:
    divisors = {dim.divisor for dim in dims if dim.kind == "quotient"}
    for dim in dims:
        if dim.kind in ("alias", "optional"):
            yield dim.name, "2" if dim.name in divisors else str(3 * multiples(dims)[dim.name])


def _option_changes(option: Option, index: int) -> Iterator[tuple[str, str]]:
    match option.kind:
        case "flag":
            yield option.name, literal(not option.default)
        case "word":
            for word in option.words:
                if word != option.default:
                    yield option.name, literal(word)
        case "activation":
            smooth = [name for name in SMOOTH if name in option.words and name != option.default]
            others = smooth or [name for name in option.words if name != option.default]
            if others:
                yield option.name, literal(others[index % len(others)])
        case "maybe":
            yield option.name, repr(float(_within(option, Fraction(1, 2)))) if option.default is None else "None"
        case _:  # a whole number stays one: it may be an exponent
            whole, half = option.default.denominator == 1, Fraction(1, 2)
            other = option.default + 1 if whole else (option.default + (1 if option.default == half else half)) / 2
            yield option.name, repr(float(_within(option, other)))


def _within(option: Option, value: Fraction) -> Fraction:
    """A value that the option may have, other than its default."""
    low, high = option.low, option.high
    if low is not None and high is not None:
        return (low + high) / 2 if (low + high) / 2 != option.default else (3 * low + high) / 4
    if low is not None and value < low:
        return low + 1
    return high - 1 if high is not None and value > high else value


def _quoted(spec: str) -> str:
    return spec.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
