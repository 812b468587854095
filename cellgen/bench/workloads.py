"""What `cellgen bench` runs: the workloads, each with its shapes and what is asked of it."""

from dataclasses import dataclass, replace

MEASURES = "forward", "training"
TRAINING = 3  # matmuls of a training step for one of the forward pass: the backward pass has two for each


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes: sequences are (batch, steps, input), states (batch, units)."""

    batch: int
    steps: int
    input: int
    units: int

    def __str__(self) -> str:
        return f"batch {self.batch}, {self.steps} steps, input {self.input}, {self.units} units"


@dataclass(frozen=True, slots=True)
class Workload:
    """One of the workloads, by its `name`.

    spec: the shipped spec, whose layer runs against its peers; "" if commands run. shapes: what is run; quick: what is
    run instead by `--quick`. measures: what is timed of each. masked: with a mask that has a zero about every hundred
    steps. gates: units of the input's and of the recurrent matmul, in multiples of the cell's units. layers: of a
    stack of HM-LSTM, each with the shape's units, as has its readout; 0: it is a cell.
    """

    name: str
    about: str
    spec: str = ""
    shapes: tuple[Shape, ...] = ()
    quick: tuple[Shape, ...] = ()
    measures: tuple[str, ...] = MEASURES
    masked: bool = False
    gates: tuple[int, int] = (0, 0)
    layers: int = 0

    @property
    def told(self) -> str:
        """What it is, and its first shape."""
        return f"{self.about}; {self.shapes[0]}" if self.shapes else self.about

    def flops(self, shape: Shape, measure: str) -> int:
        """Floating-point operations of the matmuls, of the forward pass or of a training step."""
        ins, across = self.gates
        widths = shape.units * (ins * shape.input + across * shape.units)
        widths += _stack(self.layers, shape.input, shape.units)
        return 2 * shape.batch * shape.steps * widths * (TRAINING if measure == "training" else 1)


def _stack(layers: int, input: int, units: int) -> int:
    """How many numbers a step of a stack of HM-LSTM multiplies with: those of W, U, V and of the readout."""
    widths = layers * units * (layers + units)
    for below in range(layers):
        last = below + 1 == layers  # it has no V, and no boundary
        rows = (units if below else input) + units * (1 if last else 2)
        widths += rows * (4 * units + (0 if last else 1))
    return widths


LN = "layer_norm_lstm"
LN_LSTM = Workload("", "layer-normalised LSTM with mask", LN, masked=True, gates=(4, 4))
WIDE = Shape(64, 1000, 256, 126)
UNROLLED = replace(WIDE, steps=100)  # a length at which the unrolled peer's graph is built in seconds, not minutes
EVEN = Shape(16, 1000, 64, 128)

W1 = replace(LN_LSTM, name="W1", shapes=(WIDE, UNROLLED), quick=(Shape(4, 12, 8, 6), Shape(4, 3, 8, 6)))
W2 = replace(LN_LSTM, name="W2", shapes=(Shape(1, 1000, 64, 128),), quick=(Shape(1, 10, 4, 8),))
W3 = replace(LN_LSTM, name="W3", shapes=(Shape(16, 500, 64, 128),), quick=(Shape(4, 10, 4, 8),))
W4 = Workload("W4", "minGRU", "mingru", (Shape(8, 4096, 256, 256),), (Shape(2, 16, 4, 4),), gates=(2, 0))
W5 = Workload(
    "W5",
    "HM-LSTM stack of three layers, and its readout",
    "hm_lstm_stack",
    (Shape(32, 100, 27, 96),),
    (Shape(4, 12, 5, 6),),
    layers=3,
)
W6 = replace(
    LN_LSTM,
    name="W6",
    about="layer-normalised LSTM, cost as steps and batch grow",
    measures=("training",),
    shapes=(
        *(replace(EVEN, steps=1000 * k) for k in (1, 2, 4, 8, 16)),
        *(replace(EVEN, batch=batch) for batch in (1, 4, 64, 128)),
    ),
    quick=(Shape(2, 8, 4, 4), Shape(2, 16, 4, 4)),
)
W7 = Workload("W7", "the commands, and importing a generated module")
W8 = Workload("W8", "IndRNN", "indrnn", (Shape(8, 4096, 64, 256),), (Shape(2, 16, 4, 4),), gates=(1, 0))
LENGTHS = replace(
    LN_LSTM,
    name="lengths",
    about="layer-normalised LSTM, a training step at each of many lengths",
    measures=("training",),
    shapes=tuple(Shape(16, steps, 32, 32) for steps in range(23, 23 * 41, 23)),
    quick=tuple(Shape(2, steps, 4, 4) for steps in (5, 9)),
)

SHORT = "W1", "W4", "W5", "W7"  # what `--quick` runs if nothing is named: W2, W3 and W6 are W1 at other sizes
WORKLOADS = {each.name: each for each in (W1, W2, W3, W4, W5, W6, W7, W8, LENGTHS)}


def resized(workload: Workload, batches: tuple[int, ...] = (), units: int | None = None) -> Workload:
    """W6 with other batches, each at all of its lengths, and another number of units."""
    shapes = workload.shapes
    if batches:
        steps = sorted({shape.steps for shape in shapes})
        shapes = tuple(replace(shapes[0], batch=batch, steps=each) for batch in batches for each in steps)
    if units is not None:
        shapes = tuple(replace(shape, units=units) for shape in shapes)
    return replace(workload, shapes=shapes)
