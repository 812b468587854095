"""Document to `Cell`: every name in the equations and laws is found, every call becomes an operation.

Definition before use, one definition a name, `[t-1]` on states only. `affine` spells its sugar out, `bind` reads the
expressions, `claims` the laws. Raises `SpecError` with every mistake.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

from cellgen.diagnostics import Label, Refused, Report, Source, Span, nearest
from cellgen.document import Document
from cellgen.ir import Cell, Equation, LabelAxis, Node, Number, Param, View, walk
from cellgen.resolve.affine import affine
from cellgen.resolve.binding import bind
from cellgen.resolve.claims import Other, claims
from cellgen.resolve.declarations import Declared, declare
from cellgen.resolve.micro_steps import MicroSteps, unrolled
from cellgen.resolve.options import called
from cellgen.resolve.scope import Scope
from cellgen.resolve.starting_values import starting
from cellgen.text import Statement, equations, laws, names


def resolve(document: Document, source: Source, stem: str, other: Other | None = None) -> Cell:
    """The cell of a document. `other` finds the specs that laws name; without it laws are left out."""
    report = Report()
    statements = equations(document.equations, report)
    texts = laws(document.laws, report) if document.laws is not None and other else ()
    declared = declare(document, report)
    if not statements:
        help = "write one a line under `equations: |`"
        report.add("CG107", "there are no equations", document.equations.span, help=help)
    report.stop()
    statements, steps = unrolled(statements, declared, _wanted(document), report)
    statements, declared = affine(statements, declared, report)
    report.stop()
    declared = replace(declared, options=called(declared.options, statements))
    scope = Scope(declared, {each.name: each.name_span for each in statements}, report, steps)
    scope.draws = True
    found = tuple(_equation(statement, scope, document) for statement in statements)
    scope.draws = False
    _never_updated(scope)
    params = initialisers(scope, document)
    output = _output(scope, document)
    trace = None if document.trace is None else tuple(_trace(scope, document))
    report.stop()
    claimed = claims(texts, scope, other)
    report.stop()
    return Cell(
        document.cell.value,
        stem,
        source,
        " ".join(document.about.text.split()) if document.about else "",
        document.family.value if document.family else "",
        tuple(" ".join(paper.text.split()) for paper in document.papers),
        declared.dims,
        tuple(_axes(declared, steps, found)),
        declared.options,
        declared.inputs,
        declared.states,
        output,
        params,
        declared.norms,
        declared.mask,
        found,
        claimed,
        trace,
        tuple(scope.noises),
    )


def _equation(statement: Statement, scope: Scope, document: Document) -> Equation:
    name, span = statement.name, statement.name_span
    scope.current = name
    value = _value(statement, scope)
    _defines(name, span, scope, document)
    if statement.annotation is not None:
        value = View(value, statement.annotation, statement.annotation_span)
        for axis in statement.annotation:
            for atom in axis:
                scope.is_dim(atom, _word(statement.annotation_span, str(atom)))
    said = statement.text if statement.loop else " ".join(statement.text.split())
    return Equation(name, value, said, statement.span, span)


def _wanted(document: Document) -> Iterator[str]:
    """The names that something else than an equation may read."""
    yield from document.state
    yield from (each.value for each in (document.output, *(document.trace or ())) if each is not None)
    for name, number in re.findall(r"([A-Za-z]\w*)(?:\[(\d+)\])?", document.laws.text if document.laws else ""):
        yield f"{name}_{number}" if number else name


def _axes(declared: Declared, steps: MicroSteps, equations: tuple[Equation, ...]) -> Iterator[LabelAxis]:
    """The labelled axes, without those that loops count and that no value has."""
    shapes = [each.shape or () for each in (*declared.inputs, *declared.states, *declared.params)]
    shapes += [node.shape for each in equations for _, node in walk(each.value) if isinstance(node, View)]
    atoms = {atom for shape in shapes for axis in shape for atom in axis}
    return (axis for axis in declared.axes if axis.name in atoms or axis.name not in steps.axes)


def _value(statement: Statement, scope: Scope) -> Node:
    if statement.value is None:
        message = "`none` deletes an inherited equation, and this spec extends none"
        scope.report.add("CG202", message, statement.span)
    else:
        try:
            return bind(statement.value, scope)
        except Refused:
            pass
    return Number(Fraction(0))  # stands in for what was reported


def _defines(name: str, span: Span, scope: Scope, document: Document) -> None:
    """The name has this meaning from here on, and had none before."""
    report = scope.report
    if name in scope.defined:
        report.add(
            "CG207",
            f"`{name}` is defined twice",
            span,
            "again here",
            context=[Label(scope.defined[name], "first here")],
            help="a name has one meaning in a step: "
            f"call the {'first' if name in scope.states else 'second'} one `{name}_new`, say",
        )
    elif name in scope.declared.where and name not in scope.states:
        where = scope.declared.where[name]
        implied = where == document.cell.span
        text = "where nothing is said, the cell has `inputs: {x: [input]}`" if implied else "declared here"
        report.add(
            "CG207",
            f"`{name}` is declared already",
            span,
            "defined here",
            context=[Label(where, text)],
            help="choose another name",
        )
    else:
        names.check(name, span, report)
    scope.defined.setdefault(name, span)


def _word(span: Span, word: str) -> Span:
    """Where a word stands in what a span covers."""
    found = re.search(rf"\b{word}\b", span.text)
    return Span(span.source, span.start + found.start(), span.start + found.end()) if found else span


def _never_updated(scope: Scope) -> None:
    for name, state in scope.states.items():
        if name not in scope.defined:
            new = next((each for each in scope.defined if each.startswith(f"{name}_")), None)
            help = f"call `{new}` `{name}`, or add `{name} = {new}`" if new else nearest(name, scope.defined)
            message = f"the state `{name}` is never updated"
            scope.report.add("CG211", message, state.span, help=help or f"write an equation `{name} = ...`")


def initialisers(scope: Scope, document: Document) -> tuple[Param, ...]:
    """The weights, with every name in what they start from found."""
    return starting(scope, {name: section.init or {} for name, section in document.params.items()})


def _output(scope: Scope, document: Document) -> str:
    """The name of the output: the first state if nothing is said."""
    output = document.output.value if document.output else scope.declared.states[0].name
    if output not in scope.defined:
        span = document.output.span if document.output else next(iter(document.state)).span
        bare = output.split("[")[0].strip()
        scope.report.add(
            "CG205",
            f"the output `{output}` is not defined by an equation",
            span,
            help=f"the output is a value of this step: write `output: {bare}`"
            if bare in scope.defined
            else nearest(output, scope.defined) or f"write an equation `{output} = ...`, or name a value that has one",
        )
    return str(output)


def _trace(scope: Scope, document: Document) -> Iterator[str]:
    """The names of what is traced, each once and with an equation."""
    seen = set()
    for each in document.trace:
        if each.value not in scope.defined:
            help = nearest(each.value, scope.defined) or "a value that has an equation can be traced"
            scope.report.add("CG205", f"no equation defines `{each.value}`", each.span, help=help)
        elif each.value in seen:
            scope.report.add("CG112", f"`{each.value}` is traced twice", each.span, help="name it once")
        seen.add(each.value)
        yield str(each.value)
