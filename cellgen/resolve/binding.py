"""Expressions to nodes in which every name is found and every call is an operation.

A norm `ln(v)` becomes `normalize(v, epsilon) * scale + shift`. Raises `Refused` (CG108, CG202, CG205, CG206, CG208 to
CG210, CG214, CG216), with every mistake of an expression told.
"""

import operator
from collections.abc import Iterator
from fractions import Fraction
from math import isfinite, nan

from cellgen.diagnostics import Refused, Span, nearest
from cellgen.ir import (
    ACTIVATIONS,
    OPS,
    OTHERWISE,
    REMAINDER,
    WRITTEN,
    Activate,
    Apply,
    Axis,
    Choose,
    Node,
    Norm,
    Number,
    Pick,
    Ref,
    children,
    rebuild,
    transposed,
)
from cellgen.resolve.noise import NOISES, noise
from cellgen.resolve.scope import Scope
from cellgen.text import MAX_DIM, Call, Indexed

MAX_EXPONENT = 64
MAX_STEP = 64  # of a convolution, along an axis
MOVES = ("roll", "shift")

# what a function of other libraries is here
SUMMED = "write one product for each part and add them: `x @ W + h[t-1] @ U`"
NORMED = "declare a norm, `norms: {ln: {kind: layer, over: [units], epsilon: 1e-5}}`, and call it: `ln(z)`"
MEANT = {
    "affine": "`affine` stands alone on the right of `=`",
    "max": "did you mean `maximum`?",
    "min": "did you mean `minimum`?",
    "ln": f"{NORMED}; the logarithm is `log`",
    "layer_norm": NORMED,
    "norm": NORMED,
    "LayerNorm": NORMED,
    "rms_norm": NORMED,
    "variational_dropout": "write `dropout(h[t-1], rate, per=sequence)`",
    "concat": SUMMED,
    "concatenate": SUMMED,
    "dot": "write `a @ b`",
    "matmul": "write `a @ b`",
    "multiply": "write `a * b`",
    "add": "write `a + b`",
    "sub": "write `a - b`",
    "pow": "write `a ** 2`",
    "sign": "write `2 * step(x) - 1`",
    "heaviside": "did you mean `step`?",
    **{other: f"did you mean `{name}`?" for other, name in OTHERWISE.items()},
    **dict.fromkeys(("conv1d", "conv2d", "conv3d", "convolve", "convolution"), "did you mean `conv`?"),
    "sg": "did you mean `stop_gradient`?",
    **dict.fromkeys(("fmod", "floormod", "remainder", "rem"), REMAINDER),
    "arange": "did you mean `range`?",
    "iota": "did you mean `range`?",
    "floordiv": "write `floor(a / b)`",
    "ceil": "write `-floor(-x)`",
    "round": "write `floor(x + 0.5)`",
    "transpose": transposed("W"),
    "split": "a labelled axis is cut by its labels: `gates: [i, f]`, then `z.i` and `z.f`",
}


def bind(node: "Node | Call", scope: Scope) -> Node:
    """The node as `scope` understands it."""
    match node:
        case Call():
            return _call(node, scope)
        case Ref():
            return scope.ref(node)
        case Pick():
            return _pick(node, scope)
        case Indexed():
            return _indexed(node, scope)
        case Choose():
            return _choose(node, scope)
    node = rebuild(node, bind_all(children(node), scope))
    match node:
        case Apply("pow"):
            _exponent(node, scope)
        case Apply("div", (_, divisor)):
            _not_zero(divisor, scope)
    value = _literal(node)
    if isinstance(value, complex) or value is not None and not isfinite(value):
        text = " ".join(node.span.text.split())
        scope.report.refuse("CG216", f"`{text}` is no number that a float can hold", node.span)
    return node


def _not_zero(divisor: Node, scope: Scope) -> None:
    if _literal(divisor) == 0:
        scope.report.refuse("CG216", "a division by 0", divisor.span)


def _literal(node: Node) -> float | complex | None:
    """What is made of numbers alone, as the generated code computes it; NaN where Python has no value for it."""
    match node:
        case Number(value):
            return float(value)
        case Apply(op, args) if op in _ARITHMETIC:
            values = [_literal(arg) for arg in args]
            if None in values:
                return None
            try:
                return _ARITHMETIC[op](*values)
            except (ArithmeticError, TypeError):
                return nan
    return None


_ARITHMETIC = {
    "neg": operator.neg,
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
    "pow": operator.pow,
}


def bind_all(parts, scope: Scope) -> tuple[Node, ...]:
    """Each part bound; every mistake among them is told before giving up."""
    new, failed = [], False
    for part in parts:
        try:
            new.append(bind(part, scope))
        except Refused:
            failed = True
    if failed:
        raise Refused
    return tuple(new)


def _pick(node: Pick, scope: Scope) -> Pick:
    value, label, labels = bind(node.value, scope), node.label, scope.labels
    if label in labels:
        return Pick(value, label, node.span)
    if label == "T":
        help = transposed(value.name if isinstance(value, Ref) and not value.ago else "W")
        scope.report.refuse("CG202", "`.T` is not part of the language", node.span, help=help)
    there = f"the labels are {', '.join(labels)}" if labels else "labels are declared by `gates: [i, f, g, o]`"
    scope.report.refuse("CG209", f"no axis has a label `{label}`", node.span, help=nearest(label, labels) or there)


def _indexed(node: Indexed, scope: Scope) -> Node:
    """The value of a micro-step, `s[2]`, or a slice along an axis that is counted, `R[2]`."""
    value, number, refuse = node.value, node.number, scope.report.refuse
    text = " ".join(value.span.text.split())
    if node.name:
        counted = [each.name for each in scope.axes.values() if each.counted]
        help = f"a loop counts: `for {node.name} in {(*counted, '3')[0]}:`"
        if isinstance(value, Ref):
            help = (f"the carried value is `{text}[t-1]`", help) if value.name in scope.states else help
        refuse("CG220", f"`{node.name}` counts nothing here", node.span, help=help)
    if isinstance(value, Ref) and not value.ago and value.name in scope.steps.counts:
        name, (first, last) = scope.steps.at(value.name, number), scope.steps.range(value.name)
        if name is None:
            refuse("CG220", f"`{value.name}` has no micro-step {number}", node.span, help=f"it has {first} to {last}")
        return scope.ref(Ref(name, 0, node.span))
    value = bind(value, scope)
    if str(number) not in scope.labels:
        counted = [
            f"those of `{axis.name}` are 1 to {len(axis.labels)}" for axis in scope.axes.values() if axis.counted
        ]
        if not counted:
            help = "a part of a labelled axis is `.label`, and `[2]` one of an axis that is counted, `axes: {depth: 5}`"
            refuse("CG202", "an index is `[t-1]`", node.span, help=help)
        refuse("CG209", f"no axis has a place {number}", node.span, help=counted)
    return Pick(value, str(number), node.span)


def _choose(node: Choose, scope: Scope) -> Choose:
    """Both arms are looked at, whatever is wrong with the test."""
    try:
        arms = bind_all((node.a, node.b), scope)
    except Refused:
        scope.test(node.test)
        raise
    scope.test(node.test)
    return Choose(node.test, *arms, node.span)


def _exponent(node: Apply, scope: Scope) -> None:
    """One that is a number is no large one."""
    exponent = node.args[1]
    value = _literal(exponent)
    if isinstance(value, float) and not abs(value) <= MAX_EXPONENT:
        scope.report.refuse("CG108", f"an exponent beyond {MAX_EXPONENT}", exponent.span)


# --- calls ----------------------------------------------------------------------------------------------------------


def _call(call: Call, scope: Scope) -> Node:
    name = call.name
    if name in scope.norms:
        return _norm(call, scope.norms[name], scope)
    option = scope.options.get(name)
    if option is not None and option.kind == "activation":
        (value,) = _arguments(call, 1, scope)
        return Activate(name, value, call.span)
    if name in NOISES:
        return noise(call, scope, bind)
    if name not in WRITTEN or scope.known(name):
        _no_function(call, scope)
    if name == "range":
        return _range(call, scope)
    args, attrs = _arguments(call, OPS[name].arity, scope), _keywords(call, scope)
    if name == "mod":
        _not_zero(args[1], scope)
    if name == "clip" and all(isinstance(arg, Number) for arg in args[1:]) and args[1].value > args[2].value:
        help = "write `clip(x, low, high)`, low first"
        scope.report.refuse("CG208", "`clip` to an empty range", call.span, help=help)
    return Apply(name, args, attrs, call.span)


def _range(call: Call, scope: Scope) -> Apply:
    """Its argument is a dim, or a product of dims and numbers, and no value."""
    axis = _axis(call.args[0]) if len(call.args) == 1 and not call.attrs else None
    if axis is None:
        help = "write `range(units)`; from 1 on it is `1 + range(units)`"
        scope.report.refuse("CG208", "`range` is along a dim", call.span, help=help)
    for atom in axis:
        if not scope.is_dim(atom, call.span):
            raise Refused
        scope.of_one_width(atom, call.span)
    return Apply("range", (), (("over", axis),), call.span)


def _axis(node: Node) -> Axis | None:
    """A product of names and positive integers, as an axis."""
    match node:
        case Ref(name, 0):
            return (name,)
        case Number(value) if value.denominator == 1 and 0 < value <= MAX_DIM:
            return (int(value),)
        case Apply("mul", (a, b)):
            left, right = _axis(a), _axis(b)
            return None if left is None or right is None else (*left, *right)
    return None


def _no_function(call: Call, scope: Scope) -> None:
    name = call.name
    if scope.known(name):
        help = f"a product is written `{name} * (...)`"
        if name in OPS:
            help = f"something here is called so: by another name of that, `{name}` is the function"
        if name in scope.options:
            help = f"an option that is called is `{name}: {{one_of: activations, default: tanh}}`"
            words = scope.options[name].words
            wrong = [word for word in words if word not in ACTIVATIONS]
            if 0 < len(wrong) < len(words):
                help = f"of the words of `{name}`, no activation is {', '.join(f'`{word}`' for word in wrong)}"
        scope.report.refuse("CG208", f"`{name}` is no function", call.name_span, help=help)
    activations = (each.name for each in scope.options.values() if each.kind == "activation")
    known = [*WRITTEN, *NOISES, *scope.norms, *activations]
    help = MEANT.get(name) or nearest(name, known) or f"the functions are {', '.join(known)}"
    scope.report.add("CG208", f"unknown function `{name}`", call.name_span, help=help)
    bind_all(call.args, scope)
    raise Refused


def _arguments(call: Call, count: int, scope: Scope) -> tuple[Node, ...]:
    name = call.name
    if len(call.args) != count:
        scope.report.refuse(
            "CG208",
            f"`{name}` takes {count} value{'s' if count != 1 else ''}, not {len(call.args)}",
            call.span,
            help=f"`{name}` is {OPS[name].about}" if name in OPS else "",
        )
    if call.attrs and (name not in OPS or scope.known(name)):
        scope.report.refuse("CG208", f"`{name}` takes no keyword", call.attrs[0][2])
    return bind_all(call.args, scope)


def _keywords(call: Call, scope: Scope) -> tuple[tuple[str, object], ...]:
    if OPS[call.name].shape == "convolve":
        return tuple(_steps(call, scope))
    refuse, takes, found = scope.report.refuse, OPS[call.name].shape in ("reduce", "along"), {}
    known = [*(["by"] if call.name in MOVES else []), *(["over"] if takes else [])]
    for key, value, span in call.attrs:
        if key not in known:
            help = f"there is {' and '.join(f'`{each}=`' for each in known)}" if known else "it takes none"
            refuse("CG208", f"`{call.name}` has no keyword `{key}`", span, help=help)
        if key in found:
            refuse("CG208", f"`{key}` stands twice", span)
        if key == "by":
            found[key] = _by(value, span, scope)
            continue
        if isinstance(value, Fraction) and value.denominator == 1 and value > 0:
            value = (int(value),)
        if not isinstance(value, tuple):
            refuse("CG208", "`over` is a dim", span, help="write `over=units`")
        if not all(scope.is_dim(atom, span) for atom in value):
            raise Refused
        found[key] = value
    if call.name in MOVES and "by" not in found:
        refuse("CG208", f"`{call.name}` is by how many places?", call.span, help=f"write `{call.name}(x, by=1)`")
    return tuple((key, found[key]) for key in known if key in found)


def _by(value, span: Span, scope: Scope) -> int:
    """By how many places, up where it is positive."""
    if not isinstance(value, Fraction) or value.denominator != 1 or value == 0:
        scope.report.refuse("CG208", "`by` is a whole number and not 0", span, help="write `by=1`, or `by=-1`")
    if abs(value) > MAX_DIM:
        scope.report.refuse("CG108", f"`by` is at most {MAX_DIM:,}", span)
    return int(value)


def _steps(call: Call, scope: Scope) -> Iterator[tuple[str, int]]:
    """The stride and the dilation of a convolution, in this order; 1 is none."""
    refuse, found = scope.report.refuse, dict.fromkeys(("stride", "dilation"), 1)
    seen = set()
    for key, value, span in call.attrs:
        if key not in found:
            help = "there are zeros around, so that the result is as large: what Keras calls `same`"
            if key != "padding":
                help = nearest(key, found) or f"there are {' and '.join(f'`{each}=`' for each in found)}"
            refuse("CG208", f"`{call.name}` has no keyword `{key}`", span, help=help)
        if not isinstance(value, Fraction) or value.denominator != 1 or not 0 < value <= MAX_STEP:
            refuse("CG208", f"`{key}` is an integer from 1 to {MAX_STEP}", span, help=f"write `{key}=2`")
        if key in seen:
            refuse("CG208", f"`{key}` stands twice", span)
        seen.add(key)
        found[key] = int(value)
    return ((key, value) for key, value in found.items() if value > 1)


def _norm(call: Call, norm: Norm, scope: Scope) -> Node:
    (value,) = _arguments(call, 1, scope)
    span = call.span
    value = Apply("normalize", (value, norm.epsilon), (("kind", norm.kind), ("over", norm.over)), span)
    if norm.scale:
        value = Apply("mul", (value, Ref(f"{norm.name}/scale", 0, call.name_span)), (), span)
    if norm.shift:
        value = Apply("add", (value, Ref(f"{norm.name}/shift", 0, call.name_span)), (), span)
    return value
