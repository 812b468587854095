"""Formulas of initial values: every name found, every call one of the table, every shape one that fits the weight.

Raises `Refused` (CG108, CG113, CG205, CG206, CG209, CG302), with every mistake told.
"""

from collections.abc import Mapping
from fractions import Fraction
from math import pi

from cellgen.diagnostics import Label, Refused, nearest
from cellgen.document import Key
from cellgen.ir import Algebra, Apply, Choose, Formula, Node, Number, Param, Pick, Ref, Shape, shape_text
from cellgen.ir.initial_values import ARITHMETIC, FORMULAS, INITIALISERS, PI, SYSTEMS, nodes
from cellgen.resolve.scope import Scope
from cellgen.resolve.weight_initialisers import miscounted
from cellgen.text import Call, Scalar

Typed = tuple[Node, Shape]

MADE_OF = "it is made of numbers, options, sizes and weights above"


class Starting:
    """What one weight, or one label's part of it, starts from. `above` are the weights that start before it."""

    def __init__(self, param: Param, label: str | None, above: list[Param], scope: Scope):
        self.param, self.scope, self.report = param, scope, scope.report
        self.above = {each.name: each for each in above if "/" not in each.name}
        self.algebra = Algebra.of(scope.declared, {})
        self.whole = param.shape if label is None else self.part(param.shape, label)[1]

    def formula(self, value: "Node | Call") -> Formula:
        node, shape = self.node(value)
        if self.algebra.broadcast(shape, self.whole) != self.whole:
            self.misfit(value, shape)
        return Formula(node)

    def misfit(self, value: "Node | Call", shape: Shape) -> None:
        message = f"`{self.param.name}` is `{shape_text(self.whole)}`, and its initial value `{shape_text(shape)}`"
        help = "an axis of the value is an axis of the weight: `range(units)` fits `[units]` and `[units, key]`"
        if len({*self.whole}) < len(self.whole):
            help = "where a shape names an axis twice it cannot be told along which: give one a dim of its own"
        context = [Label(self.param.shape_span, "its shape")]
        self.report.refuse("CG302", message, value.span, context=context, help=help)

    # --- expressions

    def node(self, node: "Node | Call") -> Typed:
        match node:
            case Number():
                return node, ()
            case Ref():
                return self.ref(node)
            case Pick(Ref(_, 0), _):
                return self.pick(node)
            case Call():
                return self.call(node)
            case Choose(test, a, b, span):
                self.scope.test(test)
                (a, one), (b, other) = self.node(a), self.node(b)
                return Choose(test, a, b, span), self.joined(node, one, other)
            case Apply(op, args, _, span) if op in ARITHMETIC:
                found = [self.node(arg) for arg in args]
                return Apply(op, tuple(arg for arg, _ in found), (), span), self.joined(node, *(s for _, s in found))
        self.report.refuse(
            "CG113",
            "this has no place in an initial value",
            node.span,
            help=f"{MADE_OF}, of `+ - * / **`, and of calls such as `log(range(units) + 1)`",
        )

    def joined(self, node: "Node | Call", *shapes: Shape) -> Shape:
        """The shape of an elementwise result."""
        out: Shape = ()
        for shape in shapes:
            both = self.algebra.broadcast(out, shape)
            if both is None:
                message = f"`{shape_text(out)}` and `{shape_text(shape)}` do not fit in one initial value"
                self.report.refuse("CG302", message, node.span)
            out = both
        return out

    def ref(self, ref: Ref) -> Typed:
        name, scope, refuse = ref.name, self.scope, self.report.refuse
        if ref.ago:
            refuse("CG113", "an initial value comes before any step", ref.span)
        if name in scope.options:
            option = scope.options[name]
            if option.kind != "number":
                why = {"maybe": "may be none", "scheduled": "is set while training"}.get(option.kind, "is no number")
                refuse("CG206", f"the option `{name}` {why}", ref.span, context=[Label(option.span, "declared here")])
            return ref, ()
        if name in scope.dims or name in scope.axes:
            return ref, ()
        if name in scope.params:
            return ref, self.weight(ref).shape
        if name in INITIALISERS or name in SYSTEMS:
            self.square(name, ref) if name in SYSTEMS else None
            return Apply(name, (), (), ref.span), self.whole
        if name == PI:
            return Number(Fraction(pi), ref.span), ()
        if scope.known(name):
            message = f"an initial value comes before any step, and `{name}` is a value of one"
            refuse("CG206", message, ref.span, help=MADE_OF)
        if name in FORMULAS:
            refuse("CG113", f"`{name}` is a function, no value", ref.span, help=f"write `{FORMULAS[name].form}`")
        known = [*scope.options, *scope.dims, *scope.params, *INITIALISERS, *SYSTEMS]
        refuse("CG205", f"unknown name `{name}`", ref.span, help=nearest(name, known) or "a number is an option")

    def weight(self, ref: Ref) -> Param:
        """A weight that starts before this one."""
        if ref.name in self.above:
            return self.above[ref.name]
        if ref.name == self.param.name:
            help = "it may read other labels of its own: `init: {i: -bias.f, f: ..., else: zeros}`"
            self.report.refuse("CG206", f"`{ref.name}` would start from itself", ref.span, help=help)
        below = next(each for each in self.scope.declared.params if each.name == ref.name)
        self.report.refuse(
            "CG206",
            f"`{self.param.name}` starts before `{ref.name}`",
            ref.span,
            context=[Label(below.span, "declared here")],
            help=f"weights start in their order: declare `{ref.name}` above `{self.param.name}`",
        )

    def pick(self, pick: Pick) -> Typed:
        name, label = pick.value.name, pick.label
        own = name == self.param.name
        if not own and name not in self.scope.params:
            self.report.refuse("CG206", f"`{name}` is no weight", pick.value.span, help="a label is cut from a weight")
        shape = self.param.shape if own else self.weight(pick.value).shape
        at, part = self.part(shape, label)
        if at is None:
            context = [Label(self.scope.params[name].shape_span, "its shape")]
            help = "the labelled axis comes first in its product, and its parts are equal: `gates*units`"
            self.report.refuse("CG209", f"`{name}` has no part `{label}`", pick.span, context=context, help=help)
        return pick, part

    def part(self, shape: Shape, label: str) -> tuple[int | None, Shape]:
        """The axis that has a label, and what is left of the shape for one of equal parts."""
        for axis in self.scope.declared.axes:
            for at, each in enumerate(shape):
                if label in axis.labels and axis.widths is None and each[:1] == (axis.name,):
                    return at, (*shape[:at], each[1:] or (1,), *shape[at + 1 :])
        return None, shape

    # --- calls

    def call(self, call: Call) -> Typed:
        name, report = call.name, self.report
        if miscounted(call, report):
            raise Refused
        if name == "constant":
            return self.number(call.args[0]), ()
        if name not in FORMULAS:
            known = [*INITIALISERS, *FORMULAS]
            help = nearest(name, known) or f"there are {', '.join(each.form for each in FORMULAS.values())}"
            report.refuse("CG113", f"no initialiser `{name}`", call.name_span, help=help)
        return getattr(self, FORMULAS[name].kind)(call)

    def elementwise(self, call: Call) -> Typed:
        found = [self.node(arg) for arg in call.args]
        args = tuple(arg for arg, _ in found)
        return Apply(call.name, args, (), call.span), self.joined(call, *(shape for _, shape in found))

    def drawn(self, call: Call) -> Typed:
        return Apply(call.name, tuple(map(self.number, call.args)), (), call.span), self.whole

    def number(self, arg: "Node | Call") -> Node:
        """A value that is one number."""
        node, shape = self.node(arg)
        if shape:
            self.report.refuse("CG302", f"one number is wanted here, not `{shape_text(shape)}`", arg.span)
        return node

    def range(self, call: Call) -> Typed:
        (arg,) = call.args
        if not isinstance(arg, Ref):
            self.report.refuse("CG113", "`range` is of a dim", arg.span, help="write `range(units)`: 0, 1, 2, ...")
        if not self.scope.is_dim(arg.name, arg.span):
            raise Refused
        axis = (arg.name,)
        return Apply("range", (), (("over", axis),), call.span), (axis,)

    def system(self, call: Call) -> Typed:
        return self.ref(Ref(call.name, 0, call.span))

    def discrete(self, call: Call) -> Typed:
        system, step = call.args
        if not (isinstance(system, Ref) and system.name in SYSTEMS):
            help = f"there are {', '.join(SYSTEMS)}"
            self.report.refuse("CG113", f"`{call.name}` is of a system by name", system.span, help=help)
        self.square(call.name, call)
        return Apply(call.name, (self.number(step),), (("of", system.name),), call.span), self.whole

    def scaled(self, call: Call) -> Typed:
        value, radius = call.args
        node, shape = self.node(value)
        if len(self.whole) != 2 or not self.algebra.equal(*self.whole):
            self.square(call.name, call)
        if self.algebra.broadcast(shape, self.whole) != self.whole:
            self.misfit(value, shape)
        return Apply(call.name, (node, self.number(radius)), (), call.span), self.whole

    def square(self, name: str, at: "Ref | Call") -> None:
        """A weight that such a value is of has one axis, or twice the same."""
        matrix = len(self.whole) == 2 and self.algebra.equal(*self.whole)
        if not matrix and (len(self.whole) != 1 or name in FORMULAS and FORMULAS[name].kind == "scaled"):
            context = [Label(self.param.shape_span, "its shape")]
            also = "" if FORMULAS[name].kind == "scaled" else ", or of a vector"
            self.report.refuse("CG302", f"`{name}` is of a square matrix{also}", at.span, context=context)


def in_circles(param: Param, written: Mapping[Key, Scalar], scope: Scope) -> None:
    """Tells labels of a weight that start from each other."""
    chosen = dict(param.init)
    rest = chosen.pop(None, None)
    reads = {}
    for label in {*chosen, *(label for axis in scope.declared.axes for label in axis.labels)}:
        init = chosen.get(label, rest)
        found = () if init is None else nodes(init)
        reads[label] = {n.label for n in found if isinstance(n, Pick) and getattr(n.value, "name", "") == param.name}
    done = set()
    while ready := [label for label in reads if label not in done and reads[label] <= done]:
        done.update(ready)
    if left := sorted(reads.keys() - done):
        span = next((key.span for key in written if key in left), param.span)
        message = f"labels of `{param.name}` start from each other: {', '.join(left)}"
        scope.report.add("CG206", message, span, help="let one of them start from numbers")
