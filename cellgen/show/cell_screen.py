"""What `cellgen check` shows of a cell: on one screen its equations, shapes, sizes, and what was found out about it."""

import textwrap
from collections.abc import Callable, Iterable

from cellgen.analyse import Facts, Part, VariantFacts, condition, parts
from cellgen.compiler import Checked
from cellgen.ir import (
    Cell,
    Dim,
    Fused,
    LabelAxis,
    Option,
    Shape,
    Size,
    Test,
    TypedCell,
    Unlike,
    axis_text,
    number_text,
    shape_text,
    total,
)
from cellgen.prove import Verdict
from cellgen.stack import Stack, unrolled
from cellgen.text import condition_text

WIDTH = 110
TYPICAL = 64  # what a dim is, to see which formula is the largest
MOST_SIZES = 3  # more than these are counted, not listed


def screen(checked: Checked) -> str:
    """Everything about one cell."""
    typed, facts, verdicts, stack = checked.typed, checked.facts, checked.verdicts, checked.stack
    cell = typed.cell
    about = stack.about if stack else cell.about
    parts = [
        "\n".join(
            [
                f"{stack.name if stack else cell.name}, {cell.source.name}",
                *_filled(about.partition(". ")[0].rstrip(".\n") + "." if about else ""),
                *(
                    _filled(f"A layer of {stack.cell.stem}; below, above: where there is one on that side.")
                    if stack
                    else ()
                ),
            ]
        ),
        _table([*_family(stack or cell), *_interface(typed)]),
        _section("weights", _table(_weights(typed, facts))),
        _section("equations", _table(_equations(typed, facts))),
        _section("readout", _table(_readout(stack)) if stack and stack.readout else ""),
        _table(_figures(typed, facts)),
        _section("laws", _table((verdict.status, _claim(verdict)) for verdict in verdicts.laws)),
        _section("found", _table([*_traits(verdicts.traits), *_backward(checked), *_cudnn(checked.fused)])),
    ]
    return "\n\n".join(part for part in parts if part)


def _traits(found: Iterable[Verdict]) -> Iterable[tuple[str, str]]:
    return ((each.about, _claim(each)) for each in found)


def _cudnn(fused: Fused | Unlike) -> Iterable[tuple[str, str]]:
    """Which layer of Keras's it is, and what that one's gates and weights are here; or why it is none."""
    if isinstance(fused, Fused):
        parts = {
            "kernel": [gate.kernel for gate in fused.gates],
            "recurrent_kernel": [gate.recurrent for gate in fused.gates],
            "bias": [piece for gate in fused.gates for piece in (*gate.biases, *gate.inner)],
        }
        said = [*((gate.role, gate.name) for gate in fused.gates)]
        said += [(name, " and ".join(dict.fromkeys(each.weight for each in some))) for name, some in parts.items()]
        under = [f"{name} = {word}" for name, word in fused.choices]
        text = f"as {fused.layer}: {', '.join(f'{theirs} = {ours}' for theirs, ours in said if ours)}"
        text += f", with {', '.join(under)}" if under else ""
        yield "cuDNN", text + (f", {_where(fused.test)}" if fused.test else "")
    elif fused.why:
        yield "cuDNN", f"no: {fused.why}"


def _backward(checked: Checked) -> Iterable[tuple[str, str]]:
    """Of the derived backward step."""
    proof = checked.proof
    if proof.open:
        yield "backward", f"not shown whether the derived step is the derivative of the equations: {proof.open}"
    elif proof.unshown:
        names = ", ".join(proof.unshown)
        what = f"not shown for {names}, which no number contradicts; all else is the derivative of the equations"
        yield "backward", f"{what} ({proof.compared} cotangents)"
    else:
        yield "backward", f"the derived step is the derivative of the equations ({proof.compared} cotangents)"


def line(checked: Checked) -> str:
    """One cell among many."""
    statuses = [verdict.status for verdict in checked.verdicts.laws]
    laws = ", ".join(f"{statuses.count(status)} {status}" for status in dict.fromkeys(statuses)) or "none"
    variants = len(checked.typed.variants)
    name = checked.stack.name if checked.stack else checked.typed.cell.name
    return f"{name}, {variants} variant{'s' * (variants != 1)}; laws: {laws}"


def _section(head: str, body: str) -> str:
    return f"{head}\n{textwrap.indent(body, '  ')}" if body else ""


def _table(rows: Iterable[tuple[str, ...]]) -> str:
    """Rows in aligned columns; the last column is wrapped."""
    rows = list(rows)
    widths = [max(len(cell) for cell in column) for column in zip(*rows)][:-1]
    out = []
    for *cells, last in rows:
        lead = "".join(f"{cell:{width}}  " for cell, width in zip(cells, widths))
        out += _filled(last, lead, " " * len(lead)) or [lead.rstrip()]
    return "\n".join(out)


def _filled(text: str, first: str = "", rest: str = "") -> list[str]:
    width = max(WIDTH, len(first) + 40)
    return textwrap.wrap(
        text, width, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )


# --- what goes in and out -------------------------------------------------------------------------------------------


def _family(what: Cell | Stack) -> Iterable[tuple[str, str]]:
    if what.family:
        yield "family", what.family


def _interface(typed: TypedCell) -> Iterable[tuple[str, str]]:
    cell = typed.cell
    yield "inputs", ", ".join(f"{port.name} {shape_text(port.shape)}{_if_missing(port)}" for port in cell.inputs)
    yield "state", ", ".join(f"{state.name} {shape_text(state.shape)}" for state in cell.states)
    yield "output", f"{cell.output} {shape_text(typed.default.names[cell.output].shape)}"
    yield "mask", cell.mask.kind + (f" of {', '.join(cell.mask.states)}" if cell.mask.kind == "reset" else "")
    yield "dims", ", ".join(map(_size, cell.dims))
    if cell.axes:
        yield "labels", "; ".join(map(_labels, cell.axes))
    if cell.options:
        yield "options", ", ".join(f"{option.name} = {_default(option)}" for option in cell.options)


def _labels(axis: LabelAxis) -> str:
    if axis.counted:
        return f"{axis.name}: 1 to {len(axis.labels)}"
    widths = ((label, axis.width(label)) for label in axis.labels)
    return f"{axis.name}: {', '.join(f'{label} {axis_text(width)}' if width else label for label, width in widths)}"


def _if_missing(port) -> str:
    if port.index:
        return " (the number of the step if not given)"
    said = ["for all steps"] * port.constant + ["optional"] * port.optional
    said += [f"{number_text(port.default.value)} if not given"] if port.default else []
    return f" ({', '.join(said)})" if said else ""


def _size(dim: Dim) -> str:
    match dim.kind:
        case "number" | "alias":
            return f"{dim.name} = {dim.value}"
        case "quotient":
            return f"{dim.name} = {dim.value}/{dim.divisor}"
        case kind:
            return f"{dim.name} {kind}"


def _default(option: Option) -> str:
    match option.default:
        case None:
            return "none"
        case bool(flag):
            return str(flag).lower()
        case str(word):
            return word
        case number:
            return number_text(number)


def _weights(typed: TypedCell, facts: Facts) -> Iterable[tuple[str, str, str]]:
    shapes = {weight.name: weight.shape for variant in reversed(typed.variants) for weight in variant.weights}
    for param in typed.cell.params:
        still = "" if param.trainable else "not trained"
        where = _where(facts.exists_if.get(param.name))
        yield param.name, shape_text(shapes[param.name]), ", ".join(filter(None, (still, where)))


def _equations(typed: TypedCell, facts: Facts) -> Iterable[tuple[str, str, str]]:
    last = {equation.span: equation for equation in typed.cell.equations}  # of a loop, that of the last micro-step
    loop = ""
    for equation in typed.cell.equations:
        head, *body = equation.text.split("\n")
        if body and loop != equation.text:
            yield head, "", ""
        loop = equation.text if body else ""
        if equation.span in last:
            name, indent = last.pop(equation.span).name, "  " * bool(body)
            text = " ".join(equation.span.text.split()) if body else equation.text
            yield f"{indent}{text}", shape_text(_shape(typed, name)), _where(facts.exists_if.get(name))


def _shape(typed: TypedCell, name: str) -> Shape:
    """The shape of a value in the first variant where it has one: the most general."""
    return next(variant.names[name].shape for variant in typed.variants if name in variant.live)


def _readout(stack: Stack) -> Iterable[tuple[str, str]]:
    """The equations over all layers, with the shapes of what they give; those of its weights first."""
    for param in stack.readout.params:
        yield param.name, shape_text(param.shape)
    typed = unrolled(stack, 3)
    for step in stack.readout.steps:
        if step.kind in ("value", "each"):
            name = step.name if step.kind == "value" else f"layer1_{step.name}"
            yield step.text, shape_text(_shape(typed, name))


def _where(test: Test | None) -> str:
    return f"if {condition_text(test)}" if test else ""


# --- what a step costs, and how it runs -----------------------------------------------------------------------------


def _figures(typed: TypedCell, facts: Facts) -> Iterable[tuple[str, str]]:
    default = facts.of(typed.default.variant)
    yield "parameters", _cases(facts, default, lambda each: each.parameters)
    if any(each.frozen.terms for each in facts.variants):
        yield "not trained", _cases(facts, default, lambda each: each.frozen)
    yield "operations a step", _cases(facts, default, lambda each: each.operations)
    yield "hoistable", "; ".join(dict.fromkeys(each.text for each in default.hoisted)) or "nothing"
    yield "recurrence", "; ".join(recurrences(default))
    if typed.cell.shown is None:  # the layers of a stack run one step after the other
        yield "parallel", "; ".join(_in_parallel(parts(facts.programs)))


def _cases(facts: Facts, default: VariantFacts, of: Callable[[VariantFacts], Size]) -> str:
    """A formula as built by default, and how else it can be: all of them, what each choice adds, or the two ends."""
    formulas = list(dict.fromkeys([of(default), *map(of, facts.variants)]))
    if len(formulas) <= MOST_SIZES:
        return "; ".join([str(formulas[0]), *(_case(facts, of, formula) for formula in formulas[1:])])
    if changes := _changes(facts, default, of):
        return "; ".join([str(formulas[0]), *changes])
    ends = sorted(formulas, key=lambda formula: formula.at(dict.fromkeys(formula.dims, TYPICAL)))
    named = (("smallest", ends[0]), ("largest", ends[-1]))
    said = [f"the {word} is {_case(facts, of, end)}" for word, end in named if end != formulas[0]]
    return "; ".join([f"{formulas[0]} by default", f"of {len(formulas)} formulas {said[0]}", *said[1:]])


def _case(facts: Facts, of: Callable[[VariantFacts], Size], formula: Size) -> str:
    test = condition([(each.variant, of(each) == formula) for each in facts.variants])
    return f"{formula} if {condition_text(test)}"


def _changes(facts: Facts, default: VariantFacts, of: Callable[[VariantFacts], Size]) -> list[str]:
    """What each choice adds to the default, if together they add as much as one by one; else nothing."""
    alone = {}
    for each in facts.variants:
        other = [(name, value) for name, value in each.variant.items() if value != default.variant[name]]
        if len(other) == 1:
            alone[other[0]] = of(each) + -1 * of(default)
    for each in facts.variants:
        added = [alone.get(answer, Size()) for answer in each.variant.items()]
        if of(each) != total([of(default), *added]):
            return []
    said = []
    for (name, value), change in alone.items():
        signs = {many > 0 for _, many in change.terms}
        if len(signs) == 2:
            return []
        if signs:
            test = condition_text(condition([(each.variant, each.variant[name] == value) for each in facts.variants]))
            said.append(f"{change} more if {test}" if signs == {True} else f"{-1 * change} less if {test}")
    return said


def recurrences(facts: VariantFacts) -> Iterable[str]:
    """The class of each state's recurrence; states of one class are said together."""
    classes: dict[str, list[str]] = {}
    for state, recurrence in facts.recurrences.items():
        kinds = {"input": "handed on", "affine": "affine in what is carried", "elementwise": "lane by lane"}
        kind = kinds.get(recurrence.kind, recurrence.kind)
        lanes = ", lane by lane" if recurrence.lanes and recurrence.kind == "affine" else ""
        classes.setdefault(kind + lanes, []).append(state)
    return (f"{', '.join(states)}: {kind}" for kind, states in classes.items())


def _in_parallel(found: Iterable[Part]) -> Iterable[str]:
    """How the states of all steps are found at once, or what stands in the way."""
    ways = {
        "follows": "{} as it comes",
        "scan": "{} by a scan",
        "newton": "{} by Newton's steps",
        "loop": "not {}: {why}",
    }
    for part in found:
        together = " and ".join(part.states)
        yield ways[part.kind].format(together, why=part.why)


# --- verdicts -------------------------------------------------------------------------------------------------------


def _claim(verdict: Verdict) -> str:
    return f"{verdict.claim} ({verdict.why})" if verdict.why else verdict.claim
