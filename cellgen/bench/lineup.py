"""Who takes part in which workload. Their frameworks are imported when they are made."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

OURS, GRAPH, XLA, LOW = "cellgen", "cellgen, graph", "cellgen, XLA", "cellgen, low memory"
AT_ONCE, AT_ONCE_XLA = "cellgen, all steps at once", "cellgen, all steps at once, XLA"
LSTM = "keras.layers.LSTM"
RNN, RNN_XLA = "keras.layers.RNN", "keras.layers.RNN, XLA"
SCAN, SCAN_XLA = "tf.scan", "tf.scan, XLA"
TORCH = "torch.nn.LSTM"
UNROLLED = "unrolled in Python"

NO_NORM = "no norm"


def missing(library: str) -> str:
    """Says that a library is not installed; "" if it is. Nothing is imported."""
    return "" if find_spec(library) else f"{library} is not installed"


class Unavailable(Exception):
    """Who takes no part, through no fault of its own."""


@dataclass(frozen=True, slots=True)
class Runners:
    """A contestant that is ready: functions of x and of the mask, as tensors of its own framework.

    forward: -> outputs (batch, steps, units). training: -> the gradients of mean(square(outputs)), of x and of every
    weight by name. tensor: numpy array -> one of its tensors. Both functions return when all is computed.
    """

    forward: Callable[..., Any]
    training: Callable[..., Mapping[str, Any]]
    tensor: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Contestant:
    """Someone who takes part. entry: `module:function` of `bench`, from a problem to `Runners`; options: its keywords.

    same: it computes the workload's equations, so its values can be checked. peer: it is not ours.
    """

    name: str
    entry: str
    options: tuple[tuple[str, Any], ...] = ()
    library: str = "tensorflow"
    same: bool = True
    note: str = ""

    @property
    def peer(self) -> bool:
        return not self.entry.startswith("generated_layers:")

    @property
    def missing(self) -> str:
        """Why it cannot take part; "" if it can."""
        return missing(self.library)

    def make(self, problem: Any) -> Runners:
        """Raises `Unavailable`."""
        module, _, function = self.entry.partition(":")
        return getattr(import_module(f"cellgen.bench.{module}"), function)(problem, **dict(self.options))


def _ours() -> tuple[Contestant, ...]:
    modes = (OURS, "auto"), (GRAPH, False), (XLA, True)
    return tuple(Contestant(name, "generated_layers:generated", (("jit_compile", mode),)) for name, mode in modes)


def _at_once(parallel: str) -> tuple[Contestant, ...]:
    """Ours, which finds the states of all steps at once."""
    modes, entry = ((AT_ONCE, False), (AT_ONCE_XLA, True)), "generated_layers:generated"
    return tuple(Contestant(name, entry, (("jit_compile", mode), ("parallel", parallel))) for name, mode in modes)


def _tensorflow(name: str, function: str, **options: Any) -> Contestant:
    entry = function if ":" in function else f"keras_peers:{function}"
    return Contestant(name, entry, tuple(options.items()))


RNNS = (
    _tensorflow(RNN, "layer_norm_rnn"),
    _tensorflow(RNN_XLA, "layer_norm_rnn", jit_compile=True),
)
LAYER_NORM = (
    *_ours(),
    Contestant(LSTM, "keras_peers:lstm", same=False, note=NO_NORM),
    *RNNS,
    Contestant(TORCH, "torch_peers:lstm", library="torch", same=False, note=f"{NO_NORM}, no mask"),
    Contestant("torch, loop", "torch_peers:layer_norm_loop", library="torch"),
    Contestant("jax.lax.scan", "jax_peers:layer_norm_scan", library="jax"),
)
MINGRU = (
    *_ours(),
    *_at_once("scan"),
    _tensorflow(RNN, "mingru_rnn"),
    _tensorflow(RNN_XLA, "mingru_rnn", jit_compile=True),
    _tensorflow(SCAN, "mingru_scan"),
    _tensorflow(SCAN_XLA, "mingru_scan", jit_compile=True),
    Contestant("jax.lax.scan", "jax_peers:mingru_scan", library="jax"),
    Contestant("jax.lax.associative_scan", "jax_peers:mingru_associative", library="jax"),
)
STACK = (
    *_ours(),
    _tensorflow(RNN, "stack_peers:rnn"),
    _tensorflow(RNN_XLA, "stack_peers:rnn", jit_compile=True),
    _tensorflow(SCAN, "stack_peers:scan"),
    _tensorflow(SCAN_XLA, "stack_peers:scan", jit_compile=True),
    Contestant("jax.lax.scan", "jax_peers:stack_scan", library="jax"),
)
INDRNN = (*_ours(), *_at_once("newton"))
UNROLLING = (*_ours(), *RNNS[:1], _tensorflow(UNROLLED, "layer_norm_unrolled"))
GROWTH = (
    *_ours(),
    Contestant(LOW, "generated_layers:generated", (("jit_compile", "auto"), ("memory", "low"))),
    *(each for each in LAYER_NORM if each.name in (LSTM, RNN, "jax.lax.scan")),
)
LENGTHS = (*_ours(), *RNNS)

LINEUPS = {
    "W1": LAYER_NORM,
    "W2": LAYER_NORM,
    "W3": LAYER_NORM,
    "W4": MINGRU,
    "W5": STACK,
    "W6": GROWTH,
    "W7": (),  # commands, not layers
    "W8": INDRNN,
    "lengths": LENGTHS,
}
NAMES = tuple(dict.fromkeys(each.name for lineup in (*LINEUPS.values(), UNROLLING) for each in lineup))


def chosen(lineup: tuple[Contestant, ...], only: tuple[str, ...] = (), peers: bool = True) -> tuple[Contestant, ...]:
    """Those of a line-up whose names contain one of the texts in `only`, in any case; without peers, ours."""
    return tuple(
        each
        for each in lineup
        if (peers or not each.peer) and (not only or any(text.casefold() in each.name.casefold() for text in only))
    )
