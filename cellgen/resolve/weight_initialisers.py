"""What an `init:` says, before names are known: an initialiser of Keras's, a formula, or one of two under a test."""

from cellgen.diagnostics import Report, nearest
from cellgen.ir import Choose, EitherInitialiser, Formula, Initial, Initialiser, Node, Number, Ref
from cellgen.ir.initial_values import CALLED, FORMULAS, INITIALISERS, leaves
from cellgen.text import Call, Scalar, statements

ALSO = {
    "glorot": "glorot_uniform",
    "xavier": "glorot_uniform",
    "xavier_uniform": "glorot_uniform",
    "xavier_normal": "glorot_normal",
    "kaiming_uniform": "he_uniform",
    "kaiming_normal": "he_normal",
    "random": "random_normal",
}  # other names of them


def initialiser(scalar: Scalar, report: Report) -> Initial | None:
    """What an `init:` says; names in its formulas are not looked up. None if it was reported (CG113 and those of
    `statements`).
    """
    if scalar.number is not None:
        return Initialiser("constant", (scalar.number,))
    read = statements.initial_value(scalar, report)
    return None if read is None else _initial(read)


def plain(scalar: Scalar, report: Report) -> Initial | None:
    """The same where a formula has no place: of a norm, and of the readout of a stack."""
    read = initialiser(scalar, report)
    for each in () if read is None else leaves(read):
        match each:
            case Formula(Ref(_, 0) as ref):
                unknown(ref, [], report)
            case Formula(value):
                if not (isinstance(value, Call) and miscounted(value, report)):
                    help = "write one of Keras's, `uniform(low, high)`, `normal(stddev)` or a number"
                    report.add("CG113", "a formula is for a weight under `params:` of a cell", value.span, help=help)
            case _:
                continue
        return None
    return read


def unknown(ref: Ref, names: list[str], report: Report) -> None:
    """Tells that there is no such initialiser. Raises `Refused` never."""
    known = [*INITIALISERS, *FORMULAS]
    help = nearest(ALSO.get(ref.name.lower(), ref.name), [*known, *names])
    listed = ", ".join((*INITIALISERS, *(call for call in CALLED.values() if call != "constant(value)")))
    report.add("CG113", f"no initialiser `{ref.name}`", ref.span, help=help or f"there are {listed}, and formulas")


def miscounted(call: Call, report: Report) -> bool:
    """Whether it is one of the table's with other arguments than it takes; then that is reported."""
    name, given = call.name, len(call.args)
    if name not in INITIALISERS and name not in FORMULAS and name not in CALLED:
        return False
    form = CALLED.get(name) or (FORMULAS[name].form if name in FORMULAS else name)
    if call.attrs:
        report.add("CG113", f"`{name}` takes no keyword", call.attrs[0][2], help=f"write `{form}`")
        return True
    wanted, what = form.count(",") + ("(" in form), "value" if name in FORMULAS and name not in CALLED else "number"
    if given != wanted:
        message = f"`{name}` takes {wanted or 'no'} {what}{'s' * (wanted != 1)}, not {given or 'none'}"
        report.add("CG113", message, call.span, help=f"write `{form}`")
    return given != wanted


def _initial(read: Node | Call) -> Initial:
    match read:
        case Choose(test, a, b):
            return EitherInitialiser(test, _initial(a), _initial(b))
        case Number(value):
            return Initialiser("constant", (value,))
        case Ref(name, 0) if name in INITIALISERS:
            return Initialiser(name)
        case Call(name, args, ()) if name in CALLED and len(args) == CALLED[name].count(",") + 1:
            if all(isinstance(each, Number) for each in args):
                return Initialiser(name, tuple(each.value for each in args))
    return Formula(read)
