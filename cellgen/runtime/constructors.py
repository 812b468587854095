"""Constructors of cells and layers: the arguments that a generated one names, and those of Keras's own layers."""

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import tensorflow as tf

from cellgen.runtime.activations import Activation
from cellgen.runtime.arguments import require

keras = tf.keras

# what the arguments of generated constructors may be
ActivationLike = str | Activation | Callable[..., Any] | None
Initializer = str | dict[str, Any] | Callable[..., Any]
Regularizer = str | dict[str, Any] | Callable[..., Any] | None
Constraint = str | dict[str, Any] | Callable[..., Any] | None

KNOWN = 4096  # functions of which the parameters are kept in mind

KINDS = "initializer", "regularizer", "constraint"
_DROPS = "0, for it drops nothing. A spec says"
# what Keras's own layers take besides: the values that change nothing here, None for all, and what is wanted
KEYWORDS: dict[str, tuple[tuple | None, str]] = {
    "dropout": ((0,), f"{_DROPS} `dropout(x, rate, per=sequence)`"),
    "recurrent_dropout": ((0,), f"{_DROPS} `dropout(h[t-1], rate, per=sequence)`"),
    "use_cudnn": (("auto", False), "'auto' or False: it does not run on cuDNN. `jit_compile=True` compiles it"),
    "implementation": ((0, 1, 2), "0, 1 or 2, which are one here"),
    "seed": (None, ""),  # of what is dropped
}


def given(names: Mapping[str, Any]) -> dict[str, Any]:
    """All that a constructor was given, by name, from its `locals()`."""
    named = {name: value for name, value in names.items() if name not in ("self", "kwargs", "__class__")}
    return named | names["kwargs"]


@functools.lru_cache(KNOWN)
def parameters(function: Callable) -> tuple[str, ...]:
    """The names of what a function takes, in their order; not `self`, nor what stands for any."""
    kinds = inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL
    found = inspect.signature(function).parameters.values()
    return tuple(each.name for each in found if each.kind not in kinds and each.name != "self")


def declared(cls: Any, mark: str) -> tuple[str, ...]:
    """The arguments of the generated class that a class is, or is made of: the one that says its `mark` itself."""
    return parameters(next(each for each in cls.__mro__ if mark in vars(each)).__init__)


def of_weight(argument: str) -> bool:
    """Whether an argument is one of a weight: `kernel_initializer` and so on."""
    return argument.endswith(tuple(f"_{kind}" for kind in KINDS))


def registry(argument: str):
    """Where Keras looks a `kernel_initializer` or its like up: keras.initializers, regularizers or constraints."""
    return getattr(keras, argument.rsplit("_", 1)[1] + "s")


def our_name(argument: str, names: Iterable[str]) -> str:
    """Keras's name of an argument of the recurrent weights -> that of a weight `recurrent_kernel`, if there is one."""
    other = argument.replace("recurrent_", "recurrent_kernel_", 1)
    return other if of_weight(argument) and argument not in names and other in names else argument


def own_arguments(arguments: Mapping[str, Any], names: Iterable[str], keywords: Mapping) -> dict[str, Any]:
    """Arguments by the `names` that they have here, without those of Keras's own layers that change nothing.

    keywords: further ones, like `KEYWORDS`. Raises ValueError for one that would change something.
    """
    keywords = {name: each for name, each in {**KEYWORDS, **keywords}.items() if name not in names}
    for name in (name for name in arguments if name in keywords):
        (same, wanted), value = keywords[name], arguments[name]
        require(same is None or value in same, name, wanted, value)
    return {our_name(name, names): value for name, value in arguments.items() if name not in keywords}
