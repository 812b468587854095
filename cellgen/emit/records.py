"""The records that the templates read: strings and lists, decided by `view` and `testview`, one field a hole."""

from dataclasses import dataclass

from cellgen.schedule import Run


@dataclass(frozen=True)
class StateView:
    index: int
    name: str
    shape: str  # (batch, units), for people
    size: str  # what `state_size` holds
    initial: str  # what it is before the first step


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
    """What training draws: `draw` is the function that does, `rate` and `sizes` are code; `held`: for all steps,
    `weight`: for all samples too."""

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
    indices: tuple[int, ...]  # of those states
    sentence: str


@dataclass(frozen=True)
class ArgumentView:
    """A constructor argument: what it must fulfil, in code and in words, and what is kept of it."""

    name: str
    default: str  # empty: required
    fits: str
    wanted: str
    value: str
    words: tuple[str, ...] = ()  # of an activation, if it may be fewer than those of the others


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
    """`parts` holds an initializer for each label of the axis `along`, None for the argument's own."""

    name: str
    argument: str
    shape: str
    initializer: str
    given: str  # the test under which it exists; empty: always
    parts: str
    along: int


@dataclass(frozen=True)
class StatementView:
    """Lines of the step: `comments` and `code` as they stand, without the function's own indentation."""

    lines: tuple[str, ...]


@dataclass(frozen=True)
class StepView:
    parameters: tuple[str, ...]
    unpack: str
    statements: tuple[StatementView, ...]
    arguments: tuple[tuple[str, str], ...]
    training: bool


@dataclass(frozen=True)
class SegmentView:
    """A function that runs a segment of the plan. `given` are the names that it returns values under, `sometimes`
    those with the test under which they exist."""

    parameters: tuple[str, ...]
    statements: tuple[StatementView, ...]
    given: tuple[str, ...]
    sometimes: tuple[tuple[str, str], ...]
    reads: tuple[str, ...]  # the values of a step among the parameters


@dataclass(frozen=True)
class ScanView:
    """The scan with the derived backward pass.

    turned: of each transposed weight its name, the weight, and the code. carried: the cotangents of the state before.
    d_outputs, d_state: the cotangents that come to a step, the first with a comma each. d_inputs, d_inner, sent: an
    input, what another layer gave, or an argument; the code of its cotangent, and the test under which it exists.
    asks: the options that those tests ask for. extra: arguments that the step does not take. gradients: of the
    activations that an option may choose; reading_x: those of which the derivative reads the argument, if it matters.
    """

    once: SegmentView
    before: SegmentView
    forward: SegmentView
    backward: SegmentView
    after: SegmentView
    turned: tuple[tuple[str, str, str], ...]
    d_outputs: tuple[str, ...]
    d_state: str
    carried: tuple[str, ...]
    d_inputs: tuple[tuple[str, str, str], ...]
    d_inner: tuple[tuple[str, str, str], ...]
    sent: tuple[tuple[str, str, str], ...]
    asks: tuple[str, ...]
    extra: tuple[tuple[str, str], ...]
    gradients: tuple[tuple[str, str], ...]
    reading_x: list[str] | None
    run: Run


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
class CellView:
    """`prefix` stands before the functions of a step; `shown` is what a layer of a stack shows besides its state."""

    cell: str
    stem: str
    runtime: RuntimeView
    stack: bool
    prefix: str
    by_readout: bool  # the output is read from the states, after the scan
    state_class: str
    shown: tuple[str, ...]
    about: tuple[str, ...]
    equations: tuple[str, ...]
    labels: str
    input: str
    input_shape: str
    input_rank: int
    ports: tuple[PortView, ...]
    noises: tuple[NoiseView, ...]
    asks_training: bool  # otherwise than for what is drawn
    wide: bool  # whether a step is computed in float32 where what comes is narrower
    many: bool  # more than one port
    constants: list[str]  # ports that hold for all steps
    held: list[str]  # those and what training draws for all steps, weights aside
    dropped: list[str]  # weights' draws
    inputs: tuple[str, ...]  # of several, how they are given, for people
    scheduled: tuple[tuple[str, str], ...]  # options that are set while training, with their defaults
    input_checks: tuple[CheckView, ...]
    star: str  # `*` where a size is a tuple
    states: tuple[StateView, ...]
    output: OutputView
    mask: MaskView
    example_arguments: str
    example_output: str
    arguments: tuple[ArgumentView, ...]
    keywords: tuple[KeywordView, ...]  # of Keras's own layers
    renamed: dict[str, str]  # Keras's names of arguments, and ours
    built_sizes: tuple[str, ...]  # the sizes of states and output, in `build`; none where they are known before
    derived_dims: tuple[DimView, ...]
    size_checks: tuple[CheckView, ...]
    build_dims: tuple[DimView, ...]
    weights: tuple[WeightView, ...]
    initializers: tuple[tuple[str, str], ...]  # by the argument that they are the default of
    activations: tuple[tuple[str, str], ...]
    functions: tuple[str, ...]
    label_slices: tuple[str, ...]
    step: StepView
    scan: ScanView
    trace: tuple[tuple[str, str], ...]  # what is traced, and its shape for people
    trace_sizes: tuple[tuple[str, str], ...]  # and its sizes in the classes


@dataclass(frozen=True)
class TestView:
    """`sizes` are two choices of the dims, `cases` the options and dims to try, each by itself and then together.

    `bound` is how near float64 comes to the oracle; `jumps` says that a value may change abruptly with its argument.
    """

    __test__ = False  # no test of pytest's

    cell: str
    stem: str
    checksum: str  # of the cell that the tests are of
    spec: str
    stack: bool
    cell_stem: str  # of a stack, its cell
    cell_spec: str
    depth: str  # the argument that says how many layers there are, if there is one
    sizes: tuple[str, ...]
    inferred: tuple[str, ...]
    cases: tuple[str, ...]
    mask: str
    bound: str
    jumps: bool
    many: bool
    input: str
    constants: list[str]  # inputs that hold for all steps
    needs: bool  # whether a step must be given more than the first input
    scheduled: list[str]
    trace: list[str]  # names of the oracle's
    rates: str  # of what training draws, by option
    noises: dict[str, float]  # what training draws, and the rate of each


@dataclass(frozen=True)
class NeighbourView:
    """A port that a neighbour gives: what it is, in code, and where its cotangent goes."""

    port: str
    code: str
    back: str


@dataclass(frozen=True)
class ReadoutWeightView:
    name: str
    shown: str  # with the number of the first layer, where there is one for each
    shape: str
    each: bool
    initializer: str


@dataclass(frozen=True)
class ReadoutView:
    """`states` are the names read of each layer, `indices` their places in a layer's state."""

    equations: tuple[str, ...]
    states: tuple[str, ...]
    indices: tuple[int, ...]
    weights: tuple[ReadoutWeightView, ...]
    parameters: tuple[str, ...]
    arguments: tuple[tuple[str, str], ...]
    statements: tuple[StatementView, ...]
    output: str


@dataclass(frozen=True)
class StackView(CellView):
    """A stack: the fields of a cell are those of a layer. `sizes` are the dims of a layer with the code of each.

    lists: the dims given a layer each. shared, own: what a step takes, once and for each layer. ports_of: what a layer
    reads of the one below and above. late: whether a cotangent goes to a layer whose turn has not come.
    """

    wiring: tuple[str, ...]
    depth: str
    lists: tuple[str, ...]
    sizes: tuple[tuple[str, str], ...]
    shared: tuple[tuple[str, str], ...]
    own: tuple[tuple[str, str], ...]
    ports_of: dict[str, tuple[NeighbourView, ...]]
    late: bool
    inputs_list: str
    inputs_given: str
    inputs_back: tuple[tuple[str, str], ...]  # that a step back of a layer reads: the stack's name and the layer's
    output_code: str
    output_state: str
    output_shown: str
    shown_sizes: dict[str, str]
    readout: ReadoutView
