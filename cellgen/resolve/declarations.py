"""What a document declares: dims, labelled axes, options, inputs, states, parameters, norms and the mask.

Input: a `Document`. Output: `Declared`, in which every value has its type and every name its place, but the equations
are not looked at. Raises `SpecError` (CG105 to CG113, CG205).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from cellgen.diagnostics import Label, Report, Span, nearest
from cellgen.document import Document, InputSection, Key, NormSection, ParamSection, StateSection
from cellgen.ir import (
    PER,
    Dim,
    Formula,
    Initial,
    Initialiser,
    Input,
    LabelAxis,
    Mask,
    Node,
    Norm,
    Number,
    Option,
    Param,
    Ref,
    State,
)
from cellgen.ir.initial_values import FORMULAS, PI, leaves
from cellgen.resolve.dims import Dims
from cellgen.resolve.options import option
from cellgen.resolve.weight_initialisers import initialiser, miscounted, plain, unknown
from cellgen.text import Call, Scalar, names


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


def declare(document: Document, report: Report, known: Iterable[str] = ()) -> Declared:
    """The declarations of a document, in whose shapes `known` dims stand too.

    What `report` holds already is told with its mistakes.
    """
    return _Declaring(document, report, known).run()


class _Declaring:
    """A method for each section."""

    def __init__(self, document: Document, report: Report, known: Iterable[str]):
        self.document, self.report, self.known = document, report, known
        self.taken = names.Taken(report)
        self.dims = Dims(document, self.taken, report)

    def run(self) -> Declared:
        document, dims = self.document, self.dims
        names.check(document.cell.value, document.cell.span, self.report)
        for name, size in document.dims.items():
            self.taken.take(name, name.span, attribute=(name, size.value) != ("input", "inferred"))
        axes = dims.axes()
        self.counted = {(axis.name,) for axis in axes if axis.counted}
        options = tuple(option(name, section, self.report) for name, section in self.named(document.options))
        self.options = {each.name: each for each in options}
        inputs = self.inputs()
        states = tuple(self.state(name, section) for name, section in self.named(document.state, attribute=False))
        params = tuple(self.param(name, section) for name, section in self.named(document.params))
        norms = tuple(self.norm(name, section) for name, section in self.named(document.norms))
        of_norms = tuple(param for name, section in document.norms.items() for param in self.norm_params(name, section))
        self.apart_from_norms(of_norms)
        found = dims.dims({axis.name for axis in axes} | {*self.known})
        mask = self.mask({state.name for state in states})
        self.report.stop()
        return Declared(found, axes, options, inputs, states, (*params, *of_norms), norms, mask, self.taken.where)

    def named(self, sections: dict, attribute: bool = True) -> Iterator[tuple]:
        """Each section with its name, which is taken now."""
        for name, section in sections.items():
            self.taken.take(name, name.span, attribute)
            yield name, section

    def inputs(self) -> tuple[Input, ...]:
        if self.document.inputs is None:
            span, shape = self.document.cell.span, (("input",),)
            if "x" in self.taken.where:
                help = "give it another name, or declare the input under one: `inputs: {inp: [input]}`"
                self.report.add("CG112", "without `inputs:` the input is `x`", self.taken.where["x"], help=help)
            self.taken.where["x"] = span
            self.dims.used.setdefault("input", span)
            self.dims.infer(shape)
            return (Input("x", shape, span=span),)
        found = []
        for name, section in self.named(self.document.inputs, attribute=False):
            shape = self.dims.carried(section.shape)
            optional = section.optional is not None and section.optional.value
            self.dims.infer(shape, optional)
            default = Number(section.default.number, section.default.span) if section.default is not None else None
            constant, index = self.how_often(name, section, bool(found))
            if not found and (optional or default is not None):
                self.report.add(
                    "CG106",
                    f"`{name}` is the first input: it is the sequence, and always there",
                    name.span,
                    help="leave `optional` and `default` away, or put the sequence first",
                )
            binary = self.binary(section.values)
            found.append(Input(str(name), shape, binary, optional, default, constant, index, span=name.span))
        if not found:
            self.report.add(
                "CG107", "a cell reads at least one input", self.document.cell.span, help="`inputs: {x: [input]}`"
            )
        return tuple(found)

    def how_often(self, name: Key, section: InputSection, later: bool) -> tuple[bool, bool]:
        """Whether an input holds for a sequence, and whether it counts the steps."""
        per, index = section.per, section.index
        if per is not None and per.value not in PER:
            help = nearest(per.value, PER) or "there are `step` and `sequence`"
            self.report.add("CG106", f"`inputs.{name}.per`: no `{per.value}`", per.span, help=help)
        constant = per is not None and per.value != "step"
        counts = index is not None and bool(index.value)
        if (constant or counts) and not later:
            help = "the first input is the sequence; name another one after it"
            self.report.add(
                "CG106", f"`{name}` is the first input, and has a value at every step", name.span, help=help
            )
        others = [key for key in ("default", "optional", "values") if getattr(section, key) is not None]
        if counts and (constant or others):
            what = "per: sequence" if constant else others[0]
            help = f"leave `index` or `{what.split(':')[0]}` away"
            message = f"`inputs.{name}`: `index` and `{what}` are two answers to what it is"
            self.report.add("CG106", message, index.span, help=help)
        return constant, counts

    def state(self, name: Key, section: StateSection) -> State:
        if name == "t":  # as anything else it is a name like others
            help = "call it `time`, or `elapsed`"
            self.report.add("CG109", "a state `t` would be read as `t[t-1]`", name.span, help=help)
        shape, binary = self.dims.carried(section.shape), self.binary(section.values)
        self.dims.kept.update(atom for axis in shape for atom in axis)
        return State(name, shape, binary, self.initial(section.initial), name.span)

    def binary(self, values: list[Scalar] | None) -> bool:
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
        if scalar.number is not None:
            return Number(scalar.number, scalar.span)
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

    def param(self, name: Key, section: ParamSection) -> Param:
        shape = self.dims.shape(section.shape)
        init = []
        if section.init is None:  # of a stack of weights that of each
            init.append((None, Initialiser.of(tuple(axis for axis in shape if axis not in self.counted))))
        for label, scalar in (section.init or {}).items():
            read = initialiser(scalar, self.report)
            if read is not None and not self.wrong(read):
                init.append((None if label == "else" else str(label), read))
        span = section.shape[0].span.to(section.shape[-1].span) if section.shape else name.span
        trainable = section.trainable is None or section.trainable.value
        return Param(name, shape, tuple(init), trainable, name.span, span)

    def wrong(self, init: Initial) -> bool:
        """Whether it is a word that nothing in the document says, or a call with other arguments; that is reported."""
        document = self.document
        sections = (
            document.options,
            document.params,
            document.dims,
            document.axes,
            document.state,
            document.inputs or {},
        )
        names, found = {*FORMULAS, PI, "gates", "x", *self.dims.used, *chain(*sections)}, []
        for each in (leaf.value for leaf in leaves(init) if isinstance(leaf, Formula)):
            if isinstance(each, Ref) and each.name not in names:
                unknown(each, [*document.params, *document.options], self.report)
                found.append(each)
            if isinstance(each, Call) and miscounted(each, self.report):
                found.append(each)
        return bool(found)

    def norm(self, name: Key, section: NormSection) -> Norm:
        if section.kind.value not in ("layer", "rms"):
            self.report.add(
                "CG106",
                f"`norms.{name}.kind`: no norm `{section.kind.value}`",
                section.kind.span,
                help=nearest(section.kind.value, ["layer", "rms"]) or "there are `layer` and `rms`",
            )
        if not section.over:
            self.report.add("CG107", f"`norms.{name}.over`: a norm has a span", name.span, help="write `over: [units]`")
        return Norm(
            name,
            section.kind.value,
            self.dims.shape(section.over),
            self.epsilon(f"norms.{name}.epsilon", section.epsilon),
            section.scale is not None,
            section.shift is not None,
            name.span,
        )

    def epsilon(self, where: str, written: Scalar) -> Node:
        """What is added to a variance: a number above 0, or an option that is one."""
        add = self.report.add
        help = "it keeps a row of zeros from a division by 0: write a number above 0, such as 1.0e-5"
        if written.number is not None:
            if written.number <= 0:
                add("CG106", f"`{where}`: {written.text} is not above 0", written.span, help=help)
            return Number(written.number, written.span)
        option = self.options.get(written.value)
        if option is None:
            found = nearest(written.value, self.options)
            help = found or f"write a number, or declare it: `options: {{{written.value}: 1e-5}}`"
            add("CG205", f"no option `{written.value}`", written.span, help=help)
            return Ref(written.value, 0, written.span)
        context = [Label(option.span, "the option")]
        if option.kind not in ("number", "scheduled"):
            add("CG106", f"`{where}`: `{option.name}` is no number", written.span, context=context, help=help)
        elif option.default <= 0 or option.low is not None and option.low <= 0:
            which = "is" if option.default <= 0 else "may be"
            value = float(option.default if option.default <= 0 else option.low)
            message = f"`{where}`: `{option.name}` {which} {value:g}, which is not above 0"
            add("CG106", message, written.span, context=context, help=help)
        return Ref(written.value, 0, written.span)

    def norm_params(self, name: Key, section: NormSection) -> list[Param]:
        found = []
        for part, scalar in (("scale", section.scale), ("shift", section.shift)):
            if scalar is not None and (read := plain(scalar, self.report)) is not None:
                found.append(Param(f"{name}/{part}", None, ((None, read),), True, scalar.span, scalar.span))
        return found

    def apart_from_norms(self, weights: tuple[Param, ...]) -> None:
        """Nothing is called what the layer calls a norm's weight, `ln_x_scale`."""
        for weight in weights:
            name = weight.name.replace("/", "_")
            if name in self.taken.where:
                message = f"`{name}` is what a weight of the norm `{weight.name.split('/')[0]}` is called"
                context = [Label(weight.span, "this one")]
                help = "give it or the norm another name"
                self.report.add("CG112", message, self.taken.where[name], context=context, help=help)

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
