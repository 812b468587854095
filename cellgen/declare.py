"""What a document declares: dims, labelled axes, options, inputs, states, parameters, norms and the mask.

Input: a `Document`. Output: `Declared`, in which every value has its type and every name its place, but the equations
are not looked at. Raises `SpecError` (CG105 to CG112).
"""

from dataclasses import dataclass
from fractions import Fraction

from cellgen import names, parse
from cellgen.cell import Dim, EitherInitialiser, Initialiser, Input, LabelAxis, Mask, Norm, Option, Param, State
from cellgen.diagnostics import Label, Report, nearest
from cellgen.expr import Axis, Number, Ref, Shape
from cellgen.load import Scalar
from cellgen.ops import ACTIVATIONS
from cellgen.schema import Document, Key
from cellgen.span import Span

MAX_LABELS = 64

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


@dataclass(frozen=True)
class Declared:
    dims: tuple[Dim, ...]
    axes: tuple[LabelAxis, ...]
    options: tuple[Option, ...]
    inputs: tuple[Input, ...]
    states: tuple[State, ...]
    params: tuple[Param, ...]
    norms: tuple[Norm, ...]
    mask: Mask
    where: dict[str, Span]  # every declared name


def declare(document: Document, report: Report) -> Declared:
    """The declarations of a document. What `report` holds already is told with its mistakes."""
    return _Declaring(document, report).run()


def _number(scalar: Scalar) -> Fraction:
    return Fraction(scalar.text) if parse.NUMBER.fullmatch(scalar.text.lstrip("-")) else Fraction(scalar.value)


def _is_number(scalar: Scalar | None) -> bool:
    return scalar is not None and isinstance(scalar.value, (int, float)) and not isinstance(scalar.value, bool)


class _Declaring:
    def __init__(self, document: Document, report: Report):
        self.document, self.report = document, report
        self.where: dict[str, Span] = {}
        self.used_dims: dict[str, Span] = {}  # names in shapes, where first seen
        self.inferred: dict[str, None] = {}

    def run(self) -> Declared:
        document = self.document
        names.check(document.cell.value, document.cell.span, self.report)
        for name, size in document.dims.items():
            self.own(name, attribute=(name, size.value) != ("input", "inferred"))
        axes = self.axes()
        options = tuple(self.option(name, section) for name, section in document.options.items())
        inputs = self.inputs()
        states = tuple(
            State(
                name, self.carried(section.shape), self.binary(section.values), self.initial(section.initial), name.span
            )
            for name, section in document.state.items()
            if self.own(name) or True
        )
        params = tuple(self.param(name, section) for name, section in document.params.items())
        norms = tuple(norm for name, section in document.norms.items() for norm in [self.norm(name, section)])
        norm_params = tuple(
            param for name, section in document.norms.items() for param in self.norm_params(name, section)
        )
        dims = self.dims({axis.name for axis in axes})
        mask = self.mask({state.name for state in states})
        self.report.stop()
        return Declared(dims, axes, options, inputs, states, (*params, *norm_params), norms, mask, self.where)

    # --- names

    def own(self, name: Key, attribute: bool = False) -> bool:
        """Takes a name for this spec, once."""
        if not names.check(name, name.span, self.report, attribute):
            return False
        if name in self.where:
            self.report.add(
                "CG112",
                f"`{name}` is declared twice",
                name.span,
                "again here",
                context=[Label(self.where[name], "first here")],
                help="give one of the two another name",
            )
            return False
        self.where[name] = name.span
        return True

    # --- shapes

    def axis(self, scalar: Scalar) -> Axis:
        if isinstance(scalar.value, int):
            return (self.fixed(scalar.value, scalar),)
        axis = parse.axis(scalar, self.report) or ()
        for atom in axis:
            if isinstance(atom, str):
                self.used_dims.setdefault(atom, scalar.span)
        return axis

    def fixed(self, value: int, scalar: Scalar) -> int:
        if not 0 < value <= parse.MAX_DIM:
            self.report.add("CG106", f"a fixed dim is an integer from 1 to {parse.MAX_DIM:,}", scalar.span)
        return value

    def shape(self, scalars: list[Scalar]) -> Shape:
        if len(scalars) > parse.MAX_RANK:
            self.report.add("CG108", f"a value has at most {parse.MAX_RANK} axes", scalars[parse.MAX_RANK].span)
        return tuple(self.axis(scalar) for scalar in scalars)

    def carried(self, scalars: list[Scalar]) -> Shape:
        """The shape of a value with a batch: a scalar is `[1]`, stored as (batch, 1)."""
        return self.shape(scalars) or ((1,),)

    def dims(self, axes: set[str]) -> tuple[Dim, ...]:
        found = [self.dim(name, scalar) for name, scalar in self.document.dims.items()]
        known = {dim.name for dim in found}
        listed = [*self.document.dims, *axes]
        for name, span in self.used_dims.items():
            if name in known or name in axes:
                continue
            help = nearest(name, listed)
            if self.document.dims and help and name not in self.inferred:
                self.report.add(
                    "CG205", f"unknown dim `{name}`", span, help=(help, "a new dim is listed under `dims:`")
                )
                continue
            if name in self.where:
                self.report.add(
                    "CG112",
                    f"`{name}` is a dim here, and declared as something else",
                    span,
                    context=[Label(self.where[name], "here")],
                    help="give one of the two another name",
                )
                continue
            key = Key(name)
            key.span = span
            if self.own(key, attribute=name not in self.inferred and name != "input"):
                found.append(
                    Dim(name, "inferred" if name in self.inferred or name == "input" else "required", span=span)
                )
        for dim in found:
            for other in (dim.value, dim.divisor):
                if isinstance(other, str) and other not in {each.name for each in found}:
                    self.report.add(
                        "CG205",
                        f"unknown dim `{other}`",
                        self.document.dims[dim.name].span,
                        help=nearest(other, ["inferred", "required", "optional", *(each.name for each in found)]),
                    )
            if dim.kind == "inferred" and dim.name not in self.inferred:
                self.report.add(
                    "CG106",
                    f"`{dim.name}` is to be inferred, but no input has such an axis",
                    dim.span,
                    help=f"write `inputs: {{x: [{dim.name}]}}`, or `{dim.name}: required`",
                )
        self.acyclic(found)
        return tuple(found)

    def dim(self, name: Key, scalar: Scalar) -> Dim:
        value = scalar.value
        if isinstance(value, int):
            return Dim(name, "number", self.fixed(value, scalar), span=name.span)
        if value in ("inferred", "required", "optional"):
            return Dim(name, value, span=name.span)
        over, _, under = value.partition("/")
        parts = [part.strip() for part in ([over, under] if under else [over])]
        if not all(parse.NAME.fullmatch(part) or part.isdecimal() for part in parts):
            self.report.add(
                "CG106",
                f"`{value}` is no dim",
                scalar.span,
                help="write `inferred`, `required`, `optional`, a positive integer, another dim, or `units/heads`",
            )
            return Dim(name, "required", span=name.span)
        parts = [self.fixed(int(part[:9]), scalar) if part.isdecimal() else part for part in parts]
        return Dim(name, "quotient" if under else "alias", *parts, span=name.span)

    def acyclic(self, dims: list[Dim]) -> None:
        """No dim is made of itself; a circle is told once."""
        made = {dim.name: [each for each in (dim.value, dim.divisor) if isinstance(each, str)] for dim in dims}
        done: set[str] = set()

        def follow(name: str, way: tuple[str, ...]) -> None:
            if name in way:
                circle = " -> ".join((*way[way.index(name) :], name))
                self.report.add(
                    "CG106",
                    f"the dims {circle} define each other",
                    next(dim.span for dim in dims if dim.name == name),
                    help="give one of them a value of its own, such as `required`",
                )
            elif name in made and name not in done:
                for part in made[name]:
                    follow(part, (*way, name))
                done.add(name)

        for dim in dims:
            follow(dim.name, ())

    def axes(self) -> tuple[LabelAxis, ...]:
        written = [(key, labels) for key, labels in self.document.axes.items() if self.own(key)]
        found = []
        if self.document.gates is not None:
            found.append(self.label_axis("gates", self.document.gates, None))
        return (*found, *(self.label_axis(key, labels, key.span) for key, labels in written))

    def label_axis(self, name: str, labels, span: Span | None) -> LabelAxis:
        widths = None
        if isinstance(labels, dict):
            keys = list(labels)
            widths = tuple(self.axis(width) for width in labels.values())
        else:
            keys = []
            for scalar in labels:
                key = Key(scalar.value)
                key.span = scalar.span
                if key in keys:
                    self.report.add(
                        "CG112",
                        f"the label `{key}` stands twice",
                        key.span,
                        "again here",
                        context=[Label(keys[keys.index(key)].span, "first here")],
                        help="labels of one axis are unique",
                    )
                keys.append(key)
        if not keys or len(keys) > MAX_LABELS:
            self.report.add(
                "CG108",
                f"`{name}` has {len(keys)} labels; an axis has 1 to {MAX_LABELS}",
                keys[MAX_LABELS].span if keys else span or self.document.cell.span,
            )
        for key in keys:
            names.check(key, key.span, self.report)
        return LabelAxis(
            str(name),
            tuple(str(key) for key in keys),
            widths,
            span or (keys[0].span if keys else None),
            tuple(key.span for key in keys),
        )

    # --- sections

    def option(self, name: Key, section) -> Option:
        self.own(name, attribute=True)
        default, add = section.default, self.report.add
        if section.one_of is not None:
            for each, what in ((section.range and section.range[0], "a range"), (section.scheduled, "`scheduled`")):
                if each:
                    add("CG106", f"`options.{name}`: {what} is for a number", each.span)
            if isinstance(section.one_of, Scalar) and section.one_of.value == "activations":
                return self.activation(name, default)
            return self.words(name, section.one_of, default)
        low, high = self.range(name, section.range)
        if default is None:
            add(
                "CG107",
                f"`options.{name}`: an option has a default",
                name.span,
                help="write `name: true`, `name: 1.0` or `name: none`",
            )
            return Option(name, "maybe", None, span=name.span)
        scheduled = section.scheduled is not None and section.scheduled.value
        if scheduled and not _is_number(default):
            add("CG106", f"`options.{name}`: `scheduled` is for a number", section.scheduled.span)
        if default.value == "none":
            return Option(name, "maybe", None, (), low, high, name.span)
        if isinstance(default.value, bool):
            if section.range:
                add("CG106", f"`options.{name}`: a range is for a number", section.range[0].span)
            return Option(name, "flag", default.value, span=name.span)
        if not _is_number(default):
            yes = {"yes": "true", "on": "true", "true": "true", "no": "false", "off": "false", "false": "false"}.get(
                default.value.lower()
            )
            add(
                "CG106",
                f"`options.{name}`: `{default.text}` is no default",
                default.span,
                help=f"write `{yes}`, without quotes"
                if yes
                else "write true, false, a number, none, or `{one_of: [a, b]}`",
            )
            return Option(name, "flag", True, span=name.span)
        value = _number(default)
        if (low is not None and value < low) or (high is not None and value > high):
            add(
                "CG106",
                f"`options.{name}`: the default {default.text} is outside its range",
                default.span,
                context=[Label(section.range[0].span.to(section.range[1].span), "the range")],
            )
        return Option(name, "scheduled" if scheduled else "number", value, (), low, high, name.span)

    def range(self, name: Key, written: list[Scalar] | None) -> tuple[Fraction | None, Fraction | None]:
        if written is None:
            return None, None
        bounds = [_number(each) for each in written]
        if len(bounds) != 2 or bounds[0] > bounds[1]:
            self.report.add(
                "CG106",
                f"`options.{name}.in`: a range is `[low, high]`",
                written[0].span.to(written[-1].span) if written else name.span,
            )
            return None, None
        return bounds[0], bounds[1]

    def activation(self, name: Key, default: Scalar | None) -> Option:
        if default is None or default.value not in ACTIVATIONS:
            self.report.add(
                "CG106",
                f"`options.{name}`: the default is an activation",
                default.span if default else name.span,
                help=(default and nearest(default.text, ACTIVATIONS)) or f"there are {', '.join(ACTIVATIONS)}",
            )
            return Option(name, "activation", "linear", ACTIVATIONS, span=name.span)
        return Option(name, "activation", default.value, ACTIVATIONS, span=name.span)

    def words(self, name: Key, written, default: Scalar | None) -> Option:
        words = written if isinstance(written, list) else [written]
        bad = [
            word
            for word in words
            if not (isinstance(word, Scalar) and isinstance(word.value, str) and parse.NAME.fullmatch(word.value))
        ]
        if bad or not words or not isinstance(written, list):
            wrong = next((each for each in bad or words if isinstance(each, Scalar)), None)
            self.report.add(
                "CG106",
                f"`options.{name}.one_of`: wanted a list of words, or `activations`",
                wrong.span if wrong else name.span,
                help=f"write `{name}: {{one_of: [blend, select]}}`, the default first",
            )
            return Option(name, "word", "", span=name.span)
        words = tuple(word.value for word in words)
        if len(set(words)) < len(words):
            self.report.add(
                "CG112", f"`options.{name}.one_of`: a word stands twice", written[0].span.to(written[-1].span)
            )
        if default is not None and default.value not in words:
            self.report.add(
                "CG106",
                f"`options.{name}`: the default is one of {', '.join(words)}",
                default.span,
                help=nearest(default.text, words),
            )
        return Option(name, "word", default.value if default else words[0], words, span=name.span)

    def inputs(self) -> tuple[Input, ...]:
        if self.document.inputs is None:
            self.where["x"] = self.document.cell.span
            self.inferred["input"] = None
            self.used_dims.setdefault("input", self.document.cell.span)
            return (Input("x", (("input",),), span=self.document.cell.span),)
        found = []
        for name, section in self.document.inputs.items():
            self.own(name)
            shape = self.carried(section.shape)
            optional = section.optional is not None and section.optional.value
            for axis in shape:
                for atom in axis:
                    if isinstance(atom, str) and self.document.dims.get(atom, None) is None:
                        self.inferred[atom] = None
                if len(axis) == 1 and isinstance(axis[0], str):
                    self.inferred[axis[0]] = None
            default = Number(_number(section.default), section.default.span) if section.default is not None else None
            if found and not optional and default is None:
                self.report.add(
                    "CG107",
                    f"the input `{name}` needs a default, or to be optional",
                    name.span,
                    help="the first input is the sequence; write `{shape: [1], default: 1}` or `optional: true`",
                )
            if not found and (optional or default is not None):
                self.report.add(
                    "CG106",
                    f"`{name}` is the first input: it is the sequence, and always there",
                    name.span,
                    help="leave `optional` and `default` away, or put the sequence first",
                )
            found.append(Input(name, shape, self.binary(section.values), optional, default, name.span))
        if not found:
            self.report.add(
                "CG107", "a cell reads at least one input", self.document.cell.span, help="`inputs: {x: [input]}`"
            )
        return tuple(found)

    def binary(self, values) -> bool:
        if values is None:
            return False
        if [each.value for each in values] != [0, 1]:
            self.report.add(
                "CG106",
                "`values` is `[0, 1]`: the only kind there is besides real numbers",
                values[0].span.to(values[-1].span) if values else self.document.cell.span,
            )
        return True

    def initial(self, scalar: Scalar | None) -> Number | Ref | None:
        if scalar is None:
            return None
        if _is_number(scalar):
            return Number(_number(scalar), scalar.span)
        if scalar.value == "zeros":
            return None
        if scalar.value not in self.document.params:
            self.report.add(
                "CG205",
                f"no parameter `{scalar.value}`",
                scalar.span,
                help=nearest(scalar.value, self.document.params)
                or "an initial value is a number, or a weight under `params:`",
            )
        return Ref(str(scalar.value), 0, scalar.span)

    def param(self, name: Key, section) -> Param:
        self.own(name, attribute=True)
        shape = self.shape(section.shape)
        init = []
        for label, scalar in section.init.items():
            read = self.initialiser(scalar)
            if read is not None:
                init.append((None if label == "else" else str(label), read))
        span = section.shape[0].span.to(section.shape[-1].span) if section.shape else name.span
        return Param(name, shape, tuple(init), name.span, span)

    def initialiser(self, scalar: Scalar) -> Initialiser | EitherInitialiser | None:
        if _is_number(scalar):
            return Initialiser("constant", (_number(scalar),))
        read = parse.initialiser(scalar, self.report)
        for each in _leaves(read):
            if each.name not in INITIALISERS and each.name not in CALLED:
                known = (*INITIALISERS, *(call for call in CALLED.values() if call != "constant(value)"))
                self.report.add(
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
                self.report.add(
                    "CG113",
                    f"`{each.name}` takes {numbers}, not {given or 'none'}",
                    scalar.span,
                    help=f"write `{CALLED.get(each.name, each.name)}`",
                )
                return None
        return read

    def norm(self, name: Key, section) -> Norm:
        self.own(name, attribute=True)
        if section.kind.value not in ("layer", "rms"):
            self.report.add(
                "CG106",
                f"`norms.{name}.kind`: no norm `{section.kind.value}`",
                section.kind.span,
                help=nearest(section.kind.value, ["layer", "rms"]) or "there are `layer` and `rms`",
            )
        if not section.over:
            self.report.add("CG107", f"`norms.{name}.over`: a norm has a span", name.span, help="write `over: [units]`")
        if _is_number(section.epsilon):
            epsilon = Number(_number(section.epsilon), section.epsilon.span)
            if epsilon.value < 0:
                self.report.add("CG106", f"`norms.{name}.epsilon`: a small number, not below 0", section.epsilon.span)
        else:
            epsilon = Ref(section.epsilon.value, 0, section.epsilon.span)
            if section.epsilon.value not in self.document.options:
                self.report.add(
                    "CG205",
                    f"no option `{section.epsilon.value}`",
                    section.epsilon.span,
                    help=nearest(section.epsilon.value, self.document.options)
                    or f"write a number, or declare it: `options: {{{section.epsilon.value}: 1e-5}}`",
                )
        return Norm(
            name,
            section.kind.value,
            self.shape(section.over),
            epsilon,
            section.scale is not None,
            section.shift is not None,
            name.span,
        )

    def norm_params(self, name: Key, section) -> list[Param]:
        found = []
        for part, scalar in (("scale", section.scale), ("shift", section.shift)):
            if scalar is not None and (read := self.initialiser(scalar)) is not None:
                found.append(Param(f"{name}/{part}", None, ((None, read),), scalar.span, scalar.span))
        return found

    def mask(self, states: set[str]) -> Mask:
        section = self.document.mask
        if section is None:
            return Mask("hold")
        kind = section.kind.value
        if kind not in ("hold", "reset", "none"):
            self.report.add(
                "CG106",
                f"`mask`: no rule `{kind}`",
                section.kind.span,
                help=nearest(kind, ["hold", "reset", "none"]) or "there are `hold`, `reset` and `none`",
            )
        named = tuple(each.value for each in section.states or ())
        for each in section.states or ():
            if each.value not in states:
                self.report.add("CG205", f"no state `{each.value}`", each.span, help=nearest(each.value, states))
        if kind in ("hold", "none") and named:
            self.report.add(
                "CG106",
                f"`mask`: `{kind}` is for all states at once",
                section.states[0].span,
                help="only `reset` names states",
            )
        if kind == "reset" and not named:
            named = tuple(self.document.state)
        return Mask(kind, tuple(str(name) for name in named))


def _leaves(init):
    if isinstance(init, EitherInitialiser):
        yield from _leaves(init.a)
        yield from _leaves(init.b)
    elif init is not None:
        yield init
