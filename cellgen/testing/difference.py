"""Two results side by side: where they are apart first, told so that one can look there."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf


class Difference(AssertionError):
    """What a check found, a line for each thing that there is to say."""


@dataclass(frozen=True)
class Value:
    """What is compared: a name for people, and what its first axes count."""

    name: str
    axes: tuple[str, ...] = ()

    def at(self, index: Sequence[int]) -> str:
        """A place in it, as in `outputs, step 2, sample 1, [3]`."""
        counted = dict(zip(self.axes, index))
        rest = [int(each) for each in index[len(self.axes) :]]
        places = [f"{axis} {counted[axis]}" for axis in ("step", "sample") if axis in counted]
        return ", ".join([self.name, *places, *([str(rest)] if rest else [])])


def same(name: str, came, wanted) -> None:
    """Raises `Difference` if these are not equal."""
    if came != wanted:
        raise Difference(f"value   {name}\ncame    {came}\nwanted  {wanted}")


def refuses(name: str, call: Callable[[], object], sentence: str) -> None:
    """Raises `Difference` if a call does not raise a ValueError that says this."""
    try:
        call()
    except ValueError as error:
        if sentence in str(error):
            return
        came = f"ValueError: {error}"
    else:
        came = "no error"
    raise Difference(f"value   {name}\ncame    {came}\nwanted  ValueError: ...{sentence}...")


def close(came, wanted, values: Sequence[Value], bound: float, how: str = "") -> None:
    """Raises `Difference` if anything is further from what is wanted than `bound`, of the value or of 1, whichever is
    more. how: what was run to come to it, and what to know what is wanted.
    """
    came, wanted = tf.nest.flatten(came), tf.nest.flatten(wanted)
    told = f"how     {how}\n" if how else ""
    if not len(came) == len(wanted) == len(values) > 0:
        names = ", ".join(value.name for value in values)
        raise Difference(f"{told}value   how many values\ncame    {len(came)}\nwanted  {len(wanted)}: {names}")
    off = [value.name for value, *pair in zip(values, came, wanted) if _apart(*map(_array, pair), bound) is not None]
    for value, one, other in zip(values, map(_array, came), map(_array, wanted)):
        apart = _apart(one, other, bound)
        if apart is None:
            continue
        if one.shape != other.shape:
            raise Difference(f"{told}value   {value.name}, its shape\ncame    {one.shape}\nwanted  {other.shape}")
        at = _first(apart, np.abs(one - other), value)
        told += f"value   {value.at(at)}\ncame    {one[at]!r:.24}\nwanted  {other[at]!r:.24}\n"
        told += (
            f"apart   {abs(one[at] - other[at]):.2g}, where {bound:g} is allowed; {apart.sum()} of {apart.size} numbers"
        )
        also = [name for name in off if name != value.name]
        raise Difference(told + (f"\nalso    {', '.join(also)}" if also else ""))


def _array(value) -> np.ndarray:
    return np.asarray(value, np.float64)


def _apart(one: np.ndarray, other: np.ndarray, bound: float) -> np.ndarray | None:
    """Which numbers are too far from each other, None if none is. What is wanted is finite."""
    if one.shape != other.shape:
        return np.ones(other.shape, bool)
    apart = ~((np.abs(one - other) <= bound + bound * np.abs(other)) & np.isfinite(other))
    return apart if apart.any() else None


def _first(apart: np.ndarray, distance: np.ndarray, value: Value) -> tuple[int, ...]:
    """Of the first step that is off, the number that is off most."""
    if "step" in value.axes and apart.ndim > value.axes.index("step"):
        axis = value.axes.index("step")
        steps = np.arange(apart.shape[axis]).reshape(-1, *[1] * (apart.ndim - axis - 1))
        apart = apart & (steps == np.where(apart, steps, apart.shape[axis]).min())
    most = np.where(apart, np.where(np.isfinite(distance), distance, np.inf), -1.0)
    return tuple(map(int, np.unravel_index(most.argmax(), most.shape)))
