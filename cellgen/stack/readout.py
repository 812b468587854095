"""The readout of a stack: equations over all layers, taken apart into what is computed for each layer and what once.

`each.h` is a value of each layer, `concat(each.h) @ W` reads those of all at once, `sum(each.a)` adds over the layers.
A weight whose shape names `each.` is one a layer; `all` and `layers` are the axes of what is concatenated.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from cellgen.diagnostics import Refused, Report, Span, nearest
from cellgen.document import StackDocument
from cellgen.ir import Apply, Cell, Choose, Dim, Initialiser, Input, LabelAxis, Node, Param, Pick, Ref, rebuild
from cellgen.resolve import Declared, Scope, bind, plain
from cellgen.text import MAX_DIM, MAX_FACTORS, MAX_RANK, Call, Scalar, Statement, check, equations, parts

EACH, ALL, LAYERS = "each", "all", "layers"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the readout.

    kind: `each` (a value of each layer), `sum` (of the values of all layers), `mix` (their concatenation `@` the
    parameter `by`), or `value`. In `value`, a name of each layer is `Ref("each.h")`.
    """

    kind: str
    name: str
    value: Node
    text: str
    by: str = ""
    span: Span = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Readout:
    """params: its weights; one a layer where the shape has an atom such as `each.units`. shown: what it reads of each
    layer. dims: those that only its weights have."""

    params: tuple[Param, ...]
    steps: tuple[Step, ...]
    shown: tuple[str, ...]
    dims: tuple[Dim, ...]

    def by_layer(self, param: Param) -> bool:
        return any(str(atom).startswith("each.") for axis in param.shape for atom in axis)


def readout(document: StackDocument, cell: Cell, outer: Declared, report: Report) -> Readout | None:
    """The readout of a stack's document; None if it has none. What is wrong with it is reported."""
    if document.readout is None:
        return None
    return _Reading(document, cell, outer, report).run()


class _Reading:
    def __init__(self, document: StackDocument, cell: Cell, outer: Declared, report: Report):
        self.document, self.cell, self.outer, self.report = document, cell, outer, report
        self.known = {dim.name: dim for dim in (*cell.dims, *outer.dims)}
        self.new: dict[str, Dim] = {}
        self.steps: list[Step] = []
        self.each: dict[str, Input] = {}  # what has one value a layer, by `each.h`
        self.shown: dict[str, None] = {}
        self.labelled: set[str] = set()  # values with the axis `layers`

    def run(self) -> Readout | None:
        section = self.document.readout
        params = tuple(self.param(name, each) for name, each in section.params.items())
        statements = equations(section.equations, self.report)
        self.report.stop()
        if not statements:
            self.report.add("CG107", "there are no equations", section.equations.span, help="`y = concat(each.h) @ W`")
        self.report.stop()
        where = {each.name: each.name_span for each in statements}
        declared = replace(self.outer, dims=tuple(self.known.values()), params=params, axes=_axes(), inputs=())
        self.scope = Scope(declared, where, self.report)
        self.params = {param.name: param for param in params}
        for statement in statements:
            try:
                self.statement(statement)
            except Refused:
                pass
        self.report.stop()
        self.unused(params, self.output())
        self.report.stop()
        return Readout(params, tuple(self.steps), tuple(self.shown), tuple(self.new.values()))

    # --- weights

    def param(self, name, section) -> Param:
        if name in self.outer.where or any(name == each.name for each in (*self.cell.options, *self.cell.params)):
            help = "give one of the two another name"
            self.report.add("CG112", f"`{name}` is declared already", name.span, help=help)
        check(name, name.span, self.report, attribute=True, stack=True)
        shape = tuple(self.axis(scalar) for scalar in section.shape)
        if len(shape) > MAX_RANK:
            self.report.add("CG108", f"a value has at most {MAX_RANK} axes", section.shape[MAX_RANK].span)
        init = []
        for label, scalar in (section.init or {}).items():
            read = plain(scalar, self.report)
            if label != "else":
                self.report.add("CG113", "a weight of the readout has one initialiser", scalar.span)
            elif read is not None:
                init.append((None, read))
        if not init:
            init.append((None, Initialiser.of(shape)))
        span = section.shape[0].span.to(section.shape[-1].span) if section.shape else name.span
        trainable = section.trainable is None or section.trainable.value
        return Param(str(name), shape, tuple(init), trainable, name.span, span)

    def axis(self, scalar: Scalar) -> tuple:
        found = []
        factors = scalar.text.replace(" ", "").split("*")
        if len(factors) > MAX_FACTORS:
            self.report.add("CG108", f"a dim of more than {MAX_FACTORS} factors", scalar.span)
            return ()
        for factor in factors:
            of = re.fullmatch(r"each\.([A-Za-z]\w*)", factor)
            dims = {dim.name for dim in self.cell.dims}
            if of and of[1] not in dims:
                self.report.add("CG205", f"the cell has no dim `{of[1]}`", scalar.span, help=nearest(of[1], dims))
            elif re.fullmatch(r"[1-9]\d{0,6}", factor) and int(factor) <= MAX_DIM:
                found.append(int(factor))
            elif of or factor in (ALL, LAYERS) or self.dim(factor, scalar.span):
                found.append(factor)
        return tuple(found)

    def dim(self, name: str, span: Span) -> bool:
        if not re.fullmatch(r"[A-Za-z]\w*", name):
            help = "a name, `each.units`, `all`, `layers`, or a product of them"
            self.report.add("CG201", f"`{name}` is no dim", span, help=help)
            return False
        if name not in self.known:
            help = nearest(name, [*self.known, ALL, LAYERS])
            self.report.add("CG205", f"unknown dim `{name}`", span, help=(help, "a new dim is listed under `dims:`"))
            return False
        self.new.setdefault(name, self.known[name])
        return True

    # --- equations

    def statement(self, statement: Statement) -> None:
        name, span, scope = statement.name, statement.name_span, self.scope
        scope.current = name
        if statement.value is None:
            self.report.refuse("CG202", "`none` deletes an inherited equation, and this spec extends none", span)
        if name in scope.defined or name in self.params or name in self.outer.where:
            self.report.refuse("CG207", f"`{name}` is defined already", span, help="choose another name")
        if name in self.shown:
            help = "choose another name"
            self.report.refuse("CG207", f"`{EACH}.{name}` above is a value of the layers", span, help=help)
        if statement.annotation is not None:
            help = "the readout's values are not viewed apart"
            self.report.refuse("CG202", "a shape has no place here", statement.annotation_span, help=help)
        count = len(self.steps)
        value = self.taken_apart(statement.value, statement)
        many = self.over_layers(value)
        own = {each.name for each in (*self.cell.states, *self.cell.params, *self.cell.norms, *self.cell.equations)}
        if many and name in own or re.match(r"layer\d", name):
            help = "choose another name"
            self.report.refuse("CG207", f"`{name}` is the name of a value of the layers", span, help=help)
        try:
            value = bind(value, scope)
        except Refused:
            del self.steps[count:]
            raise
        text = " ".join(statement.text.split())
        self.steps.append(Step("each" if many else "value", name, value, text, span=statement.span))
        scope.defined[name] = span
        if many:
            self.each[f"{EACH}.{name}"] = scope.inputs[f"{EACH}.{name}"] = Input(f"{EACH}.{name}", ())
        elif self.has_layers(value):
            self.labelled.add(name)

    def taken_apart(self, node: "Node | Call", statement: Statement) -> "Node | Call":
        """With `each.h` as a name, and each `sum` and `concat` as a step of its own."""
        match node:
            case Ref(name) | Call(name) if name in self.scope.options:
                help = "read it in the wiring, or in the cell"
                self.report.refuse("CG601", f"`{name}` is an option, and a readout reads none", node.span, help=help)
            case Choose():
                self.report.refuse("CG601", "a readout makes no choice between equations", node.span)
            case Pick(Ref("each"), name):
                return Ref(self.of_each(name, node.span), 0, node.span)
            case Ref("each"):
                help = f"write `each.{self.cell.states[0].name}`, say"
                self.report.refuse("CG218", "`each` is every layer, no value", node.span, help=help)
            case Apply("matmul", (Call("concat", args), Ref(by))):
                if len(args) != 1:
                    self.report.refuse("CG208", "`concat` takes 1 value", node.args[0].span)
                term = self.taken_apart(args[0], statement)
                if not self.over_layers(term):
                    help = "it joins a value of each layer: `concat(each.h) @ W`"
                    self.report.refuse(
                        "CG208", "`concat` of what is the same for all layers", node.args[0].span, help=help
                    )
                if by not in self.params:
                    help = f"the weights are {', '.join(self.params)}" if self.params else "declare it under `params:`"
                    self.report.refuse(
                        "CG205", f"no weight `{by}`", node.args[1].span, help=nearest(by, self.params) or help
                    )
                shape = self.params[by].shape
                if len(shape) < 2 or shape[0] not in ((ALL,), (LAYERS,)):
                    help = f"`{by}: [all, size]`, or `[layers, size]` for a number of each layer"
                    message = f"`{by}` is no weight of what `concat` joins: that is along `all`"
                    self.report.refuse("CG302", message, node.args[1].span, help=help)
                return self.step("mix", term, statement, by)
            case Call("concat"):
                help = "write `concat(each.h) @ W`, with `W: [all, size]` under `params:`"
                self.report.refuse("CG208", "`concat` stands left of `@` and a weight", node.span, help=help)
            case Call("sum", (value,), ()):
                term = self.taken_apart(value, statement)
                return self.step("sum", term, statement) if self.over_layers(term) else replace(node, args=(term,))
            case Call():
                return replace(node, args=tuple(self.taken_apart(arg, statement) for arg in node.args))
        return rebuild(node, tuple(self.taken_apart(part, statement) for part in parts(node)))

    def step(self, kind: str, term: "Node | Call", statement: Statement, by: str = "") -> Ref:
        count = sum(each.kind == kind for each in self.steps if each.text == " ".join(statement.text.split()))
        name = f"_{kind}_{statement.name}{count + 1 if count else ''}"
        value = bind(term, self.scope)
        self.steps.append(Step(kind, name, value, " ".join(statement.text.split()), by, statement.span))
        self.scope.defined[name] = statement.span
        if kind == "mix" and any(LAYERS in axis for axis in self.params[by].shape[1:]):
            self.labelled.add(name)
        return Ref(name, 0, statement.span)

    def of_each(self, name: str, span: Span) -> str:
        """`each.name`: a value of the layers, a weight of which there is one a layer, or a part of a value."""
        said, cell = f"{EACH}.{name}", self.cell
        states = {state.name: state for state in cell.states}
        of_layers = [*states, *(equation.name for equation in cell.equations), *(port.name for port in cell.inputs)]
        own = [each for each, param in self.params.items() if Readout((), (), (), ()).by_layer(param)]
        if said not in self.scope.inputs:
            if name in own or name in self.labelled:
                pass  # a name of the readout hides one of the layers
            elif name in states:
                self.shown[name] = None
            elif name in of_layers:
                help = f"carry it: add `{name}` under `state:` of the cell"
                self.report.refuse("CG218", f"`{name}` is no state of the layers", span, help=help)
            else:
                if name in self.scope.defined or name in self.params:
                    help = "an axis `layers` gives a part for each layer, as in `gate: [all, layers]`"
                    self.report.refuse("CG218", f"`{name}` has no part for each layer", span, help=help)
                help = nearest(name, [*of_layers, *own, *self.labelled]) or f"the states are {', '.join(states)}"
                self.report.refuse("CG205", f"the layers have no `{name}`", span, help=help)
            self.each[said] = self.scope.inputs[said] = Input(said, ())
        return said

    def over_layers(self, node: "Node | Call") -> bool:
        """Whether it has a value for each layer."""
        if isinstance(node, Ref):
            return node.name in self.each
        return any(map(self.over_layers, parts(node)))

    def has_layers(self, node: Node) -> bool:
        """Whether a value has the axis `layers`, as what it is made of elementwise has."""
        if isinstance(node, Ref):
            return node.name in self.labelled
        coupling = isinstance(node, Apply) and node.op in ("matmul", "outer", "conv", "sum", "mean")
        return not coupling and any(map(self.has_layers, parts(node)))

    def output(self) -> str | None:
        """The value that is the stack's output. None if there is no such value, which is reported."""
        written = self.document.output
        known = [step.name for step in self.steps if step.kind == "value"]
        if written is None:
            help = f"`output: {self.steps[-1].name}`"
            self.report.add("CG107", "`output` is missing", self.document.readout.equations.span, help=help)
        elif written.value not in known:
            message = f"the readout has no value `{written.value}`"
            help = nearest(written.value, known) or "such a value is `y = tanh(concat(each.h) @ W)`"
            self.report.add("CG205", message, written.span, help=help)
        else:
            return written.value
        return None

    def unused(self, params: tuple[Param, ...], output: str | None) -> None:
        read = {step.by for step in self.steps}
        read |= {ref.name for step in self.steps for ref in _refs(step.value)}
        for name, span in self.scope.defined.items() if output else ():
            if not name.startswith("_") and not {name, f"{EACH}.{name}"} & {*read, output}:
                help = "read it in an equation, or take it out"
                self.report.add("CG212", f"the value `{name}` is never used", span, help=help)
        for param in params:
            if not {param.name, f"{EACH}.{param.name}"} & read:
                help = "read it in an equation, or take it out"
                self.report.add("CG212", f"the parameter `{param.name}` is never used", param.span, help=help)


def _refs(node: Node) -> Iterator[Ref]:
    if isinstance(node, Ref):
        yield node
    for part in parts(node):
        yield from _refs(part)


def _axes() -> tuple[LabelAxis, ...]:
    """The axes of the readout; their labels are only known with the number of layers."""
    return LabelAxis(ALL, ()), LabelAxis(LAYERS, ())
