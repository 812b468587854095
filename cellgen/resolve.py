"""Document to `Cell`: every name in the equations and laws is found, every call becomes an operation.

Definition before use, one definition a name, `[t-1]` on states only; `affine(...)` is spelled out into the parameters
it declares, `ln(v)` into `normalize(v, epsilon) * scale + shift`. Raises `SpecError` with every mistake.
"""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

from cellgen import names, parse
from cellgen.cell import (
    Cell, EitherInitialiser, Equal, Fact, FreeOf, Initialiser, Law, Param, ReducesTo, Within,
)
from cellgen.declare import Declared, declare
from cellgen.diagnostics import Label, Report, nearest
from cellgen.expr import (
    TRAINING, Activate, Apply, Choose, Equation, Given, Is, Node, Number, Pick, Ref, Shape, View, asked, rebuild, children,
)
from cellgen.ops import OPS, WRITTEN
from cellgen.parse import Call, LawText, Statement
from cellgen.schema import Document
from cellgen.span import Source, Span

Other = Callable[[str, Span], Cell]  # finds the cell of another spec, for `reduces to`

_AFFINE = (("kernel", "glorot_uniform"), ("recurrent_kernel", "orthogonal"), ("bias", "zeros"))


def resolve(document: Document, source: Source, stem: str, other: Other | None = None) -> Cell:
    """The cell of a document. `other` finds the specs that laws name; without it laws are left out."""
    declared = declare(document)
    report = Report()
    statements = parse.equations(document.equations, report)
    laws = parse.laws(document.laws, report) if document.laws is not None and other else ()
    report.stop()
    if not statements:
        report.add("CG107", "there are no equations", document.equations.span, help="write one a line under `equations: |`")
    report.stop()
    statements, declared = _spell_affine(statements, declared, report)
    report.stop()
    scope = _Scope(declared, document, report)
    equations = tuple(scope.equation(statement) for statement in statements)
    scope.finish(equations)
    output = document.output.value if document.output else declared.states[0].name
    if output not in scope.defined:
        span = document.output.span if document.output else document.state and next(iter(document.state)).span
        report.add("CG205", f"the output `{output}` is not defined by an equation", span, help=nearest(output, scope.defined))
    report.stop()
    found = tuple(law for text in laws if (law := scope.law(text, other)) is not None)
    report.stop()
    return Cell(
        document.cell.value, stem, source, " ".join(document.about.text.split()) if document.about else "",
        tuple(" ".join(paper.text.split()) for paper in document.papers),
        declared.dims, declared.axes, declared.options, declared.inputs, declared.states, str(output),
        declared.params, declared.norms, declared.mask, equations, found,
    )


def _spell_affine(statements, declared: Declared, report: Report):
    """`z: [gates, units] = affine(x, h[t-1])` as `x @ kernel + h[t-1] @ recurrent_kernel + bias`, which it declares."""
    out, seen, params = [], None, list(declared.params)
    shapes = {each.name: each.shape for each in (*declared.inputs, *declared.states)}
    for statement in statements:
        calls = [node for node in _calls(statement.value) if node.name == "affine"]
        if not calls:
            out.append(statement)
            continue
        call, where = calls[0], calls[0].span

        def wrong(message, span, help="", where=where):
            report.add("CG215", message, span or where, help=help)

        if seen is not None:
            wrong("`affine` stands once", where, "write the second one out: `x @ W + b`, with `W` and `b` under `params:`")
        elif call is not statement.value:
            wrong("`affine` stands alone on the right of `=`", where, "give it a name and a shape: `z: [gates, units] = affine(x, h[t-1])`")
        elif statement.annotation is None or not statement.annotation:
            wrong("`affine` needs its width", statement.name_span, f"write `{statement.name}: [units] = {statement.text.split('=', 1)[1].strip()}`")
        elif len(call.args) not in (1, 2):
            wrong(f"`affine` takes one or two values, not {len(call.args)}", where)
        elif any(not isinstance(arg, Ref) or len(shapes.get(arg.name, ())) != 1 for arg in call.args):
            bad = next(arg for arg in call.args if not isinstance(arg, Ref) or len(shapes.get(arg.name, ())) != 1)
            wrong("`affine` takes inputs and states with one axis", bad.span, "write the matmul out, with its weight under `params:`")
        elif unknown := [(name, span) for name, _, span in call.attrs if name != "bias"]:
            wrong(f"`affine` has no keyword `{unknown[0][0]}`", unknown[0][1], "there is `bias=`")
        else:
            width = tuple(atom for axis in statement.annotation for atom in axis)
            value, new, bias = None, [], next((attr[1] for attr in call.attrs), True)
            for arg, (name, init) in zip(call.args, _AFFINE, strict=False):
                product = Apply("matmul", (arg, Ref(name, 0, call.name_span)), (), arg.span)
                value = product if value is None else Apply("add", (value, product), (), where)
                new.append(_affine_param(name, (*shapes[arg.name], width), init, call.name_span))
            new.append(_affine_param("bias", (width,), _AFFINE[2][1], call.name_span))
            part: Node = Ref("bias", 0, call.name_span)
            if bias is not True:
                part = Choose(Given(bias[0], where) if isinstance(bias, tuple) and isinstance(bias[0], str) else bias,
                              part, Number(Fraction(0), where), where)
            value = Apply("add", (value, part), (), where)
            taken = {param.name for param in params}
            for param in new:
                if param.name not in taken and param.name in declared.where:
                    report.add("CG112", f"`affine` declares `{param.name}`, which is something else here", where,
                               context=[Label(declared.where[param.name], "here")])
            params = [param for param in new if param.name not in taken] + params
            statement = replace(statement, value=value)
            seen = call
        out.append(statement)
    where = {**declared.where, **{param.name: param.span for param in params if param.name not in declared.where}}
    return out, replace(declared, params=tuple(params), where=where)


def _affine_param(name: str, shape: Shape, init: str, span: Span) -> Param:
    return Param(name, shape, ((None, Initialiser(init)),), span, span)


def _calls(node):
    if isinstance(node, Call):
        yield node
        for arg in node.args:
            yield from _calls(arg)
    elif node is not None:
        for child in children(node):
            yield from _calls(child)


class _Refused(Exception):
    """Reported already."""


class _Scope:
    """What a name means where it stands."""

    def __init__(self, declared: Declared, document: Document, report: Report):
        self.declared, self.report = declared, report
        self.states = {state.name: state for state in declared.states}
        self.options = {option.name: option for option in declared.options}
        self.inputs = {port.name: port for port in declared.inputs}
        self.dims = {dim.name: dim for dim in declared.dims}
        self.params = {param.name: param for param in declared.params if "/" not in param.name}
        self.norms = {norm.name: norm for norm in declared.norms}
        self.labels = tuple(dict.fromkeys(label for axis in declared.axes for label in axis.labels))
        self.document = document
        self.defined: dict[str, Span] = {}
        self.later: dict[str, Span] = {}  # names that an equation below defines
        self.in_law = False

    # --- statements

    def equation(self, statement: Statement) -> Equation:
        name, span = statement.name, statement.name_span
        if not self.later and not self.defined:
            self.later = {each.name: each.name_span for each in parse.equations(self.document.equations, Report())}
        value = Number(Fraction(0))
        if statement.value is None:
            self.report.add("CG202", "`none` deletes an inherited equation, and this spec extends none", statement.span)
        else:
            try:
                value = self.node(statement.value)
            except _Refused:
                pass
        if name in self.defined:
            self.report.add("CG207", f"`{name}` is defined twice", span, "again here",
                            context=[Label(self.defined[name], "first here")],
                            help=f"a name has one meaning in a step: call the second one `{name}_new`, say")
        elif name in self.declared.where and name not in self.states:
            self.report.add("CG207", f"`{name}` is declared already", span, "defined here",
                            context=[Label(self.declared.where[name], "declared here")], help="choose another name")
        else:
            names.check(name, span, self.report)
        self.defined.setdefault(name, span)
        if statement.annotation is not None:
            value = View(value, statement.annotation, statement.annotation_span)
            for axis in statement.annotation:
                for atom in axis:
                    if isinstance(atom, str) and atom not in self.dims and self.axis(atom) is None:
                        self.report.add("CG205", f"unknown dim `{atom}`", statement.annotation_span,
                                        help=nearest(atom, [*self.dims, *(axis.name for axis in self.declared.axes)]))
        return Equation(name, value, " ".join(statement.text.split()), statement.span, span)

    def axis(self, name: str):
        return next((axis for axis in self.declared.axes if axis.name == name), None)

    def finish(self, equations: tuple[Equation, ...]) -> None:
        for name, state in self.states.items():
            if name not in self.defined:
                self.report.add("CG211", f"the state `{name}` is never updated", state.span,
                                help=(nearest(name, self.defined), f"write an equation `{name} = ...`"))
        for param in self.declared.params:
            for label, init in param.init:
                self.initialiser(init)
                if label is not None:
                    self.labelled(param, label)

    def labelled(self, param: Param, label: str) -> None:
        """An initialiser for one label: the parameter has it, on an axis whose parts are equal and lie one by one."""
        axes = [axis for axis in self.declared.axes if label in axis.labels and any(axis.name in each for each in param.shape)]
        if not axes:
            self.report.add("CG209", f"`{param.name}` has no label `{label}`", param.span,
                            help=nearest(label, [each for axis in self.declared.axes for each in axis.labels]) or "write `else:` for all")
        elif axes[0].widths or not any(each[:1] == (axes[0].name,) for each in param.shape):
            self.report.add("CG113", f"`{param.name}` cannot be initialised by label", param.span,
                            help=f"`{axes[0].name}` must have equal parts and come first in its product: `{axes[0].name}*units`")

    def initialiser(self, init) -> None:
        if isinstance(init, EitherInitialiser):
            try:
                self.test(init.test)
            except _Refused:
                pass
            self.initialiser(init.a)
            self.initialiser(init.b)

    # --- expressions

    def refuse(self, code: str, message: str, span: Span, text: str = "", context=(), help=()):
        self.report.add(code, message, span, text, context=context, help=help)
        raise _Refused

    def node(self, node: "Node | Call") -> Node:
        if isinstance(node, Call):
            return self.call(node)
        if isinstance(node, Ref):
            return self.ref(node)
        if isinstance(node, Pick):
            value = self.node(node.value)
            if node.label not in self.labels:
                self.refuse("CG209", f"no axis has a label `{node.label}`", node.span,
                            help=nearest(node.label, self.labels) or
                            (f"the labels are {', '.join(self.labels)}" if self.labels else "labels are declared by `gates: [i, f, g, o]`"))
            return Pick(value, node.label, node.span)
        if isinstance(node, Choose):
            # both arms are looked at, so that both tell their mistakes
            failed, new = False, []
            for part in (node.a, node.b):
                try:
                    new.append(self.node(part))
                except _Refused:
                    failed = True
            self.test(node.test)
            if failed:
                raise _Refused
            return Choose(node.test, *new, node.span)
        return rebuild(node, self.all(children(node)))

    def all(self, parts) -> tuple[Node, ...]:
        """Each part resolved; every mistake among them is told before giving up."""
        new, failed = [], False
        for part in parts:
            try:
                new.append(self.node(part))
            except _Refused:
                failed = True
        if failed:
            raise _Refused
        return tuple(new)

    def ref(self, ref: Ref) -> Ref:
        name = ref.name
        if ref.ago:
            if name not in self.states:
                if name in self.defined or name in self.later or name in self.inputs:
                    self.refuse("CG210", f"`{name}` is no state, so its last value is not carried", ref.span,
                                help=f"add `{name}` under `state:`" if name not in self.inputs else
                                f"add a state for it, with an equation `{name}_last = {name}`")
                self.refuse("CG205", f"unknown state `{name}`", ref.span, help=nearest(name, self.states))
            return ref
        if name in self.defined or name in self.params or name in self.inputs:
            return ref
        option = self.options.get(name)
        if option is not None:
            if option.kind in ("number", "maybe", "scheduled"):
                return ref
            how = {"flag": f"`a if {name} else b`", "word": f"`a if {name} == {option.words[0] if option.words else 'word'} else b`",
                   "activation": f"`{name}(z)`"}[option.kind]
            self.refuse("CG206", f"the option `{name}` is no number", ref.span, help=f"write {how}")
        if name in self.states:
            help = (f"`{name}[t-1]` is the carried value",) + ((f"this step's `{name}` is defined further down",) if name in self.later else ())
            self.refuse("CG206", f"`{name}` is not yet defined here", ref.span, help=help,
                        context=[Label(self.later[name], "defined here")] if name in self.later else ())
        if name in self.later:
            self.refuse("CG206", f"`{name}` is used before it is defined", ref.span,
                        context=[Label(self.later[name], "defined here")], help="move its equation up: the order is the author's, never changed")
        if name in self.dims or name == "gates" or self.axis(name) is not None:
            self.refuse("CG206", f"`{name}` is a dim, no value", ref.span, help="dims stand in shapes; for its size use an option")
        if name in self.norms:
            self.refuse("CG206", f"the norm `{name}` is called", ref.span, help=f"write `{name}(x @ W)`")
        if name in OPS or name == "affine":
            self.refuse("CG206", f"the function `{name}` is called", ref.span, help=f"write `{name}(...)`")
        known = [*self.defined, *self.params, *self.inputs, *self.options, *self.states]
        self.refuse("CG205", f"unknown name `{name}`", ref.span,
                    help=(nearest(name, known) or "a weight is declared under `params:`, a number under `options:`"))

    def call(self, call: Call) -> Node:
        name = call.name
        if name in self.norms:
            return self.norm(call, self.norms[name])
        option = self.options.get(name)
        if option is not None and option.kind == "activation":
            (value,) = self.arguments(call, 1)
            return Activate(name, value, call.span)
        if name not in WRITTEN:
            if name in self.declared.where or name in self.defined:
                self.refuse("CG208", f"`{name}` is no function", call.name_span, help=f"a product is written `{name} * (...)`")
            known = [*WRITTEN, *self.norms, *(each.name for each in self.declared.options if each.kind == "activation")]
            more = {"affine": "`affine` stands alone on the right of `=`", "max": "did you mean `maximum`?", "min": "did you mean `minimum`?",
                    "ln": "declare a norm under `norms:`; the logarithm is `log`", "concat": "write one product for each part and add them: `x @ W + h[t-1] @ U`"}
            self.refuse("CG208", f"unknown function `{name}`", call.name_span,
                        help=more.get(name) or nearest(name, known) or f"the functions are {', '.join(known)}")
        args = self.arguments(call, OPS[name].arity)
        attrs = []
        takes = OPS[name].shape in ("reduce", "along")
        for key, value, span in call.attrs:
            if not takes or key != "over":
                self.refuse("CG208", f"`{name}` has no keyword `{key}`", span, help="there is `over=`" if takes else "it takes none")
            if not isinstance(value, tuple):
                self.refuse("CG208", "`over` is a dim", span, help="write `over=units`")
            for atom in value:
                if isinstance(atom, str) and atom not in self.dims and self.axis(atom) is None:
                    self.refuse("CG205", f"unknown dim `{atom}`", span, help=nearest(atom, self.dims))
            attrs.append((key, value))
        if name == "clip" and any(isinstance(arg, Number) for arg in args[1:]) and all(isinstance(arg, Number) for arg in args[1:]):
            if args[1].value > args[2].value:
                self.refuse("CG208", "`clip` to an empty range", call.span, help="write `clip(x, low, high)`, low first")
        return Apply(name, args, tuple(attrs), call.span)

    def arguments(self, call: Call, count: int) -> tuple[Node, ...]:
        if len(call.args) != count:
            about = f": {OPS[call.name].about}" if call.name in OPS else ""
            self.refuse("CG208", f"`{call.name}` takes {count} value{'s' if count != 1 else ''}, not {len(call.args)}{about}", call.span)
        if call.attrs and call.name not in OPS:
            self.refuse("CG208", f"`{call.name}` takes no keyword", call.attrs[0][2])
        return self.all(call.args)

    def norm(self, call: Call, norm) -> Node:
        (value,) = self.arguments(call, 1)
        span = call.span
        value = Apply("normalize", (value, norm.epsilon), (("kind", norm.kind), ("over", norm.over)), span)
        if norm.scale:
            value = Apply("mul", (value, Ref(f"{norm.name}/scale", 0, call.name_span)), (), span)
        if norm.shift:
            value = Apply("add", (value, Ref(f"{norm.name}/shift", 0, call.name_span)), (), span)
        return value

    # --- tests

    def test(self, test) -> None:
        for each in asked(test):
            if isinstance(each, Is):
                option = self.options.get(each.name)
                if option is None or option.kind != "word":
                    words = [name for name, option in self.options.items() if option.kind == "word"]
                    self.refuse("CG214", f"`{each.name}` is no option with words", each.span,
                                help=nearest(each.name, words) or "declare it: `options: {combine: {one_of: [blend, select]}}`")
                if each.word not in option.words:
                    self.refuse("CG214", f"`{each.name}` is never `{each.word}`", each.span,
                                help=nearest(each.word, option.words) or f"it is one of {', '.join(option.words)}")
                continue
            name = each.name
            if name == TRAINING:
                continue
            if name in self.options:
                kind = self.options[name].kind
                if kind in ("flag", "maybe"):
                    continue
                help = f"write `{name} == {self.options[name].words[0]}`" if kind == "word" and self.options[name].words else \
                    f"it is always given: make its default `none`, or use `where({name} > 0, a, b)`"
                self.refuse("CG214", f"`{name}` is no yes or no", each.span, help=help)
            if name in self.dims and self.dims[name].kind in ("alias", "optional"):
                continue
            if name in self.inputs and self.inputs[name].optional:
                continue
            if name in self.defined or name in self.later or name in self.states or name in self.params or name in self.inputs:
                self.refuse("CG214", f"`{name}` is known only while running; a test is decided when the cell is built", each.span,
                            help="a choice on data is `where(a > b, x, y)`")
            known = [each.name for each in self.options.values() if each.kind in ("flag", "maybe", "word")]
            self.refuse("CG214", f"no option, optional dim or port `{name}` to ask for", each.span,
                        help=nearest(name, known) or "declare it: `options: {use_bias: true}`")

    # --- laws

    def law(self, text: LawText, other: Other) -> Law | None:
        try:
            facts = []
            for name, value, span in text.facts:
                facts.append(Fact(self.law_fact(name), value, span))
            match text.kind:
                case "equal":
                    claim = Equal(*self.all((text.a, text.b)))
                case "free":
                    a, b = self.all((text.a, text.b))
                    claim = FreeOf(a, b)
                case "within":
                    bounds = text.b
                    low, high = (self.node(each) if each is not None else None for each in (bounds.low, bounds.high))
                    for bound in (low, high):
                        self.bound(bound, text)
                    claim = Within(self.node(text.a), low, high, bounds.low_open, bounds.high_open)
                case _:
                    claim = self.reduces(text, other)
            return Law(claim, tuple(facts), " ".join(text.text.split()), text.span)
        except _Refused:
            return None

    def bound(self, node, text: LawText) -> None:
        match node:
            case None | Number():
                return
            case Ref(name) if name in self.options:
                return
            case Apply("neg", (Ref(name),)) if name in self.options:
                return
        self.refuse("CG202", "a bound is a number or an option", node.span or text.span)

    def law_fact(self, node) -> Node:
        base = node.value if isinstance(node, Pick) else node
        option = self.options.get(base.name)
        if option is not None and option.kind in ("flag", "activation", "word"):
            self.refuse("CG202", f"the option `{base.name}` is no number", node.span, help="facts set values and numeric options")
        if base.ago:
            self.refuse("CG202", "a fact is about this step's value", node.span, help=f"write `when {base.name} == ...`")
        return self.node(node)

    def reduces(self, text: LawText, other: Other) -> ReducesTo:
        theirs = other(text.a, text.span)
        renames, settings = [], []
        for ours, value, span in text.b:
            option = self.options.get(ours)
            if parse.NUMBER.fullmatch(value.lstrip("-")):
                settings.append((ours, Fraction(value)))
            elif value in ("true", "false") and option is not None and option.kind == "flag":
                settings.append((ours, value == "true"))
            elif value == "none" and (option is not None and option.kind == "maybe" or ours in self.dims and self.dims[ours].kind == "alias"):
                settings.append((ours, None))
            elif option is not None and option.kind in ("word", "activation") and value in option.words:
                settings.append((ours, value))
            else:
                known = {*self.labels, *self.defined, *self.params, *self.inputs, *self.options, *self.dims}
                there = {*(label for axis in theirs.axes for label in axis.labels), *(each.name for each in theirs.equations),
                         *(each.name for each in theirs.params), *(each.name for each in theirs.inputs),
                         *(each.name for each in theirs.options), *(each.name for each in theirs.dims)}
                if ours.split("/")[0] not in known | set(self.norms):
                    self.refuse("CG205", f"unknown name `{ours}`", span, help=nearest(ours, known))
                if value not in there:
                    self.refuse("CG205", f"`{text.a}` has no `{value}`", span, help=nearest(value, there))
                renames.append((ours, value))
                continue
            if ours not in self.options and ours not in self.params and ours not in self.dims:
                self.refuse("CG205", f"no option or parameter `{ours}`", span, help=nearest(ours, [*self.options, *self.params]))
        return ReducesTo(text.a, theirs, tuple(renames), tuple(settings))
