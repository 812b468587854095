"""The records that the templates read: strings and lists, one field a hole. `cell_view`, `stack_view` and `test_view`
decide what stands in them.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class StateView:
    index: int
    name: str
    shape: str  # (batch, units), for people
    size: str  # what `state_size` holds
    initial: str  # the number or the weight that it is before the first step; empty: zero


@dataclass(frozen=True)
class PortView:
    name: str
    shape: str  # without the batch, for people
    rank: int
    optional: bool
    fill: str  # what it is where it is not given; empty: it is given, or not there
    sizes: str  # of its axes, in the classes
    constant: bool  # one value for all steps
    index: bool  # where it is not given, it is the number of the step


@dataclass(frozen=True)
class NoiseView:
    """What training draws: `draw` is the function that does, `rate` an option's name or a number, `sizes` code; `held`:
    for all steps, `weight`: for all samples too."""

    name: str
    draw: str
    rate: str
    sizes: str
    held: bool
    weight: bool


@dataclass(frozen=True)
class OutputView:
    name: str
    shape: str
    size: str
    width: str  # without the batch, for people


@dataclass(frozen=True)
class MaskView:
    kind: str
    states: tuple[str, ...]
    sentence: str


@dataclass(frozen=True)
class ArgumentView:
    """A constructor argument: its type, what it must be in words, and the code of what is kept, which sees to it."""

    name: str
    default: str  # empty: required
    hint: str
    wanted: str
    value: str


@dataclass(frozen=True)
class KeywordView:
    """An argument of Keras's own layers: the values that change nothing, in code, empty for all, and what is wanted."""

    name: str
    same: str
    wanted: str


@dataclass(frozen=True)
class DimView:
    name: str
    code: str


@dataclass(frozen=True)
class CheckView:
    """What an argument or an input's shape must fulfil, in code and in words."""

    name: str
    code: str
    words: str


@dataclass(frozen=True)
class WeightView:
    """`parts` holds an initializer or a formula for each label of the axis `along`, None for the argument's own; or it
    is the number of places along it.
    """

    name: str
    argument: str
    shape: str
    initializer: str  # the default of its argument; None where there is a formula
    initial: str  # the code of that; empty: there is none
    given: str  # the test under which it exists; empty: always
    parts: str
    along: int
    trainable: bool


@dataclass(frozen=True)
class StatementView:
    """Lines of the step: `comments` and `code` as they stand, without the function's own indentation."""

    lines: tuple[str, ...]


@dataclass(frozen=True)
class StepView:
    parameters: tuple[str, ...]
    unpack: str
    statements: tuple[StatementView, ...]


# names with the code of each, by the test under which they exist; empty: always
Groups = tuple[tuple[str, tuple[tuple[str, str], ...]], ...]


@dataclass(frozen=True)
class SegmentView:
    """A function that runs a segment of the plan, and what it gives by name."""

    parameters: tuple[str, ...]
    statements: tuple[StatementView, ...]
    gives: Groups

    @property
    def empty(self) -> bool:
        return not (self.statements or self.gives)


@dataclass(frozen=True)
class ScanView:
    """The scan with the derived backward pass.

    transposed: of each transposed weight its name, and the weight. carried: the cotangents of the state before.
    d_outputs, d_state: the cotangents that come to a step, the first with a comma each. d_inputs, d_inner, d_weights:
    those of inputs, of what another layer gave, and of weights. differentiated: the weights, in order, with the test
    under which each is; asks: the options that those ask for.
    """

    once: SegmentView
    before: SegmentView
    forward: SegmentView
    backward: SegmentView
    after: SegmentView
    transposed: tuple[tuple[str, str], ...]
    d_outputs: tuple[str, ...]
    d_state: str
    carried: tuple[str, ...]
    d_inputs: Groups
    d_inner: Groups
    d_weights: Groups
    differentiated: tuple[tuple[str, str], ...]
    asks: tuple[str, ...]


@dataclass(frozen=True)
class RuntimeView:
    """What all cells share: its module, and the revision of it that a cell needs; where it stands in the cell's own
    file, what that imports, and its text.
    """

    module: str
    revision: int
    imports: tuple[str, ...] = ()
    text: str = ""


@dataclass(frozen=True)
class FusedView:
    """What Keras's own layer would be given: `lines` cut weights into parts, `weights` are its kernel, recurrent_kernel
    and bias, in code; declared: what says so in the class.
    """

    about: tuple[str, ...]
    parameters: tuple[str, ...]
    lines: tuple[str, ...]
    weights: tuple[str, str, str]
    declared: str


@dataclass(frozen=True)
class CellView:
    """`shown` is what a layer of a stack shows besides its state."""

    cell: str
    stem: str
    runtime: RuntimeView
    stack: bool
    state_class: str
    shown: tuple[str, ...]
    about: tuple[str, ...]
    equations: tuple[str, ...]
    labels: str
    input: str
    input_example: str  # what a layer is called with
    input_shape: str
    input_rank: int
    ports: tuple[PortView, ...]
    noises: tuple[NoiseView, ...]
    asks_training: bool  # otherwise than for what is drawn
    wide: bool  # whether a step is computed in float32 where what comes is narrower
    many: bool  # more than one port
    filled: bool  # whether a port may be left out and is a number then
    inputs: tuple[str, ...]  # of several, how they are given, for people
    input_checks: tuple[CheckView, ...]
    star: str  # `*` where a size is a tuple
    states: tuple[StateView, ...]
    output: OutputView
    mask: MaskView
    example_arguments: str
    example_output: str
    documented: tuple[str, ...]  # the arguments, for people
    math: bool  # whether the code of what weights start from reads Python's module
    typing: tuple[str, ...]  # what the types of the arguments need of `typing`
    arguments: tuple[ArgumentView, ...]
    keywords: tuple[KeywordView, ...]  # of a layer of Keras's that it may stand for
    built_sizes: tuple[str, ...]  # the sizes of states and output, in `build`; none where they are known before
    derived_dims: tuple[DimView, ...]
    size_checks: tuple[CheckView, ...]
    build_dims: tuple[DimView, ...]
    weights: tuple[WeightView, ...]
    initializers: tuple[tuple[str, str, bool], ...]  # by the weight, and whether it is trained
    label_slices: tuple[str, ...]
    split_names: tuple[str, ...]  # of the parts that these give
    parts: tuple[tuple[str, str], ...]  # the states that are found for all steps at once, and how
    run: tuple[tuple[str, int], ...]  # how the scan runs, where it is not as others do
    step: StepView
    scan: ScanView
    trace: tuple[tuple[str, str], ...]  # what is traced, and its shape for people
    trace_sizes: tuple[tuple[str, str], ...]  # and its sizes in the classes
    fused: FusedView | None  # what cuDNN can run of it


@dataclass(frozen=True)
class TestView:
    """`sizes` are two choices of the dims, `cases` the options and dims to try, each by itself and then together.

    `bound` is how near float64 comes to the oracle; `checks` are names in `cellgen.testing`.
    """

    __test__ = False  # no test of pytest's

    stem: str
    checksum: str  # of the cell that the tests are of
    spec: str
    cell_stem: str  # of a stack, its cell
    cell_spec: str
    bound: str
    sizes: tuple[str, ...]
    cases: tuple[str, ...]
    checks: tuple[str, ...]


@dataclass(frozen=True)
class ReadoutWeightView:
    name: str
    shown: str  # with the number of the first layer, where there is one for each
    shape: str
    each: bool
    initializer: str
    trainable: bool


@dataclass(frozen=True)
class ReadoutView:
    """`states` are the names read of each layer."""

    equations: tuple[str, ...]
    states: tuple[str, ...]
    weights: tuple[ReadoutWeightView, ...]
    parameters: tuple[str, ...]
    statements: tuple[StatementView, ...]
    output: str


@dataclass(frozen=True)
class StackView(CellView):
    """A stack: the fields of a cell are those of a layer. `sizes` are the dims of a layer with the code of each.

    lists: the dims given a layer each. below, above: what a layer reads of its neighbours, a port and what it is there:
    `h`, or before the step `h[t-1]`. outer: the inputs that have
    another name in a layer, that by the stack's. output_of: what of the last layer is the output. shown_sizes: of what
    a layer shows, in code. used: the sizes, and which neighbours there are, that a method of a layer reads.
    """

    wiring: tuple[str, ...]
    depth: str
    lists: tuple[str, ...]
    sizes: tuple[tuple[str, str], ...]
    below: tuple[tuple[str, str], ...]
    above: tuple[tuple[str, str], ...]
    outer: dict[str, str]
    output_of: str
    shown_sizes: dict[str, str]
    used: dict[str, tuple[str, ...]]
    readout: ReadoutView
