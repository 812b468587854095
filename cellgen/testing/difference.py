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
    more. how: what was run to come to it.
    """
    came, wanted = tf.nest.flatten(came), tf.nest.flatten(wanted)
    told = f"how     {how}\n" if how else ""
    if not len(came) == len(wanted) == len(values) > 0:
        names = ", ".join(value.name for value in values)
        raise Difference(f"{told}value   how many values\ncame    {len(came)}\nwanted  {len(wanted)}: {names}")
    came, wanted = ([np.asarray(each, np.float64) for each in arrays] for arrays in (came, wanted))
    off = [at for at in range(len(values)) if not _near(came[at], wanted[at], bound).all()]
    if off:
        also = ", ".join(values[at].name for at in off[1:])
        first = _apart(came[off[0]], wanted[off[0]], values[off[0]], bound)
        raise Difference(told + first + (f"\nalso    {also}" if also else ""))


def _near(came: np.ndarray, wanted: np.ndarray, bound: float) -> np.ndarray:
    """Which numbers are near enough to finite ones, none of another shape."""
    if came.shape != wanted.shape:
        return np.zeros(1, bool)
    with np.errstate(invalid="ignore"):
        return np.isfinite(wanted) & (np.abs(came - wanted) <= bound + bound * np.abs(wanted))


def _apart(came: np.ndarray, wanted: np.ndarray, value: Value, bound: float) -> str:
    """Where a value is off, as text."""
    if came.shape != wanted.shape:
        return f"value   {value.name}, its shape\ncame    {came.shape}\nwanted  {wanted.shape}"
    far = ~_near(came, wanted, bound)
    with np.errstate(invalid="ignore"):
        distance = np.abs(came - wanted)
    at = _first(far, distance, value)
    return (
        f"value   {value.at(at)}\n"
        f"came    {float(came[at])!r}\n"
        f"wanted  {float(wanted[at])!r}\n"
        f"apart   {distance[at]:.2g}, more than {bound:g}, as are {far.sum()} of {far.size} numbers"
    )


def _first(far: np.ndarray, distance: np.ndarray, value: Value) -> tuple[int, ...]:
    """Of the first step that is off, the number that is off most."""
    if "step" in value.axes:
        axis = value.axes.index("step")
        steps = np.arange(far.shape[axis]).reshape(-1, *[1] * (far.ndim - axis - 1))
        far = far & (steps == np.where(far, steps, far.shape[axis]).min())
    most = np.where(far, np.where(np.isfinite(distance), distance, np.inf), -1.0)
    return tuple(map(int, np.unravel_index(most.argmax(), most.shape)))
