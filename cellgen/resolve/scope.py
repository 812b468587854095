"""What a name means where it stands: values, last values, and the questions of tests."""

from fractions import Fraction

from cellgen.diagnostics import Label, Report, Span, nearest
from cellgen.ir import (
    TRAINING,
    WRITTEN,
    Atom,
    Given,
    Is,
    LabelAxis,
    Noise,
    Number,
    Option,
    Ref,
    Test,
    asked,
    number_text,
    shape_text,
)
from cellgen.resolve.declarations import Declared
from cellgen.resolve.micro_steps import MicroSteps


class Scope:
    """The tables that every rule about names reads. `defined` grows with the equations that were looked at."""

    def __init__(self, declared: Declared, equations: dict[str, Span], report: Report, steps: MicroSteps | None = None):
        self.declared, self.report = declared, report
        self.states = {state.name: state for state in declared.states}
        self.options = {option.name: option for option in declared.options}
        self.inputs = {port.name: port for port in declared.inputs}
        self.dims = {dim.name: dim for dim in declared.dims}
        self.axes = {axis.name: axis for axis in declared.axes}
        self.params = {param.name: param for param in declared.params if "/" not in param.name}
        self.norms = {norm.name: norm for norm in declared.norms}
        self.labels = tuple(dict.fromkeys(label for axis in declared.axes for label in axis.labels))
        self.steps = steps or MicroSteps()
        self.equations = equations  # every name that has one, and where
        self.defined: dict[str, Span] = {}  # those above
        self.noises: list[Noise] = []  # what the equations above draw
        self.draws = False  # whether there may be more
        self.current = ""  # the name whose equation is looked at

    def is_dim(self, atom: Atom, span: Span) -> bool:
        """Whether an atom of a shape is there; if not, it is reported."""
        if isinstance(atom, int) or atom in self.dims or atom in self.axes:
            return True
        self.report.add("CG205", f"unknown dim `{atom}`", span, help=nearest(atom, [*self.dims, *self.axes]))
        return False

    def known(self, name: str) -> bool:
        return name in self.declared.where or name in self.equations

    # --- values

    def ref(self, ref: Ref) -> Ref | Number:
        name = ref.name
        if ref.ago:
            if name not in self.states:
                self.report.refuse(
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
            self.report.refuse("CG206", f"the option `{name}` is no number", ref.span, help=f"write {how}")
        if name in self.states or name in self.equations:
            self.undefined(ref)
        if name in self.dims:
            return ref
        if name in self.axes:
            return self.count(self.axes[name], ref)
        if name in self.norms:
            self.report.refuse("CG206", f"`{name}` is a norm, no value", ref.span, help=f"write `{name}(x @ W)`")
        if name in WRITTEN or name == "affine":
            self.report.refuse("CG206", f"`{name}` is a function, no value", ref.span, help=f"write `{name}(...)`")
        self.report.refuse("CG205", f"unknown name `{name}`", ref.span, help=self.meant(name))

    def count(self, axis: LabelAxis, ref: Ref) -> Number:
        """How many labels an axis has, where it is read as a value."""
        self.of_one_width(axis.name, ref.span)
        return Number(Fraction(len(axis.labels)), ref.span)

    def of_one_width(self, atom: Atom, span: Span) -> None:
        """The labels of an axis have no widths of their own. Raises `Refused` (CG206)."""
        axis = self.axes.get(atom)
        if axis is not None and axis.widths is not None:
            help = "name the dim that is meant"
            self.report.refuse("CG206", f"the labels of `{atom}` have widths of their own", span, help=help)

    def no_state(self, name: str) -> str | tuple[str, ...]:
        """A help for `name[t-1]` where `name` is no state."""
        if name in self.inputs:
            shape, last = shape_text(self.inputs[name].shape), f"{name}_last"
            return f"add a state `{last}: {shape}`, read `{last}[t-1]`, and below it write `{last} = {name}`"
        if name in self.params or name in self.options:
            return f"it is the same at every step: write `{name}`"
        if name in self.equations:
            return f"add `{name}` under `state:`"
        return nearest(name, self.states) or f"the states are {', '.join(f'`{state}`' for state in self.states)}"

    def undefined(self, ref: Ref) -> None:
        """A name that is read at or above its own equation, or a state without one."""
        name = ref.name
        context = [Label(self.equations[name], "defined here")] if name in self.equations else []
        if name == self.current:
            help = (
                (f"`{name}[t-1]` is the carried value",)
                if name in self.states
                else (
                    f"to carry it from step to step, add `{name}` under `state:` and read `{name}[t-1]`",
                    "to change a value of this step, give the new one a name of its own",
                )
            )
            self.report.refuse("CG206", f"`{name}` is read in its own equation", ref.span, help=help)
        if name in self.states:
            help = [f"`{name}[t-1]` is the carried value"] + [f"for this step's `{name}` move its equation up"] * bool(
                context
            )
            self.report.refuse("CG206", f"`{name}` is not yet defined here", ref.span, context=context, help=help)
        self.report.refuse(
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

    # --- tests

    def test(self, test: Test) -> None:
        """Every question of a test can be asked. Raises `Refused` (CG214)."""
        for question in asked(test):
            if isinstance(question, Is):
                self.word(question)
            else:
                self.yes_or_no(question)

    def word(self, question: Is) -> None:
        name, word = question.name, question.word
        option = self.options.get(name)
        if option is None or option.kind != "word":
            words = [name for name, option in self.options.items() if option.kind == "word"]
            if word.isdecimal():
                help = f"in a loop, `for {name} in 3:`, it asks which micro-step it is"
                self.report.refuse("CG214", f"`{name}` counts nothing here", question.span, help=help)
            yes = option is not None and option.kind in ("flag", "maybe")
            self.report.refuse(
                "CG214",
                f"`{name}` is no option with words",
                question.span,
                help=f"write `a if {name} else b`"
                if yes
                else "it is called, so it chooses a function: a choice between values is an option of its own"
                if option is not None and option.kind == "activation"
                else nearest(name, words) or f"declare it: `options: {{{name}: {{one_of: [{word}, other]}}}}`",
            )
        if word not in option.words:
            self.report.refuse(
                "CG214",
                f"`{name}` is never `{word}`",
                question.span,
                help=nearest(word, option.words) or f"it is one of {', '.join(option.words)}",
            )

    @staticmethod
    def always(option: Option) -> str:
        """A help for a test that asks whether an option is given that always is."""
        name, choice = option.name, f"`where({option.name} > 0, a, b)`"
        match option.kind:
            case "word":
                return f"write `{name} == {(*option.words, 'word')[0]}`"
            case "activation":
                return f"an activation is always given: it is called, `{name}(z)`"
            case "scheduled":
                return f"it is always given; a choice on its value is {choice}"
        default = number_text(option.default)
        return f"it is always given: say `{name}: {{default: {default}, optional: true}}`, or use {choice}"

    def yes_or_no(self, question: Given) -> None:
        name, span = question.name, question.span
        dim, port, option = self.dims.get(name), self.inputs.get(name), self.options.get(name)
        if option is not None:
            if option.kind in ("flag", "maybe"):
                return
            self.report.refuse("CG214", f"`{name}` is no yes or no", span, help=self.always(option))
        optional = dim is not None and dim.kind in ("alias", "optional") or port is not None and port.optional
        if name == TRAINING or optional:
            return
        if name in self.equations or name in self.states or name in self.params or name in self.inputs:
            self.report.refuse(
                "CG214",
                f"`{name}` is known only while running; a test is decided when the cell is built",
                span,
                help="a choice on data is `where(a > b, x, y)`",
            )
        if dim is not None:
            self.report.refuse(
                "CG214",
                f"the dim `{name}` is always given",
                span,
                help="a test asks whether an option or a dim was given",
            )
        known = [TRAINING, *(each.name for each in self.options.values() if each.kind in ("flag", "maybe", "word"))]
        self.report.refuse(
            "CG214",
            f"no option, optional dim or port `{name}` to ask for",
            span,
            help=nearest(name, known) or f"declare it: `options: {{{name}: true}}`",
        )
