"""What a weight starts from: the initialisers that there are, and those that are given by label."""

from collections.abc import Iterator, Mapping

from cellgen.diagnostics import Label, Report, nearest
from cellgen.document import Key
from cellgen.ir import EitherInitialiser, Initialiser, LabelAxis, Param
from cellgen.text import Scalar, statements

# initialisers of Keras that take no argument here, and those written as calls
INITIALISERS = (
    "zeros",
    "ones",
    "identity",
    "glorot_uniform",
    "glorot_normal",
    "he_uniform",
    "he_normal",
    "lecun_uniform",
    "lecun_normal",
    "orthogonal",
    "random_normal",
    "random_uniform",
    "truncated_normal",
)
CALLED = {
    "uniform": "uniform(low, high)",
    "normal": "normal(stddev)",
    "orthogonal": "orthogonal(gain)",
    "identity": "identity(gain)",
    "constant": "constant(value)",
}
ALSO = {
    "glorot": "glorot_uniform",
    "xavier": "glorot_uniform",
    "xavier_uniform": "glorot_uniform",
    "xavier_normal": "glorot_normal",
    "kaiming_uniform": "he_uniform",
    "kaiming_normal": "he_normal",
    "random": "random_normal",
}  # other names of them


def initialiser(scalar: Scalar, report: Report) -> Initialiser | EitherInitialiser | None:
    """One that Keras has, with its arguments; None if it was reported (CG113 and those of `statements`)."""
    if scalar.number is not None:
        return Initialiser("constant", (scalar.number,))
    read = statements.initialiser(scalar, report)
    for each in _leaves(read):
        if each.name not in INITIALISERS and each.name not in CALLED:
            known = (*INITIALISERS, *(call for call in CALLED.values() if call != "constant(value)"))
            report.add(
                "CG113",
                f"no initialiser `{each.name}`",
                scalar.span,
                help=nearest(ALSO.get(each.name.lower(), each.name), [*INITIALISERS, *CALLED])
                or f"there are {', '.join(known)}, and numbers",
            )
            return None
        wanted = 0 if each.name not in CALLED else CALLED[each.name].count(",") + 1
        given = len(each.arguments)
        if given != wanted and (given or each.name not in INITIALISERS):
            numbers = f"{wanted or 'no'} number{'s' * (wanted != 1)}"
            report.add(
                "CG113",
                f"`{each.name}` takes {numbers}, not {given or 'none'}",
                scalar.span,
                help=f"write `{CALLED.get(each.name, each.name)}`",
            )
            return None
    return read


def _leaves(init: Initialiser | EitherInitialiser | None) -> Iterator[Initialiser]:
    if isinstance(init, EitherInitialiser):
        yield from _leaves(init.a)
        yield from _leaves(init.b)
    elif init is not None:
        yield init


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
