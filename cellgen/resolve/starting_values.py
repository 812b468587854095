"""What weights start from, once all names are known: formulas bound, labels where they can be."""

from collections.abc import Mapping
from dataclasses import replace

from cellgen.diagnostics import Label, Refused, Report, nearest
from cellgen.document import Key
from cellgen.ir import EitherInitialiser, Formula, Initial, Initialiser, LabelAxis, Param
from cellgen.resolve.initial_formulas import Starting, in_circles
from cellgen.resolve.scope import Scope
from cellgen.text import Scalar


def starting(scope: Scope, written: Mapping[str, Mapping[Key, Scalar]]) -> tuple[Param, ...]:
    """The weights, with every name in what they start from found; `written` is what the spec says of each, by label."""
    found: list[Param] = []
    for param in scope.declared.params:
        by_label(param, written.get(param.name, {}), scope.declared.axes, scope.report)
        init = []
        for label, each in param.init:
            _tests(each, scope)
            init.append((label, _bound(each, param, label, found, scope)))
        found.append(replace(param, init=tuple(init)))
        in_circles(found[-1], written.get(param.name, {}), scope)
    return tuple(found)


def _tests(init: Initial, scope: Scope) -> None:
    if isinstance(init, EitherInitialiser):
        try:
            scope.test(init.test)
        except Refused:
            pass
        _tests(init.a, scope)
        _tests(init.b, scope)


def _bound(init: Initial, param: Param, label: str | None, above: list[Param], scope: Scope) -> Initial:
    match init:
        case EitherInitialiser(test, a, b):
            return EitherInitialiser(test, *(_bound(each, param, label, above, scope) for each in (a, b)))
        case Formula(value):
            try:
                return Starting(param, label, above, scope).formula(value)
            except Refused:
                pass
        case _:
            return init
    return Initialiser("zeros")  # stands in for what was reported


def by_label(param: Param, written: Mapping[Key, Scalar], axes: tuple[LabelAxis, ...], report: Report) -> None:
    """Initialisers by label: the parameter has these labels, on an axis of equal parts that lie one by one."""
    labels = [label for label, _ in param.init if label is not None]
    axes = [axis for axis in axes if any(axis.name in each for each in param.shape or ())]
    for label in labels:
        span = next(key.span for key in written if key == label)
        axis = next((axis for axis in axes if label in axis.labels), None)
        if axis is None:
            known = [each for axis in axes for each in axis.labels]
            help = nearest(label, known) or (
                f"its labels are {', '.join(known)}" if known else "write one initialiser for all of it"
            )
            report.add(
                "CG209",
                f"`{param.name}` has no label `{label}`",
                span,
                context=[Label(param.shape_span, "its shape")],
                help=help,
            )
        elif axis.widths or not any(each[:1] == (axis.name,) for each in param.shape):
            report.add(
                "CG113",
                f"`{param.name}` cannot be initialised by label",
                span,
                context=[Label(param.shape_span, "its shape")],
                help=f"`{axis.name}` must have equal parts and come first in its product: `{axis.name}*units`",
            )
    unnamed = [each for axis in axes if set(labels) & set(axis.labels) for each in axis.labels if each not in labels]
    if (unnamed or not labels) and not any(label is None for label, _ in param.init):
        report.add(
            "CG107",
            f"`params.{param.name}.init` leaves out {', '.join(f'`{each}`' for each in unnamed) or 'everything'}",
            param.span,
            help="add `else: zeros`, which is for every label not named",
        )
