"""A cell that is an LSTM or a GRU of Keras's, as cuDNN runs it: which parts of which weights are whose of its gates."""

from dataclasses import dataclass
from fractions import Fraction

from cellgen.ir.expr import Test


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a weight: the labels along its labelled axes. negative: its sign is turned; transposed: units first."""

    weight: str
    labels: tuple[str, ...]
    negative: bool = False
    transposed: bool = False


@dataclass(frozen=True, slots=True)
class Gate:
    """What a gate of Keras's, `role`, is here, where it is called `name`.

    biases: what is added besides the two products; inner: what is added to that with the state, which a GRU resets for
    its candidate. added: a number that is added, options: options that are, each with whether it is subtracted.
    """

    role: str
    name: str
    kernel: Piece
    recurrent: Piece
    biases: tuple[Piece, ...]
    inner: tuple[Piece, ...] = ()
    added: Fraction = Fraction(0)
    options: tuple[tuple[str, bool], ...] = ()


@dataclass(frozen=True, slots=True)
class Fused:
    """kind: `lstm` or `gru`; states: ours that are its h and c. choices: what options must choose, of activations;
    test: of which variants it holds, None: of all.
    """

    kind: str
    states: tuple[str, ...]
    gates: tuple[Gate, ...]
    choices: tuple[tuple[str, str], ...]
    test: Test | None = None

    @property
    def layer(self) -> str:
        return f"keras.layers.{self.kind.upper()}"


@dataclass(frozen=True, slots=True)
class Unlike:
    """Why a cell is none that is nearly one; nothing is to be said of a cell that is not."""

    why: str = ""
