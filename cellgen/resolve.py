"""Document to `Cell`: every name in the equations and laws is found, every call becomes an operation.

Definition before use, one definition a name, `[t-1]` on states only; `affine(...)` is spelled out into the parameters
it declares, `ln(v)` into `normalize(v, epsilon) * scale + shift`. Raises `SpecError` with every mistake.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

from cellgen import names, parse
from cellgen.cell import (
    Cell,
    EitherInitialiser,
    Equal,
    Fact,
    FreeOf,
    Initialiser,
    Law,
    Param,
    ReducesTo,
    Within,
)
from cellgen.declare import Declared, declare
from cellgen.diagnostics import Label, Report, nearest
from cellgen.expr import (
    TRAINING,
    Activate,
    Apply,
    Choose,
    Equation,
    Given,
    Is,
    Node,
    Number,
    Pick,
    Ref,
    Shape,
    View,
    asked,
    children,
    rebuild,
    shape_text,
)
from cellgen.ops import OPS, WRITTEN
from cellgen.parse import Call, LawText, Statement
from cellgen.schema import Document
from cellgen.span import Source, Span

MAX_EXPONENT = 64

Other = Callable[[str, Span], Cell]  # finds the cell of another spec, for `reduces to`

_AFFINE = (("kernel", "glorot_uniform"), ("recurrent_kernel", "orthogonal"), ("bias", "zeros"))


def resolve(document: Document, source: Source, stem: str, other: Other | None = None) -> Cell:
    """The cell of a document. `other` finds the specs that laws name; without it laws are left out."""
    report = Report()
    statements = parse.equations(document.equations, report)
    laws = parse.laws(document.laws, report) if document.laws is not None and other else ()
    declared = declare(document, report)
    if not statements:
        report.add(
            "CG107", "there are no equations", document.equations.span, help="write one a line under `equations: |`"
        )
    report.stop()
    statements, declared = _spell_affine(statements, declared, report)
    report.stop()
    scope = _Scope(declared, document, report)
    equations = tuple(scope.equation(statement) for statement in statements)
    scope.finish(equations)
    output = document.output.value if document.output else declared.states[0].name
    if output not in scope.defined:
        span = document.output.span if document.output else document.state and next(iter(document.state)).span
        bare = output.split("[")[0].strip()
        report.add(
            "CG205",
            f"the output `{output}` is not defined by an equation",
            span,
            help=f"the output is a value of this step: write `output: {bare}`"
            if bare in scope.defined
            else nearest(output, scope.defined) or f"write an equation `{output} = ...`, or name a value that has one",
        )
    report.stop()
    found = tuple(law for text in laws if (law := scope.law(text, other)) is not None)
    report.stop()
    return Cell(
        document.cell.value,
        stem,
        source,
        " ".join(document.about.text.split()) if document.about else "",
        tuple(" ".join(paper.text.split()) for paper in document.papers),
        declared.dims,
        declared.axes,
        declared.options,
        declared.inputs,
        declared.states,
        str(output),
        declared.params,
        declared.norms,
        declared.mask,
        equations,
        found,
    )


def _spell_affine(statements, declared: Declared, report: Report):
    """`z: [gates, units] = affine(x, h[t-1])` as `x @ kernel + h[t-1] @ recurrent_kernel + bias`, which it declares."""
    out, seen, params = [], None, list(declared.params)
    shapes = {each.name: each.shape for each in (*declared.inputs, *declared.states)}
    known = declared.where.keys() | {statement.name for statement in statements}
    for statement in statements:
        calls = [node for node in _calls(statement.value) if node.name == "affine"]
        if not calls:
            out.append(statement)
            continue
        call, where = calls[0], calls[0].span

        def wrong(message, span, help="", where=where):
            report.add("CG215", message, span or where, help=help)

        if seen is not None:
            wrong(
                "`affine` stands once", where, "write the second one out: `x @ W + b`, with `W` and `b` under `params:`"
            )
        elif call is not statement.value:
            wrong(
                "`affine` stands alone on the right of `=`",
                where,
                "give it a name and a shape: `z: [gates, units] = affine(x, h[t-1])`",
            )
        elif statement.annotation is None or not statement.annotation:
            wrong(
                "`affine` needs its width",
                statement.name_span,
                f"write `{statement.name}: [units] = {statement.text.split('=', 1)[1].strip()}`",
            )
        elif len(call.args) not in (1, 2):
            wrong(
                f"`affine` takes one or two values, not {len(call.args)}",
                where,
                "write the matmuls out, with their weights under `params:`: `x @ W + h[t-1] @ U + b`",
            )
        elif bad := [arg for arg in call.args if not isinstance(arg, Ref) or len(shapes.get(arg.name, ())) != 1]:
            if isinstance(bad[0], Ref) and bad[0].name not in known:
                report.add("CG205", f"unknown name `{bad[0].name}`", bad[0].span, help=nearest(bad[0].name, shapes))
            else:
                wrong(
                    "`affine` takes inputs and states with one axis",
                    bad[0].span,
                    "write the matmul out, with its weight under `params:`",
                )
        elif any(not _is_test(value) for _, value, _ in call.attrs):
            wrong("`bias` takes an option", call.attrs[0][2], "write `bias=use_bias`, and `options: {use_bias: true}`")
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
                at = call.attrs[0][2]
                part = Choose(
                    Given(bias[0], at) if isinstance(bias, tuple) else bias, part, Number(Fraction(0), where), where
                )
            value = Apply("add", (value, part), (), where)
            taken = {param.name for param in params}
            for param in new:
                if param.name not in taken and param.name in declared.where:
                    report.add(
                        "CG112",
                        f"`affine` declares `{param.name}`, which is something else here",
                        where,
                        context=[Label(declared.where[param.name], "here")],
                        help="give that another name, or write the matmul out",
                    )
            params = [param for param in new if param.name not in taken] + params
            statement = replace(statement, value=value)
            seen = call
        out.append(statement)
    where = {**declared.where, **{param.name: param.span for param in params if param.name not in declared.where}}
    return out, replace(declared, params=tuple(params), where=where)


def _is_test(value) -> bool:
    """Whether the value of a keyword can be one: a name is read as an axis at first."""
    return (
        len(value) == 1 and isinstance(value[0], str) if isinstance(value, tuple) else not isinstance(value, Fraction)
    )


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


# what other libraries call it
_SUMMED = "write one product for each part and add them: `x @ W + h[t-1] @ U`"
_NORMED = "declare a norm, `norms: {ln: {kind: layer, over: [units], epsilon: 1e-5}}`, and call it: `ln(z)`"
_MORE = {
    "affine": "`affine` stands alone on the right of `=`",
    "max": "did you mean `maximum`?",
    "min": "did you mean `minimum`?",
    "ln": f"{_NORMED}; the logarithm is `log`",
    "layer_norm": _NORMED,
    "norm": _NORMED,
    "LayerNorm": _NORMED,
    "rms_norm": _NORMED,
    "concat": _SUMMED,
    "concatenate": _SUMMED,
    "dot": "write `a @ b`",
    "matmul": "write `a @ b`",
    "multiply": "write `a * b`",
    "add": "write `a + b`",
    "sub": "write `a - b`",
    "pow": "write `a ** 2`",
    "logistic": "did you mean `sigmoid`?",
    "sigm": "did you mean `sigmoid`?",
    "sign": "write `2 * step(x) - 1`",
    "heaviside": "did you mean `step`?",
    "swish": "did you mean `silu`?",
    "sg": "did you mean `stop_gradient`?",
    "split": "a labelled axis is cut by its labels: `gates: [i, f]`, then `z.i` and `z.f`",
}


class _Refused(Exception):
    """Reported already."""


def _within(span: Span, word: str) -> Span:
    """Where a word stands in what a span covers."""
    found = re.search(rf"\b{word}\b", span.text)
    return Span(span.source, span.start + found.start(), span.start + found.end()) if found else span


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
        self.current = ""  # the name whose equation is looked at

    # --- statements

    def equation(self, statement: Statement) -> Equation:
        name, span = statement.name, statement.name_span
        if not self.later and not self.defined:
            self.later = {each.name: each.name_span for each in parse.equations(self.document.equations, Report())}
        value, self.current = Number(Fraction(0)), name
        if statement.value is None:
            self.report.add("CG202", "`none` deletes an inherited equation, and this spec extends none", statement.span)
        else:
            try:
                value = self.node(statement.value)
            except _Refused:
                pass
        if name in self.defined:
            self.report.add(
                "CG207",
                f"`{name}` is defined twice",
                span,
                "again here",
                context=[Label(self.defined[name], "first here")],
                help="a name has one meaning in a step: "
                f"call the {'first' if name in self.states else 'second'} one `{name}_new`, say",
            )
        elif name in self.declared.where and name not in self.states:
            where = self.declared.where[name]
            implied = where == self.document.cell.span
            self.report.add(
                "CG207",
                f"`{name}` is declared already",
                span,
                "defined here",
                context=[
                    Label(
                        where,
                        "where nothing is said, the cell has `inputs: {x: [input]}`" if implied else "declared here",
                    )
                ],
                help="choose another name",
            )
        else:
            names.check(name, span, self.report)
        self.defined.setdefault(name, span)
        if statement.annotation is not None:
            value = View(value, statement.annotation, statement.annotation_span)
            for axis in statement.annotation:
                for atom in axis:
                    if isinstance(atom, str) and atom not in self.dims and self.axis(atom) is None:
                        self.report.add(
                            "CG205",
                            f"unknown dim `{atom}`",
                            _within(statement.annotation_span, atom),
                            help=nearest(atom, [*self.dims, *(axis.name for axis in self.declared.axes)]),
                        )
        return Equation(name, value, " ".join(statement.text.split()), statement.span, span)

    def axis(self, name: str):
        return next((axis for axis in self.declared.axes if axis.name == name), None)

    def finish(self, equations: tuple[Equation, ...]) -> None:
        for name, state in self.states.items():
            if name not in self.defined:
                self.report.add(
                    "CG211",
                    f"the state `{name}` is never updated",
                    state.span,
                    help=next(
                        (
                            f"call `{each}` `{name}`, or add `{name} = {each}`"
                            for each in self.defined
                            if each.startswith(f"{name}_")
                        ),
                        "",
                    )
                    or nearest(name, self.defined)
                    or f"write an equation `{name} = ...`",
                )
        for param in self.declared.params:
            for _, init in param.init:
                self.initialiser(init)
            self.labelled(param, [label for label, _ in param.init if label is not None])

    def labelled(self, param: Param, labels: list[str]) -> None:
        """Initialisers by label: the parameter has these labels, on an axis of equal parts that lie one by one."""
        written = self.document.params[param.name].init if param.name in self.document.params else {}
        axes = [axis for axis in self.declared.axes if any(axis.name in each for each in param.shape or ())]
        for label in labels:
            span = next(key.span for key in written if key == label)
            axis = next((axis for axis in axes if label in axis.labels), None)
            if axis is None:
                known = [each for axis in axes for each in axis.labels]
                help = nearest(label, known) or (
                    f"its labels are {', '.join(known)}" if known else "write one initialiser for all of it"
                )
                self.report.add(
                    "CG209",
                    f"`{param.name}` has no label `{label}`",
                    span,
                    context=[Label(param.shape_span, "its shape")],
                    help=help,
                )
            elif axis.widths or not any(each[:1] == (axis.name,) for each in param.shape):
                self.report.add(
                    "CG113",
                    f"`{param.name}` cannot be initialised by label",
                    span,
                    context=[Label(param.shape_span, "its shape")],
                    help=f"`{axis.name}` must have equal parts and come first in its product: `{axis.name}*units`",
                )
        unnamed = [
            each for axis in axes if set(labels) & set(axis.labels) for each in axis.labels if each not in labels
        ]
        if (unnamed or not labels) and not any(label is None for label, _ in param.init):
            self.report.add(
                "CG107",
                f"`params.{param.name}.init` leaves out {', '.join(f'`{each}`' for each in unnamed) or 'everything'}",
                param.span,
                help="add `else: zeros`, which is for every label not named",
            )

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
            if node.label == "T" and node.label not in self.labels:
                self.refuse(
                    "CG202",
                    "`.T` is not part of the language",
                    node.span,
                    help="`a @ b` contracts the last axis of `a` with the first of `b`: declare the weight so",
                )
            if node.label not in self.labels:
                self.refuse(
                    "CG209",
                    f"no axis has a label `{node.label}`",
                    node.span,
                    help=nearest(node.label, self.labels)
                    or (
                        f"the labels are {', '.join(self.labels)}"
                        if self.labels
                        else "labels are declared by `gates: [i, f, g, o]`"
                    ),
                )
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
        node = rebuild(node, self.all(children(node)))
        if isinstance(node, Apply) and node.op == "pow":
            self.power(node)
        if (
            isinstance(node, Apply)
            and node.op == "div"
            and isinstance(node.args[1], Number)
            and node.args[1].value == 0
        ):
            self.refuse("CG216", "a division by 0", node.args[1].span)
        return node

    def power(self, node: Apply) -> None:
        """An exponent is a number or an option."""
        exponent = (
            node.args[1].args[0] if isinstance(node.args[1], Apply) and node.args[1].op == "neg" else node.args[1]
        )
        if isinstance(exponent, Number):
            if abs(exponent.value) > MAX_EXPONENT:
                self.refuse("CG108", f"an exponent beyond {MAX_EXPONENT}", exponent.span)
        elif not (isinstance(exponent, Ref) and exponent.name in self.options):
            base = " ".join(node.args[0].span.text.split())
            self.refuse(
                "CG202",
                "an exponent is a number or an option",
                exponent.span,
                help=f"of a positive `{base}` it is `exp(... * log({base}))`"
                if len(base) < 20 and not isinstance(node.args[0], Number)
                else "",
            )

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
                self.refuse(
                    "CG210" if self.known(name) else "CG205",
                    f"`{name}` is no state, so its last value is not carried"
                    if self.known(name)
                    else f"unknown state `{name}`",
                    ref.span,
                    help=self.no_state(name),
                )
            return ref
        if name in self.defined or name in self.params or name in self.inputs:
            return ref
        option = self.options.get(name)
        if option is not None:
            if option.kind in ("number", "maybe", "scheduled"):
                return ref
            how = {
                "flag": f"`a if {name} else b`",
                "word": f"`a if {name} == {option.words[0] if option.words else 'word'} else b`",
                "activation": f"`{name}(z)`",
            }[option.kind]
            self.refuse("CG206", f"the option `{name}` is no number", ref.span, help=f"write {how}")
        if name in self.states or name in self.later:
            self.undefined(ref)
        if name in self.dims or name == "gates" or self.axis(name) is not None:
            self.refuse(
                "CG206",
                f"`{name}` is a dim, no value",
                ref.span,
                help="dims stand in shapes; for its size use an option",
            )
        if name in self.norms:
            self.refuse("CG206", f"`{name}` is a norm, no value", ref.span, help=f"write `{name}(x @ W)`")
        if name in OPS or name == "affine":
            self.refuse("CG206", f"`{name}` is a function, no value", ref.span, help=f"write `{name}(...)`")
        self.refuse("CG205", f"unknown name `{name}`", ref.span, help=self.meant(name))

    def known(self, name: str) -> bool:
        return name in self.declared.where or name in self.defined or name in self.later

    def no_state(self, name: str) -> str:
        """A help for `name[t-1]` where `name` is no state."""
        if name in self.inputs:
            shape = shape_text(self.inputs[name].shape)
            return (
                f"add a state `{name}_last: {shape}`, the equation `{name}_last = {name}`, and read `{name}_last[t-1]`"
            )
        if name in self.params or name in self.options:
            return f"it is the same at every step: write `{name}`"
        if name in self.defined or name in self.later:
            return f"add `{name}` under `state:`"
        return nearest(name, self.states) or f"the states are {', '.join(f'`{state}`' for state in self.states)}"

    def undefined(self, ref: Ref) -> None:
        """A name that is read at or above its own equation, or a state without one."""
        name = ref.name
        context = [Label(self.later[name], "defined here")] if name in self.later else []
        if name == self.current:
            help = (
                (f"`{name}[t-1]` is the carried value",)
                if name in self.states
                else (
                    f"to carry it from step to step, add `{name}` under `state:` and read `{name}[t-1]`",
                    "to change a value of this step, give the new one a name of its own",
                )
            )
            self.refuse("CG206", f"`{name}` is read in its own equation", ref.span, help=help)
        if name in self.states:
            help = [f"`{name}[t-1]` is the carried value"] + [f"for this step's `{name}` move its equation up"] * bool(
                context
            )
            self.refuse("CG206", f"`{name}` is not yet defined here", ref.span, context=context, help=help)
        self.refuse(
            "CG206",
            f"`{name}` is used before it is defined",
            ref.span,
            context=context,
            help="move its equation up: the order is the author's, never changed",
        )

    def meant(self, name: str) -> str:
        """A help for an unknown name: as papers and other libraries write a carried value, or the nearest one."""
        for state in self.states:
            if name in (
                f"{state}_prev",
                f"prev_{state}",
                f"{state}_last",
                f"last_{state}",
                f"{state}_old",
                f"{state}_tm1",
                f"{state}p",
            ):
                return f"the carried value is `{state}[t-1]`"
        if name in self.labels:
            return f"`{name}` is a label: cut it from a value that has it, as in `{name} = sigmoid(z.{name})`"
        if name.endswith("_t") and self.known(name[:-2]):
            return f"this step's value is `{name[:-2]}`"
        known = [*self.defined, *self.params, *self.inputs, *self.options, *self.states]
        return nearest(name, known) or "a weight is declared under `params:`, a number under `options:`"

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
                self.refuse(
                    "CG208", f"`{name}` is no function", call.name_span, help=f"a product is written `{name} * (...)`"
                )
            known = [*WRITTEN, *self.norms, *(each.name for each in self.declared.options if each.kind == "activation")]
            self.report.add(
                "CG208",
                f"unknown function `{name}`",
                call.name_span,
                help=_MORE.get(name) or nearest(name, known) or f"the functions are {', '.join(known)}",
            )
            self.all(call.args)
            raise _Refused
        args = self.arguments(call, OPS[name].arity)
        attrs = []
        takes = OPS[name].shape in ("reduce", "along")
        for key, value, span in call.attrs:
            if not takes or key != "over":
                self.refuse(
                    "CG208",
                    f"`{name}` has no keyword `{key}`",
                    span,
                    help="there is `over=`" if takes else "it takes none",
                )
            if not isinstance(value, tuple):
                self.refuse("CG208", "`over` is a dim", span, help="write `over=units`")
            if attrs:
                self.refuse("CG208", "`over` stands twice", span)
            for atom in value:
                if isinstance(atom, str) and atom not in self.dims and self.axis(atom) is None:
                    self.refuse(
                        "CG205",
                        f"unknown dim `{atom}`",
                        span,
                        help=nearest(atom, [*self.dims, *(axis.name for axis in self.declared.axes)]),
                    )
            attrs.append((key, value))
        if (
            name == "clip"
            and any(isinstance(arg, Number) for arg in args[1:])
            and all(isinstance(arg, Number) for arg in args[1:])
        ):
            if args[1].value > args[2].value:
                self.refuse(
                    "CG208", "`clip` to an empty range", call.span, help="write `clip(x, low, high)`, low first"
                )
        return Apply(name, args, tuple(attrs), call.span)

    def arguments(self, call: Call, count: int) -> tuple[Node, ...]:
        if len(call.args) != count:
            self.refuse(
                "CG208",
                f"`{call.name}` takes {count} value{'s' if count != 1 else ''}, not {len(call.args)}",
                call.span,
                help=f"`{call.name}` is {OPS[call.name].about}" if call.name in OPS else "",
            )
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
                    yes = option is not None and option.kind in ("flag", "maybe")
                    self.refuse(
                        "CG214",
                        f"`{each.name}` is no option with words",
                        each.span,
                        help=f"write `a if {each.name} else b`"
                        if yes
                        else nearest(each.name, words)
                        or f"declare it: `options: {{{each.name}: {{one_of: [{each.word}, other]}}}}`",
                    )
                if each.word not in option.words:
                    self.refuse(
                        "CG214",
                        f"`{each.name}` is never `{each.word}`",
                        each.span,
                        help=nearest(each.word, option.words) or f"it is one of {', '.join(option.words)}",
                    )
                continue
            name = each.name
            if name == TRAINING:
                continue
            if name in self.options:
                kind = self.options[name].kind
                if kind in ("flag", "maybe"):
                    continue
                help = {
                    "word": f"write `{name} == {(*self.options[name].words, 'word')[0]}`",
                    "activation": f"an activation is always given: it is called, `{name}(z)`",
                }.get(kind, f"it is always given: make its default `none`, or use `where({name} > 0, a, b)`")
                self.refuse("CG214", f"`{name}` is no yes or no", each.span, help=help)
            if name in self.dims and self.dims[name].kind in ("alias", "optional"):
                continue
            if name in self.inputs and self.inputs[name].optional:
                continue
            if (
                name in self.defined
                or name in self.later
                or name in self.states
                or name in self.params
                or name in self.inputs
            ):
                self.refuse(
                    "CG214",
                    f"`{name}` is known only while running; a test is decided when the cell is built",
                    each.span,
                    help="a choice on data is `where(a > b, x, y)`",
                )
            if name in self.dims:
                self.refuse(
                    "CG214",
                    f"the dim `{name}` is always given",
                    each.span,
                    help="a test asks whether an option or a dim was given",
                )
            known = [TRAINING, *(each.name for each in self.options.values() if each.kind in ("flag", "maybe", "word"))]
            self.refuse(
                "CG214",
                f"no option, optional dim or port `{name}` to ask for",
                each.span,
                help=nearest(name, known) or f"declare it: `options: {{{name}: true}}`",
            )

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
                    if (
                        isinstance(low, Number)
                        and isinstance(high, Number)
                        and (
                            low.value > high.value or low.value == high.value and (bounds.low_open or bounds.high_open)
                        )
                    ):
                        self.refuse(
                            "CG202",
                            "no number lies in this range",
                            low.span.to(high.span),
                            help="write `[low, high]`, low first",
                        )
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
            self.refuse(
                "CG202",
                f"the option `{base.name}` is no number",
                node.span,
                help="facts set values and numeric options",
            )
        if base.ago:
            self.refuse(
                "CG202", "a fact is about this step's value", node.span, help=f"write `when {base.name} == ...`"
            )
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
            elif value == "none" and (
                option is not None and option.kind == "maybe" or ours in self.dims and self.dims[ours].kind == "alias"
            ):
                settings.append((ours, None))
            elif option is not None and option.kind in ("word", "activation") and value in option.words:
                settings.append((ours, value))
            else:
                known = {*self.labels, *self.defined, *self.params, *self.inputs, *self.options, *self.dims}
                there = {
                    *(label for axis in theirs.axes for label in axis.labels),
                    *(each.name for each in theirs.equations),
                    *(each.name for each in theirs.params),
                    *(each.name for each in theirs.inputs),
                    *(each.name for each in theirs.options),
                    *(each.name for each in theirs.dims),
                }
                if ours.split("/")[0] not in known | set(self.norms):
                    self.refuse("CG205", f"unknown name `{ours}`", span, help=nearest(ours, known))
                if value not in there:
                    self.refuse("CG205", f"`{text.a}` has no `{value}`", span, help=nearest(value, there))
                renames.append((ours, value))
                continue
            if ours not in self.options and ours not in self.params and ours not in self.dims:
                self.refuse(
                    "CG205", f"no option or parameter `{ours}`", span, help=nearest(ours, [*self.options, *self.params])
                )
            elif (
                option is not None
                and option.kind in ("flag", "word", "activation")
                and isinstance(settings[-1][1], Fraction)
            ):
                wanted = "true or false" if option.kind == "flag" else f"one of {', '.join(option.words)}"
                self.refuse("CG202", f"the option `{ours}` is {wanted}", span)
        return ReducesTo(text.a, theirs, tuple(renames), tuple(settings))
