"""Step to `TestView`: what the template of a cell's tests puts in place."""

from collections.abc import Iterator
from fractions import Fraction

from cellgen.emit.argument_view import literal
from cellgen.emit.expressions import ROUNDED
from cellgen.emit.records import TestView
from cellgen.ir import Apply, Cell, Dim, Noise, Option, Ref, multiples, walk
from cellgen.schedule import Step
from cellgen.stack import Stack

JUMPS = ("step", "where")  # a rounding of their argument may change their value by 1
RATE = "0.4"  # of what training drops
SMOOTH = ("softsign", "tanh", "sigmoid", "softplus", "elu")


def testview(step: Step, spec: str, checksum: str) -> TestView:
    """The tests' view; `spec` is the expanded text, `checksum` that of the cell's."""
    cell = step.cell
    changes = [*_dim_changes(cell.dims)]
    changes += [change for index, option in enumerate(cell.options) for change in _option_changes(option, index)]
    together: dict[str, str] = {}
    for name, value in changes:
        together.setdefault(name, value)
    cases = [{}, *({name: value} for name, value in changes)]
    if len(together) > 1:
        cases.append(together)
    return TestView(
        cell=cell.name,
        stem=cell.stem,
        checksum=checksum,
        spec=_quoted(spec),
        stack=False,
        cell_stem="",
        cell_spec="",
        depth="",
        sizes=tuple(_dict(dict(_sizes(cell.dims, which))) for which in (0, 1)),
        inferred=tuple(dim.name for dim in cell.dims if dim.kind in ("inferred", "optional")),
        cases=tuple(map(_dict, cases)),
        mask=cell.mask.kind,
        many=len(cell.inputs) > 1,
        input=cell.inputs[0].name,
        constants=[port.name for port in cell.inputs if port.constant],
        needs=any(not each.optional and each.default is None for each in cell.inputs[1:]),
        scheduled=[each.name for each in cell.options if each.kind == "scheduled"],
        trace=list(cell.trace),
        rates=_dict({each.rate.name: RATE for each in cell.noises if isinstance(each.rate, Ref)}),
        noises={each.name: _rate(each) for each in cell.noises},
        bound="1e-7" if any(option.default in ROUNDED for option in cell.options) else "1e-11",
        jumps=_jumps(cell),
    )


def _dict(pairs: dict[str, str]) -> str:
    return "{" + ", ".join(f'"{name}": {value}' for name, value in pairs.items()) + "}"


def _sizes(dims: tuple[Dim, ...], which: int) -> Iterator[tuple[str, str]]:
    """Small sizes, all different where they can be; what is divided is so by 2, or by a number that the spec says."""
    many, divisors = multiples(dims), {dim.divisor for dim in dims if dim.kind == "quotient"}
    free = iter(((3, 4, 5, 7, 2, 6, 8, 9), (2, 3, 6, 5, 4, 7, 9, 8))[which] * 8)
    for dim in dims:
        if dim.kind in ("inferred", "required", "number"):
            if dim.name in divisors:
                yield dim.name, "2"
            elif many[dim.name] > 1:
                yield dim.name, str((2, 3)[which] * many[dim.name])
            else:
                yield dim.name, str(next(free))


def _dim_changes(dims: tuple[Dim, ...]) -> Iterator[tuple[str, str]]:
    for dim in dims:
        if dim.kind in ("alias", "optional"):
            yield dim.name, str(3 * multiples(dims)[dim.name])


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
            whole = option.default.denominator == 1
            other = option.default + 1 if whole else option.default / 2 + Fraction(1, 4)
            yield option.name, repr(float(_within(option, other)))


def _within(option: Option, value: Fraction) -> Fraction:
    """A value that the option may have, other than its default."""
    low, high = option.low, option.high
    if low is not None and high is not None:
        return (low + high) / 2 if (low + high) / 2 != option.default else (3 * low + high) / 4
    if low is not None and value < low:
        return low + 1
    return high - 1 if high is not None and value > high else value


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
    changes = [change for index, option in enumerate(stack.options) for change in _option_changes(option, index)]
    changes += _dim_changes(stack.dims)
    together: dict[str, str] = {}
    for name, value in changes:
        together.setdefault(name, value)
    cases = [{}, *({name: value} for name, value in changes), *([together] if len(together) > 1 else [])]
    return TestView(
        cell=stack.name,
        stem=stack.stem,
        checksum=checksum,
        spec=_quoted(spec),
        stack=True,
        cell_stem=stack.cell.stem,
        cell_spec=_quoted(cell_spec),
        depth="" if stack.sizes else stack.depth,
        sizes=(_dict(three | plain), _dict(one | plain)),
        inferred=tuple(dim.name for dim in stack.dims if dim.kind == "inferred"),
        cases=tuple(map(_dict, cases)),
        mask=layer.mask.kind,
        bound="1e-7" if any(option.default in ROUNDED for option in stack.options) else "1e-11",
        jumps=_jumps(layer),
        many=False,
        input=stack.inputs[0].name,
        constants=[],
        needs=False,
        scheduled=[each.name for each in stack.options if each.kind == "scheduled"],
        rates=_dict({each.rate.name: RATE for each in layer.noises if isinstance(each.rate, Ref)}),
        noises={f"layer{index + 1}/{each.name}": _rate(each) for index in range(3) for each in layer.noises},
        trace=[f"layer{index + 1}_{name}" for index in range(3) for name in stack.typed_layer.cell.trace],
    )


def _rate(noise: Noise) -> float:
    """How often a test drops."""
    return float(RATE) if isinstance(noise.rate, Ref) else float(noise.rate.value)


def _jumps(cell: Cell) -> bool:
    return any(isinstance(node, Apply) and node.op in JUMPS for each in cell.equations for _, node in walk(each.value))


def _quoted(spec: str) -> str:
    return spec.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
