"""Operations in numpy: `NUMPY` gives each of `ops.OPS` its function. And derivatives by finite differences, with the
`Reference` program that they perturb.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np


def _softplus(x):
    return np.logaddexp(0, x)


def _sigmoid(x):
    return np.exp(-_softplus(-x))


def _relu6(x):
    return np.minimum(np.maximum(x, 0), 6)


def _elu(x, alpha):
    return np.maximum(x, 0) + alpha * np.expm1(np.minimum(x, 0))


def _softmax(x, axis):
    powers = np.exp(x - x.max(axis=axis, keepdims=True))
    return powers / powers.sum(axis=axis, keepdims=True)


def shifted(x, axis, by, zero=0.0):
    """Moved along an axis, with zeros where nothing came from."""
    lanes = np.moveaxis(x, axis, 0)
    out = np.full_like(lanes, zero)
    if by > 0:
        out[by:] = lanes[:-by]
    else:
        out[:by] = lanes[-by:]
    return np.moveaxis(out, 0, axis)


def _normalize(x, epsilon, axes, kind):
    mean = x.mean(axis=axes, keepdims=True) if kind == "layer" else 0.0
    return (x - mean) / np.sqrt(np.square(x - mean).mean(axis=axes, keepdims=True) + epsilon)


def windows(x, taps: Sequence[int], stride: int = 1, dilation: int = 1, nothing=0.0):
    """What each place of a kernel meets at each place of a convolution: (batch, *places, *taps, channels).

    `nothing` stands around x, (batch, *sizes, channels), so that there is a place for each `stride` of x: as much in
    front as behind, one more behind where that is odd, as TensorFlow's "SAME" has it.
    """
    places = [-(-size // stride) for size in x.shape[1:-1]]
    reach = [(count - 1) * stride + (tap - 1) * dilation + 1 for count, tap in zip(places, taps)]
    around = [max(0, reached - size) for reached, size in zip(reach, x.shape[1:-1])]
    sides = [(0, 0), *((each // 2, each - each // 2) for each in around), (0, 0)]
    x = np.pad(x, sides, constant_values=nothing)
    parts = []
    for tap in np.ndindex(*taps):
        first = [at * dilation for at in tap]
        spans = (slice(at, at + (count - 1) * stride + 1, stride) for at, count in zip(first, places))
        parts.append(x[(slice(None), *spans)])
    return np.stack(parts, axis=-2).reshape(len(x), *places, *taps, x.shape[-1])


def met(kernel) -> tuple[str, str, str]:
    """The axes of what `windows` gives, of the kernel, and of the convolution that is the product of both."""
    axes = kernel.ndim - 2
    places, taps = "abc"[:axes], "ijk"[:axes]
    return f"Z{places}{taps}x", f"{taps}xy", f"Z{places}y"


def _conv(x, kernel, **how):
    return np.einsum("{},{}->{}".format(*met(kernel)), windows(x, kernel.shape[:-2], **how), kernel)


_erf = np.vectorize(math.erf, otypes=[np.float64])

# Elementwise operations take arrays that broadcast; `matmul` and `outer` an einsum of their axes besides; those along
# an axis its place, and by how many places they move, `range` its size; `conv` its stride and dilation; `normalize` the
# places of the axes it spans and its kind, `layer` or `rms`.
NUMPY: dict[str, Callable] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "neg": np.negative,
    "pow": np.power,
    "less": lambda a, b: (a < b) * 1.0,
    "less_equal": lambda a, b: (a <= b) * 1.0,
    "greater": lambda a, b: (a > b) * 1.0,
    "greater_equal": lambda a, b: (a >= b) * 1.0,
    "matmul": lambda a, b, axes: np.einsum(axes, a, b),
    "normalize": _normalize,
    "linear": lambda x: x,
    "sigmoid": _sigmoid,
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0),
    "relu6": _relu6,
    "leaky_relu": lambda x: np.maximum(x, 0.2 * x),
    "elu": lambda x: _elu(x, 1.0),
    "selu": lambda x: 1.05070098735548049342 * _elu(x, 1.67326324235437728482),
    "softplus": _softplus,
    "softsign": lambda x: x / (1 + np.abs(x)),
    "silu": lambda x: x * _sigmoid(x),
    "gelu": lambda x: x * (1 + _erf(x / math.sqrt(2))) / 2,
    "mish": lambda x: x * np.tanh(_softplus(x)),
    "exponential": np.exp,
    "log_sigmoid": lambda x: -_softplus(-x),
    "hard_sigmoid": lambda x: _relu6(x + 3) / 6,
    "hard_silu": lambda x: x * _relu6(x + 3) / 6,
    "hard_tanh": lambda x: np.minimum(np.maximum(x, -1), 1),
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "square": np.square,
    "abs": np.abs,
    "sin": np.sin,
    "cos": np.cos,
    "step": lambda x: (x > 0) * 1.0,
    "floor": np.floor,
    "mod": np.mod,
    "minimum": np.minimum,
    "maximum": np.maximum,
    "clip": lambda x, low, high: np.maximum(np.minimum(x, high), low),
    "where": lambda condition, a, b: np.where(condition > 0.5, a, b),
    "stop_gradient": lambda x: x,
    "straight_through": lambda f, g: f,
    "range": lambda size: np.arange(size, dtype=np.float64),
    "outer": lambda a, b, axes: np.einsum(axes, a, b),
    "conv": _conv,
    "sum": lambda x, axis: x.sum(axis=axis),
    "mean": lambda x, axis: x.mean(axis=axis),
    "roll": lambda x, axis, by: np.roll(x, by, axis),
    "shift": shifted,
    "softmax": _softmax,
    "cumsum": lambda x, axis: np.cumsum(x, axis=axis),
}


def _apart(a, b):
    return np.abs(a - b)


def _from_whole(x):
    return _apart(x, np.round(x))


def _from_a_multiple(a, b):
    """How far `a` and `b` may each be moved until `floor(a / b)` is another."""
    times = a / b
    return _from_whole(times) * np.abs(b) / np.maximum(1, np.abs(times))


# How far arguments are from where the operation's derivative jumps (for elu and softsign: bends).
KINKS: dict[str, Callable] = {
    **dict.fromkeys(("relu", "leaky_relu", "elu", "selu", "softsign", "abs", "step", "sqrt"), np.abs),
    **dict.fromkeys(("less", "less_equal", "greater", "greater_equal", "minimum", "maximum"), _apart),
    **dict.fromkeys(("hard_sigmoid", "hard_silu"), lambda x: _apart(np.abs(x), 3)),
    "relu6": lambda x: np.minimum(np.abs(x), _apart(x, 6)),
    "hard_tanh": lambda x: _apart(np.abs(x), 1),
    "floor": _from_whole,
    "mod": _from_a_multiple,
    # a base that is 0 came out of a function that has a kink of its own
    "pow": lambda a, b: np.where((b == np.round(b)) & (b >= 0) | (a == 0), math.inf, np.abs(a)),
    "clip": lambda x, low, high: np.minimum(_apart(x, low), _apart(x, high)),
}


@dataclass
class Reference:
    """The reference program: what finite differences may perturb of a cell that states gradients of its own.

    At its first evaluation every `straight_through(f, g)` becomes `g + k` with `k = f - g`, and every
    `stop_gradient(x)` becomes `k = x`; those k stay at later evaluations, whatever is perturbed. A Reference serves one
    program at one base point. `margin` is the least distance of any argument from a kink of its operation so far.
    """

    margin: float = math.inf
    _kept: dict[tuple, np.ndarray] = field(default_factory=dict, repr=False)

    def keep(self, place: tuple, compute: Callable[[], np.ndarray]) -> np.ndarray:
        """What `compute` gave when this place was evaluated first."""
        if place not in self._kept:
            self._kept[place] = compute()
        return self._kept[place]

    def pass_by(self, op: str, args) -> None:
        """Takes note of how near the operation comes to a kink."""
        if op in KINKS:
            self.margin = min(self.margin, float(np.min(KINKS[op](*args), initial=math.inf)))


def derivative(function: Callable[[dict], float], at: Mapping, along: Mapping, step: float = 1e-4) -> float:
    """The derivative of `function({name: array})` at a point along a direction, by central differences.

    Five points, which reach `2 * step` along the direction: the error is of the order of `step ** 4`. `function` is
    first called at the point itself, so that a `Reference` that it uses is fixed there. Names that `along` lacks are
    held. Raises ValueError if a direction has no array, or one of another shape.
    """
    at = {name: np.asarray(array, np.float64) for name, array in at.items()}
    along = {name: np.asarray(array, np.float64) for name, array in along.items()}
    for name, array in along.items():
        if name not in at or array.shape != at[name].shape:
            raise ValueError(f"along {name} {array.shape}; wanted {at[name].shape if name in at else ', '.join(at)}")

    def value(distance: float) -> float:
        moved = {name: at[name] + distance * array for name, array in along.items()}
        return float(function({**at, **moved}))

    value(0.0)
    near, far = value(step) - value(-step), value(2 * step) - value(-2 * step)
    return (8 * near - far) / (12 * step)
