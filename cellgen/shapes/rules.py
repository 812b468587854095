"""The rules of `ops` for shapes: from the shapes of the arguments of an operation to that of its result.

Each takes the operation, the shapes and the `Context`. Raises `Refused` where they do not fit (CG301 to CG303, CG307,
CG313).
"""

from cellgen.diagnostics import Label, nearest
from cellgen.ir import Apply, Axis, Node, Ref, Shape, axis_text, shape_text
from cellgen.shapes.context import Context, said

MAX_SPATIAL = 3  # axes that a convolution goes along


def elementwise(node: Apply, shapes: list[Shape], context: Context) -> Shape:
    out, at = shapes[0], 0
    for index, shape in enumerate(shapes[1:], 1):
        joined = context.dims.broadcast(out, shape)
        if joined is None:
            _mismatch(node, (node.args[at], out), (node.args[index], shape), context)
        if joined is not out and joined == shape:
            at = index
        out = joined
    return out


def _label(node: Node, shape: Shape, other: Shape, context: Context) -> str:
    """A help for a value of which one part would fit: its label was forgotten."""
    for axis in context.cell.axes if isinstance(node, Ref) else ():
        part = tuple(tuple(atom for atom in each if atom != axis.name) for each in shape)
        if axis.widths is None and part != shape and context.dims.flat(part) == context.dims.flat(other):
            return f"take one part of it: {', '.join(f'`{node.span.text}.{label}`' for label in axis.labels[:6])}"
    return ""


def _mismatch(node: Apply, one: tuple[Node, Shape], other: tuple[Node, Shape], context: Context) -> None:
    verb = {"add": "add", "sub": "subtract", "mul": "multiply", "div": "divide"}.get(node.op, "combine")
    word = {"sub": "from", "div": "by", "mul": "by"}.get(node.op, "and")
    (left, a), (right, b) = one, other
    if right.span == node.span:  # made of a call of `zoneout`: old * part + new * (1 - part)
        new, old = (b, a) if left.span == node.span else (a, b)
        help = "both have one shape, the old one a carried state: `zoneout(new, h[t-1], rate, per=step)`"
        context.report.refuse("CG302", f"`zoneout` mixes {said(new)} with {said(old)}", node.span, help=help)
    help = []
    if node.op == "mul" and len(a) == len(b) == 1:
        help.append(f"all pairs are `outer({left.span.text}, {right.span.text})`")
    flat, apart = (a, b) if len(a) < len(b) else (b, a)
    if context.dims.flat(flat) == context.dims.flat(apart) and flat != apart:
        for side, other in ((left, b), (right, a)):
            if isinstance(side, Ref) and side.name in context.weights:
                help.append(f"`{side.name}: {shape_text(other)}` under `params:` holds the same numbers")
        help.append(f"give the flat one a view first: `name: {shape_text(apart)} = ...`")
    elif len(flat) < len(apart) and (twice := context.twice(apart)):
        help.append(f"it cannot be told along which axis of {said(apart)}: {twice}")
    help.append(context.one_width(a, b))
    help += (_label(*side, context) for side in ((left, a, b), (right, b, a)))
    first, second = (b, a) if node.op == "sub" else (a, b)
    context.report.refuse(
        "CG302",
        f"cannot {verb} {said(first)} {word} {said(second)}",
        node.span,
        context=(*context.sides(left, shape=a), *context.sides(right, shape=b)),
        help=help,
    )


def contract(node: Apply, shapes: list[Shape], context: Context) -> Shape:
    (a, b), (left, right), dims = shapes, node.args, context.dims
    if dims.scalar(a) or dims.scalar(b):
        side = left if dims.scalar(a) else right
        context.report.refuse(
            "CG301",
            f"`@` contracts an axis, and {_called(side)} is a scalar",
            node.span,
            context=(*context.sides(left), *context.sides(right)),
            help="a product with a scalar is `*`",
        )
    lead = dims.shared(a, b)
    for side, shape in ((left, a), (right, b)):
        if any(sum(dims.equal(axis, other) for other in shape) > 1 for axis in a[:lead]):  # which one is shared?
            context.report.refuse(
                "CG301",
                f"{_called(side)} {said(shape)} names an axis twice, so `@` cannot tell them apart",
                side.span,
                context=context.sides(side),
                help=context.twice(shape),
            )
    if not dims.equal(a[-1], b[lead]):
        context.report.refuse(
            "CG301",
            f"cannot multiply {said(a)} by {said(b)}",
            node.span,
            f"{_called(left)} ends with `{axis_text(a[-1])}`",
            context=context.sides(right, f"{_called(right)} starts with `{axis_text(b[lead])}`"),
            help=_fitting(node, a, b, lead, context),
        )
    return (*a[:-1], *b[lead + 1 :])


def _fitting(node: Apply, a: Shape, b: Shape, lead: int, context: Context) -> list[str]:
    """Helps for a matmul that does not fit: a transposed weight, or a value that would fit."""
    (left, right), equal, help = node.args, context.dims.equal, []
    if len(b) == 2 and equal(a[-1], b[1]) and isinstance(right, Ref):
        help.append(f"weights stand on the right, input first: declare `{right.name}` as {said((b[1], b[0]))}")
    elif len(a) == 2 and len(b) == 1 and equal(a[0], b[0]):
        help.append(f"weights stand on the right: write `{right.span.text} @ {left.span.text}`")
    elif len(a) == len(b) == lead + 1:
        return [f"all pairs are `outer({left.span.text}, {right.span.text})`"]
    if isinstance(left, Ref):
        carried = ((f"{name}[t-1]", type) for name, type in context.carried.items())
        for name, type in (*carried, *context.names.items()):
            if type is not None and type.level.has_batch and len(type.shape) == 1 and equal(type.shape[0], b[lead]):
                help.append(f"`{name}` has shape {said(type.shape)}")
                break
    return help


def outer(node: Apply, shapes: list[Shape], context: Context) -> Shape:
    (a, b), dims = shapes, context.dims
    if dims.scalar(a) or dims.scalar(b):
        return b if dims.scalar(a) else a
    return (*a, *b[dims.shared(a, b) :])


def convolve(node: Apply, shapes: list[Shape], context: Context) -> Shape:
    """The spatial axes, in steps of the stride, and the filters."""
    (x, kernel), (value, weight), dims = shapes, node.args, context.dims
    sides = (*context.sides(value, shape=x), *context.sides(weight, shape=kernel))

    def refuse(message: str, *help: str) -> None:
        context.report.refuse("CG313", message, node.span, context=sides, help=help)

    if not 2 <= len(x) <= 1 + MAX_SPATIAL or dims.scalar(x):
        help = "write `inputs: {x: [rows, columns, channels]}` where pictures come in"
        message = f"`conv` goes along one to {MAX_SPATIAL} axes, with the channels behind them, and this is {said(x)}"
        refuse(message, help)
    if len(kernel) != len(x) + 1:
        fits = (*[(3,)] * (len(x) - 1), x[-1], ("filters",))
        flat = "the last axes are one, flat: `gates*filters`" if len(kernel) > len(fits) else ""
        help = f"a size along each axis, the channels, the filters: {said(fits)}"
        refuse(f"a kernel for {said(x)} has {len(fits)} axes, and {said(kernel)} has {len(kernel)}", help, flat)
    if not dims.equal(x[-1], kernel[-2]):
        filters = kernel[-2 if dims.equal(x[-1], kernel[-1]) else -1]
        help = f"the kernel's last axes are channels and filters: {said((*kernel[:-2], x[-1], filters))}"
        refuse(f"the channels are `{axis_text(x[-1])}`, those of the kernel `{axis_text(kernel[-2])}`", help)
    return (*(_every(axis, node, context) for axis in x[:-1]), kernel[-1])


def _every(axis: Axis, node: Apply, context: Context) -> Axis:
    """The axis of every so many of its places: its quotient by the stride, which must have a name."""
    stride = dict(node.attrs).get("stride", 1)
    if stride == 1:
        return axis
    if len(axis) == 1 and isinstance(axis[0], int) and axis[0] % stride == 0:
        return (axis[0] // stride,)
    for dim in context.cell.dims:
        whole = dim.kind == "quotient" and isinstance(dim.value, str) and context.dims.canonical(((dim.value,),))
        if whole and dim.divisor == stride and context.dims.equal(*whole, axis):
            return (dim.name,)
    size = f"`{axis_text(axis)}`"
    help = f"declare the quotient: `dims: {{every: {axis_text(axis)}/{stride}}}`" if len(axis) == 1 else ""
    if len(axis) == 1 and isinstance(axis[0], int):
        help = f"the size of the axis must be a multiple of {stride}"
    context.report.refuse("CG313", f"there is no dim for {size} in steps of {stride}", node.span, help=help)


def reduce(node: Apply, shapes: list[Shape], context: Context) -> Shape:
    (shape,) = shapes
    at = _place(node, shape, context)
    return (*shape[:at], *shape[at + 1 :])


def along(node: Apply, shapes: list[Shape], context: Context) -> Shape:
    (shape,) = shapes
    _place(node, shape, context)
    return shape


def _place(node: Apply, shape: Shape, context: Context) -> int:
    """Where the axis named by `over` is; the last one if it is not named."""
    if node.over is None:
        if not shape:
            context.report.refuse("CG307", f"`{node.op}` needs an axis, and its value is a scalar", node.span)
        return len(shape) - 1
    (value,), (over,) = node.args, context.dims.canonical((node.over,))
    places = [index for index, axis in enumerate(shape) if context.dims.equal(axis, over)]
    if len(places) != 1:
        message = f"{said(shape)} has twice" if places else f"{said(shape)} does not have"
        context.report.refuse(
            "CG307",
            f"`{node.op}` over `{axis_text(over)}`, which {message}",
            node.span,
            context=context.sides(value, shape=shape),
            help=context.twice(shape)
            if places
            else _apart(value, shape, over, context) or nearest(axis_text(over), [axis_text(axis) for axis in shape]),
        )
    return places[0]


def _apart(value: Node, shape: Shape, over: Axis, context: Context) -> str:
    """A help for an axis that is a factor of a flat one."""
    atoms = context.dims.atoms
    if not any(len(axis) > 1 and set(atoms(over)) <= set(atoms(axis)) for axis in shape):
        return ""
    view = tuple((atom,) for axis in shape for atom in axis)
    text = " ".join(value.span.text.split())
    return f"to take each part by itself, view it apart first: `a: {shape_text(view)} = {text}`"


def places(node: Apply, shapes: list[Shape], context: Context) -> Shape:
    return context.dims.canonical((node.attr("over"),))


def normalize(node: Apply, shapes: list[Shape], context: Context) -> Shape:
    """The value's own."""
    shape, dims = shapes[0], context.dims
    over = dims.canonical(node.attr("over"))
    # a use of a norm was made of its call, and has the call's span
    name = node.span.text.split("(", 1)[0].strip()
    norm = next((norm for norm in context.cell.norms if norm.name == name), None)
    if len(shape) < len(over) or not all(map(dims.equal, shape[len(shape) - len(over) :], over)):
        help = _apart(node.args[0], shape, over[-1], context) if over else ""
        context.report.refuse(
            "CG303",
            f"a norm over {said(over)}, but the value is {said(shape)}",
            node.span,
            f"this is {said(shape)}",
            context=[Label(norm.span if norm is not None else node.span, f"over {said(over)}")],
            help=(help, "a norm is over the trailing axes of its value"),
        )
    return shape


def first(node: Apply, shapes: list[Shape], context: Context) -> Shape:
    return shapes[0]


def stated(node: Apply, shapes: list[Shape], context: Context) -> Shape:
    return context.dims.canonical(node.attr("shape"))


def _called(node: Node) -> str:
    text = " ".join(node.span.text.split())
    return f"`{text}`" if len(text) <= 40 else "this"


RULES = {
    "elementwise": elementwise,
    "contract": contract,
    "outer": outer,
    "convolve": convolve,
    "reduce": reduce,
    "along": along,
    "places": places,
    "normalize": normalize,
    "first": first,
    "stated": stated,
}
