"""The types of an expression, from those of the names in it."""

from collections import Counter
from itertools import permutations

from cellgen.diagnostics import Refused
from cellgen.ir import (
    EVERY,
    Activate,
    Apply,
    Choose,
    Level,
    Node,
    Number,
    Path,
    Pick,
    Ref,
    Shape,
    Type,
    View,
    axis_text,
    live_children,
)
from cellgen.shapes.context import Context, said
from cellgen.shapes.rules import RULES
from cellgen.text import MAX_RANK


def infer(node: Node, path: Path, context: Context) -> Type:
    """The type of a node; what stands below it is typed first, and every mistake below is told.

    Raises `Refused` (CG108, CG304, CG305, CG309, CG310, CG313 and those of `rules`).
    """
    below, failed = {}, False
    for index, child in live_children(node, context.variant):
        try:
            if isinstance(child, Ref) and "/" in child.name and 0 in below:
                _weighs(node, child.name, below[0].shape, context)
            below[index] = infer(child, (*path, index), context)
        except Refused:
            failed = True
    if failed:
        raise Refused
    context.types[path] = found = _node(node, below, context)
    return found


def _node(node: Node, below: dict[int, Type], context: Context) -> Type:
    match node:
        case Number(value):
            return Type((), Level.CONSTANT, value in (0, 1))
        case Ref():
            return _ref(node, context)
        case Pick():
            return _pick(node, below[0], context)
        case View(_, shape):
            return _view(node, below[0], context.dims.canonical(shape), context)
        case Activate():
            return Type(below[0].shape, below[0].level)
        case Choose():
            return next(iter(below.values()))
        case Apply("mul" | "add", (_, Ref(name))) if "/" in name:
            return below[0]  # a norm's weight has the shape of the value it scales
        case Apply():
            return _apply(node, list(below.values()), context)


def _weighs(node: Node, name: str, shape: Shape, context: Context) -> None:
    """A norm's weight has the shape of the value that it scales, which stands beside it and is typed already.

    What is derived has no span, stands below what it is derived of, and may have the weight beside anything.
    """
    old, flat = context.weights.setdefault(name, shape), context.dims.flat
    context.names[name] = Type(old, Level.CONSTANT)
    if node.span is not None and (flat(old) != flat(shape) or len(old) != len(shape)):
        context.report.refuse(
            "CG303",
            f"the norm `{name.split('/')[0]}` is applied to {said(old)} and to {said(shape)}",
            node.span,
            help="its weights have one shape: declare a second norm",
        )


def _ref(ref: Ref, context: Context) -> Type:
    name, cell = ref.name, context.cell
    if ref.ago:
        return context.carried[name]
    noise = next((each for each in cell.noises if each.name == name), None)
    if noise is not None:
        like = _node(noise.like, {0: _ref(noise.like.value, context)} if isinstance(noise.like, Pick) else {}, context)
        said = noise.like.value if isinstance(noise.like, Pick) else noise.like
        weight = said.name in {param.name for param in cell.params}  # of which one draw is for all samples
        level = Level.CONSTANT if weight else Level.STEP
        context.names[name] = Type(like.shape, level, noise.kind == "zone")
    type = context.names.get(name)
    if type is None:
        if any(option.name == name for option in cell.options):
            help = f"read it under a test: `... if {name} else ...`"
            context.report.add("CG309", f"`{name}` may be none here", ref.span, help=help)
        if any(dim.name == name for dim in cell.dims):
            port = next(port.name for port in cell.inputs if (name,) in port.shape)
            help = f"read it under a test: `... if {port} else ...`"
            context.report.add("CG309", f"`{name}` has a size only with the input `{port}`", ref.span, help=help)
        raise Refused
    port = next((each for each in cell.inputs if each.name == name), None)
    if port is not None and port.inner and not port.there(context.variant):
        side, role = port.when.name, "first" if port.when.name == "below" else "last"
        help = f"read it under a test: `{ref.span.text} if {side} else ...`"
        message = f"`{ref.span.text}` may not be there: the {role} layer has none {side} it"
        context.report.refuse("CG309", message, ref.span, help=help)
    if port is not None and not port.there(context.variant):
        help = f"read it under a test: `... if {name} else 0`"
        context.report.refuse("CG309", f"the input `{name}` may not be there", ref.span, help=help)
    return type


def _pick(node: Pick, value: Type, context: Context) -> Type:
    label, shape = node.label, value.shape
    places = list(context.cell.places(label, shape))
    if len(places) != 1:
        owner = next(axis.name for axis in context.cell.axes if label in axis.labels)
        context.report.refuse(
            "CG304",
            f"the label `{label}` names two axes of {said(shape)}"
            if places
            else f"{said(shape)} has no axis with a label `{label}`",
            node.span,
            context=context.sides(node.value, shape=shape),
            help="give the labels of the two axes different names"
            if places
            else f"`{label}` is a label of `{owner}`, which must be in the shape of the value",
        )
    index, labels = places[0]
    axis = shape[index]
    if labels.widths:
        if len(axis) != 1:
            message = f"`{labels.name}` has labels of different widths, so `{axis_text(axis)}` cannot be cut"
            context.report.refuse("CG304", message, node.span)
        rest = context.dims.canonical((labels.width(label),))
    else:
        at = axis.index(labels.name)
        rest = tuple(each for each in (axis[:at] + axis[at + 1 :],) if each)
    return _type((*shape[:index], *rest, *shape[index + 1 :]), value.level, value.binary)


def _view(node: View, value: Type, shape: Shape, context: Context) -> Type:
    flat = context.dims.flat
    if flat(value.shape) != flat(shape):
        sizes = {dim.name: (dim.value, dim.divisor) for dim in context.cell.dims if dim.kind == "quotient"}
        came, wanted = (Counter(sizes.get(atom, atom) for atom in flat(each)) for each in (value.shape, shape))
        fits = next((each for each in permutations(shape) if flat(each) == flat(value.shape)), value.shape)
        help = f"a view keeps the numbers in their order: write {said(fits)}" if came == wanted else ""
        context.report.refuse(
            "CG305",
            f"declared {said(shape)}, but the value is {said(value.shape)}",
            node.span,
            f"this says {said(shape)}",
            context=context.sides(node.value, shape=value.shape),
            help=help,
        )
    return Type(shape, value.level, value.binary)


def _apply(node: Apply, types: list[Type], context: Context) -> Type:
    if node.op == "where" and not types[0].binary:
        context.report.refuse(
            "CG310",
            "the condition of `where` is 0 or 1, and this is any number",
            node.args[0].span,
            context=context.sides(node.args[0]),
            help="write a comparison: `where(x > 0, a, b)`",
        )
    if node.op == "conv":
        _convolves(types, node, context)
    shape = RULES[EVERY[node.op].shape](node, [type.shape for type in types], context)
    if len(shape) > MAX_RANK:
        context.report.refuse("CG108", f"a value of {len(shape)} axes; at most {MAX_RANK}", node.span)
    level = (
        Level.CONSTANT
        if ("batch", False) in node.attrs
        else max((type.level for type in types), default=Level.CONSTANT)
    )
    return _type(shape, level, _binary(node, types))


def _convolves(types: list[Type], node: Apply, context: Context) -> None:
    """A value of each sample by a kernel that is one for all."""
    for index, (type, batch) in enumerate(zip(types, (True, False), strict=True)):
        if type.level.has_batch != batch:
            side = node.args[index]
            message = "a kernel is made of weights alone" if index else "`conv` of weights alone"
            help = "what differs by sample is contracted by `@`" if index else "add it to what differs by sample first"
            context.report.refuse("CG313", message, side.span, context=context.sides(side, shape=type.shape), help=help)


def _type(shape: Shape, level: Level, binary: bool) -> Type:
    """A scalar with a batch is `[1]`, stored as (batch, 1)."""
    return Type(((1,),) if level.has_batch and not shape else shape, level, binary)


def _is_zero(node: Node) -> bool:
    """Whether it is zero in every variant."""
    match node:
        case Choose(_, a, b):
            return _is_zero(a) and _is_zero(b)
        case Number(value):
            return value == 0
    return isinstance(node, Apply) and node.op == "zeros"


def _binary(node: Apply, types: list[Type]) -> bool:
    """Whether the result is 0 or 1."""
    match node.op:
        case "step" | "less" | "less_equal" | "greater" | "greater_equal":
            return True
        case "zeros":
            return True
        case "add":
            return types[1].binary and _is_zero(node.args[0])
        case "mul" | "minimum" | "maximum":
            return all(type.binary for type in types)
        case "sub":
            return isinstance(node.args[0], Number) and node.args[0].value == 1 and types[1].binary
        case "where":
            return types[1].binary and types[2].binary
        case "straight_through" | "stop_gradient":
            return types[0].binary
    return False
